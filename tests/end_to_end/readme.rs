//! What the README says is true.

use std::path::Path;

use decide::Context;
use ledger::{Activity, DecisionData, Effect, Line, MemberId, MerchantId, Order};
use rules::{Bundle, Sources};

fn readme() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn the_sheet_on_the_first_screen_is_the_one_in_the_folder_and_pays_what_it_says() {
    let readme = readme();
    let folder = end_to_end::rules().join("sunrise-coffee");
    let sheet = std::fs::read_to_string(folder.join("earn.rhai")).unwrap();
    assert_eq!(sheet.lines().count(), 10);
    assert!(readme.contains(&format!("```rust\n{sheet}```\n")), "the sheet differs");

    let merchant = MerchantId::parse("sunrise-coffee").unwrap();
    let bundle = Bundle::load(&merchant, &Sources::read(&folder).unwrap()).unwrap();
    let now = end_to_end::moment("2026-05-02T07:30:00Z");
    let ada = ledger::enroll::Enrolment {
        id: MemberId::parse("ada").unwrap(),
        attributes: Default::default(),
        // Founders are Gold members.
        tags: ["founder".to_owned()].into(),
        referred_by: None,
    };
    let ada = ledger::enroll::decide(ada, now);
    let line = |sku: &str, category: &str, quantity: u32| Line {
        sku: Some(sku.to_owned()),
        categories: vec![category.to_owned()],
        quantity: quantity.into(),
        ..Line::default()
    };
    let purchase = Activity {
        id: "1".to_owned(),
        kind: "purchase".to_owned(),
        at: now,
        of: None,
        order: Some(Order {
            total: "12.40".parse().unwrap(),
            lines: vec![line("espresso", "coffee", 2), line("house", "beans", 1)],
            ..Order::default()
        }),
        channel: None,
        payment: None,
        fields: Default::default(),
    };
    let decision = {
        let data = DecisionData::default();
        let context = Context::new(&bundle, &data, now);
        decide::earn(&context, &ada, purchase).unwrap()
    };
    let mut answer = String::new();
    for reason in decision.entry.reasons {
        let Effect::Units { wallet, units } = reason.effect else { panic!("{reason:?}") };
        let units = format!("+{units}");
        answer += &format!("{units:>3} {wallet}  {:<24}  {}\n", reason.rule, reason.source);
    }
    assert!(readme.contains(&format!("```text\n{answer}```\n")), "it answers:\n{answer}");
}

#[test]
fn no_path_of_a_request_is_missing() {
    let readme = readme();
    for path in [
        "POST /v1/members`",
        "POST /v1/members/{id}/earn`",
        "POST /v1/members/{id}/redeem`",
        "GET /v1/members/{id}`",
        "GET /v1/members/{id}/entries`",
        "GET /v1/members/{id}/rewards`",
        "GET /v1/contests/{title}`",
    ] {
        assert!(readme.contains(path), "{path}");
    }
}
