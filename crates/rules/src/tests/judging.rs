//! What rules give, cost and ask, and when a tier is lost.

use super::*;

#[test]
fn rules_pay_in_their_order_and_in_whole_units() {
    let check = |earn: &str, expected: &[&str]| assert_eq!(pays(earn), expected, "{earn}");
    check(r#"earn "a" on purchase { order.total }"#, &["a@earn.rhai:1 points 12"]);
    check(r#"earn "a" on purchase { 0.99 }"#, &[]);
    check(r#"earn "a" on purchase { if order.total > 100 { 5 } }"#, &[]);
    check(
        r#"earn "a" on purchase when member.has("regular") && member.days >= 121 { 3 }"#,
        &["a@earn.rhai:1 points 3"],
    );
    check(
        "// A comment.\nearn \"a\" on purchase { 10 }\nearn \"b\" on purchase into stamps { points * 2 }\n\nearn \"c\" on purchase { points }",
        &["a@earn.rhai:2 points 10", "b@earn.rhai:3 stamps 20", "c@earn.rhai:5 points 10"],
    );
    check(
        "fn twice(n) { n * 2 }\nearn \"a\" on purchase into stamps when wallet(\"points\") == 0 { twice(order.quantity(\"espresso\")) }",
        &["a@earn.rhai:2 stamps 4"],
    );
    check(
        r#"earn "lines" on purchase { let sum = 0; for line in order.lines { if line.category == "coffee" { sum += line.quantity; } } sum }"#,
        &["lines@earn.rhai:1 points 2"],
    );
    check(r#"earn "a" on purchase { order.spent("coffee") * 10 }"#, &["a@earn.rhai:1 points 62"]);
    check(r#"earn "a" on review { 5 }"#, &[]);
    check(
        r#"earn "noon" on purchase when now.hour == 9 && now.minute == 30 && now.weekday == "Saturday" { 1 }"#,
        &["noon@earn.rhai:1 points 1"],
    );
}

#[test]
fn rewards_ask_for_tier_order_and_price() {
    let bundle = shop("sunrise-coffee");
    let now = moment("2026-05-02T08:00:00Z");
    let silver = member("Silver", &[("points", 400), ("stamps", 7), ("status", 600)]);
    let offers: Vec<_> = bundle
        .offers(&silver, Some("Silver"), now)
        .into_iter()
        .map(Result::unwrap)
        .map(|offer| (offer.name, offer.missing.get(), offer.eligible))
        .collect();
    assert_eq!(
        offers,
        [
            ("free-coffee".to_owned(), 3, Eligible::Yes),
            ("five-off".to_owned(), 0, Eligible::DependsOnOrder),
            ("cupping-night".to_owned(), 400, Eligible::Yes),
        ]
    );
    let take = |total: Option<&str>| {
        let order = total.map(|total| Order { total: total.parse().unwrap(), lines: Vec::new() });
        let redemption = Redemption { reward: "five-off".to_owned(), units: None, order };
        bundle.redeem(&silver, redemption, &supplies(&bundle), now).err().map(|no| no.to_string())
    };
    assert_eq!(take(Some("20.00")), None);
    assert_eq!(
        take(Some("19.99")).as_deref(),
        Some("reward `five-off` is not for this member now: its condition does not hold")
    );
    assert_eq!(
        take(None).as_deref(),
        Some("reward `five-off` needs the order it is taken with: send `order`")
    );
}

#[test]
fn a_tier_that_asks_for_days_is_lost_on_its_day_whoever_looks_when() {
    let manifest = format!("{MANIFEST}[tiers]\ngrace_days = 30\n");
    let sheet = "tier \"Base\" { true }\ntier \"Active\" { member.days_since_purchase < 90 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    ada.standing.tier = None;
    let at = |text: &str| moment(&format!("{text}T10:00:00Z"));
    let bought = bundle.earn(
        &ada,
        Activity { at: at("2026-01-01"), ..purchase() },
        &supplies(&bundle),
        at("2026-01-01"),
    );
    let ada = bought.unwrap().member;
    assert_eq!(ada.tier(), Some("Active"));
    let tier = |member: &Member, text: &str| {
        bundle.standing(&std::sync::Arc::new(member.clone()), at(text)).unwrap().tier.unwrap()
    };
    // 90 days end on 1 April, and the grace on 1 May.
    let looked_at = bundle.expire(&ada, at("2026-04-02")).unwrap().unwrap().member;
    for member in [&ada, &looked_at] {
        assert_eq!(tier(member, "2026-04-30"), "Active");
        assert_eq!(tier(member, "2026-05-01"), "Base");
        assert_eq!(tier(member, "2026-08-01"), "Base");
    }
    let standing = bundle.standing(&std::sync::Arc::new(ada.clone()), at("2026-01-02")).unwrap();
    let at_risk = bundle.at_risk(&std::sync::Arc::new(ada), &standing, at("2026-01-02"));
    assert_eq!(at_risk.unwrap(), Some(at("2026-05-01")));
}

#[test]
fn a_tier_of_a_wallet_is_lost_when_its_lots_lapse_whoever_looks_when() {
    let manifest = MANIFEST
        .replace("spendable = false", "spendable = false\nexpires = { days = 10 }")
        + "[tiers]\ngrace_days = 30\n";
    let sheet = "earn \"a\" on purchase into status { 500 }\n\
        tier \"Base\" { true }\ntier \"Active\" { wallet(\"status\") >= 500 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    ada.standing.tier = None;
    let ada = earn(&bundle, &ada, purchase()).unwrap().member;
    let tier = |text: &str| {
        let at = moment(&format!("{text}T07:30:00Z"));
        bundle.standing(&std::sync::Arc::new(ada.clone()), at).unwrap().tier.unwrap()
    };
    // Its lot lapses on 12 May, and the grace ends on 11 June; nobody has looked in between.
    assert_eq!(tier("2026-06-10"), "Active");
    assert_eq!(tier("2026-06-11"), "Base");
}

#[test]
fn a_referral_that_the_budget_does_not_afford_pays_nobody() {
    let manifest = format!("{MANIFEST}[activities.referral]\n[campaigns.summer]\nbudget = 100\n");
    let sheet = "earn \"Friend\" on purchase during summer { refer(); 60 }\n\
        earn \"Brought\" on referral { 5 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let bob = Member { id: MemberId::parse("bob").unwrap(), ..member("", &[]) };
    let ada = Member { referred_by: Some(bob.id.clone()), ..member("", &[]) };
    let buy = |left: i64| {
        let pot = ledger::Pot::Budget("summer".to_owned());
        let left = [(pot, Left::all(Units::new(left).unwrap()))].into();
        let referrer = Some((bob.id.clone(), Some(bob.clone())));
        let supplies = Supplies { left, referrer, ..Supplies::default() };
        let now = moment("2026-05-02T08:00:00Z");
        let decision = bundle.earn(&ada, purchase(), &supplies, now).unwrap();
        let brought = decision.referrer.as_ref().map(|brought| lines(brought));
        (decision.entry.because.len(), brought)
    };
    assert_eq!(buy(60), (2, Some(vec!["Brought@earn.rhai:2 points 5".to_owned()])));
    assert_eq!(buy(59), (0, None));
}

#[test]
fn a_task_whose_codes_run_out_stays_done_until_there_are_more() {
    let manifest = format!("{MANIFEST}[pools.SPRING]\n");
    let sheet = "task \"t\" on purchase counting 2 goal 1 { voucher(\"SPRING\"); }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    let mut buy = |codes: &[&str]| {
        let mut supplies = supplies(&bundle);
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        supplies.codes.insert("SPRING".to_owned(), codes);
        let now = moment("2026-05-02T08:00:00Z");
        let decision = bundle.earn(&ada, purchase(), &supplies, now).unwrap();
        ada = decision.member;
        (decision.entry.because.len(), ada.tasks["t"].completed)
    };
    // Two rounds are done each time. One code, none, and then enough for all five that wait.
    assert_eq!(buy(&["A"]), (1, 1));
    assert_eq!(buy(&[]), (0, 1));
    assert_eq!(buy(&["B", "C", "D", "E", "F"]), (5, 6));
}
