//! The reference of the rule language, generated from the tables that the reader and the check use.

use std::fmt::Write;

use crate::grammar::{CLAUSES, STATEMENTS};
use crate::kind::{Domain, Kind};
use crate::vocabulary::{EFFECTS, FACTS, Form, WORDS, Word, words_of};

/// The reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The rule language\n\n\
         Written from the code by `cargo run -- reference`; a test fails when it is stale.\n\
         For a first hour with it, read [the guide](GUIDE.md).\n\n\
         A statement is a keyword, a title in double quotes, clauses in any order, and a block in `{ }`.\n\
         Sheets are read in the order of their file names; any statement may stand in any of them.\n\n",
    );
    // Writing to a `String` cannot fail.
    let _ = write_all(&mut page);
    page + FILES
}

/// The part about the manifest and the specs. A test reads its examples.
const FILES: &str = r#"
## merchant.toml

```toml
name = "Sunrise Coffee"
currency = "EUR"                  # its ISO code
time_zone = "Europe/Berlin"       # days, months and years begin there
main_wallet = "points"            # the wallet meant where none is named; "points" if not said
hold_minutes = 30                 # how long something is set aside at the till; 30 if not said
late_days = 31                    # what is told so late is as if told in time; 31 if not said
restored_days = 14                # points that come back of a reward can be spent so long at least; 0 if not said
on_failure = "record"             # a rule that fails pays nothing; "refuse" refuses the activity

[wallets.points]
worth = "0.01"                    # what one is worth, for what you owe; another worth later is
                                  # that of the units that are given from then on
expires = { months = 12, end_of = "month" }  # or { days = 90 }, { months = 12 }, { years = 1, end_of = "year" },
                                  # or after a time in which the member does nothing: { inactive_months = 12 }, { inactive_days = 90 }
pending_days = 14                 # from when it can be spent; at once if not said
pending_until = "delivery"        # what an order pays waits for this activity `of` it, and pending_days from there
carry = true                      # parts of a unit are carried over to the rule's next payment
transferable = true               # members may give each other units of it
shared = true                     # members of a household or a company earn into and spend from one account

[wallets.status]
spendable = false                 # only counted

[activities.review]               # `purchase` is always there
fields = { stars = "integer" }    # integer, amount, text or flag

[activities.delivery]

[activities.birthday]
yearly = "birthday"               # it comes by itself, on the date in this attribute

[activities.anniversary]
yearly = "joined"                 # it comes by itself, on the day of joining

[history]                         # what leaves the table for `regulars history`, beside what was bought
attributes = ["city", "brand"]    # of members and of lines; no other attribute does

[gate]                            # other rules are not published if on the past, by `publish --against`,
cost_increase_max = "3 %"         # they pay so much more than the rules in force,
losers_max = "10 %"               # so many members get less,
liability_increase_max = "5 %"    # or so much more is owed at the end

[reminders]                       # entries of their own, for whoever tells members to read
expiry_days = 14                  # so many days before units expire
tier_days = 30                    # so many days before a tier is lost
task_left = 1                     # when so much of a task, or less, is left

[tiers]
downgrade = "one step"            # how a member falls: "full" if not said, "one step", "never"
grace_days = 30                   # how long a tier stays after its condition stopped holding
keep = { years = 1, end_of = "year" }  # how long it stays at least, from reaching it

[holidays]
"12-25" = "Christmas Day"         # every year
"2026-04-06" = "Easter Monday"

[campaigns.summer]                # rules are `during summer`
from = 2026-06-01
until = 2026-08-31
budget = 100_000                  # units of the main wallet, over all members

[trials.double-mondays]           # rules ask `member.in_trial("double-mondays")`; the name decides by chance
from = 2026-10-01                 # who takes part, so it stays; `regulars lift` shows what it has changed
until = 2026-12-31
share = "20 %"                    # so many members take part,
holdout = "20 %"                  # and so many others they are compared with
measures = ["revenue", "orders"]  # if not said; or a number among the fields of purchases, such as margin

[stores.oslo]                     # a store on another clock: `now` of the orders that name it
time_zone = "Europe/Oslo"

[pools.SPRING]                    # codes are brought in with `regulars vouchers`
```

## Specs

A file `earn.spec.toml` beside `earn.rhai`.
A spec says who the member is, what happens, and what is expected.
With steps, several things happen one after the other, and time passes between them.

```toml
[[spec]]
it = "pays for a visit, and lets the points lapse after a year"
member = { tags = ["vip"], wallets = { points = 20 }, purchases = 3, spend = "120.00" }

[[spec.step]]
at = "2026-05-04T10:00:00+02:00"
activity = { type = "purchase", order = { total = "12.40" } }
balance = { points = 32 }

[[spec.step]]
at = "2027-06-01T00:00:00+02:00"
expires = { points = 32 }
```

| of the member | |
|---|---|
| `tier` | keeps this tier throughout; leave it out to let the tier follow |
| `enrolled`, `birthday` under `attributes`, `tags`, `bucket`, `trials` | who it is; it takes part in these trials and in no other |
| `wallets` | what it has, as if earned when the spec begins |
| `purchases`, `spend`, `last_purchase` | what it has bought |
| `grants = { Club = "2026-12-31T00:00:00+01:00", Badge = true }` | rights, with their end or for good |
| `tasks`, `scores` | how far it is |

Beside `member`: `referrer` (who brought it, described the same way), `pools`, `stock` and `budgets` (what is left of them).

| what happens | |
|---|---|
| `at` | when; alone, only time passes |
| `activity` | as the API takes it |
| `redeem = { reward = "five-off", units = 500, order = { total = "25.00" } }` | a reward is taken |

| what is expected | |
|---|---|
| `pays`, `costs`, `expires` | units by wallet, all of them |
| `because` | the titles of the rules that gave something, in their order |
| `gives` | the gift: `{ kind = "discount", amount = "5.00" }` |
| `refused` | a part of the reason |
| `balance`, `pending` | of the wallets that are named |
| `tier`, `grants`, `tags`, `rewards`, `benefits` | what the member then has, all of it |
| `tasks = { "Five visits in a week" = "3 of 5" }`, `scores` | of those that are named |
| `vouchers` | the codes given |
| `referrer_gets = { pays, because, balance }` | the same of the one who brought the member |
"#;

fn write_all(page: &mut String) -> std::fmt::Result {
    writeln!(page, "## Statements")?;
    for statement in &STATEMENTS {
        // One sentence on a line, as in all of our pages.
        let says = statement.says.replace(". ", ".\n");
        writeln!(page, "\n### `{}`\n\n{says}\n", statement.keyword)?;
        writeln!(page, "```rust\n{}\n```\n", statement.example)?;
        let needs: Vec<String> = statement
            .needs
            .iter()
            .map(|one_of| one_of.iter().map(|word| clause(word)).collect::<Vec<_>>().join(" or "))
            .collect();
        let may: Vec<String> = statement.may_have.iter().map(|word| clause(word)).collect();
        let facts: Vec<String> = statement.facts.iter().map(|fact| format!("`{fact}`")).collect();
        let effects: Vec<String> =
            statement.effects.iter().map(|effect| format!("`{effect}`")).collect();
        for (what, list) in
            [("needs", needs), ("may have", may), ("sees", facts), ("may give", effects)]
        {
            if !list.is_empty() {
                writeln!(page, "- {what}: {}", list.join(", "))?;
            }
        }
        writeln!(page, "- its block is {}", statement.gives.say())?;
    }
    writeln!(page, "\n## Clauses\n\n| clause | meaning |\n|---|---|")?;
    for clause in &CLAUSES {
        writeln!(page, "| `{}` | {} |", clause.form, clause.says)?;
    }
    writeln!(page, "\n## Facts\n")?;
    for fact in &FACTS {
        writeln!(page, "- `{}`: {}", fact.name, fact.says)?;
    }
    for fact in FACTS.iter().filter(|fact| fact.kind != Kind::Whole) {
        table(page, &format!("`{}`", fact.name), words_of(&fact.kind))?;
    }
    table(
        page,
        "`order.lines`, and each line",
        words_of(&Kind::Lines).chain(words_of(&Kind::Line)),
    )?;
    let functions = || WORDS.iter().filter(|word| word.form == Form::Function);
    let is_effect = |word: &&Word| EFFECTS.contains(&word.name);
    let is_gift = |word: &&Word| word.gives == Kind::Gift;
    table(
        page,
        "Numbers and wallets",
        functions().filter(|word| !is_effect(word) && !is_gift(word)),
    )?;
    table(page, "Texts", words_of(&Kind::Text(Domain::Free)))?;
    table(page, "Spans of time", words_of(&Kind::Whole))?;
    table(page, "Effects", functions().filter(is_effect))?;
    table(page, "Gifts", functions().filter(is_gift))?;
    Ok(())
}

fn clause(word: &str) -> String {
    if word == "at" { "`at most`".to_owned() } else { format!("`{word}`") }
}

fn table<'w>(
    page: &mut String,
    title: &str,
    words: impl Iterator<Item = &'w Word>,
) -> std::fmt::Result {
    writeln!(page, "\n### {title}\n\n| written | is | means |\n|---|---|---|")?;
    for word in words {
        writeln!(page, "| `{}` | {} | {} |", word.example, word.gives.say(), word.says)?;
    }
    Ok(())
}
