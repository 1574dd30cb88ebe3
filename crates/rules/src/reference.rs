//! The reference of the rule language, written from the tables that the reader and the check follow.

use std::fmt::Write;

use crate::grammar::{CLAUSES, STATEMENTS};
use crate::vocabulary::{Domain, FACTS, Form, Kind, OUTCOMES, WORDS, Word, words_of};

/// The reference as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The rule language\n\n\
         Written from the code by `cargo run -- reference`; a test fails when it is stale. \
         For a first hour with it, read [the guide](GUIDE.md).\n\n\
         A statement is a keyword, a title in double quotes, clauses in any order, and a block in `{ }`. \
         Sheets are read in the order of their file names; any statement may stand in any of them.\n\n",
    );
    // Writing to a text cannot fail.
    let _ = write_all(&mut page);
    page
}

fn write_all(page: &mut String) -> std::fmt::Result {
    writeln!(page, "## Statements")?;
    for statement in &STATEMENTS {
        writeln!(page, "\n### `{}`\n\n{}\n", statement.keyword, statement.says)?;
        writeln!(page, "```rust\n{}\n```\n", statement.example)?;
        let needs: Vec<String> = statement
            .needs
            .iter()
            .map(|one_of| one_of.iter().map(|word| clause(word)).collect::<Vec<_>>().join(" or "))
            .collect();
        let may: Vec<String> = statement.may_have.iter().map(|word| clause(word)).collect();
        let facts: Vec<String> = statement.facts.iter().map(|fact| format!("`{fact}`")).collect();
        let outcomes: Vec<String> =
            statement.outcomes.iter().map(|outcome| format!("`{outcome}`")).collect();
        for (what, list) in
            [("needs", needs), ("may have", may), ("sees", facts), ("may give", outcomes)]
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
    let is_outcome = |word: &&Word| OUTCOMES.contains(&word.name);
    let is_gift = |word: &&Word| word.gives == Kind::Gift;
    table(
        page,
        "Numbers and wallets",
        functions().filter(|word| !is_outcome(word) && !is_gift(word)),
    )?;
    table(page, "Texts", words_of(&Kind::Text(Domain::Free)))?;
    table(page, "Spans of time", words_of(&Kind::Whole))?;
    table(page, "Outcomes", functions().filter(is_outcome))?;
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
