//! The command that proves: `cargo run --release -p proof -- simulation --long --seed 7`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use proof::Outcome;
use proof::simulation::{self, Report, Size};
use proof::wire::Weather;

/// A database, its clients and all workers share one process: most of its time would go into memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Proves that nothing is lost and nothing doubled.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    part: Part,
    /// What reproduces a run
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// Write the log of the functions to standard error
    #[arg(long, global = true)]
    log: bool,
    /// The long form, for a night
    #[arg(long, global = true)]
    long: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A workload of every verb under everything that happens on a wire
    Simulation {
        /// Operations [default: 20,000, or a million in the long form]
        #[arg(long)]
        operations: Option<u64>,
        /// Nothing happens on the wire
        #[arg(long)]
        calm: bool,
    },
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

async fn run(cli: Cli) -> Outcome {
    match cli.part {
        Part::Simulation { operations, calm } => {
            let operations = operations.unwrap_or(if cli.long { 1_000_000 } else { 20_000 });
            let mut size = Size::of(operations, if cli.long { 600 } else { 100 });
            if calm {
                size.weather = Weather::calm();
            }
            let bar = bar(operations, "operations");
            let report =
                simulation::run(cli.seed, &size, None, |done| bar.set_position(done)).await?;
            bar.finish_and_clear();
            show(&report)
        }
    }
}

fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let template =
        format!("{{bar:40}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

#[expect(clippy::print_stdout, reason = "it is a command")]
fn show(report: &Report) -> Outcome {
    println!("{report:#?}");
    if report.faults.is_empty() {
        Ok(())
    } else {
        Err(format!("{} faults; seed {}", report.faults.len(), report.seed).into())
    }
}
