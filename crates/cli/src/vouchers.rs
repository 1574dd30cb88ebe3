//! `regulars vouchers`: codes imported into a pool.

use std::path::PathBuf;

use aws_config::BehaviorVersion;
use clap::Args;
use local::Database;
use store::Store;

use crate::place;
use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant
    #[arg(long)]
    merchant: String,
    /// The pool, as the manifest lists it
    #[arg(long)]
    pool: String,
    /// The file of codes, one per line
    file: PathBuf,
    /// Into a data file on this machine
    #[arg(long, value_name = "FILE", conflicts_with = "table", required_unless_present = "table")]
    data: Option<PathBuf>,
    /// Into a table in AWS
    #[arg(long)]
    table: Option<String>,
}

/// The most characters of a voucher code.
const CODE_LENGTH_MAX: usize = 64;

/// Imports the codes of a file into a pool.
pub(crate) async fn run(options: Options) -> CommandResult {
    let merchant = place::merchant_named(&options.merchant)?;
    let text = std::fs::read_to_string(&options.file)
        .map_err(|error| format!("{} cannot be read: {error}", options.file.display()))?;
    // A byte order mark is no part of the first code.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut codes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.trim();
        let plain = code.chars().all(|c| c.is_ascii_graphic()) && code.len() <= CODE_LENGTH_MAX;
        if !plain {
            return Err(format!(
                "{}:{}: `{code}` is no code: at most {CODE_LENGTH_MAX} signs without spaces",
                options.file.display(),
                number + 1
            )
            .into());
        }
        if !code.is_empty() {
            codes.push(code.to_owned());
        }
    }
    let new = match (&options.table, &options.data) {
        (Some(table), _) => {
            let client = api::client(aws_config::defaults(BehaviorVersion::latest())).await;
            Store::new(client, table).import_codes(&merchant, &options.pool, &codes).await?
        }
        (None, Some(data)) => {
            // The value must live until the import is done: it serves the file until it is dropped.
            let database = Database::open(Some(data), 0).await?;
            database.store().import_codes(&merchant, &options.pool, &codes).await?
        }
        (None, None) => return Err("say `--data FILE` or `--table NAME`".into()),
    };
    say!("{new} codes are new in {}; {} were there", options.pool, codes.len() - new);
    Ok(())
}
