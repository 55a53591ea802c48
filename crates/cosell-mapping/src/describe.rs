use std::fmt;

use serde::{Deserialize, Serialize};

/// What a CRM says about one of its objects, free of any vendor's words. This is also the form in which
/// `cosell mapping describe` saves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The object's name in the CRM's API.
    pub object: String,
    /// What people see.
    pub label: String,
    /// Whether the user that was asked for may make records of it.
    #[serde(default = "unless_said")]
    pub createable: bool,
    /// Whether the user that was asked for may change records of it.
    #[serde(default = "unless_said")]
    pub updateable: bool,
    /// Its fields.
    pub fields: Vec<CrmField>,
}

/// What is left out forbids nothing.
fn unless_said() -> bool {
    true
}

impl Description {
    /// An object that may be written.
    pub fn new(object: &str, label: &str, fields: Vec<CrmField>) -> Self {
        Self { object: object.to_owned(), label: label.to_owned(), createable: true, updateable: true, fields }
    }

    /// The field of this name, whose case does not count.
    pub fn field(&self, name: &str) -> Option<&CrmField> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The reference field behind a relationship's name (`Account` of `AccountId`).
    pub fn relation(&self, name: &str) -> Option<&CrmField> {
        self.fields.iter().find(|field| field.relation.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }
}

/// One field of a CRM's object.
#[expect(clippy::struct_excessive_bools, reason = "a CRM says each of them, and any combination occurs")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmField {
    /// Its name in the CRM's API.
    pub name: String,
    /// What people see.
    pub label: String,
    /// What its values look like.
    pub kind: CrmKind,
    /// How many characters a text can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Whether the user that was asked for may set it on a new record.
    pub createable: bool,
    /// Whether the user that was asked for may change it.
    pub updateable: bool,
    /// Whether a new record needs a value that the CRM does not fill itself.
    #[serde(default)]
    pub required: bool,
    /// Whether a record can be found or made by it: a unique external identifier.
    #[serde(default)]
    pub unique: bool,
    /// The values of a list, those that can still be chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether the CRM refuses values that are not in the list.
    #[serde(default)]
    pub restricted: bool,
    /// The objects that a reference can lead to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers_to: Vec<String>,
    /// The name by which paths go through a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
}

impl CrmField {
    /// A field that may be written, and of which nothing else is known.
    pub fn new(name: &str, label: &str, kind: CrmKind) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind,
            length: None,
            createable: true,
            updateable: true,
            required: false,
            unique: false,
            values: Vec::new(),
            restricted: false,
            refers_to: Vec::new(),
            relation: None,
        }
    }
}

/// What the values of a CRM field look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrmKind {
    /// Text of one line.
    Text,
    /// Text of many lines.
    LongText,
    /// A number or an amount, with so many decimals.
    Number(u32),
    /// A calendar day.
    Date,
    /// A moment.
    DateTime,
    /// A check box.
    Boolean,
    /// One value of a list.
    Picklist,
    /// Several values of a list.
    MultiPicklist,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A web address.
    Url,
    /// A reference to another record.
    Reference,
    /// The record's own identifier.
    Id,
    /// Something that cannot be mapped (an address, a place, binary data).
    Other,
}

impl fmt::Display for CrmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::LongText => f.write_str("long text"),
            Self::Number(decimals) => write!(f, "number({decimals} decimals)"),
            Self::Date => f.write_str("date"),
            Self::DateTime => f.write_str("date and time"),
            Self::Boolean => f.write_str("check box"),
            Self::Picklist => f.write_str("picklist"),
            Self::MultiPicklist => f.write_str("multi-select picklist"),
            Self::Email => f.write_str("email"),
            Self::Phone => f.write_str("phone"),
            Self::Url => f.write_str("URL"),
            Self::Reference => f.write_str("reference"),
            Self::Id => f.write_str("identifier"),
            Self::Other => f.write_str("other"),
        }
    }
}
