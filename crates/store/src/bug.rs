//! Bugs that proofs plant between a decision and its write. The file is compiled only with the
//! feature `planted`, which only the proofs enable.

use std::fmt;
use std::sync::Arc;

use ledger::{Decision, Member};

/// A planted bug. It changes what was decided for a member.
#[derive(Clone)]
pub struct Bug(pub Arc<Tamper>);

type Tamper = dyn Fn(&Member, &mut Decision) + Send + Sync;

impl fmt::Debug for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bug")
    }
}
