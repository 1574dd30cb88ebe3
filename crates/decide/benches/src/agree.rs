//! The check that all engines pay the same. It precedes every comparison.

use crate::case::{self, Case};
use crate::cel_programs::Cel;
use crate::ours::Ours;
use crate::plain_rhai::PlainRhai;
use crate::rules_in_node::RulesInNode;
use crate::zen_graph::Zen;
use crate::{Paid, RULES, by_hand};

/// Compares what all engines pay in every case with what [`by_hand::pay`] pays.
///
/// # Panics
/// An engine pays something else. Or a rule pays in every case or in none: then the cases cannot
/// show whether the engines agree on it.
pub fn check() {
    let cases = case::all();
    for (rule, title) in RULES.iter().enumerate() {
        let pays = |case: &Case| by_hand::pay(case)[rule] > 0;
        assert!(cases.iter().any(pays), "`{title}` pays in no case");
        assert!(!cases.iter().all(pays), "`{title}` pays in every case");
    }

    let (ours, rhai, zen, cel) = (Ours::new(), PlainRhai::new(), Zen::new(), Cel::new());
    let mut node = RulesInNode::start();
    for case in &cases {
        let expected = by_hand::pay(case);
        let agrees = |engine: &str, paid: Paid| assert_eq!(paid, expected, "{engine}: {case:?}");
        agrees("Regulars", ours.pay(case));
        agrees("Rhai", rhai.pay(case));
        agrees("zen-engine", zen.pay(case));
        agrees("cel", cel.pay(case));
        agrees("json-rules-engine", node.pay(case));
    }
}
