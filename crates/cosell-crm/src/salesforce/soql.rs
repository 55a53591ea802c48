//! Builds SOQL. Names are checked, values pass through one escaping function, an operator's own condition stands between
//! parentheses, and nothing else is put into a statement.

use std::fmt::Write;

use cosell_mapping::CrmValue;
use cosell_sync::ports::CrmFields;

use super::cursor::Cursor;

/// The most characters that a text in a statement can have.
pub(super) const LONGEST_TEXT: usize = 4_000;

/// What the adapter needs of every record, whatever was asked for.
const ALWAYS: [&str; 3] = ["Id", "SystemModstamp", "LastModifiedById"];

/// A name that Salesforce cannot have. Names come from the mapping, never from a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not the name of {expected} in Salesforce")]
pub struct InvalidName {
    /// What was given.
    pub name: String,
    /// What would have been right.
    pub expected: &'static str,
}

/// An object's or an own field's name.
pub(super) fn plain_name<'n>(name: &'n str, expected: &'static str) -> Result<&'n str, InvalidName> {
    if is_name(name) { Ok(name) } else { Err(InvalidName { name: name.to_owned(), expected }) }
}

/// A field's name, or the way to a field of a parent or of a parent's parent.
fn field_path(path: &str) -> Result<&str, InvalidName> {
    if path.split('.').count() <= 3 && path.split('.').all(is_name) {
        Ok(path)
    } else {
        Err(InvalidName { name: path.to_owned(), expected: "a field" })
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A text literal, quotes included.
pub(super) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for character in text.chars() {
        match character {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// What a field is compared with; none where the value is empty. Salesforce stores texts without blanks around them.
pub(super) fn operand(value: &CrmValue) -> Option<String> {
    match value {
        CrmValue::Null => None,
        CrmValue::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(literal),
        CrmValue::Number(number) => Some(number.to_string()),
        CrmValue::Bool(flag) => Some(flag.to_string()),
    }
}

/// The oldest record whose fields have these values.
pub(super) fn oldest(object: &str, fields: &CrmFields) -> Result<String, InvalidName> {
    let object = plain_name(object, "an object")?;
    let condition = |(name, value): (&String, &CrmValue)| {
        Ok(format!("{} = {}", field_path(name)?, operand(value).as_deref().unwrap_or("null")))
    };
    let conditions: Vec<String> = fields.iter().map(condition).collect::<Result<_, _>>()?;
    let conditions = conditions.join(" AND ");
    Ok(format!("SELECT Id FROM {object} WHERE {conditions} ORDER BY CreatedDate ASC, Id ASC LIMIT 1"))
}

/// At most `limit` records that meet an operator's condition. The parentheses keep it from bringing clauses of its own.
pub(super) fn meeting(object: &str, condition: &str, limit: usize) -> Result<String, InvalidName> {
    let object = plain_name(object, "an object")?;
    Ok(format!("SELECT Id FROM {object} WHERE ({condition}) ORDER BY Id LIMIT {limit}"))
}

/// A statement without its condition.
pub(super) struct Select {
    head: String,
}

impl Select {
    /// Selects `fields` and what the adapter always needs, each once: Salesforce refuses a field that is named twice.
    pub(super) fn new(object: &str, fields: &[String]) -> Result<Self, InvalidName> {
        let object = plain_name(object, "an object")?;
        let mut columns = ALWAYS.to_vec();
        for field in fields {
            let field = field_path(field)?;
            if !columns.iter().any(|column| column.eq_ignore_ascii_case(field)) {
                columns.push(field);
            }
        }
        Ok(Self { head: format!("SELECT {} FROM {object} WHERE ", columns.join(", ")) })
    }

    /// The one record whose `field` is `value`.
    pub(super) fn one(mut self, field: &str, value: &str) -> Result<String, InvalidName> {
        let field = plain_name(field, "a field")?;
        let _ = write!(self.head, "{field} = {} LIMIT 1", literal(value));
        Ok(self.head)
    }

    /// The records whose `field` is one of `values`.
    pub(super) fn several<'v>(
        self,
        field: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> Result<String, InvalidName> {
        let field = plain_name(field, "a field")?;
        let values: Vec<String> = values.into_iter().map(literal).collect();
        Ok(format!("{}{field} IN ({})", self.head, values.join(", ")))
    }

    /// The next `limit` records after a cursor, oldest change first.
    pub(super) fn changed_since(&self, cursor: &Cursor, limit: usize) -> String {
        format!("{}{} {}", self.head, after(cursor), oldest_first(limit))
    }

    /// The next `limit` deleted records after a cursor, oldest deletion first: it is a deleted record's last change.
    pub(super) fn deleted_since(&self, cursor: &Cursor, limit: usize) -> String {
        format!("{}IsDeleted = true AND ({}) {}", self.head, after(cursor), oldest_first(limit))
    }
}

fn after(cursor: &Cursor) -> String {
    let at = cursor.at;
    match &cursor.id {
        None => format!("SystemModstamp >= {at}"),
        Some(id) => format!("(SystemModstamp > {at}) OR (SystemModstamp = {at} AND Id > {})", literal(id)),
    }
}

fn oldest_first(limit: usize) -> String {
    format!("ORDER BY SystemModstamp, Id LIMIT {limit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn selects_every_field_once_and_the_adapters_own() {
        let asked = fields(&["Name", "id", "Account.Owner.Email", "name", "Partner__r.Region__c"]);
        let statement = Select::new("Opportunity", &asked).and_then(|select| select.one("Id", "006000000000001AAA"));
        assert_eq!(
            statement.as_deref(),
            Ok("SELECT Id, SystemModstamp, LastModifiedById, Name, Account.Owner.Email, Partner__r.Region__c \
                FROM Opportunity WHERE Id = '006000000000001AAA' LIMIT 1")
        );
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        for (value, quoted) in [
            ("O1234567", "'O1234567'"),
            ("", "''"),
            ("O'Brien", r"'O\'Brien'"),
            (r"back\slash", r"'back\\slash'"),
            (r"\' OR Name != '", r"'\\\' OR Name != \''"),
            ("two\nlines\r\tand a tab", r"'two\nlines\r\tand a tab'"),
            ("\"%_ü", "'\"%_ü'"),
        ] {
            assert_eq!(literal(value), quoted);
        }
    }

    #[test]
    fn names_that_are_no_names_are_refused() {
        for name in ["", "1Name", "_Name", "Na me", "Name,Id", "Name'", "Näme", "Name--", "(SELECT Id)", "a.b"] {
            assert!(Select::new(name, &[]).is_err(), "object {name}");
            let by_field = Select::new("Lead", &[]).and_then(|select| select.one(name, "x"));
            assert!(by_field.is_err(), "key {name}");
        }
        for path in ["", ".", "Account.", ".Name", "Account..Name", "a.b.c.d", "Account.Na me", "Account.Name FROM X"] {
            assert_eq!(
                Select::new("Lead", &fields(&[path])).err(),
                Some(InvalidName { name: path.to_owned(), expected: "a field" }),
            );
        }
    }

    #[test]
    fn finds_by_values_of_every_kind() -> Result<(), Box<dyn std::error::Error>> {
        let fields = CrmFields::from([
            ("Account.Owner.Email".to_owned(), CrmValue::Text("jane@example.com".to_owned())),
            ("Amount".to_owned(), CrmValue::Number("12.50".parse()?)),
            ("Description".to_owned(), CrmValue::Text(" \t".to_owned())),
            ("Name".to_owned(), CrmValue::Text(r" O'Brien\ ".to_owned())),
            ("NextStep".to_owned(), CrmValue::Null),
            ("Share_With_AWS__c".to_owned(), CrmValue::Bool(true)),
        ]);
        assert_eq!(
            oldest("Opportunity", &fields)?,
            r"SELECT Id FROM Opportunity WHERE Account.Owner.Email = 'jane@example.com' AND Amount = 12.50 AND Description = null AND Name = 'O\'Brien\\' AND NextStep = null AND Share_With_AWS__c = true ORDER BY CreatedDate ASC, Id ASC LIMIT 1"
        );
        for name in ["", "a.b.c.d", "Name = 'x' OR Name"] {
            assert!(oldest("Opportunity", &CrmFields::from([(name.to_owned(), CrmValue::Null)])).is_err(), "{name}");
        }
        assert!(oldest("Opportunity x", &fields).is_err());
        Ok(())
    }

    #[test]
    fn finds_several() -> Result<(), Box<dyn std::error::Error>> {
        let statement = Select::new("Lead", &fields(&["Email"]))?.several("Key__c", ["L1", "O'2"])?;
        assert_eq!(
            statement,
            r"SELECT Id, SystemModstamp, LastModifiedById, Email FROM Lead WHERE Key__c IN ('L1', 'O\'2')"
        );
        assert!(Select::new("Lead", &[])?.several("Key__c = '' OR Key__c", ["L1"]).is_err());
        Ok(())
    }

    #[test]
    fn pages_by_time_and_identifier() -> Result<(), Box<dyn std::error::Error>> {
        let select = Select::new("Lead", &fields(&["Email"]))?;
        let mut cursor = Cursor::starting("2026-11-22T10:00:00Z".parse()?);
        assert_eq!(
            select.changed_since(&cursor, 50),
            "SELECT Id, SystemModstamp, LastModifiedById, Email FROM Lead WHERE SystemModstamp >= 2026-11-22T10:00:00Z \
             ORDER BY SystemModstamp, Id LIMIT 50"
        );
        cursor.id = Some("00Q000000000001AAA".to_owned());
        assert_eq!(
            select.changed_since(&cursor, 7),
            "SELECT Id, SystemModstamp, LastModifiedById, Email FROM Lead WHERE \
             (SystemModstamp > 2026-11-22T10:00:00Z) OR \
             (SystemModstamp = 2026-11-22T10:00:00Z AND Id > '00Q000000000001AAA') \
             ORDER BY SystemModstamp, Id LIMIT 7"
        );
        Ok(())
    }
}
