//! What is owed, as a page and as JSON.

use ::liability::{Breakage, Deferred, LookBack, Month};
use ledger::{Programme, WalletName};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::{Value, json};

use super::{Behind, Told};
use crate::audit::{as_json, has_worth, roll_forward};
use crate::page::{Page, Sheet};
use crate::show::{money, shop_time, whole};

/// The months that an earlier forecast looks ahead.
const AHEAD: i32 = 12;

impl Told {
    pub(super) fn page(&self) -> Page {
        let Told { programme, audited, .. } = self;
        let mut page = Page::default();
        let until = self.until.map(|until| format!(", until {until}")).unwrap_or_default();
        page.line(format!(
            "{}: {} members and {} entries{until}.",
            programme.name,
            whole(audited.members),
            whole(audited.entries),
        ));
        roll_forward(programme, audited, &mut page);
        page.sheet(self.forecasts());
        for (wallet, back) in self.look_backs() {
            page.paragraph(sentence(wallet, &back));
        }
        match self.deferred() {
            Some(deferred) if !deferred.is_empty() => self.deferrals(&deferred, &mut page),
            Some(_) => {}
            None => page.paragraph("What is deferred comes to too much to be told."),
        }
        page
    }

    /// The wallets whose units can be redeemed, with their forecasts.
    fn breakages(&self) -> impl Iterator<Item = (&WalletName, Breakage)> {
        let spendable = self.cohorts.wallets().filter(|wallet| {
            self.programme.wallets.get(*wallet).is_none_or(|policy| policy.spendable)
        });
        spendable.filter_map(|wallet| Some((wallet, self.cohorts.breakage(wallet, self.until?)?)))
    }

    fn look_backs(&self) -> impl Iterator<Item = (&WalletName, LookBack)> {
        self.breakages().filter_map(|(wallet, _)| {
            let until = self.until?;
            Some((wallet, self.cohorts.look_back(wallet, until.plus(-AHEAD), until)?))
        })
    }

    fn deferred(&self) -> Option<Vec<Deferred>> {
        match self.until {
            Some(until) => self.cohorts.deferred(until, self.programme.decimals()),
            None => Some(Vec::new()),
        }
    }

    fn money(&self, sum: Decimal) -> String {
        money(sum, self.programme.currency.code(), self.programme.decimals())
    }

    fn forecasts(&self) -> Sheet {
        let title = "What is likely to become of it, by what became of units of the same age";
        let heads = [
            "wallet",
            "#owed",
            "#to be redeemed",
            "#never redeemed",
            "#in nine of ten cases",
            "#to be redeemed, in money",
        ];
        let mut sheet = Sheet::new(title, heads);
        for (wallet, breakage) in self.breakages() {
            let never = breakage.share().map_or_else(|| "-".to_owned(), percent);
            let bounds = breakage
                .bounds()
                .map(|(low, high)| format!("{} to {}", percent(low), percent(high)));
            let owed = self.audited.wallets.get(wallet);
            let has_worth = owed.is_some_and(|owed| has_worth(&self.programme, wallet, owed));
            sheet.row([
                wallet.to_string(),
                whole(breakage.owed),
                rounded(breakage.redeemed),
                never,
                bounds.unwrap_or_else(|| "-".to_owned()),
                if has_worth { self.money(breakage.worth) } else { String::new() },
            ]);
        }
        sheet
    }

    /// The revenue that is deferred, month by month.
    fn deferrals(&self, deferred: &[Deferred], page: &mut Page) {
        let title = "Revenue that is deferred until units are redeemed, by the prices of goods and units alone";
        let heads = [
            "month",
            "#revenue",
            "#units alone",
            "#deferred",
            "#revenue by now",
            "#still deferred",
        ];
        let mut sheet = Sheet::new(title, heads);
        let first = self.period.from.map(|from| Month::of(from, self.programme.time_zone));
        let mut row = |name: String, of: &[&Deferred]| {
            let sum = |part: fn(&Deferred) -> Decimal| {
                self.money(of.iter().map(|one| part(one)).sum::<Decimal>())
            };
            sheet.row([
                name,
                sum(|one| one.revenue),
                sum(|one| one.units),
                sum(|one| one.deferred),
                sum(|one| one.recognized),
                sum(Deferred::left),
            ]);
        };
        let (before, within): (Vec<&Deferred>, Vec<&Deferred>) =
            deferred.iter().partition(|one| first.is_some_and(|first| one.month < first));
        if !before.is_empty() {
            row("before".to_owned(), &before);
        }
        within.iter().for_each(|one| row(one.month.to_string(), &[one]));
        row("all".to_owned(), &deferred.iter().collect::<Vec<_>>());
        page.sheet(sheet);
        if let Some(roll) = self.deferred_over(deferred) {
            let Roll { opening, added, recognized, closing } = roll;
            page.paragraph(format!(
                "Over the period: {} were deferred before it, {} were added, {} became revenue, and {} are left.",
                self.money(opening),
                self.money(added),
                self.money(recognized),
                self.money(closing),
            ));
        }
    }

    /// What is deferred over the period; nothing if it has no first day.
    fn deferred_over(&self, deferred: &[Deferred]) -> Option<Roll> {
        let first = Month::of(self.period.from?, self.programme.time_zone);
        let before = self.cohorts.deferred(first.plus(-1), self.programme.decimals())?;
        let opening: Decimal = before.iter().map(Deferred::left).sum();
        let within = deferred.iter().filter(|one| one.month >= first);
        let added: Decimal = within.map(|one| one.deferred).sum();
        let closing: Decimal = deferred.iter().map(Deferred::left).sum();
        Some(Roll { opening, added, recognized: opening + added - closing, closing })
    }

    pub(super) fn as_json(&self) -> Value {
        let mut json = as_json(&self.programme, &self.audited);
        let forecasts = self.breakages().map(|(wallet, breakage)| {
            (wallet.to_string(), json!({ "breakage": breakage.share(), "forecast": breakage }))
        });
        let backs = self.look_backs().map(|(wallet, back)| (wallet.to_string(), json!(back)));
        let forecasts: serde_json::Map<String, Value> = forecasts.collect();
        let backs: serde_json::Map<String, Value> = backs.collect();
        let deferred = self.deferred().unwrap_or_default();
        let roll = self.deferred_over(&deferred).map(|roll| {
            let Roll { opening, added, recognized, closing } = roll;
            json!({ "opening": opening, "added": added, "recognized": recognized, "closing": closing })
        });
        if let Value::Object(json) = &mut json {
            json.insert("until".to_owned(), json!(self.until));
            json.insert("forecasts".to_owned(), forecasts.into());
            json.insert("earlier_forecasts".to_owned(), backs.into());
            json.insert("deferred".to_owned(), json!(deferred));
            json.insert("deferred_over_period".to_owned(), json!(roll));
        }
        json
    }
}

/// What is deferred over a period.
struct Roll {
    opening: Decimal,
    added: Decimal,
    recognized: Decimal,
    closing: Decimal,
}

/// How an earlier forecast did.
fn sentence(wallet: &WalletName, back: &LookBack) -> String {
    let LookBack { at, until, owed, expected, redeemed } = back;
    let miss = match back.miss() {
        Some(miss) if miss < 0.0 => format!(": {:.1} % too few were expected", miss.abs()),
        Some(miss) => format!(": {miss:.1} % too many were expected"),
        None => String::new(),
    };
    format!(
        "Of {} {wallet} that were owed at the end of {at}, {} were to be expected to be redeemed until {until}, and {} were{miss}.",
        whole(*owed),
        rounded(*expected),
        whole(*redeemed),
    )
}

/// A share in percent.
fn percent(share: f64) -> String {
    let share = Decimal::from_f64_retain(share).unwrap_or_default();
    format!("{:.1} %", share * Decimal::ONE_HUNDRED)
}

/// An expectation as a whole number.
fn rounded(expected: f64) -> String {
    expected.round().to_i64().map_or_else(|| "-".to_owned(), whole)
}

/// The entries behind a line of the report.
pub(super) fn entries(programme: &Programme, behind: &[Behind]) -> Page {
    let mut page = Page::default();
    let mut sheet = Sheet::new("", ["when", "member", "#entry", "verb", "#units", "#money"]);
    for Behind { member, verb, counted } in behind {
        sheet.row([
            shop_time(counted.at, programme.time_zone),
            member.to_string(),
            counted.entry.map_or_else(|| "none yet".to_owned(), |entry| entry.to_string()),
            verb.map_or_else(|| "expire".to_owned(), |verb| verb.to_string()),
            whole(counted.units),
            money(counted.money, programme.currency.code(), programme.decimals()),
        ]);
    }
    page.sheet(sheet);
    let sum = |of: fn(&Behind) -> Decimal| behind.iter().map(of).sum::<Decimal>();
    page.paragraph(format!(
        "{} units in all, worth {}.",
        whole(behind.iter().map(|one| one.counted.units).sum::<i64>()),
        money(sum(|one| one.counted.money), programme.currency.code(), programme.decimals()),
    ));
    page
}

/// The same for machines.
pub(super) fn entries_as_json(behind: &[Behind]) -> Value {
    let entry = |Behind { member, verb, counted }: &Behind| {
        json!({
            "at": counted.at,
            "member": member,
            "entry": counted.entry,
            "verb": verb.map(|verb| verb.to_string()),
            "units": counted.units,
            "money": counted.money.normalize().to_string(),
        })
    };
    behind.iter().map(entry).collect()
}
