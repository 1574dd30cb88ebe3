//! The command `proof`: `cargo run --release -p proof -- all`, or the name of one part.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use proof::bugs::{self, Found};
use proof::crashes::{self, Killed};
use proof::degraded;
use proof::expiry_run;
use proof::fault_proxy::FaultRates;
use proof::races::{self, Race, Rounds};
use proof::simulation::{self, Report, Size};
use proof::world::Planted;
use proof::{ProofResult, alone};

/// The allocator, mimalloc. The database, its clients and all workers share one process, which
/// would spend most of its time in the default allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Proves that nothing is lost and nothing doubled.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    part: Part,
    /// The seed: the same one reproduces a run
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// Write the log of the functions to standard error
    #[arg(long, global = true)]
    log: bool,
    /// Run the long form, which takes a night
    #[arg(long, global = true)]
    long: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// All of them, one after the other
    All,
    /// A workload of every verb under every fault
    Simulation {
        /// Operations [default: 20,000, or a million in the long form]
        #[arg(long)]
        operations: Option<u64>,
        /// Members of each of the two merchants [default: 100, or 5,000 in the long form]
        #[arg(long)]
        members: Option<u32>,
        /// Inject no faults
        #[arg(long)]
        calm: bool,
    },
    /// Races: several requests for the same units at once
    Races,
    /// A store that throttles, conflicts, and leaves results unknown
    Degraded,
    /// Processes that are killed in the middle of their work
    Crashes,
    /// An expiry run in which all members are due, killed again and again
    ExpiryRun {
        /// Members [default: 5,000, or a million in the long form]
        #[arg(long)]
        members: Option<u64>,
    },
    /// Serve as a process to be killed
    #[command(hide = true)]
    Serve {
        /// The address of the database
        #[arg(long)]
        endpoint: std::net::SocketAddr,
        /// The time that its clock shows
        #[arg(long)]
        now: ledger::Moment,
    },
    /// Planted bugs that the simulation and the races have to find
    Bugs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.log {
        api::log();
    }
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> ProofResult {
    match cli.part {
        Part::All => all(&cli).await,
        Part::Simulation { operations, members, calm } => {
            simulate(&cli, operations, members, calm).await
        }
        Part::Races => race(&cli).await,
        Part::Degraded => degrade(&cli).await,
        Part::ExpiryRun { members } => expire_all(&cli, members).await,
        Part::Crashes => crash(&cli).await,
        Part::Bugs => find_bugs(&cli).await,
        Part::Serve { endpoint, now } => proof::process::serve(endpoint, now).await,
    }
}

/// Runs all parts. A failure of one does not stop the others.
async fn all(cli: &Cli) -> ProofResult {
    let parts = [
        ("bugs", find_bugs(cli).await),
        ("races", race(cli).await),
        ("degraded", degrade(cli).await),
        ("crashes", crash(cli).await),
        ("expiry-run", expire_all(cli, None).await),
        ("simulation", simulate(cli, None, None, false).await),
    ];
    let wrong: Vec<String> = parts
        .into_iter()
        .filter_map(|(part, ran)| Some(format!("{part}: {}", ran.err()?)))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The worlds of a simulation, which run concurrently.
const WORLDS: u64 = 2;

async fn simulate(
    cli: &Cli,
    operations: Option<u64>,
    members: Option<u32>,
    calm: bool,
) -> ProofResult {
    let operations = operations.unwrap_or(if cli.long { 1_000_000 } else { 20_000 });
    // Worlds share nothing, so that the seed of one alone reproduces what it finds.
    let members = members.unwrap_or(if cli.long { 5_000 } else { 100 });
    let mut size = Size::of(operations / WORLDS, members);
    if calm {
        size.rates = FaultRates::calm();
    }
    let bar = bar(operations, "operations");
    let mut simulations = tokio::task::JoinSet::new();
    for world in 0..WORLDS {
        let (seed, size, bar) = (cli.seed.wrapping_add(world), size.clone(), bar.clone());
        let mut before = 0;
        simulations.spawn(alone(move || async move {
            let progress = |done| {
                bar.inc(done - before);
                before = done;
            };
            simulation::run(seed, &size, Planted::default(), progress).await
        }));
    }
    let mut report = Report { seed: cli.seed, ..Report::default() };
    while let Some(found) = simulations.join_next().await {
        report.add(&found??);
    }
    bar.finish_and_clear();
    let mut table = table(&["a simulation", ""]);
    let (calls, busy) = report.calls;
    let (expiry_runs, cut_short) = report.expiry_runs;
    let repeats = format!("{} the same byte for byte", report.repeats);
    let altered = format!("{} refused", report.altered);
    let rows = [
        ("worlds", WORLDS.to_string()),
        ("operations", report.operations.to_string()),
        ("members", report.members.to_string()),
        ("calls of the API", calls.to_string()),
        ("busy, to be sent again (503)", busy.to_string()),
        ("requests to the database", report.requests.values().sum::<u64>().to_string()),
        ("repeats", repeats),
        ("altered bodies", altered),
        ("expiry runs", expiry_runs.to_string()),
        ("expiry runs that could not do all", cut_short.to_string()),
        ("entries audited", report.entries.to_string()),
        ("balances that the model says too", report.modelled.to_string()),
        ("refusals that the model says too", report.judged.to_string()),
        ("members that their history makes", report.derived.to_string()),
        ("seconds", report.seconds.to_string()),
        ("all answers, as a hash", format!("{:016x}", report.answers_hash)),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    let counted = |what: &'static str, counts: Vec<(String, u64)>| {
        counts.into_iter().map(move |(name, count)| [format!("{what}: {name}"), count.to_string()])
    };
    let Report { done, refused, happened, .. } = report;
    let happened = happened.into_iter().map(|(fault, count)| (format!("{fault:?}"), count));
    let rows = counted("done", done.into_iter().collect())
        .chain(counted("refused", refused.into_iter().collect()))
        .chain(counted("happened", happened.collect()));
    for row in rows {
        table.add_row(row);
    }
    tell(cli, &table, &report.faults)
}

async fn race(cli: &Cli) -> ProofResult {
    let rounds = match cli.long {
        false => Rounds { histories: 20, redeems: (1, 200), others: 5 },
        true => Rounds { histories: 2000, redeems: (20, 200), others: 200 },
    };
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let (seed, shown) = (cli.seed, bar.clone());
    let races = alone(move || async move {
        races::run(seed, rounds, Planted::default(), |race| shown.set_message(race)).await
    });
    let races = races.await?;
    bar.finish_and_clear();
    let mut table = table(&["race", "rounds", "requests", "wrong"]);
    let mut wrong = Vec::new();
    for race in &races {
        let Race { name, rounds, requests, faults } = race;
        let cells = [rounds, requests, &(faults.len() as u64)].map(ToString::to_string);
        table.add_row([name.to_string()].into_iter().chain(cells));
        wrong.extend(faults.iter().map(|fault| format!("{name}: {fault}")));
    }
    tell(cli, &table, &wrong)
}

async fn degrade(cli: &Cli) -> ProofResult {
    let operations = if cli.long { 100_000 } else { 5000 };
    let bar = bar(2 * operations, "operations");
    let (seed, shown) = (cli.seed, bar.clone());
    let found = alone(move || async move {
        degraded::run(seed, operations, |done| shown.set_position(done)).await
    });
    let found = found.await?;
    bar.finish_and_clear();
    let mut table = table(&[
        "store",
        "calls",
        "requests",
        "ratio",
        "503",
        "entries",
        "expiry runs",
        "cut short",
        "wrong",
    ]);
    for (store, report) in [("calm", &found.calm), ("degraded", &found.degraded)] {
        let (calls, busy) = report.calls;
        let sum: u64 = report.requests.values().sum();
        let (expiry_runs, cut_short) = report.expiry_runs;
        let wrong = report.faults.len() as u64;
        let counts = [busy, report.entries, expiry_runs, cut_short, wrong].map(|n| n.to_string());
        let ratio = hundredths(sum, found.calm.requests.values().sum());
        let row = [store.to_owned(), calls.to_string(), sum.to_string(), ratio];
        table.add_row(row.into_iter().chain(counts));
    }
    let wrong = [found.calm.faults, found.degraded.faults, found.faults].concat();
    tell(cli, &table, &wrong)
}

/// A ratio with two decimals.
fn hundredths(units: u64, of: u64) -> String {
    let hundredths = units * 100 / of.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

async fn expire_all(cli: &Cli, members: Option<u64>) -> ProofResult {
    let members = members.unwrap_or(if cli.long { 1_000_000 } else { 5000 });
    let kills = if cli.long { 50 } else { 5 };
    let size = expiry_run::Size { members, kills, compared: (members / 10).clamp(1000, 20_000) };
    let bar = bar(1, "members");
    let progress = |what: &'static str, done, of| {
        bar.set_length(of);
        bar.set_position(done);
        bar.set_message(what);
    };
    let report = expiry_run::run(cli.seed, &std::env::current_exe()?, size, progress).await?;
    bar.finish_and_clear();
    let mut table = table(&["an expiry run", ""]);
    let (run, bare) = report.speed;
    let seconds = format!("{}.{:03}", report.millis / 1000, report.millis % 1000);
    let percent = hundredths(100 * report.again, report.members);
    let again = format!("{}, {percent} in a hundred", report.again);
    let compared = format!("members a second, let alone, of {}", size.compared);
    let rows: [(&str, String); 10] = [
        ("members, all of them due", report.members.to_string()),
        ("killed", report.kills.to_string()),
        ("lots that expired", report.expired.to_string()),
        ("members looked at again", again),
        ("requests", report.requests.to_string()),
        ("seconds", seconds),
        ("memory of the run, at most", format!("{} KiB", report.memory)),
        (&compared, (run / 1000).to_string()),
        ("members a second, of a client that only writes", (bare / 1000).to_string()),
        ("ratio", hundredths(run, bare)),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    for expiry_run::Cost { due, all, requests, looked_at } in &report.costs {
        let cost = format!("{requests}, and {looked_at} items looked at");
        table.add_row([format!("requests for {due} due of {all}"), cost]);
    }
    tell(cli, &table, &report.faults)
}

async fn crash(cli: &Cli) -> ProofResult {
    let kills = if cli.long { 3200 } else { 580 };
    let bar = bar(kills, "kills");
    let program = std::env::current_exe()?;
    let report =
        crashes::run(cli.seed, program, kills, true, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    let head = ["killed while it did", "moments", "killed at one", "killed at random", "was done"];
    let mut table = table(&head);
    let mut sum = Killed { act: "all", ..Killed::default() };
    for killed in &report.killed {
        sum.moments += killed.moments;
        sum.at_moments += killed.at_moments;
        sum.at_random += killed.at_random;
        sum.done += killed.done;
    }
    for killed in report.killed.iter().chain([&sum]) {
        let Killed { act, moments, at_moments, at_random, done } = killed;
        let counts = [u64::from(*moments), *at_moments, *at_random, *done].map(|n| n.to_string());
        table.add_row([act.to_string()].into_iter().chain(counts));
    }
    tell(cli, &table, &report.faults)
}

async fn find_bugs(cli: &Cli) -> ProofResult {
    let operations = if cli.long { 10_000 } else { 1500 };
    let bar = bar(bugs::count(), "bugs");
    let found =
        bugs::run(cli.seed, operations, NonZeroUsize::MIN, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    let mut table = table(&["planted", "found by"]);
    let mut missed = Vec::new();
    for Found { name, by } in found {
        match by {
            Some(by) => table.add_row([name, &by.chars().take(100).collect::<String>()]),
            None => {
                missed.push(format!("nobody finds that {name}"));
                table.add_row([name, "nobody"])
            }
        };
    }
    tell(cli, &table, &missed)
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header(head);
    table
}

/// The most faults that are printed.
const SHOWN_MAX: usize = 10;

/// Prints a table and the faults. Any fault makes the command fail.
#[expect(clippy::print_stdout, reason = "it is a command")]
fn tell(cli: &Cli, table: &Table, wrong: &[String]) -> ProofResult {
    println!("{table}");
    for fault in wrong.iter().take(SHOWN_MAX) {
        println!("{fault}");
    }
    match wrong {
        [] => Ok(()),
        wrong => Err(format!("{} things are wrong; seed {}", wrong.len(), cli.seed).into()),
    }
}

fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template = format!(
        "{{msg}} {{bar:40}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left"
    );
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}
