//! The `regulars` command: its subcommands, and how it exits.

// First, since every command prints with its macro.
/// Lines, tables and numbers as people read them.
#[macro_use]
mod show;

/// The result of a command, and how the process exits.
mod result;
/// Pages for a terminal and for a browser.
mod page;

/// The counts of a replay.
mod counts;
/// The folders of the rules and the data.
mod place;
/// Where the members are that a command reads.
mod stored;
/// The members of a merchant with all their entries, read one after the other.
mod walk;
/// `audit`: what is owed, recomputed from the entries.
mod audit;
/// `liability`: what is owed, for the books.
mod liability;
/// `failures`: the rules that failed, and for whom.
mod failures;
/// `check`: mistakes in rules, found before they can pay.
mod check;
/// `costs`: what each request costs in capacity units.
mod costs;
/// The report on a merchant's table, in numbers and in words.
mod report;
/// `rejudge`: activities judged again with a rule that had failed.
mod rejudge;
/// `replay`: a file of orders, sent through the handlers.
mod replay;
/// `demo`: a replay of real orders, with a report.
mod demo;
/// `history`: the past as data.
mod history;
/// `backtest`: rules tried on the past.
mod backtest;
/// `lift`: what a trial has changed.
mod lift;
/// `measure`: figures of the past, by SQL.
#[cfg(feature = "measures")]
mod measure;
/// `worth`: how often customers buy again, and for how much.
mod worth;
/// `publish`: rules published to a table in AWS.
mod publish;
/// `dev`: the whole API on a laptop.
mod dev;
/// `expire`: the expiry run, started by hand.
mod expiry;
/// `simulate`: the verdict of every rule on one activity.
mod simulate;
/// `explain`: a stored entry, derived again under its own rules.
mod explain;
/// `reference`: the reference of the rule language.
mod reference;
/// `test`: the specs of rules, run.
mod specs;
/// `vouchers`: codes imported into a pool.
mod vouchers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Regulars: a loyalty engine whose rules are scripts.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check rules and specs: words, kinds, names, conditions that never hold
    Check(check::Options),
    /// Run the specs of rules
    Test(specs::Options),
    /// Judge one activity, and see the verdict of every rule
    Simulate(simulate::Options),
    /// Derive a stored entry again under its own rules, and see the verdict of every rule
    Explain(explain::Options),
    /// Serve the whole API over an embedded DynamoDB kept in a file
    Dev(dev::Options),
    /// Replay real orders and show what the programme did
    Demo(demo::Options),
    /// Run a file of orders through the handlers, with the clock following the data
    Replay(replay::Options),
    /// Do one expiry run over a data file, as the hourly schedule does
    Expire(expiry::Options),
    /// Recompute every balance from its entries, and show what is owed
    Audit(audit::Options),
    /// Show what is owed for the books: its movements, how much of it is likely to be redeemed, and the
    /// revenue that is deferred for it
    Liability(liability::Options),
    /// Show which rules failed, how often and for whom
    Failures(failures::Options),
    /// Judge activities again with a rule that had failed for them and has been mended
    Rejudge(rejudge::Options),
    /// Write the past as Parquet, for `backtest` and for analysts
    History(history::Options),
    /// Try rules on the past, and see who would have got what
    Backtest(backtest::Options),
    /// Show what a trial has changed: members who take part against the holdout
    Lift(lift::Options),
    /// Show figures of the past: members, sales, units, rewards, tiers, cohorts
    #[cfg(feature = "measures")]
    Measure(measure::Options),
    /// Forecast how often customers buy again, and for how much
    Worth(worth::Options),
    /// Measure what each request costs in DynamoDB capacity units
    Costs(costs::Options),
    /// Check a merchant's rules and make them the active ones of a table in AWS
    Publish(publish::Options),
    /// Import voucher codes into a pool
    Vouchers(vouchers::Options),
    /// Write the reference of the rule language, rules/LANGUAGE.md
    Reference(reference::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // The embedded database warns of every failed condition, which is normal here, so only its
    // errors are shown.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,dynoxide=error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match cli.command {
        Command::Check(options) => check::run(&options),
        Command::Test(options) => specs::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Explain(options) => explain::run(options).await,
        Command::Dev(options) => dev::run(options).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Replay(options) => replay::run(options).await,
        Command::Expire(options) => expiry::run(options).await,
        Command::Audit(options) => audit::run(options).await,
        Command::Liability(options) => liability::run(options).await,
        Command::Failures(options) => failures::run(options).await,
        Command::Rejudge(options) => rejudge::run(options).await,
        Command::History(options) => history::run(options).await,
        Command::Backtest(options) => backtest::run(&options),
        Command::Lift(options) => lift::run(&options),
        #[cfg(feature = "measures")]
        Command::Measure(options) => measure::run(&options).await,
        Command::Worth(options) => worth::run(&options),
        Command::Costs(options) => costs::run(options).await,
        Command::Publish(options) => publish::run(options).await,
        Command::Vouchers(options) => vouchers::run(options).await,
        Command::Reference(options) => reference::run(&options),
    };
    result::exit_code(done)
}
