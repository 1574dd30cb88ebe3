use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use decide::{Context, Said};
use ledger::cap::{Counter};
use ledger::calendar::{Period};
use ledger::enroll::{self, Enrolment};
use ledger::{
    Activity, Decision, Line, Lot, Member, MemberId, MerchantId, Moment, Order, Effect, DecisionData, Terms,
    Units, Wallet, WalletName, activity,
};
use rules::{Bundle, Sources};

use crate::case::Case;
use crate::{Paid, RULES};

const MANIFEST: &str = include_str!("../rules/merchant.toml");
const SHEET: &str = include_str!("../rules/earn.rhai");
const TIERS: &str = include_str!("../rules/tiers.rhai");
/// The tag by which the tiers know a Gold member.
const GOLD: &str = "gold";
/// The rule that pays at most once a day.
const CAPPED: &str = "First web order of the day";
/// Sheets of the bundle whose compilation is measured.
const SHEETS: usize = 10;
/// How long the real cache takes a bundle for the active one.
const AGE_MAX: Duration = Duration::from_secs(5);

/// Regulars as its functions use it: the sandbox with every limit, typed facts, and a trace of
/// which rule was asked, whether it applied and what it paid.
///
/// What is measured is what the others are asked for: the rules. That [`decide::earn`] also reviews
/// the tier, and makes of what the rules paid the lots, the member as it will be and the entry, is
/// measured beside it, as `whole decision`.
pub struct Ours {
    bundle: Bundle,
}

/// What the functions have at hand when they ask the rules: the ledger's values. Making its facts
/// from them is the bundle's own work, and measured.
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

    /// What is measured: each rule that is asked, what became of it, and what it pays.
    #[must_use]
    pub fn say(&self, asked: &Asked) -> Said {
        let Asked { member, activity, data, now } = asked;
        let context = Context { bundle: &self.bundle, data: data, now: *now };
        decide::ask(&context, member, activity).expect("the sheet runs")
    }

    /// What is measured beside it: all that is decided of an activity.
    #[must_use]
    pub fn decide(&self, asked: &Asked, activity: Activity) -> Decision {
        let Asked { member, data, now, .. } = asked;
        let context = Context { bundle: &self.bundle, data: data, now: *now };
        decide::earn(&context, member, activity).expect("the sheet runs")
    }

    /// What the rules pay.
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
    /// The activity as it comes from outside: the decision keeps it, so each needs one of its own.
    /// Not measured.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity::clone(&self.activity)
    }
}

/// The case as the ledger's values.
#[must_use]
pub fn asked(case: &Case) -> Asked {
    let data = DecisionData::default();
    Asked {
        member: Arc::new(member(case)),
        activity: Arc::new(purchase(case)),
        data,
        now: case.at,
    }
}

/// The sources of a bundle of ten sheets of ten rules each.
pub struct TenSheets(Sources);

impl TenSheets {
    /// Writes the sheets: the one that all engines run, ten times under titles of its own.
    #[must_use]
    pub fn new() -> TenSheets {
        let sheet = |number| (format!("{number}.rhai"), retitled(SHEET, number));
        let sheets: Vec<(String, String)> = (1..=SHEETS).map(sheet).collect();
        let sheets = sheets.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        TenSheets(with_the_rest(sheets))
    }

    /// What is measured: reads, checks and compiles them.
    pub fn compile(&self) {
        black_box(load(&self.0));
    }
}

impl Default for TenSheets {
    fn default() -> TenSheets {
        TenSheets::new()
    }
}

/// Compiled bundles by merchant, kept as the functions keep them: `api::bundles` does not let
/// anyone in, so this does the same steps.
pub struct Cache {
    kept: Mutex<HashMap<MerchantId, (Arc<Bundle>, Instant)>>,
    merchant: MerchantId,
}

impl Cache {
    /// A cache that has the bundle of ten sheets.
    #[must_use]
    pub fn new() -> Cache {
        let merchant = merchant();
        let kept = (Arc::new(load(&TenSheets::new().0)), Instant::now());
        Cache { kept: Mutex::new(HashMap::from([(merchant.clone(), kept)])), merchant }
    }

    /// What is measured: the bundle that is kept, and whether it is young enough.
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

/// Sheets with the manifest, and with the tiers: the rules may not ask for one that is not there.
fn with_the_rest<'a>(sheets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sources {
    let rest = [("merchant.toml", MANIFEST), ("tiers.rhai", TIERS)];
    Sources::of(sheets.into_iter().chain(rest))
}

fn load(sources: &Sources) -> Bundle {
    Bundle::load(&merchant(), sources).expect("the sheets compile")
}

/// The sheet with a number in each title, since titles are used once in a bundle.
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
    let since = Period::Day.start(case.at, case.time_zone);
    let counters = vec![Counter { since, times: case.web_orders_today }];
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
        sku: line.sku.clone(),
        category: Some(line.category.clone()),
        quantity: line.quantity,
        price: Some(line.price),
        tags: Vec::new(),
    });
    Activity {
        id: "order-1001".to_owned(),
        kind: activity::PURCHASE.to_owned(),
        at: case.at,
        of: None,
        order: Some(Order { total: case.total, lines: lines.collect() }),
        channel: Some(case.channel.clone()),
        payment: Some(case.payment.clone()),
        fields: BTreeMap::new(),
    }
}
