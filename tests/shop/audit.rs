//! What must always hold for a table.

use std::collections::BTreeMap;

use ::audit::{Owed, Period, counted};
use backtest::{Backtest, Origin, Past, Round, Seen, Unmade, remade};
use chrono::TimeDelta;
use decide::EarlierRules;
use history::past_of;
use ledger::{MemberId, MerchantId, Moment, Movement, WalletName};
use liability::{Kept, Line, is_bought};
use local::Database;
use rust_decimal::Decimal;
use store::{History, Store, Version};

/// The result of an audit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Members.
    pub members: usize,
    /// Entries.
    pub entries: usize,
    /// Everything that is wrong; empty in a sound table.
    pub faults: Vec<String>,
}

/// Audits a merchant's table as `regulars audit` does. Also checks that each code that an entry
/// gave is recorded in its pool for the same member.
///
/// # Panics
/// The table cannot be read.
pub async fn audit(store: &Store, merchant: &str) -> Audited {
    let merchant = MerchantId::parse(merchant).unwrap();
    let found = ::audit::audit(store, &merchant, Period::default()).await.unwrap();
    let mut faults: Vec<String> = found.wrong().collect();
    for (name, wallet) in &found.wallets {
        if !wallet.is_reconciled() {
            faults.push(format!("{name} does not reconcile: {wallet:?}"));
        }
    }
    let mut given = Vec::new();
    let see = |history: History| {
        faults.extend(not_followed(&history));
        for reason in history.versions().flat_map(|version| version.entry.all_reasons()) {
            if let ledger::Effect::Voucher { pool, code, .. } = &reason.effect {
                given.push((history.key.member.clone(), pool.clone(), code.clone()));
            }
        }
    };
    store.each(&merchant, see).await.unwrap();
    // A year later, so that what has expired is in no entry.
    let last = found_last(store, &merchant).await;
    let period = Period { from: None, until: last.checked_add_signed(TimeDelta::days(400)) };
    faults.extend(not_opened(store, &merchant, period).await);
    for (member, pool, code) in given {
        let has = store.who_has(&merchant, &pool, &code).await.unwrap();
        if has.as_ref() != Some(&member) {
            faults.push(format!("{member} was given `{code}`, and {has:?} has it"));
        }
    }
    faults.extend(not_made_again(store, &merchant).await);
    let count = |number: u64| usize::try_from(number).unwrap();
    Audited { members: count(found.members), entries: count(found.entries), faults }
}

/// The lines of the books of a wallet, in units and in money.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines([(i64, Decimal); 6]);

impl Lines {
    fn of(&mut self, line: Movement) -> &mut (i64, Decimal) {
        let Lines([issued, redeemed, expired, reversed, adjusted, transferred]) = self;
        match line {
            Movement::Issued => issued,
            Movement::Redeemed => redeemed,
            Movement::Expired => expired,
            Movement::Reversed => reversed,
            Movement::Adjusted => adjusted,
            Movement::Transferred => transferred,
        }
    }

    fn told(owed: &Owed) -> Lines {
        let Owed { units, money, .. } = owed;
        Lines([
            (units.issued, money.issued),
            (units.redeemed, money.redeemed),
            (units.expired, money.expired),
            (units.reversed, money.reversed),
            (units.adjusted, money.adjusted),
            (units.transferred, money.transferred),
        ])
    }
}

/// The wallets of which a line of the books is not the sum of what is behind it.
///
/// # Panics
/// The table cannot be read.
pub async fn not_opened(store: &Store, merchant: &MerchantId, period: Period) -> Vec<String> {
    let audited = ::audit::audit(store, merchant, period).await.unwrap();
    let mut lines: BTreeMap<WalletName, Lines> = BTreeMap::new();
    let see = |history: History| {
        for one in counted(&period, &history) {
            let (units, money) = lines.entry(one.wallet).or_default().of(one.line);
            *units += one.units;
            *money += one.money;
        }
    };
    store.each(merchant, see).await.unwrap();
    let differs = |(name, wallet): (&WalletName, &Owed)| {
        let (own, books) = (lines.remove(name).unwrap_or_default(), Lines::told(wallet));
        (own != books)
            .then(|| format!("{name}: the books have {books:?}, and what is behind them {own:?}"))
    };
    audited.wallets.iter().filter_map(differs).collect()
}

/// When the last entry of a merchant was decided.
async fn found_last(store: &Store, merchant: &MerchantId) -> Moment {
    let mut last = Moment::UNIX_EPOCH;
    let see = |history: History| {
        last = history.lines.last().map_or(last, |line| line.at.max(last));
    };
    store.each(merchant, see).await.unwrap();
    last
}

/// The wallets in which the books do not find the units of a member, in units and in money, by following
/// its postings.
fn not_followed(history: &History) -> Vec<String> {
    let mut kept = Kept::new(chrono_tz::UTC);
    for line in &history.lines {
        let entry = line.version.as_ref().map(|version| &version.entry.kind);
        let is_bought = is_bought(line.verb, line.moved, entry);
        kept.see(Line { at: line.at, postings: &line.postings, is_bought });
    }
    let member = history.member();
    let differs = |(name, units, worth): (&WalletName, i64, Decimal)| {
        let wallet = member.wallet(name.as_str());
        let lots = wallet.lots();
        let stored: i64 = lots.iter().map(|lot| lot.units.get()).sum();
        let money = lots.iter().filter_map(|lot| lot.units.checked_worth(lot.terms.worth?));
        let money: Decimal = money.sum();
        ((stored, money) != (units, worth)).then(|| {
            format!(
                "{}: {units} {name} worth {worth} followed, {stored} worth {money} stored",
                history.key
            )
        })
    };
    kept.left().filter_map(differs).collect()
}

/// What of the recorded past does not come out when all of it is told again, under the rules that judged
/// it.
async fn not_made_again(store: &Store, merchant: &MerchantId) -> Vec<String> {
    let mut pasts = Vec::new();
    store.each(merchant, |history| pasts.extend(past_of(&history))).await.unwrap();
    pasts.sort_by(|one, other| one.enrolled.id.cmp(&other.enrolled.id));
    let mut recorded = EarlierRules::new();
    for hash in pasts.iter().flat_map(|past| &past.entries).map(|one| &one.rules) {
        if !recorded.contains_key(hash) {
            // Some tests break rules on purpose, and then nothing can be judged by them.
            let Ok(bundle) = api::bundle_of(store, merchant, hash).await else { return Vec::new() };
            recorded.insert(hash.clone(), bundle.into());
        }
    }
    let mut wrong = not_remade(&pasts, &recorded);
    let Some(bundle) = recorded.values().next() else { return Vec::new() };
    let recorded_entries = pasts.iter().flat_map(|past| &past.entries);
    let runs = recorded_entries.filter(|one| one.origin() == Origin::Run);
    let mut runs: Vec<Moment> = runs.map(|one| one.entry.at).collect();
    runs.sort();
    let until = pasts.iter().flat_map(|past| &past.entries).map(|one| one.entry.at).max();
    let test = Backtest {
        bundle,
        recorded: &recorded,
        baseline: None,
        runs: &runs,
        from: None,
        until: until.unwrap_or_default(),
    };
    let mut seen = Seen::default();
    test.see(&mut seen, &pasts, &Round::default());
    let differences = seen.check.differences.iter();
    wrong.extend(
        differences.map(|one| format!("{}, entry {}: {}", one.member, one.entry, one.what)),
    );
    // Rules that nobody has changed come to what was recorded.
    if recorded.len() == 1 && seen.check.incomplete == 0 && wrong.is_empty() && seen.old != seen.new
    {
        let Seen { old, new, unmade, .. } = &seen;
        wrong.push(format!("recorded {old:#?}\nnow {new:#?}\n{unmade:?}"));
    }
    wrong
}

/// The entries that are otherwise when each is made again alone, as `regulars explain` does.
fn not_remade(pasts: &[Past], rules: &EarlierRules) -> Vec<String> {
    let past = |id: &MemberId| pasts.iter().find(|past| past.enrolled.id == *id).cloned();
    let mut wrong = Vec::new();
    for own in pasts {
        let id = &own.enrolled.id;
        for recorded in &own.entries {
            let entry = &recorded.entry;
            let mut group = vec![own.clone()];
            let made = loop {
                match remade(&group, entry.seq, rules) {
                    Err(Unmade::MemberIsMissing(id)) => match past(&id) {
                        Some(past) => group.push(past),
                        // Nothing is known of who has been erased.
                        None => break None,
                    },
                    made => break Some(made),
                }
            };
            let Some(made) = made else { continue };
            match made {
                Ok(again) if again.entry == *entry => {}
                Ok(again) => wrong.push(format!("{id}: {entry:?} made again is {:?}", again.entry)),
                Err(why) => wrong.push(format!("{id}, entry {}: {why}", entry.seq)),
            }
        }
    }
    wrong
}

/// Every member with its entries as text, for comparing two tables. The hashes are left out, since
/// the members of each table have their own keys.
///
/// # Panics
/// The table cannot be read.
pub async fn dump(database: &Database, merchant: &str) -> Vec<String> {
    let merchant = MerchantId::parse(merchant).unwrap();
    let mut lines = Vec::new();
    let see = |history: History| {
        let at = &history.key;
        lines.push(format!("{at} {:?}", history.enrolled));
        for Version { entry, member, bundle, fingerprint, answer, .. } in history.versions() {
            lines.push(format!("{at} {entry:?} {member:?} {bundle} {fingerprint:?} {answer}"));
        }
    };
    database.store().each(&merchant, see).await.unwrap();
    lines.sort();
    lines
}
