//! What becomes of one record, field by field, and why a field stays behind. For people: values are shown.

use cosell_model::{Record, Value, Wire, normalize::normalize};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{Arrival, CrmFields, CrmValue, FieldMapping, ObjectMapping, Source, file::Spelling};

/// What happens to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The other side gets the value.
    Written,
    /// The other side's field is emptied.
    Emptied,
    /// The other side gets the value in some cases only.
    Depends,
    /// Nothing is said about it.
    Skipped,
    /// It cannot be turned; the record waits until somebody mends it.
    Failed,
}

impl Fate {
    /// The word for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Emptied => "emptied",
            Self::Depends => "depends",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// A value on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepTaken {
    /// What was done.
    pub step: &'static str,
    /// What came of it.
    pub value: CrmValue,
}

/// What becomes of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The fields that it is read from.
    pub from: Vec<String>,
    /// What they have.
    pub value: Json,
    /// What is done to it on the way.
    pub steps: Vec<StepTaken>,
    /// The fields that it is for.
    pub to: Vec<String>,
    /// What they get.
    pub result: Json,
    /// What happens.
    pub fate: Fate,
    /// Why, where that is not plain.
    pub why: Option<String>,
}

impl Explained {
    fn skipped(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }
}

/// The fields that a mapping reads, from a CRM's record: related records' fields by their paths, or nested. What the record
/// does not have at all is left out; where a related record is empty, so are its fields.
pub fn crm_fields(mapping: &ObjectMapping, record: &Map<String, Json>) -> CrmFields {
    mapping.crm_fields().into_iter().filter_map(|path| Some((path.clone(), at(record, &path)?.into()))).collect()
}

fn at(record: &Map<String, Json>, path: &str) -> Option<Json> {
    let member = |name: &str| {
        let exact = record.get(name);
        exact.or_else(|| record.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    };
    if let Some(value) = member(path) {
        return Some(value.clone());
    }
    let (relation, rest) = path.split_once('.')?;
    match member(relation)? {
        Json::Object(related) => at(related, rest),
        Json::Null => Some(Json::Null),
        _ => None,
    }
}

/// A CRM record on its way to AWS.
pub fn to_aws(mapping: &ObjectMapping, crm: &CrmFields) -> Vec<Explained> {
    let mut explained: Vec<Explained> = mapping.fields.iter().map(|line| line_to_aws(line, crm)).collect();
    let mut record = Record::new(mapping.kind);
    for line in mapping.fields.iter().filter(|line| line.direction.sends()) {
        if let Ok(Some(value)) = line.to_ace(crm) {
            record.set(line.ace, value);
        }
    }
    for change in normalize(&mut record, Wire::Api) {
        let own = explained.iter_mut().filter(|line| line.to == [change.field.key] && line.fate != Fate::Skipped);
        for line in own {
            line.result = record.get(change.field).map_or(Json::Null, Value::to_json);
            line.steps.push(StepTaken { step: change.what, value: CrmValue::from(line.result.clone()) });
        }
    }
    explained
}

fn line_to_aws(line: &FieldMapping, crm: &CrmFields) -> Explained {
    let paths = line.source.paths();
    let explained = Explained {
        from: paths.to_vec(),
        value: several(paths.iter().filter_map(|path| crm.get(path).cloned())),
        steps: Vec::new(),
        to: vec![line.ace.key.to_owned()],
        result: Json::Null,
        fate: Fate::Skipped,
        why: None,
    };
    if !line.direction.sends() {
        return explained.skipped(if line.ace.is_writable() {
            "the line says from_aws"
        } else {
            "AWS sets this field"
        });
    }
    let mut steps = Vec::new();
    let turned = line.watched(crm, &mut |step, value| steps.push(StepTaken { step, value: value.clone() }));
    let explained = Explained { steps, ..explained };
    match turned {
        Err(problem) => Explained { fate: Fate::Failed, ..explained }.skipped(problem.cause.to_string()),
        Ok(None) => explained.skipped(if paths.iter().any(|path| crm.contains_key(path)) {
            "it is what AWS writes in place of hidden data".to_owned()
        } else {
            format!("the record has no {}", named(paths))
        }),
        Ok(Some(Value::Null)) => Explained { fate: Fate::Emptied, ..explained }.skipped("the CRM's field is empty"),
        Ok(Some(value)) => arrived_at_aws(line, explained, &value),
    }
}

fn arrived_at_aws(line: &FieldMapping, mut explained: Explained, value: &Value) -> Explained {
    explained.fate = Fate::Written;
    explained.result = value.to_json();
    if let Source::Constant(_) = line.source {
        return explained.skipped("always this value");
    }
    let before = explained.steps.last().map_or_else(|| explained.value.clone(), |step| step.value.clone().into());
    if let Some(step) = last_step_to_aws(line, &before, &explained.result) {
        explained.steps.push(StepTaken { step, value: CrmValue::from(shown(&explained.result)) });
    }
    explained
}

/// What a value went through after the steps that are watched.
fn last_step_to_aws(line: &FieldMapping, before: &Json, after: &Json) -> Option<&'static str> {
    let translation = &line.translation;
    let before = CrmValue::from(before.clone()).to_text();
    let after = shown(after);
    if before.as_deref() == after.as_str() {
        return None;
    }
    let Some(before) = before else { return Some("default") };
    let named = |text: &str| text.split(';').any(|item| translation.to_ace.contains_key(item.trim()));
    if named(&before) {
        return Some("values");
    }
    match (line.ace.ty.picklist(), after.as_str()) {
        (_, Some("Yes" | "No")) if matches!(before.as_str(), "true" | "false") => Some("check_box"),
        (Some(_), Some(after)) if translation.other.as_deref() == Some(after) => Some("other"),
        (Some(_), _) if translation.spelling == Spelling::File => Some("spelling"),
        (None, Some(after)) if translation.cut && after.ends_with('…') => Some("cut"),
        _ => None,
    }
}

/// An AWS record on its way to the CRM.
pub fn from_aws(mapping: &ObjectMapping, aws: &Record) -> Vec<Explained> {
    mapping.fields.iter().map(|line| line_from_aws(mapping, line, aws)).collect()
}

fn line_from_aws(mapping: &ObjectMapping, line: &FieldMapping, aws: &Record) -> Explained {
    let value = aws.get(line.ace);
    let explained = Explained {
        from: vec![line.ace.key.to_owned()],
        value: value.map_or(Json::Null, Value::to_json),
        steps: Vec::new(),
        to: line.source.paths().to_vec(),
        result: Json::Null,
        fate: Fate::Skipped,
        why: None,
    };
    if let Source::Constant(_) = line.source {
        return explained.skipped("AWS always gets a constant, and the CRM nothing");
    }
    if !line.direction.receives() {
        return explained.skipped("the line says to_aws");
    }
    let Some(value) = value else {
        return explained.skipped("AWS's record does not have it, or hides it until it is accepted");
    };
    let writes = mapping.to_crm([(line, value)], aws);
    let result = several(line.source.paths().iter().filter_map(|path| writes.get(path).cloned()));
    let steps = steps_to_crm(line, value, &result);
    let empty = result.is_null();
    let fate = if empty { Fate::Emptied } else { Fate::Written };
    let (fate, why) = match line.arrival {
        Arrival::Always => (fate, empty.then_some("AWS's field is empty")),
        Arrival::WhenEmpty => (Fate::Depends, Some("only when the CRM's field is empty")),
        Arrival::OnCreation => (Fate::Depends, Some("protected: only when the CRM's record is made")),
    };
    Explained { steps, result, fate, why: why.map(str::to_owned), ..explained }
}

fn steps_to_crm(line: &FieldMapping, value: &Value, result: &Json) -> Vec<StepTaken> {
    let translation = &line.translation;
    let alone = line.to_crm(value);
    let before = CrmValue::from(shown(&value.to_json()));
    let step = match value {
        Value::Null => "default_back",
        Value::Number(_) => "multiply",
        Value::Date(_) => "zone",
        _ if translation.check_box => "check_box",
        Value::Text(text) if translation.to_crm.contains_key(text) => "values",
        Value::List(items) if items.iter().any(|item| translation.to_crm.contains_key(item)) => "values",
        _ if translation.other_back.is_some() => "other_back",
        _ => "spelling",
    };
    let mut steps = Vec::new();
    if alone.to_text() != before.to_text() {
        steps.push(StepTaken { step, value: alone });
    }
    match line.source {
        Source::Joined { .. } => {
            let parts: Vec<&str> = result.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            steps.push(StepTaken { step: "split", value: CrmValue::Text(parts.join(" | ")) });
        }
        Source::Part { .. } => steps.push(StepTaken { step: "join", value: CrmValue::from(shown(result)) }),
        _ => {}
    }
    steps
}

/// One value as it is, several as a list.
fn several(values: impl Iterator<Item = CrmValue>) -> Json {
    let mut values: Vec<Json> = values.map(Json::from).collect();
    match values.len() {
        0 => Json::Null,
        1 => values.remove(0),
        _ => Json::Array(values),
    }
}

/// Several values as the CRM writes them.
fn shown(json: &Json) -> Json {
    let Json::Array(items) = json else { return json.clone() };
    let texts: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
    Json::String(texts.join(";"))
}

fn named(paths: &[String]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" and no ")
}

#[cfg(test)]
mod tests {
    use cosell_model::Kind;
    use serde_json::json;

    use super::*;
    use crate::Mapping;

    const FILE: &str = r#"
version = 1

[opportunity]
object = "Deal"
ace_id = "Ace"

[opportunity.fields]
partnerProjectTitle = { crm = "Name", steps = ["one_line", "upper"] }
projectDescription = { crm = "Problem", steps = ["plain_text"], cut = true }
nextStep = { crm = "Next", default = "Call" }
stage = { crm = "Stage", values = { "Won" = ["Launched", "Committed"] }, other = "Prospect", protect = true }
closedLostReason = "Reason"
status = "Review"
country = { crm = "Country", spelling = "file" }
customerWebsite = "Account.Website"
city = "Account.Owner.City"
customerPhone = "Phone"
expectedMonthlyAwsRevenue = { crm = "Yearly", divide = 12, round = "down" }
targetCloseDate = { crm = "Closes", zone = "Europe/Berlin" }
doesOppBelongToNatSec = { crm = "Secret", check_box = true }
deliveryModel = { crm = "Models", values = { "SaaS" = "SaaS or PaaS" } }
opportunityType = { value = "Net New Business" }
customerFirstName = { crm = "Contact", part = "first" }
customerLastName = { crm = "Contact", part = "rest" }
streetAddress = { crm = ["Street", "House"], only_when_empty = true }
additionalComments = "Gone"
industry = { crm = "Industry", direction = "from_aws" }
customerTitle = "Title"
"#;

    fn table(lines: &[Explained]) -> String {
        let lines = lines.iter().map(|line| {
            let steps =
                line.steps.iter().map(|taken| format!(" -[{}]-> {}", taken.step, Json::from(taken.value.clone())));
            let steps = steps.collect::<Vec<_>>().concat();
            let why = line.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            let (from, to) = (line.from.join(" + "), line.to.join(" + "));
            format!("{}: {from} {}{steps} => {to} {}{why}", line.fate.as_str(), line.value, line.result)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_crm_record_on_its_way() {
        let mapping = Mapping::parse(FILE).unwrap().opportunity;
        let record = json!({
            "attributes": {"type": "Deal"},
            "name": " Big\ndeal", "Problem": "<p>Grows &amp; moves</p>", "Next": null, "Stage": "Open", "Reason": "Prise",
            "Country": "Germany", "Account": {"Website": "https://a.example", "Owner": null}, "Phone": "030 123456",
            "Yearly": 12500, "Closes": "2026-12-31T23:30:00Z", "Secret": true, "Models": "SaaS;Resell",
            "Contact": "Ada King Lovelace", "Street": "Main Street", "House": "1", "Title": "Accept to view",
        });
        let fields = crm_fields(&mapping, record.as_object().unwrap());
        insta::assert_snapshot!(table(&to_aws(&mapping, &fields)));
        let flat = json!({"Account.Website": "https://b.example", "Account": {"Website": "https://a.example"}});
        let fields = crm_fields(&mapping, flat.as_object().unwrap());
        assert_eq!(fields["Account.Website"], CrmValue::Text("https://b.example".into()));
    }

    #[test]
    fn an_aws_record_on_its_way() {
        let mapping = Mapping::parse(FILE).unwrap().opportunity;
        let record = json!({
            "partnerProjectTitle": "Big deal", "stage": "Committed", "status": "In review", "country": "DE", "nextStep": null,
            "expectedMonthlyAwsRevenue": "1041", "targetCloseDate": "2027-01-01", "doesOppBelongToNatSec": "No",
            "deliveryModel": ["SaaS or PaaS", "Resell"], "customerFirstName": "Ada", "customerLastName": "King",
            "streetAddress": "Main 1", "opportunityType": "Expansion", "customerWebsite": "https://a.example",
        });
        let record = Record::from_json(Kind::Opportunity, record.as_object().unwrap()).unwrap();
        insta::assert_snapshot!(table(&from_aws(&mapping, &record)));
    }
}
