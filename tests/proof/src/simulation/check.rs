//! What must hold after a simulation.

use std::collections::BTreeMap;

use ledger::{EntryKind, MerchantId, SharedLimit, Withdrawal};
use store::{History, Version};

use super::derived::is_derived;
use super::followed::follow;
use super::known::{Asked, FAULTS_MAX, Known, Members, SCARCE, digest, homes, lock_of};
use super::report::Report;
use crate::ProofResult;
use crate::world::{CONTEST, MERCHANTS, World};

/// Checks what must hold: the audit finds no fault, the table has exactly the entries that clients
/// got answers for, and the balances are those of the model.
pub(super) async fn check(world: &World, members: &Members, report: &mut Report) -> ProofResult {
    for (number, merchant) in MERCHANTS.iter().enumerate() {
        let audited = world.audit(merchant).await?;
        report.members += audited.members;
        let people = members.keys().filter(|(of, _)| *of == number).count();
        let all = u64::try_from(people)? + u64::from(homes(u32::try_from(people)?));
        if audited.members != all {
            let found = audited.members;
            report.faults.push(format!("{merchant}: {found} members are there, of {all}"));
        }
        report.entries += audited.entries;
        let faults = audited.wrong();
        report.faults.extend(faults.take(FAULTS_MAX));
        for (name, wallet) in &audited.wallets {
            if !wallet.is_reconciled() {
                report.faults.push(format!("{merchant}: {name} does not reconcile: {wallet:?}"));
            }
        }
        let id = MerchantId::parse(merchant)?;
        let rules = world.rules(merchant)?;
        let now = world.present(&id).await?;
        let mut faults = Vec::new();
        let (mut modelled, mut judged, mut derived) = (0, 0, 0);
        let mut scarce = Scarce::default();
        let mut scores: Vec<i64> = Vec::new();
        let see = |history: History| {
            scarce.see(&history);
            let own = history.member().scores.values().map(|score| score.get());
            scores.extend(own.filter(|score| *score != 0));
            let member = history.key.member.as_str();
            let Some(member) = member.strip_prefix('m').and_then(|number| number.parse().ok())
            else {
                return;
            };
            let known = lock_of(members, number, member);
            let mut wrong = |text: String| faults.push(format!("{}: {text}", history.key));
            answered_and_stored(&history, &known, &mut wrong);
            if history.member().erased_at.is_none() {
                let compared = follow(&history, &known, merchant, &mut wrong);
                modelled += compared.0;
                judged += compared.1;
                match is_derived(&history, &rules, &now) {
                    Ok(compared) => derived += u64::from(compared),
                    Err(what) => wrong(what),
                }
            }
        };
        world.store.each(&id, see).await?;
        let left = world.store.left(&id, &SharedLimit::Stock("scarce".to_owned())).await?;
        scarce.is(left.get()).unwrap_or_else(|what| faults.push(format!("{merchant}: {what}")));
        scores.sort_unstable_by(|one, other| other.cmp(one));
        scores.truncate(PLACES as usize);
        let places = world.store.leaderboard(&id, CONTEST, PLACES).await?;
        let shown: Vec<i64> = places.iter().map(|place| place.score.get()).collect();
        if shown != scores {
            faults.push(format!("{merchant}: the board says {shown:?}, the members {scores:?}"));
        }
        report.modelled += modelled;
        report.judged += judged;
        report.derived += derived;
        report.faults.extend(faults.into_iter().take(FAULTS_MAX));
    }
    Ok(())
}

/// The places of the leaderboard that are checked.
const PLACES: u32 = 50;

/// The pieces of the scarce reward that the entries took, less those that they returned. No member
/// that may be erased takes one.
#[derive(Default)]
struct Scarce {
    taken: i64,
}

impl Scarce {
    fn see(&mut self, history: &History) {
        for line in &history.lines {
            let Some(Version { entry, .. }) = &line.version else { continue };
            let sum = |withdrawals: &[Withdrawal]| {
                withdrawals.iter().map(|withdraw| withdraw.units.get()).sum::<i64>()
            };
            self.taken += sum(&entry.withdrawals) - sum(&entry.returns);
        }
    }

    fn is(&self, left: i64) -> Result<(), String> {
        let should = SCARCE - self.taken;
        let fault = format!("{left} scarce ones are left, and by the entries {should}");
        (left >= 0 && left == should).then_some(()).ok_or(fault)
    }
}

/// Checks that every request that a client got an answer for is in the table once, and that nothing
/// else is.
fn answered_and_stored(history: &History, known: &Known, wrong: &mut impl FnMut(String)) {
    let mut answered: BTreeMap<u64, &Asked> = BTreeMap::new();
    for asked in &known.asked {
        if let Some(other) = answered.insert(asked.seq, asked) {
            wrong(format!(
                "{} and {} were both answered with entry {}",
                asked.key, other.key, asked.seq
            ));
        }
    }
    for line in &history.lines {
        let Some(version) = &line.version else {
            answered.remove(&line.seq.get());
            continue;
        };
        match answered.remove(&line.seq.get()) {
            Some(asked) if digest(version.answer.get()) != asked.answer => {
                wrong(format!("{} was answered otherwise than is stored", asked.key));
            }
            None if line.asked && !matches!(version.entry.kind, EntryKind::Erase) => {
                wrong(format!("entry {} was written, and nobody was answered", line.seq));
            }
            _ => {}
        }
    }
    for (seq, asked) in answered {
        wrong(format!("{} was answered with entry {seq}, which is not there", asked.key));
    }
}
