//! The peer `json-rules-engine`, in a Node process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::Paid;
use crate::case::{Case, cents};

/// The number of evaluations before the measurement, for the JIT compiler.
const WARM_UP: u64 = 3_000;

/// json-rules-engine in a Node process that is started once. Node itself measures the time, so that
/// neither the pipe nor its JSON counts against the engine. The input includes the local time,
/// because computing it is slow in JavaScript.
pub struct RulesInNode {
    node: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl RulesInNode {
    /// Starts Node. Installs the engine by the lockfile first, if it is not installed yet.
    #[must_use]
    pub fn start() -> RulesInNode {
        let folder = folder();
        if !folder.join("node_modules").is_dir() {
            fetch(&folder);
        }
        let mut node = Command::new("node")
            .arg("serve.mjs")
            .current_dir(&folder)
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node 20 or later starts");
        let asks = node.stdin.take().expect("node's input is a pipe");
        let answers = node.stdout.take().expect("node's output is a pipe");
        RulesInNode { node, asks, answers: BufReader::new(answers) }
    }

    /// The units that the rules pay.
    #[must_use]
    pub fn pay(&mut self, case: &Case) -> Paid {
        let answer = self.ask(&json!({ "bought": bought(case) }));
        let units = answer.as_array().expect("node answers with a list");
        std::array::from_fn(|rule| {
            units.get(rule).and_then(Value::as_i64).expect("every rule says what it pays")
        })
    }

    /// Evaluates the rules until the JIT compiler has compiled them.
    pub fn warm_up(&mut self, case: &Case) {
        // The time of the slow first evaluations is discarded.
        let _ = self.time(case, WARM_UP);
    }

    /// The time of `runs` evaluations, by Node's own clock.
    #[must_use]
    pub fn time(&mut self, case: &Case, runs: u64) -> Duration {
        let answer = self.ask(&json!({ "bought": bought(case), "runs": runs }));
        Duration::from_nanos(answer.as_u64().expect("node answers with nanoseconds"))
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.asks, "{question}").expect("node reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("node writes");
        serde_json::from_str(&line).expect("node answers in JSON; what went wrong stands above")
    }
}

impl Drop for RulesInNode {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

fn fetch(folder: &Path) {
    let done = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .expect("npm starts; it comes with node 20");
    assert!(done.success(), "`npm ci` in the folder `node` failed");
}

fn bought(case: &Case) -> Value {
    let local = case.local();
    let lines: Vec<Value> = case
        .lines
        .iter()
        .map(|line| {
            json!({
                "sku": line.sku,
                "category": line.category,
                "quantity": line.quantity,
                "price": cents(line.price),
            })
        })
        .collect();
    json!({
        "tier": case.tier,
        "tags": case.tags,
        "points": case.points,
        "web_orders_today": case.web_orders_today,
        "total": cents(case.total),
        "lines": lines,
        "payment": case.payment,
        "channel": case.channel,
        "weekend": local.weekend,
        "hour": local.hour,
    })
}
