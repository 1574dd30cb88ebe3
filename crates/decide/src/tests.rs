//! Tests of whole bundles: sheets, manifests and specs, and the decisions that they lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger::enroll::{self, Enrolment};
use ledger::entry::Note;
use ledger::tier::Until;
use ledger::{
    Activity, Codes, Decision, DecisionData, Effect, Line, Lot, Member, MemberId, MerchantId,
    Moment, Order, Remaining, Terms, Units, Wallet, WalletName,
};

use rules::{Bundle, Sources};
use rust_decimal::Decimal;

use crate::{
    Context, Eligible, Redemption, Undecided, ahead, earn, expire, next_tier, offers, proven,
    redeem, run_specs, tier_status,
};

/// The allocator, mimalloc: thousands of histories spend much of their time in it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod book;
mod judging;
mod mistakes;
mod mistakes_in_files;
mod one_history;
mod plain_model;
mod precedence;
mod reference;
mod returns;

const MANIFEST: &str = r#"
name = "Test"
currency = "EUR"
time_zone = "Europe/Berlin"
[wallets.points]
[wallets.stamps]
[wallets.status]
spendable = false
[activities.review]
fields = { stars = "integer" }
"#;

fn load(files: &[(&str, &str)]) -> Result<Bundle, String> {
    let merchant = MerchantId::parse("test").unwrap();
    Bundle::load(&merchant, &Sources::of(files.iter().copied())).map_err(|error| error.to_string())
}

fn bundle(earn: &str) -> Result<Bundle, String> {
    load(&[("merchant.toml", MANIFEST), ("earn.rhai", earn)])
}

fn shop(name: &str) -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(name);
    let merchant = MerchantId::parse(name).unwrap();
    Bundle::load(&merchant, &Sources::read(&folder).unwrap()).unwrap()
}

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn member(tier: &str, wallets: &[(&str, i64)]) -> Member {
    let wallet = |units| {
        let lot = Lot { units: Units::new(units).unwrap(), terms: Terms::default() };
        Wallet::of([lot], Units::ZERO).unwrap()
    };
    let enrolment = Enrolment {
        id: MemberId::parse("ada").unwrap(),
        attributes: BTreeMap::new(),
        tags: BTreeSet::from(["regular".to_owned()]),
        referred_by: None,
    };
    let mut member = enroll::decide(enrolment, moment("2026-01-01T00:00:00Z"));
    member.tier_status.tier = Some(tier.to_owned());
    member.wallets = wallets
        .iter()
        .map(|(name, units)| (WalletName::parse(name).unwrap(), wallet(*units)))
        .collect();
    member
}

/// Decision data with full shared limits, no codes and no other members.
fn data(bundle: &Bundle) -> DecisionData {
    let left = bundle
        .shared_limits()
        .into_iter()
        .map(|(limit, units)| (limit, Remaining::all(units)))
        .collect();
    DecisionData { left, ..DecisionData::default() }
}

fn context<'a>(bundle: &'a Bundle, data: &'a DecisionData, now: Moment) -> Context<'a> {
    Context::new(bundle, data, now)
}

/// The decision on an activity on a Saturday morning.
fn earn_now(bundle: &Bundle, member: &Member, activity: Activity) -> Result<Decision, Undecided> {
    let data = data(bundle);
    earn(&context(bundle, &data, moment("2026-05-02T08:00:00Z")), member, activity)
}

/// The reasons of a decision, each as `rule@source wallet units`.
fn lines(decision: &Decision) -> Vec<String> {
    let line = |reason: &ledger::Reason| match &reason.effect {
        Effect::Units { wallet, units } => {
            format!("{}@{} {wallet} {units}", reason.rule, reason.source)
        }
        other => format!("{}@{} {other:?}", reason.rule, reason.source),
    };
    decision.entry.reasons.iter().map(line).collect()
}

/// A purchase on a Saturday morning: 12.40 for two coffees and a bag of beans.
fn purchase() -> Activity {
    let line = |sku: &str, category: &str, quantity: u32, price: &str| Line {
        sku: Some(sku.to_owned()),
        categories: vec![category.to_owned()],
        quantity: Decimal::from(quantity),
        price: Some(price.parse().unwrap()),
        ..Line::default()
    };
    Activity {
        id: "1001".to_owned(),
        kind: "purchase".to_owned(),
        at: moment("2026-05-02T07:30:00Z"),
        of: None,
        order: Some(Order {
            total: "12.40".parse().unwrap(),
            lines: vec![line("espresso", "coffee", 2, "3.10"), line("house", "beans", 1, "6.20")],
            ..Order::default()
        }),
        channel: None,
        payment: Some("card".to_owned()),
        fields: BTreeMap::new(),
    }
}

/// The failures of rules that the entry of a decision notes.
fn failures(decision: &Decision) -> Vec<String> {
    let failure = |note: &Note| match note {
        Note::RuleFailed { rule, source, message } => {
            Some(format!("rule `{rule}` failed at {source}: {message}"))
        }
        _ => None,
    };
    decision.entry.notes.iter().filter_map(failure).collect()
}

/// The reasons that a sheet gives for the Saturday purchase, and the failures.
fn pays(sheet: &str) -> Vec<String> {
    let bundle = match bundle(sheet) {
        Ok(bundle) => bundle,
        Err(rejection) => return vec![rejection],
    };
    match earn_now(&bundle, &member("Gold", &[]), purchase()) {
        Ok(decision) => lines(&decision).into_iter().chain(failures(&decision)).collect(),
        Err(failure) => vec![failure.to_string()],
    }
}

#[test]
fn every_programme_is_read_and_keeps_its_specs() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut names: Vec<String> = std::fs::read_dir(folders)
        .unwrap()
        .map(|folder| folder.unwrap())
        .filter(|folder| folder.path().is_dir())
        .map(|folder| folder.file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in names {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(&name);
        let sources = Sources::read(&folder).unwrap();
        let bundle = match Bundle::load(&MerchantId::parse(&name).unwrap(), &sources) {
            Ok(bundle) => bundle,
            Err(rejection) => {
                wrong.push(rejection.to_string());
                continue;
            }
        };
        wrong.extend(bundle.warnings().iter().map(|warning| format!("{name}/{warning}")));
        match run_specs(&bundle, &sources) {
            Ok(report) => {
                for spec in report.failed() {
                    for difference in &spec.differences {
                        wrong.push(format!(
                            "{name}/{}:{} {}: {difference}",
                            spec.file, spec.line, spec.it
                        ));
                    }
                }
                for (rule, gap) in report.coverage.gaps() {
                    wrong.push(format!(
                        "{name}/{} {} `{}`: {gap}",
                        rule.source, rule.statement, rule.rule
                    ));
                }
            }
            Err(mistakes) => {
                wrong.extend(mistakes.iter().map(|mistake| format!("{name}/{mistake}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
