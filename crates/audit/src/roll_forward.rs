use ledger::{Moment, Posting};
use store::VersionLine;

/// From one moment to another; open where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// What was before counts as opening.
    pub from: Option<Moment>,
    /// What is from then on is not counted.
    pub until: Option<Moment>,
}

/// What one wallet of all members came to. Units that went out are below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollForward {
    /// Before the period.
    pub opening: i64,
    /// Earned.
    pub issued: i64,
    /// Spent, captured holds among them.
    pub redeemed: i64,
    /// Run out.
    pub expired: i64,
    /// Undone: taken back, and given back.
    pub reversed: i64,
    /// By hand.
    pub adjusted: i64,
    /// From member to member; over all members nothing.
    pub transferred: i64,
    /// At the end of the period.
    pub closing: i64,
}

impl RollForward {
    /// Counts a posting as of the kind of its entry. What moves from lot to lot comes to nothing.
    pub(crate) fn count(&mut self, period: &Period, line: &VersionLine, posting: &Posting) {
        let units = posting.change;
        if period.until.is_some_and(|until| line.at >= until) {
            return;
        }
        // Where the period ends now, it closes with what members hold, and not with what was posted.
        if period.until.is_some() {
            self.closing += units;
        }
        if period.from.is_some_and(|from| line.at < from) {
            self.opening += units;
            return;
        }
        // What members do in an account's wallet has the kind of what they did.
        let sum = match line.kind.strip_prefix("share:").unwrap_or(&line.kind) {
            "earn" => &mut self.issued,
            "redeem" | "capture" => &mut self.redeemed,
            "expire" => &mut self.expired,
            "reverse" => &mut self.reversed,
            "adjust" => &mut self.adjusted,
            _ => &mut self.transferred,
        };
        *sum += units;
    }

    pub(crate) fn add(&mut self, other: &RollForward) {
        self.opening += other.opening;
        self.issued += other.issued;
        self.redeemed += other.redeemed;
        self.expired += other.expired;
        self.reversed += other.reversed;
        self.adjusted += other.adjusted;
        self.transferred += other.transferred;
        self.closing += other.closing;
    }

    /// Whether opening and movements come to the closing, and what went from member to member came to
    /// nothing over all of them.
    #[must_use]
    pub fn is_reconciled(&self) -> bool {
        self.sum() == self.closing && self.transferred == 0
    }

    /// What opening and movements come to: the closing, if nothing is lost.
    #[must_use]
    pub fn sum(&self) -> i64 {
        let moved = [self.issued, self.redeemed, self.expired, self.reversed, self.adjusted];
        self.opening + moved.iter().sum::<i64>() + self.transferred
    }
}
