//! The setup of a function that runs as a Lambda: its DynamoDB client, its environment and its
//! logs.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_dynamodb::Client;
use axum::Router;
use store::Store;
use tracing_subscriber::EnvFilter;

use crate::{Api, Clock, DEVELOPMENT_VARIABLE, Identity};

/// The environment variable that names the table.
const TABLE_VARIABLE: &str = "REGULARS_TABLE";

/// A DynamoDB client with timeouts of 1.5 s per attempt and 3 s per call. It gives up on an attempt
/// early enough to make another within the function's time.
pub async fn client(config: ConfigLoader) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_millis(1500))
        .operation_timeout(Duration::from_secs(3))
        .build();
    let config = config
        .timeout_config(timeouts)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50)),
        )
        .load()
        .await;
    Client::new(&config)
}

/// The state of a function, read from its environment variables: `REGULARS_TABLE`, and
/// `REGULARS_DEVELOPMENT=1` on a laptop.
///
/// # Errors
/// `REGULARS_TABLE` is not set, or `REGULARS_DEVELOPMENT` is set to something other than `1`.
pub async fn from_environment() -> Result<Api, String> {
    let table = std::env::var(TABLE_VARIABLE)
        .map_err(|_| format!("the environment variable {TABLE_VARIABLE} names no table"))?;
    let identity = match std::env::var(DEVELOPMENT_VARIABLE) {
        Err(_) => Identity::Verified,
        Ok(value) if value == "1" => {
            tracing::warn!("{DEVELOPMENT_VARIABLE} is set: anyone can call as any merchant");
            Identity::Development
        }
        Ok(value) => {
            return Err(format!("{DEVELOPMENT_VARIABLE} is `{value}`; it is `1` or not set"));
        }
    };
    let client = client(aws_config::defaults(BehaviorVersion::latest())).await;
    Ok(Api::new(Store::new(client, table), Clock::System, identity))
}

/// Sets up logging as JSON lines, at the level that `RUST_LOG` sets.
pub fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Lambda adds the time to each line.
    tracing_subscriber::fmt().json().with_env_filter(filter).without_time().init();
}

/// Runs a function's router as a Lambda.
///
/// # Errors
/// The environment is incomplete, or the Lambda runtime cannot be reached.
pub async fn serve(router: impl FnOnce(Api) -> Router) -> Result<(), lambda_http::Error> {
    log();
    lambda_http::run(router(from_environment().await?)).await
}
