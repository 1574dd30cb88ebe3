//! What is different about an entry: what its rules give now and did not, and the reverse of what they
//! no longer give.

use ledger::{Effect, Member, Reason, Units};

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is undone: the codes that it gave are void.
    Undone,
    /// It was undone, and that is undone: the codes that it gave are valid again.
    Back,
    /// A rule that has been mended judges it again: the codes that it gives are new.
    Rejudged,
    /// It stays, and so do the codes that it gave.
    Stays,
}

/// The difference between what rules gave and what they give. `after` is the member as it is now.
pub(super) fn differently(
    was: &[Reason],
    is: &[Reason],
    after: &Member,
    fate: Fate,
) -> Vec<Reason> {
    let mut different: Vec<Reason> = Vec::new();
    for reason in was.iter().chain(is) {
        let effect = match &reason.effect {
            Effect::Units { .. } | Effect::Score { .. } => {
                change(reason, sum(was, reason), sum(is, reason))
            }
            _ if was.contains(reason) && is.contains(reason) => None,
            Effect::Grant { grant, .. } | Effect::Revoke { grant } => {
                Some(match after.grants.get(grant) {
                    Some(until) => Effect::Grant { grant: grant.clone(), until: *until },
                    None => Effect::Revoke { grant: grant.clone() },
                })
            }
            Effect::Tag { tag } | Effect::Untag { tag } => Some(match after.tags.contains(tag) {
                true => Effect::Tag { tag: tag.clone() },
                false => Effect::Untag { tag: tag.clone() },
            }),
            Effect::Voucher { pool, code, .. } if fate == Fate::Undone && was.contains(reason) => {
                Some(Effect::Void { pool: pool.clone(), code: code.clone() })
            }
            Effect::Voucher { pool, code, .. } if fate == Fate::Back => {
                Some(Effect::Voucher { pool: pool.clone(), code: code.clone(), again: true })
            }
            Effect::Voucher { again: false, .. } if fate == Fate::Rejudged => {
                is.contains(reason).then(|| reason.effect.clone())
            }
            Effect::Voucher { .. }
            | Effect::Void { .. }
            | Effect::Referral { .. }
            | Effect::Reclaim { .. }
            | Effect::Unscore { .. } => None,
        };
        let Some(effect) = effect else { continue };
        let reason = Reason { effect, ..reason.clone() };
        if !different.contains(&reason) {
            different.push(reason);
        }
    }
    different
}

/// What a rule gave by its reasons, of the same as one of them gives.
fn sum(reasons: &[Reason], like: &Reason) -> i64 {
    let of_rule = reasons.iter().filter(|reason| reason.rule == like.rule);
    let units = of_rule.filter_map(|reason| match (&reason.effect, &like.effect) {
        (Effect::Units { wallet, units }, Effect::Units { wallet: same, .. }) => {
            (wallet == same).then_some(*units)
        }
        (Effect::Score { contest, units }, Effect::Score { contest: same, .. }) => {
            (contest == same).then_some(*units)
        }
        _ => None,
    });
    units.map(Units::get).sum()
}

/// The effect that makes what a reason gives more or less.
fn change(like: &Reason, was: i64, is: i64) -> Option<Effect> {
    let units = Units::new((is - was).abs()).ok().filter(|units| !units.is_zero())?;
    match (like.effect.clone(), is > was) {
        (Effect::Units { wallet, .. }, true) => Some(Effect::Units { wallet, units }),
        (Effect::Units { wallet, .. }, false) => Some(Effect::Reclaim { wallet, units }),
        (Effect::Score { contest, .. }, true) => Some(Effect::Score { contest, units }),
        (Effect::Score { contest, .. }, false) => Some(Effect::Unscore { contest, units }),
        _ => None,
    }
}
