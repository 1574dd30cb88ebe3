//! Tests of the command as people run it: as a process, which can be killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so"
)]

/// The audit of a file, an endpoint and an export, and of a table that was tampered with.
mod audited;
/// The past as data, and rules tried on it.
mod backtest;
/// Files and options that make no sense.
mod bad_input;
/// What each request costs.
mod costs;
/// The real history, compared with a model.
mod history;
/// Processes that are killed.
mod killed;
/// What is owed, for the books.
mod liability;
/// What a trial has changed.
mod lift;
/// The model: the programme of `rules/cdnow` in plain Rust, which shares nothing with the engine.
mod model;
/// Receipts as a shop system exports them.
mod receipts;
/// Activities that are judged again with a rule that had failed.
mod rejudge;
/// The tools for merchants.
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The file of the real orders.
fn orders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/cdnow_orders.csv")
}

/// The command with its arguments, ready to run.
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

/// The JSON that a command printed. The command must have succeeded.
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Writes the first orders of the real history to a file of their own.
fn first_orders(folder: &Path, lines: usize) -> PathBuf {
    let text = std::fs::read_to_string(orders()).unwrap();
    let head: Vec<&str> = text.lines().take(lines + 1).collect();
    let file = folder.join("orders.csv");
    std::fs::write(&file, head.join("\n") + "\n").unwrap();
    file
}
