//! What is owed, as a page and as JSON.

use ::audit::{Audited, Counted, Period};
use ::liability::{Breakage, Cohorts, Deferred, DeferredOver, LookBack, Month};
use ledger::{MemberId, Programme, Verb, WalletName};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::audit::{as_json, has_worth, roll_forward};
use crate::page::{Page, Sheet};
use crate::show::{expectation, money, share, shop_time, whole};

/// The months that an earlier forecast looks ahead.
const AHEAD: i32 = 12;

/// An entry behind a line of the report.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) member: MemberId,
    pub(super) verb: Verb,
    pub(super) counted: Counted,
}

/// What the report says.
pub(super) struct Report {
    pub(super) programme: Programme,
    pub(super) period: Period,
    pub(super) audited: Audited,
    pub(super) cohorts: Cohorts,
    pub(super) before: Cohorts,
    /// The month with which the period ends.
    pub(super) until: Month,
}

impl Report {
    pub(super) fn page(&self) -> Page {
        let Report { programme, audited, .. } = self;
        let mut page = Page::default();
        page.line(format!(
            "{}: {} members and {} entries, until the end of {}.",
            programme.name,
            whole(audited.members),
            whole(audited.entries),
            self.until,
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

    /// The wallets whose units can be redeemed.
    fn spendable(&self) -> impl Iterator<Item = &WalletName> {
        self.cohorts.wallets().filter(|wallet| {
            self.programme.wallets.get(*wallet).is_none_or(|policy| policy.spendable)
        })
    }

    fn breakages(&self) -> impl Iterator<Item = (&WalletName, Breakage)> {
        self.spendable()
            .filter_map(|wallet| Some((wallet, self.cohorts.breakage(wallet, self.until)?)))
    }

    fn look_backs(&self) -> impl Iterator<Item = (&WalletName, LookBack)> {
        self.spendable().filter_map(|wallet| {
            let at = self.until.plus(-AHEAD);
            Some((wallet, self.cohorts.look_back(wallet, at, self.until)?))
        })
    }

    fn deferred(&self) -> Option<Vec<Deferred>> {
        self.cohorts.deferred(self.until, self.programme.decimals())
    }

    fn money(&self, sum: Decimal) -> String {
        money(sum, self.programme.currency.code(), self.programme.decimals())
    }

    fn forecasts(&self) -> Sheet {
        let title = "Expected redemptions, by what became of units of the same age";
        let heads = [
            "wallet",
            "#owed",
            "#to be redeemed",
            "#in money",
            "#breakage",
            "#by chance of which members (90 %)",
        ];
        let mut sheet = Sheet::new(title, heads);
        for (wallet, breakage) in self.breakages() {
            let percent = |of: f64| share(of, 1);
            let never = breakage.share().map(percent);
            let bounds = breakage.bounds().filter(|(low, high)| low < high);
            let bounds = bounds.map(|(low, high)| format!("{} to {}", percent(low), percent(high)));
            let owed = self.audited.wallets.get(wallet);
            let has_worth = owed.is_some_and(|owed| has_worth(&self.programme, wallet, owed));
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            sheet.row([
                wallet.to_string(),
                whole(breakage.owed),
                expectation(breakage.redeemed),
                or_none(has_worth.then(|| self.money(breakage.worth))),
                or_none(never),
                or_none(bounds),
            ]);
        }
        sheet
    }

    /// The revenue that is deferred, month by month.
    fn deferrals(&self, deferred: &[Deferred], page: &mut Page) {
        let title = "Revenue deferred until units are redeemed, by stand-alone prices";
        let heads = [
            "month",
            "#revenue",
            "#price of units",
            "#deferred",
            "#recognized to date",
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
            let DeferredOver { opening, added, changed, recognized, closing } = roll;
            page.paragraph(format!(
                "Deferred at the start: {}; added: {}; changed by returns of what was bought before: {}; recognized: {}; deferred at the end: {}.",
                self.money(opening),
                self.money(added),
                self.money(changed),
                self.money(-recognized),
                self.money(closing),
            ));
        }
    }

    /// What is deferred over the period; nothing if it has no first day, or sums are too large.
    fn deferred_over(&self, deferred: &[Deferred]) -> Option<DeferredOver> {
        let first = Month::of(self.period.from?, self.programme.time_zone);
        // As it was told at the end of the period before.
        let before = self.before.deferred(first.plus(-1), self.programme.decimals())?;
        Some(DeferredOver::from(first, &before, deferred))
    }

    pub(super) fn as_json(&self) -> Value {
        let mut json = as_json(&self.programme, &self.audited);
        let forecasts = self.breakages().map(|(wallet, breakage)| {
            let worth = breakage.worth.round_dp(self.programme.decimals());
            let forecast = Breakage { worth, ..breakage };
            (wallet.to_string(), json!({ "breakage": forecast.share(), "forecast": forecast }))
        });
        let backs = self.look_backs().map(|(wallet, back)| (wallet.to_string(), json!(back)));
        let forecasts: serde_json::Map<String, Value> = forecasts.collect();
        let backs: serde_json::Map<String, Value> = backs.collect();
        let deferred = self.deferred();
        let roll = deferred.as_deref().and_then(|deferred| self.deferred_over(deferred));
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
        expectation(*expected),
        whole(*redeemed),
    )
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
            verb.to_string(),
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
            "verb": verb.to_string(),
            "units": counted.units,
            "money": counted.money.normalize().to_string(),
        })
    };
    behind.iter().map(entry).collect()
}
