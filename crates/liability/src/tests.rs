//! Tests of what is owed: forecasts, their draws, and deferrals.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use ledger::{
    Activity, EntryKind, Lot, MemberId, Moment, Posting, PostingReason, Terms, Units, Verb,
    WalletName,
};
use rust_decimal::Decimal;

use crate::cohorts::Cohort;
use crate::{Cohorts, Deferred, DeferredOver, Kept, Line, Month, deferred, is_bought, recognized};

fn at(text: &str) -> Moment {
    text.parse().unwrap()
}

fn month(text: &str) -> Month {
    Month::of(at(&format!("{text}-01T00:00:00Z")), Tz::UTC)
}

fn points() -> WalletName {
    WalletName::parse("points").unwrap()
}

fn lot(units: i64, end: Option<&str>) -> Lot {
    let worth = Some(Decimal::new(1, 2));
    let terms = Terms { expires_at: end.map(at), worth, ..Terms::default() };
    Lot { units: Units::new(units).unwrap(), terms }
}

fn into(units: i64, end: Option<&str>, why: PostingReason) -> Posting {
    Posting::into_lot(points(), lot(units, end), why)
}

fn out(units: i64, end: Option<&str>, why: PostingReason) -> Posting {
    Posting::out_of_lot(points(), lot(units, end), why)
}

/// A member with entries at these moments; units that are issued come with purchases.
fn kept(entries: &[(&str, Posting)]) -> Kept {
    let mut kept = Kept::new(Tz::UTC);
    for (when, posting) in entries {
        let postings = std::slice::from_ref(posting);
        kept.see(Line { at: at(when), postings, is_bought: true });
    }
    kept
}

/// What left of each month's units, and how many are still there.
fn seen(kept: &Kept) -> (Vec<(String, i64, i64)>, i64) {
    let mut cohorts = Cohorts::default();
    cohorts.add(&MemberId::parse("ada").unwrap(), kept, &BTreeMap::new());
    let last = month("2030-01");
    let wallet = cohorts.of(&points()).unwrap();
    let mut months: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (kind, cohort) in wallet {
        let (issued, redeemed) = months.entry(kind.issued.to_string()).or_default();
        *issued += cohort.issued(None);
        *redeemed += cohort.exits_until(last)[0];
    }
    let left = wallet.values().map(|cohort: &Cohort| cohort.left(last)).sum();
    (
        months.into_iter().map(|(month, (issued, redeemed))| (month, issued, redeemed)).collect(),
        left,
    )
}

#[test]
fn units_keep_the_month_in_which_they_were_issued() {
    use PostingReason::{Expired, Extended, Issued, Reclaimed, Restored, Spent};
    let (end, later) = (Some("2026-12-01T00:00:00Z"), Some("2027-03-01T00:00:00Z"));
    let extended = Posting::between_lots(points(), lot(90, end), lot(0, later).terms, Extended);
    let kept = kept(&[
        ("2026-01-10T00:00:00Z", into(100, end, Issued)),
        ("2026-02-10T00:00:00Z", into(50, end, Issued)),
        // Of each month in proportion: 73 of January's, and 37 of February's.
        ("2026-03-10T00:00:00Z", out(110, end, Spent)),
        // 50 come back, the last first: 37 of February's and 13 of January's.
        ("2026-03-11T00:00:00Z", into(50, end, Restored)),
        // A return takes the newest, as if they had never been.
        ("2026-03-12T00:00:00Z", out(20, end, Reclaimed)),
        ("2026-04-10T00:00:00Z", into(20, end, Issued)),
        ("2026-04-11T00:00:00Z", extended),
        ("2027-03-02T00:00:00Z", out(5, later, Expired)),
    ]);
    let all = vec![
        ("2026-01".to_owned(), 100, 60),
        ("2026-02".to_owned(), 30, 0),
        ("2026-04".to_owned(), 20, 0),
    ];
    assert_eq!(seen(&kept), (all.clone(), 85));
    // What has expired without an entry that says so is not there, but is until its end.
    assert_eq!(seen(&kept.clone().until(at("2027-03-01T00:00:00Z"))), (all.clone(), 85));
    assert_eq!(seen(&kept.until(at("2027-03-01T00:00:01Z"))), (all, 0));
}

#[test]
fn units_that_pay_a_debt_were_never_to_be_redeemed() {
    use PostingReason::{DebtPaid, Issued, Reclaimed};
    let owes = Posting::out_of_debt(points(), lot(40, None), Reclaimed);
    let pays = Posting::pays_debt(points(), lot(40, None));
    assert_eq!(pays.why, DebtPaid);
    let kept = kept(&[
        ("2026-01-10T00:00:00Z", owes),
        ("2026-02-10T00:00:00Z", into(100, None, Issued)),
        ("2026-02-10T00:00:00Z", pays),
    ]);
    assert_eq!(seen(&kept), (vec![("2026-02".to_owned(), 60, 0)], 60));
}

#[test]
fn what_lies_elsewhere_by_a_mended_history_was_issued_when_it_was() {
    use PostingReason::{DerivedAgain, Issued};
    let (end, later) = (Some("2026-12-01T00:00:00Z"), Some("2027-03-01T00:00:00Z"));
    let elsewhere =
        Posting::between_lots(points(), lot(100, end), lot(0, later).terms, DerivedAgain);
    let kept = kept(&[
        ("2026-01-10T00:00:00Z", into(100, end, Issued)),
        ("2026-05-01T00:00:00Z", elsewhere),
        ("2026-05-01T00:00:00Z", into(20, later, Issued)),
    ]);
    let all = vec![("2026-01".to_owned(), 100, 0), ("2026-05".to_owned(), 20, 0)];
    assert_eq!(seen(&kept), (all, 120));
}

#[test]
fn lots_of_another_worth_are_other_lots() {
    let mut dear = lot(10, None);
    dear.terms.worth = Some(Decimal::new(5, 2));
    let kept = kept(&[
        ("2026-01-10T00:00:00Z", into(100, None, PostingReason::Issued)),
        ("2026-02-10T00:00:00Z", Posting::into_lot(points(), dear, PostingReason::Issued)),
        ("2026-03-10T00:00:00Z", out(40, None, PostingReason::Spent)),
    ]);
    let mut cohorts = Cohorts::default();
    cohorts.add(&MemberId::parse("ada").unwrap(), &kept, &BTreeMap::new());
    // 60 of one cent, and 10 of five.
    assert_eq!(cohorts.worth_left(&points()), Decimal::new(110, 2));
}

#[test]
fn units_that_are_transferred_stay_deferred() {
    let mut cohorts = Cohorts::default();
    let kept = kept(&[
        ("2026-01-10T00:00:00Z", into(100, None, PostingReason::Issued)),
        ("2026-01-11T00:00:00Z", out(100, None, PostingReason::Transferred)),
    ]);
    let bought = BTreeMap::from([(month("2026-01"), Decimal::from(99))]);
    cohorts.add(&MemberId::parse("ada").unwrap(), &kept, &bought);
    let deferred = cohorts.deferred(month("2026-03"), 2).unwrap();
    assert_eq!(
        (deferred[0].deferred, deferred[0].recognized),
        (Decimal::new(99, 2), Decimal::ZERO)
    );
}

#[test]
fn only_units_that_came_with_purchases_recognize_revenue() {
    let mut kept = Kept::new(Tz::UTC);
    let (given, bought) =
        (into(100, None, PostingReason::Adjusted), into(100, None, PostingReason::Issued));
    let spent = out(100, None, PostingReason::Spent);
    let mut see = |when: &str, posting: &Posting, is_bought| {
        let postings = std::slice::from_ref(posting);
        kept.see(Line { at: at(when), postings, is_bought });
    };
    see("2026-01-09T00:00:00Z", &given, false);
    see("2026-01-10T00:00:00Z", &bought, true);
    see("2026-01-11T00:00:00Z", &spent, false);
    let mut cohorts = Cohorts::default();
    let paid = BTreeMap::from([(month("2026-01"), Decimal::from(99))]);
    cohorts.add(&MemberId::parse("ada").unwrap(), &kept, &paid);
    let deferred = cohorts.deferred(month("2026-01"), 2).unwrap();
    // Half of what was redeemed had been bought, and the other half of that is expected to be.
    let half = Decimal::new(50, 2);
    assert_eq!((deferred[0].deferred, deferred[0].recognized), (Decimal::new(99, 2), half));
}

#[test]
fn units_of_one_end_are_redeemed_until_then() {
    // Units end with the year, and 1 in 10 of those that are there is redeemed each month.
    let mut cohorts = Cohorts::default();
    for member in 0..1000u32 {
        let mut rng = fastrand::Rng::with_seed(member.into());
        let mut entries = Vec::new();
        for number in 0..36 {
            let day = |after: i32, day: &str| {
                format!("{}-{day}T00:00:00Z", month("2023-01").plus(number + after))
            };
            let end = format!("{}-01-01T00:00:00Z", 2024 + number / 12);
            entries.push((day(0, "01"), into(10, Some(&end), PostingReason::Issued)));
            let left = 12 - number % 12;
            if let Some(after) = (0..left).find(|_| rng.u32(..10) == 0) {
                entries.push((day(after, "02"), out(10, Some(&end), PostingReason::Spent)));
            } else if end.as_str() < "2026" {
                entries.push((end.clone(), out(10, Some(&end), PostingReason::Expired)));
            }
        }
        entries.retain(|(day, _)| day.as_str() < "2025-07");
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let entries: Vec<(&str, Posting)> =
            entries.iter().map(|(day, posting)| (day.as_str(), posting.clone())).collect();
        let until = kept(&entries).until(at("2025-07-01T00:00:00Z"));
        cohorts.add(&MemberId::parse(&format!("m{member}")).unwrap(), &until, &BTreeMap::new());
    }
    let expected = |until: &str| {
        let breakage = cohorts.breakage(&points(), month(until)).unwrap();
        breakage.share().unwrap()
    };
    // At the end of June six months are left: 0.9 to the sixth are never redeemed.
    assert!((expected("2025-06") - 0.9f64.powi(6)).abs() < 0.02, "{}", expected("2025-06"));
    // On the last day of a year none is redeemed any more.
    assert!((expected("2024-12") - 1.0).abs() < 1e-9);
}

/// Members who are given 100 units on the first day of each month from 2025-01, and redeem or lose
/// them, as `exit` says for each: in which month after that, and whether it is by redeeming.
fn shop(
    members: impl IntoIterator<Item = u32>,
    months: i32,
    exit: impl Fn(u32, i32) -> (i32, bool),
) -> Cohorts {
    let mut cohorts = Cohorts::default();
    for member in members {
        let mut entries = Vec::new();
        for number in 0..months {
            let day =
                |after: i32| format!("{}-02T00:00:00Z", month("2025-01").plus(number + after));
            // Each month's units have an end of their own, so that their lots differ.
            let end = day(13);
            let (after, redeems) = exit(member, number);
            entries.push((day(0), into(100, Some(&end), PostingReason::Issued)));
            if redeems && number + after < months {
                entries.push((day(after), out(100, Some(&end), PostingReason::Spent)));
            } else if number + 13 < months {
                entries.push((day(13), out(100, Some(&end), PostingReason::Expired)));
            }
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let entries: Vec<(&str, Posting)> =
            entries.iter().map(|(day, posting)| (day.as_str(), posting.clone())).collect();
        let id = MemberId::parse(&format!("m{member}")).unwrap();
        let bought = (0..months).map(|number| (month("2025-01").plus(number), Decimal::from(50)));
        cohorts.add(&id, &kept(&entries), &bought.collect());
    }
    cohorts
}

#[test]
fn rates_by_age_forecast_what_is_owed() {
    // Four in ten redeem after two months, the others never do.
    let cohorts = shop(0..100, 30, |member, _| (2, member % 10 < 4));
    let until = month("2027-06");
    let breakage = cohorts.breakage(&points(), until).unwrap();
    // The units of the last two months are all there, and those of who never redeems.
    let new = 2.0 * 100.0 * 100.0;
    let old = 11.0 * 60.0 * 100.0;
    assert_eq!(breakage.owed, 20_000 + 66_000);
    assert!((breakage.redeemed - 0.4 * new).abs() < 1e-6, "{breakage:?}");
    assert!((breakage.share().unwrap() - (1.0 - 0.4 * new / (new + old))).abs() < 1e-9);
    let (low, high) = breakage.interval;
    assert!(low < breakage.redeemed && breakage.redeemed < high && high - low > 100.0);
    // A hundred units are worth one.
    assert_eq!(breakage.worth.round_dp(6), Decimal::from(80));

    let back = cohorts.look_back(&points(), until.plus(-12), until).unwrap();
    assert_eq!((back.owed, back.redeemed), (86_000, 8000));
    assert!(back.miss().unwrap().abs() < 1e-6, "{back:?}");
    assert_eq!(cohorts.look_back(&points(), month("2024-12"), until), None);
}

#[test]
fn ages_that_no_units_have_come_to_are_like_the_oldest() {
    // In each month, one member in a hundred redeems what it was given in the first.
    let cohorts = shop(0..100, 10, |member, _| (i32::try_from(member).unwrap(), true));
    let until = month("2025-10");
    // Nothing has expired so far: what is owed is taken to be redeemed in the end.
    let breakage = cohorts.breakage(&points(), until).unwrap();
    assert_eq!(breakage.share().map(|share| share.abs() < 1e-9), Some(true), "{breakage:?}");
    // After half the time, the other half goes on at about the rate of one in a hundred a month.
    let back = cohorts.look_back(&points(), month("2025-05"), until).unwrap();
    assert!(back.miss().unwrap().abs() < 5.0, "{back:?}");
}

#[test]
fn units_without_an_end_leave_as_the_oldest_do() {
    // Each month 20 of those that are there are redeemed, and 5 expire, since their member does nothing.
    let mut cohorts = Cohorts::default();
    let mut entries = Vec::new();
    let mut left = 1000;
    for number in 0..10 {
        let day = |day: &str| format!("{}-{day}T00:00:00Z", month("2025-01").plus(number));
        if number == 0 {
            entries.push((day("01"), into(left, None, PostingReason::Issued)));
        }
        entries.push((day("02"), out(left / 5, None, PostingReason::Spent)));
        entries.push((day("03"), out(left / 20, None, PostingReason::Expired)));
        left -= left / 5 + left / 20;
    }
    let entries: Vec<(&str, Posting)> =
        entries.iter().map(|(day, posting)| (day.as_str(), posting.clone())).collect();
    cohorts.add(&MemberId::parse("ada").unwrap(), &kept(&entries), &BTreeMap::new());
    let breakage = cohorts.breakage(&points(), month("2025-10")).unwrap();
    assert_eq!(breakage.owed, left);
    // Of five that leave, four are redeemed.
    assert!((breakage.share().unwrap() - 0.2).abs() < 0.02, "{breakage:?}");
    // Who has never left is taken to be redeemed.
    let mut cohorts = Cohorts::default();
    let new = kept(&[("2025-01-01T00:00:00Z", into(100, None, PostingReason::Issued))]);
    cohorts.add(&MemberId::parse("ada").unwrap(), &new, &BTreeMap::new());
    assert_eq!(cohorts.breakage(&points(), month("2025-10")).unwrap().share(), Some(0.0));
}

#[test]
fn what_is_bought_is_known_by_the_verb_and_the_activity() {
    let earn = |kind: &str| EntryKind::Earn {
        activity: Activity {
            id: "1".to_owned(),
            kind: kind.to_owned(),
            at: at("2026-01-01T00:00:00Z"),
            of: None,
            order: None,
            channel: None,
            payment: None,
            fields: BTreeMap::new(),
        },
    };
    let (purchase, review) = (earn("purchase"), earn("review"));
    for (verb, moved, entry, bought) in [
        (Verb::Earn, None, Some(&purchase), true),
        (Verb::Earn, None, Some(&review), false),
        // What a person who was forgotten did is not known.
        (Verb::Earn, None, None, false),
        (Verb::Share, Some(Verb::Earn), None, true),
        (Verb::Share, Some(Verb::Redeem), None, false),
        (Verb::Share, Some(Verb::Join), None, false),
        (Verb::Rejudge, None, None, true),
        (Verb::Reverse, None, None, true),
        (Verb::Redeem, None, None, false),
        (Verb::Capture, None, None, false),
        (Verb::Adjust, None, None, false),
    ] {
        assert_eq!(is_bought(verb, moved, entry), bought, "{verb}");
    }
}

#[test]
fn the_interval_has_what_happens_in_nine_of_ten_shops() {
    // Members redeem all they have or nothing, so that units alone would seem surer than they are.
    let mut held = 0;
    let shops = 60;
    for seed in 0..shops {
        let mut rng = fastrand::Rng::with_seed(seed);
        let redeems: Vec<bool> = (0..60).map(|_| rng.u32(..100) < 40).collect();
        let cohorts = shop(0..60, 20, |member, _| (2, redeems[member as usize]));
        let breakage = cohorts.breakage(&points(), month("2026-08")).unwrap();
        // What members like these redeem of two months' units, whoever they are.
        let truth = 2.0 * 100.0 * 60.0 * 0.4;
        held += u32::from((breakage.interval.0..=breakage.interval.1).contains(&truth));
    }
    // Of 60 shops, 54 are to be expected, and fewer than 47 once in a thousand times.
    assert!(held >= 47, "{held} of {shops}");
}

#[test]
fn who_is_seen_with_whom_does_not_matter() {
    let exit = |member: u32, number: i32| (1 + number % 3, (member * 7) % 10 < 5);
    let whole = shop(0..40, 12, exit);
    for parts in [2, 7, 40] {
        let mut merged = Cohorts::default();
        for part in 0..parts {
            merged.merge(&shop((0..40).filter(|member| member % parts == part), 12, exit));
        }
        assert_eq!(merged, whole);
    }
}

/// IFRS 15, Illustrative Example 52.
#[test]
fn revenue_is_deferred_as_in_the_published_example() {
    let (price, goods) = (Decimal::from(100_000), Decimal::from(100_000));
    let points = deferred(price, goods, Decimal::from(9_500)).unwrap();
    assert_eq!(points.round(), Decimal::from(8_676));
    assert_eq!((price - points).round(), Decimal::from(91_324));
    let first = recognized(points, Decimal::from(4_500), Decimal::from(9_500)).unwrap();
    assert_eq!(first.round(), Decimal::from(4_110));
    let both = recognized(points, Decimal::from(8_500), Decimal::from(9_700)).unwrap();
    assert_eq!((both - first).round(), Decimal::from(3_493));
    // Once no more are expected, all is revenue.
    let all = recognized(points, Decimal::from(9_700), Decimal::from(9_700)).unwrap();
    assert_eq!(all, points);
    assert_eq!(deferred(price, Decimal::ZERO, Decimal::ZERO), None);
}

#[test]
fn what_is_deferred_over_a_period_comes_to_its_closing() {
    let one = |month_of: &str, deferred: i64, recognized: i64| Deferred {
        month: month(month_of),
        revenue: Decimal::from(100),
        units: Decimal::from(deferred),
        deferred: Decimal::from(deferred),
        recognized: Decimal::from(recognized),
    };
    // Two of January's ten came back in February, when two more became revenue, and one of five.
    let (before, now) = ([one("2026-01", 10, 4)], [one("2026-01", 8, 6), one("2026-02", 5, 1)]);
    let over = DeferredOver::from(month("2026-02"), &before, &now);
    let of = [over.opening, over.added, over.changed, over.recognized, over.closing];
    assert_eq!(of, [6, 5, -2, 3, 6].map(Decimal::from));
}

#[test]
fn revenue_is_deferred_by_what_was_known_then_and_recognized_by_what_is_known_now() {
    let cohorts = shop(0..100, 30, |member, _| (2, member % 10 < 4));
    let all = cohorts.deferred(month("2027-06"), 2).unwrap();
    assert_eq!(all.len(), 30);
    // In the first month nothing is known, so that all units count: 5,000 for goods, 100 for units.
    assert_eq!(all[0].units, Decimal::from(100));
    assert_eq!(all[0].deferred, Decimal::new(9804, 2));
    // All of it is revenue: what was redeemed is all that is expected to be.
    assert_eq!(all[0].left(), Decimal::ZERO);
    // Later, four in ten are expected.
    let known = all[27].clone();
    assert_eq!(known.units, Decimal::from(40));
    assert_eq!(known.deferred, Decimal::new(3968, 2));
    // After two months all that are expected have been redeemed; of the last two months, none.
    assert_eq!(known.left(), Decimal::ZERO);
    assert_eq!(all[28].left(), all[28].deferred);
    assert_eq!(all[29].recognized, Decimal::ZERO);
}
