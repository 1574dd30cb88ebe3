use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::decision::Draft;
use ledger::enroll::{self, Enrolment};
use ledger::entry::Returned;
use ledger::reverse::{self, ReverseRejection, Wanted};
use ledger::tier::{Standing, settle};
use ledger::{
    Activity, Change, Codes, Decision, Entry, Left, Member, MemberId, Moment, Outcome, Past,
    Reason, Supplies, Units, WalletName, What,
};
use rust_decimal::Decimal;

use crate::bundle::Bundle;
use crate::mistake::RuleFailure;
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
    /// The same of the account in whose wallets it moved units.
    account: Option<&'a Past>,
    now: Moment,
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
        let far = far_enough(member, entry, supplies)?;
        let unknown = || ReverseRejection::EntryIsReversedAlready(entry);
        let past = far.from(entry).ok_or_else(unknown)?;
        let (original, since) = past.entries.split_first().ok_or_else(unknown)?;
        let account = match &original.account {
            None => None,
            Some(of) => match supplies.member(&of.account)? {
                // Nobody can read what was when its person has been forgotten.
                Some(account) if account.erased_at.is_none() => {
                    supplies.past(account, of.entry)?.from(of.entry)
                }
                _ => None,
            },
        };
        let before = match &account {
            None => past.before.clone(),
            Some(account) => ledger::account::view(&past.before, &account.before, by.programme()),
        };
        let account_past = account.as_ref();
        let undoing =
            Undoing { by, before: &before, original, since, far, account: account_past, now };
        let mut referrer = None;
        let account = original.account.as_ref().map(|of| &of.account);
        let decision =
            self.within(account, member, supplies, now, |member| match &original.what {
                What::Earn { .. } => {
                    let (decision, other) = self.undo_earn(&undoing, member, wanted)?;
                    referrer = other;
                    Ok(decision)
                }
                _ if wanted.is_some() => Err(ReverseRejection::EntryHasNoOrder(entry).into()),
                _ => self.undo_redemption(&undoing, member),
            })?;
        Ok((decision, referrer))
    }

    fn undo_earn(
        &self,
        undoing: &Undoing<'_>,
        member: &Member,
        wanted: Option<&Wanted>,
    ) -> Result<(Decision, Option<(MemberId, u64)>), Refused> {
        let Undoing { by, before, original, since, now, .. } = *undoing;
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
        undoing.take_units_back(&mut draft, member, &was, &first, because, changes);
        reverse::uncount(&mut draft, original, changes, since);
        reverse::retell(&mut draft, undoing.far, original, changes, self.programme());
        draft.changes.extend(reverse::bought(member, before, &was, left.as_ref(), since));
        reverse::withdraw(&mut draft, member, before, &first.because, because);
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
        Ok((self.tier_put_right(undoing, member, decision)?, referrer))
    }

    fn undo_redemption(&self, undoing: &Undoing<'_>, member: &Member) -> Result<Decision, Refused> {
        let Undoing { before, original, since, now, .. } = *undoing;
        let mut draft = Draft::default();
        reverse::give_back(&mut draft, original, since)?;
        reverse::uncount(&mut draft, original, &[], since);
        reverse::withdraw(&mut draft, member, before, &original.because, &[]);
        reverse::put_back(&mut draft, original, &[], since);
        if let What::Capture { of, .. } = &original.what {
            reverse::undo_hold(&mut draft, of);
        }
        let what = What::Reverse { of: original.seq, returned: None };
        let decision = draft.decide(member, self.programme(), what, now, now)?;
        let standing = self.standing(&Arc::new(member.clone()), now)?;
        Ok(self.settled(standing, decision, &member.standing, now)?)
    }

    /// Lets the tier follow a reversal. A tier that was reached with what is undone is lost at once,
    /// without grace, where the member no longer qualifies: it should not have been reached. What the
    /// member had before is reviewed as if it had always had that.
    fn tier_put_right(
        &self,
        undoing: &Undoing<'_>,
        member: &Member,
        decision: Decision,
    ) -> Result<Decision, RuleFailure> {
        let Undoing { original, far, now, .. } = *undoing;
        let ladder = self.ladder();
        let rank = |tier: Option<&str>| ladder.tiers.iter().position(|name| Some(*name) == tier);
        let present = self.standing(&Arc::new(member.clone()), now)?;
        // The first that is undone and may have brought the tier: this one, one since, or one before
        // that was undone earlier, while this one still held the tier.
        let undone = |entry: &Entry| {
            let by =
                |other: &Entry| matches!(other.what, What::Reverse { of, .. } if of == entry.seq);
            entry.seq >= original.seq || far.entries.iter().any(by)
        };
        let raised = far.entries.iter().find(|entry| {
            let raises = entry.tier.as_ref().is_some_and(|change| {
                change.to == present.tier
                    && rank(change.to.as_deref()) > rank(change.from.as_deref())
            });
            raises && undone(entry)
        });
        let first = raised.and_then(|raised| Some(far.from(raised.seq)?.before.standing));
        let Some(first) = first else {
            return self.settled(present, decision, &member.standing, now);
        };
        let mut after = decision.member.clone();
        after.standing = Standing::default();
        let qualified = self.qualified(&Arc::new(after.clone()), now)?;
        let (had, has) = (rank(first.tier.as_deref()), rank(present.tier.as_deref()));
        if qualified >= has || had >= has {
            return self.settled(present, decision, &member.standing, now);
        }
        after.standing = first;
        let standing = self.standing(&Arc::new(after), now)?;
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

/// The past that tells how far tasks are: from the entry on that is undone, and from those on that
/// were undone since and came before it. Where one look does not go back far enough, the next goes
/// back twice as far: a chain of returns is a few looks, however long it is.
fn far_enough<'s>(
    member: &Member,
    entry: u64,
    supplies: &'s Supplies,
) -> Result<&'s Past, Refused> {
    let mut first = entry;
    loop {
        let past = supplies.past(member, first)?;
        let undone = past.entries.iter().filter_map(|later| match &later.what {
            What::Reverse { of, .. } => Some(*of),
            _ => None,
        });
        match undone.min().filter(|earliest| *earliest < first) {
            Some(earliest) => {
                let known = member.version.saturating_sub(past.before.version);
                let twice = known.saturating_mul(2);
                first = earliest.min(member.version.saturating_sub(twice).max(1));
            }
            None => return Ok(past),
        }
    }
}

impl Undoing<'_> {
    /// Takes back what rules had given in units and do not give for what is left: rule by rule, and
    /// for each wallet no less than nothing.
    fn take_units_back(
        &self,
        draft: &mut Draft,
        member: &Member,
        was: &Activity,
        first: &Entry,
        because: &[Reason],
        changes: &[Change],
    ) {
        let carried = self.carried(draft, member, first, because, changes);
        let given = |reasons: &[Reason]| {
            let mut given: BTreeMap<(String, WalletName), i64> = BTreeMap::new();
            for reason in reasons {
                let (wallet, units) = match &reason.gave {
                    Outcome::Units { wallet, units } => (wallet, units.get()),
                    Outcome::Back { wallet, back } => (wallet, -back.get()),
                    _ => continue,
                };
                *given.entry((reason.rule.clone(), wallet.clone())).or_default() += units;
            }
            given
        };
        let mut had = given(&self.original.because);
        for entry in self.since {
            if matches!(entry.what, What::Reverse { of, .. } if of == self.original.seq) {
                for (rule, units) in given(&entry.because) {
                    *had.entry(rule).or_default() += units;
                }
            }
        }
        let left = given(because);
        let mut less = had;
        for (of, units) in left {
            *less.entry(of).or_default() -= units;
        }
        less.extend(carried);
        let back: Vec<(String, WalletName, i64)> =
            less.into_iter().map(|((rule, wallet), units)| (rule, wallet, units)).collect();
        let reasons = self.original.because.iter().chain(&first.because);
        let mut sources: BTreeMap<String, String> =
            reasons.map(|reason| (reason.rule.clone(), reason.source.clone())).collect();
        for (rule, ..) in &back {
            // One that paid no whole unit has no reason that names its place.
            let source = || self.by.source_of(rule).unwrap_or_default();
            sources.entry(rule.clone()).or_insert_with(source);
        }
        let wallets: BTreeSet<WalletName> =
            back.iter().map(|(_, wallet, _)| wallet.clone()).collect();
        for wallet in wallets {
            let of_wallet = || back.iter().filter(|(_, of, _)| *of == wallet);
            // A rule that pays more for what is left pays a part of what the others take back.
            let mut more: i64 = of_wallet().map(|(.., units)| (-units).max(0)).sum();
            let mut sum = Units::ZERO;
            for (rule, _, units) in of_wallet() {
                let own = units.max(&0) - more.min(*units.max(&0));
                more -= more.min(*units.max(&0));
                let Ok(units) = Units::new(own) else { continue };
                if units.is_zero() {
                    continue;
                }
                sum = sum.checked_add(units).unwrap_or(Units::MAX);
                draft.because.push(Reason {
                    rule: rule.clone(),
                    source: sources.get(rule).cloned().unwrap_or_default(),
                    gave: Outcome::Back { wallet: wallet.clone(), back: units },
                });
            }
            let Some(policy) = self.by.programme().wallets.get(&wallet) else { continue };
            let zone = self.by.programme().time_zone;
            let terms = policy.terms_of(&was.id, was.at, zone);
            // Where the wallet is an account's, its entries say what has run out.
            let since = match self.account.filter(|_| policy.shared) {
                Some(account) => &account.entries,
                None => self.since,
            };
            reverse::take_back(draft, member, &wallet, sum, &terms, since, self.now);
        }
    }

    /// What rules take back whose parts of units are carried over: what they had paid exactly, less
    /// what they pay exactly now, taken from what is carried over first.
    fn carried(
        &self,
        draft: &mut Draft,
        member: &Member,
        first: &Entry,
        because: &[Reason],
        changes: &[Change],
    ) -> BTreeMap<(String, WalletName), i64> {
        let exact = |rule: &str, into: &WalletName, reasons: &[Reason], changes: &[Change]| {
            let units: i64 = reasons
                .iter()
                .filter(|reason| reason.rule == rule)
                .map(|reason| match &reason.gave {
                    Outcome::Units { wallet, units } if wallet == into => units.get(),
                    _ => 0,
                })
                .sum();
            let after = changes.iter().find_map(|change| match change {
                Change::Carried { carried, remainder } if carried == rule => Some(*remainder),
                _ => None,
            });
            let had = self.before.remainders.get(rule).copied().unwrap_or_default();
            Decimal::from(units) + after.unwrap_or(had) - had
        };
        let carries = |changes: &[Change]| -> Vec<String> {
            let carried = changes.iter().filter_map(|change| match change {
                Change::Carried { carried, .. } => Some(carried.clone()),
                _ => None,
            });
            carried.collect()
        };
        let rules: BTreeSet<String> =
            carries(&first.changes).into_iter().chain(carries(changes)).collect();
        let mut back = BTreeMap::new();
        for rule in rules {
            let Some(into) = self.by.wallet_of(&rule) else { continue };
            let less = exact(&rule, into, &first.because, &first.changes)
                - exact(&rule, into, because, changes);
            let has = member.remainders.get(&rule).copied().unwrap_or_default();
            let rest = has - less.max(Decimal::ZERO);
            let whole = rest.floor();
            let units = (-whole).try_into().unwrap_or(0i64);
            back.insert((rule.clone(), into.clone()), units);
            draft.changes.push(Change::Carried { carried: rule, remainder: rest - whole });
        }
        back
    }
}
