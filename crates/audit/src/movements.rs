//! A member's postings, each counted at its moment, in units and in money.

use std::collections::{BTreeMap, VecDeque};

use ledger::{
    Inactivity, Member, Moment, Movement, Posting, PostingReason, PostingSide, Seq, Terms, Units,
    Wallet, WalletName,
};
use rust_decimal::Decimal;
use store::History;

use crate::roll_forward::{Moved, Owed, Period};

/// What one posting adds to a line of the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The entry; `None` for units that expired before the end of the period, or paid debt when a hold
    /// expired, if no entry has recorded it yet.
    pub entry: Option<Seq>,
    /// When it counts.
    pub at: Moment,
    /// The wallet.
    pub wallet: WalletName,
    /// The line of the books.
    pub line: Movement,
    /// The change in units.
    pub units: i64,
    /// The change in money.
    pub money: Decimal,
}

/// What the postings of a member add to the lines of the books over a period, one after the other:
/// their sums are the roll-forward.
#[must_use]
pub fn counted(period: &Period, history: &History) -> Vec<Counted> {
    let mut all = Vec::new();
    count(&mut BTreeMap::new(), period, history, &mut |one| all.push(one));
    all
}

/// The moment at which units last went into a member's lots, by wallet and terms. An activity that
/// is sent late can give units whose end has passed already.
type Given = BTreeMap<(WalletName, Option<Moment>, Option<Inactivity>), Moment>;

/// Counts a member's postings, each at its moment. Expired units count at the moment at which they
/// expired, and units of an expired hold that paid debt at the moment at which it expired, not at the
/// one at which an entry recorded it. `see` gets what each adds to a line of the books.
pub(crate) fn count(
    wallets: &mut BTreeMap<WalletName, Owed>,
    period: &Period,
    history: &History,
    see: &mut dyn FnMut(Counted),
) {
    let mut counting = Counting { period, entry: None, see };
    let mut given = Given::new();
    let mut debts: BTreeMap<WalletName, Debt> = BTreeMap::new();
    let mut before = None;
    for line in &history.lines {
        counting.entry = Some(line.seq);
        let pays = line.postings.iter().any(|posting| posting.why == PostingReason::DebtPaid);
        let mut released = Released::before(before.filter(|_| pays), line.at);
        before = line.version.as_ref().map(|version| &version.member);
        for posting in line.postings.iter().filter(|posting| !posting.shared) {
            let lot = |terms: &Terms| (posting.wallet.clone(), terms.expires_at, terms.inactivity);
            if let Some(terms) = posting.to_lot() {
                given.insert(lot(terms), line.at);
            }
            let owed = wallets.entry(posting.wallet.clone()).or_default();
            let debt = debts.entry(posting.wallet.clone()).or_default();
            match posting.why {
                PostingReason::Expired => {
                    let terms = posting.from_lot();
                    let end = terms.and_then(|terms| terms.expires_at);
                    let given = terms.and_then(|terms| given.get(&lot(terms)).copied());
                    let at = end.max(given).map_or(line.at, |at| at.min(line.at));
                    counting.count(owed, at, posting, debt);
                }
                PostingReason::DebtPaid => {
                    for (at, part) in released.parts(posting, line.at) {
                        counting.count(owed, at, &part, debt);
                    }
                }
                _ => counting.count(owed, line.at, posting, debt),
            }
        }
    }
    // Units that expired since the last entry and before the end of the period.
    counting.entry = None;
    let member = history.member();
    let end = period.until.filter(|end| member.happened_at < *end);
    let present = end.map_or_else(|| member.clone(), |end| member.at(end));
    for (name, wallet) in &present.wallets {
        let owed = wallets.entry(name.clone()).or_default();
        let debt = debts.entry(name.clone()).or_default();
        let Some(end) = period.until else {
            // A period without an end closes with what members have, not with the postings: the
            // roll-forward then shows whether the two agree.
            owed.units.closing += wallet.posted();
            owed.money.closing += worth_of(wallet) - debt.worth();
            continue;
        };
        // Units of holds that have expired since have paid debt.
        let before = member.wallet(name.as_str());
        let paid = before.debt().get() - wallet.debt().get();
        let was_owed = debt.paid(paid);
        let gained = was_owed - (worth_of(before) - worth_of(wallet));
        owed.units.debts -= paid;
        owed.money.debts -= was_owed;
        owed.money.reversed += gained;
        owed.money.closing += gained;
        if gained != Decimal::ZERO {
            let (wallet, line) = (name.clone(), Movement::Reversed);
            (counting.see)(Counted { entry: None, at: end, wallet, line, units: 0, money: gained });
        }
        for lot in wallet.lots().iter().filter(|lot| lot.terms.is_expired(end)) {
            let key = (name.clone(), lot.terms.expires_at, lot.terms.inactivity);
            let expired_at = lot.terms.expires_at.max(given.get(&key).copied());
            let Some(expired_at) = expired_at.filter(|expired_at| *expired_at < end) else {
                continue;
            };
            let expires = Posting::out_of_lot(name.clone(), lot.clone(), PostingReason::Expired);
            counting.count(owed, expired_at, &expires, debt);
        }
    }
}

/// The count of a member's postings, while it goes on.
struct Counting<'c> {
    period: &'c Period,
    /// The entry whose postings are counted.
    entry: Option<Seq>,
    see: &'c mut dyn FnMut(Counted),
}

impl Counting<'_> {
    /// Counts a posting in units and in money.
    fn count(&mut self, owed: &mut Owed, at: Moment, posting: &Posting, debt: &mut Debt) {
        let (change, of_debt) = (posting.change(), posting.change_of_debt());
        let units = Moved { why: posting.why, change, of_debt, gained: 0 };
        let money = debt.in_money(posting);
        owed.units.count(self.period, at, &units);
        owed.money.count(self.period, at, &money);
        if self.period.until.is_none_or(|until| at < until) {
            owed.without_worth += without_worth(posting);
        }
        if self.period.contains(at) {
            let reversed =
                (money.gained != Decimal::ZERO).then_some((Movement::Reversed, 0, money.gained));
            let moved = posting.why.movement().map(|line| (line, change, money.change));
            for (line, units, money) in moved.into_iter().chain(reversed) {
                let wallet = posting.wallet.clone();
                (self.see)(Counted { entry: self.entry, at, wallet, line, units, money });
            }
        }
    }
}

/// The units by wallet that paid debt by themselves, when the hold that they were held for expired.
/// An entry that follows has them as its first postings of debt paid.
struct Released(BTreeMap<WalletName, Vec<(Moment, i64)>>);

impl Released {
    /// Those of a member until an entry; none if the member before the entry cannot be read.
    fn before(member: Option<&Member>, at: Moment) -> Released {
        let wallets = member.into_iter().flat_map(|member| &member.wallets);
        Released(wallets.map(|(name, wallet)| (name.clone(), paid_by_holds(wallet, at))).collect())
    }

    /// The parts of a posting that pays debt out of a lot, each with its moment.
    fn parts(&mut self, posting: &Posting, at: Moment) -> Vec<(Moment, Posting)> {
        let mut rest = posting.units;
        let mut parts = Vec::new();
        let mut part = |at: Moment, units: Units| {
            parts.push((at, Posting { units, ..posting.clone() }));
        };
        for (at, left) in self.0.get_mut(&posting.wallet).into_iter().flatten() {
            let units = rest.min(Units::new(*left).unwrap_or_default());
            *left -= units.get();
            rest = rest.checked_sub(units).unwrap_or_default();
            part(*at, units);
        }
        part(at, rest);
        parts
    }
}

/// When the holds of a wallet expire until a moment, and how much of its debt each pays.
fn paid_by_holds(wallet: &Wallet, until: Moment) -> Vec<(Moment, i64)> {
    let held = wallet.lots().iter().filter(|lot| lot.terms.held.is_some());
    let held = held.filter_map(|lot| Some((lot.terms.available_at?, lot.units.get())));
    let mut held: Vec<(Moment, i64)> = held.filter(|(at, _)| *at <= until).collect();
    held.sort_unstable();
    let mut debt = wallet.debt().get();
    for (_, units) in &mut held {
        *units = debt.min(*units);
        debt -= *units;
    }
    held
}

/// What units are worth; nothing if they were given without a worth.
fn value(units: i64, worth: Option<Decimal>) -> Decimal {
    // The manifest bounds a worth, so that the product fits.
    Decimal::from(units) * worth.unwrap_or_default()
}

fn worth_of(wallet: &Wallet) -> Decimal {
    wallet.lots().iter().map(|lot| value(lot.units.get(), lot.terms.worth)).sum()
}

/// The change of the units in lots that have no worth.
fn without_worth(posting: &Posting) -> i64 {
    let of = |terms: Option<&Terms>| match terms {
        Some(terms) if terms.worth.is_none() => posting.units.get(),
        _ => 0,
    };
    of(posting.to_lot()) - of(posting.from_lot())
}

/// What one member owes in a wallet, and what each unit was worth when it became debt. The first to
/// become debt is paid first.
#[derive(Debug, Default)]
struct Debt(VecDeque<(i64, Option<Decimal>)>);

impl Debt {
    fn worth(&self) -> Decimal {
        self.0.iter().map(|(units, worth)| value(*units, *worth)).sum()
    }

    /// Pays units of the debt, and returns what they were worth as debt.
    fn paid(&mut self, mut units: i64) -> Decimal {
        let mut sum = Decimal::ZERO;
        while units > 0
            && let Some((owed, worth)) = self.0.front_mut()
        {
            let part = units.min(*owed);
            sum += value(part, *worth);
            (units, *owed) = (units - part, *owed - part);
            if *owed == 0 {
                self.0.pop_front();
            }
        }
        sum
    }

    /// A posting in money.
    fn in_money(&mut self, posting: &Posting) -> Moved<Decimal> {
        let units = posting.units.get();
        let own = value(units, posting.worth());
        let of = |side: &Option<PostingSide>| match side {
            None => Decimal::ZERO,
            Some(PostingSide::Debt) => own,
            Some(PostingSide::Lot(terms)) => value(units, terms.worth),
        };
        let (why, zero) = (posting.why, Decimal::ZERO);
        if posting.from == Some(PostingSide::Debt) {
            self.0.push_back((units, posting.worth()));
            return Moved { why, change: of(&posting.to) - own, of_debt: own, gained: zero };
        }
        let change = match (&posting.from, &posting.to) {
            (Some(_), Some(PostingSide::Debt)) => zero,
            (from, to) => of(to) - of(from),
        };
        if posting.to != Some(PostingSide::Debt) {
            return Moved { why, change, of_debt: zero, gained: zero };
        }
        let was_owed = self.paid(units);
        let pays = if posting.from.is_none() { own } else { of(&posting.from) };
        Moved { why, change, of_debt: -was_owed, gained: was_owed - pays }
    }
}
