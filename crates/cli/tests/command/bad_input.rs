//! Files and options that make no sense.

use std::path::Path;

use end_to_end::audit::audit;
use local::Database;
use serde_json::Value;

use super::{json, orders, regulars, replay};

/// The standard error of a command that fails.
fn says(arguments: &[&str]) -> String {
    let output = regulars(arguments.iter().copied()).output().unwrap();
    assert!(!output.status.success(), "{arguments:?} ended well");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_file_that_is_cut_off_loses_its_last_line_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(orders()).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let half = &lines[21][..lines[21].len() - 1];
    let file = folder.path().join("orders.csv");
    std::fs::write(&file, format!("{}\nx,7,not-a-day,cd,1,1.00\n{half}", lines[..21].join("\n")))
        .unwrap();
    let data = folder.path().join("cut.db");
    let output = replay(&file, &data).output().unwrap();
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(
        message,
        "refused: line 22, column `at`: `not-a-day` is no day such as 1997-01-31 and no time with its offset\n\
         refused: line 23, the last row: it is cut off: it has no line end; if it is whole, end it with one; all of order `cdnow-0021` is left out\n\
         error: 2 orders were refused\n"
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&printed["activities"], &printed["rejected"]), (&20.into(), &2.into()));

    // The whole file then adds the missing order.
    std::fs::write(&file, lines[..22].join("\n") + "\n").unwrap();
    let printed = json(&replay(&file, &data).output().unwrap());
    assert_eq!((&printed["activities"], &printed["duplicates"]), (&21.into(), &20.into()));
    let database = Database::open(Some(&data), 0).await.unwrap();
    assert_eq!(audit(database.store(), "cdnow").await.faults, [""; 0]);
}

#[test]
fn a_line_that_the_api_refuses_is_named_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    let text =
        "order,member,at,sku,quantity,total\na,1,1997-01-01,cd,1,1.005\nb,1,1997-01-01,cd,1,1.00\n";
    std::fs::write(&file, text).unwrap();
    let output = replay(&file, &folder.path().join("d.db")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "refused: line 2, activity: `/order/total`: `1.005` has 3 decimals, and USD has 2\n\
         error: one order was refused\n"
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&printed["activities"], &printed["rejected"]), (&1.into(), &1.into()));
}

#[test]
fn a_line_that_is_refused_does_not_move_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    let text = "order,member,at,sku,quantity,total\r\n\
                a,1,1997-01-01,cd,2,29.33\r\n\
                b,2,1997-02-01,\"cd,2,29.33\r\n\
                c,2,2997-02-01,cd,2,29.33\r\n\
                d,2,2005-02-01,cd,2,abc\r\n\
                e,2,1997-02-01,cd,2,29.33\r\n";
    std::fs::write(&file, text).unwrap();
    let output = replay(&file, &folder.path().join("d.db")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "refused: line 3, the row: it has 4 columns, and the head has 6; all of order `b` is left out\n\
         refused: line 4, activity: it is dated 2997-02-01 17:00:00 UTC, and that is to come\n\
         refused: line 5, column `total`: `abc` is no number\n\
         error: 3 orders were refused\n"
    );
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed["wallets"]["points"]["balance"], 116);
    assert_eq!(printed["wallets"]["points"]["expired"], 0);
}

#[test]
fn files_and_options_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = path("d.db");
    let real = orders();
    let real = real.to_str().unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let said = says(arguments);
        assert!(said.contains(expected), "{arguments:?} said {said}");
    };
    check(
        &["replay", "--merchant", "cdnw", real, "--data", &data],
        "there is no merchant `cdnw` under",
    );
    check(&["replay", "--merchant", "cdnw", real, "--data", &data], "did you mean `cdnow`?");
    let absent = path("absent.csv");
    check(
        &["replay", "--merchant", "cdnow", &absent, "--data", &data],
        "cannot be read: No such file",
    );
    let text = path("orders.txt");
    std::fs::write(&text, "x").unwrap();
    check(
        &["replay", "--merchant", "cdnow", &text, "--data", &data],
        "are neither .csv nor .jsonl",
    );
    let headless = path("headless.csv");
    std::fs::write(&headless, "a,b\n1,2\n").unwrap();
    check(
        &["replay", "--merchant", "cdnow", &headless, "--data", &data],
        "have no column `order`; the head has to name order, member, at, total, or --column order=HEADING says which it is",
    );
    check(&["expire", "--data", &path("absent.db")], "there is no data file");
    std::fs::write(path("no.db"), "this is no database, but it is long enough to look at").unwrap();
    check(&["expire", "--data", &path("no.db")], "cannot be opened");
    check(&["demo", "--rules", &path("absent")], "cannot be read: No such file");
    assert!(!Path::new(&path("absent")).exists());
}

#[test]
fn rules_with_mistakes_are_refused_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("cdnow");
    std::fs::create_dir(&shop).unwrap();
    let (data, rules) = (folder.path().join("d.db"), folder.path());
    let real = orders();
    let arguments = [
        "replay",
        "--merchant",
        "cdnow",
        real.to_str().unwrap(),
        "--rules",
        rules.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    std::fs::write(shop.join("earn.rhai"), "earn \"a\" on purchase { order.totl }").unwrap();
    assert!(says(&arguments).contains("merchant.toml: is missing"));
    let manifest = "name = \"x\"\ncurrency = \"USD\"\ntime_zone = \"UTC\"\n[wallets.points]\n";
    std::fs::write(shop.join("merchant.toml"), manifest).unwrap();
    assert!(
        says(&arguments).contains("earn.rhai:1:30: `order` has no `totl`; did you mean `total`?")
    );
    std::fs::write(shop.join("earn.rhai"), "earn \"a\" on purchase { 5 }").unwrap();
    std::fs::write(shop.join("earn.spec.toml"), "[[spec]]\nitt = \"pays five\"").unwrap();
    assert!(
        says(&arguments).contains("earn.spec.toml:2:1: there is no `itt` here; did you mean `it`?")
    );
}
