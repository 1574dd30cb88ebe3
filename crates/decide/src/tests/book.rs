//! A book of members: what a store does for a decision, in memory.

use std::sync::Arc;

use ledger::decision_data::Then;
use ledger::{Entry, HistorySlice, MissingData, Seq, Since};

use super::*;
use crate::{EarlierRules, Refusal, derived, due_at, next_due};

/// A member's versions, the oldest first.
#[derive(Debug, Clone)]
pub(super) struct Versions {
    pub(super) enrolled: Member,
    pub(super) all: Vec<Version>,
}

/// An entry, the member after it, and the rules that decided it.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) entry: Entry,
    pub(super) member: Member,
    rules: String,
}

impl Versions {
    pub(super) fn member(&self) -> &Member {
        self.all.last().map_or(&self.enrolled, |version| &version.member)
    }

    /// The slice after the first `from` versions.
    fn slice(&self, from: usize) -> HistorySlice {
        let before = match from.checked_sub(1) {
            None => self.enrolled.clone(),
            Some(last) => self.all[last].member.clone(),
        };
        let since = &self.all[from..];
        HistorySlice {
            before,
            entries: since.iter().map(|version| version.entry.clone()).collect(),
            rules: since.iter().map(|version| version.rules.clone()).collect(),
        }
    }

    fn since(&self, mut since: Since) -> HistorySlice {
        for (place, version) in self.all.iter().enumerate().rev() {
            if since.is_after(&version.member) {
                return self.slice(place + 1);
            }
            since = since.with(&version.entry);
        }
        self.slice(0)
    }

    fn then(&self, then: &Then) -> Member {
        let until = usize::try_from(then.newest.get()).unwrap();
        let mut told = self.all[..until].iter().rev();
        let before = told.find(|version| version.member.happened_at <= then.at);
        before.map_or_else(|| self.enrolled.clone(), |version| version.member.clone())
    }
}

/// Members, and the rules that judge them.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) bundle: Arc<Bundle>,
    earlier: EarlierRules,
    pub(super) members: BTreeMap<MemberId, Versions>,
}

impl Book {
    pub(super) fn new(bundle: &Arc<Bundle>) -> Book {
        let bundle = Arc::clone(bundle);
        Book { bundle, earlier: EarlierRules::new(), members: BTreeMap::new() }
    }

    pub(super) fn enroll(&mut self, enrolled: Member) {
        self.members.insert(enrolled.id.clone(), Versions { enrolled, all: Vec::new() });
    }

    pub(super) fn member(&self, id: &str) -> &Member {
        self.members[&MemberId::parse(id).unwrap()].member()
    }

    /// Decides for a member, and keeps what was decided.
    pub(super) fn perform(
        &mut self,
        id: &str,
        now: Moment,
        decide: impl Fn(&Context<'_>, &Member) -> Result<Decision, Undecided>,
    ) -> Result<Decision, Refusal> {
        let decided = |context: &Context<'_>, member: &Member| decide(context, member).map(Some);
        Ok(self.maybe(id, now, decided)?.unwrap())
    }

    fn maybe(
        &mut self,
        id: &str,
        now: Moment,
        decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, Undecided>,
    ) -> Result<Option<Decision>, Refusal> {
        let member = self.member(id).clone();
        let mut data = data(&self.bundle);
        data.codes = self.codes();
        data.due_at = due_at(&self.bundle, &member, now);
        let bundle = Arc::clone(&self.bundle);
        loop {
            let now = now.max(member.happened_at);
            let context = Context { bundle: &bundle, earlier: &self.earlier, data: &data, now };
            match decide(&context, &member) {
                Ok(None) => return Ok(None),
                Ok(Some(decision)) => {
                    self.keep(&decision);
                    return Ok(Some(decision));
                }
                Err(Undecided::Refused(refusal)) => return Err(refusal),
                Err(Undecided::NeedsData(missing)) => self.load(&mut data, missing),
            }
        }
    }

    fn load(&self, data: &mut DecisionData, missing: MissingData) {
        match missing {
            MissingData::Member(id) => {
                let member = self.members.get(&id).map(|versions| versions.member().clone());
                data.members.insert(id, member);
            }
            MissingData::HistorySlice { member, entry } => {
                let from = usize::try_from(entry.get()).unwrap() - 1;
                let slice = self.members[&member].slice(from);
                data.slices.insert(member, slice);
            }
            MissingData::HistorySince { member, since } => {
                let slice = self.members[&member].since(since);
                assert!(data.slices.get(&member) != Some(&slice), "it is not enough: {since:?}");
                data.slices.insert(member, slice);
            }
            MissingData::MemberThen(then) => {
                let member = self.members[&then.member].then(&then);
                data.then.insert(then, member);
            }
            missing => panic!("a book has no {missing}"),
        }
    }

    fn codes(&self) -> BTreeMap<String, Codes> {
        let given = self.members.values().flat_map(|versions| &versions.all);
        let given = given.flat_map(|version| version.entry.all_reasons());
        let given: BTreeSet<&str> = given
            .filter_map(|reason| match &reason.effect {
                Effect::Voucher { code, .. } => Some(code.as_str()),
                _ => None,
            })
            .collect();
        let free = |pool: &String| {
            let all = (0..200).map(|number| format!("{pool}-{number:03}"));
            let free = all.filter(|code| !given.contains(code.as_str())).collect();
            (pool.clone(), Codes::all(free))
        };
        self.bundle.programme().pools.iter().map(free).collect()
    }

    fn keep(&mut self, decision: &Decision) {
        let rules = self.bundle.hash().to_string();
        for Decision { member, entry, .. } in decision.others.iter().chain([decision]) {
            let versions = self.members.get_mut(&member.id).unwrap();
            // What is stored is the sum of the entries.
            let mut folded = versions.member().clone();
            folded.apply(entry).unwrap();
            assert_eq!(folded, *member, "{entry:?}");
            let (entry, member, rules) = (entry.clone(), member.clone(), rules.clone());
            versions.all.push(Version { entry, member, rules });
        }
    }

    /// What comes by itself until a moment.
    pub(super) fn run_expiry(&mut self, now: Moment) {
        let ids: Vec<MemberId> = self.members.keys().cloned().collect();
        for id in ids {
            for _ in 0..50 {
                let due = self.maybe(id.as_str(), now, next_due);
                match due.unwrap() {
                    Some(decision) if decision.due_at.is_some_and(|due_at| due_at <= now) => {}
                    _ => break,
                }
            }
        }
    }

    /// The member that all of its history makes.
    pub(super) fn derived(&self, id: &str) -> Member {
        let versions = &self.members[&MemberId::parse(id).unwrap()];
        let mut data = data(&self.bundle);
        loop {
            let (earlier, now) = (&self.earlier, versions.member().happened_at);
            let context = Context { bundle: &self.bundle, earlier, data: &data, now };
            match derived(&context, versions.member(), &versions.slice(0)) {
                Ok(member) => return member,
                Err(Undecided::NeedsData(missing)) => self.load(&mut data, missing),
                Err(Undecided::Refused(refusal)) => panic!("{refusal}"),
            }
        }
    }

    /// The last entry of a member.
    pub(super) fn last(&self, id: &str) -> Seq {
        self.member(id).seq
    }
}
