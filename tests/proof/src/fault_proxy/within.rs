//! The embedded database in this process, without a socket.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The database's answer to a request: the status and the JSON body.
#[must_use]
pub(crate) fn answer(database: &Database, target: &str, body: &[u8]) -> (u16, String) {
    let done = match target {
        "PutItem" => call(body, |request| database.put_item(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
        "TransactGetItems" => call(body, |request| database.transact_get_items(request)),
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        other => Err(DynoxideError::ValidationException(format!("nobody asks for {other}"))),
    };
    match done {
        Ok(text) => (200, text),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    ask: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let wrong = |error: serde_json::Error| DynoxideError::ValidationException(error.to_string());
    let request = serde_json::from_slice(body).map_err(wrong)?;
    serde_json::to_string(&ask(request)?).map_err(wrong)
}
