//! A worker in a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api::{Api, Clock, Identity};
use axum::Json;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::post;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ledger::Moment;
use local::app;
use serde_json::{Value, json};
use store::Store;
use tokio::net::TcpListener;

use crate::ProofResult;
use crate::world::client;

/// A worker in a process of its own.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

/// The status and the text of an answer.
pub type Answered = (u16, String);

impl Process {
    /// Starts a process from the program whose subcommand `serve` calls [`serve`].
    ///
    /// # Errors
    /// The program does not start, or does not print its address.
    pub fn start(program: &Path, endpoint: SocketAddr, now: Moment) -> ProofResult<Process> {
        let mut child = Command::new(program)
            .args(["serve", "--endpoint", &endpoint.to_string(), "--now", &now.to_rfc3339()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("it says nothing")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Process { child, address, client })
    }

    /// The peak of the process's memory, in KiB.
    ///
    /// # Errors
    /// The system does not report it.
    pub fn memory(&self) -> ProofResult<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let most = most.and_then(|most| most.trim().strip_suffix(" kB"));
        Ok(most.ok_or("the machine does not say how much memory it had")?.trim().parse()?)
    }

    /// Kills the process with SIGKILL.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// A request to the process, as a future that borrows nothing, so that the process can be
    /// killed meanwhile.
    pub fn request(
        &self,
        merchant: &str,
        method: &Method,
        path: &str,
        key: &str,
        body: &Value,
    ) -> impl Future<Output = ProofResult<Answered>> + Send + use<> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer local:{merchant}"))
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        let client = self.client.clone();
        let timeout = if path == "/expire-now" { TIMEOUT_OF_EXPIRY_RUN } else { TIMEOUT };
        async move {
            let answer = tokio::time::timeout(timeout, client.request(request?)).await??;
            let status = answer.status().as_u16();
            let text = answer.into_body().collect().await?.to_bytes();
            Ok((status, String::from_utf8(text.to_vec())?))
        }
    }
}

/// The time after which a request gives up: for most requests, and for an expiry run.
const TIMEOUT: Duration = Duration::from_secs(20);
const TIMEOUT_OF_EXPIRY_RUN: Duration = Duration::from_hours(2);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Serves the API in this process until it is killed. It first prints its address. A POST to
/// `/expire-now` starts an expiry run.
///
/// # Errors
/// The port cannot be bound, or the server fails.
pub async fn serve(endpoint: SocketAddr, now: Moment) -> ProofResult {
    let store = Store::new(client(endpoint).await, local::TABLE);
    let clock = Clock::standing(now);
    let api = Api::new(store, clock.clone(), Identity::Development);
    let expire_now = {
        let api = api.clone();
        async move |Json(body): Json<Value>| {
            if let Some(now) = body["now"].as_str().and_then(|now| now.parse().ok()) {
                clock.set(now);
            }
            let done = expire::run(&api, &expire::Event::default(), None).await;
            Json(match done {
                Ok(done) => json!({ "due": done.due }),
                Err(error) => json!({ "error": error.to_string() }),
            })
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    #[expect(clippy::print_stdout, reason = "whoever started it reads where it is")]
    {
        println!("{}", listener.local_addr()?);
    }
    axum::serve(listener, app(&api).route("/expire-now", post(expire_now))).await?;
    Ok(())
}
