//! Receipts as a shop system exports them: real orders, split with a seed into lines with discounts,
//! some of which come back. The replay comes to the totals of a plain model.

use std::fmt::Write;

use fastrand::Rng;

use super::{json, orders, regulars};

const MANIFEST: &str = r#"
name = "Receipts"
currency = "USD"
time_zone = "America/New_York"
[wallets.points]
"#;
const RULES: &str = r#"earn "1 per dollar" on purchase { order.total }"#;
/// The orders that are taken from the real file.
const ORDERS: usize = 1_500;

/// One line of a receipt, in cents.
struct Line {
    quantity: i64,
    amount: i64,
}

/// Cents as a shop with a decimal comma writes them.
fn comma(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{},{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// Splits an amount into lines.
fn lines(total: i64, rng: &mut Rng) -> Vec<Line> {
    let count = rng.i64(1..=4);
    let each = total / count;
    let line = |place: i64| Line {
        quantity: place % 3 + 1,
        amount: if place == count - 1 { total - each * (count - 1) } else { each },
    };
    (0..count).map(line).collect()
}

#[test]
fn receipts_with_lines_discounts_and_returns_come_to_the_totals_of_a_plain_model() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("receipts");
    std::fs::create_dir(&shop).unwrap();
    std::fs::write(shop.join("merchant.toml"), MANIFEST).unwrap();
    std::fs::write(shop.join("rules.rhai"), RULES).unwrap();

    let mut rng = Rng::with_seed(17);
    let real = std::fs::read_to_string(orders()).unwrap();
    let mut file =
        "Beleg;Kunde;at;line;sku;category;quantity;amount;order_discount;total;of\n".to_owned();
    let (mut points, mut number) = (0, 0);
    for row in real.lines().skip(1).take(ORDERS) {
        let cells: Vec<&str> = row.split(',').collect();
        let (member, at) = (cells[1], cells[2]);
        let listed: i64 = cells[5].replace('.', "").parse().unwrap();
        let lines = lines(listed, &mut rng);
        // A third of the orders have a coupon of a tenth.
        let coupon = if rng.u32(0..3) == 0 { listed / 10 } else { 0 };
        let total = listed - coupon;
        number += 1;
        for (place, line) in lines.iter().enumerate() {
            let Line { quantity, amount } = line;
            let (amount, coupon, total) = (comma(*amount), comma(coupon), comma(total));
            writeln!(
                file,
                "{number};{member};{at};{place};cd-{place};music;{quantity};{amount};{coupon};{total};"
            )
            .unwrap();
        }
        // A fifth of the orders lose a line again, for what was paid for it.
        let mut left = total;
        if rng.u32(0..5) == 0 && listed > 0 {
            let place = rng.usize(0..lines.len());
            let Line { quantity, amount } = &lines[place];
            let refund = amount * total / listed;
            left -= refund;
            let refund = comma(-refund);
            writeln!(
                file,
                "R{number};{member};{at};{place};cd-{place};;-{quantity};{refund};0,00;{refund};{number}"
            )
            .unwrap();
        }
        points += left / 100;
    }
    let path = folder.path().join("receipts.csv");
    std::fs::write(&path, file).unwrap();
    let arguments = [
        "replay",
        "--merchant",
        "receipts",
        path.to_str().unwrap(),
        "--rules",
        folder.path().to_str().unwrap(),
        "--data",
        &format!("{}/receipts.db", folder.path().display()),
        "--separator",
        ";",
        "--decimal-comma",
        "--column",
        "order=Beleg",
        "--column",
        "member=Kunde",
        "--json",
    ];
    let printed = json(&regulars(arguments).output().unwrap());
    assert_eq!(printed["rejected"], 0, "{printed}");
    assert_eq!(printed["wallets"]["points"]["balance"], points, "{printed}");
}
