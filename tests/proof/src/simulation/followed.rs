//! What the entries of a member stand for in the model: each request and each reversal, by the
//! request's own body.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use ledger::{EntryKind, HoldId, Posting, PostingReason};
use serde_json::Value;
use store::{History, VersionLine};

use super::known::{Asked, Known, Refused, price};
use crate::model::{Course, Happened, Span};

/// All that is left of something.
const WHOLE: i64 = i64::MAX;

/// What a request did, and what of it has come back.
struct Done {
    /// Its events, with their moments and entries.
    events: Vec<(i64, u64, Happened)>,
    of: Kind,
    /// The entries that took it back, and how much: cents of an order, units of a reward.
    back: Vec<(u64, i64)>,
}

/// What can come back.
enum Kind {
    /// An order of so many cents and pieces.
    Order { total: i64, pieces: i64 },
    /// A reward of so many units.
    Reward(i64),
    /// Something that comes back as a whole.
    Plain,
}

impl Done {
    /// What is left, if the reversals `back` stand; nothing if all is gone.
    fn left(&self, stands: impl Fn(u64) -> bool) -> Option<i64> {
        let all = match self.of {
            Kind::Order { total, .. } => total,
            Kind::Reward(units) => units,
            Kind::Plain => 1,
        };
        let mut back = self.back.iter().filter(|(by, _)| stands(*by)).map(|(_, amount)| *amount);
        let left = back.try_fold(all, |left, amount| (amount != WHOLE).then_some(left - amount))?;
        // A reward of which no unit is left comes back with its hold.
        let is_gone = matches!(self.of, Kind::Reward(_)) && left == 0 && all > 0;
        (!is_gone).then_some(left)
    }
}

/// A verb and a key, or `received` and the number of an entry.
type Name = (String, String);

/// The model of a member's points, as of the entries seen so far.
struct Followed<'a> {
    merchant: &'a str,
    course: Course,
    done: HashMap<Name, Done>,
    /// The reversals, by their keys.
    reversals: HashMap<String, u64>,
    /// What each reversal took back, and which other reversal undid it last.
    took_back: HashMap<u64, Name>,
    undone_by: HashMap<u64, u64>,
    /// The returns of pieces.
    pieces: HashSet<u64>,
    /// The entry and the units of each hold.
    held: HashMap<HoldId, (i64, u64, Happened)>,
}

/// Replays a member's entries in the model and compares. Returns the numbers of balances and of
/// refusals that were compared.
pub(super) fn follow(
    history: &History,
    known: &Known,
    merchant: &str,
    wrong: &mut impl FnMut(String),
) -> (u64, u64) {
    let answered: BTreeMap<u64, &Asked> =
        known.asked.iter().map(|asked| (asked.seq, asked)).collect();
    let mut followed = Followed {
        merchant,
        course: Course::default(),
        done: HashMap::new(),
        reversals: HashMap::new(),
        took_back: HashMap::new(),
        undone_by: HashMap::new(),
        pieces: HashSet::new(),
        held: HashMap::new(),
    };
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
        match answered.get(&line.seq.get()) {
            None => followed.see_unasked(line, &entry.kind),
            Some(asked) => {
                if let Err(what) = followed.see((line.seq.get(), now), &entry.kind, asked) {
                    wrong(format!("entry {} ({kind}) {what}", line.seq));
                    return (compared, judged);
                }
            }
        }
        // The balance of the stored answer, if there is one. It is what the client got, or the
        // hashes would have differed.
        let answer: Value = serde_json::from_str(version.answer.get()).unwrap_or_default();
        let balance = answer["entry"]["balances"]["points"].as_i64();
        let balance =
            balance.unwrap_or_else(|| entry.balances.get("points").map_or(0, |n| n.get()));
        let mut points = followed.course.play();
        let expected = points.spendable(now);
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
            // A member's time does not go back, whatever the clock of a worker says.
            let has = points.clone().spendable((*at).max(version.member.happened_at.timestamp()));
            if has >= *units {
                wrong(format!(
                    "{units} points were refused after entry {seq}, by the model it has {has}"
                ));
            }
        }
    }
    let expected = followed.course.play().posted();
    let posted = history.member().wallet("points").posted();
    if posted != expected {
        wrong(format!("it holds {posted} points, by the model {expected}"));
    }
    (compared, judged)
}

impl Followed<'_> {
    /// An entry that no request of the member made.
    fn see_unasked(&mut self, line: &VersionLine, what: &EntryKind) {
        let (now, seq) = (line.at.timestamp(), line.seq.get());
        match what {
            // Units from another member keep their ends.
            EntryKind::Transfer { .. } => {
                let name = ("received".to_owned(), seq.to_string());
                self.add(&name, vec![(now, seq, received(line))], Kind::Plain);
            }
            EntryKind::Reverse { of, .. } => self.undone_by_other(of.get(), seq),
            EntryKind::Expire => self.course.add(now, seq, Happened::Expired),
            _ => {}
        }
    }

    /// The entry of a request.
    fn see(
        &mut self,
        (seq, now): (u64, i64),
        what: &EntryKind,
        asked: &Asked,
    ) -> Result<(), &'static str> {
        let body = &asked.body;
        let units = body["units"].as_i64().unwrap_or_default();
        let stated = body["at"].as_str().and_then(|at| at.parse().ok());
        let at = stated.map_or(now, |at: DateTime<Utc>| at.timestamp()).min(now);
        let is_there = |units: i64, wrong| {
            let there = self.course.until(at).play().spendable(at);
            (there >= units).then_some(()).ok_or(wrong)
        };
        let name = (asked.verb.to_owned(), asked.key.clone());
        match what {
            EntryKind::Earn { activity } => {
                let at = stated.map_or(now, |at| at.timestamp());
                (activity.at.timestamp() == at)
                    .then_some(())
                    .ok_or("is stated for another time")?;
                self.bought(&name, (at, seq, now), body)?;
            }
            EntryKind::Redeem { .. } => {
                is_there(price(body), "spends what is not there")?;
                let events = vec![(at, seq, Happened::Took(price(body)))];
                self.add(&name, events, Kind::Reward(price(body)));
            }
            EntryKind::Hold { hold, until, .. } => {
                let units = price(body);
                is_there(units, "holds what is not there")?;
                let until = until.timestamp();
                (until == now + 120 * 60).then_some(()).ok_or("is held for another time")?;
                let held = Happened::Held { units, hold: hold.to_string(), until };
                self.course.add(now, seq, held.clone());
                self.held.insert(hold.clone(), (now, seq, held));
            }
            EntryKind::Capture { hold, .. } => {
                let of = self.held.remove(hold).ok_or("captures what is not held")?;
                let Happened::Held { units: held, .. } = of.2 else { return Err("is no hold") };
                let units = body["units"].as_i64().unwrap_or(held);
                let captured = Happened::Captured { units, hold: hold.to_string() };
                self.add(&name, vec![(now, seq, captured), of], Kind::Reward(units));
            }
            EntryKind::Release { hold } => {
                self.held.remove(hold).ok_or("releases what is not held")?;
                self.course.add(now, seq, Happened::Released(hold.to_string()));
            }
            EntryKind::Reverse { .. } => {
                self.undo(body, seq).ok_or("undoes what was not done")?;
                self.reversals.insert(asked.key.clone(), seq);
            }
            EntryKind::Adjust { .. } if units > 0 => {
                let until = until(at, self.merchant);
                let came = Happened::Came(vec![Span { units, from: 0, until }]);
                self.add(&name, vec![(at, seq, came)], Kind::Plain);
            }
            EntryKind::Adjust { .. } => {
                is_there(-units, "takes what is not there")?;
                self.add(&name, vec![(at, seq, Happened::Took(-units))], Kind::Plain);
            }
            EntryKind::Transfer { .. } => {
                is_there(units, "gives what is not there")?;
                self.add(&name, vec![(now, seq, Happened::Took(units))], Kind::Plain);
            }
            _ => {}
        }
        Ok(())
    }

    /// A purchase at a moment, told now.
    fn bought(
        &mut self,
        name: &Name,
        (at, seq, now): (i64, u64, i64),
        body: &Value,
    ) -> Result<(), &'static str> {
        let total = cents(&body["order"]["total"]);
        if let Some(replaced) = body["replaces"].as_str() {
            let replaced = ("earn".to_owned(), replaced.to_owned());
            self.take_back(&replaced, seq, WHOLE).ok_or("replaces what was not done")?;
        }
        if let Some(order) = body["returns"]["order"].as_str() {
            let order = ("earn".to_owned(), order.to_owned());
            self.comes_back(&order, seq, &body["returns"]).ok_or("exchanges what was not done")?;
        }
        let from = if self.merchant == "south" { at + 3 * 86_400 } else { 0 };
        let span = Span { units: total / 100, from, until: until(at, self.merchant) };
        let pieces = body["order"]["lines"][0]["quantity"].as_i64().unwrap_or_default();
        let events = vec![(at.min(now), seq, Happened::Came(vec![span]))];
        self.add(name, events, Kind::Order { total, pieces });
        Ok(())
    }

    /// Adds what a request did.
    fn add(&mut self, name: &Name, events: Vec<(i64, u64, Happened)>, of: Kind) {
        self.done.insert(name.clone(), Done { events, of, back: Vec::new() });
        self.refresh(name);
    }

    /// Whether a reversal stands: it is not undone, or what undid it is undone.
    fn stands(&self, reversal: u64) -> bool {
        self.undone_by.get(&reversal).is_none_or(|by| !self.stands(*by))
    }

    /// What is left of what a request did; nothing if all is gone.
    fn left(&self, name: &Name) -> Option<i64> {
        self.done.get(name)?.left(|reversal| self.stands(reversal))
    }

    /// Puts into the course what is left of something.
    fn refresh(&mut self, name: &Name) {
        let left = self.left(name);
        let Some(done) = self.done.get(name) else { return };
        for (at, entry, what) in &done.events {
            self.course.remove(*entry);
            let Some(left) = left else { continue };
            let what = match (what, &done.of) {
                (Happened::Came(spans), Kind::Order { .. }) => {
                    let units = left / 100;
                    Happened::Came(spans.iter().map(|span| Span { units, ..*span }).collect())
                }
                (Happened::Took(_), Kind::Reward(_)) => Happened::Took(left),
                (Happened::Captured { hold, .. }, Kind::Reward(_)) => {
                    Happened::Captured { units: left, hold: hold.clone() }
                }
                (other, _) => other.clone(),
            };
            self.course.add(*at, *entry, what);
        }
    }

    /// Takes back something, or a part of it; `None` if it was not done, or has less left.
    fn take_back(&mut self, name: &Name, by: u64, amount: i64) -> Option<()> {
        let left = self.left(name)?;
        let done = self.done.get_mut(name)?;
        done.back.push((by, amount));
        self.took_back.insert(by, name.clone());
        self.refresh(name);
        (amount == WHOLE || amount <= left).then_some(())
    }

    /// A reversal is undone by another; `None` if it does not stand.
    fn undo_reversal(&mut self, reversal: u64, by: u64) -> Option<()> {
        if !self.stands(reversal) {
            return None;
        }
        self.undone_by.insert(reversal, by);
        // The reversal that took something back, at the end of the chain.
        let mut first = reversal;
        while let Some((undone, _)) = self.undone_by.iter().find(|(_, by)| **by == first) {
            first = *undone;
        }
        let name = self.took_back.get(&first)?.clone();
        self.refresh(&name);
        Some(())
    }

    /// A reversal of the member's own: of a request, or of a reversal.
    fn undo(&mut self, body: &Value, seq: u64) -> Option<()> {
        if let Some(key) = body["reverse"].as_str() {
            return self.undo_reversal(*self.reversals.get(key)?, seq);
        }
        let verbs = ["earn", "redeem", "capture", "adjust", "transfer"];
        let verb = verbs.into_iter().find(|verb| !body[verb].is_null())?;
        let name = (verb.to_owned(), body[verb].as_str()?.to_owned());
        self.comes_back(&name, seq, body)
    }

    /// Something comes back, or a part of it: `body` says which, of a reversal or of an exchange.
    fn comes_back(&mut self, name: &Name, seq: u64, body: &Value) -> Option<()> {
        let left = self.left(name)?;
        let done = self.done.get(name)?;
        let amount = match (&done.of, &body["refund"], &body["lines"], &body["units"]) {
            (Kind::Order { pieces, .. }, Value::Null, lines, _) if !lines.is_null() => {
                // A piece is worth its part of what was paid, to the cent; the last one, all.
                let is_one = |by: u64| self.pieces.contains(&by) && self.stands(by);
                let gone = done.back.iter().filter(|(by, _)| is_one(*by)).count();
                let pieces = pieces - i64::try_from(gone).ok()?;
                self.pieces.insert(seq);
                if pieces == 1 { left } else { (left + 1).checked_div(pieces)? }
            }
            (_, Value::Null, _, Value::Null) => WHOLE,
            (_, Value::Null, _, units) => units.as_i64()?,
            (_, refund, _, _) => cents(refund),
        };
        self.take_back(name, seq, amount)
    }

    /// A reversal by another member: of a transfer, or of the reversal of one.
    fn undone_by_other(&mut self, of: u64, seq: u64) {
        let name = ("received".to_owned(), of.to_string());
        if self.take_back(&name, seq, WHOLE).is_none() {
            self.undo_reversal(of, seq);
        }
    }
}

/// Units that came from another member, with their ends. Those that paid the debt come first.
fn received(line: &VersionLine) -> Happened {
    let own = line.postings.iter().filter(|posting| posting.wallet.as_str() == "points");
    let came = own.filter(|posting| posting.why == PostingReason::Transferred);
    let span = |posting: &Posting| {
        let until = posting.came_with().and_then(|terms| terms.expires_at);
        let until = until.map_or(i64::MAX, |at| at.timestamp());
        Span { units: posting.units.get(), from: 0, until }
    };
    Happened::Came(came.map(span).collect())
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
