//! `expire` as a Lambda, for the schedule's event.

use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    api::log();
    let api = api::from_environment().await?;
    let api = &api;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<expire::Event>| {
        let summary = expire::run(api, &event.payload, time_left(&event)).await?;
        tracing::info!(?summary, "expired {} of {} due members", summary.expired, summary.due);
        Ok::<_, Error>(summary)
    }))
    .await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the deadline is counted in the machine's time, which is not the time that expiry is judged by"
)]
fn time_left(event: &LambdaEvent<expire::Event>) -> Option<Duration> {
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline);
    // An emulator's deadline is in 1970. A deadline before the start counts as none.
    deadline.duration_since(SystemTime::now()).ok()
}
