//! `regulars publish`: rules published to a table in AWS.

use std::path::{Path, PathBuf};

use ::history::DataSet;
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
    /// Why rules are published that a gate would stop; it is recorded with them
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
    let merchant = place::merchant_of(&options.folder)?;
    let told = |error: PublishError| told(&FolderError::Publish(error));
    // They are read once: what is published is what was tried.
    let sources = Sources::read(&options.folder)?;
    let bundle = decide::proven(&merchant, &sources)?;
    let reason = options.reason.as_deref().map(reason).transpose()?;
    let against = options.against.as_deref();
    let against = against.map(|folder| opened(folder, &merchant)).transpose()?;
    let forgetting = Forgetting::from(options.forget);
    let exception = match gate(&store, &merchant, &bundle).await? {
        Some(stands) => {
            if let (Forgetting::Refused, Ok(in_force)) = (forgetting, &stands.in_force) {
                // It is said before a long trial.
                api::forgets_nothing(in_force, &bundle).map_err(told)?;
            }
            stands.asked(&merchant, &bundle, against, reason.as_deref())?
        }
        None => {
            if against.is_some() {
                say!("no gate stands before these rules, so they are not tried");
            }
            None
        }
    };
    let how = Publishing { forgetting, exception: exception.clone() };
    let bundle = api::publish(&store, &merchant, &sources, how).await.map_err(told)?;
    match (exception, reason) {
        (Some(Exception { reason, .. }), _) => say!("recorded with them: {reason}"),
        (None, Some(_)) => say!("nothing stood against these rules, so no reason is recorded"),
        (None, None) => {}
    }
    say!("{} now runs {} in {}", bundle.programme().merchant, bundle.hash(), options.table);
    Ok(())
}

fn reason(written: &str) -> CommandResult<String> {
    Ok(parse_text(written).map_err(|error| format!("--reason: {error}"))?)
}

/// Checks that a folder has a history of the merchant.
fn opened<'a>(folder: &'a Path, merchant: &MerchantId) -> CommandResult<&'a Path> {
    DataSet::open(folder, Some(merchant))?;
    Ok(folder)
}

/// What stands before a merchant's rules: the rules in force, or why they cannot be read, and the
/// limits of both.
struct Stands {
    in_force: Result<Bundle, String>,
    gate: Gate,
}

/// What stands before these rules; nothing if there are none in force, or the same ones, or if no
/// manifest has a gate.
async fn gate(
    store: &Store,
    merchant: &MerchantId,
    bundle: &Bundle,
) -> CommandResult<Option<Stands>> {
    let own = bundle.programme().gate;
    match api::in_force(store, merchant).await {
        Ok(Some(in_force)) if in_force.hash() != bundle.hash() => {
            // Who loosens the gate passes the one in force.
            let gate = in_force.programme().gate.and(own);
            Ok((gate != Gate::default()).then_some(Stands { in_force: Ok(in_force), gate }))
        }
        Ok(_) => Ok(None),
        Err(PublishError::NotComparable(reason)) => {
            Ok(Some(Stands { in_force: Err(reason), gate: own }))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is said to whoever has given no reason.
const REASON: &str = "The rules in force stay; `--reason TEXT` publishes these all the same, and is recorded with them";

impl Stands {
    /// Tries the rules, and says what they may be published as: an exception, if the gate stops them
    /// and there is a reason.
    fn asked(
        &self,
        merchant: &MerchantId,
        bundle: &Bundle,
        against: Option<&Path>,
        reason: Option<&str>,
    ) -> CommandResult<Option<Exception>> {
        let exception = |stopped: String, found: Vec<String>| -> CommandResult<Option<Exception>> {
            let reason = reason.ok_or_else(|| format!("{stopped}\n{REASON}"))?.to_owned();
            Ok(Some(Exception { at: Clock::System.now(), reason, found }))
        };
        let in_force = match &self.in_force {
            Ok(in_force) => in_force,
            Err(unreadable) => {
                let what = format!("the rules in force cannot be read: {unreadable}");
                return exception(
                    format!(
                        "{what}\nnobody can say what their gate is, and what they would have paid"
                    ),
                    vec![what],
                );
            }
        };
        let Some(against) = against else {
            let untried = "a gate stands before these rules: `--against DIR` tries them on a history first, as `regulars history` writes it";
            return exception(untried.to_owned(), Vec::new());
        };
        let outcome = tried(merchant, bundle, Some(in_force), against, Span::default())?;
        let gauged = outcome.report.gauged(&self.gate);
        for one in gauged.iter().filter(|one| !one.is_beyond) {
            say!("{one}");
        }
        let beyond = gauged.iter().filter(|one| one.is_beyond).map(ToString::to_string);
        let found: Vec<String> = beyond.collect();
        if found.is_empty() {
            return Ok(None);
        }
        let beyond = format!(
            "these rules are beyond the gate, compared with those in force:\n  {}",
            found.join("\n  ")
        );
        exception(beyond, found)
    }
}
