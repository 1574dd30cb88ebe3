//! The form of `merchant.toml` as it is written, before any value is checked.

use std::collections::BTreeMap;

use ledger::programme::FieldKind;
use ledger::{Expiry, Inactivity};
use serde::Deserialize;
use toml::Spanned;

use crate::object::Object;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "the manifest's settings")]
pub(super) struct Manifest {
    pub(super) name: Spanned<String>,
    pub(super) currency: Spanned<String>,
    pub(super) time_zone: Spanned<String>,
    pub(super) main_wallet: Option<Spanned<String>>,
    pub(super) wallets: BTreeMap<Spanned<String>, Object<Wallet>>,
    #[serde(default)]
    pub(super) activities: BTreeMap<Spanned<String>, Object<Activity>>,
    pub(super) tiers: Option<Object<Tiers>>,
    #[serde(default)]
    pub(super) holidays: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub(super) campaigns: BTreeMap<Spanned<String>, Object<CampaignTerms>>,
    #[serde(default)]
    pub(super) trials: BTreeMap<Spanned<String>, Object<TrialTerms>>,
    #[serde(default)]
    pub(super) pools: BTreeMap<String, Object<PoolTerms>>,
    pub(super) hold_minutes: Option<Spanned<i64>>,
    pub(super) late_days: Option<Spanned<i64>>,
    pub(super) restored_days: Option<Spanned<i64>>,
    #[serde(default)]
    pub(super) stores: BTreeMap<String, Object<StoreTerms>>,
    pub(super) reminders: Option<Object<RemindersTable>>,
    pub(super) on_failure: Option<Spanned<String>>,
    pub(super) history: Option<Object<HistoryTerms>>,
    pub(super) gate: Option<Object<GateTerms>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "what other rules may change at most")]
pub(super) struct GateTerms {
    pub(super) cost_increase_max: Option<Spanned<String>>,
    pub(super) losers_max: Option<Spanned<String>>,
    pub(super) liability_increase_max: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "what the history may contain")]
pub(super) struct HistoryTerms {
    #[serde(default)]
    pub(super) attributes: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "of what members are reminded")]
pub(super) struct RemindersTable {
    pub(super) expiry_days: Option<Spanned<i64>>,
    pub(super) tier_days: Option<Spanned<i64>>,
    pub(super) task_left: Option<Spanned<i64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "the policy of the tiers")]
pub(super) struct Tiers {
    pub(super) downgrade: Option<Spanned<String>>,
    pub(super) grace_days: Option<Spanned<i64>>,
    pub(super) keep: Option<Spanned<Object<Expires>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "the settings of a campaign")]
pub(super) struct CampaignTerms {
    pub(super) from: Option<Spanned<toml::value::Datetime>>,
    pub(super) until: Option<Spanned<toml::value::Datetime>>,
    pub(super) budget: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "the settings of a trial")]
pub(super) struct TrialTerms {
    pub(super) from: Spanned<toml::value::Datetime>,
    pub(super) until: Spanned<toml::value::Datetime>,
    pub(super) share: Spanned<String>,
    pub(super) holdout: Spanned<String>,
    pub(super) measures: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "the settings of a store")]
pub(super) struct StoreTerms {
    pub(super) time_zone: Spanned<String>,
}

/// A pool of codes. The codes are imported; the manifest, which many people read, has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a pool, which has no settings")]
pub(super) struct PoolTerms {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "the settings of a wallet")]
pub(super) struct Wallet {
    #[serde(default = "yes")]
    pub(super) spendable: bool,
    pub(super) worth: Option<Spanned<String>>,
    pub(super) expires: Option<Spanned<Object<Expires>>>,
    #[serde(default)]
    pub(super) pending_days: Option<Spanned<i64>>,
    pub(super) pending_until: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) carry: bool,
    #[serde(default)]
    pub(super) transferable: bool,
    #[serde(default)]
    pub(super) shared: bool,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "when units expire, such as `{ months = 12, end_of = \"month\" }`,"
)]
pub(super) struct Expires {
    pub(super) days: Option<i64>,
    pub(super) months: Option<i64>,
    pub(super) years: Option<i64>,
    pub(super) end_of: Option<String>,
    pub(super) inactive_days: Option<i64>,
    pub(super) inactive_months: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "the settings of an activity")]
pub(super) struct Activity {
    #[serde(default)]
    pub(super) fields: BTreeMap<Spanned<String>, FieldKind>,
    #[serde(rename = "yearly")]
    pub(super) recurrence: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) ids_repeat: bool,
}

const fn yes() -> bool {
    true
}

/// The longest terms. A lot that should last longer has no expiry.
const DAYS_MAX: u32 = 36_500;
const MONTHS_MAX: u32 = 1_200;
const YEARS_MAX: u32 = 100;

/// The message that says how terms are written.
const TERMS: &str = "is one of `{ days = 90 }`, `{ months = 12 }`, \
                     `{ months = 12, end_of = \"month\" }`, `{ years = 1, end_of = \"year\" }`, \
                     `{ inactive_months = 12 }`, `{ inactive_days = 90 }`";

impl Expires {
    pub(super) fn terms(&self) -> Result<Expiry, String> {
        let whole = |number: i64, least: u32, most: u32| {
            u32::try_from(number)
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| format!("`{number}` is not a number from {least} to {most}"))
        };
        if self.inactive_days.is_some() || self.inactive_months.is_some() {
            let others = (self.days, self.months, self.years, self.end_of.as_deref());
            return match (self.inactive_days, self.inactive_months, others) {
                (Some(days), None, (None, None, None, None)) => {
                    Ok(Expiry::Inactivity(Inactivity::Days(whole(days, 1, DAYS_MAX)?)))
                }
                (None, Some(months), (None, None, None, None)) => {
                    Ok(Expiry::Inactivity(Inactivity::Months(whole(months, 1, MONTHS_MAX)?)))
                }
                _ => Err(TERMS.to_owned()),
            };
        }
        if let Some(end_of) = self.end_of.as_deref().filter(|end| !["month", "year"].contains(end))
        {
            return Err(format!(
                "`end_of = \"{end_of}\"`: there is `{{ months = 12, end_of = \"month\" }}` and `{{ years = 1, end_of = \"year\" }}`"
            ));
        }
        match (self.days, self.months, self.years, self.end_of.as_deref()) {
            (Some(days), None, None, None) => Ok(Expiry::AfterDays(whole(days, 1, DAYS_MAX)?)),
            (None, Some(months), None, None) => {
                Ok(Expiry::AfterMonths(whole(months, 1, MONTHS_MAX)?))
            }
            (None, Some(months), None, Some("month")) => {
                Ok(Expiry::EndOfMonth(whole(months, 0, MONTHS_MAX)?))
            }
            (None, None, Some(years), Some("year")) => {
                Ok(Expiry::EndOfYear(whole(years, 0, YEARS_MAX)?))
            }
            (None, None, Some(years), None) => Err(format!(
                "`{{ years = {years} }}` is written `{{ months = {} }}`, or `{{ years = {years}, end_of = \"year\" }}`",
                years.saturating_mul(12)
            )),
            _ => Err(TERMS.to_owned()),
        }
    }
}
