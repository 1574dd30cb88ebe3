//! What undoing an entry changes, judged by the rules that judged it then.

/// Units, exactly.
mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::decision::Draft;
use ledger::enroll::{self, Enrolment};
use ledger::entry::Returned;
use ledger::reverse::{self, ReverseRejection, Since, Wanted};
use ledger::tier::{Standing, settle};
use ledger::{
    Activity, Change, Codes, Decision, Entry, Left, Member, MemberId, Moment, Outcome, Past,
    Reason, Supplies, Units, WalletName, What,
};

use crate::bundle::Bundle;
use crate::refused::Refused;

/// A reversal in the making.
struct Undoing<'a> {
    /// The rules that judged what is undone.
    by: &'a Bundle,
    /// The member as it was before, and the entries from the undone one on.
    before: &'a Member,
    original: &'a Entry,
    since: &'a [Entry],
    /// As far back as another entry that was undone since.
    far: &'a Past,
    /// The same of the account in whose wallets it moved units: its entry of it, and when it had been
    /// active before that.
    account: Option<(u64, &'a Past, Option<Moment>)>,
    now: Moment,
}

impl<'a> Undoing<'a> {
    /// What became of the wallet's lots since, as its owner's entries tell.
    fn since(&self, wallet: &WalletName) -> Since<'a> {
        let policy = self.by.programme().wallets.get(wallet);
        match self.account.filter(|_| policy.is_some_and(|policy| policy.shared)) {
            Some((of, far, active_at)) => Since { of, far: &far.entries, active_at },
            None => Since {
                of: self.original.seq,
                far: &self.far.entries,
                active_at: self.before.active_at,
            },
        }
    }
}

impl Bundle {
    /// What undoing an entry changes: all that is left of it, or what is wanted of its order. It is
    /// judged `by` the rules that judged it then.
    ///
    /// # Errors
    /// It cannot be undone, or something has to be loaded first.
    pub fn reverse(
        &self,
        by: &Bundle,
        member: &Member,
        entry: u64,
        wanted: Option<&Wanted>,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<Decision, Refused> {
        let (mut decision, referrer) =
            self.reverse_alone(by, member, entry, wanted, supplies, now)?;
        if let Some((id, entry)) = referrer
            && let Some(referrer) = supplies.member(&id)?
        {
            // What the friend's purchase brought the one who brought the friend goes with it.
            match self.reverse_alone(by, referrer, entry, None, supplies, now) {
                Ok((mut other, _)) => {
                    let ids = |decision: &Decision| -> BTreeSet<MemberId> {
                        let others = decision.others.iter().map(|other| other.member.id.clone());
                        others.chain([decision.member.id.clone()]).collect()
                    };
                    // Who has come to share the same wallets since has nothing to give back there.
                    if ids(&decision).is_disjoint(&ids(&other)) {
                        decision.others.append(&mut other.others);
                        decision.others.push(other);
                    }
                }
                Err(Refused::Reverse(ReverseRejection::EntryIsReversedAlready(_)))
                | Err(Refused::Erased(_)) => {}
                Err(refused) => return Err(refused),
            }
        }
        Ok(decision)
    }

    /// The same for one member alone, and whose entry of a referral goes with it.
    ///
    /// # Errors
    /// As [`Bundle::reverse`].
    pub fn reverse_alone(
        &self,
        by: &Bundle,
        member: &Member,
        entry: u64,
        wanted: Option<&Wanted>,
        supplies: &Supplies,
        now: Moment,
    ) -> Result<(Decision, Option<(MemberId, u64)>), Refused> {
        ledger::erase::present(member)?;
        let far = far_enough(member, entry, supplies, |entry| entry.undoes().into_iter())?;
        let unknown = || ReverseRejection::EntryIsReversedAlready(entry);
        let past = far.from(entry).ok_or_else(unknown)?;
        let (original, since) = past.entries.split_first().ok_or_else(unknown)?;
        let account = match &original.account {
            None => None,
            Some(of) => match supplies.member(&of.account)? {
                // Nobody can read what was when its person has been forgotten.
                Some(account) if account.erased_at.is_none() => {
                    let far = far_enough(account, of.entry, supplies, made_good)?;
                    far.from(of.entry).map(|past| (of.entry, far, past))
                }
                _ => None,
            },
        };
        let before = match &account {
            None => past.before.clone(),
            Some((.., account)) => {
                let at = original.at;
                ledger::account::view(&past.before, &account.before, by.programme(), at)
            }
        };
        let account_far =
            account.as_ref().map(|(entry, far, past)| (*entry, *far, past.before.active_at));
        let undoing =
            Undoing { by, before: &before, original, since, far, account: account_far, now };
        let mut referrer = None;
        let account = original.account.as_ref().map(|of| &of.account);
        // What was shared then is undone where it was, whether or not it is shared now.
        let decision = self.within_by(
            by.programme(),
            account,
            member,
            supplies,
            now,
            |member| match &original.what {
                What::Earn { .. } => {
                    let (decision, other) = self.undo_earn(&undoing, member, wanted)?;
                    referrer = other;
                    Ok(decision)
                }
                _ if wanted.is_some() => Err(ReverseRejection::EntryHasNoOrder(entry).into()),
                _ => self.undo_redemption(&undoing, member),
            },
        )?;
        let decision = self.tier_put_right(&undoing, member, decision)?;
        Ok((self.dated(decision, now), referrer))
    }

    fn undo_earn(
        &self,
        undoing: &Undoing<'_>,
        member: &Member,
        wanted: Option<&Wanted>,
    ) -> Result<(Decision, Option<(MemberId, u64)>), Refused> {
        let Undoing { by, before, original, since, far, now, .. } = *undoing;
        reverse::can_be_taken_back(original)?;
        let was = reverse::left_of(original, since)?;
        let left = match wanted {
            None => None,
            Some(wanted) => reverse::lessened(original.seq, &was, wanted)?,
        };
        let (left, returned): (Option<Activity>, Option<Returned>) = left.unzip();
        // What the rules say of what was left so far, and of what is left now.
        let judge = |activity: &Activity| -> Result<Entry, Refused> {
            let told = by.told_then(before, original);
            let (decision, _) = by.judge(before, activity.clone().into(), &told, original.at)?;
            Ok(decision.entry)
        };
        let first = judge(&was)?;
        let next = left.as_ref().map(judge).transpose()?;
        let kept = |of: fn(&Entry) -> &[Reason]| next.as_ref().map_or(&[][..], of);
        let because = kept(|entry| &entry.because);
        let changes = next.as_ref().map_or(&[][..], |entry| &entry.changes);
        let draws = next.as_ref().map_or(&[][..], |entry| &entry.draws);

        let mut draft = Draft::default();
        undoing.take_units_back(&mut draft, member, &was, because, changes);
        reverse::uncount(&mut draft, original, changes, since);
        reverse::retell(&mut draft, undoing.far, original, changes, self.programme());
        draft.changes.extend(reverse::bought(member, far, original, &was, left.as_ref()));
        reverse::withdraw(&mut draft, member, before, &first.because, because, far, original);
        reverse::put_back(&mut draft, original, draws, since);

        let referral = |reasons: &[Reason]| {
            reasons.iter().find_map(|reason| match &reason.gave {
                Outcome::Referral { referrer, entry } => Some((referrer.clone(), *entry)),
                _ => None,
            })
        };
        let referrer = referral(&original.because).filter(|_| referral(because).is_none());
        let what = What::Reverse { of: original.seq, returned };
        let decision = draft.decide(member, self.programme(), what, now, now)?;
        Ok((decision, referrer))
    }

    fn undo_redemption(&self, undoing: &Undoing<'_>, member: &Member) -> Result<Decision, Refused> {
        let Undoing { by, before, original, since, far, now, .. } = *undoing;
        reverse::can_be_given_back(original, since)?;
        let mut draft = Draft::default();
        let of = |wallet: &WalletName| undoing.since(wallet);
        reverse::give_back(&mut draft, by.programme(), original, of);
        reverse::uncount(&mut draft, original, &[], since);
        reverse::withdraw(&mut draft, member, before, &original.because, &[], far, original);
        reverse::put_back(&mut draft, original, &[], since);
        if let What::Capture { of, .. } = &original.what {
            reverse::undo_hold(&mut draft, of);
        }
        let what = What::Reverse { of: original.seq, returned: None };
        Ok(draft.decide(member, self.programme(), what, now, now)?)
    }

    /// Lets the tier follow a reversal. A tier that was
    /// reached with what is undone is lost at once, without grace, where the member no longer
    /// qualifies: it should not have been reached. What the member had before is reviewed as if it had
    /// always had that.
    fn tier_put_right(
        &self,
        undoing: &Undoing<'_>,
        member: &Member,
        decision: Decision,
    ) -> Result<Decision, Refused> {
        let Undoing { original, far, now, .. } = *undoing;
        let ladder = self.ladder();
        let rank = |tier: Option<&str>| ladder.tiers.iter().position(|name| Some(*name) == tier);
        let present = self.standing(&Arc::new(member.clone()), now)?;
        let mut after = decision.member.clone();
        let follow = |mut after: Member, first: Standing| -> Result<Standing, Refused> {
            after.standing = first;
            Ok(self.standing(&Arc::new(after), now)?)
        };
        let undone_since = |entry: &Entry| {
            let by = |other: &Entry| other.undoes() == Some(entry.seq);
            entry.seq >= original.seq || far.entries.iter().any(by)
        };
        // The first that is undone and may have brought the tier: this one, one since, or one before
        // that was undone earlier, while this one still held the tier.
        let raised = far.entries.iter().find(|entry| {
            let raises = entry.tier.as_ref().is_some_and(|change| {
                change.to == present.tier
                    && rank(change.to.as_deref()) > rank(change.from.as_deref())
            });
            raises && undone_since(entry)
        });
        let raised = raised.filter(|_| matches!(original.what, What::Earn { .. }));
        let first = raised.and_then(|raised| Some(far.from(raised.seq)?.before.standing));
        let Some(first) = first else {
            let standing = follow(after, present)?;
            return Ok(settle(decision, &member.standing, standing));
        };
        after.standing = Standing::default();
        let qualified = self.qualified(&Arc::new(after.clone()), now)?;
        let (had, has) = (rank(first.tier.as_deref()), rank(present.tier.as_deref()));
        let from = if qualified >= has || had >= has { present } else { first };
        let standing = follow(after, from)?;
        Ok(settle(decision, &member.standing, standing))
    }

    /// What a decision had been told beyond the member, as its entry remembers it.
    #[must_use]
    pub fn told_then(&self, before: &Member, entry: &Entry) -> Supplies {
        // A pool that was asked and gave no code was empty; a pot that was not drawn on had nothing.
        let empty = |pool: &String| (pool.clone(), Codes::all(Vec::new()));
        let codes = self.programme().pools.iter().map(empty).collect();
        let left = self.pots().into_keys().map(|pot| (pot, Left::all(Units::ZERO))).collect();
        let mut supplies = Supplies { codes, left, ..Supplies::default() };
        for draw in &entry.draws {
            // What was drawn was there; how much more there was does not matter, unless there was
            // not enough for a later rule.
            let units = if entry.dry.contains(&draw.pot) { draw.units } else { Units::MAX };
            supplies.left.insert(draw.pot.clone(), Left::all(units));
        }
        for pot in &entry.dry {
            supplies.left.entry(pot.clone()).or_insert(Left::all(Units::ZERO));
        }
        let mut brought = None;
        for reason in &entry.because {
            match &reason.gave {
                Outcome::Voucher { pool, code } => {
                    supplies.codes.entry(pool.clone()).or_default().codes.push(code.clone());
                }
                Outcome::Referral { entry, .. } => brought = entry.checked_sub(1),
                _ => {}
            }
        }
        if let Some(id) = &before.referred_by {
            // Only that there is such a member counts for this one's entry, and which entry it was.
            let enrolment = Enrolment {
                id: id.clone(),
                attributes: BTreeMap::new(),
                tags: BTreeSet::new(),
                referred_by: None,
            };
            let referrer = brought
                .map(|version| Member { version, ..enroll::decide(enrolment, before.enrolled_at) });
            supplies.members.insert(id.clone(), referrer);
        }
        supplies
    }
}

/// Entries whose units had run out when they were to be taken back.
fn made_good(entry: &Entry) -> impl Iterator<Item = u64> {
    entry.changes.iter().filter_map(|change| match change {
        Change::Forgone { of, .. } => Some(*of),
        _ => None,
    })
}

/// The past from an entry on, and from those before it on to which later ones point. Where one look
/// does not go back far enough, the next goes back twice as far: a chain of returns is a few looks,
/// however long it is.
fn far_enough<'s, I: Iterator<Item = u64>>(
    member: &Member,
    entry: u64,
    supplies: &'s Supplies,
    points_to: fn(&'s Entry) -> I,
) -> Result<&'s Past, Refused> {
    let mut first = entry;
    loop {
        let past = supplies.past(member, first)?;
        let earliest = past.entries.iter().flat_map(points_to).min();
        match earliest.filter(|earliest| *earliest < first) {
            Some(earliest) => {
                let known = member.version.saturating_sub(past.before.version);
                let twice = known.saturating_mul(2);
                first = earliest.min(member.version.saturating_sub(twice).max(1));
            }
            None => return Ok(past),
        }
    }
}
