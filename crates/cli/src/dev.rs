//! `regulars dev`: the whole API on a laptop, over an embedded DynamoDB, with the rules published
//! again whenever they change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use api::{Api, Clock, Forgetting, Identity, PublishError};
use clap::Args;
use ledger::Moment;
use local::{Database, FolderError, REGION, TABLE, app, publish_folder};
use store::Store;
use tokio::net::TcpListener;

use crate::place::{Rules, data, shown};
use crate::publish::{Forget, told};
use crate::result::CommandResult;

/// The interval at which the rules are checked for edits.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The interval of the expiry run.
const RUN_EVERY: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rules: Rules,
    /// The data file [default: .regulars/dev.db beside the rules]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The port of the API
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// Serve only the embedded DynamoDB, for `cargo lambda watch`
    #[arg(long)]
    db_only: bool,
    /// The port of the embedded DynamoDB; 0 takes any free one
    #[arg(long, default_value_t = 8000)]
    db_port: u16,
    /// What the clock shows at the start, such as 1998-07-01T12:00:00Z [default: the time]
    #[arg(long, value_name = "TIME")]
    clock: Option<Moment>,
    #[command(flatten)]
    forget: Forget,
}

pub(crate) async fn run(options: Options) -> CommandResult {
    let rules = options.rules.folder()?;
    let file = options.data.unwrap_or_else(|| data(&rules, "dev.db"));
    let database = Database::open(Some(&file), options.db_port).await?;
    let mut published =
        Published { forgetting: options.forget.into(), seen: BTreeMap::new(), has_rules: false };
    published.look(database.store(), &rules).await?;
    if !published.has_rules {
        return Err(format!("there are no rules under `{}` that can be used", shown(&rules)).into());
    }
    say!("data       {}", shown(&file));
    say!(
        "dynamodb   http://{} (table {TABLE}, region {REGION}, any credentials)",
        database.address()
    );

    let watched = published.watch(database.store().clone(), rules);
    if options.db_only {
        tokio::select! {
            stopped = watched => stopped,
            stopped = tokio::signal::ctrl_c() => Ok(stopped?),
        }
    } else {
        let clock = options.clock.map_or(Clock::System, Clock::from);
        let api = Api::new(database.store().clone(), clock, Identity::Development)
            .with_bundle_age_max(Duration::ZERO);
        let address = SocketAddr::from(([127, 0, 0, 1], options.port));
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| format!("the API cannot be served on {address}: {error}"))?;
        say!("api        http://{}", listener.local_addr()?);
        say!("call it with the header  Authorization: Bearer local:<merchant>");
        tokio::select! {
            stopped = watched => stopped,
            stopped = expiry_runs(&api) => stopped,
            stopped = axum::serve(listener, app(&api)).into_future() => Ok(stopped?),
            stopped = tokio::signal::ctrl_c() => Ok(stopped?),
        }
    }
}

/// Starts an expiry run at every interval, as EventBridge does in AWS.
async fn expiry_runs(api: &Api) -> CommandResult {
    loop {
        let done = expire::run(api, &expire::Event::default(), None).await;
        match done {
            Ok(summary) if summary.expired > 0 => {
                say!("expired    units of {} members: {:?}", summary.expired, summary.units);
            }
            Ok(_) => {}
            // The server goes on: only the entries of expiry are late.
            Err(error) => eprintln!("error: {error}"),
        }
        tokio::time::sleep(RUN_EVERY).await;
    }
}

/// The folders seen so far, with their files as they were then.
struct Published {
    forgetting: Forgetting,
    seen: BTreeMap<PathBuf, Vec<(PathBuf, SystemTime, u64)>>,
    /// Whether any merchant has rules in force.
    has_rules: bool,
}

impl Published {
    /// Publishes folders whenever they are edited, for as long as the server runs.
    async fn watch(mut self, store: Store, rules: PathBuf) -> CommandResult {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // A folder can be missing for a moment, such as during a switch of branches, so this
            // goes on.
            if let Err(error) = self.look(&store, &rules).await {
                eprintln!("error: {error}");
            }
        }
    }

    async fn look(&mut self, store: &Store, rules: &Path) -> CommandResult {
        for folder in local::folders(rules)? {
            // A file that is removed during the check counts as removed.
            let files = files(&folder).unwrap_or_default();
            if self.seen.get(&folder) == Some(&files) {
                continue;
            }
            match publish_folder(store, &folder, self.forgetting).await {
                Ok(bundle) => {
                    let merchant = bundle.programme().merchant.to_string();
                    say!("rules      {merchant} at {}", bundle.hash());
                    self.has_rules = true;
                }
                // The active bundle stays the same until the folder has no mistakes.
                Err(error) => {
                    eprintln!("error: {}", told(&error));
                    self.has_rules |=
                        matches!(&error, FolderError::Publish(PublishError::Forgets(_)));
                }
            }
            self.seen.insert(folder, files);
        }
        Ok(())
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<(PathBuf, SystemTime, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        files.push((entry.path(), about.modified()?, about.len()));
    }
    files.sort();
    Ok(files)
}
