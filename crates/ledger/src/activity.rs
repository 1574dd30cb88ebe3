use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::Moment;

/// The one activity that every merchant knows.
pub const PURCHASE: &str = "purchase";
/// The activity that a friend's is for the member who brought the friend.
pub const REFERRAL: &str = "referral";
/// The field of a referral that names the friend.
pub const FRIEND: &str = "friend";
/// The most characters of an id, an article number, a category, a channel.
pub const WORD_LENGTH_MAX: usize = 64;

/// Something a member did. It has been checked against the programme: its type is known, its
/// amounts have the currency's decimals, its fields are those that the manifest lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The merchant's own id of it, such as the order number.
    pub id: String,
    /// `purchase`, `review`, or any name the manifest lists.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, which is not when it was told.
    pub at: Moment,
    /// The id of the activity that it is about: the order that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Where: `web`, `shop`, `app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Paid with what: `card`, `cash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// What else the manifest lists for this type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldValue>,
}

/// What was bought, and for how much.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Order {
    /// What was paid in all, discounts taken off.
    #[serde(with = "rust_decimal::serde::str")]
    pub total: Decimal,
    /// What it was paid for. An order may come without lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The article number.
    pub sku: String,
    /// The merchant's category of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How many.
    pub quantity: u32,
    /// The price of one, if the client tells it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "rust_decimal::serde::str_option"
    )]
    pub price: Option<Decimal>,
    /// The merchant's marks of it: `organic`, `gift`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Line {
    /// What was paid for it: price times quantity. Nothing where the client tells no price, or on
    /// overflow.
    #[must_use]
    pub fn amount(&self) -> Option<Decimal> {
        self.price?.checked_mul(Decimal::from(self.quantity))
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// A whole number.
    Integer(i64),
    /// An amount in the programme's currency.
    Amount(#[serde(with = "rust_decimal::serde::str")] Decimal),
    /// A text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
}

impl Order {
    /// Pieces bought in all.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }
}
