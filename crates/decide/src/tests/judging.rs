//! Tests of what rules give and cost, and of when a tier is lost.

use ledger::HistorySlice;

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
    let offers: Vec<_> = offers(&bundle, &silver, Some("Silver"), now)
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
        let order = total.map(|total| Order { total: total.parse().unwrap(), ..Order::default() });
        let redemption = Redemption { reward: "five-off".to_owned(), units: None, order };
        redeem(&context(&bundle, &data(&bundle), now), &silver, redemption, None)
            .err()
            .map(|no| no.to_string())
    };
    assert_eq!(take(Some("20.00")), None);
    assert_eq!(
        take(Some("19.99")).as_deref(),
        Some(
            "reward `five-off` is not for this member now: its condition does not hold; `order.total` is 19.99"
        )
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
    ada.tier_status.tier = None;
    let at = |text: &str| moment(&format!("{text}T10:00:00Z"));
    let data = data(&bundle);
    let bought = earn(
        &context(&bundle, &data, at("2026-01-01")),
        &ada,
        Activity { at: at("2026-01-01"), ..purchase() },
    );
    let ada = bought.unwrap().member;
    assert_eq!(ada.tier(), Some("Active"));
    let tier = |member: &Member, text: &str| {
        tier_status(&bundle, &std::sync::Arc::new(member.clone()), at(text)).unwrap().tier.unwrap()
    };
    // The 90 days end on 1 April, and the grace period ends on 1 May.
    let looked_at = expire(&context(&bundle, &DecisionData::default(), at("2026-04-02")), &ada)
        .unwrap()
        .unwrap()
        .member;
    for member in [&ada, &looked_at] {
        assert_eq!(tier(member, "2026-04-30"), "Active");
        assert_eq!(tier(member, "2026-05-01"), "Base");
        assert_eq!(tier(member, "2026-08-01"), "Base");
    }
    let tier_status =
        tier_status(&bundle, &std::sync::Arc::new(ada.clone()), at("2026-01-02")).unwrap();
    let ahead =
        ahead(&bundle, &std::sync::Arc::new(ada), &tier_status, at("2026-01-02"), Until::Loss);
    assert_eq!(ahead.unwrap().lost_at, Some(at("2026-05-01")));
}

#[test]
fn a_tier_of_a_wallet_is_lost_when_its_lots_expire_whoever_looks_when() {
    let manifest = MANIFEST
        .replace("spendable = false", "spendable = false\nexpires = { days = 10 }")
        + "[tiers]\ngrace_days = 30\n";
    let sheet = "earn \"a\" on purchase into status { 500 }\n\
        tier \"Base\" { true }\ntier \"Active\" { wallet(\"status\") >= 500 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let mut ada = member("", &[]);
    ada.tier_status.tier = None;
    let ada = earn_now(&bundle, &ada, purchase()).unwrap().member;
    let tier = |text: &str| {
        let at = moment(&format!("{text}T07:30:00Z"));
        tier_status(&bundle, &std::sync::Arc::new(ada.clone()), at).unwrap().tier.unwrap()
    };
    // The lot expires on 12 May, and the grace period ends on 11 June. No entry is in between.
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
        let limit = ledger::SharedLimit::Budget("summer".to_owned());
        let left = [(limit, Remaining::all(Units::new(left).unwrap()))].into();
        let members = [(bob.id.clone(), Some(bob.clone()))].into();
        let data = DecisionData { left, members, ..DecisionData::default() };
        let now = moment("2026-05-02T08:00:00Z");
        let decision = earn(&context(&bundle, &data, now), &ada, purchase()).unwrap();
        let brought = decision.others.first().map(lines);
        (decision.entry.reasons.len(), brought)
    };
    assert_eq!(buy(60), (2, Some(vec!["Brought@earn.rhai:2 points 5".to_owned()])));
    assert_eq!(buy(59), (0, None));
}

/// A bundle of one sheet with pools `P` and `Q`, referrals, and a campaign `summer` with a budget.
fn with_all(sheet: &str) -> Result<Bundle, String> {
    let shared = "[activities.referral]\n[pools.P]\n[pools.Q]\n[campaigns.summer]\nbudget = 100\n";
    let manifest = format!("{MANIFEST}{shared}");
    load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)])
}

fn codes(all: &[(&str, &[&str])]) -> BTreeMap<String, Codes> {
    let owned = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    all.iter().map(|(pool, all)| ((*pool).to_owned(), Codes::all(owned(all)))).collect()
}

#[test]
fn a_friend_and_the_referrer_ask_for_as_much_as_they_take_together() {
    let sheet = "earn \"Friend\" on purchase during summer { refer(); voucher(\"P\"); 6 }\n\
        earn \"Brought\" on referral during summer { voucher(\"P\"); 6 }";
    let bundle = with_all(sheet).unwrap();
    let bob = Member { id: MemberId::parse("bob").unwrap(), ..member("", &[]) };
    let ada = Member { referred_by: Some(bob.id.clone()), ..member("", &[]) };
    let buy = |left: Remaining, codes: Codes| {
        let limit = ledger::SharedLimit::Budget("summer".to_owned());
        let data = DecisionData {
            left: [(limit, left)].into(),
            codes: [("P".to_owned(), codes)].into(),
            members: [(bob.id.clone(), Some(bob.clone()))].into(),
            ..DecisionData::default()
        };
        earn(&context(&bundle, &data, moment("2026-05-02T08:00:00Z")), &ada, purchase())
    };
    let units = |units| Units::new(units).unwrap();
    let both = Codes::all(vec!["A".to_owned(), "B".to_owned()]);
    let some = Remaining { units: units(10), is_all: false };
    let limit = ledger::SharedLimit::Budget("summer".to_owned());
    let missing = ledger::MissingData::Remaining { limit, units: units(12) };
    assert_eq!(buy(some, both.clone()), Err(Undecided::NeedsData(missing)));
    let one = Codes { codes: vec!["A".to_owned()], is_all: false };
    let missing = ledger::MissingData::Codes { pool: "P".to_owned(), codes: 2 };
    assert_eq!(buy(Remaining::all(units(12)), one), Err(Undecided::NeedsData(missing)));
    let decision = buy(Remaining::all(units(12)), both).unwrap();
    let brought = &decision.others[0];
    assert_eq!(brought.entry.withdrawals, decision.entry.withdrawals);
    assert_eq!(
        lines(brought),
        [
            "Brought@earn.rhai:2 points 6",
            "Brought@earn.rhai:2 Voucher { pool: \"P\", code: \"B\", again: false }"
        ]
    );
}

#[test]
fn what_a_rule_took_that_gives_nothing_is_there_for_the_next() {
    let sheet = "earn \"Both\" on purchase { voucher(\"P\"); voucher(\"Q\"); }\n\
        earn \"Dear\" on purchase during summer { voucher(\"P\"); 101 }\n\
        earn \"One\" on purchase { voucher(\"P\"); }";
    let bundle = with_all(sheet).unwrap();
    let data = DecisionData { codes: codes(&[("P", &["A"]), ("Q", &[])]), ..data(&bundle) };
    let decision = earn(
        &context(&bundle, &data, moment("2026-05-02T08:00:00Z")),
        &member("", &[]),
        purchase(),
    );
    assert_eq!(
        lines(&decision.unwrap()),
        ["One@earn.rhai:3 Voucher { pool: \"P\", code: \"A\", again: false }"]
    );
}

#[test]
fn a_budget_is_drawn_by_units_of_its_own_wallet_only() {
    let sheet = "earn \"S\" on purchase during summer { let w = \"stamps\"; award(50, w); }";
    let bundle = with_all(sheet).unwrap();
    let decision = earn_now(&bundle, &member("", &[]), purchase()).unwrap();
    let failures = failures(&decision);
    assert!(failures[0].contains("budget of points"), "{failures:?}");
    assert!(decision.entry.withdrawals.is_empty());
}

#[test]
fn a_gift_in_an_earn_fails_by_way_of_a_function_too() {
    let bundle = bundle("fn g() { product(\"Mug\") }\nearn \"a\" on purchase { g() }").unwrap();
    let failures = failures(&earn_now(&bundle, &member("", &[]), purchase()).unwrap());
    assert!(failures[0].contains("pays a number of units, not a gift"), "{failures:?}");
}

#[test]
fn a_streak_whose_codes_had_run_out_is_paid_when_there_are_some() {
    let bundle = with_all("task \"t\" on purchase streak 2 months { voucher(\"P\"); }").unwrap();
    let mut ada = member("", &[]);
    let mut buy = |at: &str, all: &[&str]| {
        let data = DecisionData { codes: codes(&[("P", all)]), ..data(&bundle) };
        let at = moment(at);
        let decision =
            earn(&context(&bundle, &data, at), &ada, Activity { at, ..purchase() }).unwrap();
        ada = decision.member;
        (decision.entry.reasons.len(), ada.tasks["t"].completed, ada.tasks["t"].owed)
    };
    assert_eq!(buy("2026-05-02T08:00:00Z", &[]), (0, 0, 0));
    assert_eq!(buy("2026-06-02T08:00:00Z", &[]), (0, 1, 1));
    // A month without a purchase breaks the streak. Owed rounds stay owed.
    assert_eq!(buy("2026-08-02T08:00:00Z", &["A"]), (1, 1, 0));
    assert_eq!(buy("2026-09-02T08:00:00Z", &["B"]), (1, 2, 0));
}

#[test]
fn a_tier_is_looked_at_day_by_day_through_a_function_too() {
    let manifest = MANIFEST.to_owned() + "[tiers]\ngrace_days = 30\n";
    let sheet = "fn active(m) { m.days_since_purchase <= 90 }\ntier \"Active\" { active(member) }\n\
        earn \"a\" on purchase { 1 }";
    let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", sheet)]).unwrap();
    let buys = moment("2026-01-02T08:00:00Z");
    let data = data(&bundle);
    let bought =
        earn(&context(&bundle, &data, buys), &member("", &[]), Activity { at: buys, ..purchase() });
    let ada = std::sync::Arc::new(bought.unwrap().member);
    let tier = |at: &str| tier_status(&bundle, &ada, moment(at)).unwrap().tier;
    assert_eq!(tier("2026-05-03T07:59:59Z").as_deref(), Some("Active"));
    assert_eq!(tier("2026-05-03T08:00:00Z"), None);
}

#[test]
fn a_part_of_a_condition_that_guards_another_is_not_asked_alone() {
    let sheet = "fn average(m) { m.spend / m.purchases }\n\
        tier \"Gold\" { member.purchases > 0 && average(member) >= 20.00 }\n\
        earn \"a\" on purchase { 1 }";
    let bundle = bundle(sheet).unwrap();
    let next = next_tier(&bundle, &member("", &[]), None, moment("2026-05-02T08:00:00Z"));
    let needs: Vec<String> = next.unwrap().needs.into_iter().map(|need| need.fact).collect();
    assert_eq!(needs, ["member.purchases"]);
}

#[test]
fn a_task_whose_codes_run_out_stays_done_until_there_are_more() {
    let bundle = with_all("task \"t\" on purchase counting 2 goal 1 { voucher(\"P\"); }").unwrap();
    let mut ada = member("", &[]);
    let mut buy = |all: &[&str]| {
        let data = DecisionData { codes: codes(&[("P", all)]), ..data(&bundle) };
        let now = moment("2026-05-02T08:00:00Z");
        let decision = earn(&context(&bundle, &data, now), &ada, purchase()).unwrap();
        ada = decision.member;
        (decision.entry.reasons.len(), ada.tasks["t"].completed, ada.tasks["t"].owed)
    };
    // Each purchase completes two rounds. There is one code, then none, and then more than one
    // activity may give.
    assert_eq!(buy(&["A"]), (1, 2, 1));
    assert_eq!(buy(&[]), (0, 4, 3));
    assert_eq!(buy(&[]), (0, 6, 5));
    assert_eq!(buy(&["B", "C", "D", "E", "F", "G", "H", "I"]), (5, 8, 2));
    assert_eq!(buy(&["G", "H", "I", "J"]), (4, 10, 0));
}

#[test]
fn a_round_of_two_codes_waits_whole_and_a_cap_does_not_wipe_what_is_owed() {
    let sheet =
        "task \"t\" on purchase goal 1 at most 4 per month { voucher(\"P\"); voucher(\"Q\"); }";
    let bundle = with_all(sheet).unwrap();
    let mut ada = member("", &[]);
    let (entries, rules) = (Vec::new(), Vec::new());
    let mut slice = HistorySlice { before: ada.clone(), entries, rules };
    let mut buy = |at: &str, all: &[&str]| {
        let slices = [(ada.id.clone(), slice.clone())].into();
        let codes = codes(&[("P", all), ("Q", all)]);
        let data = DecisionData { codes, slices, ..data(&bundle) };
        let at = moment(at);
        let now = at.max(moment("2026-06-05T08:00:00Z"));
        let decision =
            earn(&context(&bundle, &data, now), &ada, Activity { at, ..purchase() }).unwrap();
        let paid = decision.entry.reasons.len();
        slice.entries.push(decision.entry);
        slice.rules.push(bundle.hash().to_string());
        ada = decision.member;
        (paid, ada.tasks["t"].owed)
    };
    assert_eq!(buy("2026-05-30T08:00:00Z", &["A", "B"]), (2, 0));
    assert_eq!(buy("2026-05-30T09:00:00Z", &["A", "B"]), (2, 0));
    assert_eq!(buy("2026-05-30T10:00:00Z", &["A", "B"]), (2, 0));
    for owed in 1..=4 {
        assert_eq!(buy("2026-06-01T08:00:00Z", &[]), (0, owed));
    }
    // This purchase arrives late: the cap of May has room for one more round, which is paid. Those of
    // June stay owed.
    assert_eq!(buy("2026-05-31T08:00:00Z", &["A", "B"]), (2, 4));
    // Four rounds are due now, and five codes are enough for two of them.
    assert_eq!(buy("2026-06-02T08:00:00Z", &["A", "B", "C", "D"]), (4, 2));
}

#[test]
fn a_rule_is_on_the_days_that_it_and_its_campaign_have_in_common() {
    let rule = "earn \"a\" on purchase during summer from 2026-04-01 until 2026-05-03 { 1 }";
    let pays = |days: &str| {
        let manifest = format!("{MANIFEST}[campaigns.summer]\n{days}\n");
        let bundle = load(&[("merchant.toml", &manifest), ("earn.rhai", rule)]).unwrap();
        lines(&earn_now(&bundle, &member("", &[]), purchase()).unwrap()).len()
    };
    // The purchase is on 2 May.
    assert_eq!(pays("from = 2026-05-02\nuntil = 2026-05-02"), 1);
    assert_eq!(pays("until = 2026-05-01"), 0);
    assert_eq!(pays("from = 2026-05-03"), 0);
    assert_eq!(pays(""), 1);
}

#[test]
fn a_rule_that_pays_no_points_asks_nothing_of_a_budget() {
    let bundle = with_all("earn \"a\" on purchase during summer { tag(\"came\"); }").unwrap();
    let now = moment("2026-05-02T08:00:00Z");
    let decision =
        earn(&context(&bundle, &DecisionData::default(), now), &member("", &[]), purchase())
            .unwrap();
    assert_eq!(decision.entry.withdrawals, []);
}
