//! The org's objects, read from `org.toml`, and what describe says of them.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{Failure, Problem, code};
use super::ids;

/// The org, its users and objects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The org itself.
    pub org: OrgFacts,
    /// People and the apps that log in as them.
    pub user: Vec<User>,
    /// Objects.
    pub object: Vec<Object>,
}

/// Facts of the org.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgFacts {
    /// Its 15-character id.
    pub id: String,
    /// The oldest API version it speaks.
    pub earliest_api: u32,
    /// The newest API version it speaks.
    pub latest_api: u32,
}

/// A user and the OAuth app that runs as it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// 15-character id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Login name.
    pub username: String,
    /// Address.
    pub email: String,
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
}

/// One object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// API name.
    pub name: String,
    /// Key prefix of its ids.
    pub prefix: String,
    /// Plural label.
    pub plural: String,
    /// Its fields; the system's come first.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "describe has as many")]
pub struct Field {
    /// API name.
    pub name: String,
    /// Type.
    #[serde(default, rename = "type")]
    pub kind: FieldType,
    /// Most characters.
    #[serde(default = "usual_length")]
    pub length: usize,
    /// May not be empty.
    #[serde(default)]
    pub required: bool,
    /// Filled in at creation when absent.
    #[serde(default)]
    pub defaulted: bool,
    /// Default picklist value.
    pub default: Option<String>,
    /// Takes only its picklist values.
    #[serde(default)]
    pub restricted: bool,
    /// Picklist values.
    #[serde(default)]
    pub values: Vec<String>,
    /// Usable in upserts.
    #[serde(default)]
    pub external_id: bool,
    /// No two records share a value.
    #[serde(default)]
    pub unique: bool,
    /// The object it points to.
    pub to: Option<String>,
    /// The compound field it is a part of.
    pub compound: Option<String>,
    /// Set by the system only.
    #[serde(default)]
    pub readonly: bool,
}

/// Field types, in Salesforce's words.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is the wire's own word")]
pub enum FieldType {
    Address,
    Id,
    #[default]
    String,
    Textarea,
    Picklist,
    Multipicklist,
    Boolean,
    Currency,
    Date,
    Datetime,
    Reference,
    Email,
    Phone,
    Url,
}

fn usual_length() -> usize {
    255
}

/// The org's schema, read once.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema: Schema = toml::from_str(include_str!("org.toml")).expect("org.toml parses");
    for object in &mut schema.object {
        let system = |name: &str, kind: FieldType, to: Option<&str>| Field {
            name: name.to_owned(),
            kind,
            length: 18,
            required: true,
            defaulted: true,
            default: None,
            restricted: false,
            values: Vec::new(),
            external_id: false,
            unique: false,
            to: to.map(str::to_owned),
            compound: None,
            readonly: true,
        };
        let own = std::mem::take(&mut object.fields);
        object.fields = vec![system("Id", FieldType::Id, None), system("IsDeleted", FieldType::Boolean, None)];
        object.fields.extend(own);
        object.fields.extend([
            system("CreatedDate", FieldType::Datetime, None),
            system("CreatedById", FieldType::Reference, Some("User")),
            system("LastModifiedDate", FieldType::Datetime, None),
            system("LastModifiedById", FieldType::Reference, Some("User")),
            system("SystemModstamp", FieldType::Datetime, None),
        ]);
        for field in &mut object.fields {
            match field.kind {
                FieldType::Email => field.length = 80,
                FieldType::Phone => field.length = 40,
                FieldType::Multipicklist => field.length = 4099,
                FieldType::Reference => field.length = 18,
                FieldType::Boolean => field.required = true,
                _ => {}
            }
        }
    }
    schema
});

impl Schema {
    /// The object of that name, in any case.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.object.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    /// The object whose ids begin so.
    pub fn object_of(&self, id: &str) -> Option<&Object> {
        self.object.iter().find(|object| id.starts_with(&object.prefix))
    }

    /// The object in a path of the API.
    pub fn in_path(&self, name: &str) -> Result<&Object, Failure> {
        self.object(name).ok_or_else(Failure::not_found)
    }
}

impl User {
    /// The 18-character id.
    pub fn full_id(&self) -> String {
        ids::full(&self.id)
    }
}

impl Object {
    /// The field of that name, in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field behind a relationship's name.
    pub fn relationship(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.relationship().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// The field an upsert names.
    pub fn external_id(&self, name: &str) -> Result<&Field, Problem> {
        self.field(name).filter(|field| field.external_id || field.kind == FieldType::Id).ok_or_else(|| {
            let message = format!("Provided external ID field does not exist or is not accessible: {name}");
            Problem::new(code::NOT_FOUND, message)
        })
    }

    /// The head of a describe answer.
    pub fn summary(&self, base: &str) -> Value {
        let users = self.name == "User";
        json!({
            "name": self.name,
            "label": self.name,
            "labelPlural": self.plural,
            "custom": self.name.ends_with("__c"),
            "keyPrefix": self.prefix,
            "createable": !users,
            "updateable": !users,
            "deletable": !users,
            "queryable": true,
            "replicateable": true,
            "retrieveable": true,
            "searchable": true,
            "urls": {
                "sobject": format!("{base}/sobjects/{}", self.name),
                "describe": format!("{base}/sobjects/{}/describe", self.name),
                "rowTemplate": format!("{base}/sobjects/{}/{{ID}}", self.name),
            },
        })
    }

    /// The describe answer.
    pub fn describe(&self, base: &str) -> Value {
        let mut answer = self.summary(base);
        answer["recordTypeInfos"] = json!([]);
        answer["childRelationships"] = json!([]);
        answer["fields"] = self.fields.iter().map(Field::describe).collect();
        answer
    }
}

impl Field {
    /// The name of the relationship a reference opens.
    pub fn relationship(&self) -> Option<String> {
        self.to.as_ref()?;
        Some(match self.name.strip_suffix("__c") {
            Some(custom) => format!("{custom}__r"),
            None => self.name.strip_suffix("Id").unwrap_or(&self.name).to_owned(),
        })
    }

    /// Whether the type is text with a length.
    pub fn is_text(&self) -> bool {
        !matches!(
            self.kind,
            FieldType::Address | FieldType::Boolean | FieldType::Currency | FieldType::Date | FieldType::Datetime
        )
    }

    /// Whether SOQL may filter by it.
    pub fn filterable(&self) -> bool {
        self.kind != FieldType::Address && !self.is_long()
    }

    fn is_long(&self) -> bool {
        self.kind == FieldType::Textarea && self.length > 255
    }

    fn describe(&self) -> Value {
        let (type_name, soap) = match self.kind {
            FieldType::Address => ("address", "urn:address"),
            FieldType::Id => ("id", "tns:ID"),
            FieldType::String => ("string", "xsd:string"),
            FieldType::Textarea => ("textarea", "xsd:string"),
            FieldType::Picklist => ("picklist", "xsd:string"),
            FieldType::Multipicklist => ("multipicklist", "xsd:string"),
            FieldType::Boolean => ("boolean", "xsd:boolean"),
            FieldType::Currency => ("currency", "xsd:double"),
            FieldType::Date => ("date", "xsd:date"),
            FieldType::Datetime => ("datetime", "xsd:dateTime"),
            FieldType::Reference => ("reference", "tns:ID"),
            FieldType::Email => ("email", "xsd:string"),
            FieldType::Phone => ("phone", "xsd:string"),
            FieldType::Url => ("url", "xsd:string"),
        };
        let length = if self.is_text() { self.length } else { 0 };
        let money = self.kind == FieldType::Currency;
        let values: Vec<Value> = self
            .values
            .iter()
            .map(|value| {
                let default = self.default.as_ref() == Some(value);
                json!({"active": true, "defaultValue": default, "label": value, "validFor": null, "value": value})
            })
            .collect();
        json!({
            "name": self.name,
            "label": self.name.trim_end_matches("__c").replace('_', " "),
            "type": type_name,
            "soapType": soap,
            "extraTypeInfo": self.is_long().then_some("plaintextarea"),
            "length": length,
            "byteLength": length * 3,
            "precision": if money { 18 } else { 0 },
            "scale": if money { 2 } else { 0 },
            "digits": 0,
            "nillable": !self.required,
            "createable": !self.readonly,
            "updateable": !self.readonly,
            "defaultedOnCreate": self.defaulted || self.default.is_some() || self.kind == FieldType::Boolean,
            "defaultValue": if self.kind == FieldType::Boolean { json!(false) } else { Value::Null },
            "calculated": false,
            "autoNumber": false,
            "unique": self.unique,
            "externalId": self.external_id,
            "idLookup": self.kind == FieldType::Id || self.external_id,
            "caseSensitive": false,
            "filterable": self.filterable(),
            "sortable": self.filterable() && self.kind != FieldType::Multipicklist,
            "custom": self.name.ends_with("__c"),
            "restrictedPicklist": self.restricted,
            "dependentPicklist": false,
            "controllerName": null,
            "picklistValues": values,
            "referenceTo": self.to.iter().collect::<Vec<_>>(),
            "relationshipName": self.relationship(),
            "compoundFieldName": self.compound,
            "permissionable": self.name.ends_with("__c") || !self.required,
            "encrypted": false,
            "htmlFormatted": false,
            "namePointing": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_its_system_fields_once() {
        for object in &SCHEMA.object {
            for name in ["Id", "IsDeleted", "SystemModstamp", "LastModifiedById"] {
                assert_eq!(object.fields.iter().filter(|field| field.name == name).count(), 1, "{}", object.name);
            }
            for field in &object.fields {
                assert!(field.to.as_ref().is_none_or(|to| SCHEMA.object(to).is_some()), "{}", field.name);
                assert!(field.compound.as_ref().is_none_or(|whole| object.field(whole).is_some()), "{}", field.name);
                assert!(field.default.as_ref().is_none_or(|value| field.values.contains(value)), "{}", field.name);
            }
        }
    }

    #[test]
    fn describe_says_what_a_mapping_needs() {
        let described = SCHEMA.object("Account").expect("the org has it").describe("/services/data/v66.0");
        assert_eq!((&described["name"], &described["label"]), (&json!("Account"), &json!("Account")));
        let field = |name: &str| {
            let fields = described["fields"].as_array().expect("fields");
            fields.iter().find(|field| field["name"] == name).cloned().expect("the field")
        };
        let name = field("Name");
        assert_eq!(
            (&name["nillable"], &name["createable"], &name["length"]),
            (&json!(false), &json!(true), &json!(255))
        );
        let owner = field("OwnerId");
        assert_eq!((&owner["referenceTo"], &owner["relationshipName"]), (&json!(["User"]), &json!("Owner")));
        assert_eq!(owner["defaultedOnCreate"], true);
        assert!(field("Industry")["picklistValues"].as_array().is_some_and(|values| values.len() > 30));
        assert_eq!(field("BillingCity")["compoundFieldName"], "BillingAddress");
        let address = field("BillingAddress");
        assert_eq!((&address["type"], &address["createable"]), (&json!("address"), &json!(false)));
        let long = SCHEMA.object("Lead").and_then(|lead| lead.field("Description")).map(Field::describe);
        assert_eq!(long.expect("the field")["extraTypeInfo"], "plaintextarea");
    }

    #[test]
    fn relationships_are_named_as_salesforce_names_them() {
        let object = SCHEMA.object("opportunity").expect("the org has it");
        assert_eq!(object.relationship("account").and_then(|field| field.to.as_deref()), Some("Account"));
        assert_eq!(object.relationship("LastModifiedBy").map(|field| field.name.as_str()), Some("LastModifiedById"));
        assert!(object.relationship("Name").is_none());
    }
}
