//! Postings: movements of units, each with where they came from, where they went, and why.

use serde::{Deserialize, Serialize};

use crate::wallet::Terms;
use crate::{Lot, Units, WalletName};

/// A movement of units in one wallet. A lot is named by its terms, since lots of equal terms are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// In which wallet.
    pub wallet: WalletName,
    /// How many.
    pub units: Units,
    /// Why.
    pub why: PostingReason,
    /// Where they came from; from outside of the wallet if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PostingSide>,
    /// Where they went; out of the wallet if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PostingSide>,
    /// It is in the wallet of the account that the member shares, and not in its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
}

/// One side of a movement within a wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostingSide {
    /// A lot, by its terms.
    Lot(Terms),
    /// The debt: units that come from it are owed from now on, units that go there pay it.
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
    /// A lot pays the debt.
    DebtPaid,
    /// They are held for a reward.
    Held,
    /// A hold lets them go.
    Released,
    /// The activity that they waited for has come, such as the delivery of an order.
    Delivered,
    /// An activity of the member moves their end.
    Extended,
    /// They are taken back, since what earned them is undone.
    Reclaimed,
    /// They are given back, since what they were spent on is undone.
    Restored,
    /// They were given or taken by hand.
    Adjusted,
    /// They came from another member, or went to one.
    Transferred,
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
        Posting { wallet, units, why, from: None, to: Some(PostingSide::Lot(terms)), shared: false }
    }

    /// Units that go out of a lot.
    #[must_use]
    pub fn out_of_lot(wallet: WalletName, lot: Lot, why: PostingReason) -> Posting {
        let Lot { units, terms } = lot;
        Posting { wallet, units, why, from: Some(PostingSide::Lot(terms)), to: None, shared: false }
    }

    /// Units that move from one lot to another.
    #[must_use]
    pub fn between_lots(wallet: WalletName, lot: Lot, to: Terms, why: PostingReason) -> Posting {
        let out = Posting::out_of_lot(wallet, lot, why);
        Posting { to: Some(PostingSide::Lot(to)), ..out }
    }

    /// Units that come in and pay the debt.
    #[must_use]
    pub fn into_debt(wallet: WalletName, units: Units, why: PostingReason) -> Posting {
        Posting { wallet, units, why, from: None, to: Some(PostingSide::Debt), shared: false }
    }

    /// Units that are owed from now on, since they could not be taken out of any lot.
    #[must_use]
    pub fn out_of_debt(wallet: WalletName, units: Units, why: PostingReason) -> Posting {
        Posting { wallet, units, why, from: Some(PostingSide::Debt), to: None, shared: false }
    }

    /// A lot that pays the debt.
    #[must_use]
    pub fn pays_debt(wallet: WalletName, lot: Lot) -> Posting {
        let out = Posting::out_of_lot(wallet, lot, PostingReason::DebtPaid);
        Posting { to: Some(PostingSide::Debt), ..out }
    }

    /// The change of the wallet's balance: above zero for units that come in, below for units that go
    /// out, nothing for units that only move.
    #[must_use]
    pub fn change(&self) -> i64 {
        match (&self.from, &self.to) {
            (None, Some(_)) => self.units.get(),
            // Units are far from the ends of 64 bits, so that the sign can always be turned.
            (Some(_), None) => -self.units.get(),
            _ => 0,
        }
    }

    /// The change of the debt: above zero for units that are owed from now on.
    #[must_use]
    pub fn change_of_debt(&self) -> i64 {
        let of = |side: &Option<PostingSide>| match side {
            Some(PostingSide::Debt) => self.units.get(),
            _ => 0,
        };
        of(&self.from) - of(&self.to)
    }

    /// The terms of the lot that the units came from, if they came from one.
    #[must_use]
    pub fn from_lot(&self) -> Option<&Terms> {
        lot(self.from.as_ref())
    }

    /// The terms of the lot that the units went to, if they went to one.
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
