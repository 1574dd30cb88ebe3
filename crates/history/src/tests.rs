//! Data sets that are written and read.

use std::fs;
use std::path::Path;

use backtest::{Past, Recorded};
use ledger::holdings::EarlyDelivery;
use ledger::{
    Activity, Change, Entry, EntryKind, Line, Member, MemberId, MerchantId, Moment, Order, Seq,
};
use rules::{Bundle, Sources};

use crate::schema::Table;
use crate::{DataSet, HistoryError, PARTS, Writer};

fn merchant() -> MerchantId {
    MerchantId::parse("t").unwrap()
}

fn bundle(history: &str) -> Bundle {
    let manifest = format!(
        "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]\n{history}"
    );
    let rules = "earn \"Points\" on purchase { order.total }";
    let sources = Sources::of([("merchant.toml", manifest.as_str()), ("rules.rhai", rules)]);
    Bundle::load(&merchant(), &sources).unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn past(id: &str, orders: u64) -> Past {
    let at = moment("2026-05-01T07:30:00Z");
    let mut enrolled = Member::new(MemberId::parse(id).unwrap(), at);
    enrolled.attributes.insert("city".to_owned(), "Kiel".to_owned());
    enrolled.attributes.insert("phone".to_owned(), "+4943112345".to_owned());
    enrolled.tags.insert("vip".to_owned());
    let attributes = [("brand", "acme"), ("engraving", "For Eve")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let line = Line {
        sku: Some("a".to_owned()),
        quantity: 1.into(),
        attributes: attributes.into(),
        ..Line::default()
    };
    let early = EarlyDelivery {
        activity: "delivery".to_owned(),
        of: "9".to_owned(),
        at,
        lines: vec![line.clone()],
    };
    let entry = |seq: u64| {
        let activity = Activity {
            id: seq.to_string(),
            kind: "purchase".to_owned(),
            at,
            of: None,
            order: Some(Order { total: 12.into(), lines: vec![line.clone()], ..Order::default() }),
            channel: None,
            payment: None,
            fields: [].into(),
        };
        let bare = Entry::bare(Seq::new(seq), at, EntryKind::Earn { activity });
        Entry { changes: vec![Change::Awaited { early: early.clone() }], ..bare }
    };
    let recorded = |seq| Recorded { entry: entry(seq), rules: String::new(), asked: true };
    Past { enrolled, entries: (1..=orders).map(recorded).collect() }
}

#[test]
fn other_attributes_are_those_of_another_history() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &bundle("[history]\nattributes = [\"city\"]"), &[past("ada", 1)]);
    let other = bundle("[history]\nattributes = [\"brand\", \"city\"]");
    let error = Writer::open(folder.path(), &merchant(), other.programme(), None).map(|_| ());
    let said = error.unwrap_err().to_string();
    let end = "has the attributes `birthday`, `city`, and the manifest names `birthday`, `brand`, `city` now; begin a new folder";
    assert!(said.ends_with(end), "{said}");
}

fn write(folder: &Path, bundle: &Bundle, pasts: &[Past]) -> crate::Added {
    let mut writer = Writer::open(folder, &merchant(), bundle.programme(), None).unwrap();
    pasts.iter().for_each(|past| writer.add(past).unwrap());
    writer.done().unwrap()
}

fn read(folder: &Path) -> Vec<Past> {
    let set = DataSet::open(folder, Some(&merchant())).unwrap();
    let mut all: Vec<Past> = (0..PARTS).flat_map(|part| set.part(part).unwrap()).collect();
    all.sort_by(|one, other| one.enrolled.id.cmp(&other.enrolled.id));
    all
}

#[test]
fn what_is_written_is_read_and_nothing_leaves_that_is_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle("[history]\nattributes = [\"city\", \"brand\"]");
    let pasts = [past("ada", 3), past("bob", 0), past("zoe", 2)];
    let added = write(folder.path(), &bundle, &pasts);
    assert_eq!((added.members, added.entries, added.forgotten), (3, 5, 0));
    let mut expected = pasts.to_vec();
    for past in &mut expected {
        past.enrolled.attributes.remove("phone");
        for recorded in &mut past.entries {
            if let EntryKind::Earn { activity } = &mut recorded.entry.kind {
                activity.order.as_mut().unwrap().lines[0].attributes.remove("engraving");
            }
            if let Change::Awaited { early } = &mut recorded.entry.changes[0] {
                early.lines[0].attributes.remove("engraving");
            }
        }
    }
    assert_eq!(read(folder.path()), expected);
}

#[test]
fn another_run_adds_what_is_new_and_takes_out_who_was_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle("");
    write(folder.path(), &bundle, &[past("ada", 1), past("bob", 2), past("cid", 1)]);
    let added = write(folder.path(), &bundle, &[past("ada", 1), past("bob", 4)]);
    assert_eq!((added.members, added.entries), (0, 2));
    let entries = |past: &Past| past.entries.len();
    assert_eq!(read(folder.path()).iter().map(entries).collect::<Vec<_>>(), [1, 4, 1]);

    let mut writer = Writer::open(folder.path(), &merchant(), bundle.programme(), None).unwrap();
    writer.forget(&MemberId::parse("bob").unwrap());
    writer.forget(&MemberId::parse("never").unwrap());
    assert_eq!(writer.done().unwrap().forgotten, 1);
    let left: Vec<String> =
        read(folder.path()).iter().map(|past| past.enrolled.id.to_string()).collect();
    assert_eq!(left, ["ada", "cid"]);
    // What says so is gone from the disk, too.
    let set = DataSet::open(folder.path(), None).unwrap();
    let mut on_disk = 0;
    for table in Table::ALL {
        for part in 0..PARTS {
            let path = folder.path().join(format!("{}/part={part:02}", table.name()));
            on_disk += fs::read_dir(path).map_or(0, Iterator::count);
        }
    }
    assert_eq!(on_disk, set.head.files.len());
}

#[test]
fn what_waits_when_a_run_is_stopped_is_added_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle("");
    let mut writer = Writer::open(folder.path(), &merchant(), bundle.programme(), None).unwrap();
    writer.add(&past("ada", 2)).unwrap();
    writer.flush().unwrap();
    writer.add(&past("bob", 2)).unwrap();
    drop(writer);
    assert_eq!(read(folder.path()).len(), 1);
    // What a run that was stopped had begun to write goes with the next.
    let part = crate::part_of(&MemberId::parse("ada").unwrap());
    let begun = folder.path().join(format!("entries/part={part:02}/00009.parquet"));
    fs::write(&begun, b"PAR1").unwrap();
    let added = write(folder.path(), &bundle, &[past("ada", 2), past("bob", 2)]);
    assert_eq!((added.members, added.entries), (1, 2));
    assert_eq!(read(folder.path()).len(), 2);
    assert!(!begun.exists());
}

#[test]
fn what_is_wrong_with_a_data_set_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = bundle("");
    let open = |merchant: &str| {
        let merchant = MerchantId::parse(merchant).unwrap();
        DataSet::open(folder.path(), Some(&merchant)).map(|_| ()).map_err(|error| error.to_string())
    };
    let shown = folder.path().display();
    assert_eq!(
        open("t"),
        Err(format!(
            "there is no history in `{shown}`: it has no `history.json`; `regulars history` makes one"
        ))
    );
    write(folder.path(), &bundle, &[past("ada", 3)]);
    assert_eq!(open("other"), Err(format!("`{shown}` is the history of `t`, not of `other`")));
    let set = DataSet::open(folder.path(), None).unwrap();
    let part = crate::part_of(&MemberId::parse("ada").unwrap());
    // A file with fewer rows than it should have.
    let name = format!("entries/part={part:02}/00001.parquet");
    let head = folder.path().join("history.json");
    let text = fs::read_to_string(&head).unwrap();
    fs::write(&head, text.replace(&format!("{name}\": 3"), &format!("{name}\": 4"))).unwrap();
    let set_of_four = DataSet::open(folder.path(), None).unwrap();
    let error = set_of_four.part(part).unwrap_err();
    assert!(matches!(error, HistoryError::CutOff { listed: 4, found: 3, .. }), "{error}");
    // A file that ends in the middle.
    let path = folder.path().join(&name);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = set.part(part).unwrap_err().to_string();
    assert!(error.contains(&name), "{error}");
    fs::write(&head, text.replace("\"version\": 2", "\"version\": 9")).unwrap();
    assert!(open("t").unwrap_err().contains("has version 9 of the schema"));
}

#[test]
fn the_page_about_the_tables_names_every_column() {
    let page = include_str!("../SCHEMA.md");
    for table in Table::ALL {
        assert!(page.contains(&format!("## {}\n", table.name())), "{}", table.name());
        for field in table.schema().fields() {
            let row = format!("| `{}` |", field.name());
            assert!(page.contains(&row), "{}: {row}", table.name());
        }
    }
}
