//! Tests of messages about mistakes in a manifest or a spec.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each mistake")]
fn a_manifest_says_what_is_wrong_and_where() {
    let check = |from: &str, to: &str, expected: &str| {
        let text = MANIFEST.replace(from, to);
        assert_ne!(text, MANIFEST);
        let found = load(&[("merchant.toml", &text), ("earn.rhai", "")]).err().unwrap_or_default();
        assert_eq!(found, format!("the rules of `test` cannot be used\n  {expected}"));
    };
    check(
        "EUR",
        "EURO",
        "merchant.toml:3:12: `EURO` is not a currency; write its ISO code, such as \"EUR\"",
    );
    check(
        "Europe/Berlin",
        "Europe/Berlim",
        "merchant.toml:4:13: `Europe/Berlim` is not a time zone; did you mean `Europe/Berlin`?",
    );
    check(
        "[activities.review]",
        "[pools]\nSPRING = []\n[activities.review]",
        "merchant.toml:10:10: a table, such as `{ points = 5 }`, is needed here, not a list",
    );
    check(
        "{ stars =",
        "{ \"my stars\" =",
        "merchant.toml:10:12: rules cannot ask for `my stars`; a field's name has a to z, digits and `_`",
    );
    check(
        "[activities.review]",
        "[activities.\"\"]",
        "merchant.toml:9:13: the name of an activity has 1 to 64 characters",
    );
    check("\"Test\"", "\" \"", "merchant.toml:2:8: the programme has no name; customers see it");
    check(
        "[activities.review]",
        "[activities.review]\ncurrency = \"EUR\"",
        "merchant.toml:10:1: there is no `currency` here; write it above the first line in square brackets",
    );
    check(
        "spendable = false",
        "expires = \"12 months\"",
        "merchant.toml:8:11: when units expire, such as `{ months = 12, end_of = \"month\" }`, is needed here, not the text \"12 months\"",
    );
    check(
        "[wallets.points]",
        "[wallets.pionts]",
        "merchant.toml:1:1: there is no wallet `points`, and rules without `into` pay into it: list it under [wallets.points], or name another in `main_wallet`; did you mean `pionts`?",
    );
    check(
        "spendable",
        "spendabel",
        "merchant.toml:8:1: there is no `spendabel` here; did you mean `spendable`?",
    );
    check(
        "spendable = false",
        "spendable = \"no\"",
        "merchant.toml:8:13: true or false, without quotes, is needed here, not the text \"no\"",
    );
    check(
        "spendable = false",
        "expires = { days = 3, months = 1 }",
        "merchant.toml:8:11: `expires` of `status`: is one of `{ days = 90 }`, `{ months = 12 }`, `{ months = 12, end_of = \"month\" }`, `{ years = 1, end_of = \"year\" }`, `{ inactive_months = 12 }`, `{ inactive_days = 90 }`",
    );
    check(
        "spendable = false",
        "expires = { months = 12, end_of = \"quarter\" }",
        "merchant.toml:8:11: `expires` of `status`: `end_of = \"quarter\"`: there is `{ months = 12, end_of = \"month\" }` and `{ years = 1, end_of = \"year\" }`",
    );
    check(
        "spendable = false",
        "worth = \"0.0000001\"",
        "merchant.toml:8:9: `0.0000001` is not what a unit is worth; write an amount such as \"0.01\", up to 1000000 and with up to 6 decimals",
    );
    check(
        "spendable = false",
        "worth = \"cheap\"",
        "merchant.toml:8:9: `cheap` is not what a unit is worth; write an amount such as \"0.01\", up to 1000000 and with up to 6 decimals",
    );
    check(
        "stars = \"integer\"",
        "stars = \"number\"",
        "merchant.toml:10:20: there is no `number` here; there is `integer`, `amount`, `text`, `flag`",
    );
    check("name = \"Test\"", "name = ", "merchant.toml:2:8: a text stands in double quotes");
    for share in ["3", "-3 %", "three %", "1001 %"] {
        check(
            "[activities.review]",
            &format!("[gate]\nlosers_max = \"{share}\"\n[activities.review]"),
            &format!(
                "merchant.toml:10:14: `{share}` is not a share from 0 % to 1000 %; write it such as \"3 %\" or \"2.5 %\""
            ),
        );
    }
    check(
        "[activities.review]",
        "[gate]\nlooser_max = \"3 %\"\n[activities.review]",
        "merchant.toml:10:1: there is no `looser_max` here; did you mean `losers_max`?",
    );
    check(
        "[activities.review]",
        "[gate]\ncost_increase_max = 3\n[activities.review]",
        "merchant.toml:10:21: a text in quotes is needed here, not the number `3`: write \"3\"",
    );
    for zone in ["+02:00", "CET"] {
        check(
            "Europe/Berlin",
            zone,
            &format!(
                "merchant.toml:4:13: `{zone}` is not a time zone; name a place, such as `Europe/Berlin`"
            ),
        );
    }
    check(
        "spendable = false",
        "worth = 0.01",
        "merchant.toml:8:9: a text in quotes is needed here, not the number `0.01`: write \"0.01\"",
    );
    check(
        "currency = \"EUR\"",
        "currency: \"EUR\"",
        "merchant.toml:3:11: a key and its value are joined by `=`, as in `currency = \"EUR\"`",
    );
    check(
        "[wallets.stamps]",
        "[wallets.free stamps]",
        "merchant.toml:6:14: a line in square brackets ends with `]`, and each name in it is one word: `[wallets.free-stamps]`; that of a store, a campaign or a pool may stand in quotes: `[stores.\"main street\"]`",
    );
    check(
        "[activities.review]",
        "[campaigns.x]\nfrom = 01.06.2026\n[activities.review]",
        "merchant.toml:10:8: a number does not begin with 0; a day is written such as 2026-06-01",
    );
    check(
        "[activities.review]",
        "[campaigns.x]\nbudget = 100.000\n[activities.review]",
        "merchant.toml:10:10: a whole number without quotes is needed here, not the number `100.0`; a thousand is written `1_000`",
    );
}

#[test]
fn a_bundle_is_whole_or_not_there() {
    let found = load(&[("earn.rhai", "")]).err().unwrap_or_default();
    assert_eq!(found, "the rules of `test` cannot be used\n  merchant.toml: is missing");
    let found = load(&[("merchant.toml", MANIFEST)]).err().unwrap_or_default();
    assert_eq!(
        found,
        "the rules of `test` cannot be used\n  there is no sheet; write one, such as earn.rhai"
    );
    // The mistakes of all sheets are reported together.
    let found = load(&[
        ("merchant.toml", MANIFEST),
        ("earn.rhai", "earn"),
        ("tiers.rhai", r#"tier "a" { wallet("x") > 1 }"#),
        ("rewards.rhai", r#"reward "r" costs 5 status { product("p") }"#),
    ]);
    assert_eq!(
        found.err().unwrap_or_default(),
        "the rules of `test` cannot be used\
         \n  earn.rhai:1:5: a title in double quotes is missing\
         \n  rewards.rhai:1:20: wallet `status` only counts; nothing can be paid from it\
         \n  tiers.rhai:1:19: there is no wallet `x` in the manifest; there are `points`, `stamps`, `status`, and another is listed as [wallets.x]"
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each mistake")]
fn a_mistake_in_a_spec_is_reported_at_its_value() {
    let check = |spec: &str, expected: &str| {
        let files = [
            ("merchant.toml", MANIFEST),
            (
                "earn.rhai",
                "tier \"Silver\" { true }\nearn \"a\" on purchase { 1 }\nreward \"cup\" costs 1 { product(\"A cup\") }",
            ),
            ("earn.spec.toml", spec),
        ];
        let sources = Sources::of(files);
        let bundle = Bundle::load(&MerchantId::parse("test").unwrap(), &sources).unwrap();
        let mistakes = run_specs(&bundle, &sources).err().unwrap_or_default();
        let found: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(found, [expected], "{spec}");
    };
    let order = |total: &str| {
        format!(
            "[[spec]]\nit = \"x\"\nactivity = {{ type = \"purchase\", at = \"2026-05-02T09:30:00+02:00\", order = {{ total = \"{total}\" }} }}\n"
        )
    };
    check(
        &(order("12,40") + "pays = {}"),
        "earn.spec.toml:3:77: `/order/total`: `12,40` is not an amount; write digits and a point, such as \"12.40\"",
    );
    check(
        &(order("1") + "pays = { pionts = 1 }"),
        "earn.spec.toml:4:10: there is no wallet `pionts` in the manifest; did you mean `points`?",
    );
    check(
        &(order("1") + "because = \"a\""),
        "earn.spec.toml:4:11: a list, such as [\"a\", \"b\"], is needed here, not the text \"a\"",
    );
    for time in ["\"2026-05-02T09:30:00\"", "2026-05-02T09:30:00"] {
        let wanted = "a time with its offset, such as \"2026-05-02T09:30:00+02:00\", is needed here, not the text \"2026-05-02T09:30:00\"";
        check(
            &format!("[[spec]]\nit = \"x\"\nat = {time}\nactivity = {{ type = \"purchase\" }}"),
            &format!("earn.spec.toml:3:6: {wanted}"),
        );
        check(
            &format!("[[spec]]\nit = \"x\"\nactivity = {{ type = \"purchase\", at = {time} }}"),
            &format!("earn.spec.toml:3:12: `at`: {wanted}"),
        );
    }
    let redeem = "[[spec]]\nit = \"x\"\nat = \"2026-05-02T09:30:00+02:00\"\n";
    check(
        &format!("{redeem}redeem = {{ reward = \"cupp\" }}\nrefused = \"\""),
        "earn.spec.toml:4:21: there is no reward `cupp`; did you mean `cup`?",
    );
    check(
        &format!("{redeem}rewards = [\"cup\", \"mug\"]"),
        "earn.spec.toml:4:19: there is no reward `mug`",
    );
    check(
        &format!("{redeem}gives = {{ kind = \"produkt\", title = \"A cup\" }}"),
        "earn.spec.toml:4:9: `gives`: there is no `produkt` here; did you mean `product`?",
    );
    check(
        &format!("{redeem}gives = {{ kind = \"discount\", amount = 5.0 }}"),
        "earn.spec.toml:4:9: `gives`: a text in quotes is needed here, not the number `5.0`",
    );
    check(
        &format!("{redeem}tier = \"Sliver\""),
        "earn.spec.toml:4:8: there is no tier `Sliver`; did you mean `Silver`?",
    );
    check(
        &format!("{redeem}grants = [\"Club\"]"),
        "earn.spec.toml:4:11: no rule gives a grant `Club`",
    );
    check(
        &format!(
            "{redeem}pays = {{}}\nmember = {{ attributes = {{ birthday = \"31.05.1990\" }} }}"
        ),
        "earn.spec.toml:2:6: `birthday` is written such as \"1990-05-31\", not \"31.05.1990\"",
    );
    check(
        &format!("{redeem}scores = {{ Cups = 1 }}"),
        "earn.spec.toml:4:12: there is no contest `Cups`",
    );
    check(
        &format!("{redeem}benefits = [\"Birthday\"]"),
        "earn.spec.toml:4:13: there is no benefit `Birthday`",
    );
    check(
        &format!("{redeem}tasks = {{ Cups = \"1 of 2\" }}"),
        "earn.spec.toml:4:11: there is no task `Cups`",
    );
    check(
        &format!("{redeem}pays = {{}}\npools = {{ SPRING = [] }}"),
        "earn.spec.toml:5:11: there is no pool `SPRING`",
    );
    check(
        &format!("{redeem}pays = {{}}\nstock = {{ cup = 1 }}"),
        "earn.spec.toml:5:11: the rules do not limit the stock of `cup`",
    );
    check(
        "[[spec]]\nit = \"x\"\npays = { points = 1 }",
        "earn.spec.toml:2:6: it says no time: write `at`",
    );
}
