//! The JSON Schema of the mapping file, by which editors complete and check it.

use std::collections::BTreeMap;

use cosell_model::Kind;
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value as Json, json};

use crate::{
    ConvertFields, CrmValue, Deleted, FileExchange, ReferralFields, Related, Retry, StatusFields, Unshared,
    compile::VERSION,
    file::{FullLine, OneOrMany},
};

/// What a kind's section has beside the tables whose keys are ACE fields.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Section {
    /// The CRM's object.
    object: String,
    /// The CRM's field that keeps AWS's identifier; unique.
    ace_id: String,
    /// The CRM's check box by which a rep shares a record with AWS.
    share: Option<String>,
    /// A record is shared without being asked when its fields have one of these values each.
    share_when: Option<BTreeMap<String, OneOrMany<CrmValue>>>,
    /// What becomes of a linked record when a rep clears the check box of sharing again.
    unshared: Option<Unshared>,
    /// The CRM's record of which a new one is a copy.
    template: Option<String>,
    /// Records at AWS whose CRM identifier is this and digits are history that nobody wants.
    dummy_ids: Option<String>,
    /// What becomes of a record whose CRM record somebody deleted, when AWS changes it. Nothing is deleted or closed at AWS.
    deleted: Option<Deleted>,
    /// CRM fields in which cosell says how a record stands.
    status: Option<StatusFields>,
    /// CRM fields of a referral that waits for an answer.
    referral: Option<ReferralFields>,
    /// Leads only: the CRM's way of turning one into an opportunity.
    convert: Option<ConvertFields>,
    /// What a new CRM record gets where AWS has no value.
    defaults: Option<BTreeMap<String, CrmValue>>,
    /// Only CRM records take part whose fields have one of these values.
    only_crm: Option<BTreeMap<String, OneOrMany<CrmValue>>>,
    /// Related records, by the name that paths use.
    related: Option<BTreeMap<String, Related>>,
}

/// The schema.
pub fn schema() -> Json {
    let mut generator = SchemaSettings::draft07().into_generator();
    let sections = [Kind::Opportunity, Kind::Lead].map(|kind| section(kind, &mut generator));
    let [opportunity, lead] = sections;
    let files = generator.subschema_for::<FileExchange>();
    let retry = generator.subschema_for::<Retry>();
    let mut definitions = generator.take_definitions(true);
    for (name, about) in
        [("AnyLine", "The CRM's field, or a table that says more."), ("AnyValue", "One value or several.")]
    {
        definitions.insert(name.to_owned(), any(name, about));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cosell mapping",
        "description": "How the records of a CRM and of ACE correspond.",
        "type": "object",
        "properties": {
            "version": {"const": VERSION, "description": "The version of this file's form."},
            "opportunity": opportunity,
            "lead": lead,
            "files": files,
            "retry": retry,
        },
        "required": ["version", "opportunity"],
        "additionalProperties": false,
        "definitions": definitions,
    })
}

/// What several records of a kind are called.
pub(crate) fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Opportunity => "opportunities",
        Kind::Lead => "leads",
    }
}

fn any(name: &str, about: &str) -> Json {
    let options = if name == "AnyLine" {
        json!([{"type": "string"}, {"$ref": "#/definitions/FullLine"}])
    } else {
        json!([{"type": "string"}, {"type": "array", "items": {"type": "string"}}])
    };
    json!({"description": about, "anyOf": options})
}

fn section(kind: Kind, generator: &mut SchemaGenerator) -> Json {
    generator.subschema_for::<FullLine>();
    let mut schema = Section::json_schema(generator).to_value();
    schema["description"] = json!(format!("How {} correspond.", plural(kind)));
    schema["properties"]["fields"] = keys(kind, "Which field is which.", "AnyLine");
    schema["properties"]["only_aws"] =
        keys(kind, "Only records of AWS's take part whose fields have one of these values.", "AnyValue");
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("fields"));
    }
    if kind == Kind::Opportunity
        && let Some(properties) = schema["properties"].as_object_mut()
    {
        properties.remove("convert");
    }
    schema
}

/// A table whose keys are ACE fields.
fn keys(kind: Kind, about: &str, each: &str) -> Json {
    let reference = format!("#/definitions/{each}");
    let properties: Map<String, Json> = kind
        .fields()
        .iter()
        .map(|field| (field.key.to_owned(), json!({"description": field.about, "allOf": [{"$ref": reference}]})))
        .collect();
    json!({"description": about, "type": "object", "properties": properties, "additionalProperties": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_can_be_completed_and_every_reference_leads_somewhere() {
        let schema = schema();
        for kind in [Kind::Opportunity, Kind::Lead] {
            let fields = &schema["properties"][kind.as_str()]["properties"]["fields"]["properties"];
            for field in kind.fields() {
                assert_eq!(fields[field.key]["description"], field.about);
            }
        }
        assert!(schema["properties"]["opportunity"]["properties"].get("convert").is_none());
        let text = schema.to_string();
        for name in text.split("#/definitions/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schema["definitions"].get(name).is_some(), "{name}");
        }
        assert_eq!(schema["definitions"]["FullLine"]["additionalProperties"], false);
    }
}
