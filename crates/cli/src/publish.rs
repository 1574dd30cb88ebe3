//! `regulars publish`: rules published to a table in AWS.

use std::path::{Path, PathBuf};

use api::{Clock, Forgetting, PublishError, Publishing};
use aws_config::BehaviorVersion;
use clap::Args;
use ledger::MerchantId;
use ledger::programme::Gate;
use ledger::text::parse_text;
use local::FolderError;
use rules::{Bundle, Sources};
use store::{Exception, Store};

use crate::backtest::{Span, tried};
use crate::place;
use crate::result::CommandResult;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The merchant's folder
    folder: PathBuf,
    /// The table
    #[arg(long)]
    table: String,
    /// The history on which the rules are tried first, as `regulars history` writes it
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Why rules are published that the gate of the manifest would stop; it is recorded with them
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
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
    let (merchant, folder) = place::merchant_of(&options.folder)?;
    let told = |error: PublishError| told(&FolderError::Publish(error));
    // They are read once: what is published is what was tried.
    let sources = Sources::read(&folder)?;
    let bundle = decide::proven(&merchant, &sources)?;
    let reason = options.reason.as_deref().map(reason).transpose()?;
    let against = options.against.as_deref();
    let exception = match gate(&store, &merchant, &bundle).await? {
        Some(stands) => stands.asked(&merchant, &bundle, against, reason)?,
        None => None,
    };
    let how = Publishing { forgetting: options.forget.into(), exception };
    let bundle = api::publish(&store, &merchant, &sources, how).await.map_err(told)?;
    say!("{} now runs {} in {}", bundle.programme().merchant, bundle.hash(), options.table);
    Ok(())
}

fn reason(written: &str) -> CommandResult<String> {
    Ok(parse_text(written).map_err(|error| format!("--reason: {error}"))?)
}

/// What stands before a merchant's rules: the rules in force, and the limits of both.
struct Stands {
    in_force: Bundle,
    gate: Gate,
}

/// What stands before these rules; nothing if there are none in force, or the same ones, or if no
/// manifest has a gate.
async fn gate(
    store: &Store,
    merchant: &MerchantId,
    bundle: &Bundle,
) -> CommandResult<Option<Stands>> {
    let Some(active) = store.active_bundle(merchant).await? else { return Ok(None) };
    if active == bundle.hash().as_str() {
        return Ok(None);
    }
    let in_force = api::bundle_of(store, merchant, &active).await;
    let in_force = in_force.map_err(|error| {
        format!("the rules in force cannot be read, so nobody can say what their gate is: {error}")
    })?;
    // Who loosens the gate passes the one in force.
    let gate = in_force.programme().gate.and(bundle.programme().gate);
    Ok((gate != Gate::default()).then_some(Stands { in_force, gate }))
}

impl Stands {
    /// Tries the rules, and says what they may be published as: an exception, if they are beyond the
    /// gate and there is a reason.
    fn asked(
        &self,
        merchant: &MerchantId,
        bundle: &Bundle,
        against: Option<&Path>,
        reason: Option<String>,
    ) -> CommandResult<Option<Exception>> {
        let at = Clock::System.now();
        let Some(against) = against else {
            let reason = reason.ok_or(
                "the manifest has a gate: `--against DIR` tries the rules on a history first, as `regulars history` writes it\nThe rules in force stay; `--reason TEXT` publishes these all the same, and is recorded with them",
            )?;
            return Ok(Some(Exception { at, reason, found: Vec::new() }));
        };
        let outcome = tried(merchant, bundle, Some(&self.in_force), against, Span::default())?;
        let gauged = outcome.report.gauged(&self.gate);
        for one in gauged.iter().filter(|one| !one.is_beyond) {
            say!("{one}");
        }
        let beyond = gauged.iter().filter(|one| one.is_beyond).map(ToString::to_string);
        let found: Vec<String> = beyond.collect();
        if found.is_empty() {
            return Ok(None);
        }
        let beyond =
            format!("these rules are beyond the gate of the manifest:\n  {}", found.join("\n  "));
        let Some(reason) = reason else {
            let folder = against.display();
            return Err(format!(
                "{beyond}\nThe rules in force stay; `--reason TEXT` publishes these all the same, and is recorded with them; `regulars backtest` against {folder} shows who gets what"
            )
            .into());
        };
        say!("{beyond}\nThey are published all the same: {reason}");
        Ok(Some(Exception { at, reason, found }))
    }
}
