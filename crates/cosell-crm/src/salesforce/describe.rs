//! Salesforce's describe answer and the port's description.
//!
//! `createable` and `updateable` are what the session's user may do, and fields that it may not see are absent.

use cosell_mapping::{CrmField, CrmKind, Description};
use serde::Deserialize;
use serde_json::Value as Json;

use super::errors::Unreadable;

/// Set by Salesforce, except for users who may set audit fields: a copy must not pretend to be as old as its original.
const SYSTEM: [&str; 7] =
    ["Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"];

#[derive(Deserialize)]
struct Described {
    name: String,
    label: String,
    #[serde(default = "unless_said")]
    createable: bool,
    #[serde(default = "unless_said")]
    updateable: bool,
    fields: Vec<Field>,
}

/// What is left out forbids nothing.
fn unless_said() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "describe has as many")]
struct Field {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    extra_type_info: Option<String>,
    #[serde(default)]
    length: u32,
    #[serde(default)]
    scale: u32,
    #[serde(default)]
    createable: bool,
    #[serde(default)]
    updateable: bool,
    #[serde(default)]
    nillable: bool,
    #[serde(default)]
    defaulted_on_create: bool,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    auto_number: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    id_lookup: bool,
    #[serde(default)]
    restricted_picklist: bool,
    #[serde(default)]
    picklist_values: Vec<PicklistValue>,
    #[serde(default)]
    reference_to: Vec<String>,
    relationship_name: Option<String>,
}

#[derive(Deserialize)]
struct PicklistValue {
    active: bool,
    value: String,
}

/// Reads the answer to `GET /sobjects/{Object}/describe`, also as the vendor's command line saves it (inside `result`).
pub fn description(json: &Json) -> Result<Description, Unreadable> {
    let Described { name, label, createable, updateable, fields } = described(json)?;
    let fields = fields.into_iter().map(CrmField::from).collect();
    Ok(Description { object: name, label, createable, updateable, fields })
}

/// The fields whose values a copy of a record can have. What identifies the original is none of them.
pub(super) fn copyable(json: &Json) -> Result<Vec<String>, Unreadable> {
    let fields = described(json)?.fields.into_iter().filter(Field::is_copyable);
    Ok(fields.map(|field| field.name).collect())
}

/// The names in the answer to `GET /sobjects`.
pub(super) fn objects(json: &Json) -> Result<Vec<String>, Unreadable> {
    #[derive(Deserialize)]
    struct Listed {
        sobjects: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let listed = Listed::deserialize(json).map_err(|_| Unreadable("the `sobjects` and their names"))?;
    Ok(listed.sobjects.into_iter().map(|object| object.name).collect())
}

fn described(json: &Json) -> Result<Described, Unreadable> {
    let json = json.get("result").unwrap_or(json);
    Described::deserialize(json).map_err(|_| Unreadable("an object's `name`, `label` or usable `fields`"))
}

impl Field {
    fn crm_kind(&self) -> CrmKind {
        match self.kind.as_str() {
            "textarea" if self.length > 255 || self.extra_type_info.is_some() => CrmKind::LongText,
            "string" | "textarea" => CrmKind::Text,
            "double" | "currency" | "percent" | "int" => CrmKind::Number(self.scale),
            "date" => CrmKind::Date,
            "datetime" => CrmKind::DateTime,
            "boolean" => CrmKind::Boolean,
            "picklist" | "combobox" => CrmKind::Picklist,
            "multipicklist" => CrmKind::MultiPicklist,
            "email" => CrmKind::Email,
            "phone" => CrmKind::Phone,
            "url" => CrmKind::Url,
            "reference" => CrmKind::Reference,
            "id" => CrmKind::Id,
            _ => CrmKind::Other,
        }
    }

    fn is_copyable(&self) -> bool {
        self.createable
            && !self.calculated
            && !self.auto_number
            && !self.unique
            && !self.external_id
            && self.crm_kind() != CrmKind::Other
            && !SYSTEM.iter().any(|name| name.eq_ignore_ascii_case(&self.name))
    }
}

impl From<Field> for CrmField {
    fn from(field: Field) -> Self {
        let kind = field.crm_kind();
        Self {
            kind,
            length: (field.length > 0).then_some(field.length),
            createable: field.createable,
            updateable: field.updateable,
            // A check box that is not given is not ticked.
            required: !field.nillable && !field.defaulted_on_create && field.createable && kind != CrmKind::Boolean,
            // Salesforce finds records by other fields as well, but only a unique one makes an upsert safe to repeat.
            unique: field.unique && (field.external_id || field.id_lookup),
            values: field.picklist_values.into_iter().filter(|value| value.active).map(|value| value.value).collect(),
            restricted: field.restricted_picklist,
            refers_to: field.reference_to,
            relation: field.relationship_name,
            name: field.name,
            label: field.label,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A field as an organization describes it: everything is there, most of it says nothing.
    fn field(name: &str, kind: &str, own: &Json) -> Json {
        let mut field = json!({
            "aggregatable": true, "autoNumber": false, "byteLength": 0, "calculated": false, "caseSensitive": false,
            "compoundFieldName": null, "controllerName": null, "createable": true, "custom": false,
            "defaultValue": null, "defaultedOnCreate": false, "digits": 0, "externalId": false, "extraTypeInfo": null,
            "filterable": true, "idLookup": false, "label": name, "length": 0, "name": name, "nillable": true,
            "picklistValues": [], "precision": 0, "referenceTo": [], "relationshipName": null,
            "restrictedPicklist": false, "scale": 0, "type": kind, "unique": false, "updateable": true,
        });
        for (key, value) in own.as_object().into_iter().flatten() {
            field[key] = value.clone();
        }
        field
    }

    fn object(fields: &[Json]) -> Json {
        json!({"name": "Opportunity", "label": "Deal", "custom": false, "fields": fields, "recordTypeInfos": []})
    }

    fn read(name: &str, kind: &str, own: &Json) -> CrmField {
        let described = description(&object(&[field(name, kind, own)])).expect("a description");
        described.field(name).cloned().expect("the field")
    }

    #[test]
    fn types_have_their_kinds() {
        for (kind, own, expected) in [
            ("string", json!({"length": 255}), CrmKind::Text),
            ("textarea", json!({"length": 255}), CrmKind::Text),
            ("textarea", json!({"length": 256}), CrmKind::LongText),
            ("textarea", json!({"length": 255, "extraTypeInfo": "plaintextarea"}), CrmKind::LongText),
            ("textarea", json!({"length": 32000, "extraTypeInfo": "richtextarea"}), CrmKind::LongText),
            ("double", json!({"precision": 18, "scale": 3}), CrmKind::Number(3)),
            ("currency", json!({"precision": 18, "scale": 2}), CrmKind::Number(2)),
            ("percent", json!({"precision": 3, "scale": 0}), CrmKind::Number(0)),
            ("int", json!({"digits": 8}), CrmKind::Number(0)),
            ("date", json!({}), CrmKind::Date),
            ("datetime", json!({}), CrmKind::DateTime),
            ("boolean", json!({}), CrmKind::Boolean),
            ("picklist", json!({}), CrmKind::Picklist),
            ("combobox", json!({}), CrmKind::Picklist),
            ("multipicklist", json!({}), CrmKind::MultiPicklist),
            ("email", json!({}), CrmKind::Email),
            ("phone", json!({}), CrmKind::Phone),
            ("url", json!({}), CrmKind::Url),
            ("reference", json!({}), CrmKind::Reference),
            ("id", json!({}), CrmKind::Id),
            ("address", json!({}), CrmKind::Other),
            ("location", json!({}), CrmKind::Other),
            ("base64", json!({}), CrmKind::Other),
            ("time", json!({}), CrmKind::Other),
            ("encryptedstring", json!({"length": 80}), CrmKind::Other),
            ("somethingnew", json!({}), CrmKind::Other),
        ] {
            assert_eq!(read("F", kind, &own).kind, expected, "{kind} {own}");
        }
    }

    #[test]
    fn what_a_field_takes() {
        let name = read("Name", "string", &json!({"label": "Deal name", "length": 120, "nillable": false}));
        assert_eq!((name.label.as_str(), name.length, name.required), ("Deal name", Some(120), true));
        assert!(name.createable && name.updateable && !name.unique && !name.restricted);
        assert_eq!(read("CloseDate", "date", &json!({})).length, None);
        for own in [
            json!({"nillable": true}),
            json!({"nillable": false, "defaultedOnCreate": true}),
            json!({"nillable": false, "createable": false}),
        ] {
            assert!(!read("Name", "string", &own).required, "{own}");
        }
        assert!(!read("Share_With_AWS__c", "boolean", &json!({"nillable": false})).required);
    }

    #[test]
    fn only_a_unique_identifier_is_unique() {
        for (own, expected) in [
            (json!({"unique": true, "externalId": true, "idLookup": true}), true),
            (json!({"unique": true, "idLookup": true}), true),
            (json!({"unique": true}), false),
            (json!({"externalId": true, "idLookup": true}), false),
            (json!({"idLookup": true}), false),
        ] {
            assert_eq!(read("Key__c", "string", &own).unique, expected, "{own}");
        }
    }

    #[test]
    fn lists_and_references() {
        let values = json!({"restrictedPicklist": true, "picklistValues": [
            {"active": true, "defaultValue": true, "label": "Ja", "value": "Yes", "validFor": null},
            {"active": false, "defaultValue": false, "label": "Früher", "value": "Once", "validFor": null},
            {"active": true, "defaultValue": false, "label": null, "value": "No", "validFor": "gAAA"},
        ]});
        let list = read("Answer__c", "picklist", &values);
        assert_eq!((list.values, list.restricted), (vec!["Yes".to_owned(), "No".to_owned()], true));
        let owner = json!({"length": 18, "referenceTo": ["Group", "User"], "relationshipName": "Owner"});
        let described = description(&object(&[field("OwnerId", "reference", &owner)])).expect("a description");
        assert_eq!((described.object.as_str(), described.label.as_str()), ("Opportunity", "Deal"));
        let owner = described.relation("owner").expect("the relation");
        assert_eq!(
            (owner.name.as_str(), owner.refers_to.as_slice()),
            ("OwnerId", &["Group", "User"].map(str::to_owned)[..])
        );
    }

    #[test]
    fn the_command_lines_file_is_a_description_and_other_files_are_not() {
        let plain = object(&[field("Name", "string", &json!({}))]);
        let saved = json!({"status": 0, "result": plain, "warnings": []});
        assert_eq!(description(&saved), description(&plain));
        assert!(description(&saved).is_ok());
        for other in [
            json!(null),
            json!([]),
            json!({"name": "Lead", "label": "Lead"}),
            json!({"name": "Lead", "label": "Lead", "fields": [{"name": "jane@example.com", "label": "Name"}]}),
            json!({"name": "Lead", "label": "Lead", "fields": {"jane@example.com": 1}}),
            json!([{"message": "jane@example.com", "errorCode": "NOT_FOUND"}]),
        ] {
            let error = description(&other).expect_err("no description").to_string();
            assert!(!error.contains("jane"), "{error}");
        }
    }

    #[test]
    fn a_copy_has_what_can_be_set_and_identifies_nothing() {
        let fields = [
            field("Id", "id", &json!({"createable": false})),
            field("Name", "string", &json!({})),
            field("OwnerId", "reference", &json!({})),
            field("RecordTypeId", "reference", &json!({})),
            field("BillingAddress", "address", &json!({"createable": false})),
            field("BillingStreet", "textarea", &json!({"compoundFieldName": "BillingAddress"})),
            field("Score__c", "double", &json!({"calculated": true, "createable": false})),
            field("Number__c", "string", &json!({"autoNumber": true})),
            field("ACE_Opportunity_Id__c", "string", &json!({"unique": true, "externalId": true, "idLookup": true})),
            field("Serial__c", "string", &json!({"unique": true})),
            field("Erp_Id__c", "string", &json!({"externalId": true, "idLookup": true})),
            field("Body__c", "base64", &json!({})),
            field("Secret__c", "encryptedstring", &json!({})),
            // With the right to set audit fields, even these are said to be createable.
            field("CreatedDate", "datetime", &json!({})),
            field("LastModifiedById", "reference", &json!({})),
        ];
        let expected = ["Name", "OwnerId", "RecordTypeId", "BillingStreet"].map(str::to_owned);
        assert_eq!(copyable(&object(&fields)), Ok(expected.into()));
    }
}
