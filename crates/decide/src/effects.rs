//! Effect requests, resolved into effects for one member.

use chrono::{Datelike, Days, Months, NaiveDateTime};
use ledger::GrantEnd;
use ledger::calendar::resolve;
use ledger::entry::Benefit;
use ledger::{Effect, Member, Moment, Programme, Units, WalletName};
use rules::{EffectRequest, Rule, RuleFailure, Span, Value, unknown_wallet};
use rust_decimal::Decimal;

/// Whether two members are one household: they share an account, or one is the other's account.
pub(crate) fn are_one(one: &Member, other: &Member) -> bool {
    let account = |member: &Member| member.account.clone().unwrap_or_else(|| member.id.clone());
    account(one) == account(other)
}

pub(crate) fn check_pool(
    rule: &Rule,
    pool: &str,
    programme: &Programme,
) -> Result<(), RuleFailure> {
    if programme.pools.contains(pool) {
        return Ok(());
    }
    Err(rule
        .failure(format!("there is no pool `{pool}` in the manifest; list it as [pools.{pool}]")))
}

/// The member that receives the effects of rules, and the moment.
pub(crate) struct Receiver<'a> {
    pub(crate) member: &'a Member,
    pub(crate) programme: &'a Programme,
    pub(crate) at: Moment,
}

impl Receiver<'_> {
    /// The effect of an effect request that needs no decision data; nothing if it would change
    /// nothing. `earlier` are the effects that the same decision has given already.
    pub(crate) fn receives<'o>(
        &self,
        rule: &Rule,
        request: EffectRequest,
        into: &WalletName,
        earlier: impl DoubleEndedIterator<Item = &'o Effect>,
    ) -> Result<Option<Effect>, RuleFailure> {
        Ok(match request {
            EffectRequest::Award { units, wallet } => {
                let wallet = match wallet {
                    None => into.clone(),
                    Some(name) => WalletName::parse(&name)
                        .ok()
                        .filter(|name| self.programme.wallets.contains_key(name))
                        .ok_or_else(|| rule.failure(unknown_wallet(&name, self.programme)))?,
                };
                let units = paid(rule, units)?;
                (!units.is_zero()).then_some(Effect::Units { wallet, units })
            }
            EffectRequest::Grant { grant, span } => {
                let mut rev = earlier.rev();
                let present = rev.find_map(|effect| match effect {
                    Effect::Grant { grant: name, until } if *name == grant => Some(Some(*until)),
                    Effect::Revoke { grant: name } if *name == grant => Some(None),
                    _ => None,
                });
                let present = present.unwrap_or_else(|| self.member.grants.get(&grant).copied());
                let until = self.until(present, span);
                (present != Some(until)).then_some(Effect::Grant { grant, until })
            }
            EffectRequest::Revoke(grant) => {
                let had = self.member.grants.contains_key(&grant) || { earlier }.any(
                    |effect| matches!(effect, Effect::Grant { grant: name, .. } if *name == grant),
                );
                had.then_some(Effect::Revoke { grant })
            }
            EffectRequest::Tag(tag) => {
                (!self.is_tagged(&tag, earlier)).then_some(Effect::Tag { tag })
            }
            EffectRequest::Untag(tag) => {
                self.is_tagged(&tag, earlier).then_some(Effect::Untag { tag })
            }
            EffectRequest::Voucher(_) | EffectRequest::Refer => None,
        })
    }

    /// Whether the member has a tag, after the effects that the same decision has given already.
    fn is_tagged<'o>(
        &self,
        name: &str,
        earlier: impl DoubleEndedIterator<Item = &'o Effect>,
    ) -> bool {
        let last = earlier.rev().find_map(|effect| match effect {
            Effect::Tag { tag } if tag == name => Some(true),
            Effect::Untag { tag } if tag == name => Some(false),
            _ => None,
        });
        last.unwrap_or_else(|| self.member.tags.contains(name))
    }

    /// The end of a grant that is given for a span. The span begins now, or at the end of the same
    /// grant if the member still has it. A grant that never expires stays so.
    fn until(&self, present: Option<GrantEnd>, span: Option<Span>) -> GrantEnd {
        let Some(span) = span else { return GrantEnd::Never };
        let from = match present {
            Some(GrantEnd::Never) => return GrantEnd::Never,
            Some(GrantEnd::At(until)) => until.max(self.at),
            None => self.at,
        };
        let local: NaiveDateTime = from.with_timezone(&self.programme.time_zone).naive_local();
        let end = match span {
            Span::Days(days) => local.checked_add_days(Days::new(days.into())),
            Span::Months(months) => local.checked_add_months(Months::new(months)),
        };
        // A date after the year 9999 is treated as no end.
        let end = end.filter(|end| end.year() <= 9999);
        end.map(|end| resolve(end, self.programme.time_zone)).into()
    }
}

/// The whole units that the value of a rule's block pays. A fraction of a unit is dropped. A block
/// without a value, such as an `if` whose condition does not hold, pays nothing.
pub(crate) fn units(rule: &Rule, value: &Value) -> Result<Units, RuleFailure> {
    match (value, value.number()) {
        // A code is an effect, and not a number.
        (Value::Nothing | Value::Gift(Benefit::Voucher { .. }), _) => Ok(Units::ZERO),
        (_, Some(amount)) => paid(rule, amount),
        (other, None) => {
            let found = other.kind();
            Err(rule.failure(format!("a rule pays a number of units, not {found}")))
        }
    }
}

/// The whole units of an amount that a rule pays, rounded down. Below zero it is zero: a rule never
/// takes units.
pub(crate) fn paid(rule: &Rule, units: Decimal) -> Result<Units, RuleFailure> {
    Units::from_decimal_floor(units.max(Decimal::ZERO))
        .map_err(|reason| rule.failure(format!("the rule pays {units}: {reason}")))
}
