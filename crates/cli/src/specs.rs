//! `regulars test`: the specs of rules, run.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use decide::{Difference, SpecReport, say_value};
use rules::{Bundle, Sources};
use serde_json::json;
use toml_edit::{DocumentMut, Item};

use crate::check::{Found, folders, read, unread};
use crate::result::CommandResult;
use crate::show::plural;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A merchant's folder, or a folder of such folders [default: the nearest `rules`]
    folder: Option<PathBuf>,
    /// Only specs whose words contain this
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Write the values that were found into the specs that fail; look at the change before you
    /// keep it
    #[arg(long)]
    update: bool,
    /// One JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// The counts of specs and folders over all folders.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    broken: usize,
    updated: usize,
}

/// Runs the specs of each folder and prints the results.
pub(crate) fn run(options: &Options) -> CommandResult {
    let mut tally = Tally::default();
    let mut reports = Vec::new();
    for folder in folders(options.folder.as_deref())? {
        let (sources, bundle) = read(&folder);
        let warnings = bundle.as_ref().map(Bundle::warnings).unwrap_or_default().to_vec();
        let report = match bundle {
            Ok(bundle) => decide::run_specs(&bundle, &sources),
            Err(rejection) => Err(rejection.mistakes),
        };
        if report.as_ref().map_or(true, |report| report.failed().next().is_some()) {
            // A file that is not read, or in which nothing stands, is the reason of all the rest.
            let of_files = warnings.into_iter().filter(|warning| warning.place.is_none());
            for mistake in unread(&folder).into_iter().chain(of_files) {
                anstream::eprintln!("{}\n", Found::of(&folder, &sources, mistake).drawn());
            }
        }
        match report {
            Ok(report) => {
                let report = only(report, options.only.as_deref());
                if options.json {
                    reports.push(json(&folder, &report));
                } else {
                    tell(&folder, &report);
                }
                tally.passed += report.specs.len() - report.failed().count();
                tally.failed += report.failed().count();
                if options.update {
                    tally.updated += update(&folder, &sources, &report)?;
                }
            }
            Err(mistakes) => {
                tally.broken += 1;
                for mistake in mistakes {
                    anstream::eprintln!("{}\n", Found::of(&folder, &sources, mistake).drawn());
                }
            }
        }
    }
    if let Some(words) = &options.only
        && tally.passed + tally.failed + tally.broken == 0
    {
        return Err(format!("no spec's words contain `{words}`").into());
    }
    if options.json {
        say!("{}", serde_json::to_string_pretty(&json!({ "programmes": reports }))?);
    } else {
        let updated = if options.update {
            let kept = tally.failed - tally.updated;
            let kept = if kept > 0 {
                format!(
                    "; {kept} left to you: whether something is refused is never written for you"
                )
            } else {
                String::new()
            };
            format!("; {} written anew{kept}", tally.updated)
        } else {
            String::new()
        };
        say!("\n{} specs hold, {} fail{updated}", tally.passed, tally.failed);
    }
    match (tally.failed, tally.broken) {
        (_, broken) if broken > 0 => Err("some rules or specs cannot be read".into()),
        (failed, _) if failed > tally.updated => Err("some specs fail".into()),
        _ => Ok(()),
    }
}

fn only(mut report: SpecReport, words: Option<&str>) -> SpecReport {
    if let Some(words) = words {
        let words = words.to_lowercase();
        report.specs.retain(|spec| spec.it.to_lowercase().contains(&words));
        report.coverage.rules.clear();
    }
    report
}

/// The text in an ANSI colour on a terminal; elsewhere the text as it is.
fn paint(text: &str, colour: u8) -> String {
    if std::io::stdout().is_terminal() {
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

fn tell(folder: &Path, report: &SpecReport) {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    say!("\n{name}: {}", plural(report.specs.len(), "spec"));
    for spec in &report.specs {
        let verdict =
            if spec.differences.is_empty() { paint("ok", GREEN) } else { paint("FAILS", RED) };
        say!("  {} ... {verdict}", spec.it);
        for difference in &spec.differences {
            let step =
                difference.step.map_or_else(String::new, |step| format!(", step {}", step + 1));
            let line = difference.line.unwrap_or(spec.line);
            say!("      {}:{line}{step}: {}", spec.file, difference.what);
            say!("        {}", paint(&format!("- {}", say_value(&difference.expected)), RED));
            say!("        {}", paint(&format!("+ {}", say_value(&difference.found)), GREEN));
        }
    }
    let gaps: Vec<_> = report.coverage.gaps().collect();
    let shown = report.coverage.rules.len() - gaps.len();
    if !report.coverage.rules.is_empty() {
        say!("  {shown} of {} rules shown both ways", report.coverage.rules.len());
    }
    for (rule, gap) in gaps {
        let line = format!("{} `{}` at {} is {gap}", rule.statement, rule.rule, rule.source);
        say!("    {}", paint(&line, YELLOW));
    }
}

fn json(folder: &Path, report: &SpecReport) -> serde_json::Value {
    let difference = |difference: &Difference| {
        json!({
            "step": difference.step.map(|step| step + 1),
            "line": difference.line,
            "what": difference.what,
            "expected": say_value(&difference.expected),
            "found": say_value(&difference.found),
        })
    };
    let specs: Vec<_> = report
        .specs
        .iter()
        .map(|spec| {
            json!({
                "file": spec.file,
                "line": spec.line,
                "it": spec.it,
                "holds": spec.differences.is_empty(),
                "differences": spec.differences.iter().map(difference).collect::<Vec<_>>(),
            })
        })
        .collect();
    let rules: Vec<_> = report
        .coverage
        .rules
        .iter()
        .map(|rule| {
            json!({
                "statement": rule.statement,
                "rule": rule.rule,
                "source": rule.source,
                "applied": rule.applied,
                "did_not": rule.did_not,
                "gap": rule.gap(),
            })
        })
        .collect();
    json!({ "programme": folder.file_name().map(|name| name.to_string_lossy()), "specs": specs, "rules": rules })
}

/// Replaces the expected values with those found, and leaves the rest of the files as it is.
/// Returns the number of specs updated. A spec that differs in whether something is refused is
/// skipped: a person has to decide that.
fn update(folder: &Path, sources: &Sources, report: &SpecReport) -> CommandResult<usize> {
    let mut files: BTreeMap<&str, DocumentMut> = BTreeMap::new();
    let mut updated = 0;
    for spec in report.failed() {
        if spec.differences.iter().any(|difference| difference.what == "refused") {
            continue;
        }
        if !files.contains_key(spec.file.as_str()) {
            files.insert(&spec.file, sources.get(&spec.file).unwrap_or_default().parse()?);
        }
        let Some(file) = files.get_mut(spec.file.as_str()) else { continue };
        for difference in &spec.differences {
            let expected = expectation(file.as_item_mut(), spec.number, difference);
            let expected = expected.ok_or_else(|| {
                format!("{}:{}: `{}` cannot be found", spec.file, spec.line, difference.what)
            })?;
            let found: toml_edit::Value = say_value(&difference.found).parse()?;
            put(expected, found);
        }
        updated += 1;
    }
    for (name, file) in files {
        std::fs::write(folder.join(name), file.to_string())?;
    }
    Ok(updated)
}

/// The item of a file that has the expected value of a difference. Specs and their steps may be
/// arrays of tables or inline arrays.
fn expectation<'f>(
    file: &'f mut Item,
    spec: usize,
    difference: &Difference,
) -> Option<&'f mut Item> {
    let spec = file.get_mut("spec")?.get_mut(spec)?;
    let step = match difference.step {
        None => spec,
        Some(step) => spec.get_mut("step")?.get_mut(step)?,
    };
    difference.what.split('.').try_fold(step, |item, name| item.get_mut(name))
}

/// Replaces a value, and changes no more of the text than necessary: tables and lists keep their
/// layout, and comments stay.
fn put(item: &mut Item, found: toml_edit::Value) {
    match found {
        // An empty table has to be written out, or the spec would expect nothing any more.
        toml_edit::Value::InlineTable(found) if item.is_table_like() && !found.is_empty() => {
            let Some(table) = item.as_table_like_mut() else { return };
            let stale: Vec<String> = table
                .iter()
                .map(|(name, _)| name.to_owned())
                .filter(|name| !found.contains_key(name))
                .collect();
            for name in stale {
                table.remove(&name);
            }
            for (name, value) in found {
                match table.get_mut(&name) {
                    Some(item) => put(item, value),
                    None => {
                        table.insert(&name, Item::Value(value));
                    }
                }
            }
        }
        toml_edit::Value::Array(found) if item.is_array() => {
            let Some(list) = item.as_array_mut() else { return };
            while list.len() > found.len() {
                list.remove(list.len() - 1);
            }
            for (place, mut value) in found.into_iter().enumerate() {
                match list.get_mut(place) {
                    Some(old) => {
                        value.decor_mut().clone_from(old.decor());
                        *old = value;
                    }
                    None => list.push_formatted(value),
                }
            }
        }
        mut found => {
            if let Some(old) = item.as_value() {
                found.decor_mut().clone_from(old.decor());
            }
            *item = Item::Value(found);
        }
    }
}
