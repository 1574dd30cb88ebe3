//! The past as data, and rules tried on it.

use std::path::PathBuf;
use std::process::{Command, Output};

use ledger::MerchantId;
use local::{Database, REGION, TABLE};
use serde_json::json;
use store::{Exception, StoredBundle};

use super::{json, orders, regulars};

const MANIFEST: &str = "name = \"Cafe\"\ncurrency = \"EUR\"\ntime_zone = \"Europe/Berlin\"\n\
    [wallets.points]\nworth = \"0.01\"\nexpires = { days = 60 }\n";
const RULES: &str = "earn \"Points\" on purchase { order.total }\ntier \"Base\" { true }\n\
    reward \"Cup\" costs 30 { product(\"Cup\") }\n";
const ORDERS: &str = "order,member,at,total\n\
    1,ada,2026-03-01T10:00:00Z,20.00\n\
    2,ada,2026-03-02T10:00:00Z,40.00\n\
    3,bob,2026-03-05T10:00:00Z,10.00\n\
    4,cid,2026-06-20T10:00:00Z,90.00\n";

/// Whether a command has succeeded, and what it said: results and reasons.
fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A shop with rules, orders and a history.
struct Cafe {
    folder: tempfile::TempDir,
}

impl Cafe {
    fn open() -> Cafe {
        let cafe = Cafe { folder: tempfile::tempdir().unwrap() };
        cafe.write("rules/cafe/merchant.toml", MANIFEST);
        cafe.write("rules/cafe/rules.rhai", RULES);
        cafe.write("orders.csv", ORDERS);
        cafe
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A command in the folder of the shop.
    fn command(&self, line: &str) -> Command {
        let mut command = regulars(line.split(' '));
        command.current_dir(self.folder.path()).env("RUST_LOG", "off");
        command
    }

    fn says(&self, line: &str) -> (bool, String, String) {
        said(&self.command(line).output().unwrap())
    }

    /// What a command says, with single spaces.
    fn does(&self, line: &str) -> String {
        let (done, said, error) = self.says(line);
        assert!(done, "{line}: {error}");
        let lines = said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A history of the orders, replayed under the rules.
    fn with_history() -> Cafe {
        let cafe = Cafe::open();
        cafe.does("replay --merchant cafe orders.csv --data cafe.db --redeem-when-possible");
        let said = cafe.does("history --merchant cafe --data cafe.db past");
        assert_eq!(said, "3 members and 8 entries were added to past");
        cafe
    }
}

#[test]
fn unchanged_rules_come_to_what_was_recorded_and_changed_ones_say_who_gets_what() {
    let cafe = Cafe::with_history();
    let same = cafe.does("backtest rules/cafe --against past");
    let first = same.lines().next().unwrap();
    let again = "The recorded ledger comes out again, to the last unit: 8 entries of 3 members.";
    assert_eq!(first, again);
    assert!(same.contains("0 (0.0 %) members get more, 0 (0.0 %) less, and 3 (100.0 %) the same."));

    let double =
        RULES.replace("{ order.total }", "{ if order.total > 30 { order.total * 2 } else { 0 } }");
    cafe.write("try/cafe/merchant.toml", MANIFEST);
    cafe.write("try/cafe/rules.rhai", &double);
    let page = cafe.does("backtest try/cafe --against past");
    assert_eq!(page.lines().next(), Some(again));
    for line in [
        "paid by rules 1.60 EUR 2.60 EUR +62.5 %",
        "bob -0.10 EUR Points: 0 points instead of 10",
        "cid 0.90 EUR Points: 180 points instead of 90",
        "2 (66.7 %) members get more, 1 (33.3 %) less, and 0 (0.0 %) the same.",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let report = json(&cafe.command("backtest try/cafe --against past --json").output().unwrap());
    assert_eq!(report["check"]["different"], 0);
    assert_eq!(report["revenue"], "160.00");
    assert_eq!(report["old"]["rules"][0]["units"], 160);
    assert_eq!(report["new"]["rules"][0]["units"], 260);
    assert_eq!(report["changed"]["gains"], json!({ "-10": 1, "20": 1, "90": 1 }));
    // The other way round, the same change has the other sign.
    let back = cafe.command("backtest rules/cafe --against past --baseline try/cafe --json");
    let back = json(&{ back }.output().unwrap());
    assert_eq!(back["changed"]["gains"], json!({ "-90": 1, "-20": 1, "10": 1 }));
}

#[test]
fn rules_that_hold_from_a_day_change_nothing_before_it() {
    let cafe = Cafe::with_history();
    let odd =
        RULES.replace("{ order.total }", "{ if order.total > 30 { order.total * 2 } else { 0 } }");
    cafe.write("try/cafe/merchant.toml", MANIFEST);
    cafe.write("try/cafe/rules.rhai", &odd);
    let report = |more: &str| {
        let line = format!("backtest try/cafe --against past --json{more}");
        json(&cafe.command(&line).output().unwrap())
    };
    let late = report(" --from 2026-03-05");
    assert_eq!(late["check"]["different"], 0);
    assert_eq!(late["revenue"], "100.00");
    assert_eq!(late["changed"]["gains"], json!({ "-10": 1, "0": 1, "90": 1 }));
    let short = report(" --from 2026-03-02 --until 2026-03-04");
    assert_eq!((&short["revenue"], &short["told"]), (&json!("40.00"), &json!(2)));
    assert_eq!(short["changed"]["gains"], json!({ "40": 1 }));
    let (done, _, error) = cafe.says("backtest try/cafe --against past --from 2026-07-01");
    let nothing = "error: nothing is left of the history, which is from 2026-03-01 to 2026-06-20";
    assert_eq!((done, error.as_str()), (false, nothing));
    // A page for a browser is the same page.
    let said = cafe.does("backtest try/cafe --against past --html page.html");
    assert_eq!(said, "page.html is written");
    let page = std::fs::read_to_string(cafe.path("page.html")).unwrap();
    assert!(page.contains("<h1>Cafe: other rules on the past</h1>"), "{page}");
    assert!(page.contains("The recorded ledger comes out again, to the last unit: 8 entries"));
    let (done, _, error) = cafe.says("backtest try/cafe --against past --html no/page.html");
    assert!(!done && error.starts_with("error: `no/page.html` cannot be written: "), "{error}");
}

#[test]
fn a_shop_without_a_programme_tries_one_on_its_orders() {
    let cafe = Cafe::open();
    let said = cafe.does("history --merchant cafe --orders orders.csv past");
    assert_eq!(said, "3 members and 4 entries were added to past");
    let page = cafe.does("backtest rules/cafe --against past");
    let first = page.lines().next().unwrap();
    assert_eq!(first, "There was no programme yet: everything that is paid is new.");
    assert!(page.contains("paid by rules 0.00 EUR 1.60 EUR"), "{page}");
    // The points of March are gone in June.
    assert!(page.contains("owed at the end 0.00 EUR 0.90 EUR"), "{page}");
    // Another file would be counted beside it.
    let (done, _, error) = cafe.says("history --merchant cafe --orders orders.csv past");
    let begun = "error: there is a history in `past`, and orders begin one; name a new folder";
    assert_eq!((done, error.as_str()), (false, begun));
    let line = |activity: &str| format!("{{\"member\":\"ada\",\"activity\":{activity}}}\n");
    let order = |id: &str, more: &str| {
        line(&format!(
            "{{\"type\":\"purchase\",\"id\":\"{id}\",\"at\":\"2026-03-01T10:00:00Z\",\"order\":{{\"total\":\"20.00\"}}{more}}}"
        ))
    };
    let lines = [order("1", ""), order("1", ""), order("2", ",\"replaces\":\"1\"")];
    cafe.write("orders.jsonl", &lines.concat());
    let (done, _, error) = cafe.says("history --merchant cafe --orders orders.jsonl other");
    let reason = "line 3: it puts another order right, or exchanges one; replay the file, and take the history of that";
    let rest = "error: 1 lines are not in the history; the others are";
    assert_eq!((done, error), (false, format!("{reason}\n{rest}")));
    assert!(cafe.does("backtest rules/cafe --against other").contains("1 requests from"));
    // Returns of orders before the day would have no rules.
    let (done, _, error) = cafe.says("backtest rules/cafe --against past --from 2026-03-05");
    let beginning = "error: there was no programme yet in this history, so rules can only hold from its beginning; leave out --from";
    assert_eq!((done, error.as_str()), (false, beginning));
}

#[test]
fn what_cannot_be_tried_is_said() {
    let cafe = Cafe::with_history();
    cafe.write("rules/bar/merchant.toml", MANIFEST);
    cafe.write("rules/bar/rules.rhai", RULES);
    for (line, error) in [
        (
            "backtest rules/cafe --against nothing",
            "error: there is no history in `nothing`: it has no `history.json`; `regulars history` makes one",
        ),
        (
            "backtest rules/bar --against past",
            "error: `past` is the history of `cafe`, and these are the rules of `bar`",
        ),
        (
            "history --merchant bar --orders orders.csv past",
            "error: `past` is the history of `cafe`, not of `bar`",
        ),
        (
            "history --merchant nobody --data cafe.db past",
            "error: `nobody` has published no rules there",
        ),
    ] {
        let (done, said, wrong) = cafe.says(line);
        assert_eq!((done, said.as_str(), wrong.as_str()), (false, "", error), "{line}");
    }
    // The rules of the past are what they were, or nothing is judged by them.
    let rules: Vec<PathBuf> = std::fs::read_dir(cafe.path("past/rules"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    let text = std::fs::read_to_string(&rules[0]).unwrap();
    std::fs::write(&rules[0], text.replace("{ order.total }", "{ order.total + 1 }")).unwrap();
    let (done, _, error) = cafe.says("backtest rules/cafe --against past");
    assert!(!done && error.ends_with("cannot be read: they have been changed"), "{error}");
}

#[test]
fn the_worth_of_customers_is_forecast_from_a_history_and_held_to_what_came() {
    let folder = tempfile::tempdir().unwrap();
    let past = folder.path().join("past");
    let (orders, past) = (orders(), past.to_str().unwrap());
    let orders = orders.to_str().unwrap();
    let written = regulars(["history", "--merchant", "cdnow", "--orders", orders, past]).output();
    assert!(written.unwrap().status.success());
    let worth = |more: &[&str]| {
        let mut command = regulars(["worth", past].into_iter().chain(more.iter().copied()));
        said(&command.output().unwrap())
    };
    let (done, page, error) = worth(&["--learn-until", "1997-09-30"]);
    assert!(done, "{error}");
    for line in [
        "Until 1997-09-30, 2,357 members bought, and 946 of them again.",
        "For the 39 weeks until 1998-06-30, 1,653 purchases were to be expected of them, and they made 1,882: the forecast was 12.1 % too low.",
        "r 0.243, alpha 4.414, a 0.793, b 2.426",
        "p 6.25, q 3.74, gamma 15.44",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    let (done, _, error) = worth(&["--learn-until", "1999-01-01"]);
    let late = "error: --learn-until 1999-01-01 leaves less than a week until the last purchase, of 1998-06-30";
    assert_eq!((done, error.as_str()), (false, late));
    // Without, it learns from all of it, and forecasts.
    let (done, all, error) = worth(&["--json"]);
    assert!(done, "{error}");
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        (&all["learned_until"], &all["until"]),
        (&json!("1998-06-30"), &json!("1999-03-30"))
    );
    assert_eq!(all["forecast"]["actual"], json!(null));
    let of = |member: &serde_json::Value| member["worth"].as_f64().unwrap();
    let members = all["customers"].as_array().unwrap();
    assert!(members.len() == 2357 && members.is_sorted_by(|one, other| of(one) >= of(other)));
    let (done, _, error) = worth(&["--learn-until", "1997-01-02"]);
    let few = "error: until 1997-01-02, ";
    let needed = " customers have bought again, and 20 are needed at least";
    assert!(!done && error.starts_with(few) && error.ends_with(needed), "{error}");
}

/// A table in which a cafe's rules are published.
struct Table {
    cafe: Cafe,
    database: Database,
}

impl Table {
    async fn open(cafe: Cafe) -> Table {
        let database = Database::open(None, 0).await.unwrap();
        let table = Table { cafe, database };
        assert!(table.publishes("rules/cafe", &[]).await.0);
        table
    }

    /// What `publish` says of a folder, to whoever wants results and to whoever wants reasons.
    async fn publishes(&self, folder: &str, more: &[&str]) -> (bool, String, String) {
        let endpoint = format!("http://{}", self.database.address());
        let mut command = self.cafe.command(&format!("publish {folder} --table {TABLE}"));
        command.args(more).env("AWS_ENDPOINT_URL_DYNAMODB", endpoint).env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", "any").env("AWS_SECRET_ACCESS_KEY", "any");
        said(&tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap())
    }

    async fn exceptions(&self) -> Vec<Exception> {
        let (store, cafe) = (self.database.store(), MerchantId::parse("cafe").unwrap());
        store.exceptions(&cafe, &self.in_force().await.hash).await.unwrap()
    }

    async fn in_force(&self) -> StoredBundle {
        let (store, cafe) = (self.database.store(), MerchantId::parse("cafe").unwrap());
        let active = store.active_bundle(&cafe).await.unwrap().unwrap();
        store.bundle(&cafe, &active).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn rules_beyond_the_gate_are_published_only_for_a_reason_which_is_kept() {
    let gate = "[gate]\ncost_increase_max = \"3 %\"\nlosers_max = \"33.4%\"\n";
    let cafe = Cafe::with_history();
    cafe.write("rules/cafe/merchant.toml", &format!("{MANIFEST}{gate}"));
    // Who loosens the gate in the same edit passes the one in force.
    let loose = gate.replace("3 %", "900 %");
    cafe.write("try/cafe/merchant.toml", &format!("{MANIFEST}{loose}"));
    let odd =
        RULES.replace("{ order.total }", "{ if order.total > 30 { order.total * 2 } else { 0 } }");
    cafe.write("try/cafe/rules.rhai", &odd);
    let page = cafe.does("backtest try/cafe --against past");
    assert!(page.contains("paid more by rules 900 % 62.50 % holds"), "{page}");
    assert!(page.contains("members that get less 33.4 % 33.33 % holds"), "{page}");

    let table = Table::open(cafe).await;
    let first = table.in_force().await;
    let (done, _, error) = table.publishes("try/cafe", &[]).await;
    let untried = "error: a gate stands before these rules: `--against DIR` tries them on a history first, as `regulars history` writes it\n\
        The rules in force stay; `--reason TEXT` publishes these all the same, and is recorded with them";
    assert_eq!((done, error.as_str()), (false, untried));
    let (done, said, error) = table.publishes("try/cafe", &["--against", "past"]).await;
    assert_eq!((done, said.as_str()), (false, "members that get less: 33.33 %, at most 33.4 %"));
    let found = "paid more by rules: 62.50 %, at most 3 %";
    let head = format!(
        "error: these rules are beyond the gate, compared with those in force:\n  {found}\nThe rules in force stay"
    );
    assert!(error.starts_with(&head), "{error}");
    let (done, _, error) = table.publishes("try/cafe", &["--reason", " "]).await;
    assert_eq!((done, error.as_str()), (false, "error: --reason: it is empty"));
    assert_eq!(table.in_force().await, first);

    let why = ["--against", "past", "--reason", "The board wants it"];
    assert!(table.publishes("try/cafe", &why).await.0);
    let second = table.in_force().await;
    let exceptions = table.exceptions().await;
    let reasons: Vec<(&str, &[String])> =
        exceptions.iter().map(|one| (one.reason.as_str(), one.found.as_slice())).collect();
    assert_eq!(reasons, [("The board wants it", &[found.to_owned()][..])]);
    // A link has the name of the link: these are rules of the cafe, and behind its gate.
    table.cafe.write("versions/june/merchant.toml", MANIFEST);
    table.cafe.write("versions/june/rules.rhai", RULES);
    table.cafe.write("links/README.md", "");
    let (to, link) = (table.cafe.path("versions/june"), table.cafe.path("links/cafe"));
    std::os::unix::fs::symlink(to, link).unwrap();
    let (done, _, error) = table.publishes("links/cafe", &[]).await;
    assert!(!done && error.starts_with("error: a gate stands before these rules"), "{error}");
    // The same rules again change nothing, and what is recorded stays.
    assert!(table.publishes("try/cafe", &[]).await.0);
    assert_eq!(table.in_force().await, second);
    assert!(table.publishes("rules/cafe", &["--reason", "Back", "--forget"]).await.0);
    assert!(table.publishes("try/cafe", &["--reason", "And forth"]).await.0);
    let reasons: Vec<String> = table.exceptions().await.into_iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["The board wants it", "And forth"]);
}

#[tokio::test]
async fn a_gate_that_cannot_be_computed_stops_what_it_is_for() {
    let gate = "[gate]\nliability_increase_max = \"3 %\"\n";
    let cafe = Cafe::with_history();
    cafe.write("rules/cafe/merchant.toml", &format!("{MANIFEST}{gate}"));
    cafe.write("rules/cafe/rules.rhai", &RULES.replace("{ order.total }", "{ 0 }"));
    cafe.write("try/cafe/merchant.toml", &format!("{MANIFEST}{gate}"));
    cafe.write("try/cafe/rules.rhai", RULES);
    let table = Table::open(cafe).await;
    let (done, _, error) = table.publishes("try/cafe", &["--against", "past"]).await;
    let owed =
        "owed more at the end: at most 3 %, and it cannot be computed: nothing was owed before";
    assert!(!done && error.contains(owed), "{error}");
    let (done, _, error) = table.publishes("try/cafe", &["--against", "nothing"]).await;
    assert!(!done && error.starts_with("error: there is no history in `nothing`"), "{error}");
}

#[tokio::test]
async fn a_gate_without_worth_stops_and_a_publication_without_a_gate_says_so() {
    let gate = "[gate]\ncost_increase_max = \"3 %\"\n";
    let cafe = Cafe::with_history();
    cafe.write("rules/cafe/merchant.toml", &format!("{MANIFEST}{gate}"));
    let double = RULES.replace("{ order.total }", "{ order.total * 2 }");
    let worthless = MANIFEST.replace("worth = \"0.01\"\n", "");
    cafe.write("try/cafe/merchant.toml", &format!("{worthless}{gate}"));
    cafe.write("try/cafe/rules.rhai", &double);
    cafe.write("free/cafe/merchant.toml", MANIFEST);
    cafe.write("free/cafe/rules.rhai", RULES);
    let table = Table::open(cafe).await;
    // Points that are worth nothing cost nothing, and are not cheaper for that.
    let (done, _, error) = table.publishes("try/cafe", &["--against", "past"]).await;
    let unknown = "paid more by rules: at most 3 %, and it cannot be computed: units of `points` have no `worth` in the manifest";
    assert!(!done && error.contains(unknown), "{error}");
    // A broken bundle can be replaced, for a reason.
    let (store, merchant) = (table.database.store(), MerchantId::parse("cafe").unwrap());
    let broken = StoredBundle { hash: "older".to_owned(), body: b"another packing".to_vec() };
    store.publish(&merchant, broken, None).await.unwrap();
    let (done, _, error) = table.publishes("free/cafe", &["--forget"]).await;
    assert!(!done && error.starts_with("error: the rules in force cannot be read: "), "{error}");
    let repair = ["--forget", "--reason", "Repair"];
    let (done, said, error) = table.publishes("free/cafe", &repair).await;
    assert!(done && said.contains("recorded with them: Repair"), "{error}");
    // Without a gate nothing is tried, which is said; and the history has to be one all the same.
    let plain = RULES.replace("{ order.total }", "{ order.total + 1 }");
    table.cafe.write("free/cafe/rules.rhai", &plain);
    let (done, _, error) = table.publishes("free/cafe", &["--against", "nothing"]).await;
    assert!(!done && error.starts_with("error: there is no history in `nothing`"), "{error}");
    let more = ["--against", "past", "--reason", "None"];
    let (done, said, error) = table.publishes("free/cafe", &more).await;
    assert!(done, "{error}");
    assert!(said.contains("no gate stands before these rules, so they are not tried"), "{said}");
    assert!(said.contains("nothing stood against these rules, so no reason is recorded"));
}
