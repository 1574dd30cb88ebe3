//! One history: it does not matter when it is told, and what is taken back leaves no trace.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use chrono::TimeDelta;
use ledger::Seq;
use ledger::adjust::Adjustment;
use ledger::entry::{LineName, ReturnedLine};
use ledger::reminder::Reminded;
use ledger::reverse::Wanted;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::book::Book;
use super::plain_model;
use super::*;
use crate::{About, Reversal, ReversedPart, Undo, reverse};

const PROGRAMMES: [(&str, &str); 7] = [
    (
        "[wallets.points]\nexpires = { inactive_days = 6 }\n[wallets.status]\nspendable = false\n\
         expires = { months = 1, end_of = \"month\" }\n[tiers]\ngrace_days = 3\n[activities.review]\n\
         [activities.birthday]\nyearly = \"birthday\"\n",
        r#"
earn "Points" on purchase { order.total }
earn "Gold" on purchase when member.tier == "Gold" { points }
earn "First" on purchase when member.purchases == 0 { 100 }
earn "Daily" on purchase at most 1 per day { 7 }
earn "Weekly" on review at most 2 per week { 20 }
earn "Month" on purchase at most 5 per month { 11 }
earn "Birthday" on birthday { 50 }
earn "Status" on purchase into status { order.total }
task "Three" on purchase goal 3 { 30 }
task "Days" on purchase streak 3 days { tag("keen"); 15 }
tier "Base" { true }
tier "Silver" { wallet("status") >= 150 }
tier "Gold" { wallet("status") >= 400 }
reward "Cup" costs 60 { product("Cup") }
"#,
    ),
    (
        "[wallets.points]\npending_days = 2\nexpires = { days = 9 }\ncarry = true\n[wallets.miles]\n\
         expires = { inactive_days = 4 }\n[tiers]\nkeep = { days = 8 }\ndowngrade = \"one step\"\n\
         [activities.review]\n",
        r#"
earn "Part" on purchase { order.total / 7 }
earn "Miles" on purchase into miles { order.quantity("tea") * 5 }
earn "Keen" on review when member.days_since_purchase < 3 { 9 }
earn "Club" on purchase when order.total >= 80 { grant("Club", 5.days); 3 }
earn "In the club" on purchase when member.granted("Club") { 13 }
task "Week" on purchase goal 3 within 7 days { award(21, "miles"); }
contest "Most" on purchase { order.total }
tier "Base" { true }
tier "Silver" { member.purchases >= 3 }
tier "Gold" { member.spend >= 500 && member.days_since_purchase < 5 }
reward "Cup" costs 10 { product("Cup") }
"#,
    ),
    (
        "[wallets.points]\npending_until = \"delivery\"\npending_days = 3\nexpires = { days = 12 }\n\
         [activities.delivery]\n[activities.review]\n",
        r#"
earn "Points" on purchase { order.total }
earn "Tea" on purchase when order.spent("tea") > 30 { 17 }
earn "Delivered" on delivery at most 1 per day { 2 }
earn "Review" on review when member.purchases >= 2 { tag("reviewer"); 5 }
reward "Cup" costs 30 { product("Cup") }
"#,
    ),
    (
        "[wallets.points]\nexpires = { days = 5 }\n[wallets.stamps]\n[activities.review]\n",
        r#"
earn "Points" on purchase { order.total }
earn "Weekend" on purchase when now.weekend { 40 }
earn "Morning" on purchase when now.hour < 11 { 12 }
earn "Stamp" on purchase into stamps { 1 }
earn "Rich" on purchase when wallet("points") >= 200 { 25 }
earn "Gone" on review { if member.has("new") { untag("new"); 1 } else { tag("new"); 2 } }
task "Weeks" on purchase streak 2 weeks { 33 }
reward "Cup" costs 100 { product("Cup") }
"#,
    ),
    (
        "[wallets.points]\nexpires = { months = 1 }\n[pools.CODES]\n[activities.review]\n",
        r#"
earn "Points" on purchase { order.total }
task "Card" on purchase goal 4 { voucher("CODES") }
earn "Second" on purchase when member.purchases == 1 { 77 }
contest "Visits" on purchase at most 1 per week { 1 }
reward "Cup" costs 100 { product("Cup") }
"#,
    ),
    (
        "[wallets.points]\n[wallets.status]\nspendable = false\n[activities.review]\n",
        r#"
earn "Points" on purchase { order.total }
earn "Gold" on purchase when member.tier == "Gold" { points }
earn "First" on purchase when member.purchases == 0 { 100 }
earn "Status" on purchase into status { order.total }
earn "Review" on review at most 1 per day { 9 }
tier "Base" { true }
tier "Gold" { wallet("status") >= 200 }
reward "Cup" costs 60 { product("Cup") }
"#,
    ),
    (plain_model::MANIFEST, plain_model::RULES),
];

/// The programme in which no units expire.
const LASTING: usize = 5;
/// The programme that the plain model has, too.
const MODELLED: usize = 6;

/// In how many orders each history is told beside the one in which it happened: ten in the long form.
const ORDERS: usize = 10;
const ORDERS_SHORT: usize = 2;
/// The events of a history, and of one in the long form.
const EVENTS_SHORT: Range<usize> = 2..20;
const EVENTS: Range<usize> = 30..35;

fn programme(manifest: &str, rules: &str) -> Arc<Bundle> {
    let top = "name = \"T\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n";
    let manifest = format!("{top}{manifest}");
    Arc::new(load(&[("merchant.toml", &manifest), ("rules.rhai", rules)]).unwrap())
}

static BUNDLES: LazyLock<Vec<Arc<Bundle>>> = LazyLock::new(|| {
    let load = |(manifest, rules): &(&str, &str)| programme(manifest, rules);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let folders = std::fs::read_dir(rules).unwrap().map(|folder| folder.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|folder| folder.is_dir()).collect();
    folders.sort();
    let name = |folder: &PathBuf| folder.file_name().unwrap().to_str().unwrap().to_owned();
    let folders = folders.iter().map(|folder| Arc::new(shop(&name(folder))));
    PROGRAMMES.iter().map(load).chain(folders).collect()
});

/// Something that happens, or is taken back.
#[derive(Debug, Clone)]
enum What {
    Purchase {
        coins: u32,
        pieces: u8,
    },
    Review,
    /// A delivery of the purchase with this number, of all of it or of a piece.
    Delivery {
        of: usize,
        piece: bool,
    },
    /// Units that staff gave.
    Credit {
        units: u32,
    },
    /// A reward that is taken when it is told, if it can be.
    Redemption,
}

/// An event: what happens, when in minutes, how many minutes later it is told in each order, how many
/// minutes after that a part of it, or all, comes back, or a purchase is put right, with another total.
#[derive(Debug, Clone)]
struct Event {
    what: What,
    at: u32,
    delays: Vec<u32>,
    back: Option<(u32, bool)>,
    edit: Option<(u32, u32)>,
}

const DAY: u32 = 24 * 60;

/// The total of an order, of which one, two or three pieces cost a whole number of coins each.
fn coins() -> impl Strategy<Value = u32> {
    (20..3_000u32).prop_map(|number| number * 6)
}

fn events(number: Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    let what = prop_oneof![
        5 => (coins(), 1..4u8).prop_map(|(coins, pieces)| What::Purchase { coins, pieces }),
        2 => Just(What::Review),
        1 => (0..10usize, any::<bool>()).prop_map(|(of, piece)| What::Delivery { of, piece }),
        1 => (1..200u32).prop_map(|units| What::Credit { units }),
    ];
    let delay = prop_oneof![2 => Just(0), 1 => 0..DAY, 1 => 0..25 * DAY];
    let back = prop::option::weighted(0.25, (0..10 * DAY, any::<bool>()));
    let edit = prop::option::weighted(0.15, (0..10 * DAY, coins()));
    let delays = prop::collection::vec(delay, orders());
    let event = (what, 0..20 * DAY, delays, back, edit)
        .prop_map(|(what, at, delays, back, edit)| Event { what, at, delays, back, edit });
    prop::collection::vec(event, number)
}

/// A programme: some of many statements, each with numbers of its own.
fn programmes() -> impl Strategy<Value = Arc<Bundle>> {
    let expires = prop::sample::select(vec![
        "",
        "expires = { days = 4 }\n",
        "expires = { days = 15 }\n",
        "expires = { months = 1 }\n",
        "expires = { months = 0, end_of = \"month\" }\n",
        "expires = { inactive_days = 5 }\n",
    ]);
    let tiers = prop::sample::select(vec![
        "",
        "grace_days = 4\n",
        "keep = { days = 6 }\n",
        "keep = { days = 3 }\ndowngrade = \"one step\"\n",
        "downgrade = \"never\"\n",
    ]);
    let manifest = (expires.clone(), 0..4u32, any::<bool>(), expires, tiers).prop_map(
        |(points, pending, carry, status, tiers)| {
            let pending = if points.contains("days = 4") { 0 } else { pending };
            format!(
                "[wallets.points]\n{points}pending_days = {pending}\ncarry = {carry}\n\
                 [wallets.status]\nspendable = false\n{status}[tiers]\n{tiers}[activities.review]\n"
            )
        },
    );
    (manifest, rules()).prop_map(|(manifest, rules)| programme(&manifest, &rules))
}

/// Statements in which `#` stands for a number below 10, `##` for one below 100, and `@` for a period.
const STATEMENTS: [&str; 20] = [
    r#"earn "Share" on purchase { order.total / 1# }"#,
    r#"earn "Tier" on purchase when member.tier == "Gold" { points }"#,
    r#"earn "Number" on purchase when member.purchases == # { ## }"#,
    r#"earn "Times" on purchase at most 1# @ { ## }"#,
    r#"earn "Units" on purchase at most 1## points @ { order.total }"#,
    r#"earn "Few" on review at most # points @ { ## }"#,
    r#"earn "Spend" on purchase when member.spend >= ## { ## }"#,
    r#"earn "Keen" on purchase when member.days_since_purchase < # { ## }"#,
    r#"earn "Early" on purchase when now.hour < 1# { ## }"#,
    r#"earn "Rich" on purchase when wallet("points") >= ## { ## }"#,
    r#"earn "Review" on review at most # @ { ## }"#,
    r#"earn "Badge" on purchase when order.total >= ## { tag("badge"); grant("Club", #.days); # }"#,
    r#"earn "Club" on purchase when member.granted("Club") && member.has("badge") { ## }"#,
    r#"earn "Done" on review when member.completed("Some") >= 1 { ## }"#,
    r#"task "Some" on purchase goal # { ## }"#,
    r#"task "Soon" on purchase goal # within # days { ## }"#,
    r#"task "Days" on purchase streak # days at most # @ { ## }"#,
    r#"contest "Most" on purchase at most # @ { ## }"#,
    r#"tier "Silver" { wallet("status") >= 1## }"#,
    r#"tier "Gold" { member.spend >= 2## && member.purchases >= # }"#,
];

fn rules() -> impl Strategy<Value = String> {
    let periods = vec!["per day", "per week", "per month", "per year", "ever"];
    let one = (any::<bool>(), prop::collection::vec(1..10u32, 8), prop::sample::select(periods));
    prop::collection::vec(one, STATEMENTS.len()).prop_map(|chosen| {
        let mut rules = "earn \"Status\" on purchase into status { order.total }\n\
            earn \"Base\" on purchase { 1 }\ntier \"Base\" { true }\n"
            .to_owned();
        let statements = STATEMENTS.iter().zip(chosen).enumerate();
        for (place, (statement, (is_in, numbers, period))) in statements {
            // What others ask for is always there.
            if is_in || [11, 14, 18, 19].contains(&place) {
                let mut numbers = numbers.iter().cycle();
                for part in statement.chars() {
                    match part {
                        '#' => rules += &numbers.next().unwrap().to_string(),
                        '@' => rules += period,
                        other => rules.push(other),
                    }
                }
                rules.push('\n');
            }
        }
        rules
    })
}

fn at(minutes: u32) -> Moment {
    moment("2026-04-20T06:00:00Z") + TimeDelta::minutes(minutes.into())
}

impl Event {
    /// When it happens. No two happen at the same second, so that there is one order of them.
    fn at(&self, number: usize) -> Moment {
        at(self.at) + TimeDelta::seconds(number.try_into().unwrap())
    }
}

/// The last moment, at which all has been told.
const END: u32 = 60 * DAY;

fn ada() -> Member {
    let mut ada = member("", &[]);
    ada.tier_status.tier = None;
    ada.attributes.insert("birthday".to_owned(), "1990-05-01".to_owned());
    ada
}

fn activity(bundle: &Bundle, number: usize, event: &Event) -> Option<Activity> {
    let knows = |kind: &str| bundle.programme().activities.contains_key(kind);
    let line = |pieces: u8, coins: u32| Line {
        id: Some("1".to_owned()),
        sku: Some("green".to_owned()),
        categories: vec!["tea".to_owned()],
        quantity: pieces.into(),
        amount: Some(Decimal::new(coins.into(), 2)),
        ..Line::default()
    };
    let plain = |kind: &str| Activity {
        id: format!("{kind}-{number}"),
        kind: kind.to_owned(),
        at: event.at(number),
        order: None,
        payment: None,
        ..purchase()
    };
    Some(match event.what {
        What::Purchase { coins, pieces } => Activity {
            id: number.to_string(),
            order: Some(Order {
                total: Decimal::new(coins.into(), 2),
                lines: vec![line(pieces, coins)],
                ..Order::default()
            }),
            ..plain("purchase")
        },
        What::Review if knows("review") => plain("review"),
        What::Delivery { of, piece } if knows("delivery") => {
            let lines = if piece { vec![line(1, 0)] } else { Vec::new() };
            let order = piece.then(|| Order { lines, ..Order::default() });
            Activity { of: Some(of.to_string()), order, ..plain("delivery") }
        }
        _ => return None,
    })
}

/// A step in the order in which the shop tells things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    ExpiryRun,
    Tell(usize),
    Edit(usize),
    Back(usize),
}

/// How a history is told.
#[derive(Clone, Copy)]
struct Telling {
    /// In which order it is told; nothing for the one in which it happens.
    order: Option<usize>,
    /// Whether what comes back as a whole is told at all.
    bought: bool,
    /// Whether rewards are taken.
    redeems: bool,
    nights: u32,
}

/// The steps in order, each with its minute.
fn steps(events: &[Event], telling: Telling) -> Vec<(u32, Step)> {
    let mut steps: Vec<(u32, Step)> = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let told = 1 + event.at + telling.order.map_or(0, |order| event.delays[order]);
        let whole = event.back.is_some_and(|(_, whole)| whole);
        if whole && !telling.bought {
            continue;
        }
        steps.push((told, Step::Tell(number)));
        if let (Some((later, _)), What::Purchase { .. }) = (event.edit, &event.what) {
            steps.push((told + later + 1, Step::Edit(number)));
        }
        if let Some((later, _)) = event.back {
            steps.push((told + later + 1, Step::Back(number)));
        }
    }
    let nights = (0..END).step_by((telling.nights * DAY) as usize);
    steps.extend(nights.map(|minute| (minute, Step::ExpiryRun)));
    steps.push((END, Step::ExpiryRun));
    steps.sort();
    steps
}

/// A history that is being told.
struct Teller<'a> {
    bundle: &'a Arc<Bundle>,
    events: &'a [Event],
    redeems: bool,
    book: Book,
    /// The entry of each event.
    seqs: BTreeMap<usize, Seq>,
    /// The rewards taken.
    cups: u32,
}

/// Tells a history, and returns the teller.
fn told<'a>(bundle: &'a Arc<Bundle>, events: &'a [Event], telling: Telling) -> Teller<'a> {
    let mut book = Book::new(bundle);
    book.enroll(ada());
    let (seqs, redeems) = (BTreeMap::new(), telling.redeems);
    let mut teller = Teller { bundle, events, redeems, book, seqs, cups: 0 };
    for (minute, step) in steps(events, telling) {
        let now = at(minute);
        match step {
            Step::ExpiryRun => teller.book.run_expiry(now),
            Step::Tell(number) => teller.tell(number, now),
            Step::Edit(number) => teller.edit(number, now),
            Step::Back(number) => teller.back(number, now),
        }
    }
    // What is stored, entry by entry, is what all that happened makes when it is told at once.
    let stored = without_nothing(teller.book.member("ada").clone());
    assert_eq!(without_nothing(teller.book.derived("ada")), stored);
    teller
}

impl Teller<'_> {
    fn tell(&mut self, number: usize, now: Moment) {
        let event = &self.events[number];
        match event.what {
            What::Credit { units } => {
                let adjustment = Adjustment {
                    wallet: None,
                    units: units.into(),
                    reason: "forgotten".to_owned(),
                    author: "eve".to_owned(),
                };
                let at = Some(event.at(number));
                let adjust = |context: &Context<'_>, ada: &Member| {
                    crate::adjust(context, ada, adjustment.clone(), at)
                };
                self.book.perform("ada", now, adjust).unwrap();
            }
            What::Redemption => {
                let reward = "Cup".to_owned();
                let cup = Redemption { reward, units: None, order: None };
                let redeem =
                    |context: &Context<'_>, ada: &Member| redeem(context, ada, cup.clone(), None);
                let taken = self.redeems && self.book.perform("ada", now, redeem).is_ok();
                self.cups += u32::from(taken);
                return;
            }
            _ => {
                let Some(activity) = activity(self.bundle, number, event) else { return };
                let about = about(&self.book, &activity);
                let event = crate::ActivityEvent { about, ..activity.into() };
                let tell = |context: &Context<'_>, ada: &Member| earn(context, ada, event.clone());
                self.book.perform("ada", now, tell).unwrap();
            }
        }
        self.seqs.insert(number, self.book.last("ada"));
    }

    /// A purchase is put right, unless it has come back as a whole.
    fn edit(&mut self, number: usize, now: Moment) {
        let event = &self.events[number];
        let (Some((_, coins)), What::Purchase { pieces, .. }) = (event.edit, &event.what) else {
            return;
        };
        let Some(seq) = self.seqs.get(&number).copied() else { return };
        let what = What::Purchase { coins, pieces: *pieces };
        let right = activity(self.bundle, number, &Event { what, ..event.clone() }).unwrap();
        let replaced = Undo::of(&entry_of(&self.book, seq));
        let edit = |context: &Context<'_>, ada: &Member| {
            crate::replace(context, ada, right.clone().into(), replaced.clone())
        };
        if self.book.perform("ada", now, edit).is_ok() {
            self.seqs.insert(number, self.book.last("ada"));
        }
    }

    fn back(&mut self, number: usize, now: Moment) {
        let Some(seq) = self.seqs.get(&number).copied() else { return };
        let whole = self.events[number].back.is_some_and(|(_, whole)| whole);
        let is_purchase = matches!(self.events[number].what, What::Purchase { .. });
        if !whole && !is_purchase {
            return;
        }
        let of = LineName::Line("1".to_owned());
        let piece = ReturnedLine { of, quantity: Decimal::ONE };
        let wanted = Wanted { lines: vec![piece], refund: None };
        let part = (!whole).then_some(ReversedPart::Order(wanted));
        let about = entry_about(&self.book, seq);
        let entry = entry_of(&self.book, seq);
        let reversal = Reversal::of(&entry, part, about);
        let back = |context: &Context<'_>, ada: &Member| reverse(context, ada, &reversal);
        self.book.perform("ada", now, back).unwrap();
    }
}

fn entries(book: &Book) -> Vec<ledger::Entry> {
    let versions = &book.members[&MemberId::parse("ada").unwrap()];
    versions.all.iter().map(|version| version.entry.clone()).collect()
}

fn about(book: &Book, activity: &Activity) -> About {
    let Some(of) = &activity.of else { return About::Nothing };
    let of_order = entries(book).into_iter().filter(|entry| match &entry.kind {
        ledger::EntryKind::Earn { activity } => activity.id == *of,
        _ => false,
    });
    About::of(&activity.kind, of_order)
}

fn entry_of(book: &Book, seq: Seq) -> ledger::Entry {
    entries(book).into_iter().find(|entry| entry.seq == seq).unwrap()
}

fn entry_about(book: &Book, seq: Seq) -> About {
    let entry = entry_of(book, seq);
    match &entry.kind {
        ledger::EntryKind::Earn { activity } => about(book, activity),
        _ => About::Nothing,
    }
}

/// The member as it is, without the number of its entries, and what it was reminded of.
fn present(book: &Book) -> Member {
    let mut member = book.member("ada").at(at(END));
    member.seq = Seq::ENROLLED;
    member.happened_at = at(END);
    member.reminded = Reminded::default();
    // Codes leave the house when they are given: a round that is complete only now has its code with
    // the next activity, and a code from a round that is no longer complete stays.
    for progress in member.tasks.values_mut() {
        (progress.owed, progress.codes) = (0, Vec::new());
    }
    without_nothing(member)
}

/// The member without wallets, scores and tasks that came to nothing, as if they had never been.
fn without_nothing(mut member: Member) -> Member {
    member.wallets.retain(|_, wallet| !wallet.lots().is_empty() || !wallet.debt().is_zero());
    member.scores.retain(|_, score| !score.is_zero());
    member.tasks.retain(|_, progress| *progress != ledger::task::Progress::default());
    member
}

/// How many histories are told, if it is the long form.
fn long_form() -> Option<u32> {
    let more = std::env::var("REGULARS_HISTORIES").ok();
    more.map(|histories| histories.parse().unwrap())
}

fn orders() -> usize {
    long_form().map_or(ORDERS_SHORT, |_| ORDERS)
}

fn check(test: impl Fn(&Arc<Bundle>, Vec<Event>, u32)) {
    let cases = long_form().unwrap_or(60);
    let number = long_form().map_or(EVENTS_SHORT, |_| EVENTS);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let known = (0..BUNDLES.len()).prop_map(|programme| Arc::clone(&BUNDLES[programme]));
    let programmes = prop_oneof![1 => known, 1 => programmes()];
    let run = runner.run(&(programmes, events(number), 1..4u32), |(bundle, events, nights)| {
        test(&bundle, events, nights);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}

const IN_TIME: Telling = Telling { order: None, bought: true, redeems: false, nights: 1 };
const LATE: Telling = Telling { order: Some(0), ..IN_TIME };

#[test]
fn it_does_not_matter_when_it_is_told() {
    check(|bundle, events, nights| {
        let one = present(&told(bundle, &events, IN_TIME).book);
        for order in (0..orders()).map(Some) {
            let other = told(bundle, &events, Telling { order, nights, ..LATE });
            assert_eq!(present(&other.book), one);
        }
    });
}

#[test]
fn what_is_taken_back_leaves_no_trace() {
    check(|bundle, events, nights| {
        let never = Telling { bought: false, ..IN_TIME };
        let (one, other) =
            (told(bundle, &events, Telling { nights, ..LATE }), told(bundle, &events, never));
        assert_eq!(present(&one.book), present(&other.book));
    });
}

#[test]
fn what_was_spent_meanwhile_is_owed_to_the_unit() {
    check(|_, mut events, nights| {
        let cups = events.iter_mut().enumerate().filter(|(number, _)| number % 3 == 0);
        for (_, event) in cups {
            *event = Event { what: What::Redemption, back: None, edit: None, ..event.clone() };
        }
        let bundle = &BUNDLES[LASTING];
        let spends = Telling { redeems: true, nights, ..LATE };
        let never = Telling { bought: false, ..IN_TIME };
        let (one, other) = (told(bundle, &events, spends), told(bundle, &events, never));
        let points = |teller: &Teller<'_>| teller.book.member("ada").wallet("points").posted();
        assert_eq!(points(&one), points(&other) - i64::from(one.cups) * 60);
    });
}

#[test]
fn a_plain_model_comes_to_the_same_units_and_ends() {
    check(|_, events, nights| {
        let told = told(&BUNDLES[MODELLED], &events, Telling { nights, ..LATE });
        let mut lots: BTreeMap<i64, i64> = BTreeMap::new();
        for lot in told.book.member("ada").wallet("points").lots() {
            *lots.entry(lot.terms.expires_at.unwrap().timestamp()).or_default() += lot.units.get();
        }
        assert_eq!(lots, plain_model::lots(&facts(&events, LATE)));
    });
}

/// What is left of a history when all has been told, for the plain model.
fn facts(events: &[Event], telling: Telling) -> Vec<plain_model::Fact> {
    use plain_model::{Fact, What as Plain};
    let mut left: BTreeMap<usize, What> = BTreeMap::new();
    for (_, step) in steps(events, telling) {
        match step {
            Step::ExpiryRun => {}
            Step::Tell(number) => {
                left.insert(number, events[number].what.clone());
            }
            // What has come back as a whole cannot be put right.
            Step::Edit(number) => {
                if let (
                    Some(What::Purchase { .. }),
                    Some((_, coins)),
                    What::Purchase { pieces, .. },
                ) = (left.get(&number), events[number].edit, &events[number].what)
                {
                    left.insert(number, What::Purchase { coins, pieces: *pieces });
                }
            }
            Step::Back(number) => {
                let whole = events[number].back.is_some_and(|(_, whole)| whole);
                match left.get(&number).cloned() {
                    Some(What::Purchase { coins, pieces }) if !whole && pieces > 1 => {
                        let coins = coins - coins / u32::from(pieces);
                        left.insert(number, What::Purchase { coins, pieces: pieces - 1 });
                    }
                    Some(What::Purchase { .. }) => {
                        left.remove(&number);
                    }
                    _ if whole => {
                        left.remove(&number);
                    }
                    _ => {}
                }
            }
        }
    }
    let fact = |(number, what): (usize, What)| {
        let what = match what {
            What::Purchase { coins, .. } => Plain::Purchase { euros: i64::from(coins / 100) },
            What::Review => Plain::Review,
            What::Credit { units } => Plain::Credit { units: units.into() },
            What::Delivery { .. } | What::Redemption => return None,
        };
        Some(Fact { at: events[number].at(number).timestamp(), what })
    };
    left.into_iter().filter_map(fact).collect()
}

#[test]
fn a_parcel_that_came_before_its_order_is_counted_once() {
    let event = |what: What| Event { what, at: 0, delays: vec![0], back: None, edit: None };
    let parcel = || event(What::Delivery { of: 1, piece: true });
    let order = event(What::Purchase { coins: 120, pieces: 3 });
    let events = [parcel(), order, parcel()];
    let is_volt = |bundle: &&Arc<Bundle>| bundle.programme().name == "Volt Electronics";
    let volt = BUNDLES.iter().find(is_volt).unwrap();
    let told = told(volt, &events, IN_TIME);
    let lots = told.book.member("ada").wallets.values().flat_map(ledger::Wallet::lots);
    let waits = lots.filter(|lot| lot.terms.pending_on.is_some());
    assert_eq!(waits.map(|lot| lot.units.get()).collect::<Vec<_>>(), [1]);
}
