//! A fault, and what it was found in.

use std::fmt;

use ledger::Seq;
use store::MemberKey;

/// A fault: something that is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The member.
    pub member: MemberKey,
    /// The first entry that shows the fault; nothing if the fault concerns the member as a whole.
    pub entry: Option<Seq>,
    /// The fault, in words.
    pub what: String,
    /// The data that the fault was found in, besides the member's own entries.
    pub about: About,
}

/// The data that a fault was found in, besides the member's own entries. In a table that is in use,
/// the two are read at different moments, so that the fault may be only apparent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Nothing but the member's own entries, which are read together. Such a fault is real.
    Itself,
    /// The member's due date, which the due index has too.
    Due,
    /// The entries of this other member.
    Other(MemberKey),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "{}, entry {entry}: {}", self.member, self.what),
            None => write!(f, "{}: {}", self.member, self.what),
        }
    }
}
