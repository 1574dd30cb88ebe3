//! `regulars demo`: a replay of real orders, with a report.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use local::Database;

use crate::place::{Rules, data, nearest, shown};
use crate::replay::{File, Format, replay};
use crate::report::{Totals, story};
use crate::result::CommandResult;

const MERCHANT: &str = "cdnow";
const ORDERS: &str = "tests/data/cdnow_orders.csv";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rules: Rules,
}

pub(crate) async fn run(options: Options) -> CommandResult {
    let started = Instant::now();
    let rules = options.rules.folder()?;
    let orders = nearest(ORDERS, Path::is_file)?;
    let file = data(&rules, "demo.db");
    // A demo starts with an empty database.
    remove(&file)?;
    say!(
        "Replaying {} through the handlers that run in AWS, under the rules in {}.\n",
        shown(&orders),
        shown(&rules.join(MERCHANT)),
    );
    let database = Database::open(Some(&file), 0).await?;
    let history = replay(
        &database,
        &rules,
        MERCHANT,
        File { path: &orders, format: &Format::default() },
        true,
    )
    .await?;
    history.counts.tell();
    let totals = Totals::of(database.store(), &history.bundle, history.ended).await?;
    say!("{}", totals.table(&history.bundle, &history.counts));
    let member = totals.most_telling().cloned();
    if let Some(member) = &member {
        say!("{}", story(database.store(), &history.bundle, member).await?);
    }
    say!("{} orders took {} seconds.\n", totals.orders, started.elapsed().as_secs());
    let member = member.map_or_else(|| "0001".to_owned(), |member| member.to_string());
    say!(
        "Try next:\n\
         \x20 - Change a number in {}, run the demo again, and see what moves.\n\
         \x20 - Ask the API about a member, on the day the data ends:\n\
         \x20     cargo run -- dev --data {} --clock {}\n\
         \x20     curl -H 'Authorization: Bearer local:{MERCHANT}' http://127.0.0.1:9000/v1/members/{member}\n\
         \x20 - Start with an empty shop of your own: cargo run -- dev",
        shown(&rules.join(MERCHANT).join("earn.rhai")),
        shown(&file),
        history.ended.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    );
    Ok(())
}

/// Removes a database file with its write-ahead log.
fn remove(file: &Path) -> CommandResult {
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("`{}` cannot be removed: {error}", file.display()).into());
            }
            _ => {}
        }
    }
    Ok(())
}
