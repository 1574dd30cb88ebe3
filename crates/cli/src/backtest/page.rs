//! The report of a backtest, as a page and as JSON.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use backtest::{Changed, Dry, Failed, Gauged, Moved, Mover, Paid, Report, Totals};
use ledger::{Moment, Programme};
use rules::Bundle;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use crate::page::{Bar, Cell, Page, Sheet};
use crate::result::CommandResult;
use crate::show::{money, plural, shop_time, whole};

/// The bars of gains, below and above zero.
const BARS: i64 = 6;
/// The reasons why something was not made that are shown.
const REASONS_MAX: usize = 10;

/// The outcome of a backtest, and how it went.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    pub(super) rounds: usize,
    pub(super) took: Duration,
    pub(super) begins: Moment,
    pub(super) until: Moment,
}

impl Outcome {
    /// What was told in a second, played by the recorded rules and by the new ones.
    fn rate(&self) -> u64 {
        let millis = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX).max(1);
        self.report.seen.told.saturating_mul(1000) / millis
    }

    pub(super) fn as_json(&self, bundle: &Bundle) -> CommandResult<String> {
        #[derive(Serialize)]
        struct Json<'a> {
            from: Moment,
            until: Moment,
            rounds: usize,
            told_per_second: u64,
            gate: Vec<Gauged>,
            #[serde(flatten)]
            report: &'a Report,
        }
        let Outcome { report, rounds, begins, until, .. } = self;
        let (from, until, rounds) = (*begins, *until, *rounds);
        let gate = report.gauged(&bundle.programme().gate);
        let json = Json { from, until, rounds, told_per_second: self.rate(), gate, report };
        Ok(serde_json::to_string_pretty(&json)?)
    }
}

/// The page of a report.
pub(super) fn page(outcome: &Outcome, bundle: &Bundle) -> Page {
    Writing { outcome, programme: bundle.programme(), page: Page::default() }.written()
}

/// A page that is being written.
struct Writing<'a> {
    outcome: &'a Outcome,
    programme: &'a Programme,
    page: Page,
}

impl Writing<'_> {
    fn written(mut self) -> Page {
        self.check();
        self.sums();
        self.gate();
        self.rules();
        self.rewards();
        self.wallets();
        self.months();
        self.paid_by_tier();
        self.tiers();
        self.members();
        self.limits();
        self.failures();
        self.unmade();
        self.page
    }

    fn line(&mut self, line: impl Into<String>) {
        self.page.line(line);
    }

    fn money(&self, amount: Decimal) -> String {
        money(amount, self.programme.currency.code(), self.programme.decimals())
    }

    fn totals(&self) -> (&Totals, &Totals) {
        (&self.outcome.report.seen.old, &self.outcome.report.seen.new)
    }

    fn check(&mut self) {
        let report = &self.outcome.report;
        let check = &report.seen.check;
        let (entries, members) = (whole(check.entries), whole(check.members));
        if !check.is_judged {
            self.line("There was no programme yet: everything that is paid is new.");
        } else if check.is_same() {
            self.line(format!(
                "The recorded ledger comes out again, to the last unit: {entries} entries of {members} members."
            ));
        } else {
            self.line(format!(
                "The recorded ledger does not come out again for {} of {members} members:",
                whole(check.different)
            ));
            for different in &check.differences {
                let (member, entry) = (&different.member, different.entry);
                self.line(format!("  {member}, entry {entry}: {}", different.what));
            }
        }
        if check.incomplete > 0 {
            self.line(format!(
                "{} members had to do with somebody who was forgotten: they are not checked, and what they had from there is missing by the new rules.",
                whole(check.incomplete)
            ));
        }
        let zone = self.programme.time_zone;
        let (from, until) = (self.outcome.begins, self.outcome.until);
        let rounds = match self.outcome.rounds {
            1 => String::new(),
            rounds => format!(", in {rounds} rounds, since members share what ran dry"),
        };
        self.line(format!(
            "{} requests from {} to {}: {} a second{rounds}.",
            whole(report.seen.told),
            shop_time(from, zone),
            shop_time(until, zone),
            whole(self.outcome.rate())
        ));
    }

    fn sums(&mut self) {
        let report = &self.outcome.report;
        let (old, new) = self.totals();
        let mut sums = Sheet::new("", ["", "#old", "#new", "#change"]);
        let share = |cost: Decimal| {
            let share = in_percent(cost, report.seen.revenue, 2);
            share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2} %"))
        };
        let (was, is) = (old.cost(), new.cost());
        sums.row(["paid by rules".to_owned(), self.money(was), self.money(is), percent(was, is)]);
        sums.row(["share of revenue".to_owned(), share(was), share(is), String::new()]);
        let (was, is) = (old.liability(), new.liability());
        sums.row(["owed at the end".to_owned(), self.money(was), self.money(is), percent(was, is)]);
        let revenue = self.money(report.seen.revenue);
        self.page.sheet(sums);
        self.line(format!("Revenue: {revenue}"));
    }

    fn gate(&mut self) {
        let gauged = self.outcome.report.gauged(&self.programme.gate);
        if gauged.is_empty() {
            return;
        }
        let mut gate = Sheet::new("", ["the gate of these rules", "#at most", "#found", ""]);
        for Gauged { gauge, most, found, is_beyond, because } in gauged {
            let found = found.map_or_else(|| "-".to_owned(), |found| format!("{found:.2} %"));
            let said = if is_beyond { "beyond" } else { "holds" };
            let said = because.unwrap_or_else(|| said.to_owned());
            gate.row([gauge.to_string(), format!("{most} %"), found, said]);
        }
        self.page.sheet(gate);
    }

    fn rules(&mut self) {
        let (old, new) = self.totals();
        let names: BTreeSet<_> = old.rules.keys().chain(new.rules.keys()).collect();
        if names.is_empty() {
            return;
        }
        let mut rules = Sheet::new(
            "What rules paid, in units",
            ["rule", "into", "#old", "#new", "#change", "#members", "#now", "#worth", "#now"],
        );
        for name in names {
            let none = Paid::default();
            let was = old.rules.get(name).unwrap_or(&none);
            let is = new.rules.get(name).unwrap_or(&none);
            rules.row([
                name.0.clone(),
                name.1.to_string(),
                whole(was.units),
                whole(is.units),
                percent(was.units.into(), is.units.into()),
                whole(was.members),
                whole(is.members),
                self.money(was.worth),
                self.money(is.worth),
            ]);
        }
        self.page.sheet(rules);
    }

    fn rewards(&mut self) {
        let (old, new) = self.totals();
        let names: BTreeSet<_> = old.rewards.keys().chain(new.rewards.keys()).collect();
        if names.is_empty() {
            return;
        }
        let mut rewards = Sheet::new(
            "What was taken of rewards",
            ["reward", "#taken", "#now", "#units", "#now", "#members", "#now"],
        );
        for name in names {
            let none = Paid::default();
            let was = old.rewards.get(name).unwrap_or(&none);
            let is = new.rewards.get(name).unwrap_or(&none);
            rewards.row([
                name.clone(),
                whole(was.times),
                whole(is.times),
                whole(was.units),
                whole(is.units),
                whole(was.members),
                whole(is.members),
            ]);
        }
        self.page.sheet(rewards);
    }

    fn wallets(&mut self) {
        let (old, new) = self.totals();
        let mut wallets = Sheet::new(
            "How units moved",
            ["wallet", "", "#issued", "#redeemed", "#expired", "#reversed", "#by hand", "#owed"],
        );
        let names: BTreeSet<_> = old.wallets.keys().chain(new.wallets.keys()).collect();
        for name in names {
            for (when, totals) in [("old", old), ("new", new)] {
                let moved = totals.wallets.get(name).copied().unwrap_or_default();
                let owed = totals.owed.get(name).copied().unwrap_or_default();
                let Moved { issued, redeemed, expired, reversed, adjusted, transferred } = moved;
                let by_hand = adjusted + transferred;
                let numbers = [issued, redeemed, expired, reversed, by_hand, owed.units].map(whole);
                let head = [name.to_string(), when.to_owned()];
                wallets.row(head.into_iter().chain(numbers));
            }
        }
        self.page.sheet(wallets);
    }

    fn months(&mut self) {
        let (old, new) = self.totals();
        let names: BTreeSet<_> = old.months.keys().chain(new.months.keys()).collect();
        let main = &self.programme.main_wallet;
        let of = |totals: &Totals, month: &str| {
            let own = totals.months.get(month).and_then(|wallets| wallets.get(main));
            own.copied().unwrap_or_default()
        };
        let most = names.iter().map(|month| of(new, month).issued.max(of(old, month).issued)).max();
        let most = most.unwrap_or_default().max(1).unsigned_abs();
        let mut months = Sheet::new(
            &format!("Month by month, in {main}"),
            ["month", "#issued", "#now", "#redeemed", "#now", ""],
        );
        for month in names {
            let (was, is) = (of(old, month), of(new, month));
            let numbers = [was.issued, is.issued, was.redeemed, is.redeemed].map(whole);
            let issued = |of: &Moved| of.issued.max(0).unsigned_abs();
            let bar = Bar { was: Some(issued(&was)), is: issued(&is), most };
            let cells = [month.clone()].into_iter().chain(numbers).map(Cell::from);
            months.row(cells.chain([bar.into()]));
        }
        self.page.sheet(months);
    }

    fn tiers(&mut self) {
        let changed = &self.outcome.report.seen.changed;
        if !changed.tiers.keys().any(|(from, to)| !from.is_empty() || !to.is_empty()) {
            return;
        }
        let names: BTreeSet<&str> =
            changed.tiers.keys().flat_map(|(from, to)| [from.as_str(), to.as_str()]).collect();
        let shown = |name: &str| if name.is_empty() { "none".to_owned() } else { name.to_owned() };
        let heads: Vec<String> = names.iter().map(|name| format!("#to {}", shown(name))).collect();
        let mut tiers = Sheet::new(
            "Members by their tier at the end, by the old rules and by the new ones",
            ["from"].into_iter().chain(heads.iter().map(String::as_str)),
        );
        for from in &names {
            let row = names.iter().map(|to| {
                let pair = ((*from).to_owned(), (*to).to_owned());
                changed.tiers.get(&pair).map_or_else(String::new, |members| whole(*members))
            });
            tiers.row([shown(from)].into_iter().chain(row));
        }
        self.page.sheet(tiers);
    }

    fn paid_by_tier(&mut self) {
        let (old, new) = self.totals();
        let names: BTreeSet<_> = old.tiers.keys().chain(new.tiers.keys()).collect();
        if names.iter().all(|name| name.is_empty()) {
            return;
        }
        let mut tiers = Sheet::new(
            "What was paid, by the tier of the member then",
            ["tier", "#units", "#now", "#worth", "#now", "#members", "#now"],
        );
        for name in names {
            let none = Paid::default();
            let was = old.tiers.get(name).unwrap_or(&none);
            let is = new.tiers.get(name).unwrap_or(&none);
            tiers.row([
                if name.is_empty() { "none".to_owned() } else { name.clone() },
                whole(was.units),
                whole(is.units),
                self.money(was.worth),
                self.money(is.worth),
                whole(was.members),
                whole(is.members),
            ]);
        }
        self.page.sheet(tiers);
    }

    fn members(&mut self) {
        let changed = &self.outcome.report.seen.changed;
        let all = changed.members();
        let share = |members: u64| format!("{} ({})", whole(members), percent_of(members, all));
        let (gain, lose) = (changed.gaining(), changed.losing());
        let same = all.saturating_sub(gain).saturating_sub(lose);
        self.line(format!(
            "{} members get more, {} less, and {} the same.",
            share(gain),
            share(lose),
            share(same)
        ));
        if gain + lose == 0 {
            return;
        }
        let quantiles = [5, 25, 50, 75, 95]
            .map(|percent| format!("{percent} %: {}", self.gain(changed.quantile(percent))));
        self.line(format!("So many get at most so much more: {}", quantiles.join(", ")));
        self.histogram(changed);
        for (what, movers) in [("most", &changed.winners), ("least", &changed.losers)] {
            if !movers.is_empty() {
                let movers = self.movers(what, movers);
                self.page.sheet(movers);
            }
        }
    }

    /// A gain in money, or in units if they are worth nothing.
    fn gain(&self, gain: i64) -> String {
        match self.outcome.report.is_in_money {
            true => self.money(Decimal::new(gain, self.programme.decimals())),
            false => whole(gain),
        }
    }

    fn histogram(&mut self, changed: &Changed) {
        let far = changed.quantile(1).abs().max(changed.quantile(99).abs()).max(1);
        let step = far.div_euclid(BARS).max(1);
        let mut bars: std::collections::BTreeMap<i64, u64> = std::collections::BTreeMap::new();
        for (gain, members) in &changed.gains {
            let place = if *gain == 0 { 0 } else { gain.signum() * ((gain.abs() - 1) / step + 1) };
            *bars.entry(place.clamp(-BARS, BARS)).or_default() += members;
        }
        let most = bars.values().copied().max().unwrap_or(1);
        let mut gains = Sheet::new("", ["#more or less", "#members", ""]);
        for (place, members) in bars {
            let least = self.gain((place.abs() - 1).max(0) * step * place.signum());
            let label = match place {
                0 => "the same".to_owned(),
                BARS => format!("above {least}"),
                place if place == -BARS => format!("below {least}"),
                place => {
                    let to = self.gain(place * step);
                    if place > 0 { format!("{least} to {to}") } else { format!("{to} to {least}") }
                }
            };
            let bar = Bar { was: None, is: members, most };
            gains.row([Cell::from(label), whole(members).into(), bar.into()]);
        }
        self.page.sheet(gains);
    }

    fn movers(&self, what: &str, movers: &[Mover]) -> Sheet {
        let mut named =
            Sheet::new(&format!("Who gets {what} of what is new"), ["member", "#by", "why"]);
        for mover in movers {
            let mut why = String::new();
            for (place, one) in mover.why.iter().enumerate() {
                let comma = if place == 0 { "" } else { "; " };
                let (rule, wallet) = (&one.rule, &one.wallet);
                let (old, new) = (whole(one.old), whole(one.new));
                // Writing to a text does not fail.
                let _ = write!(why, "{comma}{rule}: {new} {wallet} instead of {old}");
            }
            named.row([mover.member.to_string(), self.gain(mover.gain), why]);
        }
        named
    }

    fn limits(&mut self) {
        let report = &self.outcome.report;
        if report.limits.is_empty() {
            return;
        }
        let zone = self.programme.time_zone;
        let when = |at: &Option<ledger::Moment>| {
            at.map_or_else(|| "-".to_owned(), |at| shop_time(at, zone))
        };
        let mut limits = Sheet::new(
            "Stocks and budgets",
            ["shared", "#there", "#taken", "ran dry", "ran dry by the old rules"],
        );
        for Dry { limit, total, taken, dry_at, was_dry_at } in &report.limits {
            limits.row([
                limit.clone(),
                whole(*total),
                whole(*taken),
                when(dry_at),
                when(was_dry_at),
            ]);
        }
        self.page.sheet(limits);
    }

    fn failures(&mut self) {
        let (old, new) = self.totals();
        let names: BTreeSet<_> = old.failures.keys().chain(new.failures.keys()).collect();
        if names.is_empty() {
            return;
        }
        let mut failures = Sheet::new(
            "",
            ["rule or tier that failed, and so counted for nothing", "#times", "#now", "such as"],
        );
        for name in names {
            let (was, is) = (old.failures.get(name), new.failures.get(name));
            let times = |of: Option<&Failed>| whole(of.map_or(0, |failed| failed.times));
            let such_as = is.or(was).map(|failed| failed.such_as.clone()).unwrap_or_default();
            failures.row([name.clone(), times(was), times(is), such_as]);
        }
        self.page.sheet(failures);
    }

    fn unmade(&mut self) {
        let unmade = &self.outcome.report.seen.unmade;
        let all: u64 = unmade.values().sum();
        if all == 0 {
            return;
        }
        let mut reasons: Vec<(&String, &u64)> = unmade.iter().collect();
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let requests = plural(usize::try_from(all).unwrap_or(usize::MAX), "request");
        self.line(format!("{requests} of the past could not be made by the new rules:"));
        for (why, times) in reasons.into_iter().take(REASONS_MAX) {
            self.line(format!("  {} times: {why}", whole(*times)));
        }
    }
}

/// A share in percent, rounded half away from zero.
fn in_percent(part: Decimal, of: Decimal, decimals: u32) -> Option<Decimal> {
    let share = part.checked_div(of)?.checked_mul(Decimal::ONE_HUNDRED)?;
    Some(share.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero))
}

fn percent(was: Decimal, is: Decimal) -> String {
    let change = in_percent(is - was, was, 1);
    change.map_or_else(String::new, |change| format!("{change:+.1} %"))
}

fn percent_of(part: u64, of: u64) -> String {
    format!("{:.1} %", in_percent(part.into(), of.into(), 1).unwrap_or_default())
}
