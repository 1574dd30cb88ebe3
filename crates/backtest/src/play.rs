//! Playing a group of members: everything that was told of them is told again, in the order of time,
//! and the expiry run comes when it came.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use decide::{EarlierRules, due_at, next_due, schedule};
use ledger::{Decision, Entry, MemberId, Moment, Seq, SharedLimit, Units};
use rules::Bundle;

use crate::book::{Account, Book, Judges, Supply};
use crate::past::{Origin, Past, Recorded};
use crate::shared::{AsRecorded, Draws, Shares, Timeline};
use crate::told::{Numbers, Telling};
use crate::turns::{Links, Turn, turns};
use crate::unmade::Unmade;

/// The most entries that one visit of the expiry run writes for a member.
const AT_ONCE_MAX: usize = 100;

/// What became of a group.
#[derive(Debug)]
pub(crate) struct Played {
    /// The members, in the order of the group.
    pub accounts: Vec<Account>,
    /// What could not be made again.
    pub unmade: Vec<NotMade>,
    /// What was taken from shared limits.
    pub draws: Draws,
    /// Whether a shared limit was asked for at all.
    pub has_drawn: bool,
}

/// Something of the past that could not be made again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NotMade {
    /// The member.
    pub member: MemberId,
    /// The number of the entry that was recorded.
    pub entry: Seq,
    /// Why.
    pub why: Unmade,
}

/// Plays groups by the rules that judged them, from what there was for each entry: sound rules and a
/// sound history make every entry again.
pub(crate) fn as_recorded(group: &[Past], rules: &EarlierRules) -> Played {
    let mut playing = Playing::new(group, |_| None);
    // What comes out again has the numbers that it had.
    for past in group {
        let own = past.entries.iter().map(|one| (one.entry.seq, one.entry.seq));
        playing.numbers.insert(&past.enrolled.id, own.collect());
    }
    let of_hash = |hash: &str| {
        let bundle = rules.get(hash).map(AsRef::as_ref);
        bundle.ok_or_else(|| Unmade::RulesAreMissing(vec![hash.to_owned()]))
    };
    let links = Links::of(group);
    for turn in turns(group, &links, |origin| origin != Origin::Follows) {
        let Some((past, recorded)) = at(group, turn) else { continue };
        let member = &past.enrolled.id;
        let made = of_hash(&recorded.rules).and_then(|bundle| {
            let judges = Judges { bundle, earlier: rules };
            // What follows from the entry was decided with it.
            let follow = links.follow(group, turn).into_iter().map(|(_, entry)| entry);
            let entries = [&recorded.entry].into_iter().chain(follow).collect();
            let mut supply = AsRecorded { entries };
            match recorded.origin() {
                Origin::Run => playing.visit(member, recorded.entry.at, judges, &mut supply, true),
                Origin::Told | Origin::Follows => {
                    playing.tell(member, &recorded.entry, judges, &mut supply)
                }
            }
        });
        playing.note(member, recorded, made);
    }
    playing.done(Draws::new(), false)
}

/// The rules by which groups are played, and what they share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) bundle: &'a Bundle,
    /// The rules that judged what was before they held.
    pub(crate) recorded: &'a EarlierRules,
    /// From when they hold; from the beginning, if nothing is said.
    pub(crate) from: Option<Moment>,
    /// The moments of the expiry runs, the first first.
    pub(crate) runs: &'a [Moment],
    /// The end of the past.
    pub(crate) until: Moment,
    pub(crate) totals: &'a BTreeMap<SharedLimit, Units>,
    /// What all groups took the last time.
    pub(crate) timeline: &'a Timeline,
}

/// Plays a group by one bundle, from when it holds. `drawn` is what the group took the last time.
pub(crate) fn by_rules(group: &[Past], by: By<'_>, drawn: &Draws) -> Played {
    let judges = Judges { bundle: by.bundle, earlier: by.recorded };
    let mut playing =
        Playing::new(group, |past| due_at(by.bundle, &past.enrolled, past.enrolled.enrolled_at));
    let Some(first) = group.first() else { return playing.done(Draws::new(), false) };
    let runs = Runs::of(group, by.runs);
    let mut shares = Shares {
        totals: by.totals,
        others: by.timeline,
        own_before: drawn,
        own: Draws::new(),
        has_drawn: false,
        turn: (Moment::UNIX_EPOCH, first.enrolled.id.clone(), Seq::ENROLLED),
    };
    if let Some(from) = by.from {
        playing.record(from, by.bundle, &mut shares);
    }
    let from = by.from.unwrap_or(Moment::MIN_UTC);
    let mut due = Due { runs: &runs, next: vec![None; group.len()], queue: BTreeSet::new() };
    playing.changed.extend(0..group.len());
    due.follow(&mut playing, |_| from);
    let links = Links::of(group);
    let turns = turns(group, &links, |origin| origin == Origin::Told);
    let mut turns = turns.into_iter().skip_while(|turn| turn.at < from).peekable();
    loop {
        let next_told = turns.peek().map(|turn| turn.at);
        let next_run = due.queue.first().copied().filter(|(at, _)| *at <= by.until);
        match (next_run, next_told) {
            (Some((at, place)), told) if told.is_none_or(|told| at <= told) => {
                let Some(past) = group.get(place) else { continue };
                let id = &past.enrolled.id;
                shares.turn = (at, id.clone(), Seq::ENROLLED);
                let visited = playing.visit(id, at, judges, &mut shares, false);
                playing.note_run(id, visited);
                playing.changed.push(place);
                // The run comes to the same member once.
                let next =
                    |other: usize| if other == place { at + TimeDelta::seconds(1) } else { at };
                due.follow(&mut playing, next);
            }
            (_, Some(_)) => {
                let Some(turn) = turns.next() else { break };
                let Some((past, recorded)) = at(group, turn) else { continue };
                let member = &past.enrolled.id;
                shares.turn = (turn.at, member.clone(), recorded.entry.seq);
                let made = playing.tell(member, &recorded.entry, judges, &mut shares);
                playing.note(member, recorded, made);
                playing.note_others(links.follow(group, turn));
                due.follow(&mut playing, |_| turn.at);
            }
            (_, None) => break,
        }
    }
    let (own, has_drawn) = (shares.own, shares.has_drawn);
    playing.done(own, has_drawn)
}

fn at(group: &[Past], turn: Turn) -> Option<(&Past, &Recorded)> {
    let past = group.get(turn.member)?;
    Some((past, past.entries.get(turn.entry)?))
}

/// The moments at which the expiry run comes to the members of a group.
struct Runs<'a> {
    all: &'a [Moment],
    /// When it came to each member.
    own: Vec<Vec<Moment>>,
}

impl Runs<'_> {
    fn of<'a>(group: &[Past], all: &'a [Moment]) -> Runs<'a> {
        let own = |past: &Past| {
            let runs = past.entries.iter().filter(|recorded| recorded.origin() == Origin::Run);
            runs.map(|recorded| recorded.entry.at).collect()
        };
        Runs { all, own: group.iter().map(own).collect() }
    }

    /// The first run at or after a due date: when it came to the member itself, if it did in that run,
    /// which takes until the next one.
    fn next(&self, place: usize, due_at: Option<Moment>) -> Option<Moment> {
        let due_at = due_at?;
        let first = |runs: &[Moment]| runs.partition_point(|at| *at < due_at);
        let place_of_run = first(self.all);
        let run = self.all.get(place_of_run).copied();
        let following = self.all.get(place_of_run + 1).copied();
        let own = self.own.get(place).and_then(|own| own.get(first(own))).copied();
        match (run, own) {
            (Some(_), Some(own)) if following.is_none_or(|following| own < following) => Some(own),
            (None, own) => own,
            (run, _) => run,
        }
    }
}

/// When the expiry run comes next to each member of a group.
struct Due<'a> {
    runs: &'a Runs<'a>,
    next: Vec<Option<Moment>>,
    queue: BTreeSet<(Moment, usize)>,
}

impl Due<'_> {
    /// Follows the members that have changed. No run comes to a member before a moment that has passed.
    fn follow(&mut self, playing: &mut Playing<'_>, passed: impl Fn(usize) -> Moment) {
        for place in std::mem::take(&mut playing.changed) {
            let id = playing.group.get(place).map(|past| &past.enrolled.id);
            let due_at = id.and_then(|id| playing.due_at(id));
            let due_at = due_at.map(|due_at| due_at.max(passed(place)));
            let next = self.runs.next(place, due_at);
            if let Some(known) = self.next.get_mut(place)
                && *known != next
            {
                self.queue.extend(next.map(|at| (at, place)));
                if let Some(before) = std::mem::replace(known, next) {
                    self.queue.remove(&(before, place));
                }
            }
        }
    }
}

/// A group that is being played.
struct Playing<'g> {
    group: &'g [Past],
    places: BTreeMap<&'g MemberId, usize>,
    book: Book,
    numbers: BTreeMap<&'g MemberId, Numbers>,
    unmade: Vec<NotMade>,
    /// The places of members that have changed since somebody looked.
    changed: Vec<usize>,
    /// The entries of other members that followed from the last request.
    others: Vec<(MemberId, Seq)>,
}

impl<'g> Playing<'g> {
    fn new(group: &'g [Past], due_at: impl Fn(&Past) -> Option<Moment>) -> Playing<'g> {
        let mut book = Book::default();
        for past in group {
            book.enroll(past.enrolled.clone(), due_at(past));
        }
        let places = group.iter().enumerate();
        let places = places.map(|(place, past)| (&past.enrolled.id, place)).collect();
        let numbers = BTreeMap::new();
        let (unmade, changed, others) = (Vec::new(), Vec::new(), Vec::new());
        Playing { group, places, book, numbers, unmade, changed, others }
    }

    fn due_at(&self, id: &MemberId) -> Option<Moment> {
        self.book.accounts.get(id).and_then(|account| account.due_at)
    }

    /// Lets everything be as it was recorded before a moment, from which a bundle holds.
    fn record(&mut self, from: Moment, bundle: &Bundle, shares: &mut Shares<'_>) {
        for past in self.group {
            let id = &past.enrolled.id;
            for one in past.entries.iter().take(past.entries_before(from)) {
                // An entry that does not follow has been named by the check.
                if self.book.record(id, one).is_err() {
                    break;
                }
                let seq = one.entry.seq;
                self.numbers.entry(id).or_default().insert(seq, seq);
                shares.turn = (one.entry.at, id.clone(), seq);
                shares.note_done(&one.entry);
            }
            let is_member = past.enrolled.enrolled_at < from;
            if let Some(account) = self.book.accounts.get_mut(id).filter(|_| is_member) {
                account.due_at = due_at(bundle, &account.member, from);
            }
        }
    }

    fn tell(
        &mut self,
        member: &MemberId,
        entry: &Entry,
        judges: Judges<'_>,
        supply: &mut impl Tally,
    ) -> Result<Option<Seq>, Unmade> {
        let none = Numbers::new();
        let numbers = self.numbers.get(member).unwrap_or(&none);
        let telling = Telling { member, entry, numbers, judges };
        self.others.clear();
        let decision = telling.tell(&mut self.book, supply)?;
        if let Some(decision) = &decision {
            self.follow(decision, supply);
        }
        Ok(decision.map(|decision| decision.entry.seq))
    }

    /// The expiry run comes to a member. As recorded, it writes one entry, and that one for sure.
    fn visit(
        &mut self,
        member: &MemberId,
        clock: Moment,
        judges: Judges<'_>,
        supply: &mut impl Tally,
        as_recorded: bool,
    ) -> Result<Option<Seq>, Unmade> {
        let mut last = None;
        for _ in 0..if as_recorded { 1 } else { AT_ONCE_MAX } {
            let book = &mut self.book;
            let mut decision = book.perform(member, clock, judges, supply, next_due)?;
            if decision.is_none() && as_recorded {
                decision = book.perform(member, clock, judges, supply, schedule)?;
            }
            let Some(decision) = decision else { break };
            self.follow(&decision, supply);
            last = Some(decision.entry.seq);
            if decision.due_at.is_none_or(|due_at| due_at > clock) {
                break;
            }
        }
        Ok(last)
    }

    fn follow(&mut self, decision: &Decision, supply: &mut impl Tally) {
        for one in decision.others.iter().chain([decision]) {
            supply.note(&one.entry);
            self.changed.extend(self.places.get(&one.member.id));
        }
        let others = decision.others.iter().map(|other| (other.member.id.clone(), other.entry.seq));
        self.others.extend(others);
    }

    fn note(
        &mut self,
        member: &'g MemberId,
        recorded: &Recorded,
        made: Result<Option<Seq>, Unmade>,
    ) {
        let entry = recorded.entry.seq;
        match made {
            Ok(Some(seq)) => {
                self.numbers.entry(member).or_default().insert(entry, seq);
            }
            Ok(None) => {}
            Err(why) => self.unmade.push(NotMade { member: member.clone(), entry, why }),
        }
    }

    /// Notes the numbers that recorded entries of other members have now, which followed from the last
    /// request.
    fn note_others(&mut self, recorded: Vec<(&'g MemberId, &Entry)>) {
        for (member, entry) in recorded {
            let now = self.others.iter().find(|(other, _)| other == member);
            if let Some((_, now)) = now {
                self.numbers.entry(member).or_default().insert(entry.seq, *now);
            }
        }
    }

    fn note_run(&mut self, member: &MemberId, visited: Result<Option<Seq>, Unmade>) {
        if let Err(why) = visited {
            let member = member.clone();
            self.unmade.push(NotMade { member, entry: Seq::ENROLLED, why });
        }
    }

    fn done(mut self, draws: Draws, has_drawn: bool) -> Played {
        let ids = self.group.iter().map(|past| &past.enrolled.id);
        let accounts = ids.filter_map(|id| self.book.accounts.remove(id)).collect();
        Played { accounts, unmade: self.unmade, draws, has_drawn }
    }
}

/// A supply that notes what entries take.
pub(crate) trait Tally: Supply {
    /// Notes what an entry takes and puts back.
    fn note(&mut self, entry: &Entry);
}

impl Tally for Shares<'_> {
    fn note(&mut self, entry: &Entry) {
        Shares::note(self, entry);
    }
}

impl Tally for AsRecorded<'_> {
    fn note(&mut self, _: &Entry) {}
}
