//! The real history, compared with a model.

use std::path::Path;

use chrono::TimeDelta;
use end_to_end::audit::{Audited, audit, dump};
use ledger::{MerchantId, PostingReason};
use local::Database;
use serde_json::{Value, json};
use store::History;

use super::model::{Expected, Wallet, expected};
use super::{first_orders, json as parsed, orders, replay};

/// Replays the whole real history: its totals must be those of the model, the audit must find no
/// fault, and a second replay of a part of it must change nothing.
#[tokio::test]
async fn the_real_history_comes_to_what_the_model_says_and_a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("history.db");
    let first = parsed(&replay(&orders(), &data).output().unwrap());

    let expected = expected(&std::fs::read_to_string(orders()).unwrap());
    assert_eq!((expected.members, expected.activities), (2357, 6919));
    assert_eq!(without_seconds(&first), as_json(&expected));

    the_readme_says(&expected);

    let database = Database::open(Some(&data), 0).await.unwrap();
    let Audited { members, entries, faults } = audit(database.store(), "cdnow").await;
    assert_eq!(faults, [""; 0]);
    assert_eq!(members, 2357);
    let late = expired_late(&database).await;
    assert_eq!(late, [""; 0], "expired later than in the night after their end");
    let before = dump(&database, "cdnow").await;
    assert_eq!(before.len(), members + entries);
    drop(database);

    // The first orders again: the rest is repeated in the same way.
    let again = first_orders(folder.path(), 1500);
    let second = parsed(&replay(&again, &data).output().unwrap());
    assert_eq!((&second["activities"], &second["duplicates"]), (&json!(1500), &json!(1500)));
    assert_eq!((&second["wallets"], &second["tiers"]), (&first["wallets"], &first["tiers"]));
    let database = Database::open(Some(&data), 0).await.unwrap();
    assert!(dump(&database, "cdnow").await == before, "the second run changed something");
}

/// The entries whose units expired more than a day before: the clock stood still beside them.
async fn expired_late(database: &Database) -> Vec<String> {
    let mut late = Vec::new();
    let see = |history: History| {
        for line in &history.lines {
            let gone = line.postings.iter().filter(|of| of.why == PostingReason::Expired);
            let ends = gone.filter_map(|posting| posting.from_lot()?.expires_at);
            if ends.min().is_some_and(|end| line.at - end > TimeDelta::days(1)) {
                late.push(format!("{} {}", history.key, line.seq));
            }
        }
    };
    let merchant = MerchantId::parse("cdnow").unwrap();
    database.store().each(&merchant, see).await.unwrap();
    late
}

/// Checks the figures of the demo in the README. In the demo members redeem as in this test.
fn the_readme_says(expected: &Expected) {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let rows: Vec<String> =
        readme.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let wallet = |name: &str, wallet: Wallet| {
        let figures = [wallet.earned, wallet.redeemed, wallet.expired, wallet.balance];
        format!("│ {name} {}", figures.map(thousands).join(" "))
    };
    let tiers = expected
        .tiers
        .iter()
        .map(|(tier, members)| format!("│ {tier} {}", thousands(i64::try_from(*members).unwrap())));
    let wanted = [wallet("points", expected.points), wallet("status", expected.status)];
    for row in wanted.into_iter().chain(tiers) {
        assert!(rows.iter().any(|line| line.starts_with(&row)), "the README lacks `{row}`");
    }
}

fn thousands(number: i64) -> String {
    let rest = format!("{:03}", number % 1000);
    if number < 1000 { number.to_string() } else { format!("{},{rest}", thousands(number / 1000)) }
}

fn without_seconds(printed: &Value) -> Value {
    let mut printed = printed.clone();
    assert!(printed["seconds"].is_number());
    printed.as_object_mut().unwrap().remove("seconds");
    printed
}

fn as_json(expected: &Expected) -> Value {
    let wallet = |wallet: Wallet| {
        json!({
            "earned": wallet.earned,
            "redeemed": wallet.redeemed,
            "expired": wallet.expired,
            "reversed": 0,
            "adjusted": 0,
            "balance": wallet.balance,
            "pending": 0,
        })
    };
    json!({
        "members": expected.members,
        "activities": expected.activities,
        "duplicates": 0,
        "rejected": 0,
        "wallets": { "points": wallet(expected.points), "status": wallet(expected.status) },
        "tiers": expected.tiers,
    })
}
