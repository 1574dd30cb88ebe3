//! A plain model of one programme, which shares nothing with the ledger, the rules or the decisions: it
//! takes all that happened, in order, and adds it up.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike};

pub(super) const MANIFEST: &str = "[wallets.points]\nexpires = { days = 100 }\n[wallets.status]\n\
    spendable = false\n[activities.review]\n";

pub(super) const RULES: &str = r#"
earn "Points" on purchase { order.total }
earn "Gold" on purchase when member.tier == "Gold" { points }
earn "First" on purchase when member.purchases == 0 { 100 }
earn "Daily" on purchase at most 1 per day { 7 }
earn "Month" on purchase at most 90 points per month { order.total }
earn "Rich" on purchase when wallet("points") >= 300 { 25 }
earn "Review" on review at most 2 per week { 20 }
earn "Status" on purchase into status { order.total }
task "Three" on purchase goal 3 { 30 }
tier "Base" { true }
tier "Gold" { wallet("status") >= 200 }
"#;

const DAY: i64 = 24 * 60 * 60;
/// The shop's clock is two hours ahead for as long as the histories last.
const ZONE: i64 = 2 * 60 * 60;
/// The first Monday of 1970, in seconds.
const MONDAY: i64 = 4 * DAY;

/// Something that happened, in seconds since 1970.
pub(super) struct Fact {
    pub(super) at: i64,
    pub(super) what: What,
}

pub(super) enum What {
    Purchase { euros: i64 },
    Review,
    Credit { units: i64 },
}

/// The units of each end, in seconds since 1970. Nothing has expired yet, and nothing was spent.
pub(super) fn lots(facts: &[Fact]) -> BTreeMap<i64, i64> {
    let mut facts: Vec<&Fact> = facts.iter().collect();
    facts.sort_by_key(|fact| fact.at);
    let (mut lots, mut status, mut purchases) = (BTreeMap::new(), 0, 0);
    let (mut days, mut weeks) = (BTreeMap::new(), BTreeMap::new());
    let mut months: BTreeMap<u32, i64> = BTreeMap::new();
    for Fact { at, what } in facts {
        let points: i64 = lots.values().sum();
        let units = match what {
            What::Credit { units } => *units,
            What::Review => {
                let reviews: &mut u32 =
                    weeks.entry((at + ZONE - MONDAY).div_euclid(7 * DAY)).or_default();
                *reviews += 1;
                if *reviews <= 2 { 20 } else { 0 }
            }
            What::Purchase { euros } => {
                let mut units = *euros;
                units += if status >= 200 { *euros } else { 0 };
                units += if purchases == 0 { 100 } else { 0 };
                let bought: &mut u32 = days.entry((at + ZONE).div_euclid(DAY)).or_default();
                *bought += 1;
                units += if *bought == 1 { 7 } else { 0 };
                let month = DateTime::from_timestamp(at + ZONE, 0).unwrap().month();
                let paid = months.entry(month).or_default();
                let more = (*euros).min(90 - *paid);
                *paid += more;
                units += more;
                units += if points >= 300 { 25 } else { 0 };
                purchases += 1;
                units += if purchases % 3 == 0 { 30 } else { 0 };
                status += euros;
                units
            }
        };
        *lots.entry(at + 100 * DAY).or_default() += units;
    }
    lots.retain(|_, units| *units != 0);
    lots
}
