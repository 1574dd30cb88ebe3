//! What each request costs.

use serde_json::Value;

use super::{json, regulars};

/// What each request costs, in read and write units.
const COSTS: [(&str, &str, &str); 47] = [
    ("enroll", "0", "1"),
    ("enroll, repeated", "0", "0"),
    ("earn, the first: it sets the due date", "1.5", "6"),
    ("earn, sent late: it moves the due date", "2.5", "7"),
    ("earn, an order of five lines", "1.5", "2"),
    ("earn, repeated", "2", "0"),
    ("earn, with an id beside its key", "2.5", "3"),
    ("earn, five lines, a year's lots", "1.5", "2"),
    ("earn, five lines, repeated after a year", "3", "0"),
    ("redeem", "1.5", "2"),
    ("redeem, repeated", "2", "0"),
    ("read a member", "1", "0"),
    ("read its statement, 20 entries", "5", "0"),
    ("read what it can have, one of a stock", "9", "0"),
    ("expire, nothing due in 64 shards", "32", "0"),
    ("expire one member, its shard", "1", "6"),
    ("hold: it sets a deadline", "1.5", "7"),
    ("hold, repeated", "2", "0"),
    ("capture", "2.5", "2"),
    ("release", "1.5", "2"),
    ("capture a part", "2.5", "2"),
    ("reverse a capture", "5.5", "3"),
    ("reverse a line", "6.5", "3"),
    ("reverse a purchase", "6.5", "3"),
    ("reverse a redemption", "4.5", "3"),
    ("adjust", "1.5", "2"),
    ("transfer, both sides", "2.5", "5"),
    ("join an account", "2.5", "5"),
    ("earn into an account's wallet", "2.5", "5"),
    ("leave it", "2.5", "5"),
    ("erase", "1.5", "7"),
    ("read a contest's board", "8", "0"),
    ("a birthday, its shard", "1", "6"),
    ("a reminder, its shard", "1", "6"),
    ("earn, told late, 1 order since", "2.5", "2"),
    ("earn, told late, 10 orders since", "6.5", "2"),
    ("earn, told late, 100 orders since", "17.5", "2"),
    ("earn, put right, 1 order since", "4.5", "2"),
    ("reverse a purchase, 10 orders since", "8.5", "3"),
    ("reverse a purchase, 100 orders since", "19.5", "3"),
    ("redeem, told late, 10 orders since", "6.5", "2"),
    ("adjust, told late, 10 orders since", "6.5", "2"),
    ("reverse an adjustment, 10 orders since", "8.5", "3"),
    ("reverse a transfer, 10 orders since", "14.5", "6"),
    ("reverse a reversal, 10 orders since", "8.5", "3"),
    ("earn, an exchange, 10 orders since", "8.5", "2"),
    ("earn, told too late, 10 orders since", "6", "2"),
];

#[test]
fn requests_cost_what_the_table_says() {
    let printed = json(&regulars(["costs", "--json"]).output().unwrap());
    let number = |value: &Value| value.as_str().unwrap().trim_end_matches(".0").to_owned();
    let rows: Vec<(String, String, String)> = printed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let request = row["request"].as_str().unwrap().to_owned();
            (request, number(&row["reads"]), number(&row["writes"]))
        })
        .collect();
    let expected = COSTS
        .map(|(request, reads, writes)| (request.to_owned(), reads.to_owned(), writes.to_owned()));
    assert_eq!(rows, expected);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/TABLE.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = String::from_utf8(regulars(["costs"]).output().unwrap().stdout).unwrap();
    assert!(page.contains(table.trim_end()), "crates/store/TABLE.md shows another table:\n{table}");
}
