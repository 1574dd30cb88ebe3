//! What must hold after a simulation.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use ledger::HoldId;
use ledger::{EntryKind, MerchantId, PostingReason, SharedLimit, Withdrawal};
use serde_json::Value;
use store::{History, Version, VersionLine};

use super::known::{
    Asked, FAULTS_MAX, Known, Members, Refused, SCARCE, digest, homes, lock_of, price,
};
use super::report::Report;
use crate::ProofResult;
use crate::model::{Points, Span};
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
        let mut faults = Vec::new();
        let (mut modelled, mut judged) = (0, 0);
        let mut scarce = Scarce::default();
        let mut scores: Vec<i64> = Vec::new();
        let see = |history: History| {
            scarce.see(&history);
            scores.extend(history.member().scores.values().map(|score| score.get()));
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

/// The result of a request, for a reversal of it.
enum Came {
    /// The units earned, and what is left of the order: its total, in cents, and its pieces.
    Earned {
        span: Span,
        left: i64,
        pieces: i64,
    },
    Spent(Vec<Span>),
    /// The request was reversed as a whole.
    Undone,
}

/// The model of a member's points, as of the entries seen so far.
struct Followed<'a> {
    merchant: &'a str,
    points: Points,
    came: HashMap<(&'static str, String), Came>,
    held: HashMap<HoldId, i64>,
}

/// Replays a member's entries in the model and compares. Returns the numbers of balances and of
/// refusals that were compared.
fn follow(
    history: &History,
    known: &Known,
    merchant: &str,
    wrong: &mut impl FnMut(String),
) -> (u64, u64) {
    let answered: BTreeMap<u64, &Asked> =
        known.asked.iter().map(|asked| (asked.seq, asked)).collect();
    let (points, came, held) = (Points::default(), HashMap::new(), HashMap::new());
    let mut followed = Followed { merchant, points, came, held };
    let mut refused: BTreeMap<u64, Vec<&Refused>> = BTreeMap::new();
    for one in &known.refused {
        refused.entry(one.seq).or_default().push(one);
    }
    let (mut compared, mut judged) = (0, refused.get(&0).map_or(0, |none| none.len() as u64));
    for line in &history.lines {
        let Some(version) = &line.version else { return (compared, judged) };
        let now = line.at.timestamp();
        let entry = &version.entry;
        let kind = entry.kind.verb();
        if let Err(what) =
            followed.see(line, &entry.kind, answered.get(&line.seq.get()).copied(), now)
        {
            wrong(format!("entry {} ({kind}) {what}", line.seq));
            return (compared, judged);
        }
        // The balance of the stored answer, if there is one. It is what the client got, or the
        // hashes would have differed.
        let answer: Value = serde_json::from_str(version.answer.get()).unwrap_or_default();
        let balance = answer["entry"]["balances"]["points"].as_i64();
        let balance =
            balance.unwrap_or_else(|| entry.balances.get("points").map_or(0, |n| n.get()));
        let expected = followed.points.spendable(now);
        compared += 1;
        if balance != expected {
            wrong(format!(
                "entry {} ({kind}) says {balance} points, the model {expected}",
                line.seq
            ));
            return (compared, judged);
        }
        for Refused { seq, at, units } in refused.get(&line.seq.get()).into_iter().flatten() {
            judged += 1;
            let has = followed.points.clone().spendable(*at);
            if has >= *units {
                wrong(format!(
                    "{units} points were refused after entry {seq}, by the model it has {has}"
                ));
            }
        }
    }
    let (posted, expected) = (history.member().wallet("points").posted(), followed.points.posted());
    if posted != expected {
        wrong(format!("it holds {posted} points, by the model {expected}"));
    }
    (compared, judged)
}

impl Followed<'_> {
    fn see(
        &mut self,
        line: &VersionLine,
        what: &EntryKind,
        asked: Option<&Asked>,
        now: i64,
    ) -> Result<(), &'static str> {
        let Some(asked) = asked else {
            match what {
                // Units from another member keep their ends.
                EntryKind::Transfer { .. } => received(&mut self.points, line, now),
                EntryKind::Expire => self.points.expire(now),
                _ => {}
            }
            return Ok(());
        };
        let body = &asked.body;
        let units = body["units"].as_i64().unwrap_or_default();
        match what {
            EntryKind::Earn { activity } => {
                let left = cents(&body["order"]["total"]);
                let at = body["at"].as_str().and_then(|at| at.parse().ok());
                let at: i64 = at.map_or(now, |at: DateTime<Utc>| at.timestamp());
                (activity.at.timestamp() == at)
                    .then_some(())
                    .ok_or("is stated for another time")?;
                let from = if self.merchant == "south" { at + 3 * 86_400 } else { 0 };
                let span = Span { units: left / 100, from, until: until(at, self.merchant) };
                self.points.credit(span, now);
                let pieces = body["order"]["lines"][0]["quantity"].as_i64().unwrap_or_default();
                let earned = Came::Earned { span, left, pieces };
                self.came.insert(("earn", asked.key.clone()), earned);
            }
            EntryKind::Redeem { .. } => {
                let spent = self.points.take(price(body), now).ok_or("spends what is not there")?;
                self.came.insert(("redeem", asked.key.clone()), Came::Spent(spent));
            }
            EntryKind::Hold { hold, until, .. } => {
                let units = price(body);
                self.held.insert(hold.clone(), units);
                let until = until.timestamp();
                self.points
                    .hold(units, hold.as_str(), until, now)
                    .ok_or("holds what is not there")?;
                (until == now + 120 * 60).then_some(()).ok_or("is held for another time")?;
            }
            EntryKind::Capture { hold, .. } => {
                let held = self.held.get(hold).copied().unwrap_or_default();
                let units = body["units"].as_i64().unwrap_or(held);
                let spent = self.points.capture(units, hold.as_str(), now);
                let spent = spent.ok_or("captures what is not held")?;
                self.came.insert(("capture", asked.key.clone()), Came::Spent(spent));
            }
            EntryKind::Release { hold } => {
                self.points.release(hold.as_str(), now).ok_or("releases what is not held")?;
            }
            EntryKind::Reverse { .. } => self.undo(body, now).ok_or("undoes what was not done")?,
            EntryKind::Adjust { .. } if units > 0 => {
                let until = until(now, self.merchant);
                self.points.credit(Span { units, from: 0, until }, now);
            }
            EntryKind::Adjust { .. } => {
                self.points.take(-units, now).ok_or("takes what is not there")?;
            }
            EntryKind::Transfer { .. } => {
                self.points.take(units, now).ok_or("gives what is not there")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Reverses an earn, a redemption or a capture; `None` if it was not done, is reversed already,
    /// or has less left than comes back.
    fn undo(&mut self, body: &Value, now: i64) -> Option<()> {
        let verb = ["earn", "redeem", "capture"].into_iter().find(|verb| !body[verb].is_null())?;
        let came = self.came.get_mut(&(verb, body[verb].as_str()?.to_owned()))?;
        match came {
            Came::Earned { span, left, pieces } => {
                let back = match (&body["refund"], &body["lines"]) {
                    (Value::Null, Value::Null) => *left,
                    // A piece is worth its part of what was paid, to the cent; the last one, all.
                    (Value::Null, _) => {
                        let half = (*left + 1).checked_div(*pieces)?;
                        let back = if *pieces == 1 { *left } else { half };
                        *pieces -= 1;
                        back
                    }
                    (refund, _) => cents(refund),
                };
                *left -= back;
                let units = *left / 100;
                self.points.take_back(Span { units: span.units - units, ..*span }, now);
                span.units = units;
                let (valid, is_whole) = (*left >= 0, body["refund"] == body["lines"]);
                if is_whole {
                    *came = Came::Undone;
                }
                valid.then_some(())
            }
            Came::Spent(spans) => {
                self.points.give_back(spans, now);
                *came = Came::Undone;
                Some(())
            }
            Came::Undone => None,
        }
    }
}

/// Adds units that came from another member. Units that paid the debt come first; the entry no
/// longer has their end.
fn received(points: &mut Points, line: &VersionLine, now: i64) {
    let own = line.postings.iter().filter(|posting| posting.wallet.as_str() == "points");
    let came = own.filter(|posting| posting.why == PostingReason::Transferred);
    let (into_lots, into_debt): (Vec<_>, Vec<_>) =
        came.partition(|posting| posting.to_lot().is_some());
    for posting in into_debt.into_iter().chain(into_lots) {
        let until = posting.to_lot().and_then(|terms| terms.expires_at);
        let until = until.map_or(i64::MAX, |at| at.timestamp());
        points.credit(Span { units: posting.units.get(), from: 0, until }, now);
    }
}

/// The moment 20 days later by the merchant's local time.
fn until(at: i64, merchant: &str) -> i64 {
    let zone = match merchant {
        "north" => chrono_tz::Europe::Berlin,
        _ => chrono_tz::America::Santiago,
    };
    let Some(at) = chrono::DateTime::from_timestamp(at, 0) else { return i64::MAX };
    let local: NaiveDateTime = at.with_timezone(&zone).naive_local() + TimeDelta::days(20);
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::None => {
            // The local time is in the hour that clocks skip, so the offset of the day before
            // counts.
            let before = zone.from_utc_datetime(&(local - TimeDelta::days(1)));
            let offset = before.naive_local() - before.naive_utc();
            (local - offset).and_utc().timestamp()
        }
        found => found.earliest().map_or(i64::MAX, |at| at.timestamp()),
    }
}

fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_default();
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    whole.parse::<i64>().unwrap_or_default() * 100 + part.parse::<i64>().unwrap_or_default()
}
