//! The audit of a file, an endpoint and an export, and of a table that was tampered with.

use std::path::{Path, PathBuf};
use std::process::Output;

use local::Database;
use serde_json::{Value, json};

use crate::{first_orders, json, regulars, replay};

/// A data file with the first real orders.
pub(crate) struct Table {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) data: PathBuf,
}

impl Table {
    pub(crate) fn of_orders(orders: usize) -> Table {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("audited.db");
        let file = first_orders(folder.path(), orders);
        assert!(replay(&file, &data).output().unwrap().status.success());
        Table { folder, data }
    }

    pub(crate) async fn serve(&self) -> Served {
        let database = Database::open(Some(&self.data), 0).await.unwrap();
        Served { database, http: reqwest::Client::new() }
    }

    fn audit(&self, more: &[&str]) -> Output {
        audit(&["--data", self.data.to_str().unwrap()], more)
    }
}

fn audit(of: &[&str], more: &[&str]) -> Output {
    of_merchant("audit", of, more)
}

pub(crate) fn of_merchant(command: &str, of: &[&str], more: &[&str]) -> Output {
    let arguments = [command, "--merchant", "cdnow"];
    let mut command = regulars(arguments.iter().chain(of).chain(more).copied());
    let known =
        [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-1")];
    command.envs(known).output().unwrap()
}

pub(crate) struct Served {
    database: Database,
    http: reqwest::Client,
}

impl Served {
    /// Sends a request straight to the database, without the checks of the store.
    pub(crate) async fn ask(&self, what: &str, mut body: Value) -> Value {
        body["TableName"] = json!(local::TABLE);
        let answer = self
            .http
            .post(format!("http://{}/", self.database.address()))
            .header("x-amz-target", format!("DynamoDB_20120810.{what}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/eu/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .header("x-amz-date", "20260101T000000Z")
            .body(body.to_string());
        let answer = answer.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{what}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut from = json!({});
        loop {
            let page = self.ask("Scan", from).await;
            items.extend(page["Items"].as_array().unwrap().clone());
            match &page["LastEvaluatedKey"] {
                Value::Null => return items,
                last => from = json!({ "ExclusiveStartKey": last }),
            }
        }
    }
}

fn key(item: &Value) -> Value {
    json!({ "pk": item["pk"], "sk": item["sk"] })
}

fn sk(item: &Value) -> &str {
    item["sk"]["S"].as_str().unwrap()
}

/// A file, an endpoint and an export make the same history, whose backtest makes the same ledger again.
async fn make_the_same_history(table: &Table, endpoint: &str, export: &str, audited: &Value) {
    let mut reports = Vec::new();
    let data = table.data.to_str().unwrap();
    for (name, of) in [
        ("file", vec!["--data", data]),
        ("endpoint", vec!["--table", local::TABLE, "--endpoint", endpoint]),
        ("export", vec!["--export", export]),
    ] {
        let history = table.folder.path().join(format!("past-{name}"));
        let history = history.to_str().unwrap();
        let added = json(&of_merchant("history", &of, &[history, "--json"]));
        assert_eq!(added["entries"], audited["entries"], "{name}");
        measure_as_audited(Path::new(history), audited).await;
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/cdnow");
        let test = ["backtest", rules.to_str().unwrap(), "--against", history, "--json"];
        let mut report = json(&regulars(test).output().unwrap());
        assert_eq!(report["check"]["different"], 0, "{name}");
        assert_eq!(report["old"], report["new"], "{name}");
        report["told_per_second"] = Value::Null;
        reports.push(report);
    }
    assert!(reports.iter().all(|report| *report == reports[0]));
}

/// What moved in each wallet comes to the same in SQL as in the audit.
async fn measure_as_audited(history: &Path, audited: &Value) {
    let set = history::DataSet::open(history, None).unwrap();
    let days = "1997-01-01".parse().unwrap()..="2100-01-01".parse().unwrap();
    let past = measures::Past::open(&set, &measures::periods(&days, None)).await.unwrap();
    let units = past.measure(measures::Measure::named("units").unwrap()).await.unwrap();
    assert!(!units.rows.is_empty());
    for row in &units.rows {
        let of = |name: &str| &row[units.columns.iter().position(|column| column == name).unwrap()];
        let wallet = match of("wallet") {
            measures::Value::Text(wallet) => wallet.as_str(),
            _ => "",
        };
        for column in
            ["opening", "issued", "redeemed", "expired", "reversed", "adjusted", "closing"]
        {
            let audited = audited["wallets"][wallet][column].as_i64().unwrap();
            assert_eq!(*of(column), measures::Value::Whole(audited), "{wallet}, {column}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_an_endpoint_and_an_export_come_to_the_same() {
    let table = Table::of_orders(400);
    let of_file = json(&table.audit(&["--json"]));
    assert_eq!(of_file["faults"], json!([]));
    for (_, wallet) in of_file["wallets"].as_object().unwrap() {
        let of = |name: &str| wallet[name].as_i64().unwrap();
        let moved: i64 =
            ["issued", "redeemed", "expired", "reversed", "adjusted"].map(of).iter().sum();
        assert_eq!(of("opening") + moved, of("closing"));
        assert_eq!(wallet["reconciles"], true);
    }
    let served = table.serve().await;
    let endpoint = format!("http://{}", served.database.address());
    let of_endpoint = audit(&["--table", local::TABLE, "--endpoint", &endpoint], &["--json"]);
    assert_eq!(json(&of_endpoint), of_file);

    // The export is as DynamoDB writes it: one item per line, in no order.
    let export = table.folder.path().join("export/data");
    std::fs::create_dir_all(&export).unwrap();
    let mut lines: Vec<String> =
        served.items().await.iter().map(|item| json!({ "Item": item }).to_string()).collect();
    lines.reverse();
    let (one, other) = lines.split_at(lines.len() / 2);
    std::fs::write(export.join("a.json"), one.join("\n")).unwrap();
    std::fs::write(export.join("b.json"), other.join("\n")).unwrap();
    let of_export = audit(&["--export", export.to_str().unwrap()], &["--json"]);
    assert_eq!(json(&of_export), of_file);
    let message = String::from_utf8_lossy(&of_export.stderr).into_owned();
    assert!(message.contains("if a file is missing, nobody can tell"), "{message}");

    // The export's list of files shows that one is missing or incomplete.
    let listed = |name: &str, items: usize| json!({ "itemCount": items, "dataFileS3Key": format!("AWSDynamoDB/1/data/{name}") });
    let manifest = export.parent().unwrap().join("manifest-files.json");
    let files = [listed("a.json", one.len()), listed("b.json", other.len())];
    std::fs::write(&manifest, format!("{}\n{}", files[0], files[1])).unwrap();
    let folder = manifest.parent().unwrap().to_str().unwrap();
    let of_whole = audit(&["--export", folder], &["--json"]);
    assert_eq!(json(&of_whole), of_file);
    assert_eq!(String::from_utf8_lossy(&of_whole.stderr), "");

    make_the_same_history(&table, &endpoint, folder, &of_file).await;
    std::fs::write(export.join("b.json"), other[1..].join("\n")).unwrap();
    let refused = |expected: &str| {
        let output = audit(&["--export", folder], &["--json"]);
        assert!(!output.status.success());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(message.contains(expected), "{message}");
    };
    refused(&format!("has {} items, and the export's manifest-files.json says", other.len() - 1));
    std::fs::remove_file(export.join("b.json")).unwrap();
    refused("`b.json` is not in");

    // The closing of one period is the opening of the next.
    let months = |from: &str, until: &str| {
        json(&table.audit(&["--json", "--from", from, "--until", until]))["wallets"]["points"]
            .clone()
    };
    let (first, second) = (months("1997-01-01", "1997-01-10"), months("1997-01-11", "1997-12-31"));
    assert_eq!(first["closing"], second["opening"]);
    assert_ne!(first["closing"], 0);
    let wrong = table.audit(&["--from", "1997-02-01", "--until", "1997-01-01"]);
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(message.contains("--from 1997-02-01 is after --until 1997-01-01"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each way to tamper")]
async fn whoever_tampers_with_an_entry_is_found_at_that_entry() {
    let table = Table::of_orders(120);
    let served = table.serve().await;
    let endpoint = format!("http://{}", served.database.address());
    let items = served.items().await;
    let of = ["--table", local::TABLE, "--endpoint", endpoint.as_str()];
    let found = async |what: &str| {
        let output = audit(&of, &["--json"]);
        assert!(!output.status.success(), "{what} is not found");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["faults"].as_array().unwrap().len(), 1, "{what}: {report}");
        report["faults"][0].clone()
    };
    let put = async |item: &Value| served.ask("PutItem", json!({ "Item": item })).await;
    let member =
        |item: &Value| item["pk"]["S"].as_str().unwrap().rsplit('#').next().unwrap().to_owned();

    // A changed byte in an entry that others follow.
    let second = items.iter().find(|item| sk(item) == "v#0000000002").unwrap();
    let mut rotten = second.clone();
    let body = second["body"]["B"].as_str().unwrap();
    let place = body.len() / 2;
    let other = if body.as_bytes()[place] == b'A' { "B" } else { "A" };
    rotten["body"]["B"] = json!(format!("{}{other}{}", &body[..place], &body[place + 1..]));
    put(&rotten).await;
    let fault = found("a rotten byte").await;
    assert_eq!((&fault["member"], &fault["entry"]), (&json!(member(second)), &json!(2)), "{fault}");
    put(second).await;

    // A missing entry.
    let first = json!({ "pk": second["pk"], "sk": { "S": "v#0000000001" } });
    let gone = items.iter().find(|item| key(item) == first).unwrap();
    served.ask("DeleteItem", json!({ "Key": first })).await;
    let fault = found("a missing entry").await;
    assert_eq!(fault["entry"], 2, "{fault}");
    put(gone).await;

    // An entry that was copied under another number.
    let mut third = second.clone();
    third["sk"]["S"] = json!("v#0000000003");
    if !items.iter().any(|item| key(item) == key(&third)) {
        put(&third).await;
        assert_eq!(found("a copied entry").await["entry"], 3);
        served.ask("DeleteItem", json!({ "Key": key(&third) })).await;
    }

    // An entry that has lost the key of its request: a repeat would be done again.
    let mut forgetful = second.clone();
    forgetful.as_object_mut().unwrap().remove("op");
    put(&forgetful).await;
    let fault = found("a key that is lost").await;
    assert_eq!((&fault["member"], &fault["entry"]), (&json!(member(second)), &json!(2)), "{fault}");
    put(second).await;

    // A foreign item among a member's items.
    let stray = json!({ "pk": second["pk"], "sk": { "S": "z" } });
    put(&stray).await;
    let fault = found("a stray item").await;
    assert!(fault["what"].as_str().unwrap().starts_with("item `z` lies among"), "{fault}");
    served.ask("DeleteItem", json!({ "Key": stray })).await;

    // A member that cannot be read does not stop the audit of the others.
    let person = items.iter().find(|item| sk(item) == "~").unwrap();
    let mut broken = person.clone();
    broken["secret"]["B"] = json!("AAAA");
    put(&broken).await;
    let output = audit(&of, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!output.status.success());
    assert_eq!(report["unreadable"].as_array().unwrap().len(), 1, "{report}");
    let whole = items.iter().filter(|item| sk(item) == "~").count() as u64;
    assert_eq!(report["members"].as_u64(), Some(whole - 1));
    put(person).await;

    // The newest entry of one member, and all items of another: only an earlier export shows that
    // they are missing.
    let export = table.folder.path().join("earlier");
    std::fs::create_dir_all(&export).unwrap();
    let lines = items.iter().map(|item| json!({ "Item": item }).to_string());
    std::fs::write(export.join("a.json"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let after = ["--json", "--after", export.to_str().unwrap()];
    assert!(audit(&of, &after).status.success());
    let is_followed = |item: &&Value| {
        let next = json!({ "pk": item["pk"], "sk": { "S": "v#0000000003" } });
        items.iter().any(|other| key(other) == next)
    };
    let twice = items.iter().find(|item| sk(item) == "v#0000000002" && !is_followed(item)).unwrap();
    served.ask("DeleteItem", json!({ "Key": key(twice) })).await;
    let report: Value = serde_json::from_slice(&audit(&of, &after).stdout).unwrap();
    let fault = &report["faults"][0];
    assert_eq!((&fault["member"], &fault["entry"]), (&json!(member(twice)), &json!(2)), "{fault}");
    put(twice).await;
    let gone = items.iter().filter(|item| item["pk"] == second["pk"]);
    let gone: Vec<&Value> = gone.collect();
    for item in &gone {
        served.ask("DeleteItem", json!({ "Key": key(item) })).await;
    }
    let report: Value = serde_json::from_slice(&audit(&of, &after).stdout).unwrap();
    assert_eq!(
        report["faults"],
        json!([{ "member": member(second), "entry": null,
            "what": "the earlier export has it, and it is gone" }])
    );
    for item in gone {
        put(item).await;
    }

    // A member that is missing from the due index.
    let due = items.iter().find(|item| !item["due"].is_null()).unwrap();
    let mut lost = due.clone();
    lost.as_object_mut().unwrap().remove("due");
    put(&lost).await;
    let fault = found("a due date that is lost").await;
    assert_eq!((&fault["member"], &fault["entry"]), (&json!(member(due)), &Value::Null), "{fault}");
    put(due).await;
    assert!(audit(&of, &[]).status.success());
}
