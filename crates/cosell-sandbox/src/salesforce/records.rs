//! Rows of the org and the rules of writing them.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, Unit};
use serde_json::{Map, Number, Value, json};

use super::errors::{Problem, code};
use super::ids;
use super::schema::{Field, FieldType, Object, SCHEMA};

/// The org's data, its sessions and open query cursors.
#[derive(Clone)]
pub struct Org {
    rows: BTreeMap<&'static str, BTreeMap<String, Row>>,
    /// User id by session token.
    pub sessions: HashMap<String, String>,
    /// Remaining records by query locator.
    pub locators: HashMap<String, Vec<Value>>,
    /// API calls of the last 24 hours, as the limit header counts them.
    pub calls: u64,
    next: u64,
}

/// One record.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its values by canonical field name; an absent one is null.
    pub fields: Map<String, Value>,
    /// When it went to the recycle bin.
    pub deleted: Option<Timestamp>,
}

/// A JSON object as it came from a client.
pub type Body = Map<String, Value>;

impl Org {
    /// An org with its users and nothing else.
    pub fn new(seed: u64) -> Self {
        let mut org = Self {
            rows: SCHEMA.object.iter().map(|object| (object.name.as_str(), BTreeMap::new())).collect(),
            sessions: HashMap::new(),
            locators: HashMap::new(),
            calls: 0,
            next: seed.wrapping_mul(64),
        };
        for user in &SCHEMA.user {
            let id = user.full_id();
            let born = "2025-01-01T00:00:00.000+0000";
            let fields = json!({
                "Id": id,
                "IsDeleted": false,
                "Username": user.username,
                "Name": user.name,
                "Email": user.email,
                "CreatedDate": born,
                "CreatedById": id,
                "LastModifiedDate": born,
                "LastModifiedById": id,
                "SystemModstamp": born,
            });
            if let (Some(rows), Value::Object(fields)) = (org.rows.get_mut("User"), fields) {
                rows.insert(id, Row { fields, deleted: None });
            }
        }
        org
    }

    /// All records of an object, deleted ones too, in the order of their ids.
    pub fn rows(&self, object: &Object) -> &BTreeMap<String, Row> {
        &self.rows[object.name.as_str()]
    }

    /// The record an id names, or why there is none.
    pub fn row(&self, object: &Object, id: &str) -> Result<&Row, Problem> {
        let absent = || Problem::new(code::NOT_FOUND, "Provided external ID field does not exist or is not accessible");
        let id = ids::normal("Id", id).map_err(|_| absent())?;
        match self.rows(object).get(&id) {
            None => Err(absent()),
            Some(row) if row.deleted.is_some() => Err(Problem::new(code::ENTITY_IS_DELETED, "entity is deleted")),
            Some(row) => Ok(row),
        }
    }

    /// The id of the live record with this external id; compared without regard to case.
    pub fn find(&self, object: &Object, field: &Field, value: &str) -> Option<String> {
        if field.kind == FieldType::Id {
            let id = ids::normal("Id", value).ok()?;
            return self.row(object, &id).ok().map(|_| id);
        }
        let wanted = value.trim().to_lowercase();
        self.rows(object)
            .iter()
            .filter(|(_, row)| row.deleted.is_none())
            .find(|(_, row)| row.text(&field.name).is_some_and(|held| held.to_lowercase() == wanted))
            .map(|(id, _)| id.clone())
    }

    /// Creates a record.
    pub fn create(&mut self, object: &Object, body: &Body, user: &str, now: Timestamp) -> Result<String, Vec<Problem>> {
        let mut fields = self.values(object, body, "create")?;
        for field in &object.fields {
            if field.kind == FieldType::Boolean {
                fields.entry(field.name.clone()).or_insert(json!(false));
            }
            if let Some(default) = &field.default
                && fields.get(&field.name).is_none_or(Value::is_null)
            {
                fields.insert(field.name.clone(), json!(default));
            }
        }
        if object.field("OwnerId").is_some() && fields.get("OwnerId").is_none_or(Value::is_null) {
            fields.insert("OwnerId".to_owned(), json!(user));
        }
        let missing: Vec<String> = object
            .fields
            .iter()
            .filter(|field| field.required && !field.readonly && fields.get(&field.name).is_none_or(Value::is_null))
            .map(|field| field.name.clone())
            .collect();
        if !missing.is_empty() {
            let message = format!("Required fields are missing: [{}]", missing.join(", "));
            return Err(vec![Problem { code: code::REQUIRED_FIELD_MISSING.to_owned(), message, fields: missing }]);
        }
        self.unique(object, &fields, None)?;
        self.next += 1;
        let id = ids::numbered(&object.prefix, self.next);
        fields.insert("Id".to_owned(), json!(id));
        fields.insert("CreatedDate".to_owned(), json!(datetime(now)));
        fields.insert("CreatedById".to_owned(), json!(user));
        touch(&mut fields, user, now);
        if let Some(rows) = self.rows.get_mut(object.name.as_str()) {
            rows.insert(id.clone(), Row { fields, deleted: None });
        }
        Ok(id)
    }

    /// Changes the given fields of a record.
    pub fn update(
        &mut self,
        object: &Object,
        id: &str,
        body: &Body,
        user: &str,
        now: Timestamp,
    ) -> Result<(), Vec<Problem>> {
        let mut fields = self.row(object, id).map_err(|problem| vec![problem])?.fields.clone();
        let changes = self.values(object, body, "update")?;
        let emptied: Vec<String> = object
            .fields
            .iter()
            .filter(|field| field.required && changes.get(&field.name).is_some_and(Value::is_null))
            .map(|field| field.name.clone())
            .collect();
        if !emptied.is_empty() {
            let message = format!("Required fields are missing: [{}]", emptied.join(", "));
            return Err(vec![Problem { code: code::REQUIRED_FIELD_MISSING.to_owned(), message, fields: emptied }]);
        }
        let id = fields["Id"].as_str().unwrap_or_default().to_owned();
        self.unique(object, &changes, Some(&id))?;
        fields.extend(changes);
        touch(&mut fields, user, now);
        if let Some(row) = self.rows.get_mut(object.name.as_str()).and_then(|rows| rows.get_mut(&id)) {
            row.fields = fields;
        }
        Ok(())
    }

    /// Moves a record to the recycle bin.
    pub fn delete(&mut self, object: &Object, id: &str, user: &str, now: Timestamp) -> Result<(), Vec<Problem>> {
        let mut fields = self.row(object, id).map_err(|problem| vec![problem])?.fields.clone();
        let id = fields["Id"].as_str().unwrap_or_default().to_owned();
        fields.insert("IsDeleted".to_owned(), json!(true));
        touch(&mut fields, user, now);
        if let Some(rows) = self.rows.get_mut(object.name.as_str()) {
            rows.insert(id, Row { fields, deleted: Some(now) });
        }
        Ok(())
    }

    /// Creates or updates by external id: the record's id and whether it is new.
    pub fn upsert(
        &mut self,
        object: &Object,
        key: (&Field, &str),
        body: &Body,
        update_only: bool,
        user: &str,
        now: Timestamp,
    ) -> Result<(String, bool), Vec<Problem>> {
        let (field, value) = key;
        if let Some(id) = self.find(object, field, value) {
            self.update(object, &id, body, user, now)?;
            return Ok((id, false));
        }
        if update_only || field.kind == FieldType::Id {
            return Err(vec![Problem::new(code::NOT_FOUND, "The requested resource does not exist")]);
        }
        let mut body = body.clone();
        body.insert(field.name.clone(), json!(value));
        Ok((self.create(object, &body, user, now)?, true))
    }

    fn values(&self, object: &Object, body: &Body, verb: &str) -> Result<Map<String, Value>, Vec<Problem>> {
        let mut values = Map::new();
        let mut problems = Vec::new();
        for (name, value) in body {
            if name == "attributes" {
                continue;
            }
            let Some(field) = object.field(name) else {
                let message = format!("No such column '{name}' on sobject of type {}", object.name);
                problems.push(Problem::new(code::INVALID_FIELD, message));
                continue;
            };
            if field.readonly {
                let message = format!(
                    "Unable to {verb} fields: {}. Please check the security settings of this field and verify that \
                     it is read/write for your profile or permission set.",
                    field.name
                );
                problems.push(Problem::field(code::INVALID_FIELD_FOR_INSERT_UPDATE, message, &field.name));
                continue;
            }
            match self.value(field, value) {
                Ok(value) => {
                    values.insert(field.name.clone(), value);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    fn value(&self, field: &Field, value: &Value) -> Result<Value, Problem> {
        let name = field.name.as_str();
        let unreadable = || {
            let kind = match value {
                Value::String(_) => "VALUE_STRING",
                Value::Number(_) => "VALUE_NUMBER",
                Value::Bool(_) => "VALUE_TRUE",
                _ => "START_OBJECT",
            };
            let message = format!("Cannot deserialize instance of {:?} from {kind} value {value}", field.kind);
            Problem::field(code::JSON_PARSER_ERROR, message.to_lowercase(), name)
        };
        if value.is_null() || value == "" {
            if field.kind == FieldType::Boolean {
                return Err(unreadable());
            }
            return Ok(Value::Null);
        }
        match field.kind {
            FieldType::Boolean => value.as_bool().map(Value::from).ok_or_else(unreadable),
            FieldType::Currency => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let number: f64 = text.parse().map_err(|_| unreadable())?;
                if number.abs() >= 1e16 {
                    let message = format!("{name}: value outside of valid range on numeric field: {text}");
                    return Err(Problem::field(code::NUMBER_OUTSIDE_VALID_RANGE, message, name));
                }
                let rounded = (number * 100.0).round() / 100.0;
                Number::from_f64(rounded).map(Value::Number).ok_or_else(unreadable)
            }
            FieldType::Date => {
                let text = value.as_str().ok_or_else(unreadable)?;
                let date: Date = text.parse().map_err(|_| unreadable())?;
                Ok(json!(date.to_string()))
            }
            FieldType::Datetime => {
                let text = value.as_str().ok_or_else(unreadable)?;
                Ok(json!(datetime(moment(text).ok_or_else(unreadable)?)))
            }
            FieldType::Reference | FieldType::Id => {
                let id = ids::normal(name, value.as_str().ok_or_else(unreadable)?)?;
                let object = SCHEMA.object_of(&id).filter(|object| Some(&object.name) == field.to.as_ref());
                if object.is_none_or(|object| self.row(object, &id).is_err()) {
                    let message = format!("invalid cross reference id: {name}");
                    return Err(Problem::field(code::INVALID_CROSS_REFERENCE_KEY, message, name));
                }
                Ok(json!(id))
            }
            _ => written(field, value.as_str().ok_or_else(unreadable)?),
        }
    }

    fn unique(&self, object: &Object, fields: &Map<String, Value>, own: Option<&str>) -> Result<(), Vec<Problem>> {
        for field in object.fields.iter().filter(|field| field.unique) {
            let Some(value) = fields.get(&field.name).and_then(Value::as_str) else { continue };
            if let Some(holder) = self.find(object, field, value).filter(|holder| Some(holder.as_str()) != own) {
                let message =
                    format!("duplicate value found: {} duplicates value on record with id: {holder}", field.name);
                return Err(vec![Problem::field(code::DUPLICATE_VALUE, message, &field.name)]);
            }
        }
        Ok(())
    }
}

/// Text as it is stored, if it may be.
fn written(field: &Field, text: &str) -> Result<Value, Problem> {
    let name = field.name.as_str();
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if text.chars().count() > field.length {
        let message = format!("{name}: data value too large: {text} (max length={})", field.length);
        return Err(Problem::field(code::STRING_TOO_LONG, message, name));
    }
    if field.kind == FieldType::Email && !is_email(text) {
        let message = format!("{name}: invalid email address: {text}");
        return Err(Problem::field(code::INVALID_EMAIL_ADDRESS, message, name));
    }
    if field.restricted && !field.values.iter().any(|value| value == text) {
        let message = format!("{name}: bad value for restricted picklist field: {text}");
        return Err(Problem::field(code::INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST, message, name));
    }
    if field.kind == FieldType::Multipicklist {
        return Ok(json!(in_defined_order(field, text)));
    }
    Ok(json!(text))
}

/// A multipicklist comes back in the order of its definition, unknown values last.
fn in_defined_order(field: &Field, text: &str) -> String {
    let mut given: Vec<&str> = Vec::new();
    for value in text.split(';').map(str::trim).filter(|value| !value.is_empty()) {
        if !given.contains(&value) {
            given.push(value);
        }
    }
    given.sort_by_key(|value| field.values.iter().position(|known| known == value).unwrap_or(usize::MAX));
    given.join(";")
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |part: &str| !part.is_empty() && !part.contains([' ', '@', ',', ';', '<', '>', '(', ')']);
    plain(local)
        && plain(domain)
        && domain.contains('.')
        && !domain.starts_with(['.', '-'])
        && !domain.ends_with(['.', '-'])
        && !domain.contains("..")
}

fn touch(fields: &mut Map<String, Value>, user: &str, now: Timestamp) {
    fields.insert("LastModifiedDate".to_owned(), json!(datetime(now)));
    fields.insert("LastModifiedById".to_owned(), json!(user));
    fields.insert("SystemModstamp".to_owned(), json!(datetime(now)));
}

/// A datetime as the API answers it: whole seconds, an offset without colon.
pub fn datetime(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// A datetime as clients and our own rows write it, in whole seconds.
pub fn moment(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("+0000").map_or_else(|| text.to_owned(), |bare| format!("{bare}Z"));
    let at: Timestamp = text.parse().ok()?;
    let rounding = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc);
    at.round(rounding).ok()
}

impl Row {
    /// A field's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// A field's value as answers have it: compound fields are put together from their parts.
    pub fn value(&self, object: &Object, field: &Field) -> Value {
        let held = |name: &str| self.fields.get(name).cloned().unwrap_or_default();
        if field.kind != FieldType::Address {
            return held(&field.name);
        }
        let mut address = json!({"geocodeAccuracy": null, "latitude": null, "longitude": null});
        let parts = object.fields.iter().filter(|part| part.compound.as_ref() == Some(&field.name));
        let mut empty = true;
        for part in parts {
            let value = held(&part.name);
            empty &= value.is_null();
            let name = part.name.strip_prefix(field.name.trim_end_matches("Address")).unwrap_or(&part.name);
            let (first, rest) = name.split_at(1);
            address[format!("{}{rest}", first.to_lowercase())] = value;
        }
        if empty { Value::Null } else { address }
    }

    /// The record with all its fields.
    pub fn view(&self, object: &Object, base: &str, only: Option<&[&Field]>) -> Value {
        let id = self.text("Id").unwrap_or_default();
        let mut view = Map::new();
        view.insert("attributes".to_owned(), attributes(object, base, id));
        for field in &object.fields {
            if only.is_none_or(|only| only.iter().any(|one| one.name == field.name)) {
                view.insert(field.name.clone(), self.value(object, field));
            }
        }
        Value::Object(view)
    }
}

/// The `attributes` member of a record.
pub fn attributes(object: &Object, base: &str, id: &str) -> Value {
    json!({"type": object.name, "url": format!("{base}/sobjects/{}/{id}", object.name)})
}

#[cfg(test)]
mod tests {
    use super::*;

    const REP: &str = "005Hs0000000RepAAA";

    fn now() -> Timestamp {
        "2026-03-02T12:00:00.9Z".parse().expect("a moment")
    }

    fn body(value: &Value) -> Body {
        value.as_object().cloned().expect("an object")
    }

    fn minimal(extra: &Value) -> Body {
        let mut all = body(&json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}));
        all.extend(body(extra));
        all
    }

    fn codes(result: Result<String, Vec<Problem>>) -> Vec<String> {
        result.expect_err("refused").into_iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn writes_follow_the_fields_rules() {
        let mut org = Org::new(1);
        let object = SCHEMA.object("Opportunity").expect("the org has it");
        for (extra, expected) in [
            (json!({"Nope": 1}), code::INVALID_FIELD),
            (json!({"CreatedDate": "2026-01-01T00:00:00Z"}), code::INVALID_FIELD_FOR_INSERT_UPDATE),
            (json!({"Name": null}), code::REQUIRED_FIELD_MISSING),
            (json!({"ACE_Opportunity_Id__c": "O".repeat(21)}), code::STRING_TOO_LONG),
            (json!({"ACE_Contact_Email__c": "nobody"}), code::INVALID_EMAIL_ADDRESS),
            (json!({"ACE_Response__c": "Maybe"}), code::INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST),
            (json!({"AccountId": "001Hs0000000000"}), code::INVALID_CROSS_REFERENCE_KEY),
            (json!({"AccountId": "nonsense"}), code::MALFORMED_ID),
            (json!({"CloseDate": "31.12.2026"}), code::JSON_PARSER_ERROR),
            (json!({"Amount": 1e17}), code::NUMBER_OUTSIDE_VALID_RANGE),
            (json!({"Share_With_AWS__c": null}), code::JSON_PARSER_ERROR),
        ] {
            assert_eq!(codes(org.create(object, &minimal(&extra), REP, now())), [expected], "{extra}");
        }
        assert!(org.rows(object).is_empty());
    }

    #[test]
    fn values_are_stored_as_salesforce_stores_them() {
        let mut org = Org::new(1);
        let object = SCHEMA.object("Opportunity").expect("the org has it");
        let given = json!({
            "name": "  Deal  ",
            "Amount": 12500,
            "ACE_Last_Sync__c": "2026-03-02T13:00:00.999+01:00",
            "ACE_Delivery_Models__c": "Other;Resell;Other",
            "Description": "",
        });
        let id = org.create(object, &minimal(&given), REP, now()).expect("it is right");
        let row = org.row(object, &id[..15]).expect("by its short id too");
        assert_eq!(row.text("Name"), Some("Deal"));
        assert_eq!(row.fields["Amount"].to_string(), "12500.0");
        assert_eq!(row.text("ACE_Last_Sync__c"), Some("2026-03-02T12:00:00.000+0000"));
        assert_eq!(row.text("ACE_Delivery_Models__c"), Some("Resell;Other"));
        assert_eq!(row.fields["Description"], Value::Null);
        assert_eq!(row.text("SystemModstamp"), Some("2026-03-02T12:00:00.000+0000"));
        assert_eq!(row.text("LastModifiedById"), Some(REP));
        assert_eq!(row.fields["Share_With_AWS__c"], json!(false));
    }

    #[test]
    fn a_whole_record_has_every_field_and_its_address_put_together() {
        let mut org = Org::new(1);
        let object = SCHEMA.object("Account").expect("the org has it");
        let given =
            json!({"Name": "Example", "Type": "Prospect", "BillingCity": "Berlin", "BillingPostalCode": "10115"});
        let id = org.create(object, &body(&given), REP, now()).expect("it is right");
        let view = org.row(object, &id).expect("it is there").view(object, "/base", None);
        assert_eq!(view["attributes"], json!({"type": "Account", "url": format!("/base/sobjects/Account/{id}")}));
        assert_eq!(
            (&view["Type"], &view["Website"], &view["OwnerId"]),
            (&json!("Prospect"), &Value::Null, &json!(REP))
        );
        assert_eq!(
            view["BillingAddress"],
            json!({"city": "Berlin", "country": null, "geocodeAccuracy": null, "latitude": null, "longitude": null,
                   "postalCode": "10115", "state": null, "street": null})
        );
        let written = org.update(object, &id, &body(&json!({"BillingAddress": {"city": "Bonn"}})), REP, now());
        assert_eq!(written.expect_err("read only")[0].code, code::INVALID_FIELD_FOR_INSERT_UPDATE);
        org.update(object, &id, &body(&json!({"BillingCity": null, "BillingPostalCode": null})), REP, now())
            .expect("it is right");
        let view = org.row(object, &id).expect("it is there").view(object, "/base", None);
        assert_eq!(view["BillingAddress"], Value::Null);
        let user = SCHEMA.object("User").expect("the org has it");
        assert_eq!(org.row(user, &SCHEMA.user[1].full_id()).expect("a user").text("Name"), Some("Robin Rep"));
    }

    #[test]
    fn external_ids_ignore_case_and_stay_unique() {
        let mut org = Org::new(1);
        let object = SCHEMA.object("Opportunity").expect("the org has it");
        let field = object.field("ACE_Opportunity_Id__c").expect("the object has it");
        let (id, created) =
            org.upsert(object, (field, "o1"), &minimal(&json!({})), false, REP, now()).expect("it is right");
        assert!(created);
        let again = org.upsert(object, (field, "O1"), &body(&json!({"NextStep": "Call"})), false, REP, now());
        assert_eq!(again, Ok((id.clone(), false)));
        let other = minimal(&json!({"ACE_Opportunity_Id__c": "O1"}));
        assert_eq!(codes(org.create(object, &other, REP, now())), [code::DUPLICATE_VALUE]);
        org.delete(object, &id, REP, now()).expect("it is there");
        let gone = org.update(object, &id, &body(&json!({"NextStep": "x"})), REP, now()).expect_err("deleted");
        assert_eq!(gone[0].code, code::ENTITY_IS_DELETED);
        assert!(org.create(object, &other, REP, now()).is_ok(), "a deleted row holds no key");
        let absent = org.upsert(object, (field, "O9"), &minimal(&json!({})), true, REP, now()).expect_err("no row");
        assert_eq!(absent[0].code, code::NOT_FOUND);
    }
}
