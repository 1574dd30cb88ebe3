//! Benchmarks: Regulars and its peers run one earn sheet of ten rules over the same order.
//!
//! Every engine starts from the same [`Case`](case::Case), a plain value as a shop's own code would
//! have it. The measured time includes its conversion into the engine's own facts. Before the
//! measurement, [`agree::check`] compares what all engines pay in every case of [`case::all`].
//!
//! Where a peer offers a choice, it gets the faster one. Each module says which choices it made.

/// The check that all engines pay the same.
pub mod agree;
/// The rules in plain Rust: the lower bound of the time.
pub mod by_hand;
/// The purchase that every engine evaluates.
pub mod case;
/// The peer `cel`: the Common Expression Language.
pub mod cel_programs;
/// Regulars. Only this module uses its API.
pub mod ours;
/// The peer Rhai: the language of our sheets, without our sandbox.
pub mod plain_rhai;
/// The stored results, and the settings of the measurement.
pub mod results;
/// The peer `json-rules-engine`, in a Node process.
pub mod rules_in_node;
/// The table at the end of a run.
pub mod table;
/// The peer `zen-engine`: GoRules.
pub mod zen_graph;

/// The titles of the rules, in the order of the sheet.
pub const RULES: [&str; 10] = [
    "1 point per euro",
    "Gold members earn double",
    "Breakfast on weekends",
    "Two bags of beans",
    "Paid with the app",
    "A stamp per coffee",
    "Three times on tea",
    "First web order of the day",
    "Basket over 50",
    "Founders who save",
];

/// The units that each of the [`RULES`] pays; zero if it does not apply.
pub type Paid = [i64; RULES.len()];
