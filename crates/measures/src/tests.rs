//! Measures over histories.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use backtest::{Past as Told, Recorded};
use chrono::NaiveDate;
use history::{DataSet, Writer};
use ledger::activity::PURCHASE;
use ledger::{Activity, Entry, EntryKind, Member, MemberId, MerchantId, Moment, Order, Seq};
use rules::{Bundle, Sources};

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn member(id: &str, enrolled: &str, entries: &[(&str, EntryKind)]) -> Told {
    let moment = |at: &str| at.parse::<Moment>().unwrap();
    let recorded = |(seq, (at, kind)): (u64, &(&str, EntryKind))| Recorded {
        entry: Entry::bare(Seq::new(seq), moment(at), kind.clone()),
        rules: String::new(),
        asked: true,
    };
    Told {
        enrolled: Member::new(MemberId::parse(id).unwrap(), moment(enrolled)),
        entries: (1..).zip(entries).map(recorded).collect(),
    }
}

fn bought(id: &str, at: &str, total: i64) -> EntryKind {
    let order = Some(Order { total: total.into(), ..Order::default() });
    let (id, kind, at) = (id.to_owned(), PURCHASE.to_owned(), at.parse().unwrap());
    let (of, channel, payment, fields) = (None, None, None, [].into());
    EntryKind::Earn { activity: Activity { id, kind, at, of, order, channel, payment, fields } }
}

/// A history of a shop in Berlin.
fn written(folder: &Path, members: &[Told]) -> DataSet {
    let merchant = MerchantId::parse("t").unwrap();
    let manifest =
        "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]";
    let rules = "earn \"Points\" on purchase { order.total }";
    let sources = Sources::of([("merchant.toml", manifest), ("rules.rhai", rules)]);
    let bundle = Bundle::load(&merchant, &sources).unwrap();
    let mut writer = Writer::open(folder, &merchant, bundle.programme(), None).unwrap();
    members.iter().for_each(|member| writer.add(member).unwrap());
    writer.done().unwrap();
    DataSet::open(folder, None).unwrap()
}

/// Ada's second order is of February in Berlin, and comes back in March; Bob bought nothing.
fn shop(folder: &Path) -> DataSet {
    let back = EntryKind::Reverse { of: Seq::new(2), returned: None, units: None, other: None };
    let (first, second) = ("2026-01-05T10:00:00Z", "2026-01-31T23:30:00Z");
    let ada = [
        (first, bought("1", first, 30)),
        (second, bought("2", second, 50)),
        ("2026-03-02T10:00:00Z", back),
    ];
    let members = [member("ada", first, &ada), member("bob", "2026-02-10T10:00:00Z", &[])];
    written(folder, &members)
}

async fn rows(past: &Past, name: &str) -> Vec<Vec<Value>> {
    past.measure(Measure::named(name).unwrap()).await.unwrap().rows
}

#[tokio::test]
async fn figures_are_those_of_the_days_of_the_shop() {
    let folder = tempfile::tempdir().unwrap();
    let set = shop(folder.path());
    let months = periods(&(day("2026-01-01")..=day("2026-03-31")), Some(By::Month));
    let past = Past::open(&set, &months).await.unwrap();
    let row = |period: &str, value: Value| vec![Value::Text(period.to_owned()), value];
    let all = |of: [Value; 3]| {
        let periods = ["2026-01", "2026-02", "2026-03"];
        periods.into_iter().zip(of).map(|(period, value)| row(period, value)).collect::<Vec<_>>()
    };
    assert_eq!(rows(&past, "orders").await, all([1, 1, -1].map(Value::Whole)));
    let amount = |units: i64| Value::Amount(units.into());
    assert_eq!(rows(&past, "revenue").await, all([30, 50, -50].map(amount)));
    assert_eq!(rows(&past, "enrolments").await, all([1, 1, 0].map(Value::Whole)));
    assert_eq!(rows(&past, "members").await, all([1, 2, 2].map(Value::Whole)));
}

#[tokio::test]
async fn every_measure_can_be_taken_of_a_history_and_of_one_in_which_nothing_happened() {
    let days = day("2026-01-01")..=day("2026-03-31");
    for by in [None, Some(By::Month), Some(By::Quarter), Some(By::Year)] {
        let asked = periods(&days, by);
        let names: BTreeSet<&str> = asked.iter().map(|period| period.name.as_str()).collect();
        let (some, none) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for set in [shop(some.path()), written(none.path(), &[])] {
            let past = Past::open(&set, &asked).await.unwrap();
            for measure in Measure::all() {
                let found = past.measure(measure).await.unwrap();
                assert_eq!(found.columns[0], "period", "{}", measure.name);
                for row in &found.rows {
                    let Value::Text(period) = &row[0] else { panic!("{}", measure.name) };
                    assert!(names.contains(period.as_str()), "{}: {period}", measure.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let set = shop(folder.path());
    let head = folder.path().join("history.json");
    let text = fs::read_to_string(&head).unwrap();
    let file = set.head.files.keys().find(|file| file.starts_with("entries/")).unwrap();
    fs::write(&head, text.replace(&format!("{file}\": 3"), &format!("{file}\": 4"))).unwrap();
    let set = DataSet::open(folder.path(), None).unwrap();
    let error = Past::open(&set, &[]).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with(&format!("{file}` has 3 rows, and `history.json` says 4")), "{error}");
}

#[test]
fn every_file_is_a_measure_and_says_what_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|file| file.into_string().unwrap()).collect();
    let named = Measure::all().iter().map(|measure| format!("{}.sql", measure.name));
    assert_eq!(files, named.collect());
    for measure in Measure::all() {
        let said = [measure.meaning(), measure.unit(), measure.source()];
        assert!(!measure.title().is_empty(), "{}", measure.name);
        assert!(said.iter().all(|text| !text.is_empty()), "{}: {said:?}", measure.name);
    }
    let orders = Measure::named("orders").unwrap();
    assert_eq!((orders.title(), orders.unit().as_str()), ("Orders", "orders."));
    assert!(orders.meaning().starts_with("The purchases of the period, less those that"));
    assert!(orders.meaning().ends_with("may be below zero."), "{}", orders.meaning());
}

#[test]
fn periods_are_those_of_the_calendar_within_the_days() {
    let days = day("2025-11-15")..=day("2026-01-03");
    let named = |by| {
        let periods = periods(&days, by).into_iter();
        let shown =
            periods.map(|one| format!("{}: {}, {}", one.name, one.days.start(), one.days.end()));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(named(None), ["all: 2025-11-15, 2026-01-03"]);
    assert_eq!(
        named(Some(By::Month)),
        [
            "2025-11: 2025-11-15, 2025-11-30",
            "2025-12: 2025-12-01, 2025-12-31",
            "2026-01: 2026-01-01, 2026-01-03"
        ]
    );
    assert_eq!(
        named(Some(By::Quarter)),
        ["2025-Q4: 2025-11-15, 2025-12-31", "2026-Q1: 2026-01-01, 2026-01-03"]
    );
    assert_eq!(
        named(Some(By::Year)),
        ["2025: 2025-11-15, 2025-12-31", "2026: 2026-01-01, 2026-01-03"]
    );
}
