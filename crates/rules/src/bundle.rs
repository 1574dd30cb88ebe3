use std::sync::Arc;

use ledger::entry::Gives;
use ledger::{
    Activity, Decision, Member, MerchantId, Moment, Order, Paid, Programme, Taken, Units,
    WalletName, cap,
};
use rhai::Dynamic;
use rust_decimal::Decimal;

use crate::engine::{EARN_SHEET, REWARDS_SHEET, SheetKind, TIERS_SHEET};
use crate::facts::Facts;
use crate::manifest;
use crate::mistake::{BundleRejection, RuleFailure, plain_types};
use crate::sheet::{self, Rule};
use crate::source::{BundleHash, MANIFEST, Sources};

/// All of one merchant's rules as one immutable revision: read, checked and compiled once.
#[derive(Debug, Clone)]
pub struct Bundle {
    hash: BundleHash,
    programme: Arc<Programme>,
    earn: Vec<Rule>,
    tiers: Vec<Rule>,
    rewards: Vec<RewardRule>,
}

/// A reward as its statement lays it down.
#[derive(Debug, Clone)]
pub struct RewardRule {
    /// Its name.
    pub name: String,
    /// What it costs.
    pub costs: Units,
    /// Paid from which wallet.
    pub wallet: WalletName,
    rule: Rule,
}

/// A reward as one member finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: String,
    /// What it costs.
    pub costs: Units,
    /// Paid from which wallet.
    pub wallet: WalletName,
    /// Units that are still missing.
    pub missing: Units,
    /// Whether its condition holds; nothing if that depends on the order.
    pub eligible: Option<bool>,
}

impl Offer {
    /// It can be had now, with any order.
    #[must_use]
    pub fn within_reach(&self) -> bool {
        self.eligible == Some(true) && self.missing.is_zero()
    }
}

impl Bundle {
    /// Reads, checks and compiles a merchant's sources. A bundle is whole or it is not there.
    ///
    /// # Errors
    /// Every mistake that was found, each with its place.
    pub fn load(merchant: &MerchantId, sources: &Sources) -> Result<Bundle, BundleRejection> {
        let reject = |mistakes| BundleRejection { merchant: merchant.to_string(), mistakes };
        let mistakes = sources.check();
        if !mistakes.is_empty() {
            return Err(reject(mistakes));
        }
        let text = |file: &str| sources.get(file).unwrap_or_default();
        let programme = Arc::new(manifest::read(merchant, text(MANIFEST)).map_err(reject)?);

        let mut mistakes = Vec::new();
        let mut read = |kind: &SheetKind| {
            sheet::read(kind, text(kind.file), &programme).unwrap_or_else(|found| {
                mistakes.extend(found);
                Vec::new()
            })
        };
        let (earn, tiers, rewards) = (read(&EARN_SHEET), read(&TIERS_SHEET), read(&REWARDS_SHEET));
        if !mistakes.is_empty() {
            return Err(reject(mistakes));
        }
        let rewards = rewards
            .into_iter()
            .filter_map(|rule| {
                let (costs, wallet) = rule.costs.clone()?;
                Some(RewardRule { name: rule.title.clone(), costs, wallet, rule })
            })
            .collect();
        Ok(Bundle { hash: sources.hash(), programme, earn, tiers, rewards })
    }

    /// The revision's identity.
    #[must_use]
    pub fn hash(&self) -> &BundleHash {
        &self.hash
    }

    /// The merchant's policy.
    #[must_use]
    pub fn programme(&self) -> &Programme {
        &self.programme
    }

    /// What an activity pays: each rule that paid, in the order of the sheet. `member` is the
    /// member before the activity, and `now` the moment at which it is judged.
    ///
    /// # Errors
    /// A rule failed, and with it the whole activity.
    pub fn earn(
        &self,
        member: &Member,
        activity: &Activity,
        now: Moment,
    ) -> Result<Vec<Paid>, RuleFailure> {
        let kind = &EARN_SHEET;
        let facts = Facts {
            member,
            programme: &self.programme,
            order: activity.order.as_ref(),
            activity: Some(activity),
            at: activity.at,
            now,
        };
        // `points`, the last of the facts, is what the sheet has paid so far.
        let (fixed, _) = kind.facts.split_at(kind.facts.len().saturating_sub(1));
        let mut scope = facts.scope(fixed);
        let depth = scope.len();
        let mut points = Units::ZERO;
        let mut paid = Vec::new();
        for rule in self.earn.iter().filter(|rule| rule.on.as_ref() == Some(&activity.kind)) {
            scope.rewind(depth);
            scope.push_constant("points", points.get());
            let reached = rule.cap.is_some_and(|cap| {
                cap::is_reached(member, &rule.title, cap, activity.at, self.programme.time_zone)
            });
            if reached || !rule.applies(kind, &mut scope)? {
                continue;
            }
            let units = units(rule, kind, &rule.value(kind, &mut scope)?)?;
            if units.is_zero() {
                continue;
            }
            let wallet = rule.into.clone().unwrap_or_else(|| self.programme.main_wallet.clone());
            if wallet == self.programme.main_wallet {
                points = points.checked_add(units).ok_or_else(|| {
                    rule.failure(kind, format!("the sheet pays more than {} units", Units::MAX))
                })?;
            }
            paid.push(Paid {
                rule: rule.title.clone(),
                source: rule.source.clone(),
                wallet,
                units,
                cap: rule.cap,
            });
        }
        Ok(paid)
    }

    /// The member's tier: the last of the sheet whose condition holds. Nothing where none does.
    ///
    /// # Errors
    /// A condition failed.
    pub fn tier(&self, member: &Member, now: Moment) -> Result<Option<String>, RuleFailure> {
        let kind = &TIERS_SHEET;
        let mut scope = self.facts(member, None, now).scope(kind.facts);
        for rule in self.tiers.iter().rev() {
            let holds = rule.value(kind, &mut scope)?;
            match holds.as_bool() {
                Ok(true) => return Ok(Some(rule.title.clone())),
                Ok(false) => {}
                Err(found) => {
                    return Err(rule.failure(
                        kind,
                        format!("a tier's condition is yes or no, not {}", plain_types(found)),
                    ));
                }
            }
        }
        Ok(None)
    }

    /// Has something decided for a member as it stands now, and lets the tier follow. The rules see
    /// the tier that holds now, however late anyone has written it down; the entry tells the change
    /// since the entry before.
    ///
    /// # Errors
    /// `decide` said no, or a tier's condition failed.
    pub fn settle<R: From<RuleFailure>>(
        &self,
        member: &Member,
        now: Moment,
        decide: impl FnOnce(&Member) -> Result<Decision, R>,
    ) -> Result<Decision, R> {
        let mut seen = member.clone();
        seen.tier = self.tier(member, now)?;
        let mut decision = decide(&seen)?;
        decision.member.tier.clone_from(&member.tier);
        let tier = self.tier(&decision.member, now)?;
        Ok(ledger::tier::settle(decision, tier))
    }

    /// The names of the tiers, the lowest first.
    pub fn tiers(&self) -> impl Iterator<Item = &str> {
        self.tiers.iter().map(|rule| rule.title.as_str())
    }

    /// The rewards, in the order of the sheet.
    #[must_use]
    pub fn rewards(&self) -> &[RewardRule] {
        &self.rewards
    }

    /// The reward as the member would take it now, or nothing if its condition does not hold.
    ///
    /// # Errors
    /// The reward's rule failed; `needs_order` says if only because no order was given.
    pub fn take(
        &self,
        reward: &RewardRule,
        member: &Member,
        order: Option<&Order>,
        now: Moment,
    ) -> Result<Option<Taken>, RuleFailure> {
        let kind = &REWARDS_SHEET;
        let mut scope = self.facts(member, order, now).scope(kind.facts);
        if !reward.rule.applies(kind, &mut scope)? {
            return Ok(None);
        }
        let gives = reward.rule.value(kind, &mut scope)?;
        let found = gives.type_name();
        let Some(gives) = gives.try_cast::<Gives>() else {
            return Err(reward.rule.failure(
                kind,
                format!(
                    "a reward gives `product(..)`, `discount(..)` or the like, not {}",
                    plain_types(found)
                ),
            ));
        };
        if let Some(reason) = cannot_be_given(&gives, &self.programme) {
            return Err(reward.rule.failure(kind, reason));
        }
        Ok(Some(Taken {
            name: reward.name.clone(),
            source: reward.rule.source.clone(),
            wallet: reward.wallet.clone(),
            costs: reward.costs,
            gives,
        }))
    }

    /// A reward as the member finds it now, without an order at hand.
    ///
    /// # Errors
    /// The reward's rule failed.
    pub fn offer(
        &self,
        reward: &RewardRule,
        member: &Member,
        now: Moment,
    ) -> Result<Offer, RuleFailure> {
        let eligible = match self.take(reward, member, None, now) {
            Ok(taken) => Some(taken.is_some()),
            Err(failure) if failure.needs_order => None,
            Err(failure) => return Err(failure),
        };
        let spendable = member.spendable(reward.wallet.as_str(), now);
        Ok(Offer {
            name: reward.name.clone(),
            costs: reward.costs,
            wallet: reward.wallet.clone(),
            missing: reward.costs.checked_sub(spendable).unwrap_or_default(),
            eligible,
        })
    }

    fn facts<'a>(&'a self, member: &'a Member, order: Option<&'a Order>, now: Moment) -> Facts<'a> {
        Facts { member, programme: &self.programme, order, activity: None, at: now, now }
    }
}

/// Why no till could honour a discount, if none could.
fn cannot_be_given(gives: &Gives, programme: &Programme) -> Option<String> {
    let decimals = ledger::money::decimals(programme.currency);
    match gives {
        Gives::Discount { amount } if *amount <= Decimal::ZERO => {
            Some("a discount is above zero".to_owned())
        }
        Gives::Discount { amount } if amount.normalize().scale() > decimals => {
            Some(format!("a discount of {amount} has more than {decimals} decimals"))
        }
        Gives::PercentOff { percent }
            if *percent <= Decimal::ZERO || *percent > Decimal::ONE_HUNDRED =>
        {
            Some(format!("{percent} is no percentage; it is above 0 and at most 100"))
        }
        _ => None,
    }
}

/// Whole units from the value of a rule's block: the part of a unit is dropped, and a block without
/// a value, such as an `if` that did not apply, pays nothing.
fn units(rule: &Rule, kind: &SheetKind, value: &Dynamic) -> Result<Units, RuleFailure> {
    let units = if value.is_unit() {
        return Ok(Units::ZERO);
    } else if let Ok(number) = value.as_int() {
        Units::new(number)
    } else if let Ok(amount) = value.as_decimal() {
        Units::from_decimal_floor(amount)
    } else {
        let found = plain_types(value.type_name());
        return Err(rule.failure(kind, format!("a rule pays a number of units, not {found}")));
    };
    units.map_err(|reason| rule.failure(kind, format!("the rule pays {value}: {reason}")))
}
