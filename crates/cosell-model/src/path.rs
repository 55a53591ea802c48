//! Places in a JSON document: `Customer.Contacts[0].Email`, `OpportunityTeam[BusinessTitle=PSM].Email`.

use serde_json::{Map, Value as Json};

enum Step<'p> {
    Member(&'p str),
    Index(usize),
    Where(&'p str, &'p str),
}

fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('.').flat_map(|segment| {
        let (name, selector) = match segment.split_once('[') {
            Some((name, rest)) => (name, Some(rest.trim_end_matches(']'))),
            None => (segment, None),
        };
        let selector = selector.map(|selector| match selector.split_once('=') {
            Some((key, value)) => Step::Where(key, value),
            None => Step::Index(selector.parse().expect("catalog paths are tested")),
        });
        [Some(Step::Member(name)), selector].into_iter().flatten()
    })
}

/// The value at `path`, if every step of it is there.
pub fn get<'j>(document: &'j Json, path: &str) -> Option<&'j Json> {
    steps(path).try_fold(document, |at, step| match step {
        Step::Member(name) => at.get(name),
        Step::Index(index) => at.get(index),
        Step::Where(key, value) => {
            at.as_array()?.iter().find(|item| item.get(key).and_then(Json::as_str) == Some(value))
        }
    })
}

/// Writes `value` at `path` and makes what is missing on the way.
pub fn set(document: &mut Json, path: &str, value: Json) {
    let mut at = document;
    for step in steps(path) {
        at = match step {
            Step::Member(name) => {
                if !at.is_object() {
                    *at = Json::Object(Map::new());
                }
                at.as_object_mut().expect("made an object above").entry(name).or_insert(Json::Null)
            }
            Step::Index(index) => {
                let items = array(at);
                if items.len() <= index {
                    items.resize(index + 1, Json::Null);
                }
                &mut items[index]
            }
            Step::Where(key, wanted) => {
                let items = array(at);
                let found = items.iter().position(|item| item.get(key).and_then(Json::as_str) == Some(wanted));
                let index = found.unwrap_or_else(|| {
                    items.push(Json::Object(Map::from_iter([(key.to_owned(), Json::from(wanted))])));
                    items.len() - 1
                });
                &mut items[index]
            }
        };
    }
    *at = value;
}

fn array(at: &mut Json) -> &mut Vec<Json> {
    if !at.is_array() {
        *at = Json::Array(Vec::new());
    }
    at.as_array_mut().expect("made an array above")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_set_is_got() {
        let mut document = json!({"Keep": 1, "Team": [{"Title": "PSM", "Email": "a"}]});
        for path in ["Customer.Contacts[0].Email", "Team[Title=PDM].Email", "Team[Title=PSM].Email", "Project.Title"] {
            set(&mut document, path, json!("x"));
            assert_eq!(get(&document, path), Some(&json!("x")), "{path}");
        }
        assert_eq!(document["Keep"], json!(1));
        assert_eq!(document["Team"].as_array().map(Vec::len), Some(2));
        assert_eq!(get(&document, "Nowhere.At[3].All"), None);
    }
}
