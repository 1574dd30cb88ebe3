//! Tests of files of orders as shops export them.

use super::*;

fn orders(text: &str, format: &Format) -> (Vec<String>, Vec<String>) {
    let orders = read(text.as_bytes(), "orders.csv", format, Tz::America__New_York).unwrap();
    let say = |order: &Order| format!("{} {} {}", order.key, order.member, order.at);
    (orders.orders.iter().map(say).collect(), orders.bad.iter().map(ToString::to_string).collect())
}

fn csv(text: &str) -> (Vec<String>, Vec<String>) {
    orders(text, &Format::default())
}

#[test]
fn a_malformed_line_is_named_and_the_others_are_read() {
    let (orders, bad) = csv("order,member,at,sku,quantity,total\n\
         a,1,1997-01-01,cd,2,29.33\n\
         b,2,1997-13-01,cd,2,29.33\n\
         h,3 3,1997-01-01,cd,2,29.33\n\
         c,3,1997-01-01,cd,2,29.33\n\
         ,3,1997-01-01,cd,2,29.33\n\
         d,4,1997-01-01T10:00:00-05:00,cd,two,29.33\n\
         e,5,1997-01-01,cd\n\
         f,6,1997-01-01T10:00:00-05:00,cd,1,1.00\n\
         g,7,1997-01-0");
    assert_eq!(orders, ["a 1 1997-01-01 17:00:00 UTC", "f 6 1997-01-01 15:00:00 UTC"]);
    assert_eq!(
        bad,
        [
            "line 3, column `at`: `1997-13-01` is no day such as 1997-01-31 and no time with its offset",
            "line 4, column `member`: `3 3`: ` ` is not allowed; letters a-z and A-Z, digits, `-`, `_` and `.` are",
            "line 6, column `order`: it is empty; all of order `c` is left out",
            "line 7, column `quantity`: `two` is no number",
            "line 8, the row: it has 4 columns, and the head has 6; all of order `e` is left out",
            "line 10, the last row: it is cut off: it has no line end; if it is whole, end it with one; all of order `g` is left out",
        ]
    );
}

#[test]
fn a_line_cut_off_where_it_still_looks_whole_is_not_taken() {
    let (orders, bad) = csv("order,member,at,sku,quantity,total\na,1,1997-01-01,cd,2,29.3");
    assert!(orders.is_empty());
    assert_eq!(
        bad,
        [
            "line 2, the last row: it is cut off: it has no line end; if it is whole, end it with one; all of order `a` is left out"
        ]
    );
}

#[test]
fn rows_of_one_order_are_one_order_and_rows_below_zero_come_back() {
    let text = "\u{feff}order,member,at,sku,quantity,total\n\
         1,ada,2026-05-04,x,2,10.00\n\
         1,ada,2026-05-04,y,1,5.00\n\
         C1,ada,2026-05-06,x,-1,-5.00\n\
         C2,ada,2026-05-06,z,-1,-5.00\n";
    let orders = read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
    let [bought, back] = &orders.orders[..] else { panic!("{:?}", orders.orders) };
    assert_eq!(bought.body["order"]["total"], "15.00");
    assert_eq!(back.verb, Verb::Reverse);
    assert_eq!(
        back.body,
        json!({ "lines": [{ "sku": "x", "quantity": "1" }], "refund": "5.00", "order": "1" })
    );
    let bad: Vec<String> = orders.bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        bad,
        [
            "line 5, column `sku`: no earlier order of `ada` in the file has 1 of `z` left; name the order in a column `of`"
        ]
    );
}

#[test]
fn an_order_is_whole_or_left_out() {
    let head = "order,member,at,total,sku,quantity,price\n";
    for spoilt in [
        "1,ada,2026-05-04,5.00,y,1,5.0",
        "1,ada,2026-05-04,5.00,y\n",
        "1,ada,2026-05-04,5.00,tea, green,1,5.00\n",
        ",,,5.00,y,1,5.00\n",
        "1,ada,2026-05-04,5.oo,y,1,5.00\n",
    ] {
        let first = "1,ada,2026-05-04,12.40,x,2,6.20\n";
        let (orders, bad) = csv(&format!("{head}{first}{spoilt}"));
        assert!(orders.is_empty() && bad.len() == 1, "{spoilt}: {orders:?} {bad:?}");
        assert!(bad[0].starts_with("line 3, "), "{bad:?}");
    }
    let latin1 =
        [head.as_bytes(), b"1,ada,2026-05-04,1.00,x,1,1\n1,ada,2026-05-04,1.00,K\xe4se,1,1\n"]
            .concat();
    let found = read(&latin1, "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
    assert!(found.orders.is_empty());
    assert_eq!(
        found.bad[0].to_string(),
        "line 3, the row: column 5 is no UTF-8 text; if the file is Latin-1, say --latin1; all of order `1` is left out"
    );
}

#[test]
fn what_would_be_counted_twice_or_for_nothing_is_refused() {
    let check = |text: &str, expected: &str| {
        let (orders, bad) = csv(text);
        assert_eq!((orders.len(), bad.join("\n").as_str()), (0, expected), "{text}");
    };
    check(
        "order,member,at,total\n1,a,2026-05-04,12.40\n1,a,2026-05-04,12.40\n",
        "line 3, column `order`: order `1` is in line 2 already, and the file has no columns of lines, such as `sku`",
    );
    check(
        "order,member,at,total,sku,quantity,price\n1,a,2026-05-04,17.40,x,2,6.20\n1,a,2026-05-04,17.40,y,1,5.00\n",
        "line 3, column `total`: each row has the total of the order; write what the row came to in `total`, or in a column `amount`",
    );
    check(
        "order,member,at,total,sku,store\n1,a,2026-05-04,1,x,oslo\n1,a,2026-05-04,1,y,rome\n",
        "line 3, column `store`: order `1` has another one in a row above",
    );
    check(
        "order,member,at,total\n1,a,2026-05-04,-12.40\n",
        "line 2, column `total`: it is below zero, and nothing came back; name the order that came back in a column `of`, or write a quantity below zero",
    );
    let refused = |text: &str| {
        read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("order,member,at,total\n"), "there are no orders in `o.csv`");
    assert_eq!(
        refused("order,member,at,total,total\n1,a,2026-05-04,1,2\n"),
        "the orders `o.csv` have two columns `total`"
    );
    assert_eq!(
        refused("Order,member,at,total\n"),
        "the orders `o.csv` have no column `order`; say --column order=Order"
    );
    for (heading, name) in [("Amount", "amount"), ("catgory", "category")] {
        assert_eq!(
            refused(&format!("order,member,at,total,{heading}\n")),
            format!(
                "the orders `o.csv` have a column `{heading}`, which is not read; rename it, or say --column {name}={heading}"
            )
        );
    }
    let (orders, _) = csv("order,member,at,total\r1,a,2026-05-04,1\r");
    assert_eq!(orders.len(), 1);
}

#[test]
fn returns_name_their_order_and_its_lines() {
    let head = "order,member,at,total,line,sku,quantity,of\n1,a,2026-05-04,12.40,L1,x,2,\n1,a,2026-05-04,5.00,L2,y,1,\n";
    let back = |row: &str| {
        let text = format!("{head}R,a,2026-05-06,{row}\n");
        let mut found =
            read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
        match found.bad.first() {
            Some(bad) => json!(bad.to_string()),
            None => found.orders.pop().unwrap().body,
        }
    };
    let of = |lines: Value, refund: &str| json!({ "order": "1", "lines": lines, "refund": refund });
    assert_eq!(back("-6.20,,x,-1,1"), of(json!([{ "sku": "x", "quantity": "1" }]), "6.20"));
    assert_eq!(back("-6.20,L1,,-1,"), of(json!([{ "line": "L1", "quantity": "1" }]), "6.20"));
    assert_eq!(back("-6.20,L1,x,-1,"), of(json!([{ "line": "L1", "quantity": "1" }]), "6.20"));
    // The first line of the return itself is no line of the order.
    assert_eq!(back("-5.00,1,y,-1,1"), of(json!([{ "sku": "y", "quantity": "1" }]), "5.00"));
    assert_eq!(
        back("-5.00,L1,y,-1,1"),
        "line 4, column `sku`: line `L1` of order `1` is `x`, and this row says `y`"
    );
    // Money alone, and pieces that only their money tells to be a return.
    assert_eq!(back("-3.00,,,,1"), of(json!([]), "3.00"));
    assert_eq!(back("-5.00,,,-1,1"), of(json!([]), "5.00"));
    assert_eq!(back("-6.20,,x,1,1"), of(json!([{ "sku": "x", "quantity": "1" }]), "6.20"));
}

#[test]
fn separators_commas_and_own_headings_are_options() {
    let text = "Beleg;Kunde;at;sku;quantity;total\n1;ada;2026-05-04;x;0,5;1.010,00\n";
    let columns = [("order", "Beleg"), ("member", "Kunde")];
    let columns = columns.map(|(name, own)| (name.to_owned(), own.to_owned())).into();
    let format = Format { separator: ';', decimal_comma: true, latin1: false, columns };
    let orders = read(text.as_bytes(), "o.csv", &format, Tz::Europe__Berlin).unwrap();
    assert_eq!(orders.orders[0].body["order"]["total"], "1010.00");
    let amount = |text: &str| {
        let row = format!("order;member;at;quantity;total\n1;ada;2026-05-04;1;{text}\n");
        let columns = Vec::new();
        let format = Format { separator: ';', decimal_comma: true, latin1: false, columns };
        let read = read(row.as_bytes(), "o.csv", &format, Tz::Europe__Berlin).unwrap();
        match read.orders.first() {
            Some(order) => order.body["order"]["total"].as_str().unwrap().to_owned(),
            None => read.bad[0].to_string(),
        }
    };
    assert_eq!(amount("12,40"), "12.40");
    assert_eq!(amount("1.234.567,89"), "1234567.89");
    assert_eq!(amount("1.240"), "1240");
    assert_eq!(
        amount("12.40"),
        "line 2, column `total`: `12.40` is no number; with --decimal-comma, a point stands between thousands: 1.240,00"
    );
    assert_eq!(amount("1,2,3"), "line 2, column `total`: `1,2,3` is no number");
    assert_eq!(amount("1_000"), "line 2, column `total`: `1_000` is no number");
    let plain = read(text.as_bytes(), "o.csv", &Format::default(), Tz::Europe__Berlin);
    assert_eq!(
        plain.unwrap_err().to_string(),
        "the orders `o.csv` have no column `order`; its head is separated by `;`: say --separator"
    );
    let latin1 = b"order,member,at,sku,quantity,total\n1,ada,2026-05-04,Z\xfcrich,1,5.00\n";
    let told = Format { latin1: true, ..Format::default() };
    let found = read(latin1, "o.csv", &told, Tz::Europe__Berlin).unwrap();
    assert_eq!(found.orders[0].body["order"]["lines"][0]["sku"], "Zürich");
    let guessed = read(latin1, "o.csv", &Format::default(), Tz::Europe__Berlin).unwrap();
    assert!(guessed.bad[0].to_string().contains("if the file is Latin-1, say --latin1"));
}
