//! Bugs, planted between a decision and its write, by those who prove that their proofs would find
//! them. There are none unless the feature `planted` is on, which only the proofs ask for.

use std::fmt;
use std::sync::Arc;

use ledger::{Decision, Member};

/// Changes what was decided for a member as it was.
#[derive(Clone)]
pub struct Bug(pub Arc<dyn Fn(&Member, &mut Decision) + Send + Sync>);

impl fmt::Debug for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bug")
    }
}
