//! The table at the end of a run: all results against their targets.

use std::io::IsTerminal;

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};

use crate::results::{BUNDLE, LINE_COUNTS, LINES, SHEET, instructions, nanoseconds, quick, ratio};

/// The most by which the cost of a line may grow from a short order to a long one, as a factor, for
/// the cost to count as linear. The cost is in instructions, or in time if they were not counted.
const LINEAR: f64 = 1.25;
/// The target for compiling ten sheets of ten rules, in nanoseconds.
const COMPILED_IN: f64 = 2_000_000.0;
/// The text of a cell without a measurement.
const UNKNOWN: &str = "-";

/// A peer: its names in the benches, and the target for the ratio of the time of Regulars to its.
struct Peer {
    title: &'static str,
    measured: &'static str,
    counted: &'static str,
    target: Option<f64>,
}

const OURS: &str = "regulars";
const OURS_COUNTED: &str = "regulars_pays.of";

const PEERS: [Peer; 5] = [
    Peer {
        title: "zen-engine",
        measured: "zen-engine",
        counted: "zen_engine_pays.of",
        target: Some(0.6),
    },
    Peer {
        title: "json-rules-engine",
        measured: "json-rules-engine",
        counted: "",
        target: Some(0.2),
    },
    Peer { title: "cel", measured: "cel", counted: "cel_pays.of", target: Some(2.0) },
    Peer {
        title: "Rhai without our sandbox",
        measured: "rhai",
        counted: "rhai_pays.of",
        target: Some(1.5),
    },
    Peer {
        title: "the rules by hand in Rust",
        measured: "by-hand",
        counted: "by_hand_pays.of",
        target: None,
    },
];

/// Prints all measurements, with the targets.
pub fn print() {
    if quick() {
        println!("\nA quick run: the figures are rough.");
    }
    println!("\nTen rules over an order of five lines\n{}", peers());
    println!("\nRegulars over longer orders\n{}", lines());
    println!("\nA bundle of ten sheets of ten rules\n{}", bundle());
}

fn peers() -> Table {
    let heads =
        ["", "#time", "#instructions", "#Regulars takes of it", "target", "", "#of instructions"];
    let mut table = table(heads);
    let ours = nanoseconds(SHEET, OURS);
    let ours_counted = instructions(SHEET, OURS_COUNTED);
    table.add_row([
        "Regulars".to_owned(),
        ours.map_or_else(unknown, time),
        ours_counted.map_or_else(unknown, whole),
    ]);
    for peer in &PEERS {
        let theirs = nanoseconds(SHEET, peer.measured);
        let counted = instructions(SHEET, peer.counted).filter(|_| !peer.counted.is_empty());
        let ratio = ratio(peer.measured);
        let by_count = ours_counted.zip(counted).map(|(ours, theirs)| ours as f64 / theirs as f64);
        table.add_row([
            peer.title.to_owned(),
            theirs.map_or_else(unknown, time),
            counted.map_or_else(unknown, whole),
            ratio.map_or_else(unknown, times),
            peer.target.map_or_else(String::new, |most| format!("at most {most}")),
            peer.target.map_or_else(String::new, |most| verdict(ratio, most)),
            by_count.map_or_else(unknown, times),
        ]);
    }
    table
}

fn lines() -> Table {
    let heads = [
        "",
        "#time",
        "#instructions",
        "#time of a further line",
        "#its instructions",
        "target",
        "",
    ];
    let mut table = table(heads);
    let measured = LINE_COUNTS.map(|count| nanoseconds(LINES, &count.to_string()));
    let counts = LINE_COUNTS.map(|count| instructions(LINES, &format!("order_pays.of_{count}")));
    let counted = counts.map(|count| count.map(|count| count as f64));
    // Instructions are exact, while a time also depends on the caches.
    let growth = growth(counted).or_else(|| growth(measured));
    for (place, count) in LINE_COUNTS.into_iter().enumerate() {
        let last = place + 1 == LINE_COUNTS.len();
        let further = |costs, say: fn(f64) -> String| match place.checked_sub(1) {
            None => String::new(),
            Some(before) => further_line(costs, before, place).map_or_else(unknown, say),
        };
        table.add_row([
            format!("{count} lines"),
            measured[place].map_or_else(unknown, time),
            counts[place].map_or_else(unknown, whole),
            further(measured, time),
            further(counted, |cost| whole(cost.round() as u64)),
            if last { format!("linear: at most {LINEAR} of that above") } else { String::new() },
            if last { verdict(growth, LINEAR) } else { String::new() },
        ]);
    }
    table
}

/// The cost of each line by which one order is longer than another.
fn further_line(costs: [Option<f64>; 3], from: usize, to: usize) -> Option<f64> {
    let more = (LINE_COUNTS[to] - LINE_COUNTS[from]) as f64;
    costs[from].zip(costs[to]).map(|(few, many)| (many - few) / more)
}

/// The ratio of the cost of a further line in a long order to that in a short one.
fn growth(costs: [Option<f64>; 3]) -> Option<f64> {
    further_line(costs, 0, 1).zip(further_line(costs, 1, 2)).map(|(first, then)| then / first)
}

fn bundle() -> Table {
    let mut table = table(["", "#time", "#instructions", "target", ""]);
    let compiled = nanoseconds(BUNDLE, "compile");
    table.add_row([
        "read, checked and compiled".to_owned(),
        compiled.map_or_else(unknown, time),
        instructions(BUNDLE, "ten_sheets.of").map_or_else(unknown, whole),
        format!("at most {}", time(COMPILED_IN)),
        verdict(compiled, COMPILED_IN),
    ]);
    table.add_row([
        "found again, compiled".to_owned(),
        nanoseconds(BUNDLE, "look-up").map_or_else(unknown, time),
        instructions(BUNDLE, "kept_bundle.of").map_or_else(unknown, whole),
    ]);
    table
}

fn verdict(measured: Option<f64>, most: f64) -> String {
    match measured {
        None => "not measured".to_owned(),
        Some(measured) if measured <= most => "met".to_owned(),
        Some(_) => "missed".to_owned(),
    }
}

/// An empty table in the style of the command. A head that begins with `#` marks a column of
/// numbers.
fn table<const N: usize>(heads: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.force_no_tty();
    }
    table.set_header(
        heads.map(|head| Cell::new(head.trim_start_matches('#')).add_attribute(Attribute::Bold)),
    );
    for (place, head) in heads.into_iter().enumerate() {
        if let Some(column) = table.column_mut(place)
            && head.starts_with('#')
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn unknown() -> String {
    UNKNOWN.to_owned()
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}")
}

fn time(nanoseconds: f64) -> String {
    let (number, unit) = match nanoseconds {
        few if few < 1_000.0 => (few, "ns"),
        some if some < 1_000_000.0 => (some / 1_000.0, "µs"),
        many => (many / 1_000_000.0, "ms"),
    };
    let decimals = if number < 10.0 { 2 } else { 1 };
    format!("{number:.decimals$} {unit}")
}

fn whole(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are text"))
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_easily() {
        assert_eq!([whole(7), whole(999), whole(1_234_567)], ["7", "999", "1,234,567"]);
        assert_eq!(time(7.256), "7.26 ns");
        assert_eq!(time(14_298.4), "14.3 µs");
        assert_eq!(time(COMPILED_IN), "2.00 ms");
    }

    #[test]
    fn a_target_is_met_missed_or_open() {
        let verdicts = [Some(0.6), Some(0.61), None].map(|measured| verdict(measured, 0.6));
        assert_eq!(verdicts, ["met", "missed", "not measured"]);
    }
}
