//! One earning sheet of ten rules, run by Regulars and by its peers over the same order.
//!
//! Every engine starts from the same [`Case`](case::Case), a plain value as a shop's own code would
//! have it, and brings it into the form of its own facts inside what is measured. What all of them
//! pay is compared, over every case of [`case::all`], before they are measured.
//!
//! Where a peer leaves a choice, it gets the faster one; each module says which choices it made.

/// All engines pay the same, or they are not measured.
pub mod agree;
/// The rules written in Rust, for the floor that no engine can go below.
pub mod by_hand;
/// What a member bought, before any engine has seen it.
pub mod case;
/// The peer `cel`: the Common Expression Language.
pub mod cel_programs;
/// Regulars. The only module that knows its API.
pub mod ours;
/// The peer Rhai: the language our sheets are written in, without our sandbox.
pub mod plain_rhai;
/// Where results are kept, and how long to measure.
pub mod results;
/// The peer `json-rules-engine`, in a Node process.
pub mod rules_in_node;
/// The comparison at the end of a run.
pub mod table;
/// The peer `zen-engine`: GoRules.
pub mod zen_graph;

/// The rules by their titles, in the order of the sheet.
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

/// What each of the [`RULES`] pays, zero where it does not apply.
pub type Paid = [i64; RULES.len()];
