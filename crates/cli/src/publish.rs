//! `regulars publish`: rules published to a table in AWS.

use std::path::PathBuf;

use api::{Forgetting, PublishError};
use aws_config::BehaviorVersion;
use clap::Args;
use local::FolderError;
use store::Store;

use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant's folder
    folder: PathBuf,
    /// The table
    #[arg(long)]
    table: String,
    #[command(flatten)]
    forget: Forget,
}

/// Whether rules are published that forget something.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Forget {
    /// Publish rules that forget something that members have
    #[arg(long)]
    forget: bool,
}

impl From<Forget> for Forgetting {
    fn from(Forget { forget }: Forget) -> Forgetting {
        if forget { Forgetting::Allowed } else { Forgetting::Refused }
    }
}

/// What is said of rules that are not published.
pub(crate) fn told(error: &FolderError) -> String {
    match error {
        FolderError::Publish(PublishError::Forgets(_) | PublishError::NotComparable(_)) => {
            format!("{error}\nThe rules in force stay; `--forget` publishes these all the same")
        }
        other => other.to_string(),
    }
}

/// Publishes a merchant's folder, with the AWS credentials and the region of the environment.
pub(crate) async fn run(options: Options) -> CommandResult {
    let client = api::client(aws_config::defaults(BehaviorVersion::latest())).await;
    let store = Store::new(client, &options.table);
    let published = local::publish_folder(&store, &options.folder, options.forget.into()).await;
    let bundle = published.map_err(|error| told(&error))?;
    say!("{} now runs {} in {}", bundle.programme().merchant, bundle.hash(), options.table);
    Ok(())
}
