//! What is owed, for the books: the same as in the audit, opened to its entries, and forecast.

use std::process::Output;

use serde_json::{Value, json};

use crate::audited::{Table, of_merchant};
use crate::json;

fn liability(table: &Table, more: &[&str]) -> Output {
    of_merchant("liability", &["--data", table.data.to_str().unwrap()], more)
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The sum of a field over a list.
fn sum(rows: &Value, of: impl Fn(&Value) -> i64) -> i64 {
    rows.as_array().unwrap().iter().map(of).sum()
}

/// An amount of dollars, in cents.
fn cents(amount: &Value) -> i64 {
    let (dollars, cents) =
        amount.as_str().unwrap().split_once('.').unwrap_or((amount.as_str().unwrap(), "0"));
    let negative = if dollars.starts_with('-') { -1 } else { 1 };
    let cents: i64 = format!("{cents:0<2}").parse().unwrap();
    dollars.parse::<i64>().unwrap() * 100 + negative * cents
}

#[test]
fn what_is_owed_is_that_of_the_audit_and_opens_to_its_entries() {
    let table = Table::of_orders(400);
    let days = ["--from", "1997-10-01", "--until", "1998-03-31"];
    let told = json(&liability(&table, &[&days[..], &["--json"]].concat()));
    let of = ["--data", table.data.to_str().unwrap()];
    let audited = json(&of_merchant("audit", &of, &[&days[..], &["--json"]].concat()));
    assert_eq!(told["wallets"], audited["wallets"]);
    let points = &told["wallets"]["points"];

    for line in ["issued", "redeemed", "expired", "reversed", "adjusted"] {
        let entries = format!("points.{line}");
        let more = [&days[..], &["--json", "--entries", &entries]].concat();
        let rows = json(&liability(&table, &more));
        assert_eq!(sum(&rows, |row| row["units"].as_i64().unwrap()), points[line], "{line}");
        let money = sum(&rows, |row| cents(&row["money"]));
        assert_eq!(money, cents(&points["money"][line]), "{line}");
    }
    // Redemptions and expiries are there to be found.
    assert!(points["redeemed"].as_i64().unwrap() < -1000, "{points}");

    // The forecast is for what is owed, and nothing of it is beyond that.
    let forecast = &told["forecasts"]["points"]["forecast"];
    assert_eq!(forecast["owed"], points["closing"]);
    let number = |value: &Value| value.as_f64().unwrap();
    let (low, high) = (number(&forecast["interval"][0]), number(&forecast["interval"][1]));
    let redeemed = number(&forecast["redeemed"]);
    assert!(0.0 < low && low < redeemed && redeemed < high, "{forecast}");
    assert!(high < number(&forecast["owed"]), "{forecast}");
    // A wallet that only counts is not redeemed, so nothing is forecast of it.
    assert_eq!(told["forecasts"]["status"], Value::Null);

    // Revenue comes out of the deferral as it went in.
    let months = &told["deferred"];
    assert_eq!((&months[0]["month"], &months[14]["month"]), (&json!("1997-01"), &json!("1998-03")));
    let roll = &told["deferred_over_period"];
    let left = |row: &Value| cents(&row["deferred"]) - cents(&row["recognized"]);
    assert_eq!(sum(months, left), cents(&roll["closing"]));
    let moved = cents(&roll["opening"]) + cents(&roll["added"]) + cents(&roll["changed"])
        - cents(&roll["recognized"]);
    assert_eq!(moved, cents(&roll["closing"]));
    assert!(cents(&roll["recognized"]) > 0);
    // The opening is what was told at the end of the month before.
    let before = json(&liability(&table, &["--until", "1997-09-30", "--json"]));
    assert_eq!(sum(&before["deferred"], left), cents(&roll["opening"]));

    // The page says how an earlier forecast did.
    let output = liability(&table, &["--until", "1998-03-31"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "Expected redemptions",
        "points that were owed at the end of 1997-03",
        "were to be expected to be redeemed until 1998-03",
        "Revenue deferred until units are redeemed",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let file = table.folder.path().join("owed.html");
    let file = file.to_str().unwrap();
    let output = liability(&table, &["--until", "1998-03-31", "--html", file]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{file} is written\n"));
    let html = std::fs::read_to_string(file).unwrap();
    assert!(html.contains("<h1>What CDNOW Fast Forward owes</h1>"), "{html}");
    assert!(!html.contains("http") && !html.contains("src="), "{html}");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let table = Table::of_orders(20);
    let until = ["--until", "1997-06-30"];
    let more =
        |entries| refused(&liability(&table, &[&until[..], &["--entries", entries]].concat()));
    let said = more("points.redemed");
    assert!(said.contains("there is no line `redemed`; did you mean `redeemed`?"), "{said}");
    let said = more("point.redeemed");
    assert!(said.contains("there is no wallet `point`; did you mean `points`?"), "{said}");
    let said = more("points");
    assert!(said.contains("say which wallet, such as points.issued"), "{said}");
    for (from, until, expected) in [
        ("1997-07-01", "1997-06-30", "--from 1997-07-01 is after --until 1997-06-30"),
        (
            "1997-02-02",
            "1997-06-30",
            "--from 1997-02-02 is not the first day of a month, as 1997-02-01 is",
        ),
        (
            "1997-02-01",
            "1996-02-28",
            "--until 1996-02-28 is not the last day of a month, as 1996-02-29 is",
        ),
    ] {
        let said = refused(&liability(&table, &["--from", from, "--until", until]));
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_a_table_that_does_not_hold() {
    let table = Table::of_orders(60);
    {
        let served = table.serve().await;
        let items = served.items().await;
        let follows = items.iter().find(|item| item["sk"]["S"] == "v#0000000002").unwrap();
        let first = json!({ "pk": follows["pk"], "sk": { "S": "v#0000000001" } });
        served.ask("DeleteItem", json!({ "Key": first })).await;
    }
    let said = refused(&liability(&table, &["--until", "1997-12-31", "--json"]));
    assert!(said.contains("nothing can be said of what is owed"), "{said}");
}
