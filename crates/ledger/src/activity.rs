//! Activities: what a member did, with its order.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Moment, Order};

/// The one kind of activity that every programme has.
pub const PURCHASE: &str = "purchase";
/// The kind of activity that a referrer gets for an activity of a friend.
pub const REFERRAL: &str = "referral";
/// The field of a referral that names the friend.
pub const FRIEND: &str = "friend";

/// Something that a member did. It has been checked against the programme: its kind is known, its
/// amounts have the currency's decimals, and its fields are those that the manifest lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The merchant's own id for it, such as the order number.
    pub id: String,
    /// Its kind: `purchase`, or a name that the manifest lists, such as `review`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, which may be long before it was sent.
    pub at: Moment,
    /// The id of the activity that it is about, such as the order that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// The channel: `web`, `shop`, `app`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The means of payment: `card`, `cash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
    /// The other fields that the manifest lists for this kind, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldValue>,
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
