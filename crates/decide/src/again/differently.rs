//! What is different about an entry: what its rules give now and did not, and the reverse of what they
//! no longer give.

use ledger::{Effect, Member, Reason, Units};

/// The difference between what rules gave and what they give. `after` is the member as it is now.
/// Codes that were given stay valid, unless the entry `is_undone`.
pub(super) fn differently(
    was: &[Reason],
    is: &[Reason],
    after: &Member,
    is_undone: bool,
) -> Vec<Reason> {
    let mut different: Vec<Reason> = Vec::new();
    for reason in was.iter().chain(is) {
        let effect = match &reason.effect {
            Effect::Units { wallet, .. } => {
                let of = |reasons: &[Reason]| {
                    sum(reasons, &reason.rule, |effect| match effect {
                        Effect::Units { wallet: same, units } if same == wallet => Some(*units),
                        _ => None,
                    })
                };
                let wallet = wallet.clone();
                let more = |units| Effect::Units { wallet: wallet.clone(), units };
                let less = |units| Effect::Reclaim { wallet: wallet.clone(), units };
                change(of(was), of(is), more, less)
            }
            Effect::Score { contest, .. } => {
                let of = |reasons: &[Reason]| {
                    sum(reasons, &reason.rule, |effect| match effect {
                        Effect::Score { contest: same, units } if same == contest => Some(*units),
                        _ => None,
                    })
                };
                let contest = contest.clone();
                let more = |units| Effect::Score { contest: contest.clone(), units };
                let less = |units| Effect::Unscore { contest: contest.clone(), units };
                change(of(was), of(is), more, less)
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
            Effect::Voucher { pool, code, .. } if is_undone && was.contains(reason) => {
                Some(Effect::Void { pool: pool.clone(), code: code.clone() })
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

fn sum(reasons: &[Reason], rule: &str, units: impl Fn(&Effect) -> Option<Units>) -> i64 {
    let of_rule = reasons.iter().filter(|reason| reason.rule == rule);
    of_rule.filter_map(|reason| units(&reason.effect)).map(Units::get).sum()
}

fn change(
    was: i64,
    is: i64,
    more: impl Fn(Units) -> Effect,
    less: impl Fn(Units) -> Effect,
) -> Option<Effect> {
    let units = Units::new((is - was).abs()).ok().filter(|units| !units.is_zero())?;
    Some(if is > was { more(units) } else { less(units) })
}
