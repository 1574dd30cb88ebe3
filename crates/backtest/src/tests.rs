//! Backtests of small pasts.

use std::collections::BTreeMap;
use std::sync::Arc;

use decide::EarlierRules;
use ledger::{
    Activity, Entry, EntryKind, Member, MemberId, MerchantId, Moment, Order, RedeemedReward, Seq,
    Units, WalletName,
};
use rules::{Bundle, Sources};
use rust_decimal::Decimal;

use crate::play::{By, by_rules};
use crate::shared::{Draws, Timeline};
use crate::{Backtest, Failed, Past, Recorded, Report, Round, Seen, Totals};

const MANIFEST: &str = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
    [wallets.points]\nworth = \"0.01\"\n[campaigns.spring]\nbudget = 100\n";

fn bundle(rules: &str) -> Bundle {
    bundle_of(MANIFEST, rules)
}

fn bundle_of(manifest: &str, rules: &str) -> Bundle {
    let sources = Sources::of([("merchant.toml", manifest), ("rules.rhai", rules)]);
    Bundle::load(&MerchantId::parse("t").unwrap(), &sources).unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// The past of a member without a programme: orders of so many euros at these hours of a day, and
/// rewards that cost so many points.
fn past(id: &str, orders: &[(u32, i64)], rewards: &[(u32, i64)]) -> Past {
    let id = MemberId::parse(id).unwrap();
    let at = |hour: u32| moment("2026-05-01T00:00:00Z") + chrono::TimeDelta::hours(hour.into());
    let order = |(hour, euros): &(u32, i64)| {
        let activity = Activity {
            id: format!("order-{hour}"),
            kind: "purchase".to_owned(),
            at: at(*hour),
            of: None,
            order: Some(Order { total: Decimal::from(*euros), ..Order::default() }),
            channel: None,
            payment: None,
            fields: BTreeMap::new(),
        };
        (*hour, EntryKind::Earn { activity })
    };
    let reward = |(hour, points): &(u32, i64)| {
        let reward = RedeemedReward {
            name: "cup".to_owned(),
            source: "rules.rhai:1".to_owned(),
            wallet: WalletName::parse("points").unwrap(),
            costs: Units::new(*points).unwrap(),
            gives: None,
        };
        (*hour, EntryKind::Redeem { reward, order: None, happened_at: None })
    };
    let mut kinds: Vec<(u32, EntryKind)> =
        orders.iter().map(order).chain(rewards.iter().map(reward)).collect();
    kinds.sort_by_key(|(hour, _)| *hour);
    let entries = kinds.into_iter().zip(1u64..).map(|((hour, kind), seq)| Recorded {
        entry: Entry::bare(Seq::new(seq), at(hour), kind),
        rules: String::new(),
        asked: true,
    });
    Past { enrolled: Member::new(id, at(0)), entries: entries.collect() }
}

/// Plays pasts, so many to a part, and merges the parts.
fn report(bundle: &Bundle, baseline: Option<&Bundle>, pasts: &[Past], of_part: usize) -> Report {
    let recorded = EarlierRules::new();
    let until = moment("2026-06-01T00:00:00Z");
    let test = Backtest { bundle, recorded: &recorded, baseline, runs: &[], from: None, until };
    settled(&test, pasts, of_part)
}

/// Plays pasts, so many to a part, until everybody has taken what there was.
fn settled(test: &Backtest<'_>, pasts: &[Past], of_part: usize) -> Report {
    let mut round = Round::default();
    loop {
        let mut all = Seen::default();
        for part in pasts.chunks(of_part) {
            let mut seen = Seen::default();
            part.iter().for_each(|past| test.see(&mut seen, std::slice::from_ref(past), &round));
            all.add(seen);
        }
        match test.next_round(&all, &round) {
            Some(next) => round = next,
            None => return test.report(all),
        }
    }
}

#[test]
fn a_budget_is_drawn_in_the_order_of_time_whoever_is_played_first() {
    let bundle = bundle("earn \"Spring\" on purchase during \"spring\" { order.total }");
    // 40 and 40 fit, the second 40 of bob does not, 15 do, and nothing fits after that but 5.
    let pasts = [
        past("ada", &[(1, 40), (9, 15)], &[]),
        past("bob", &[(2, 40), (3, 40)], &[]),
        past("cid", &[(10, 10), (11, 5), (12, 1)], &[]),
    ];
    let all = report(&bundle, None, &pasts, 1);
    let paid: i64 = all.seen.new.rules.values().map(|paid| paid.units).sum();
    assert_eq!(paid, 100);
    let [dry] = all.limits.as_slice() else { panic!("{:?}", all.limits) };
    assert_eq!((dry.total, dry.taken), (100, 100));
    // Bob's second order was the first for which too little was left.
    assert_eq!(dry.dry_at, Some(moment("2026-05-01T03:00:00Z")));
    let of = |name: &str| {
        let mut winners = all.seen.changed.winners.iter();
        winners.find(|mover| mover.member.as_str() == name).map(|mover| mover.gain)
    };
    assert_eq!([of("ada"), of("bob"), of("cid")], [Some(55), Some(40), Some(5)]);
}

#[test]
fn rules_that_hold_from_a_day_find_what_was_taken_before() {
    let old = bundle("earn \"Spring\" on purchase during \"spring\" { order.total }");
    let new = bundle("earn \"Spring\" on purchase during \"spring\" { order.total * 2 }");
    let until = moment("2026-06-01T00:00:00Z");
    let hash = old.hash().to_string();
    // 80 are taken before they hold; then 16, 20 are too many, and 2.
    let told = [
        past("ada", &[(1, 40), (9, 8)], &[]),
        past("bob", &[(2, 40)], &[]),
        past("cid", &[(10, 10), (11, 1)], &[]),
    ];
    let recorded = told.map(|past| {
        let by = By {
            bundle: &old,
            recorded: &EarlierRules::new(),
            from: None,
            runs: &[],
            until,
            totals: &old.shared_limits(),
            timeline: &Timeline::default(),
        };
        let made = by_rules(std::slice::from_ref(&past), by, &Draws::new()).accounts.remove(0);
        let entry = |entry| Recorded { entry, rules: hash.clone(), asked: true };
        Past { entries: made.entries.into_iter().map(entry).collect(), ..past }
    });
    let rules: EarlierRules = [(hash.clone(), Arc::new(old))].into();
    let from = Some(moment("2026-05-01T05:00:00Z"));
    let test = Backtest { bundle: &new, recorded: &rules, baseline: None, runs: &[], from, until };
    let all = settled(&test, &recorded, 1);
    assert!(all.seen.check.is_same(), "{:?}", all.seen.check);
    let paid = |totals: &Totals| totals.rules.values().map(|paid| paid.units).sum::<i64>();
    assert_eq!((paid(&all.seen.old), paid(&all.seen.new)), (19, 18));
    let [dry] = all.limits.as_slice() else { panic!("{:?}", all.limits) };
    assert_eq!((dry.total, dry.taken), (100, 98));
    assert_eq!((all.seen.told, all.seen.revenue), (3, Decimal::from(19)));
    // A budget that is lowered below what was taken before stays taken, and gives nothing more.
    let small = bundle_of(
        &MANIFEST.replace("budget = 100", "budget = 50"),
        "earn \"Spring\" on purchase during \"spring\" { order.total * 2 }",
    );
    let report = settled(&Backtest { bundle: &small, ..test }, &recorded, 1);
    assert_eq!(paid(&report.seen.new), 0);
    let [dry] = report.limits.as_slice() else { panic!("{:?}", report.limits) };
    assert_eq!((dry.total, dry.taken), (50, 80));
    // The same rules change nothing, from whenever they hold.
    let same = rules.values().next().unwrap();
    let test = Backtest { bundle: same, ..test };
    let report = settled(&test, &recorded, 3);
    assert_eq!(report.seen.old, report.seen.new);
}

#[test]
fn any_parts_give_the_same_report() {
    let old = bundle("earn \"Points\" on purchase { order.total }\ntier \"Base\" { true }");
    let new = bundle(
        "earn \"Points\" on purchase { order.total * 2 }\n\
         earn \"Spring\" on purchase during \"spring\" { 30 }\n\
         tier \"Base\" { true }\ntier \"Gold\" { member.spend >= 100 }\n\
         reward \"cup\" costs 50 { product(\"Cup\") }",
    );
    let pasts: Vec<Past> = (0..17)
        .map(|number| {
            let id = format!("m{number}");
            let orders: Vec<(u32, i64)> =
                (0..number).map(|order| (order * 3 + number, i64::from(order) * 7)).collect();
            past(&id, &orders, &[(100 + number, 50)])
        })
        .collect();
    let whole = serde_json::to_string(&report(&new, Some(&old), &pasts, pasts.len())).unwrap();
    for of_part in [1, 2, 3, 5, 16] {
        let parts = serde_json::to_string(&report(&new, Some(&old), &pasts, of_part)).unwrap();
        assert_eq!(parts, whole, "{of_part}");
    }
}

#[test]
fn what_the_new_rules_refuse_is_counted_with_its_reason() {
    let old = bundle(
        "earn \"Points\" on purchase { order.total }\nreward \"cup\" costs 50 { product(\"Cup\") }",
    );
    let new = bundle(
        "earn \"Points\" on purchase { order.total / 2 }\nreward \"cup\" costs 50 { product(\"Cup\") }",
    );
    let pasts = [past("ada", &[(1, 60)], &[(2, 50)]), past("bob", &[(1, 200)], &[(2, 50)])];
    let report = report(&new, Some(&old), &pasts, 2);
    assert_eq!(report.seen.old.rewards["cup"].times, 2);
    assert_eq!(report.seen.new.rewards["cup"].times, 1);
    let unmade: Vec<(&String, &u64)> = report.seen.unmade.iter().collect();
    assert_eq!(unmade.len(), 1, "{unmade:?}");
    assert_eq!((report.seen.changed.losing(), report.seen.changed.gaining()), (2, 0));
    assert_eq!(report.seen.changed.losers[0].member.as_str(), "bob");
    assert_eq!(report.seen.changed.losers[0].gain, -100);
    assert_eq!(report.seen.changed.quantile(50), -100);
    assert_eq!(report.seen.revenue, Decimal::from(260));
}

#[test]
fn a_reward_that_came_back_as_a_whole_was_not_taken() {
    let rules = bundle(
        "earn \"Points\" on purchase { order.total }\nreward \"cup\" costs 50 { product(\"Cup\") }",
    );
    let mut ada = past("ada", &[(1, 200)], &[(2, 50), (3, 50)]);
    let back = |entry: u64, units: Option<i64>, hour: i64| {
        let units = units.map(|units| Units::new(units).unwrap());
        let kind = EntryKind::Reverse { of: Seq::new(entry), returned: None, units, other: None };
        let at = moment("2026-05-01T00:00:00Z") + chrono::TimeDelta::hours(hour);
        let entry = Entry::bare(Seq::new(hour as u64), at, kind);
        Recorded { entry, rules: String::new(), asked: true }
    };
    ada.entries.push(back(2, None, 4));
    ada.entries.push(back(3, Some(20), 5));
    let report = report(&rules, None, &[ada], 1);
    assert_eq!(report.seen.unmade, BTreeMap::new());
    let cup = report.seen.new.rewards["cup"];
    assert_eq!((cup.times, cup.members, cup.units), (1, 1, 50));
    let points = report.seen.new.wallets[&WalletName::parse("points").unwrap()];
    assert_eq!((points.issued, points.redeemed, points.reversed), (200, -100, 70));
}

#[test]
fn a_rule_that_fails_is_counted_and_the_rest_goes_on() {
    let odd = bundle(
        "earn \"Share\" on purchase { 100 / (order.total - 20) }\n\
         earn \"Points\" on purchase { order.total }",
    );
    let pasts = [past("ada", &[(1, 20), (2, 70)], &[]), past("bob", &[(1, 20)], &[])];
    let report = report(&odd, None, &pasts, 1);
    let failed = Failed { times: 2, such_as: "division by zero: 100 / 0".to_owned() };
    assert_eq!(report.seen.new.failures, [("Share".to_owned(), failed)].into());
    let paid: Vec<i64> = report.seen.new.rules.values().map(|paid| paid.units).collect();
    assert_eq!(paid, [110, 2]);
}

#[test]
fn what_does_not_come_out_again_is_named() {
    let bundle = Arc::new(bundle("earn \"Points\" on purchase { order.total }"));
    let hash = bundle.hash().to_string();
    let recorded: EarlierRules = [(hash.clone(), Arc::clone(&bundle))].into();
    let until = moment("2026-06-01T00:00:00Z");
    let test = Backtest {
        bundle: &bundle,
        recorded: &recorded,
        baseline: None,
        runs: &[],
        from: None,
        until,
    };
    let by = By {
        bundle: &bundle,
        recorded: &recorded,
        from: None,
        runs: &[],
        until,
        totals: &bundle.shared_limits(),
        timeline: &Timeline::default(),
    };
    let told = [past("ada", &[(1, 10), (2, 20)], &[])];
    let made = by_rules(&told, by, &Draws::new()).accounts.remove(0);
    let mut ada = told[0].clone();
    ada.entries = made
        .entries
        .into_iter()
        .map(|entry| Recorded { entry, rules: hash.clone(), asked: true })
        .collect();
    let check = |ada: &Past, recorded: &EarlierRules| {
        let mut seen = Seen::default();
        let test = Backtest { recorded, ..test };
        test.see(&mut seen, std::slice::from_ref(ada), &Round::default());
        seen.check
            .differences
            .iter()
            .map(|one| (one.entry.get(), one.what.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(check(&ada, &recorded), []);
    let mut other = ada.clone();
    other.entries[1].entry.reasons[0].rule = "Another".to_owned();
    assert_eq!(check(&other, &recorded), [(2, "the rules give something else".to_owned())]);
    let mut more = ada.clone();
    more.entries.push(Recorded { asked: false, ..ada.entries[1].clone() });
    more.entries[2].entry.seq = Seq::new(3);
    let unasked = "it was recorded, and does not come out".to_owned();
    assert_eq!(check(&more, &recorded), [(3, unasked)]);
    let unknown = format!("the rules {hash} are not in the history");
    assert_eq!(check(&ada, &EarlierRules::new()), [(1, unknown)]);
}
