//! What the proxy remembers of requests and answers.

use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Bytes;

use super::asked::Asked;
use super::state::{State, lock};

/// The oldest answer kept for the same read; nothing if there is none.
pub(super) fn stale(state: &State, asked: &Asked) -> Option<Bytes> {
    lock(&state.memory).answers.values.get(&asked.read)?.front().cloned()
}

/// The most answers that are kept for one read.
const ANSWERS_MAX: usize = 3;

/// The most bytes of an answer that is kept.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn remember(state: &State, asked: &Asked, answer: &Response<Full<Bytes>>) {
    let Ok(text) = answer.body().clone().collect().await;
    let text = text.to_bytes();
    if text.len() > ANSWER_BYTES_MAX {
        return;
    }
    let mut memory = lock(&state.memory);
    let answers = memory.answers.of(&asked.read);
    answers.push_back(text);
    if answers.len() > ANSWERS_MAX {
        answers.pop_front();
    }
}
