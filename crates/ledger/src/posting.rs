//! Postings: movements of units in a wallet, each with where they came from, where they went, and
//! why.
//!
//! A verb makes postings with the constructors, such as [`Posting::out_of_lot`], and puts them into
//! its draft; the draft adds those that issue units, pay debt and extend lots. `Member::apply`
//! takes the units from one side and adds them to the other. Read the reason of a movement from
//! [`Posting::why`]; never infer it from neighbouring postings.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::terms::Terms;
use crate::{Lot, MemberId, Seq, Units, WalletName};

/// A movement of units in one wallet. The terms on a side identify its lot, since a wallet merges
/// lots of equal terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The wallet.
    pub wallet: WalletName,
    /// The number of units.
    pub units: Units,
    /// Why they moved.
    pub why: PostingReason,
    /// Where they came from; `None` if from outside the wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PostingSide>,
    /// Where they went; `None` if out of the wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PostingSide>,
    /// Whether the wallet is that of the account that the member shares, instead of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
    /// The account, if it is another one than that of the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountEntry>,
    /// The terms of the units where neither side is a lot: where they become debt, or come in and pay
    /// debt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// The entry of an account for an entry of a member that shares its wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// The account.
    pub account: MemberId,
    /// The number of its entry. If nothing moved there, the number that its next entry gets.
    pub entry: Seq,
}

/// One side of a movement within a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingSide {
    /// A lot, identified by its terms.
    Lot(Terms),
    /// The debt. Units that come from it add to the debt; units that go to it pay debt.
    Debt,
}

/// Why units moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingReason {
    /// A rule gave them.
    Issued,
    /// They were spent on a reward.
    Spent,
    /// They expired.
    Expired,
    /// They pay debt out of a lot.
    DebtPaid,
    /// They are held for a reward.
    Held,
    /// They are no longer held: the hold was released, or captured for less.
    Released,
    /// The activity that they were pending on has happened, such as the delivery of an order.
    Delivered,
    /// An activity of the member extends their end.
    Extended,
    /// They are taken back, since the entry that issued them is reversed.
    Reclaimed,
    /// They are given back, since the entry that spent them is reversed.
    Restored,
    /// They were given or taken by hand.
    Adjusted,
    /// They came from another member, or went to one.
    Transferred,
    /// The history before has changed, and they lie elsewhere by it: in lots with other terms, in the
    /// debt or out of it.
    DerivedAgain,
}

/// The column of the books that a posting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Earned.
    Issued,
    /// Spent, captured holds included.
    Redeemed,
    /// Expired.
    Expired,
    /// Taken back or given back: by reversals, and by what became known later.
    Reversed,
    /// Given and taken by hand.
    Adjusted,
    /// Transferred between members.
    Transferred,
}

impl PostingReason {
    /// The column of the books; `None` if units only move within their wallet.
    #[must_use]
    pub fn movement(self) -> Option<Movement> {
        match self {
            PostingReason::Issued => Some(Movement::Issued),
            PostingReason::Spent => Some(Movement::Redeemed),
            PostingReason::Expired => Some(Movement::Expired),
            PostingReason::Reclaimed | PostingReason::Restored | PostingReason::DerivedAgain => {
                Some(Movement::Reversed)
            }
            PostingReason::Adjusted => Some(Movement::Adjusted),
            PostingReason::Transferred => Some(Movement::Transferred),
            PostingReason::DebtPaid
            | PostingReason::Held
            | PostingReason::Released
            | PostingReason::Delivered
            | PostingReason::Extended => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Posting {
    /// Units that come into a lot.
    #[must_use]
    pub fn into_lot(wallet: WalletName, lot: Lot, why: PostingReason) -> Posting {
        let Lot { units, terms } = lot;
        let to = Some(PostingSide::Lot(terms));
        Posting { wallet, units, why, from: None, to, shared: false, account: None, terms: None }
    }

    /// Units that go out of a lot.
    #[must_use]
    pub fn out_of_lot(wallet: WalletName, lot: Lot, why: PostingReason) -> Posting {
        let Lot { units, terms } = lot;
        let from = Some(PostingSide::Lot(terms));
        Posting { wallet, units, why, from, to: None, shared: false, account: None, terms: None }
    }

    /// Units that move from one lot to another.
    #[must_use]
    pub fn between_lots(wallet: WalletName, lot: Lot, to: Terms, why: PostingReason) -> Posting {
        let out = Posting::out_of_lot(wallet, lot, why);
        Posting { to: Some(PostingSide::Lot(to)), ..out }
    }

    /// A lot that comes in and pays the debt.
    #[must_use]
    pub fn into_debt(wallet: WalletName, lot: Lot, why: PostingReason) -> Posting {
        let terms = Some(lot.terms.clone());
        let into = Posting::into_lot(wallet, lot, why);
        Posting { to: Some(PostingSide::Debt), terms, ..into }
    }

    /// A lot that becomes debt, since it is no longer there to be taken back.
    #[must_use]
    pub fn out_of_debt(wallet: WalletName, lot: Lot, why: PostingReason) -> Posting {
        let terms = Some(lot.terms.clone());
        let out = Posting::out_of_lot(wallet, lot, why);
        Posting { from: Some(PostingSide::Debt), terms, ..out }
    }

    /// A lot that pays the debt.
    #[must_use]
    pub fn pays_debt(wallet: WalletName, lot: Lot) -> Posting {
        let out = Posting::out_of_lot(wallet, lot, PostingReason::DebtPaid);
        Posting { to: Some(PostingSide::Debt), ..out }
    }

    /// The change of the wallet's balance (its lots less its debt): above zero for units that come
    /// in, below zero for units that go out, zero for units that move within the wallet.
    #[must_use]
    pub fn change(&self) -> i64 {
        match (&self.from, &self.to) {
            (None, Some(_)) => self.units.get(),
            // `Units::MAX` is far below `i64::MAX`, so the negation cannot overflow.
            (Some(_), None) => -self.units.get(),
            _ => 0,
        }
    }

    /// The change of the debt: above zero for units that become debt, below zero for units that
    /// pay it.
    #[must_use]
    pub fn change_of_debt(&self) -> i64 {
        let of = |side: &Option<PostingSide>| match side {
            Some(PostingSide::Debt) => self.units.get(),
            _ => 0,
        };
        of(&self.from) - of(&self.to)
    }

    /// The terms of the lot that the units came from; `None` if they came from no lot.
    #[must_use]
    pub fn from_lot(&self) -> Option<&Terms> {
        lot(self.from.as_ref())
    }

    /// What one unit is worth where neither side is a lot; `None` elsewhere, or if nobody said.
    #[must_use]
    pub fn worth(&self) -> Option<Decimal> {
        self.terms.as_ref()?.worth
    }

    /// The terms of units that came in: those of their lot, or those that they paid debt with.
    #[must_use]
    pub fn came_with(&self) -> Option<&Terms> {
        self.to_lot().or(self.terms.as_ref())
    }

    /// The terms of units that went out: those of their lot, or those with which they became debt.
    #[must_use]
    pub fn went_with(&self) -> Option<&Terms> {
        self.from_lot().or(self.terms.as_ref())
    }

    /// The terms of the lot that the units went to; `None` if they went to no lot.
    #[must_use]
    pub fn to_lot(&self) -> Option<&Terms> {
        lot(self.to.as_ref())
    }
}

fn lot(side: Option<&PostingSide>) -> Option<&Terms> {
    match side {
        Some(PostingSide::Lot(terms)) => Some(terms),
        Some(PostingSide::Debt) | None => None,
    }
}
