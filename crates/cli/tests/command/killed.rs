//! Processes that are killed.

use std::fmt::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use end_to_end::audit::{audit, dump};
use ledger::{EntryKind, MerchantId};
use local::Database;
use store::History;

use super::{first_orders, json, regulars, replay};

const SIGKILL: i32 = 9;

/// Starts a command, and kills it once the data file and its log have grown by this many bytes. So it is killed
/// in the middle of its work, however fast the machine is. It must not end by itself.
pub(super) fn kill_once_written(mut command: Command, data: &Path, bytes: u64) {
    // What is written goes to the log first.
    let log = PathBuf::from(format!("{}-wal", data.display()));
    let length = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
    let size = || length(data) + length(&log);
    let enough = size() + bytes;
    let mut child = command.spawn().unwrap();
    while size() < enough && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        ended.status.signal(),
        Some(SIGKILL),
        "it ended before it was killed: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

pub(super) async fn entries(data: &Path, merchant: &str, kind: &str) -> usize {
    let database = Database::open(Some(data), 0).await.unwrap();
    let mut entries = 0;
    let merchant = MerchantId::parse(merchant).unwrap();
    database
        .store()
        .each(&merchant, |history: History| {
            let kinds = history.versions().map(|version| version.entry.kind.verb());
            entries += kinds.filter(|found| found.as_str() == kind).count();
        })
        .await
        .unwrap();
    entries
}

#[tokio::test]
async fn a_replay_that_is_killed_and_run_again_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let orders = first_orders(folder.path(), 1500);
    let (whole, cut) = (folder.path().join("whole.db"), folder.path().join("cut.db"));
    let uninterrupted = json(&replay(&orders, &whole).output().unwrap());
    let bytes = std::fs::metadata(&whole).unwrap().len();

    // Each replay continues from where the one before was killed.
    let mut seen = Vec::new();
    for _ in 0..3 {
        kill_once_written(replay(&orders, &cut), &cut, bytes / 10);
        let database = Database::open(Some(&cut), 0).await.unwrap();
        assert_eq!(audit(database.store(), "cdnow").await.faults, [""; 0]);
        drop(database);
        seen.push(entries(&cut, "cdnow", "earn").await);
    }
    // Each replay was killed in the middle.
    assert!(0 < seen[0] && seen.is_sorted_by(|a, b| a < b) && seen[2] < 1500, "{seen:?}");

    let resumed = json(&replay(&orders, &cut).output().unwrap());
    assert_eq!(resumed["duplicates"], seen[2]);
    for figure in ["members", "activities", "rejected", "wallets", "tiers"] {
        assert_eq!(resumed[figure], uninterrupted[figure], "{figure}");
    }
    let whole = dump(&Database::open(Some(&whole), 0).await.unwrap(), "cdnow").await;
    let cut = dump(&Database::open(Some(&cut), 0).await.unwrap(), "cdnow").await;
    assert!(whole == cut, "the tables differ");
}

#[tokio::test]
async fn an_expiry_run_over_4_000_members_killed_twice_expires_every_lot_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("due.db");
    let orders = folder.path().join("orders.csv");
    let mut text = "order,member,at,sku,quantity,total\n".to_owned();
    for member in 0..4_000 {
        writeln!(text, "o{member},m{member},1997-03-05,cd,1,10.00").unwrap();
    }
    std::fs::write(&orders, text).unwrap();
    let earned = json(&replay(&orders, &data).output().unwrap());
    // A whole expiry run makes the data file about half as large again.
    let bytes = std::fs::metadata(&data).unwrap().len() / 20;
    assert_eq!(earned["wallets"]["points"]["balance"], 80_000);

    let night = || {
        regulars(["expire", "--data", data.to_str().unwrap(), "--clock", "1998-04-01T08:00:00Z"])
    };
    let mut done = vec![0];
    for _ in 0..2 {
        kill_once_written(night(), &data, bytes);
        done.push(entries(&data, "cdnow", "expire").await);
    }
    assert!(0 < done[1] && done[1] < done[2] && done[2] < 4_000, "{done:?}");

    let last = json(&night().output().unwrap());
    // No member is expired twice: those that are done have left the due index.
    assert_eq!(last["expired"], 4_000 - done[2]);
    assert_eq!(last["due"], last["expired"]);
    assert_eq!(json(&night().output().unwrap())["due"], 0);

    let database = Database::open(Some(&data), 0).await.unwrap();
    let audited = audit(database.store(), "cdnow").await;
    assert_eq!((audited.members, audited.entries), (4_000, 8_000));
    assert_eq!(audited.faults, [""; 0]);
    let (mut points, mut status) = (0, 0);
    let merchant = MerchantId::parse("cdnow").unwrap();
    database
        .store()
        .each(&merchant, |history: History| {
            let entries = history.versions().map(|version| &version.entry);
            let expired = entries.filter(|entry| matches!(entry.kind, EntryKind::Expire));
            for posting in expired.flat_map(|entry| &entry.postings) {
                match posting.wallet.as_str() {
                    "points" => points += posting.change(),
                    _ => status += posting.change(),
                }
            }
        })
        .await
        .unwrap();
    assert_eq!((points, status), (-80_000, -40_000));
}
