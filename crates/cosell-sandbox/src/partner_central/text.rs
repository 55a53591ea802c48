//! How values look on the wire: timestamps, identifiers, normal form, deep merges.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Milliseconds, as opportunities carry them.
pub fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Nanoseconds, as tasks and invitations carry them.
pub fn nanos(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// Random lower-case letters and digits, for identifiers.
pub fn random_id(length: usize) -> String {
    const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = Uuid::new_v4().as_u128();
    let mut id = String::with_capacity(length);
    for _ in 0..length {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        id.push(char::from(ALPHABET[digit]));
        rest /= 36;
    }
    id
}

/// A copy as the service stores it: texts trimmed, nulls, empty lists and empty objects dropped.
pub fn normal(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(Value::String(text.trim().to_owned())),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(normal).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(object) => {
            let object = normal_object(object);
            (!object.is_empty()).then_some(Value::Object(object))
        }
        other => Some(other.clone()),
    }
}

/// [`normal`] of an object's members.
pub fn normal_object(object: &Map<String, Value>) -> Map<String, Value> {
    object
        .iter()
        .filter(|(key, _)| *key != "__type")
        .filter_map(|(key, value)| Some((key.clone(), normal(value)?)))
        .collect()
}

/// Merges `patch` into `target`: objects member by member, null deletes, everything else replaces.
pub fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (target.get_mut(key), value) {
            (_, Value::Null) => {
                target.shift_remove(key);
            }
            (Some(Value::Object(inner)), Value::Object(patch)) => merge(inner, patch),
            (_, value) => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The value at a dotted path.
pub fn at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = object.get(parts.next()?)?;
    parts.try_fold(first, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The text at a dotted path.
pub fn str_at<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a str> {
    at(object, path)?.as_str()
}

/// The items at a dotted path; none when absent.
pub fn items_at<'a>(object: &'a Map<String, Value>, path: &str) -> &'a [Value] {
    at(object, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The identifier at the end of an ARN, or the identifier itself.
pub fn last_part(identifier: &str) -> &str {
    identifier.rsplit('/').next().unwrap_or(identifier)
}

/// Whether a list of wanted values, identifiers or ARNs, is absent or names this one.
pub fn wanted(request: &Map<String, Value>, path: &str, value: Option<&str>) -> bool {
    let mut wanted = items_at(request, path).iter().filter_map(Value::as_str).peekable();
    wanted.peek().is_none() || wanted.any(|wanted| Some(last_part(wanted)) == value)
}

/// Sets the value at a dotted path, making the objects on the way.
pub fn set(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), value);
        }
        Some((key, rest)) => {
            let inner = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// Removes the value at a dotted path.
pub fn remove(object: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        None => {
            object.shift_remove(path);
        }
        Some((key, rest)) => {
            if let Some(Value::Object(inner)) = object.get_mut(key) {
                remove(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn timestamps_have_their_fixed_precision() {
        let at: Timestamp = "2026-01-05T20:37:46.9Z".parse().expect("a timestamp");
        assert_eq!(millis(at), "2026-01-05T20:37:46.900Z");
        assert_eq!(nanos(at), "2026-01-05T20:37:46.900000000Z");
    }

    #[test]
    fn normal_form_trims_and_drops_nothing_else() {
        let value = json!({"a": " x ", "b": null, "c": [], "d": {"e": null}, "f": [" y "], "g": false});
        assert_eq!(normal(&value), Some(json!({"a": "x", "f": ["y"], "g": false})));
    }

    #[test]
    fn merge_is_deep_and_null_deletes() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "d": [1]}).as_object().cloned().expect("an object");
        merge(&mut target, json!({"a": {"b": null, "e": 3}, "d": [2, 3]}).as_object().expect("an object"));
        assert_eq!(Value::Object(target), json!({"a": {"c": 2, "e": 3}, "d": [2, 3]}));
    }
}
