//! Regulars, run as its functions run it. Only this module of the benches uses its API.

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use decide::{Context, Said};
use ledger::cap::Counter;
use ledger::enroll::{self, Enrolment};
use ledger::{
    Activity, Decision, DecisionData, Effect, Line, Lot, Member, MemberId, MerchantId, Moment,
    Order, Terms, Units, Wallet, WalletName, activity,
};
use rules::{Bundle, Sources};
use rust_decimal::Decimal;

use crate::case::Case;
use crate::{Paid, RULES};

const MANIFEST: &str = include_str!("../rules/merchant.toml");
const SHEET: &str = include_str!("../rules/earn.rhai");
const TIERS: &str = include_str!("../rules/tiers.rhai");
/// The tag that the Gold tier's condition reads.
const GOLD: &str = "gold";
/// The rule that pays at most once a day.
const CAPPED: &str = "First web order of the day";
/// The number of sheets of the bundle whose compilation is measured.
const SHEETS: usize = 10;
/// The age up to which the real cache takes a bundle for the active one.
const AGE_MAX: Duration = Duration::from_secs(5);

/// Regulars as its functions use it: the sandbox with every limit, typed facts, and the verdict and
/// the effects of each rule.
///
/// The measurement covers what the other engines do, too: the rules. [`decide::earn()`] also
/// reviews the tier and makes the lots, the next member and the entry; the measurement
/// `whole decision` covers that.
pub struct Ours {
    bundle: Bundle,
}

/// The ledger's values that a function has when it runs the rules. The bundle makes facts from
/// them, which is part of the measurement.
pub struct Asked {
    member: Arc<Member>,
    activity: Arc<Activity>,
    data: DecisionData,
    now: Moment,
}

impl Ours {
    /// Compiles the sheet.
    #[must_use]
    pub fn new() -> Ours {
        let sources = with_the_rest([("earn.rhai", SHEET)]);
        Ours { bundle: load(&sources) }
    }

    /// The measured function: the verdict of each rule, and what it pays.
    #[must_use]
    pub fn say(&self, asked: &Asked) -> Said {
        let Asked { member, activity, data, now } = asked;
        let context = Context::new(&self.bundle, data, *now);
        decide::ask(&context, member, activity).expect("the sheet runs")
    }

    /// The measured function of `whole decision`: the whole decision on an activity.
    #[must_use]
    pub fn decide(&self, asked: &Asked, activity: Activity) -> Decision {
        let Asked { member, data, now, .. } = asked;
        let context = Context::new(&self.bundle, data, *now);
        decide::earn(&context, member, activity).expect("the sheet runs")
    }

    /// The units that the rules pay.
    #[must_use]
    pub fn pay(&self, case: &Case) -> Paid {
        let asked = asked(case);
        let said = self.say(&asked);
        RULES.map(|rule| {
            let reasons = said.reasons.iter().filter(|reason| reason.rule == rule);
            let units = reasons.map(|reason| match &reason.effect {
                Effect::Units { units, .. } => units.get(),
                other => panic!("a rule of the sheet pays units, not {other:?}"),
            });
            units.sum()
        })
    }
}

impl Default for Ours {
    fn default() -> Ours {
        Ours::new()
    }
}

impl Asked {
    /// A copy of the activity. A decision consumes its activity, so each needs a copy. Copying is
    /// not measured.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity::clone(&self.activity)
    }
}

/// Converts the case into the ledger's values.
#[must_use]
pub fn asked(case: &Case) -> Asked {
    let data = DecisionData::default();
    Asked { member: Arc::new(member(case)), activity: Arc::new(purchase(case)), data, now: case.at }
}

/// The sources of a bundle of ten sheets with ten rules each.
pub struct TenSheets(Sources);

impl TenSheets {
    /// Makes the sheets: ten copies of the sheet that all engines run, with different titles.
    #[must_use]
    pub fn new() -> TenSheets {
        let sheet = |number| (format!("{number}.rhai"), retitled(SHEET, number));
        let sheets: Vec<(String, String)> = (1..=SHEETS).map(sheet).collect();
        let sheets = sheets.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        TenSheets(with_the_rest(sheets))
    }

    /// The measured function: reads, checks and compiles the sheets.
    pub fn compile(&self) {
        black_box(load(&self.0));
    }
}

impl Default for TenSheets {
    fn default() -> TenSheets {
        TenSheets::new()
    }
}

/// A cache of compiled bundles by merchant. It repeats the steps of `api::bundles`, which is
/// private.
pub struct Cache {
    kept: Mutex<HashMap<MerchantId, (Arc<Bundle>, Instant)>>,
    merchant: MerchantId,
}

impl Cache {
    /// A cache with the bundle of ten sheets.
    #[must_use]
    pub fn new() -> Cache {
        let merchant = merchant();
        let kept = (Arc::new(load(&TenSheets::new().0)), Instant::now());
        Cache { kept: Mutex::new(HashMap::from([(merchant.clone(), kept)])), merchant }
    }

    /// The measured function: finds the bundle, and checks its age.
    pub fn look_up(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (bundle, asked) = kept.get(&self.merchant).expect("the bundle is kept");
        black_box((Arc::clone(bundle), asked.elapsed() < AGE_MAX));
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

/// The sheets with the manifest and the tiers, which the rules name.
fn with_the_rest<'a>(sheets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
    let rest = [("merchant.toml", MANIFEST), ("tiers.rhai", TIERS)];
    Sources::of(sheets.into_iter().chain(rest))
}

fn load(sources: &Sources) -> Bundle {
    Bundle::load(&merchant(), sources).expect("the sheets compile")
}

/// The sheet with a number in each title, since a title must be unique in a bundle.
fn retitled(sheet: &str, number: usize) -> String {
    sheet.replace("earn \"", &format!("earn \"{number}: "))
}

fn merchant() -> MerchantId {
    MerchantId::parse("sunrise-coffee").expect("a merchant's name")
}

fn member(case: &Case) -> Member {
    let units = Units::new(case.points).expect("a balance");
    let lot = Lot { units, terms: Terms::default() };
    let points = WalletName::parse("points").expect("a wallet's name");
    let day = case.at.with_timezone(&case.time_zone).date_naive().into();
    let counters = vec![Counter { day, times: case.web_orders_today.into() }];
    let enrolment = Enrolment {
        id: MemberId::parse("ada").expect("a member's name"),
        attributes: BTreeMap::new(),
        tags: case.tags.iter().cloned().collect(),
        referred_by: None,
    };
    let mut member = enroll::decide(enrolment, case.at - TimeDelta::days(400));
    member.tier_status.tier = Some(case.tier.clone());
    if case.tier == "Gold" {
        member.tags.insert(GOLD.to_owned());
    }
    member.wallets.insert(points, Wallet::of([lot], Units::ZERO).expect("a wallet"));
    member.counters.insert(CAPPED.to_owned(), counters);
    member
}

fn purchase(case: &Case) -> Activity {
    let lines = case.lines.iter().map(|line| Line {
        sku: Some(line.sku.clone()),
        categories: vec![line.category.clone()],
        quantity: Decimal::from(line.quantity),
        price: Some(line.price),
        ..Line::default()
    });
    Activity {
        id: "order-1001".to_owned(),
        kind: activity::PURCHASE.to_owned(),
        at: case.at,
        of: None,
        order: Some(Order { total: case.total, lines: lines.collect(), ..Order::default() }),
        channel: Some(case.channel.clone()),
        payment: Some(case.payment.clone()),
        fields: BTreeMap::new(),
    }
}
