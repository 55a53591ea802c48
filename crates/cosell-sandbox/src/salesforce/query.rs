//! SOQL against the org's rows.

use std::cmp::Ordering;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::errors::{Failure, Problem, code};
use super::ids;
use super::records::{Org, Row, attributes, moment};
use super::schema::{Field, FieldType, Object, SCHEMA};
use super::soql::{Condition, Literal, Operator, Order, Query, parse};

/// All records a query answers, in order; for `COUNT()` the number alone.
pub fn run(
    org: &Org,
    text: &str,
    deleted_too: bool,
    base: &str,
    now: Timestamp,
) -> Result<(usize, Vec<Value>), Failure> {
    let query = parse(text, day(now)).map_err(|message| Failure::new(400, code::MALFORMED_QUERY, message))?;
    let object = SCHEMA.object(&query.from).ok_or_else(|| {
        let message = format!("sObject type '{}' is not supported.", query.from);
        Failure::new(400, code::INVALID_TYPE, message)
    })?;
    check(object, &query)?;
    let mut rows: Vec<&Row> = org
        .rows(object)
        .values()
        .filter(|row| deleted_too || row.deleted.is_none())
        .filter(|row| query.condition.as_ref().is_none_or(|condition| holds(org, object, row, condition)))
        .collect();
    rows.sort_by(|one, other| {
        query.order.iter().fold(Ordering::Equal, |so_far, key| so_far.then_with(|| by(org, object, key, one, other)))
    });
    let end = query.limit.map_or(rows.len(), |limit| (query.offset + limit).min(rows.len()));
    let rows = rows.get(query.offset..end).unwrap_or_default();
    if query.count {
        return Ok((rows.len(), Vec::new()));
    }
    Ok((rows.len(), rows.iter().map(|row| project(org, object, row, &query.fields, base)).collect()))
}

/// The day that a moment belongs to, where the user is.
fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn check(object: &Object, query: &Query) -> Result<(), Failure> {
    for (index, path) in query.fields.iter().enumerate() {
        resolve(object, path)?;
        let same = |other: &Vec<String>| {
            other.len() == path.len() && other.iter().zip(path).all(|(one, two)| one.eq_ignore_ascii_case(two))
        };
        if query.fields[..index].iter().any(same) {
            return Err(Failure::new(
                400,
                code::INVALID_FIELD,
                format!("duplicate field selected: {}", path.join(".")),
            ));
        }
    }
    for key in &query.order {
        let field = resolve(object, &key.field)?;
        if !field.filterable() || field.kind == FieldType::Multipicklist {
            let message = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(Failure::new(400, code::INVALID_FIELD, message));
        }
    }
    query.condition.as_ref().map_or(Ok(()), |condition| check_condition(object, condition))
}

fn check_condition(object: &Object, condition: &Condition) -> Result<(), Failure> {
    match condition {
        Condition::And(terms) | Condition::Or(terms) => terms.iter().try_for_each(|term| check_condition(object, term)),
        Condition::Not(term) => check_condition(object, term),
        Condition::Compare { field: path, operator, literals } => {
            let field = resolve(object, path)?;
            let invalid = |message: String| Failure::new(400, code::INVALID_FIELD, message);
            if !field.filterable() {
                let message = format!("field '{}' can not be filtered in a query call", field.name);
                return Err(invalid(message));
            }
            let listing = matches!(operator, Operator::Includes | Operator::Excludes);
            let equal = matches!(operator, Operator::Equal | Operator::NotEqual);
            let usable = match field.kind {
                FieldType::Multipicklist => listing || equal,
                FieldType::Boolean => equal,
                FieldType::Id | FieldType::Reference => !listing && *operator != Operator::Like,
                _ => !listing && (*operator != Operator::Like || field.is_text()),
            };
            if !usable {
                return Err(invalid(format!("invalid operator on field '{}'", field.name)));
            }
            for literal in literals {
                if !fits(field, literal) {
                    let kind = format!("{:?}", field.kind).to_lowercase();
                    let hint = if field.is_text() { " and should be enclosed in quotes" } else { "" };
                    let message =
                        format!("value of filter criterion for field '{}' must be of type {kind}{hint}", field.name);
                    return Err(invalid(message));
                }
            }
            Ok(())
        }
    }
}

fn fits(field: &Field, literal: &Literal) -> bool {
    match (field.kind, literal) {
        (_, Literal::Null)
        | (FieldType::Boolean, Literal::Boolean(_))
        | (FieldType::Currency, Literal::Number(_))
        | (FieldType::Date, Literal::Date(_))
        | (FieldType::Datetime, Literal::Datetime(_))
        | (FieldType::Date | FieldType::Datetime, Literal::Days(_)) => true,
        (FieldType::Id | FieldType::Reference, Literal::Text(id)) => ids::normal("Id", id).is_ok() || id.is_empty(),
        (_, Literal::Text(_)) => field.is_text(),
        _ => false,
    }
}

/// The field at the end of a path.
fn resolve<'a>(object: &'a Object, path: &[String]) -> Result<&'a Field, Failure> {
    let invalid = |message: String| Failure::new(400, code::INVALID_FIELD, message);
    match path {
        [name] => object.field(name).ok_or_else(|| {
            invalid(format!(
                "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to \
                 append the '__c' after the custom field name.",
                object.name
            ))
        }),
        [name, rest @ ..] => object
            .relationship(name)
            .and_then(|field| SCHEMA.object(field.to.as_deref()?))
            .ok_or_else(|| {
                invalid(format!(
                    "Didn't understand relationship '{name}' in field path. If you are attempting to use a custom \
                     relationship, be sure to append the '__r' after the custom relationship name."
                ))
            })
            .and_then(|parent| resolve(parent, rest)),
        [] => Err(invalid("empty field path".to_owned())),
    }
}

/// The parent record a relationship leads to.
fn parent<'a>(org: &'a Org, object: &Object, row: &Row, name: &str) -> Option<(&'static Object, &'a Row)> {
    let field = object.relationship(name)?;
    let parent = SCHEMA.object(field.to.as_deref()?)?;
    let id = row.text(&field.name)?;
    Some((parent, org.rows(parent).get(id)?))
}

fn value<'a>(org: &'a Org, object: &Object, row: &'a Row, path: &[String]) -> &'a Value {
    match path {
        [name] => object.field(name).and_then(|field| row.fields.get(&field.name)).unwrap_or(&Value::Null),
        [name, rest @ ..] => {
            parent(org, object, row, name).map_or(&Value::Null, |(object, row)| value(org, object, row, rest))
        }
        [] => &Value::Null,
    }
}

fn holds(org: &Org, object: &Object, row: &Row, condition: &Condition) -> bool {
    match condition {
        Condition::And(terms) => terms.iter().all(|term| holds(org, object, row, term)),
        Condition::Or(terms) => terms.iter().any(|term| holds(org, object, row, term)),
        Condition::Not(term) => !holds(org, object, row, term),
        Condition::Compare { field: path, operator, literals } => {
            let Ok(field) = resolve(object, path) else { return false };
            let held = value(org, object, row, path);
            let any = |wanted: Ordering| literals.iter().any(|literal| order(field, held, literal) == Some(wanted));
            match operator {
                Operator::Equal | Operator::In => any(Ordering::Equal),
                Operator::NotEqual | Operator::NotIn => !any(Ordering::Equal),
                Operator::Less => any(Ordering::Less),
                Operator::LessOrEqual => any(Ordering::Less) || any(Ordering::Equal),
                Operator::Greater => any(Ordering::Greater),
                Operator::GreaterOrEqual => any(Ordering::Greater) || any(Ordering::Equal),
                Operator::Like => literals.iter().any(|literal| match (held, literal) {
                    (Value::String(held), Literal::Text(pattern)) => {
                        like(&pattern.to_lowercase(), &held.to_lowercase())
                    }
                    _ => false,
                }),
                Operator::Includes => literals.iter().any(|literal| includes(held, literal)),
                Operator::Excludes => !literals.iter().any(|literal| includes(held, literal)),
            }
        }
    }
}

/// How a value stands to a literal; nothing when they cannot be ordered.
fn order(field: &Field, held: &Value, literal: &Literal) -> Option<Ordering> {
    match (held, literal) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Null, Literal::Text(text)) if text.is_empty() => Some(Ordering::Equal),
        (Value::Bool(held), Literal::Boolean(wanted)) => Some(held.cmp(wanted)),
        (Value::Number(held), Literal::Number(wanted)) => held.as_f64()?.partial_cmp(wanted),
        (Value::String(held), Literal::Date(wanted)) => Some(held.parse::<Date>().ok()?.cmp(wanted)),
        (Value::String(held), Literal::Datetime(wanted)) => Some(moment(held)?.cmp(wanted)),
        (Value::String(held), Literal::Days(days)) => {
            let held = if field.kind == FieldType::Date { held.parse().ok()? } else { day(moment(held)?) };
            Some(if days.contains(&held) { Ordering::Equal } else { held.cmp(&days.start) })
        }
        (Value::String(held), Literal::Text(wanted)) => match field.kind {
            FieldType::Id | FieldType::Reference => Some(held.as_str().cmp(ids::normal("Id", wanted).ok()?.as_str())),
            _ => Some(held.to_lowercase().cmp(&wanted.to_lowercase())),
        },
        _ => None,
    }
}

fn like(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    match first {
        '%' => (0..=text.len()).filter(|index| text.is_char_boundary(*index)).any(|index| like(rest, &text[index..])),
        _ => text
            .chars()
            .next()
            .is_some_and(|letter| (first == '_' || first == letter) && like(rest, &text[letter.len_utf8()..])),
    }
}

fn includes(held: &Value, literal: &Literal) -> bool {
    let Literal::Text(wanted) = literal else { return held.is_null() };
    let held: Vec<&str> = held.as_str().unwrap_or_default().split(';').collect();
    wanted.split(';').all(|value| held.iter().any(|held| held.eq_ignore_ascii_case(value.trim())))
}

fn by(org: &Org, object: &Object, key: &Order, one: &Row, other: &Row) -> Ordering {
    let (one, other) = (value(org, object, one, &key.field), value(org, object, other, &key.field));
    let nulls = if key.nulls_last { Ordering::Greater } else { Ordering::Less };
    match (one.is_null(), other.is_null()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return nulls,
        (false, true) => return nulls.reverse(),
        (false, false) => {}
    }
    let ids = resolve(object, &key.field).is_ok_and(|field| matches!(field.kind, FieldType::Id | FieldType::Reference));
    let order = match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Value::String(one), Value::String(other)) if ids => one.cmp(other),
        (Value::String(one), Value::String(other)) => one.to_lowercase().cmp(&other.to_lowercase()),
        (one, other) => one.as_bool().cmp(&other.as_bool()),
    };
    if key.descending { order.reverse() } else { order }
}

fn project(org: &Org, object: &Object, row: &Row, paths: &[Vec<String>], base: &str) -> Value {
    let mut record = Map::new();
    record.insert("attributes".to_owned(), attributes(object, base, row.text("Id").unwrap_or_default()));
    for path in paths {
        match path.as_slice() {
            [name] => {
                if let Some(field) = object.field(name) {
                    record.insert(field.name.clone(), row.value(object, field));
                }
            }
            [name, ..] => {
                let Some(relationship) = object.relationship(name).and_then(Field::relationship) else { continue };
                if record.contains_key(&relationship) {
                    continue;
                }
                let inner: Vec<Vec<String>> = paths
                    .iter()
                    .filter(|path| path.len() > 1 && path[0].eq_ignore_ascii_case(name))
                    .map(|path| path[1..].to_vec())
                    .collect();
                let nested = parent(org, object, row, name)
                    .map_or(Value::Null, |(object, row)| project(org, object, row, &inner, base));
                record.insert(relationship, nested);
            }
            [] => {}
        }
    }
    Value::Object(record)
}

/// One page of a query's answer; what is left stays behind a locator.
pub fn page(org: &mut Org, total: usize, records: Vec<Value>, size: usize, base: &str) -> Value {
    if records.len() <= size {
        return json!({"totalSize": total, "done": true, "records": records});
    }
    let locator = format!("01gHs{}", super::random_text(13));
    org.locators.insert(locator.clone(), records);
    more(org, &format!("{locator}-0"), size, base).unwrap_or_default()
}

/// The page a locator with its offset names.
pub fn more(org: &Org, cursor: &str, size: usize, base: &str) -> Result<Value, Failure> {
    let invalid = || Failure::from(Problem::new(code::INVALID_QUERY_LOCATOR, "invalid query locator"));
    let (locator, offset) = cursor.rsplit_once('-').ok_or_else(invalid)?;
    let records = org.locators.get(locator).ok_or_else(invalid)?;
    let offset: usize = offset.parse().map_err(|_| invalid())?;
    let end = (offset + size).min(records.len());
    let page = records.get(offset..end).ok_or_else(invalid)?;
    let mut answer = json!({"totalSize": records.len(), "done": end == records.len(), "records": page});
    if end < records.len() {
        answer["nextRecordsUrl"] = json!(format!("{base}/query/{locator}-{end}"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "/services/data/v66.0";

    fn now() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().expect("a moment")
    }

    fn run(org: &Org, text: &str) -> Result<(usize, Vec<Value>), Failure> {
        super::run(org, text, false, BASE, now())
    }

    fn org() -> Org {
        let mut org = Org::new(1);
        let account = SCHEMA.object("Account").expect("the org has it");
        let object = SCHEMA.object("Opportunity").expect("the org has it");
        let user = SCHEMA.user[1].full_id();
        let make = |value: Value| value.as_object().cloned().expect("an object");
        let parent = org.create(account, &make(json!({"Name": "Example"})), &user, now()).expect("it is right");
        for (name, amount, account, models) in [
            ("b", json!(2), json!(parent), json!("Resell;Other")),
            ("A", json!(10), json!(null), json!("Other")),
            ("c", json!(null), json!(null), json!(null)),
        ] {
            let body = json!({"Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": amount,
                              "AccountId": account, "ACE_Delivery_Models__c": models});
            org.create(object, &make(body), &user, now()).expect("it is right");
        }
        org
    }

    fn names(text: &str) -> Vec<String> {
        let (_, records) = run(&org(), text).expect("it is right");
        records.iter().map(|record| record["Name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn conditions_follow_soql() {
        for (condition, expected) in [
            ("Name = 'a'", vec!["A"]),
            ("Name != 'a'", vec!["b", "c"]),
            ("Amount != 2", vec!["A", "c"]),
            ("Amount > 2", vec!["A"]),
            ("Amount = null", vec!["c"]),
            ("NOT Amount = null", vec!["b", "A"]),
            ("Name IN ('B', 'C')", vec!["b", "c"]),
            ("Name LIKE '%B%'", vec!["b"]),
            ("Account.Name = 'example'", vec!["b"]),
            ("Account.Name = null", vec!["A", "c"]),
            ("ACE_Delivery_Models__c INCLUDES ('Resell;Other', 'SaaS or PaaS')", vec!["b"]),
            ("SystemModstamp >= 2026-03-02T12:00:00Z AND SystemModstamp < 2026-03-02T12:00:01Z", vec!["b", "A", "c"]),
            ("Share_With_AWS__c = true", vec![]),
            ("CreatedDate = TODAY", vec!["b", "A", "c"]),
            ("CloseDate = THIS_QUARTER OR CreatedDate < LAST_N_DAYS:5", vec![]),
            ("CloseDate >= NEXT_N_MONTHS:9 AND CloseDate <= THIS_YEAR", vec!["b", "A", "c"]),
            ("CloseDate > NEXT_N_QUARTERS:3", vec![]),
            ("StageName IN ('Prospecting', null) AND (NOT Name LIKE '_') AND Amount >= 2", vec![]),
            ("Name NOT IN ('B', 'C') OR (Amount <= 2 AND (NOT (Amount = null OR Name = 'x')))", vec!["b", "A"]),
            ("CloseDate = 2026-12-31 AND (Name = 'b' OR Name = 'c')", vec!["b", "c"]),
        ] {
            assert_eq!(names(&format!("SELECT Name FROM Opportunity WHERE {condition}")), expected, "{condition}");
        }
    }

    #[test]
    fn order_ignores_case_and_puts_nulls_first() {
        assert_eq!(names("SELECT Name FROM Opportunity ORDER BY Name"), ["A", "b", "c"]);
        assert_eq!(names("SELECT Name FROM Opportunity ORDER BY Amount"), ["c", "b", "A"]);
        assert_eq!(names("SELECT Name FROM Opportunity ORDER BY Amount DESC NULLS LAST"), ["A", "b", "c"]);
        assert_eq!(names("SELECT Name FROM Opportunity ORDER BY Name LIMIT 1 OFFSET 1"), ["b"]);
    }

    #[test]
    fn parents_nest_and_empty_lookups_are_null() {
        let text = "SELECT Name, Account.Name, Account.Owner.Email FROM Opportunity ORDER BY Name";
        let (_, records) = run(&org(), text).expect("it is right");
        assert_eq!(records[0]["Account"], Value::Null);
        assert_eq!(records[1]["Account"]["Name"], "Example");
        assert_eq!(records[1]["Account"]["Owner"]["Email"], "rep@partner.example");
        assert_eq!(records[1]["Account"]["attributes"]["type"], "Account");
    }

    #[test]
    fn the_oldest_of_several_comes_first() {
        let mut org = org();
        let account = SCHEMA.object("Account").expect("the org has it");
        let user = SCHEMA.user[1].full_id();
        let mut ids = Vec::new();
        for day in [5, 3, 3] {
            let now = format!("2026-02-0{day}T12:00:00Z").parse().expect("a moment");
            let body = json!({"Name": "EXAMPLE"});
            ids.push(org.create(account, body.as_object().expect("an object"), &user, now).expect("it is right"));
        }
        let find = |condition: &str| {
            let text = format!("SELECT Id FROM Account WHERE {condition} ORDER BY CreatedDate ASC, Id ASC LIMIT 1");
            let (_, records) = run(&org, &text).expect("it is right");
            records.first().and_then(|record| record["Id"].as_str()).map(str::to_owned)
        };
        assert_eq!(find("Name = 'Example' AND Website = null"), Some(ids[1].clone()));
        assert_eq!(find("Owner.Email = 'rep@partner.example'"), Some(ids[1].clone()));
        assert_eq!(find("Name = 'Example' AND Industry = 'Banking'"), None);
    }

    #[test]
    fn conditions_reach_two_levels_up() {
        assert_eq!(names("SELECT Name FROM Opportunity WHERE Account.Owner.Name = 'robin rep'"), ["b"]);
        assert_eq!(names("SELECT Name FROM Opportunity WHERE Account.Owner.Email = null"), ["A", "c"]);
        assert_eq!(names("SELECT Name FROM Opportunity ORDER BY Account.Owner.Name NULLS LAST LIMIT 1"), ["b"]);
        let text = "SELECT Account.BillingAddress FROM Opportunity WHERE Name = 'b'";
        let (_, records) = run(&org(), text).expect("it is right");
        assert_eq!(records[0]["Account"]["BillingAddress"], Value::Null);
    }

    #[test]
    fn unknown_names_and_wrong_types_are_refused() {
        for (text, expected) in [
            ("SELECT Nope FROM Opportunity", code::INVALID_FIELD),
            ("SELECT Id, id FROM Opportunity", code::INVALID_FIELD),
            ("SELECT Partner.Name FROM Opportunity", code::INVALID_FIELD),
            ("SELECT Id FROM Nope", code::INVALID_TYPE),
            ("SELECT Id FROM Opportunity WHERE Name = 1", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE SystemModstamp > '2026-01-01'", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE Description = 'x'", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE Id = 'x'", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE Name = TODAY", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE CloseDate LIKE '2026%'", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE Share_With_AWS__c > false", code::INVALID_FIELD),
            ("SELECT Id FROM Account WHERE BillingAddress = null", code::INVALID_FIELD),
            ("SELECT Id FROM Opportunity WHERE", code::MALFORMED_QUERY),
        ] {
            let failure = run(&org(), text).expect_err(text);
            assert_eq!(failure.code().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn pages_follow_each_other_without_gaps() {
        let mut org = org();
        let (total, records) = run(&org, "SELECT Name FROM Opportunity ORDER BY Name").expect("right");
        let first = page(&mut org, total, records, 2, BASE);
        assert_eq!(first["done"], false);
        let next = first["nextRecordsUrl"].as_str().and_then(|url| url.rsplit('/').next()).expect("a next page");
        let second = more(&org, next, 2, BASE).expect("it is open");
        assert_eq!((&second["done"], &second["records"][0]["Name"]), (&json!(true), &json!("c")));
        assert!(more(&org, "01gNothing-0", 2, BASE).is_err());
    }
}
