//! Lists in pages.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::errors::{ApiError, Code, Problem};

/// One page of `found`, with the token of the next; a token is good for its own request only.
pub fn page<T>(
    request: &Map<String, Value>,
    usual: usize,
    member: &str,
    found: &[T],
    view: impl Fn(&T) -> Value,
) -> Result<Value, ApiError> {
    let size =
        request.get("MaxResults").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok()).unwrap_or(usual);
    let mark = fingerprint(request);
    let start = match request.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => token
            .split_once('-')
            .filter(|(of, _)| *of == mark)
            .and_then(|(_, offset)| offset.parse::<usize>().ok())
            .ok_or_else(|| {
                ApiError::request(vec![Problem::new(Code::InvalidValue, "nextToken", "belongs to another request")])
            })?,
    };
    let end = (start + size).min(found.len());
    let items: Vec<Value> = found.get(start..end).unwrap_or_default().iter().map(view).collect();
    let next = (end < found.len()).then(|| format!("{mark}-{end}"));
    Ok(json!({member: items, "NextToken": next}))
}

fn fingerprint(request: &Map<String, Value>) -> String {
    let mut hasher = DefaultHasher::new();
    for (key, value) in request {
        if !["NextToken", "MaxResults"].contains(&key.as_str()) {
            (key, value.to_string()).hash(&mut hasher);
        }
    }
    format!("{:016x}", hasher.finish())
}
