//! One entry of the past, made again from what was recorded before it.

use decide::{EarlierRules, TraceLine, next_due, schedule};
use ledger::activity::FRIEND;
use ledger::{Decision, Entry, EntryKind, FieldValue, MemberId, Moment, Seq};

use crate::book::{Book, Judges};
use crate::past::{Origin, Past, Recorded};
use crate::shared::AsRecorded;
use crate::told::Telling;
use crate::turns::{Links, Place, before};
use crate::unmade::Unmade;

/// An entry that was made again.
#[derive(Debug)]
pub struct Remade {
    /// The entry.
    pub entry: Entry,
    /// What each rule said, if the entry is of what the member did.
    pub lines: Vec<TraceLine>,
}

/// The first member whom an entry of a past concerns and who is not in a group.
fn missing(group: &[Past], past: &Past, recorded: &Recorded) -> Option<MemberId> {
    let at = |seq: Seq| past.entries.iter().find(|one| one.entry.seq == seq);
    let friend = |entry: &Entry| match &entry.kind {
        EntryKind::Earn { activity } => match activity.fields.get(FRIEND) {
            Some(FieldValue::Text(friend)) => MemberId::parse(friend).ok(),
            _ => None,
        },
        _ => None,
    };
    // A referral is named by its friend; if it is taken back, the friend took something back.
    let undone = recorded.entry.undoes().filter_map(at).map(|one| &one.entry);
    let friends = undone.chain([&recorded.entry]).filter_map(friend);
    let others = recorded.others().into_iter().chain(&past.enrolled.referred_by);
    let is_there = |id: &MemberId| group.iter().any(|past| past.enrolled.id == *id);
    others.cloned().chain(friends).find(|other| !is_there(other))
}

/// Makes an entry again of the first member of a group, from what was recorded before it and by the
/// rules that judged it. The others of the group are those whom it concerns; who is missing is named.
///
/// # Errors
/// There is no such entry, it is not made again, or a member or rules are missing.
pub fn remade(group: &[Past], entry: Seq, rules: &EarlierRules) -> Result<Remade, Unmade> {
    let own = entry.get().checked_sub(1).and_then(|entry| usize::try_from(entry).ok());
    let own = (0, own.ok_or(Unmade::NothingThere)?);
    let recorded = at(group, own)?;
    let links = Links::of(group);
    let known: Vec<Place> = links.from(own).collect();
    for (member, entry) in known.iter().chain([&own]) {
        let Some(past) = group.get(*member) else { continue };
        if let Some(missing) = missing(group, past, at(group, (*member, *entry))?) {
            return Err(Unmade::MemberIsMissing(missing));
        }
    }
    if recorded.origin() != Origin::Follows {
        return made(group, own, own, &links, rules);
    }
    // It was decided with an entry of another member: if nobody says which, with one of that moment.
    let is_of_then = |place: &Place| {
        at(group, *place)
            .is_ok_and(|one| one.origin() != Origin::Follows && one.entry.at == recorded.entry.at)
    };
    let all = group.iter().enumerate().skip(1);
    let all = all.flat_map(|(member, past)| (0..past.entries.len()).map(move |own| (member, own)));
    let from: Vec<Place> = match known.iter().find(|place| is_of_then(place)) {
        Some(from) => vec![*from],
        None => all.filter(is_of_then).collect(),
    };
    let mut found = Err(Unmade::NothingThere);
    for from in from {
        let made = made(group, own, from, &links, rules);
        let is_it = made.as_ref().is_ok_and(|made| made.entry == recorded.entry);
        if is_it || matches!(made, Err(Unmade::RulesAreMissing(_))) {
            return made;
        }
        if made.is_ok() || found.is_err() {
            found = made;
        }
    }
    found
}

/// Makes an entry again that was decided with another one.
fn made(
    group: &[Past],
    own: Place,
    from: Place,
    links: &Links,
    rules: &EarlierRules,
) -> Result<Remade, Unmade> {
    let recorded = at(group, from)?;
    let clock = recorded.entry.at;
    let mut kept = before(group, links, from);
    let follow: Vec<Place> = std::iter::once(from).chain(links.followers(from)).collect();
    for (member, entry) in follow.iter().chain([&own]) {
        if let Some(kept) = kept.get_mut(*member) {
            *kept = *entry;
        }
    }
    let mut book = Book::default();
    for (past, kept) in group.iter().zip(kept) {
        keep_before(&mut book, past, kept, clock)?;
    }
    let missing = || Unmade::RulesAreMissing(vec![recorded.rules.clone()]);
    let bundle = rules.get(&recorded.rules).ok_or_else(missing)?;
    let judges = Judges { bundle, earlier: rules };
    let drew = follow.iter().chain([&own].into_iter().filter(|own| !follow.contains(own)));
    let drew = drew.filter_map(|place| at(group, *place).ok());
    let mut supply = AsRecorded { entries: drew.map(|one| &one.entry).collect() };
    let id = |place: Place| group.get(place.0).map(|past| &past.enrolled.id);
    let (member, own) = id(from).zip(id(own)).ok_or(Unmade::NothingThere)?;
    let (decision, lines) = match recorded.origin() {
        Origin::Run => {
            let mut decision = book.perform(member, clock, judges, &mut supply, next_due)?;
            if decision.is_none() {
                decision = book.perform(member, clock, judges, &mut supply, schedule)?;
            }
            (decision, Vec::new())
        }
        Origin::Told | Origin::Follows => {
            let numbers = group.iter().flat_map(|past| &past.entries);
            let numbers = numbers.map(|one| (one.entry.seq, one.entry.seq)).collect();
            let telling = Telling { member, entry: &recorded.entry, numbers: &numbers, judges };
            telling.traced(&mut book, &mut supply)?
        }
    };
    let decision = decision.ok_or(Unmade::NothingThere)?;
    let Decision { entry, others, member, .. } = decision;
    if member.id == *own {
        return Ok(Remade { entry, lines });
    }
    let other = others.into_iter().find(|other| other.member.id == *own);
    let other = other.ok_or(Unmade::NothingThere)?;
    Ok(Remade { entry: other.entry, lines: Vec::new() })
}

fn at(group: &[Past], (member, entry): Place) -> Result<&Recorded, Unmade> {
    let recorded = group.get(member).and_then(|past| past.entries.get(entry));
    recorded.ok_or(Unmade::NothingThere)
}

/// Enrols a member, with its first entries as they were recorded.
fn keep_before(book: &mut Book, past: &Past, entries: usize, due_at: Moment) -> Result<(), Unmade> {
    let id = &past.enrolled.id;
    book.enroll(past.enrolled.clone(), None);
    for one in past.entries.iter().take(entries) {
        book.record(id, one).map_err(|_| Unmade::NothingThere)?;
    }
    if let Some(account) = book.accounts.get_mut(id) {
        account.due_at = Some(due_at);
    }
    Ok(())
}
