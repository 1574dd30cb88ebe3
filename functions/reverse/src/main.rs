//! `reverse` as a Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    api::serve(reverse::router).await
}
