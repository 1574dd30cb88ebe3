//! The proxy without a socket: a connector that takes the SDK's requests to it.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Bytes;

use super::answer::answered;
use super::answers::Broken;
use super::state::{State, lock};

/// A connector of the SDK that takes requests to a proxy in this process.
#[derive(Clone)]
pub(super) struct Carrier(pub(super) Arc<State>);

impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Carrier")
    }
}

/// The longest time that a request or an answer takes on its way.
const ON_ITS_WAY_MAX: Duration = Duration::from_millis(20);

impl HttpConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let state = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
            let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
            let broken = |broken: Broken| ConnectorError::io(broken.into());
            let parts = Request::builder().header("x-amz-target", target).body(());
            let (parts, ()) = parts.map_err(|_| broken(Broken))?.into_parts();
            on_its_way(&state).await;
            let (parts, body) =
                answered(state.clone(), parts, body).await.map_err(broken)?.into_parts();
            on_its_way(&state).await;
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let status = parts.status.as_u16().try_into();
            let status = status.map_err(|_| broken(Broken))?;
            Ok(HttpResponse::new(status, SdkBody::from(body.to_vec())))
        })
    }
}

/// Waits a random time, so that requests overtake each other.
async fn on_its_way(state: &State) {
    let most = u64::try_from(ON_ITS_WAY_MAX.as_micros()).unwrap_or(u64::MAX);
    let micros = lock(&state.memory).chance.u64(0..most);
    tokio::time::sleep(Duration::from_micros(micros)).await;
}
