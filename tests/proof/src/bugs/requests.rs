//! Bugs in the fault proxy: requests to the database that are changed.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use serde_json::{Value, json};

use crate::fault_proxy::Tampered;

/// Changes each put of a version in a request, alone or in a transaction.
fn versions(target: &str, request: &mut Value, mut change: impl FnMut(&mut Value)) {
    let is_version =
        |put: &Value| put["Item"]["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with("v#"));
    match target {
        "PutItem" if is_version(request) => change(request),
        "TransactWriteItems" => {
            for item in request["TransactItems"].as_array_mut().into_iter().flatten() {
                if is_version(&item["Put"]) {
                    change(&mut item["Put"]);
                }
            }
        }
        _ => {}
    }
}

fn without_condition(put: &mut Value) {
    if let Some(put) = put.as_object_mut() {
        put.remove("ConditionExpression");
        put.remove("ExpressionAttributeNames");
        put.remove("ReturnValuesOnConditionCheckFailure");
    }
}

/// Whether a put is chosen, as one in `many` is. The choice depends only on the item's keys, so
/// every run chooses the same puts, though each person has a random key.
fn one_in(many: u64, put: &Value) -> bool {
    let mut hasher = DefaultHasher::new();
    let key = ["pk", "sk"].map(|part| put["Item"][part]["S"].as_str());
    key.hash(&mut hasher);
    hasher.finish().is_multiple_of(many)
}

pub(super) fn no_condition(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, without_condition);
    Tampered::GoesOn
}

pub(super) fn stale_without_version(target: &str, request: &mut Value) -> Tampered {
    if target == "Query" && request["IndexName"].is_null() {
        request["ConsistentRead"] = json!(false);
    }
    no_condition(target, request)
}

fn is_of_shared_limit(item: &Value) -> bool {
    item["Update"]["Key"]["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("p#"))
}

pub(super) fn bare_add(target: &str, request: &mut Value) -> Tampered {
    let Some(items) = request["TransactItems"].as_array_mut().filter(|_| target.starts_with("Tr"))
    else {
        return Tampered::GoesOn;
    };
    let (adds, rest): (Vec<Value>, Vec<Value>) = items.drain(..).partition(is_of_shared_limit);
    *items = rest;
    let adds = adds.into_iter().map(|mut item| {
        let mut update = item["Update"].take();
        if let Some(update) = update.as_object_mut() {
            update.remove("ConditionExpression");
        }
        ("UpdateItem", update)
    });
    Tampered::After(adds.collect())
}

pub(super) fn no_stock_condition(_: &str, request: &mut Value) -> Tampered {
    for item in request["TransactItems"].as_array_mut().into_iter().flatten() {
        if is_of_shared_limit(item)
            && let Some(update) = item["Update"].as_object_mut()
        {
            update.remove("ConditionExpression");
        }
    }
    Tampered::GoesOn
}

pub(super) fn entries_by_ttl(target: &str, request: &mut Value) -> Tampered {
    let mut old = Vec::new();
    versions(target, request, |put| {
        let key = json!({ "pk": put["Item"]["pk"], "sk": { "S": "v#0000000002" } });
        if put["Item"]["sk"]["S"].as_str().is_some_and(|sk| sk > "v#0000000009") {
            old.push(("DeleteItem", json!({ "TableName": put["TableName"], "Key": key })));
        }
    });
    Tampered::After(old)
}

pub(super) fn key_is_not_looked_for(target: &str, request: &mut Value) -> Tampered {
    if target == "Query" && request["IndexName"] == "by_op" {
        request["ExpressionAttributeValues"][":op"] = json!({ "S": "another" });
    }
    Tampered::GoesOn
}

pub(super) fn key_is_not_kept(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, |put| {
        if let Some(item) = put["Item"].as_object_mut() {
            item.remove("op");
        }
    });
    Tampered::GoesOn
}

pub(super) fn half_a_transaction(_: &str, request: &mut Value) -> Tampered {
    if let Some(items) = request["TransactItems"].as_array_mut()
        && items.len() > 1
    {
        items.pop();
    }
    Tampered::GoesOn
}

pub(super) fn swallowed(target: &str, request: &mut Value) -> Tampered {
    if target == "PutItem" && one_in(20, request) { Tampered::Swallowed } else { Tampered::GoesOn }
}

pub(super) fn due_is_not_moved(_: &str, request: &mut Value) -> Tampered {
    if let Some(items) = request["TransactItems"].as_array_mut() {
        items.retain(|item| item["Update"]["Key"]["sk"]["S"] != "~");
    }
    Tampered::GoesOn
}

pub(super) fn rot(target: &str, request: &mut Value) -> Tampered {
    versions(target, request, |put| {
        if one_in(20, put)
            && let Some(body) = put["Item"]["body"]["B"].as_str()
        {
            let flipped = if body.starts_with('A') { "B" } else { "A" };
            let rest: String = body.chars().skip(1).collect();
            put["Item"]["body"]["B"] = json!(format!("{flipped}{rest}"));
        }
    });
    Tampered::GoesOn
}

pub(super) fn one_token(target: &str, request: &mut Value) -> Tampered {
    if target == "TransactWriteItems" {
        request["ClientRequestToken"] = json!("always the same");
    }
    Tampered::GoesOn
}
