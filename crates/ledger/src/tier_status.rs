//! How a member stands with its tier.

use serde::{Deserialize, Serialize};

use crate::Moment;

/// From which tier to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// The tier before; nothing if there was none.
    pub from: Option<String>,
    /// The tier after; nothing if none.
    pub to: Option<String>,
}

/// How a member stands with its tier.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TierStatus {
    /// The tier; nothing if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// It stays at least until then, whatever its condition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Moment>,
    /// Since when its condition does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    /// When it is lost, should its condition not hold again before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Moment>,
}
