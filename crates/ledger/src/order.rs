//! Orders: what was bought, what came back in exchange, and what was paid.
//!
//! Only the total is always there. It is what the member paid in all, and every other amount is
//! measured by it: what a total has beyond its lines, or lacks, is spread over the lines in
//! proportion ([`Order::shares`]).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{round_to_coin, split};

/// An order: what was bought, and for how much. Amounts are in the programme's currency.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Order {
    /// The amount paid in all, after discounts, with tax, shipping and tip. Below zero if more came
    /// back in an exchange than was bought.
    #[serde(with = "rust_decimal::serde::str")]
    pub total: Decimal,
    /// The lines. An order may have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// The places, from 0, at which the client sent lines of which nothing was bought. They are not
    /// among the lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<usize>,
    /// The amounts beside the total.
    #[serde(flatten)]
    pub amounts: OrderAmounts,
    /// The store in which it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// What was paid by which means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<Payment>,
}

/// The amounts of an order beside its total; zero if the client does not send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderAmounts {
    /// The discount on the whole order, beyond those of its lines.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub discount: Decimal,
    /// The price of the delivery.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub shipping: Decimal,
    /// The tax in the total.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub tax: Decimal,
    /// The tip in the total.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub tip: Decimal,
}

impl OrderAmounts {
    /// Each amount after `change`.
    #[must_use]
    pub fn map(self, change: impl Fn(Decimal) -> Decimal) -> OrderAmounts {
        OrderAmounts {
            discount: change(self.discount),
            shipping: change(self.shipping),
            tax: change(self.tax),
            tip: change(self.tip),
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    /// The client's id of the line, unique in the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The article number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// The merchant's categories for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// The merchant's tags for it: `organic`, `gift`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How much of it, in pieces or in the line's unit; below zero if it came back in an exchange.
    #[serde(with = "rust_decimal::serde::str")]
    pub quantity: Decimal,
    /// The unit of the quantity, such as `kg`; `None` for pieces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The price of one piece or unit, if the client sends it. Below zero for a discount that is
    /// written as a line.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::str_option"
    )]
    pub price: Option<Decimal>,
    /// What the line came to, after its discount, if the client sends it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::str_option"
    )]
    pub amount: Option<Decimal>,
    /// The discount of the line.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub discount: Decimal,
    /// The tax of the line.
    #[serde(default, skip_serializing_if = "Decimal::is_zero", with = "rust_decimal::serde::str")]
    pub tax: Decimal,
    /// What else the client says of it, such as `brand`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A part of an order that was paid by one means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The means of payment: `card`, `cash`, `gift-card`.
    pub method: String,
    /// The amount.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
}

impl Line {
    /// What the line came to before what the order takes off or adds: its amount, or else price
    /// times quantity less its discount, to the smallest coin. `None` if the client sends neither,
    /// or on overflow.
    #[must_use]
    pub fn own_amount(&self, decimals: u32) -> Option<Decimal> {
        if self.amount.is_some() {
            return self.amount;
        }
        let all = self.price?.checked_mul(self.quantity)?;
        Some(round_to_coin(all.checked_sub(self.discount)?, decimals))
    }

    /// Whether the line is something that came back in an exchange.
    #[must_use]
    pub fn came_back(&self) -> bool {
        self.quantity < Decimal::ZERO
    }

    /// Whether the line is a discount that is written as a line.
    #[must_use]
    pub fn is_discount(&self) -> bool {
        let charged = self.amount.or(self.price);
        !self.came_back() && charged.is_some_and(|charged| charged < Decimal::ZERO)
    }

    /// Whether a word is the line's article number, one of its categories or one of its tags.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.sku.as_deref() == Some(word)
            || self.categories.iter().chain(&self.tags).any(|had| had == word)
    }

    /// The number of pieces: the quantity, or one if it is measured, such as by weight.
    #[must_use]
    pub fn pieces(&self) -> Decimal {
        match self.unit.is_none() && self.quantity.is_integer() {
            true => self.quantity,
            false if self.came_back() => Decimal::NEGATIVE_ONE,
            false => Decimal::ONE,
        }
    }
}

impl Order {
    /// What was paid for the goods: the total without shipping and tip.
    #[must_use]
    pub fn goods(&self) -> Decimal {
        self.total - self.amounts.shipping - self.amounts.tip
    }

    /// What each line came to of a `whole`, such as the total or the goods. What the whole has
    /// beyond the lines, or lacks, is spread over them in proportion, so that the shares come to
    /// the whole. A line that came back in an exchange keeps its own amount, and a discount that is
    /// written as a line is spread over the others.
    ///
    /// If a line has neither an amount nor a price, its share is `None`, and nothing can be spread:
    /// each other line keeps its own amount.
    #[must_use]
    pub fn shares(&self, whole: Decimal, decimals: u32) -> Vec<Option<Decimal>> {
        let own: Vec<Option<Decimal>> =
            self.lines.iter().map(|line| line.own_amount(decimals)).collect();
        if self.comes_to(&own, whole) {
            return own;
        }
        self.spread(&own, whole, decimals).unwrap_or(own)
    }

    /// Whether the lines come to the whole as they are.
    fn comes_to(&self, own: &[Option<Decimal>], whole: Decimal) -> bool {
        let mut lines = self.lines.iter().zip(own);
        let sum = lines.try_fold(Decimal::ZERO, |sum, (line, own)| {
            let own = own.filter(|own| line.came_back() || *own >= Decimal::ZERO)?;
            sum.checked_add(own)
        });
        sum == Some(whole)
    }

    fn spread(
        &self,
        own: &[Option<Decimal>],
        whole: Decimal,
        decimals: u32,
    ) -> Option<Vec<Option<Decimal>>> {
        let mut pool = whole;
        let mut weights = Vec::with_capacity(self.lines.len());
        for (line, own) in self.lines.iter().zip(own) {
            let own = (*own)?;
            if line.came_back() {
                pool = pool.checked_sub(own)?;
            }
            weights.push(if line.came_back() { Decimal::ZERO } else { own.max(Decimal::ZERO) });
        }
        if weights.iter().all(Decimal::is_zero) {
            // Nothing was charged for any line, so each piece counts alike.
            let pieces = self.lines.iter().map(|line| line.quantity.max(Decimal::ZERO));
            weights = pieces.collect();
        }
        let parts = split(pool, &weights, decimals)?;
        let lines = self.lines.iter().zip(own).zip(parts);
        Some(
            lines
                .map(|((line, own), part)| if line.came_back() { *own } else { Some(part) })
                .collect(),
        )
    }

    /// The difference of the total from what the lines, discounts and charges explain; `None` if
    /// they explain it. Each line may be rounded by a coin. Tax may be in the prices or on top.
    #[must_use]
    pub fn unexplained(&self, decimals: u32) -> Option<Decimal> {
        if self.lines.is_empty() {
            return None;
        }
        let OrderAmounts { discount, shipping, tax, tip } = self.amounts;
        let lines = self
            .lines
            .iter()
            .try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line.own_amount(decimals)?))?;
        let of_lines: Decimal = self.lines.iter().map(|line| line.tax).sum();
        let tax = if tax.is_zero() { of_lines } else { tax };
        let expected = lines - discount + shipping + tip;
        let coins = Decimal::new(i64::try_from(self.lines.len()).ok()?, decimals);
        let is_near = |expected: Decimal| (self.total - expected).abs() <= coins;
        let explained = is_near(expected) || is_near(expected + tax);
        (!explained).then_some(self.total - expected)
    }

    /// The number of pieces of all lines but discounts.
    #[must_use]
    pub fn pieces(&self) -> Decimal {
        self.lines.iter().filter(|line| !line.is_discount()).map(Line::pieces).sum()
    }

    /// The name of the line at a place: its id, or its number as the client sent it, from 1. A number
    /// that is the id of another line is written with `#`.
    #[must_use]
    pub fn name_of_line(&self, place: usize) -> String {
        if let Some(id) = self.lines.get(place).and_then(|line| line.id.as_ref()) {
            return id.clone();
        }
        let number = self.number_of_line(place).to_string();
        match self.has_line(&number) {
            true => format!("#{number}"),
            false => number,
        }
    }

    /// Whether the line at a place is named so: by its id, or by its number if no line has that id.
    #[must_use]
    pub fn is_line(&self, place: usize, name: &str) -> bool {
        let id = self.lines.get(place).and_then(|line| line.id.as_ref());
        if self.has_line(name) {
            return id.is_some_and(|id| id == name);
        }
        let number = name.strip_prefix('#').unwrap_or(name);
        id.is_none() && self.number_of_line(place).to_string() == number
    }

    fn has_line(&self, id: &str) -> bool {
        self.lines.iter().any(|line| line.id.as_deref() == Some(id))
    }

    fn number_of_line(&self, place: usize) -> usize {
        let mut sent = place;
        for voided in &self.voided {
            sent += usize::from(*voided <= sent);
        }
        sent + 1
    }
}
