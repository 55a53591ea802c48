//! A record of a file, read strictly: names and listed values by their exact spelling, values by their type.

use std::collections::HashMap;
use std::sync::LazyLock;

use cosell_model::catalog::{Picklist, Type};
use cosell_model::{Field, Kind, PayloadVersion, Record, Value};
use serde_json::{Map, Value as Json};

/// What AWS writes in place of data that it shows only after acceptance.
pub const MASK: &str = "Accept To View";

/// Users of Partner Central: e-mail and name. The first one owns what nobody else owns.
pub const USERS: [(&str, &str); 3] = [
    ("alliance.lead@partner.example", "Alex Alliance"),
    ("sales@partner.example", "Sasha Sales"),
    ("rep@partner.example", "Robin Rep"),
];

/// Who wrote the record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The partner, in a file of this version.
    Partner(PayloadVersion),
    /// AWS's people.
    Aws,
}

/// The fields that a record has, and what is wrong with the others.
pub struct Said {
    /// The fields, in the API's spelling.
    pub record: Record,
    /// One text a mistake, which begins with the member's name.
    pub errors: Vec<String>,
}

static NAMES: LazyLock<HashMap<(Kind, PayloadVersion, &str), &Field>> = LazyLock::new(|| {
    let versions = [PayloadVersion::V1, PayloadVersion::V2];
    let fields =
        [Kind::Opportunity, Kind::Lead].into_iter().flat_map(|kind| kind.fields().iter().map(move |f| (kind, f)));
    fields
        .flat_map(|(kind, field)| versions.map(|version| Some(((kind, version, field.file(version)?), field))))
        .flatten()
        .collect()
});

/// Reads one record.
pub fn read(kind: Kind, author: Author, members: &Map<String, Json>) -> Said {
    let version = match author {
        Author::Partner(version) => version,
        Author::Aws => PayloadVersion::V2,
    };
    let mut said = Said { record: Record::new(kind), errors: Vec::new() };
    for (name, json) in members {
        let Some(field) = NAMES.get(&(kind, version, name.as_str())).copied() else {
            let newer = version == PayloadVersion::V1 && NAMES.contains_key(&(kind, PayloadVersion::V2, name.as_str()));
            if !newer {
                said.errors.push(format!("{name}: Unknown field of payload {version}, names are case-sensitive"));
            }
            continue;
        };
        if author != Author::Aws && !field.flow.sends() {
            said.errors.push(format!("{name}: Field is read-only"));
            continue;
        }
        match value(field, json) {
            Ok(value) => said.record.set(field, value),
            Err(why) => said.errors.push(format!("{name}: {why}")),
        }
    }
    said
}

fn value(field: &Field, json: &Json) -> Result<Value, String> {
    let shaped = match (field.ty, json) {
        (_, Json::Null) => return Ok(Value::Null),
        (Type::Identifiers(_), Json::Array(items)) => items.iter().all(Json::is_string),
        (Type::Identifiers(_), _) => false,
        (Type::Number { .. }, json) => json.is_number(),
        (_, json) => json.is_string(),
    };
    if !shaped {
        return Err(format!("Wrong data type, expected {}", field.ty.expects()));
    }
    let text = json.as_str().unwrap_or_default();
    if text.eq_ignore_ascii_case(MASK) {
        return Err(format!("{MASK} is a mask and no value"));
    }
    match field.ty {
        _ if json.is_string() && text.trim().is_empty() => return Ok(Value::Null),
        Type::Picklist(list) => listed(list, text)?,
        Type::Picklists(list) => {
            for item in text.split(';') {
                if item != item.trim() || item.is_empty() {
                    return Err("Several values are joined with ; and without blanks".to_owned());
                }
                listed(list, item)?;
            }
        }
        Type::YesNo if !["Yes", "No"].contains(&text) => return Err(UNLISTED.to_owned()),
        Type::Date if text.len() != 10 => return Err("Wrong data type, expected YYYY-MM-DD".to_owned()),
        Type::Text { max } if text.chars().count() > usize::from(max) => {
            return Err(format!("Data value too large, at most {max} characters"));
        }
        Type::Phone if text.chars().count() > 40 => {
            return Err("Data value too large, at most 40 characters".to_owned());
        }
        Type::Email if !mailable(text) => return Err("Invalid email address".to_owned()),
        _ => {}
    }
    let read = Value::parse(field.ty, json).map_err(|error| format!("Wrong data type, {error}"))?;
    Ok(spelled_as_the_api(field, read.unwrap_or(Value::Null)))
}

const UNLISTED: &str = "Invalid value, only the standard values are taken and case counts";

fn listed(list: &Picklist, text: &str) -> Result<(), String> {
    let api = list.from_file(text);
    // The API's own spelling is none in a file where the two differ.
    if list.to_file(api) == text && list.has_in_files(api) { Ok(()) } else { Err(UNLISTED.to_owned()) }
}

fn mailable(text: &str) -> bool {
    text.len() <= 80 && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

fn spelled_as_the_api(field: &Field, value: Value) -> Value {
    match (field.ty.picklist(), value) {
        (Some(list), Value::Text(text)) => Value::Text(list.from_file(&text).to_owned()),
        (Some(list), Value::List(items)) => Value::list(items.iter().map(|item| list.from_file(item).to_owned())),
        (_, value) => value,
    }
}

/// The catalog's field of a key that this crate writes in its source.
pub fn field(kind: Kind, key: &str) -> &'static Field {
    kind.field(key).expect("the catalog has the fields that are named here")
}

/// The name of a user of Partner Central.
pub fn user(email: &str) -> Option<&'static str> {
    USERS.iter().find(|(known, _)| *known == email).map(|(_, name)| *name)
}

/// Drops what says what is known already.
pub fn drop_same(said: &mut Record, known: &Record) {
    let same: Vec<&'static Field> = said
        .iter()
        .filter(|(field, value)| known.get(field).unwrap_or(&Value::Null).same(value))
        .map(|(field, _)| field)
        .collect();
    for field in same {
        said.remove(field);
    }
}

/// A text as a value.
pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(author: Author, members: &Json) -> Vec<String> {
        read(Kind::Opportunity, author, members.as_object().expect("an object")).errors
    }

    #[test]
    fn spelling_counts_in_names_and_values() {
        let v2 = Author::Partner(PayloadVersion::V2);
        for (member, expected) in [
            (json!({"stage": "Prospect"}), None),
            (json!({"Stage": "Prospect"}), Some("Stage: Unknown field of payload 2.0, names are case-sensitive")),
            (
                json!({"stage": "prospect"}),
                Some("stage: Invalid value, only the standard values are taken and case counts"),
            ),
            (
                json!({"country": "US"}),
                Some("country: Invalid value, only the standard values are taken and case counts"),
            ),
            (json!({"country": "United States"}), None),
            (json!({"deliveryModel": "Resell;Other"}), None),
            (
                json!({"deliveryModel": "Resell; Other"}),
                Some("deliveryModel: Several values are joined with ; and without blanks"),
            ),
            (json!({"solutionOffered": "S-1"}), Some("solutionOffered: Wrong data type, expected identifiers")),
            (
                json!({"expectedMonthlyAwsRevenue": "12"}),
                Some("expectedMonthlyAwsRevenue: Wrong data type, expected a number"),
            ),
            (json!({"city": "Accept To View"}), Some("city: Accept To View is a mask and no value")),
            (json!({"status": "Approved"}), Some("status: Field is read-only")),
            (json!({"subUseCase": "x"}), Some("subUseCase: Unknown field of payload 2.0, names are case-sensitive")),
        ] {
            assert_eq!(errors(v2, &member), Vec::from_iter(expected.map(str::to_owned)), "{member}");
        }
    }

    #[test]
    fn payload_1_ignores_what_it_does_not_have() {
        let v1 = Author::Partner(PayloadVersion::V1);
        let members = json!({"salesActivities": "SOW Signed", "subUseCase": "ETL", "colour": "blue"});
        assert_eq!(errors(v1, &members), ["colour: Unknown field of payload 1.0, names are case-sensitive"]);
        let said = read(Kind::Opportunity, v1, members.as_object().expect("an object")).record;
        assert_eq!(said.iter().map(|(field, _)| field.key).collect::<Vec<_>>(), ["subUseCase"]);
    }
}
