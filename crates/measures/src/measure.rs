//! The measures, and what they say of themselves.

/// A measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name: that of its file.
    pub name: &'static str,
    /// Its file: what it says of itself, and one query.
    pub sql: &'static str,
}

macro_rules! measures {
    ($($name:literal)*) => {
        [$(Measure { name: $name, sql: include_str!(concat!("../sql/", $name, ".sql")) }),*]
    };
}

/// All measures, in the order in which they are shown.
static ALL: [Measure; 25] = measures![
    "members"
    "enrolments"
    "active_members"
    "participation_rate"
    "orders"
    "revenue"
    "average_order_value"
    "purchase_frequency"
    "repeat_purchase_rate"
    "time_to_first_reward"
    "units"
    "points_cost"
    "redemption_rate"
    "breakage_rate"
    "liability_by_age"
    "expiry_forecast"
    "members_by_tier"
    "tier_movement"
    "revenue_by_tier"
    "rules_cost"
    "rewards_taken"
    "revenue_around_first_reward"
    "revenue_around_rules"
    "cohorts"
    "rfm"
];

impl Measure {
    /// All measures, in the order in which they are shown.
    #[must_use]
    pub fn all() -> &'static [Measure] {
        &ALL
    }

    /// The measure of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Measure> {
        ALL.iter().find(|measure| measure.name == name)
    }

    /// The comments at the top of its file, one for each line.
    fn comments(&self) -> impl Iterator<Item = &'static str> {
        self.sql.lines().map_while(|line| line.strip_prefix("--"))
    }

    /// What it is called.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.comments().next().unwrap_or_default().trim()
    }

    /// What it means, in a sentence or two.
    #[must_use]
    pub fn meaning(&self) -> String {
        let lines = self.comments().skip(1).take_while(|line| !line.starts_with(" Unit:"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// What its figure counts.
    #[must_use]
    pub fn unit(&self) -> String {
        self.said("Unit:")
    }

    /// Where its definition comes from.
    #[must_use]
    pub fn source(&self) -> String {
        self.said("Source:")
    }

    /// The comment that begins with a word, and the lines that continue it.
    fn said(&self, word: &str) -> String {
        let mut lines = self.comments().skip_while(|line| !line.trim_start().starts_with(word));
        let first = lines.next().unwrap_or_default().trim().trim_start_matches(word).trim();
        let more = lines.take_while(|line| line.starts_with("   ")).map(str::trim);
        std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")
    }
}
