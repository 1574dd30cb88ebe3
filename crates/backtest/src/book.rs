//! A book: the members of a group with their entries, in memory. It does for a decision what a store
//! does.

use std::collections::BTreeMap;

use decide::{About, Context, EarlierRules, Undecided};
use ledger::decision_data::Then;
use ledger::shared_limit::{Codes, Remaining};
use ledger::{
    ApplyError, Decision, DecisionData, Entry, EntryKind, HistorySlice, Member, MemberId,
    MissingData, Moment, Seq, SharedLimit, Since,
};
use rules::Bundle;

use crate::past::Recorded;
use crate::unmade::Unmade;

/// A member with its entries.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The member as enrolled.
    pub(crate) enrolled: Member,
    /// The member after its last entry.
    pub(crate) member: Member,
    /// Its entries, the oldest first.
    pub(crate) entries: Vec<Entry>,
    /// The hash of the rules that decided each entry.
    pub(crate) rules: Vec<String>,
    /// When the expiry run has to process it next.
    pub(crate) due_at: Option<Moment>,
}

impl Account {
    pub(crate) fn new(enrolled: Member, due_at: Option<Moment>) -> Account {
        let member = enrolled.clone();
        Account { enrolled, member, entries: Vec::new(), rules: Vec::new(), due_at }
    }

    /// The member after its first entries.
    pub(crate) fn after(&self, entries: usize) -> Member {
        let mut member = self.enrolled.clone();
        for entry in self.entries.iter().take(entries) {
            // INVARIANT: each entry has been applied before, when it was decided.
            let applied = member.apply(entry);
            debug_assert!(applied.is_ok(), "{applied:?}");
        }
        member
    }

    fn slice(&self, from: usize) -> HistorySlice {
        HistorySlice {
            before: self.after(from),
            entries: self.entries.iter().skip(from).cloned().collect(),
            rules: self.rules.iter().skip(from).cloned().collect(),
        }
    }

    /// The slice that reaches back so far.
    fn since(&self, mut since: Since) -> HistorySlice {
        let mut happened_at = vec![self.enrolled.happened_at];
        let mut member = self.enrolled.clone();
        for entry in &self.entries {
            let applied = member.apply(entry);
            debug_assert!(applied.is_ok(), "{applied:?}");
            happened_at.push(member.happened_at);
        }
        let places = self.entries.iter().zip(&happened_at).enumerate().rev();
        let mut from = self.entries.len();
        for (place, (entry, _)) in places {
            let is_after = happened_at.get(from).is_some_and(|at| *at <= since.moment)
                && since.entry.is_none_or(|first| Seq::new(from as u64) < first);
            if is_after {
                return self.slice(from);
            }
            since = since.with(entry);
            from = place;
        }
        self.slice(from)
    }

    fn then(&self, then: &Then) -> Member {
        let mut member = self.enrolled.clone();
        let mut found = self.enrolled.clone();
        for entry in self.entries.iter().take_while(|entry| entry.seq <= then.newest) {
            let applied = member.apply(entry);
            debug_assert!(applied.is_ok(), "{applied:?}");
            if member.happened_at <= then.at {
                found.clone_from(&member);
            }
        }
        found
    }

    /// The entry of that number.
    pub(crate) fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.seq == seq)
    }
}

/// What limits and pools have left for a decision.
pub(crate) trait Supply {
    /// What is left of a shared limit.
    fn left(&mut self, limit: &SharedLimit) -> Remaining;
    /// Free codes of a pool, at least so many if there are.
    fn codes(&mut self, pool: &str, codes: usize) -> Codes;
}

/// The rules that decide, with those that decided earlier entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judges<'a> {
    pub(crate) bundle: &'a Bundle,
    pub(crate) earlier: &'a EarlierRules,
}

impl<'a> Judges<'a> {
    /// The rules of that hash.
    pub(crate) fn of(self, hash: &str) -> Result<&'a Bundle, Unmade> {
        if self.bundle.hash().as_str() == hash {
            return Ok(self.bundle);
        }
        let earlier = self.earlier.get(hash).map(AsRef::as_ref);
        earlier.ok_or_else(|| Unmade::RulesAreMissing(vec![hash.to_owned()]))
    }
}

/// The members of a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) accounts: BTreeMap<MemberId, Account>,
}

impl Book {
    pub(crate) fn enroll(&mut self, enrolled: Member, due_at: Option<Moment>) {
        self.accounts.insert(enrolled.id.clone(), Account::new(enrolled, due_at));
    }

    /// Keeps an entry as it was recorded. One that does not follow from its member ends what is kept.
    pub(crate) fn record(&mut self, id: &MemberId, recorded: &Recorded) -> Result<(), ApplyError> {
        let Some(account) = self.accounts.get_mut(id) else { return Ok(()) };
        account.member.apply(&recorded.entry)?;
        account.entries.push(recorded.entry.clone());
        account.rules.push(recorded.rules.clone());
        Ok(())
    }

    /// Decides for a member, and keeps what was decided. Returns its entry.
    pub(crate) fn perform(
        &mut self,
        id: &MemberId,
        clock: Moment,
        judges: Judges<'_>,
        supply: &mut impl Supply,
        decide: impl Fn(&Context<'_>, &Member) -> Result<Option<Decision>, Undecided>,
    ) -> Result<Option<Decision>, Unmade> {
        let Some(account) = self.accounts.get(id) else {
            return Err(Unmade::MemberIsMissing(id.clone()));
        };
        let mut data = DecisionData { due_at: account.due_at, ..DecisionData::default() };
        let decision = loop {
            let now = data.moment(&account.member, clock);
            let Judges { bundle, earlier } = judges;
            let context = Context { bundle, earlier, data: &data, now };
            match decide(&context, &account.member) {
                Ok(decision) => break decision,
                Err(Undecided::Refused(refusal)) => return Err(refusal.into()),
                Err(Undecided::NeedsData(missing)) => self.load(&mut data, missing, supply)?,
            }
        };
        if let Some(decision) = &decision {
            self.keep(decision, judges.bundle.hash().as_str());
        }
        Ok(decision)
    }

    fn load(
        &self,
        data: &mut DecisionData,
        missing: MissingData,
        supply: &mut impl Supply,
    ) -> Result<(), Unmade> {
        let account = |id: &MemberId| {
            self.accounts.get(id).ok_or_else(|| Unmade::MemberIsMissing(id.clone()))
        };
        match missing {
            MissingData::Member(id) => {
                let member = self.accounts.get(&id).map(|account| account.member.clone());
                data.members.insert(id, member);
            }
            MissingData::HistorySlice { member, entry } => {
                let from = usize::try_from(entry.get()).unwrap_or(usize::MAX).saturating_sub(1);
                let slice = account(&member)?.slice(from);
                data.slices.insert(member, slice);
            }
            MissingData::HistorySince { member, since } => {
                let slice = account(&member)?.since(since);
                data.slices.insert(member, slice);
            }
            MissingData::MemberThen(then) => {
                let member = account(&then.member)?.then(&then);
                data.then.insert(then, member);
            }
            MissingData::Remaining { limit, .. } => {
                let left = supply.left(&limit);
                data.left.insert(limit, left);
            }
            MissingData::Codes { pool, codes } => {
                let codes = supply.codes(&pool, codes);
                data.codes.insert(pool, codes);
            }
            MissingData::Rules(hashes) => return Err(Unmade::RulesAreMissing(hashes)),
        }
        Ok(())
    }

    fn keep(&mut self, decision: &Decision, rules: &str) {
        for Decision { member, entry, due_at, .. } in decision.others.iter().chain([decision]) {
            if let Some(account) = self.accounts.get_mut(&member.id) {
                account.entries.push(entry.clone());
                account.rules.push(rules.to_owned());
                account.member = member.clone();
                account.due_at = *due_at;
            }
        }
    }

    /// What is known of the activity that one of `kind` is about.
    pub(crate) fn about(&self, id: &MemberId, kind: &str, of: &str) -> About {
        let entries = self.accounts.get(id).into_iter().flat_map(|account| &account.entries);
        let is_of = |entry: &&Entry| match &entry.kind {
            EntryKind::Earn { activity } => activity.id == of,
            _ => false,
        };
        About::of(kind, entries.filter(is_of).cloned())
    }

    /// The hash of the rules that decided an entry; empty if there is no such entry.
    pub(crate) fn rules_of(&self, id: &MemberId, entry: Seq) -> &str {
        let account = self.accounts.get(id);
        let place =
            account.and_then(|account| account.entries.iter().position(|own| own.seq == entry));
        let hash = account.zip(place).and_then(|(account, place)| account.rules.get(place));
        hash.map_or("", String::as_str)
    }
}
