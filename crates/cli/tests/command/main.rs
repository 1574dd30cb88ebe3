//! The command, run as a person runs it: as a process, that can be killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so"
)]

/// The audit, over a file, an endpoint and an export, and of what somebody has tampered with.
mod audited;
/// Files and options that make no sense.
mod bad_input;
/// What a request costs.
mod costs;
/// The real history, against a model of its own.
mod history;
/// Processes that are killed.
mod killed;
/// The model: the programme of `rules/cdnow` in plain Rust, sharing nothing with the engine.
mod model;
/// The tools for merchants.
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The real orders.
fn orders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/cdnow_orders.csv")
}

/// The command with its arguments, ready to run in the crate's folder.
fn regulars<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regulars"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn replay(file: &Path, data: &Path) -> Command {
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    regulars([
        "replay",
        "--merchant",
        "cdnow",
        file,
        "--data",
        data,
        "--redeem-when-possible",
        "--json",
    ])
}

/// What a command printed, as JSON, once it has ended well.
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first orders of the real history, as a file of their own.
fn first_orders(folder: &Path, lines: usize) -> PathBuf {
    let text = std::fs::read_to_string(orders()).unwrap();
    let head: Vec<&str> = text.lines().take(lines + 1).collect();
    let file = folder.join("orders.csv");
    std::fs::write(&file, head.join("\n") + "\n").unwrap();
    file
}
