//! A test with hostile sheets: whatever a sheet tries, it ends within its time and memory, and the
//! process continues. The sheets are in `hostile/`; the first line of most says what they try. This
//! file generates the large ones.
//!
//! The allocator counts the memory. The time is the thread's CPU time, so that a busy machine does
//! not matter. Only release builds check it: `cargo test --release -p decide --test hostile`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should say so"
)]

use std::path::Path;
use std::time::Duration;

use cpu_time::ThreadTime;
use decide::{Context, Redemption};
use ledger::enroll::{self, Enrolment};
use ledger::{
    Activity, Codes, DecisionData, Line, Lot, Member, MemberId, MerchantId, Moment, Order,
    Remaining, Terms, Units, Wallet, WalletName,
};
use peak_alloc::PeakAlloc;
use rules::{Bundle, Sources};

const TIME_MAX: Duration = Duration::from_millis(50);
const MEMORY_MAX: usize = 16 * 1024 * 1024;
/// The bytes of stack of a thread of the server.
const STACK: usize = 2 * 1024 * 1024;

/// An allocator that counts the allocated bytes, and their peak since it was last reset.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MANIFEST: &str = include_str!("hostile.toml");

/// The cost of one operation on a sheet, and its outcome.
#[derive(Debug)]
struct Cost {
    name: String,
    time: Duration,
    memory: usize,
    outcome: &'static str,
}

fn measure<T>(name: &str, outcome: &'static str, run: impl FnOnce() -> T) -> (T, Cost) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let started = ThreadTime::now();
    let result = run();
    let time = started.elapsed();
    let memory = ALLOCATOR.peak_usage().saturating_sub(before);
    (result, Cost { name: name.to_owned(), time, memory, outcome })
}

fn moment() -> Moment {
    "2026-05-02T07:30:00Z".parse().unwrap()
}

/// A member with attributes, tags, a referrer and units in every wallet.
fn member() -> Member {
    let enrolment = Enrolment {
        id: MemberId::parse("mallory").unwrap(),
        attributes: [("city".to_owned(), "Oslo".to_owned())].into(),
        tags: ["regular".to_owned()].into(),
        referred_by: Some(MemberId::parse("trudy").unwrap()),
    };
    // The member has had no entry for years, so a tier that reads `days` is evaluated for each day.
    let mut member = enroll::decide(enrolment, "2020-01-01T00:00:00Z".parse().unwrap());
    member.history.last_purchase_at = Some("2020-03-01T13:00:00Z".parse().unwrap());
    let lot = |units| Lot { units: Units::new(units).unwrap(), terms: Terms::default() };
    for (wallet, units) in [("points", 10_000), ("stamps", 20), ("status", 500)] {
        let name = WalletName::parse(wallet).unwrap();
        member.wallets.insert(name, Wallet::of([lot(units)], Units::ZERO).unwrap());
    }
    member
}

/// A purchase with the most lines that the API accepts.
fn purchase() -> Activity {
    let line = |number: usize| Line {
        id: Some(format!("line-{number}")),
        sku: Some(format!("sku-{number}")),
        categories: vec![format!("category-{}", number % 20), "all".to_owned()],
        tags: vec!["organic".to_owned(), format!("tag-{}", number % 50)],
        quantity: "3".parse().unwrap(),
        price: Some("9.99".parse().unwrap()),
        attributes: [("brand".to_owned(), format!("brand-{}", number % 10))].into(),
        ..Line::default()
    };
    Activity {
        id: "1".to_owned(),
        kind: "purchase".to_owned(),
        at: moment(),
        of: None,
        order: Some(Order {
            // Less than its lines, so that it is spread over them.
            total: "14000.00".parse().unwrap(),
            lines: (0..500).map(line).collect(),
            ..Order::default()
        }),
        channel: Some("web".to_owned()),
        payment: Some("card".to_owned()),
        fields: [].into(),
    }
}

/// Loads a sheet, and runs every operation of a server on it.
fn play(name: &str, sheet: &str) -> Vec<Cost> {
    let merchant = MerchantId::parse("hostile").unwrap();
    let sources = Sources::of([("merchant.toml", MANIFEST), ("earn.rhai", sheet)]);
    let (bundle, mut cost) = measure(name, "refused", || Bundle::load(&merchant, &sources));
    let bundle = match bundle {
        Ok(bundle) => bundle,
        Err(rejection) => {
            assert!(!rejection.mistakes.is_empty(), "{name}: refused without a word");
            assert!(rejection.to_string().len() < 200_000, "{name}: refused with too many words");
            return vec![cost];
        }
    };
    cost.outcome = "read";
    let mut costs = vec![cost];
    let (member, now) = (member(), moment());
    let left = bundle
        .shared_limits()
        .into_iter()
        .map(|(limit, units)| (limit, Remaining::all(units)))
        .collect();
    let codes = Codes::all((0..10).map(|number| number.to_string()).collect());
    let codes = [("SPRING".to_owned(), codes)].into();
    let friend = MemberId::parse("trudy").unwrap();
    let members = [(friend.clone(), Some(Member { id: friend, ..member.clone() }))].into();
    let data = DecisionData { left, codes, members, ..DecisionData::default() };
    let context = Context::new(&bundle, &data, now);
    let activity = purchase();
    let (earned, mut cost) =
        measure(name, "paid", || decide::earn(&context, &member, activity.clone()));
    if earned.is_err() {
        cost.outcome = "failed";
    }
    costs.push(cost);
    let (_, cost) =
        measure(name, "traced", || decide::trace(&context, &member, &activity, &[]).is_ok());
    costs.push(cost);
    let (_, cost) = measure(name, "offered", || {
        let offers = decide::offers(&bundle, &member, None, now);
        (offers.len(), decide::benefits(&bundle, &member, None, None, now).len())
    });
    costs.push(cost);
    let names: Vec<String> = bundle.rewards().map(|(name, _)| name.to_owned()).take(20).collect();
    for reward in names {
        let redemption = Redemption { reward, units: None, order: activity.order.clone() };
        let (_, cost) = measure(name, "redeemed", || {
            decide::redeem(&context, &member, redemption, None).is_ok()
        });
        costs.push(cost);
    }
    let (_, cost) = measure(name, "expired", || decide::expire(&context, &member).is_ok());
    costs.push(cost);
    costs
}

/// Sheets that are large rather than clever: repeated parts, or many numbered statements.
#[expect(clippy::too_many_lines, reason = "a table of cases: one for each sheet")]
fn large() -> Vec<(String, String)> {
    let repeated = |name: &str, head: &str, middle: &str, times: usize, end: &str| {
        (format!("large-{name}-{times}"), format!("{head}{}{end}", middle.repeat(times)))
    };
    let numbered = |name: &str, times: usize, line: &dyn Fn(usize) -> String| {
        let lines: String = (0..times).map(|number| line(number) + "\n").collect();
        (format!("large-{name}-{times}"), lines)
    };
    let block = "earn \"a\" on purchase {";
    vec![
        repeated("parentheses", &format!("{block}\n"), "(\n", 5_000, "1"),
        repeated("parentheses", &format!("{block}\n"), "(\n", 60, "1"),
        repeated("blocks", &format!("{block}\n"), "{\n", 5_000, ""),
        repeated("minus", &format!("{block} 1\n"), "- -1\n", 5_000, " }"),
        repeated("not", "earn \"a\" on purchase when\n", "!\n", 5_000, "true { 1 }"),
        repeated("additions", &format!("{block} 1\n"), "+ 1\n", 8_000, "}"),
        repeated("additions", &format!("{block} 1\n"), "+ 1\n", 20, "}"),
        repeated("and", "earn \"a\" on purchase when true\n", "&& true\n", 8_000, "{ 1 }"),
        repeated(
            "else-if",
            &format!("{block} if false {{ 1 }}\n"),
            "else if false { 1 }\n",
            5_000,
            "}",
        ),
        repeated("properties", &format!("{block} member\n"), ".days\n", 5_000, "}"),
        repeated("methods", &format!("{block} \"a\"\n"), ".to_upper()\n", 5_000, "; 1 }"),
        repeated("comments", "", "// nothing\n", 9_000, &format!("{block} 1 }}")),
        repeated("stray", "", "1;\n", 9_000, ""),
        repeated("clauses", "earn \"a\" on purchase\n", "when true\n", 5_000, "{ 1 }"),
        repeated("line", block, "  ", 100_000, "1 }"),
        repeated("text", &format!("{block} let t = \""), "x", 900, "\"; 1 }"),
        repeated("number", block, "9", 60, "}"),
        repeated("digits", block, "9", 100_000, "}"),
        repeated("name", block, "x", 100_000, "}"),
        repeated("title", "earn \"", "x", 100_000, "\" on purchase { 1 }"),
        repeated("list", &format!("{block} if 1 in [\n"), "1,\n", 9_000, "1] { 1 } }"),
        repeated("arguments", &format!("{block} min(\n"), "1,\n", 9_000, "1) }"),
        numbered("rules", 900, &|n| format!("earn \"r{n}\" on purchase {{ 1 }}")),
        numbered("names", 900, &|n| {
            format!("earn \"r{n}\" on purchase named \"n{n}\" at most 1 ever {{ 1 }}")
        }),
        numbered("rules", 4_000, &|n| format!("earn \"r{n}\" on purchase {{ 1 }}")),
        numbered("rules-that-loop", 900, &|n| {
            format!(
                "earn \"r{n}\" on purchase {{ let s = 0; for l in order.lines {{ s += l.quantity; }} s }}"
            )
        }),
        numbered("tiers-that-loop", 200, &|n| {
            format!("tier \"t{n}\" {{ let s = 0; for i in 0..1000 {{ s += i; }} s < 0 }}")
        }),
        numbered("daily-tiers-that-loop", 10, &|n| {
            format!("tier \"t{n}\" {{ for i in 0..8 {{}} member.days < {n} }}")
        }),
        numbered("a-daily-tier-that-loops", 1, &|n| {
            format!(
                "tier \"t{n}\" {{ let s = \"\"; for i in 0..45 {{ s += \"0123456789\"; }} member.days < 0 }}"
            )
        }),
        numbered("a-daily-tier-that-divides", 1, &|n| {
            format!(
                "tier \"t{n}\" {{ let s = 0.0; for i in 0..28 {{ s = percent(1.0000000000000001 / 3.7, 7.1); }} member.days < s }}"
            )
        }),
        numbered("a-daily-tier-that-loops-for-long", 1, &|n| {
            format!("tier \"t{n}\" {{ for i in 0..10_000 {{}} member.days < 0 }}")
        }),
        numbered("many-rewards-that-loop", 1_000, &|n| {
            format!(
                "reward \"r{n}\" costs 1 {{ let s = \"\"; for i in 0..90 {{ s += \"0123456789\"; }} product(\"p\") }}"
            )
        }),
        numbered("rewards-that-loop", 200, &|n| {
            format!("reward \"r{n}\" costs 1 {{ for i in 0..1000 {{ }} product(\"p\") }}")
        }),
        numbered("benefits-that-loop", 200, &|n| {
            format!("benefit \"b{n}\" {{ for i in 0..1000 {{ }} product(\"p\") }}")
        }),
        numbered("tasks", 900, &|n| format!("task \"t{n}\" on purchase goal 1 {{ 1 }}")),
        numbered("task-rounds", 20, &|n| {
            format!("task \"t{n}\" on purchase counting 1_000_000 goal 1 {{ 1 }}")
        }),
        numbered("contests", 900, &|n| format!("contest \"c{n}\" on purchase {{ 1 }}")),
        numbered("grants", 900, &|n| format!("earn \"g{n}\" on purchase {{ grant(\"g{n}\"); }}")),
        numbered("tags", 900, &|n| format!("earn \"g{n}\" on purchase {{ tag(\"g{n}\"); }}")),
        numbered("tags-that-differ-by-a-letter", 500, &|n| {
            let letter = char::from_u32(u32::try_from(0x4e00 + n).unwrap()).unwrap();
            format!("earn \"g{n}\" on purchase {{ tag(\"organic{letter}\"); }}")
        }),
        numbered("tags-that-differ-by-three-letters", 500, &|n| {
            let letter = |place| char::from(b'a' + u8::try_from(n / place % 10).unwrap());
            let (a, b, c) = (letter(1), letter(10), letter(100));
            format!(
                "earn \"g{n}\" on purchase {{ tag(\"grown in the {a}garden{b} up {c}north\"); }}"
            )
        }),
        numbered("codes", 900, &|n| {
            format!("earn \"v{n}\" on purchase {{ voucher(\"SPRING\"); }}")
        }),
        numbered("functions", 900, &|n| format!("fn f{n}(a) {{ a + {n} }}")),
        numbered("variables", 5_000, &|n| format!("let v{n} = {n};")),
        numbered("parameters", 1, &|_| {
            let list: Vec<String> = (0..5_000).map(|n| format!("p{n}")).collect();
            format!("fn f(\n{}) {{ 1 }}", list.join(",\n"))
        }),
        numbered("cases", 1, &|_| {
            let cases: Vec<String> = (0..5_000).map(|n| format!("{n}..{} => 1", n + 1)).collect();
            format!(
                "earn \"a\" on purchase {{ switch order.pieces {{\n{}\n}} }}",
                cases.join(",\n")
            )
        }),
    ]
}

#[test]
fn no_sheet_takes_more_than_its_time_and_memory() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut sheets: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())
        })
        .collect();
    sheets.sort();
    let files = sheets.len();
    assert!(files >= 200, "there are only {files} sheets");
    sheets.extend(large());
    // The engine is built once per process. Its cost must not count for the first sheet.
    play("warm-up", "earn \"a\" on purchase { order.quantity(\"x\") }");

    let mut costs = Vec::new();
    for (name, sheet) in sheets {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let played = thread.spawn(move || play(&name, &sheet)).unwrap().join();
        costs.extend(played.unwrap_or_else(|_| panic!("a sheet panicked")));
    }
    let slow = |cost: &&Cost| !cfg!(debug_assertions) && cost.time > TIME_MAX;
    let wrong: Vec<&Cost> =
        costs.iter().filter(|cost| slow(cost) || cost.memory > MEMORY_MAX).collect();
    let count = |outcome: &str| costs.iter().filter(|cost| cost.outcome == outcome).count();
    let slowest = costs.iter().max_by_key(|cost| cost.time).unwrap();
    let largest = costs.iter().max_by_key(|cost| cost.memory).unwrap();
    println!(
        "{files} sheets from files, {} made: {} refused, {} failed, {} paid",
        count("refused") + count("read") - files,
        count("refused"),
        count("failed"),
        count("paid")
    );
    println!("the slowest: {slowest:?}\nthe largest: {largest:?}");
    let faults: Vec<String> = wrong
        .iter()
        .map(|cost| {
            format!("{} {}: {:?}, {} bytes", cost.name, cost.outcome, cost.time, cost.memory)
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
