//! What a trial has changed.

use std::fmt::Write;

use ledger::programme::Arm;
use ledger::{MemberId, MerchantId};
use rules::{Bundle, Sources, arm};

use super::{orders, regulars};

const MANIFEST: &str = "name = \"CDs\"\ncurrency = \"USD\"\ntime_zone = \"UTC\"\n[wallets.points]\n\
    [trials.twice]\nfrom = 1997-10-01\nuntil = 1998-06-30\nshare = \"50 %\"\nholdout = \"50 %\"\n";
const RULES: &str = "earn \"Points\" on purchase { order.total }\n\
    earn \"Points, twice\" on purchase when member.in_trial(\"twice\") { order.total }\n";
const SPECS: &str = "[[spec]]\nit = \"pays who takes part twice\"\nmember = { trials = [\"twice\"] }\n\
    at = \"1997-12-01T12:00:00Z\"\nactivity = { type = \"purchase\", order = { total = \"10.00\" } }\n\
    pays = { points = 20 }\n\
    [[spec]]\nit = \"pays the others once\"\nat = \"1997-12-01T12:00:00Z\"\n\
    activity = { type = \"purchase\", order = { total = \"10.00\" } }\npays = { points = 10 }\n";

/// A shop with a trial.
struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn open() -> Shop {
        let shop = Shop { folder: tempfile::tempdir().unwrap() };
        shop.write("rules/cds/merchant.toml", MANIFEST);
        shop.write("rules/cds/earn.rhai", RULES);
        shop.write("rules/cds/earn.spec.toml", SPECS);
        shop
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Whether a command in the folder of the shop succeeds, and what it says.
    fn says(&self, line: &str) -> (bool, String) {
        let mut command = regulars(line.split(' '));
        let done = command.current_dir(self.folder.path()).env("RUST_LOG", "off").output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.success(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
    }

    fn does(&self, line: &str) -> String {
        let (done, said) = self.says(line);
        assert!(done, "{line}: {said}");
        said
    }
}

#[test]
fn specs_say_who_takes_part_in_a_trial() {
    let shop = Shop::open();
    shop.does("test rules/cds");
    shop.write("rules/cds/earn.spec.toml", &SPECS.replace("[\"twice\"]", "[\"twic\"]"));
    let (done, said) = shop.says("test rules/cds");
    assert!(!done && said.contains("there is no trial `twic`"), "{said}");
    assert!(said.contains("did you mean `twice`?"), "{said}");
    // In a trial of all members, nobody is in none.
    shop.write("rules/cds/earn.spec.toml", SPECS);
    let all = MANIFEST.replace("share = \"50 %\"", "share = \"100 %\"");
    shop.write("rules/cds/merchant.toml", &all.replace("holdout = \"50 %\"", "holdout = \"0 %\""));
    let (done, said) = shop.says("check rules/cds");
    assert!(!done && said.contains("`0 %` is not a share of the members"), "{said}");
    let most = MANIFEST.replace("share = \"50 %\"", "share = \"99.99 %\"");
    let most = most.replace("holdout = \"50 %\"", "holdout = \"0.01 %\"");
    shop.write("rules/cds/merchant.toml", &most);
    shop.does("test rules/cds");
}

#[test]
fn real_customers_to_whom_nothing_was_done_show_no_difference() {
    let shop = Shop::open();
    let orders = orders();
    shop.does(&format!("history --merchant cds --orders {} past", orders.display()));
    let page = shop.does("lift rules/cds twice --against past");
    assert!(page.starts_with("Trial `twice`, 1997-10-01 to 1998-06-30.\n"), "{page}");
    for measure in ["revenue: ", "orders: "] {
        let line = page.lines().find(|line| line.starts_with(measure)).unwrap();
        assert!(line.contains("; that may be chance: between "), "{line}");
    }
    assert!(page.contains("├") && page.contains("●") && !page.contains("warning"), "{page}");
    let json: serde_json::Value =
        serde_json::from_str(&shop.does("lift rules/cds twice --against past --json")).unwrap();
    let members = |arm: &str| json["members"][arm].as_u64().unwrap();
    assert_eq!(members("take_part") + members("holdout"), 2357);
    let looks = json["measures"][0]["looks"].as_array().unwrap();
    assert!(looks.len() > 200 && looks.iter().all(|look| look["is_real"] == false));
    shop.does("lift rules/cds twice --against past --html page.html");
    let page = std::fs::read_to_string(shop.folder.path().join("page.html")).unwrap();
    assert!(page.contains("class=\"interval\"") && !page.contains("http"), "{page}");
}

#[test]
fn what_a_trial_has_changed_is_found_and_what_may_be_wrong_with_it_is_said() {
    let shop = Shop::open();
    let merchant = MerchantId::parse("cds").unwrap();
    let sources = Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", RULES)]);
    let bundle = Bundle::load(&merchant, &sources).unwrap();
    // All of those who take part spend 8 more; of the holdout, only one in three is a customer.
    let mut orders = "order,member,at,total\n".to_owned();
    for number in 0..600 {
        let name = format!("member-{number}");
        let own = arm(bundle.programme(), "twice", &MemberId::parse(&name).unwrap());
        let more = match own.unwrap() {
            Arm::Part => 8,
            Arm::Holdout if number % 3 == 0 => 0,
            Arm::Holdout => continue,
        };
        let (before, total) = (10 + number % 7, 10 + number % 7 + number % 5 + more);
        writeln!(orders, "a{number},{name},1997-09-01T10:00:00Z,{before}.00").unwrap();
        writeln!(orders, "b{number},{name},1997-11-01T10:00:00Z,{total}.00").unwrap();
    }
    shop.write("orders.csv", &orders);
    shop.does("history --merchant cds --orders orders.csv past");
    let page = shop.does("lift rules/cds twice --against past");
    assert!(
        page.starts_with(
            "Trial `twice`, 1997-10-01 to 1998-06-30, as it was at the end of 1997-11-01.\n"
        ),
        "{page}"
    );
    let revenue = page.lines().find(|line| line.starts_with("revenue: ")).unwrap();
    assert!(revenue.contains(" more ") && revenue.contains("; that is not chance: "), "{revenue}");
    assert!(
        page.contains(
            "warning: chance splits members so unevenly in less than one of a thousand trials"
        ),
        "{page}"
    );

    for (line, reason) in [
        (
            "lift rules/cds twic --against past",
            "there is no trial `twic` in the manifest; did you mean `twice`?",
        ),
        ("lift rules/cds twice --against pas", "there is no history in `pas`"),
    ] {
        let (done, said) = shop.says(line);
        assert!(!done && said.contains(reason), "{said}");
    }
    let later = MANIFEST.replace("1997-10-01", "1998-01-01");
    shop.write("rules/cds/merchant.toml", &later);
    let (done, said) = shop.says("lift rules/cds twice --against past");
    let reason = "trial `twice` begins on 1998-01-01, and the history ends on 1997-11-01";
    assert!(!done && said.contains(reason), "{said}");
    // A trial of few: too few have bought anything.
    let few = MANIFEST.replace("\"50 %\"", "\"5 %\"");
    shop.write("rules/cds/merchant.toml", &few);
    let page = shop.does("lift rules/cds twice --against past");
    assert!(
        page.contains("revenue: too few members have bought anything to compare them."),
        "{page}"
    );
}
