//! Tier status: a member's tier, and when it may lose it.

use serde::{Deserialize, Serialize};

use crate::Moment;

/// A change of tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierChange {
    /// The tier before; `None` if there was none.
    pub from: Option<String>,
    /// The tier after; `None` if there is none.
    pub to: Option<String>,
}

/// A member's tier, and when it may lose it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TierStatus {
    /// The tier; `None` if the member has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The moment until which the member keeps it at least, whatever its condition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Moment>,
    /// Since when the member no longer qualifies for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    /// When the member loses it, unless it qualifies again before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<Moment>,
}
