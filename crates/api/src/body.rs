//! JSON bodies, paths and queries; a refusal points to the field at fault.

use std::collections::BTreeSet;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use chrono::DateTime;
use decide::escape;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ledger::MemberId;
use ledger::money::parse_decimal;
use ledger::text::compared;
use rules::Object;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use store::Fingerprint;

use crate::{Api, Problem, Refusal};

/// The most bytes of a body. An order of 500 lines fits.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Body<T> {
    /// The parsed body.
    pub value: T,
    json: Value,
}

impl<T> Body<T> {
    /// The parsed body, and its fingerprint.
    #[must_use]
    pub fn with_fingerprint(self) -> (T, Fingerprint) {
        let fingerprint = self.fingerprint();
        (self.value, fingerprint)
    }

    /// The fingerprint by which a repeat of the same body is recognized.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint_of_activity(|_| false)
    }

    /// The fingerprint of an activity, of whose fields some are numbers: `5.0` and `5.00` say the
    /// same there, and not in a text.
    #[must_use]
    pub fn fingerprint_of_activity(&self, is_number: impl Fn(&str) -> bool) -> Fingerprint {
        Fingerprint::of(&said(&self.json, &is_number))
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Api) -> Result<Body<T>, Problem> {
        says_json(request.headers())?;
        let bytes = match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Refusal::BodyIsTooLarge { bytes_max: BODY_BYTES_MAX }.into());
            }
            Err(error) => return Err(Refusal::BodyIsCutOff(error.to_string()).into()),
        };
        parse(&bytes).map_err(Problem::from)
    }
}

/// Refuses a body that says it is not JSON. A body that does not say what it is is taken as JSON.
fn says_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Refusal::BodyIsOfAnotherType(essence.chars().take(60).collect()))
}

/// What a body says, in one form: two requests are the same if they say the same. Fields that are
/// `null` or empty, or that say what is so anyway, are as if they were absent; texts are compared as
/// the ledger compares them, numbers by their value whether they are JSON numbers or texts, and
/// times in UTC.
///
/// The id at the top is left out: a request is found by it. `is_number` tells which fields of the
/// activity are numbers.
fn said(body: &Value, is_number: &dyn Fn(&str) -> bool) -> Value {
    let Value::Object(fields) = body else { return canonical("", body).unwrap_or_default() };
    let fields = fields.iter().filter(|(name, _)| *name != "id");
    let fields = fields.filter_map(|(name, value)| {
        let value = match (name.as_str(), value) {
            ("fields", Value::Object(fields)) => object(fields.iter().filter_map(|field| {
                let named = if is_number(field.0) { "amount" } else { "" };
                Some((field.0.clone(), canonical(named, field.1)?))
            })),
            _ => canonical(name, value),
        };
        Some((name.clone(), value?))
    });
    Value::Object(fields.collect())
}

/// The fields that are numbers wherever they stand.
const NUMBERS_BY_NAME: [&str; 10] = [
    "total", "price", "amount", "discount", "shipping", "tax", "tip", "quantity", "refund", "units",
];
/// The fields that are zero if they are not sent.
const ZERO_BY_NAME: [&str; 4] = ["discount", "shipping", "tax", "tip"];

fn canonical(name: &str, value: &Value) -> Option<Value> {
    let value = match value {
        Value::Null => return None,
        Value::Bool(_) => value.clone(),
        Value::Number(number) => Value::String(normal(&number.to_string())),
        Value::String(text) => match compared(text) {
            text if text.is_empty() => return None,
            text if NUMBERS_BY_NAME.contains(&name) => Value::String(normal(&text)),
            text if name == "at" => Value::String(in_utc(&text).unwrap_or(text)),
            text => Value::String(text),
        },
        Value::Array(items) => {
            // A line of which nothing is said is still one piece.
            let said = |item: &Value| {
                canonical("", item).or_else(|| item.is_object().then_some(Value::Null))
            };
            let items = items.iter().filter_map(said);
            let is_line = name == "lines";
            let items: Vec<Value> = items.filter(|item| !is_line || !is_voided(item)).collect();
            if items.is_empty() {
                return None;
            }
            Value::Array(items)
        }
        Value::Object(fields) if name == "attributes" => object(
            fields.iter().filter_map(|(name, value)| Some((name.clone(), canonical("", value)?))),
        )?,
        Value::Object(fields) => said_in(fields)?,
    };
    let is_so_anyway = match (name, &value) {
        ("quantity", Value::String(one)) => one == "1",
        (_, Value::String(number)) => ZERO_BY_NAME.contains(&name) && number == "0",
        _ => false,
    };
    (!is_so_anyway).then_some(value)
}

/// The fields of an object. A category is the first of several, and the currency is left out: it is
/// the programme's, or the request is refused.
fn said_in(fields: &Map<String, Value>) -> Option<Value> {
    let told = fields.iter().filter(|(name, _)| *name != "currency");
    let told = told.filter_map(|(name, value)| Some((name.clone(), canonical(name, value)?)));
    let mut said: Map<String, Value> = told.collect();
    if let Some(category) = said.remove("category") {
        let categories = said.entry("categories").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(categories) = categories
            && !categories.contains(&category)
        {
            categories.insert(0, category);
        }
    }
    object(said)
}

fn object(fields: impl IntoIterator<Item = (String, Value)>) -> Option<Value> {
    let fields: Map<String, Value> = fields.into_iter().collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// Whether nothing was bought of a line.
fn is_voided(line: &Value) -> bool {
    line.get("quantity").is_some_and(|quantity| quantity == "0")
}

fn normal(number: &str) -> String {
    parse_decimal(number)
        .map_or_else(|_| number.to_owned(), |number| number.normalize().to_string())
}

fn in_utc(at: &str) -> Option<String> {
    Some(DateTime::parse_from_rfc3339(at).ok()?.timestamp().to_string())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Body<T>, Refusal> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| Refusal::BodyIsNotJson {
        line: error.line(),
        column: error.column(),
        reason: say(&error),
    })?;
    // `serde_json::Value` and maps silently drop duplicate fields, which would change the body. So
    // duplicates are refused first.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize::<_, Once>(&mut reader).map_err(|error| wrong(&error))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader);
    let Object(value) = read.map_err(|error| wrong(&error))?;
    Ok(Body { value, json })
}

fn wrong(error: &serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    let pointer = pointer(error.path());
    Refusal::FieldIsWrong { pointer, reason: say(error.inner()) }
}

/// Any JSON in which no object has the same field twice.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Once, D::Error> {
        deserializer.deserialize_any(Once)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Once;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_str<E>(self, _: &str) -> Result<Once, E> {
        Ok(Once)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        while seq.next_element::<Once>()?.is_some() {}
        Ok(Once)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<Once>()?;
            if let Some(name) = seen.replace(name) {
                return Err(Error::custom(format!("duplicate field `{name}`")));
            }
        }
        Ok(Once)
    }
}

/// The JSON pointer (RFC 6901) of a path.
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The parser's message without the position, which is reported separately, and without the names
/// of Rust types.
fn say(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    for (types, words) in NUMBERS {
        for name in types {
            if let Some(before) = text.strip_suffix(&format!("expected {name}")) {
                return format!("{before}expected {words}");
            }
        }
    }
    text.to_owned()
}

/// The message about a query, without the framework's own words.
fn say_query(text: &str) -> String {
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let text = match text.split_once(": ") {
        // The name of the parameter comes first.
        Some((name, reason)) if !name.contains(' ') => format!("`{name}`: {reason}"),
        _ => text.to_owned(),
    };
    const WORDS: [(&str, &str); 7] = [
        ("unknown field", "there is no parameter"),
        (", there are no fields", ""),
        ("duplicate field", "it stands there twice:"),
        ("provided string was not `true` or `false`", "it is `true` or `false`"),
        ("invalid digit found in string", "it is a whole number, not below zero"),
        ("cannot parse integer from empty string", "it is a whole number, and there is none"),
        ("number too large to fit in target type", "it is a whole number, and not so large"),
    ];
    WORDS.iter().fold(text, |text, (theirs, ours)| text.replace(theirs, ours))
}

/// The parser's names of number types, and plain words for them.
const NUMBERS: [(&[&str], &str); 2] =
    [(&["u32", "u64"], "a whole number, not below zero"), (&["i64"], "a whole number")];

/// The member that the path names.
#[derive(Debug, Clone)]
pub struct InPath(pub MemberId);

impl FromRequestParts<Api> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<InPath, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|rejection: PathRejection| Refusal::PathIsWrong(rejection.body_text()))?;
        match MemberId::parse(&id) {
            Ok(id) => Ok(InPath(id)),
            Err(reason) => Err(Refusal::MemberIdIsWrong { pointer: None, reason }.into()),
        }
    }
}

/// The member that the path names, and the name that follows it, such as a hold's.
#[derive(Debug, Clone)]
pub struct InPathOf(pub MemberId, pub String);

impl FromRequestParts<Api> for InPathOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<InPathOf, Problem> {
        let Path((id, of)) = Path::<(String, String)>::from_request_parts(parts, api)
            .await
            .map_err(|rejection: PathRejection| Refusal::PathIsWrong(rejection.body_text()))?;
        match MemberId::parse(&id) {
            Ok(id) => Ok(InPathOf(id, of)),
            Err(reason) => Err(Refusal::MemberIdIsWrong { pointer: None, reason }.into()),
        }
    }
}

/// The query of a request that takes no parameters; any parameter is refused.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// The query parameters of a request.
#[derive(Debug, Clone)]
pub struct InQuery<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<InQuery<T>, Problem> {
        let Query(value) =
            Query::from_request_parts(parts, api).await.map_err(|rejection: QueryRejection| {
                Refusal::QueryIsWrong(say_query(&rejection.body_text()))
            })?;
        Ok(InQuery(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use decide::ActivityBody;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it is only read")]
    struct Units {
        units: i64,
        pieces: u32,
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_place() {
        let check = |json: &str, expected: &str| {
            let found = match parse::<ActivityBody>(json.as_bytes()).map(|body| body.value) {
                Ok(_) => "fine".to_owned(),
                Err(Refusal::FieldIsWrong { pointer, reason }) => format!("{pointer}: {reason}"),
                Err(Refusal::BodyIsNotJson { line, column, reason }) => {
                    format!("{line}:{column}: {reason}")
                }
                Err(other) => other.to_string(),
            };
            assert_eq!(found, expected, "{json}");
        };
        check(r#"{"type":"purchase","order":{"total":"12.40"}}"#, "fine");
        check("{\"type\":\n\"purchase\",}", "2:12: trailing comma");
        check("", "1:0: EOF while parsing a value");
        check(r#"{"type":"purchase"} x"#, "1:21: trailing characters");
        check("[]", ": invalid type: sequence, expected an object");
        check(
            r#"{"typ":"purchase"}"#,
            "/typ: unknown field `typ`, expected one of `type`, `id`, `at`, `of`, `replaces`, `returns`, `order`, `channel`, `payment`, `fields`",
        );
        check(r#"{"type":"a","type":"b"}"#, ": duplicate field `type`");
        check(
            r#"{"type":"review","fields":{"stars":9,"stars":2}}"#,
            "/fields: duplicate field `stars`",
        );
        check(r#"{"order":{"total":"1"}}"#, ": missing field `type`");
        check(r#"{"type":"purchase","order":{"total":12.4,"lines":null}}"#, "fine");
        check(
            r#"{"type":"purchase","order":{"total":true}}"#,
            "/order/total: invalid type: boolean `true`, expected an amount, such as \"12.40\"",
        );
        check(
            r#"{"type":"purchase","order":{"total":"1","lines":[{"quantity":[2]}]}}"#,
            "/order/lines/0/quantity: invalid type: a list, expected a number, such as 2 or 0.752",
        );
        let check_units = |json: &str, expected: &str| {
            let Err(Refusal::FieldIsWrong { pointer, reason }) = parse::<Units>(json.as_bytes())
            else {
                panic!("{json} is no mistake");
            };
            assert_eq!(format!("{pointer}: {reason}"), expected, "{json}");
        };
        check_units(
            r#"{"units":"5","pieces":1}"#,
            "/units: invalid type: string \"5\", expected a whole number",
        );
        check_units(
            r#"{"units":5,"pieces":-1}"#,
            "/pieces: invalid value: integer `-1`, expected a whole number, not below zero",
        );
        check(
            r#"{"type":"purchase","at":"yesterday"}"#,
            "/at: invalid value: string \"yesterday\", expected a time with its offset, such as \"2026-05-02T09:30:00+02:00\"",
        );
    }

    #[test]
    fn the_fingerprint_sees_what_is_said_and_not_how_it_is_laid_out() {
        #[derive(Deserialize)]
        struct Anything {}
        let fingerprint = |json: &str| parse::<Anything>(json.as_bytes()).unwrap().fingerprint();
        assert_eq!(fingerprint(r#"{"a":1,"b":[2]}"#), fingerprint("{ \"b\": [2],\n\"a\": 1 }"));
        let same = |one: &str, other: &str| assert_eq!(fingerprint(one), fingerprint(other));
        same(r#"{"total":12.4}"#, r#"{"total":"12.400"}"#);
        let activity = |json: &str| {
            let body = parse::<Anything>(json.as_bytes()).unwrap();
            body.fingerprint_of_activity(|field| field == "tax")
        };
        let tax = |tax: &str| format!(r#"{{"fields":{{"tax":{tax},"note":{tax}}}}}"#);
        assert_eq!(activity(r#"{"fields":{"tax":19}}"#), activity(r#"{"fields":{"tax":"19.00"}}"#));
        assert_ne!(activity(&tax("\"1.10\"")), activity(&tax("\"1.1\"")));
        let line = |line: &str| format!(r#"{{"order":{{"total":1,"lines":[{line}]}}}}"#);
        let alike = |one: &str, other: &str| same(&line(one), &line(other));
        alike(r#"{"category":"c"}"#, r#"{"categories":["c"]}"#);
        alike(r#"{"category":"c","categories":["b"]}"#, r#"{"categories":["c","b"]}"#);
        alike(r#"{"sku":"a","quantity":"1.0","discount":0}"#, r#"{"sku":"a"}"#);
        alike(r#"{"sku":"a"},{"sku":"b","quantity":0}"#, r#"{"sku":"a"}"#);
        same(r#"{"order":{"total":1,"currency":"EUR"}}"#, r#"{"order":{"total":1}}"#);
        let differ =
            |one: &str, other: &str| assert_ne!(fingerprint(&line(one)), fingerprint(&line(other)));
        differ(r#"{"attributes":{"price":"1.0"}}"#, r#"{"attributes":{"price":"1.00"}}"#);
        differ("{}", "");
        differ("{}", "{},{}");
        differ(r#"{"categories":["b","c"]}"#, r#"{"category":"c","categories":["b"]}"#);
        same(r#"{"a":1,"b":null,"c":[],"d":{},"e":" "}"#, r#"{"a":1}"#);
        same(r#"{"a":"Z\u00fcrich"}"#, r#"{"a":"Zu\u0308rich "}"#);
        same(r#"{"at":"2026-05-02T09:30:00+02:00"}"#, r#"{"at":"2026-05-02T07:30:00Z"}"#);
        same(r#"{"id":"1","a":1}"#, r#"{"a":1}"#);
        assert_ne!(fingerprint(r#"{"total":12.4}"#), fingerprint(r#"{"total":"12.41"}"#));
        assert_ne!(fingerprint(r#"{"sku":"1.0"}"#), fingerprint(r#"{"sku":"1"}"#));
        assert_ne!(fingerprint(r#"{"a":[1,2]}"#), fingerprint(r#"{"a":[2,1]}"#));
    }
}
