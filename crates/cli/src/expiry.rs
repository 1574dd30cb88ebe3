//! `regulars expire`: the expiry run, started by hand over a data file.

use std::path::PathBuf;

use api::{Api, Clock, Identity};
use clap::Args;
use ledger::Moment;
use local::Database;

use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The data file
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// What the clock shows, such as 1998-07-01T12:00:00Z [default: the time]
    #[arg(long, value_name = "TIME")]
    clock: Option<Moment>,
    /// The schedule's event, as EventBridge would hand it over [default: all shards]
    #[arg(long, value_name = "JSON")]
    event: Option<String>,
}

pub(crate) async fn run(options: Options) -> CommandResult {
    if !options.data.is_file() {
        return Err(format!("there is no data file `{}`", options.data.display()).into());
    }
    let event = options.event.as_deref().map(serde_json::from_str).transpose();
    let event: expire::Event =
        event.map_err(|error| format!("the event cannot be read: {error}"))?.unwrap_or_default();
    let database = Database::open(Some(&options.data), 0).await?;
    let clock = options.clock.map_or(Clock::System, Clock::standing);
    let api = Api::new(database.store().clone(), clock, Identity::Verified);
    let summary = expire::run(&api, &event, None).await?;
    say!("{}", serde_json::to_string(&summary)?);
    Ok(())
}
