//! `merchant.toml`: the manifest, read into the merchant's policy ([`ledger::Programme`]).

/// The form of the manifest as it is written.
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use iso_currency::Currency;
use ledger::activity::{FRIEND, PURCHASE, REFERRAL};
use ledger::money::PRICE_DECIMALS_MAX;
use ledger::programme::Reminders;
use ledger::programme::{
    ActivityPolicy, Campaign, DaySpan, Downgrade, FieldKind, Gate, Holidays, Measure, OnFailure,
    PLACES, Recurrence, TierPolicy, Trial,
};
use ledger::text::compared;
use ledger::{Expiry, MerchantId, Programme, Units, WalletName, WalletPolicy};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toml::Spanned;

use self::written::{
    Activity, CampaignTerms, GateTerms, HistoryTerms, Manifest, RemindersTable, Tiers, TrialTerms,
    Wallet,
};
use crate::file_names::MANIFEST;
use crate::kind::Kind;
use crate::mistake::Mistake;
use crate::object::Object;
use crate::suggest::did_you_mean;
use crate::vocabulary::words_of;

/// The most that one unit is worth, so that every sum of units fits in money.
const WORTH_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// The most characters of the name of an activity or a field.
const NAME_LENGTH_MAX: usize = 64;
/// The recurrence of an activity that is triggered on the anniversary of joining.
const JOINED: &str = "joined";

/// The main wallet if the manifest does not name one.
const MAIN_WALLET: &str = "points";

/// The currency of a programme.
fn currency(
    code: &Spanned<String>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Option<Currency> {
    let currency = Currency::from_code(code.get_ref());
    if currency.is_none() {
        let message =
            format!("`{}` is not a currency; write its ISO code, such as \"EUR\"", code.get_ref());
        wrong(code.span(), message);
    }
    currency
}

/// The time zone of a programme.
fn time_zone(name: &Spanned<String>, wrong: &mut impl FnMut(Range<usize>, String)) -> Option<Tz> {
    // `CET` and the like are zones of no place, and say nothing of its summer time.
    let is_place = |name: &str| name.contains('/') || name == "UTC";
    let time_zone = name.get_ref().parse::<Tz>().ok().filter(|_| is_place(name.get_ref()));
    if time_zone.is_none() {
        let like = match zone_like(name.get_ref()) {
            hint if hint.is_empty() => "; name a place, such as `Europe/Berlin`".to_owned(),
            hint => hint,
        };
        wrong(name.span(), format!("`{}` is not a time zone{like}", name.get_ref()));
    }
    time_zone
}

/// Checks that the activities that units are pending on are in the manifest.
fn pending_activities(
    wallets: &BTreeMap<Spanned<String>, Object<Wallet>>,
    activities: &BTreeMap<String, ActivityPolicy>,
    wrong: &mut impl FnMut(Range<usize>, String),
) {
    for (name, Object(wallet)) in wallets {
        if let Some(until) = &wallet.pending_until
            && !activities.contains_key(until.get_ref())
        {
            let known = activities.keys().map(String::as_str);
            let message = format!(
                "units of `{}` wait for `{}`, which is no activity of the manifest{}",
                name.get_ref(),
                until.get_ref(),
                did_you_mean(until.get_ref(), known)
            );
            wrong(until.span(), message);
        }
    }
}

/// A number of the manifest that has a range, and what it is if it is not said.
struct Number {
    unit: &'static str,
    range: RangeInclusive<u32>,
    default: u32,
}

/// How long a reward is held.
const HOLD_MINUTES: Number = Number { unit: "minutes", range: 1..=7 * 24 * 60, default: 30 };
/// For how long something that is told late is as if it were told in time.
const LATE_DAYS: Number = Number { unit: "days", range: 0..=366, default: 31 };
/// How long units can be spent at least that come back of a reward.
const RESTORED_DAYS: Number = Number { unit: "days", range: 0..=366, default: 0 };

impl Number {
    fn read(
        &self,
        written: Option<&Spanned<i64>>,
        wrong: &mut impl FnMut(Range<usize>, String),
    ) -> u32 {
        let Some(written) = written else { return self.default };
        let number = u32::try_from(*written.get_ref()).ok();
        let number = number.filter(|number| self.range.contains(number));
        if number.is_none() {
            let (unit, least, most) = (self.unit, self.range.start(), self.range.end());
            let found = written.get_ref();
            let message = format!("`{found}` is not a number of {unit} from {least} to {most}");
            wrong(written.span(), message);
        }
        number.unwrap_or(self.default)
    }
}

/// What becomes of an activity of which a rule fails.
fn on_failure(
    written: Option<&Spanned<String>>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> OnFailure {
    let Some(written) = written else { return OnFailure::default() };
    match written.get_ref().as_str() {
        "record" => OnFailure::Record,
        "refuse" => OnFailure::Refuse,
        other => {
            let message = format!(
                "`{other}` is not what happens if a rule fails; there is \"record\", which keeps the activity, and \"refuse\""
            );
            wrong(written.span(), message);
            OnFailure::default()
        }
    }
}

/// What members are reminded of, and how long before.
fn reminders(
    written: Option<Object<RemindersTable>>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Reminders {
    let Object(written) = written.unwrap_or(Object(RemindersTable::default()));
    let mut number = |written: &Option<Spanned<i64>>, what: &str| {
        let written = written.as_ref()?;
        let number =
            u32::try_from(*written.get_ref()).ok().filter(|number| (1..=366).contains(number));
        if number.is_none() {
            let message =
                format!("`{}` is not a number of {what} from 1 to 366", written.get_ref());
            wrong(written.span(), message);
        }
        number
    };
    Reminders {
        expiry_days: number(&written.expiry_days, "days"),
        tier_days: number(&written.tier_days, "days"),
        task_left: number(&written.task_left, "steps"),
    }
}

/// The attributes that a history may contain.
fn history_attributes(written: Option<Object<HistoryTerms>>) -> BTreeSet<String> {
    let Object(terms) = written.unwrap_or(Object(HistoryTerms::default()));
    terms.attributes.iter().map(|name| compared(name)).collect()
}

/// The most percent of a gate's limit.
const INCREASE_MAX: Decimal = Decimal::ONE_THOUSAND;

/// A share, as it is written in percent.
fn percent(
    written: &Spanned<String>,
    most: Decimal,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Option<Decimal> {
    let number = written.get_ref().trim().strip_suffix('%').map(str::trim_end);
    let number = number.and_then(|number| Decimal::from_str_exact(number).ok());
    let number = number.filter(|number| !number.is_sign_negative() && *number <= most);
    if number.is_none() {
        let message = format!(
            "`{}` is not a share from 0 % to {most} %; write it such as \"3 %\" or \"2.5 %\"",
            written.get_ref()
        );
        wrong(written.span(), message);
    }
    number
}

/// What other rules may change at most.
fn gate(written: Option<Object<GateTerms>>, wrong: &mut impl FnMut(Range<usize>, String)) -> Gate {
    let Some(Object(written)) = written else { return Gate::default() };
    let mut most = |written: &Option<Spanned<String>>| {
        written.as_ref().and_then(|written| percent(written, INCREASE_MAX, wrong))
    };
    Gate {
        cost_increase_max: most(&written.cost_increase_max),
        losers_max: most(&written.losers_max),
        liability_increase_max: most(&written.liability_increase_max),
    }
}

/// The measures that are not fields of a purchase.
const REVENUE: &str = "revenue";
const ORDERS: &str = "orders";

/// A trial; `None` if something is wrong with it.
fn trial(
    name: &Spanned<String>,
    terms: &TrialTerms,
    fields: &BTreeMap<String, FieldKind>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Option<Trial> {
    let (from, until) = (day(&terms.from, wrong)?, day(&terms.until, wrong)?);
    if until < from {
        wrong(name.span(), format!("trial `{}` ends before it begins", name.get_ref()));
    }
    let share = places(&terms.share, wrong)?;
    let holdout = places(&terms.holdout, wrong)?;
    if share.checked_add(holdout).is_none_or(|both| both > PLACES) {
        let message = "who takes part and the holdout are more than all members together";
        wrong(terms.holdout.span(), message.to_owned());
    }
    let mut measures = Vec::new();
    for written in terms.measures.iter().flatten() {
        measures.extend(measure(written, fields, wrong));
    }
    if terms.measures.is_none() {
        measures = vec![Measure::Revenue, Measure::Orders];
    } else if measures.is_empty() {
        wrong(name.span(), format!("trial `{}` measures nothing", name.get_ref()));
    }
    Some(Trial { days: from..=until, share, holdout, measures })
}

/// The trials.
fn trials(
    written: &BTreeMap<Spanned<String>, Object<TrialTerms>>,
    activities: &BTreeMap<String, ActivityPolicy>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> BTreeMap<String, Trial> {
    let none = BTreeMap::new();
    let fields = activities.get(PURCHASE).map_or(&none, |purchase| &purchase.fields);
    let mut trials = BTreeMap::new();
    for (name, Object(terms)) in written {
        let trial = trial(name, terms, fields, wrong);
        trials.extend(trial.map(|trial| (name.get_ref().clone(), trial)));
    }
    trials
}

/// A share of the members, in places.
fn places(written: &Spanned<String>, wrong: &mut impl FnMut(Range<usize>, String)) -> Option<u16> {
    let share = percent(written, Decimal::ONE_HUNDRED, wrong)?;
    let places = share.checked_mul(Decimal::ONE_HUNDRED).filter(Decimal::is_integer);
    let places = places.and_then(|places| places.to_u16()).filter(|places| *places > 0);
    if places.is_none() {
        let message = format!(
            "`{}` is not a share of the members: it is above 0 %, in hundredths of a percent",
            written.get_ref()
        );
        wrong(written.span(), message);
    }
    places
}

/// What a trial measures.
fn measure(
    written: &Spanned<String>,
    fields: &BTreeMap<String, FieldKind>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Option<Measure> {
    let name = written.get_ref().as_str();
    let is_number = |kind: &&FieldKind| matches!(kind, FieldKind::Amount | FieldKind::Integer);
    match name {
        REVENUE => return Some(Measure::Revenue),
        ORDERS => return Some(Measure::Orders),
        field if fields.get(field).filter(is_number).is_some() => {
            return Some(Measure::Field(name.to_owned()));
        }
        _ => {}
    }
    let numbers = fields.iter().filter(|(_, kind)| is_number(kind)).map(|(name, _)| name.as_str());
    let known: Vec<&str> = [REVENUE, ORDERS].into_iter().chain(numbers).collect();
    let hint = match did_you_mean(name, known.iter().copied()) {
        hint if hint.is_empty() => format!(
            "; there is `{}`, and what is an amount or an integer under [activities.purchase]",
            known.join("`, `")
        ),
        hint => hint,
    };
    wrong(written.span(), format!("`{name}` cannot be measured{hint}"));
    None
}

/// A day, as it is written without quotes.
fn day(
    written: &Spanned<toml::value::Datetime>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Option<NaiveDate> {
    let date = written.get_ref().date.filter(|_| written.get_ref().time.is_none());
    let date = date.and_then(|date| {
        NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
    });
    if date.is_none() {
        let message = format!("`{}` is no day; write it as 2026-08-31", written.get_ref());
        wrong(written.span(), message);
    }
    date
}

/// Reads the manifest into the merchant's policy.
pub(crate) fn read(merchant: &MerchantId, text: &str) -> Result<Programme, Vec<Mistake>> {
    let manifest: Manifest =
        toml::from_str(text).map_err(|error| vec![Mistake::of_toml(MANIFEST, text, &error)])?;

    let mut mistakes = Vec::new();
    let mut wrong = |span: Range<usize>, message: String| {
        mistakes.push(Mistake::at_byte(MANIFEST, text, span.start, message));
    };

    let currency = currency(&manifest.currency, &mut wrong);
    if manifest.name.get_ref().trim().is_empty() {
        wrong(manifest.name.span(), "the programme has no name; customers see it".to_owned());
    }
    let time_zone = time_zone(&manifest.time_zone, &mut wrong);

    let mut stores = BTreeMap::new();
    for (name, Object(terms)) in &manifest.stores {
        let zone = self::time_zone(&terms.time_zone, &mut wrong);
        stores.extend(zone.map(|zone| (compared(name), zone)));
    }
    let wallets = wallets(&manifest.wallets, &mut wrong);
    let main_wallet = manifest.main_wallet.as_ref().map_or(MAIN_WALLET, |name| name.get_ref());
    let main = WalletName::parse(main_wallet).ok().filter(|name| wallets.contains_key(name));
    if main.is_none() {
        let span = manifest.main_wallet.as_ref().map_or(0..0, Spanned::span);
        wrong(
            span,
            format!(
                "there is no wallet `{main_wallet}`, and rules without `into` pay into it: list it \
                 under [wallets.{main_wallet}], or name another in `main_wallet`{}",
                did_you_mean(main_wallet, wallets.keys().map(WalletName::as_str))
            ),
        );
    }

    let activities = activities(manifest.activities, &mut wrong);
    let tiers = manifest.tiers.map(|Object(terms)| tiers(&terms, &mut wrong)).unwrap_or_default();
    let holidays = holidays(manifest.holidays, &mut wrong);
    let campaigns = campaigns(&manifest.campaigns, &mut wrong);
    let trials = trials(&manifest.trials, &activities, &mut wrong);
    pending_activities(&manifest.wallets, &activities, &mut wrong);
    let hold_minutes = HOLD_MINUTES.read(manifest.hold_minutes.as_ref(), &mut wrong);
    let late_days = LATE_DAYS.read(manifest.late_days.as_ref(), &mut wrong);
    let restored_days = RESTORED_DAYS.read(manifest.restored_days.as_ref(), &mut wrong);
    let reminders = reminders(manifest.reminders, &mut wrong);

    let on_failure = on_failure(manifest.on_failure.as_ref(), &mut wrong);
    let gate = gate(manifest.gate, &mut wrong);

    match (currency, time_zone, main) {
        (Some(currency), Some(time_zone), Some(main_wallet)) if mistakes.is_empty() => {
            Ok(Programme {
                merchant: merchant.clone(),
                name: manifest.name.into_inner(),
                currency,
                time_zone,
                stores,
                main_wallet,
                wallets,
                activities,
                tiers,
                holidays,
                campaigns,
                trials,
                pools: manifest.pools.into_keys().collect(),
                hold_minutes,
                reminders,
                on_failure,
                late_days,
                restored_days,
                history_attributes: history_attributes(manifest.history),
                gate,
            })
        }
        _ => Err(mistakes),
    }
}

/// A hint at the time zone of that city, or at one with a similar name.
fn zone_like(written: &str) -> String {
    let names =
        || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).filter(|name| name.contains('/'));
    let city = format!("/{}", written.to_lowercase().replace(' ', "_"));
    match names().find(|name| name.to_lowercase().ends_with(&city)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => did_you_mean(written, names()),
    }
}

fn wallets(
    written: &BTreeMap<Spanned<String>, Object<Wallet>>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> BTreeMap<WalletName, WalletPolicy> {
    let mut wallets = BTreeMap::new();
    for (name, Object(wallet)) in written {
        let parsed = match WalletName::parse(name.get_ref()) {
            Ok(parsed) => parsed,
            Err(reason) => {
                let message = format!("`{}` is no name for a wallet: {reason}", name.get_ref());
                wrong(name.span(), message);
                continue;
            }
        };
        let worth = wallet.worth.as_ref().and_then(|worth| {
            let amount = Decimal::from_str_exact(worth.get_ref()).ok();
            let fits = |amount: &Decimal| {
                !amount.is_sign_negative()
                    && *amount <= WORTH_MAX
                    && amount.normalize().scale() <= PRICE_DECIMALS_MAX
            };
            let amount = amount.filter(fits).map(|amount| amount.normalize());
            if amount.is_none() {
                let message = format!(
                    "`{}` is not what a unit is worth; write an amount such as \"0.01\", up to \
                     {WORTH_MAX} and with up to {PRICE_DECIMALS_MAX} decimals",
                    worth.get_ref()
                );
                wrong(worth.span(), message);
            }
            amount
        });
        let mut expires = Expiry::Never;
        if let Some(written) = &wallet.expires {
            match written.get_ref().0.terms() {
                Ok(terms) => expires = terms,
                Err(message) => {
                    wrong(written.span(), format!("`expires` of `{}`: {message}", name.get_ref()));
                }
            }
        }
        let pending_days = days(wallet.pending_days.as_ref(), wrong);
        if let (Expiry::AfterDays(expires), Some(written)) = (expires, &wallet.pending_days)
            && expires <= pending_days
        {
            let message = format!(
                "units of `{}` can be spent after {pending_days} days and are gone after {expires}: never",
                name.get_ref()
            );
            wrong(written.span(), message);
        }
        let policy = WalletPolicy {
            spendable: wallet.spendable,
            worth,
            expires,
            pending_days,
            pending_until: wallet.pending_until.as_ref().map(|until| until.get_ref().clone()),
            carry: wallet.carry,
            transferable: wallet.transferable,
            shared: wallet.shared,
        };
        wallets.insert(parsed, policy);
    }
    wallets
}

/// A number of days, 0 to 3660; 0 if the manifest does not say.
fn days(written: Option<&Spanned<i64>>, wrong: &mut impl FnMut(Range<usize>, String)) -> u32 {
    let Some(written) = written else { return 0 };
    let days = u32::try_from(*written.get_ref()).ok().filter(|days| *days <= 3660);
    if days.is_none() {
        let message = format!("`{}` is not a number of days from 0 to 3660", written.get_ref());
        wrong(written.span(), message);
    }
    days.unwrap_or_default()
}

fn activities(
    written: BTreeMap<Spanned<String>, Object<Activity>>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> BTreeMap<String, ActivityPolicy> {
    let mut activities: BTreeMap<String, ActivityPolicy> = BTreeMap::new();
    for (name, Object(activity)) in written {
        if !(1..=NAME_LENGTH_MAX).contains(&name.get_ref().chars().count()) {
            let message = format!("the name of an activity has 1 to {NAME_LENGTH_MAX} characters");
            wrong(name.span(), message);
        }
        let mut fields = BTreeMap::new();
        for (field, kind) in activity.fields {
            let text = field.get_ref();
            if words_of(&Kind::Activity).any(|word| word.name == text) {
                let message = format!(
                    "every activity has a `{text}`; a field of that name could not be seen"
                );
                wrong(field.span(), message);
            }
            if !is_name(text) {
                let message = format!(
                    "rules cannot ask for `{text}`; a field's name has a to z, digits and `_`"
                );
                wrong(field.span(), message);
            }
            fields.insert(field.into_inner(), kind);
        }
        let ids_repeat = activity.ids_repeat;
        let recurrence = activity.recurrence.map(|day| match day.into_inner() {
            joined if joined == JOINED => Recurrence::Joined,
            attribute => Recurrence::Attribute(attribute),
        });
        activities.insert(name.into_inner(), ActivityPolicy { fields, recurrence, ids_repeat });
    }
    activities.entry(PURCHASE.to_owned()).or_default();
    if let Some(referral) = activities.get_mut(REFERRAL) {
        referral.fields.insert(FRIEND.to_owned(), FieldKind::Text);
    }
    activities
}

/// Whether a rule can write it after a dot, as in `activity.stars`.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= NAME_LENGTH_MAX
}

fn holidays(
    written: BTreeMap<Spanned<String>, String>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Holidays {
    let mut holidays = Holidays::default();
    for (day, name) in written {
        let text = day.get_ref();
        // 2000 is a leap year, so that 29 February can be a holiday.
        let every_year = NaiveDate::parse_from_str(&format!("2000-{text}"), "%Y-%m-%d");
        match (text.parse::<NaiveDate>(), every_year) {
            (Ok(date), _) => {
                holidays.once.insert(date, name);
            }
            (_, Ok(date)) if text.len() == 5 => {
                holidays.every_year.insert((date.month(), date.day()), name);
            }
            _ => wrong(
                day.span(),
                format!(
                    "`{text}` is no day; write \"12-25\" for every year, or \"2026-04-06\" for one"
                ),
            ),
        }
    }
    holidays
}

fn tiers(tiers: &Tiers, wrong: &mut impl FnMut(Range<usize>, String)) -> TierPolicy {
    const WORDS: [(&str, Downgrade); 3] =
        [("full", Downgrade::Full), ("one step", Downgrade::OneStep), ("never", Downgrade::Never)];
    let mut policy = TierPolicy::default();
    if let Some(word) = &tiers.downgrade {
        match WORDS.iter().find(|(known, _)| known == word.get_ref()) {
            Some((_, downgrade)) => policy.downgrade = *downgrade,
            None => {
                let list = WORDS.map(|(word, _)| format!("\"{word}\"")).join(", ");
                wrong(
                    word.span(),
                    format!("`{}` is no way to fall; there are {list}", word.get_ref()),
                );
            }
        }
    }
    policy.grace_days = days(tiers.grace_days.as_ref(), wrong);
    if let Some(keep) = &tiers.keep {
        match keep.get_ref().0.terms() {
            Ok(terms) => policy.keep = Some(terms),
            Err(message) => wrong(keep.span(), format!("`keep`: {message}")),
        }
    }
    if let Some(word) = &tiers.downgrade
        && policy.downgrade == Downgrade::OneStep
        && policy.grace_days == 0
        && policy.keep.is_none()
    {
        let message = "one step at a time needs `grace_days` or `keep` between the steps: without, a member falls all of them at once";
        wrong(word.span(), message.to_owned());
    }
    policy
}

fn campaigns(
    written: &BTreeMap<Spanned<String>, Object<CampaignTerms>>,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> BTreeMap<String, Campaign> {
    let mut campaigns = BTreeMap::new();
    for (name, Object(terms)) in written {
        campaigns.insert(name.get_ref().clone(), campaign(name, terms, wrong));
    }
    campaigns
}

fn campaign(
    name: &Spanned<String>,
    terms: &CampaignTerms,
    wrong: &mut impl FnMut(Range<usize>, String),
) -> Campaign {
    let mut own = |written: &Option<Spanned<toml::value::Datetime>>| {
        written.as_ref().and_then(|written| day(written, wrong))
    };
    let days = DaySpan { from: own(&terms.from), until: own(&terms.until) };
    if let (Some(from), Some(until)) = (days.from, days.until)
        && until < from
    {
        wrong(name.span(), format!("campaign `{}` ends before it begins", name.get_ref()));
    }
    let budget = terms.budget.as_ref().and_then(|budget| {
        let units = Units::new(*budget.get_ref()).ok();
        if units.is_none() {
            wrong(budget.span(), format!("`{}` is no number of units", budget.get_ref()));
        }
        units
    });
    Campaign { days, budget }
}
