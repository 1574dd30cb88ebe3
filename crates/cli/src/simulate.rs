//! `regulars simulate`: the verdict of every rule on one activity.

use std::cmp::Ordering;
use std::path::PathBuf;

use api::Clock;
use chrono_tz::Tz;
use clap::Args;
use decide::{ActivityBody, Context, TraceLine, simulated_data, simulated_member};
use ledger::entry::Note;
use ledger::{Entry, EntryKind, Moment};
use rules::{Bundle, Object};
use serde_json::json;

use crate::check::{Found, read};
use crate::place::Rules;
use crate::report::{say_effect, say_gift};
use crate::result::CommandResult;
use crate::show::{shop_time, table, whole};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant whose rules are asked
    #[arg(long)]
    merchant: String,
    /// The activity, as the API takes it
    #[arg(value_name = "ACTIVITY.json")]
    activity: PathBuf,
    /// The member, as a spec describes one: JSON or TOML [default: one who joined a year ago]
    #[arg(long, value_name = "MEMBER.json")]
    member: Option<PathBuf>,
    #[command(flatten)]
    rules: Rules,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// Judges an activity, and prints the verdict of every rule. Nothing is stored.
pub(crate) fn run(options: &Options) -> CommandResult {
    let folder = options.rules.of_merchant(&options.merchant)?;
    let (sources, bundle) = read(&folder);
    let bundle = bundle.map_err(|rejection| {
        for mistake in rejection.mistakes {
            anstream::eprintln!("{}\n", Found::of(&folder, &sources, mistake).drawn());
        }
        "the rules have mistakes"
    })?;
    let text = read_file(&options.activity)?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    let wrong = |reason: String| format!("{}: {reason}", options.activity.display());
    let Object(body): Object<ActivityBody> = serde::Deserialize::deserialize(&mut reader)
        .map_err(|error: serde_json::Error| wrong(error.to_string()))?;
    reader
        .end()
        .map_err(|_| wrong("something stands after the activity; ask one at a time".to_owned()))?;
    let now = Clock::System.now();
    let activity = body
        .check(bundle.programme(), "simulated", now)
        .map_err(|error| wrong(error.to_string()))?;
    let (bundle, member) = match &options.member {
        None => simulated_member(&bundle, "", activity.at)?,
        Some(file) => {
            let text = read_file(file)?;
            let text = match serde_json::from_str::<toml::Table>(&text) {
                Ok(json) => toml::to_string(&json)?,
                Err(_) => text,
            };
            let member = simulated_member(&bundle, &text, activity.at);
            member.map_err(|error| format!("{}: {error}", file.display()))?
        }
    };
    let data = simulated_data(&bundle);
    let context = Context::new(&bundle, &data, activity.at);
    let lines = decide::trace(&context, &member, &activity, &[])?;
    let decision = decide::earn(&context, &member, activity)?;
    if options.json {
        let lines: Vec<_> = lines.iter().map(api::TraceView::of).collect();
        let entry = api::EntryView::of(&decision.entry);
        say!("{}", serde_json::to_string_pretty(&json!({ "trace": lines, "entry": entry }))?);
    } else {
        say!("{}", page(&bundle, &lines, &decision.entry).trim_end());
    }
    Ok(())
}

fn read_file(file: &PathBuf) -> CommandResult<String> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()).into())
}

/// A page with every rule, what it saw and gave, and the postings of the entry.
pub(crate) fn page(bundle: &Bundle, lines: &[TraceLine], entry: &Entry) -> String {
    let main = &bundle.programme().main_wallet;
    let zone = bundle.programme().time_zone;
    let sum = format!("#{main} so far");
    let mut rules = table(["rule", "where", "", "because", "gives", &sum]);
    for line in lines {
        let saw: Vec<String> =
            line.saw.iter().map(|(fact, value)| format!("{fact} is {value}")).collect();
        let gave: Vec<String> = line.effects.iter().map(|gave| say_effect(gave, zone)).collect();
        rules.add_row([
            line.rule.clone(),
            line.source.clone(),
            line.verdict.say(),
            saw.join("\n"),
            gave.join("\n"),
            whole(line.points.get()),
        ]);
    }
    // No rule judges a reversal: what it takes back was judged before.
    let mut page = if lines.is_empty() { given(entry, zone) } else { format!("{rules}\n") };
    for posting in &entry.postings {
        let when = |word: &str, at: Option<Moment>| {
            at.map_or_else(String::new, |at| format!(", {word} {}", shop_time(at, zone)))
        };
        let lot = posting.to_lot().or(posting.from_lot());
        let from = when("from", lot.and_then(|terms| terms.available_at));
        let until = when("until", lot.and_then(|terms| terms.expires_at));
        let debt = match posting.change_of_debt().cmp(&0) {
            Ordering::Greater => ", owed",
            Ordering::Less => ", paying what was owed",
            Ordering::Equal => "",
        };
        page += &match posting.change() {
            0 => format!("{} {} moved{from}{until}{debt}\n", posting.units, posting.wallet),
            change => format!("{change:+} {}{from}{until}{debt}\n", posting.wallet),
        };
    }
    if let EntryKind::Redeem { reward, .. } = &entry.kind
        && let Some(gives) = &reward.gives
    {
        page += &format!("{}\n", say_gift(gives, bundle.programme().currency.code()));
    }
    if let Some(change) = &entry.tier {
        page += &format!("tier: {}\n", change.to.as_deref().unwrap_or("none"));
    }
    for note in &entry.notes {
        page += &format!("{}\n", say_note(note));
    }
    page
}

/// What an entry of which no rule is asked says of rules: what they gave before, and no longer give.
fn given(entry: &Entry, zone: Tz) -> String {
    if entry.reasons.is_empty() {
        return String::new();
    }
    let mut rules = table(["rule", "where", "gives"]);
    for reason in &entry.reasons {
        let gives = say_effect(&reason.effect, zone);
        rules.add_row([reason.rule.clone(), reason.source.clone(), gives]);
    }
    format!("{rules}\n")
}

fn say_note(note: &Note) -> String {
    match note {
        Note::RuleFailed { rule, source, message } => {
            format!("`{rule}` failed at {source}: {message}")
        }
        Note::OrderIsUnknown { of } => format!("the order `{of}` is not known yet"),
        Note::PiecesAreUnknown { lines } => {
            format!("the order has no `{}`, or not so many", lines.join("`, `"))
        }
        Note::ToldTooLate => {
            "told too late: judged by the member as it was then, and nothing since is derived again"
                .to_owned()
        }
        Note::ReferrerShares { referrer } => format!(
            "`{referrer}` shares the member's units by now: what the referral brought stays, and what it would bring does not come"
        ),
        Note::TotalDiffers { by } => {
            format!("the total is {by} from what its lines, discounts and charges come to")
        }
    }
}
