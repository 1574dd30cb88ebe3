//! `regulars publish`: rules published to a table in AWS.

use std::path::PathBuf;

use aws_config::BehaviorVersion;
use clap::Args;
use store::Store;

use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant's folder
    folder: PathBuf,
    /// The table
    #[arg(long)]
    table: String,
}

/// Publishes a merchant's folder, with the AWS credentials and the region of the environment.
pub(crate) async fn run(options: Options) -> CommandResult {
    let client = api::client(aws_config::defaults(BehaviorVersion::latest())).await;
    let store = Store::new(client, &options.table);
    let bundle = local::publish_folder(&store, &options.folder).await?;
    say!("{} now runs {} in {}", bundle.programme().merchant, bundle.hash(), options.table);
    Ok(())
}
