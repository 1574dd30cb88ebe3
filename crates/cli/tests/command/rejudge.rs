//! Activities that are judged again with a rule that had failed.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::audit::audit;
use local::Database;
use serde_json::json;

use super::killed::{entries, kill_once_written};
use super::{json, regulars};

const MANIFEST: &str =
    "name = \"Cafe\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n[wallets.points]\n";

/// A folder with the rules of one merchant and a file of orders.
struct Cafe {
    folder: tempfile::TempDir,
}

impl Cafe {
    fn open(orders: &str) -> Cafe {
        let cafe = Cafe { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(cafe.path("rules/cafe")).unwrap();
        std::fs::write(cafe.path("rules/cafe/merchant.toml"), MANIFEST).unwrap();
        std::fs::write(cafe.path("orders.csv"), orders).unwrap();
        cafe
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("cafe.db")
    }

    /// Puts a rule into force, and replays the orders: those that were replayed are not done again.
    fn replays_under(&self, odd: &str) {
        let sheet = format!("earn \"Odd\" on purchase {{ {odd} }}\ntier \"Base\" {{ true }}\n");
        std::fs::write(self.path("rules/cafe/earn.rhai"), sheet).unwrap();
        let mut replay = self.command(&["replay", "--merchant", "cafe"]);
        let output = replay.arg(self.path("orders.csv")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = regulars(arguments.iter().copied());
        command.arg("--rules").arg(self.path("rules")).arg("--data").arg(self.data());
        command.env("RUST_LOG", "off");
        command
    }

    fn rejudge(&self, rule: &str, more: &[&str]) -> Command {
        let clock = ["--clock", "2026-06-01T10:00:00Z"];
        let mut command = self.command(&["rejudge", "--merchant", "cafe", "--rule", rule]);
        command.args(clock).args(more);
        command
    }
}

/// The standard output and the standard error of a command.
fn said(mut command: Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

async fn faults(data: &Path) -> Vec<String> {
    let database = Database::open(Some(data), 0).await.unwrap();
    audit(database.store(), "cafe").await.faults
}

const FAILS: &str = "100 / (order.total - 5)";
const MENDED: &str = "if order.total == 5 { 50 } else { 100 / (order.total - 5) }";

#[tokio::test]
async fn it_shows_whom_it_concerns_and_what_they_get_and_then_does_it_once() {
    let cafe = Cafe::open(
        "order,member,at,sku,quantity,total\n\
         o1,ada,2026-05-01T10:00:00Z,cup,1,5.00\n\
         o2,ada,2026-05-02T10:00:00Z,cup,1,15.00\n\
         o3,ada,2026-05-03T10:00:00Z,cup,1,5.00\n\
         o4,bob,2026-05-04T10:00:00Z,cup,1,5.00\n",
    );
    cafe.replays_under(FAILS);
    // The rules in force still have the rule that fails.
    let (done, page, error) = said(cafe.rejudge("Odd", &[]));
    assert!(!done && page.contains("bob: rule `Odd` failed"), "{page}");
    assert_eq!(error, "error: 2 members could not be helped");
    cafe.replays_under(MENDED);

    let (_, _, unknown) = said(cafe.rejudge("Od", &[]));
    assert_eq!(unknown, "error: the rules in force have no rule `Od`; these have failed: `Odd`");
    let (_, _, tier) = said(cafe.rejudge("Base", &[]));
    assert_eq!(
        tier,
        "error: `Base` is a tier; activities are judged by `earn`, `task` and `contest`"
    );

    let mut expected = json!({
        "rule": "Odd",
        "dry_run": true,
        "activities": 3,
        "units": { "points": 150 },
        "members": [
            { "member": "ada", "activities": 2, "units": { "points": 100 }, "effects": [] },
            { "member": "bob", "activities": 1, "units": { "points": 50 }, "effects": [] },
        ],
        "failures": [],
    });
    let shown = json(&cafe.rejudge("Odd", &["--dry-run", "--json"]).output().unwrap());
    assert_eq!(shown, expected);
    let (_, page, _) = said(cafe.rejudge("Odd", &["--dry-run"]));
    let last = "`Odd` failed for 3 activities of 2 members, which would be judged again with the rule as it is in force now. They would get +150 points.\nNothing was written.";
    assert!(page.ends_with(last), "{page}");
    let later = json(
        &cafe.rejudge("Odd", &["--since", "2026-05-04", "--dry-run", "--json"]).output().unwrap(),
    );
    assert_eq!(later["activities"], 1);
    assert_eq!(entries(&cafe.data(), "cafe", "rejudge").await, 0);

    expected["dry_run"] = json!(false);
    assert_eq!(json(&cafe.rejudge("Odd", &["--json"]).output().unwrap()), expected);
    assert_eq!(said(cafe.rejudge("Odd", &[])).1, "Nobody is left for whom `Odd` failed.");
    assert_eq!(entries(&cafe.data(), "cafe", "rejudge").await, 3);
    assert_eq!(faults(&cafe.data()).await, [""; 0]);
    let explain = ["explain", "--merchant", "cafe", "--member", "ada", "4"];
    let (done, page, error) = said(cafe.command(&explain));
    assert!(done, "{error}");
    assert!(page.contains("the rule had failed and is mended"), "{page}");
}

#[tokio::test]
async fn killed_in_the_middle_it_does_the_rest_when_it_is_run_again() {
    let mut orders = "order,member,at,sku,quantity,total\n".to_owned();
    for member in 0..300 {
        writeln!(orders, "o{member},m{member},2026-05-01T10:00:00Z,cup,1,5.00").unwrap();
    }
    let cafe = Cafe::open(&orders);
    cafe.replays_under(FAILS);
    cafe.replays_under(MENDED);
    let bytes = std::fs::metadata(cafe.data()).unwrap().len() / 2;
    let mut done = vec![0];
    for _ in 0..2 {
        kill_once_written(cafe.rejudge("Odd", &[]), &cafe.data(), bytes);
        done.push(entries(&cafe.data(), "cafe", "rejudge").await);
    }
    assert!(0 < done[1] && done[1] < done[2] && done[2] < 300, "{done:?}");
    let last = json(&cafe.rejudge("Odd", &["--json"]).output().unwrap());
    assert_eq!(last["activities"], 300 - done[2]);
    assert_eq!(entries(&cafe.data(), "cafe", "rejudge").await, 300);
    assert_eq!(faults(&cafe.data()).await, [""; 0]);
}
