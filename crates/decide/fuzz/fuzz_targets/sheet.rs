//! A fuzz target that loads any text as a sheet. Loading and running it never panics, and two runs
//! give the same result.
#![no_main]

use decide::Context;
use ledger::enroll::{self, Enrolment};
use ledger::{Activity, Codes, Remaining, Line, Member, MemberId, MerchantId, Order, OrderAmounts, Payment, DecisionData};
use libfuzzer_sys::fuzz_target;
use rules::{Bundle, Sources};

const MANIFEST: &str = include_str!("../../tests/hostile.toml");

fn member() -> Member {
    let enrolment = Enrolment {
        id: MemberId::parse("ada").expect("a name"),
        attributes: [("city".to_owned(), "Oslo".to_owned())].into(),
        tags: ["regular".to_owned()].into(),
        referred_by: None,
    };
    enroll::decide(enrolment, "2025-01-01T00:00:00Z".parse().expect("a time"))
}

fn purchase() -> Activity {
    let line = |sku: &str, category: &str| Line {
        id: Some(format!("line of {sku}")),
        sku: Some(sku.to_owned()),
        categories: vec![category.to_owned(), "all".to_owned()],
        tags: vec!["organic".to_owned()],
        quantity: "2.5".parse().expect("a weight"),
        unit: Some("kg".to_owned()),
        price: "3.10".parse().ok(),
        discount: "0.50".parse().expect("an amount"),
        tax: "1.19".parse().expect("an amount"),
        attributes: [("brand".to_owned(), "Acme".to_owned())].into(),
        ..Line::default()
    };
    Activity {
        id: "1".to_owned(),
        kind: "purchase".to_owned(),
        at: "2026-05-02T07:30:00Z".parse().expect("a time"),
        of: None,
        order: Some(Order {
            total: "12.40".parse().expect("an amount"),
            lines: vec![line("espresso", "coffee"), line("house", "beans")],
            voided: Vec::new(),
            amounts: OrderAmounts {
                discount: "3.00".parse().expect("an amount"),
                shipping: "4.90".parse().expect("an amount"),
                tax: "2.38".parse().expect("an amount"),
                tip: "1.00".parse().expect("an amount"),
            },
            store: Some("oslo".to_owned()),
            payments: vec![Payment {
                method: "card".to_owned(),
                amount: "12.40".parse().expect("an amount"),
            }],
        }),
        channel: None,
        payment: Some("card".to_owned()),
        fields: [].into(),
    }
}

fuzz_target!(|sheet: &str| {
    let merchant = MerchantId::parse("hostile").expect("a name");
    let sources = Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", sheet)]);
    let Ok(bundle) = Bundle::load(&merchant, &sources) else { return };
    let (member, activity) = (member(), purchase());
    let left = bundle.shared_limits().into_iter().map(|(limit, units)| (limit, Remaining::all(units))).collect();
    let codes = Codes::all(vec!["A".to_owned(), "B".to_owned()]);
    let codes = [("SPRING".to_owned(), codes)].into();
    let data = DecisionData { left, codes, ..DecisionData::default() };
    let context = Context::new(&bundle, &data, activity.at);
    let earn = || decide::earn(&context, &member, activity.clone());
    assert_eq!(earn(), earn());
    let _ = decide::trace(&context, &member, &activity, &[]);
    let _ = decide::offers(&bundle, &member, None, activity.at);
    let _ = decide::benefits(&bundle, &member, None, activity.order.as_ref(), activity.at);
    let _ = decide::next_tier(&bundle, &member, None, activity.at);
});
