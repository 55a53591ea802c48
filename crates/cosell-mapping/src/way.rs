//! One value's way between the CRM and ACE.

use std::{borrow::Cow, collections::BTreeMap};

use cosell_model::{
    Field, MalformedValue, Value,
    catalog::{Picklist, Type},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value as Json;

use crate::{
    CrmValue,
    file::{Round, Spelling, Step},
};

/// What is done to a value on its way. The default does nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Translation {
    pub(crate) steps: Vec<Step>,
    pub(crate) cut: bool,
    pub(crate) divide: Option<Decimal>,
    pub(crate) round: Option<Round>,
    pub(crate) zone: Option<TimeZone>,
    pub(crate) check_box: bool,
    pub(crate) spelling: Spelling,
    pub(crate) to_ace: BTreeMap<String, String>,
    pub(crate) to_crm: BTreeMap<String, String>,
    pub(crate) other: Option<String>,
    pub(crate) other_back: Option<String>,
    pub(crate) default: Option<Value>,
    pub(crate) default_back: Option<CrmValue>,
}

/// Why a CRM value has no counterpart at AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// It is of another shape. The shape is named, never the value.
    #[error(transparent)]
    Malformed(#[from] MalformedValue),
    /// It is not in AWS's list. A list's values say nothing about a person, so this one is named.
    #[error("`{value}` is not in AWS's list of {list}; {mend}")]
    Unlisted {
        /// The CRM's value.
        value: String,
        /// The list.
        list: &'static str,
        /// What to do.
        mend: String,
    },
}

/// Who is shown each step of a value's way.
pub(crate) type Watch<'w> = &'w mut dyn FnMut(&'static str, &CrmValue);

impl Translation {
    /// The CRM's value in ACE words.
    pub(crate) fn ace_value(
        &self,
        field: &Field,
        value: &CrmValue,
        watch: Watch<'_>,
    ) -> Result<Option<Value>, Untranslatable> {
        if let CrmValue::Null = value {
            return Ok(Some(self.default.clone().unwrap_or(Value::Null)));
        }
        let json = match (field.ty, value) {
            (Type::Number { .. }, CrmValue::Number(number)) => Json::String(self.amount(*number, watch).to_string()),
            (Type::Number { .. }, CrmValue::Text(text)) => match text.trim().parse::<Decimal>() {
                Ok(number) => Json::String(self.amount(number, watch).to_string()),
                Err(_) => Json::String(text.clone()),
            },
            (Type::Date, CrmValue::Text(text)) => Json::String(self.day(text, watch).into_owned()),
            (_, CrmValue::Text(text)) => {
                let text = self.stepped(text, watch);
                if field.ty.is_list() {
                    let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
                    let items: Vec<String> = items.map(|item| self.listed(field, item)).collect::<Result<_, _>>()?;
                    Json::from(items)
                } else {
                    Json::String(self.fitting(field, self.listed(field, text.trim())?))
                }
            }
            (_, CrmValue::Bool(flag)) => match self.to_ace.get(if *flag { "true" } else { "false" }) {
                Some(named) => Json::String(named.clone()),
                None => Json::Bool(*flag),
            },
            (_, other) => other.clone().into(),
        };
        let read = Value::parse(field.ty, &json)?;
        Ok(match (read, &self.default) {
            (Some(Value::Null), Some(default)) => Some(default.clone()),
            (read, _) => read,
        })
    }

    fn stepped<'t>(&self, text: &'t str, watch: Watch<'_>) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for step in &self.steps {
            let (name, done) = match step {
                Step::Trim => ("trim", text.trim().to_owned()),
                Step::Lower => ("lower", text.to_lowercase()),
                Step::Upper => ("upper", text.to_uppercase()),
                Step::Digits => ("digits", text.chars().filter(char::is_ascii_digit).collect()),
                Step::OneLine => ("one_line", text.split_whitespace().collect::<Vec<_>>().join(" ")),
                Step::PlainText => ("plain_text", plain_text(&text)),
            };
            watch(name, &CrmValue::Text(done.clone()));
            text = Cow::Owned(done);
        }
        text
    }

    fn amount(&self, number: Decimal, watch: Watch<'_>) -> Decimal {
        let mut amount = number;
        if let Some(divisor) = self.divide {
            amount = amount.checked_div(divisor).unwrap_or(amount);
            watch("divide", &CrmValue::Number(amount));
        }
        if let Some(round) = self.round {
            amount = match round {
                Round::Whole => amount.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero),
                Round::Up => amount.ceil(),
                Round::Down => amount.floor(),
            };
            watch("round", &CrmValue::Number(amount));
        }
        amount
    }

    /// The day of a moment, in the zone. A text that is a day already stays one.
    fn day<'t>(&self, text: &'t str, watch: Watch<'_>) -> Cow<'t, str> {
        let (Some(zone), Ok(moment)) = (&self.zone, text.parse::<Timestamp>()) else { return Cow::Borrowed(text) };
        let day = moment.to_zoned(zone.clone()).date().to_string();
        watch("zone", &CrmValue::Text(day.clone()));
        Cow::Owned(day)
    }

    /// One value of a list in the API's spelling.
    fn listed(&self, field: &Field, text: &str) -> Result<String, Untranslatable> {
        if let Some(named) = self.to_ace.get(text) {
            return Ok(named.clone());
        }
        let Some(list) = field.ty.picklist() else { return Ok(text.to_owned()) };
        let spelled = if self.spelling == Spelling::File { list.from_file(text) } else { text };
        if text.is_empty() || list.has_in_files(spelled) {
            return Ok(spelled.to_owned());
        }
        match &self.other {
            Some(other) => Ok(other.clone()),
            None => Err(Untranslatable::Unlisted { value: text.to_owned(), list: list.name, mend: meant(list, text) }),
        }
    }

    fn fitting(&self, field: &Field, text: String) -> String {
        match field.ty {
            Type::Text { max } if self.cut && text.chars().count() > usize::from(max) => {
                text.chars().take(usize::from(max) - 1).chain(['…']).collect()
            }
            _ => text,
        }
    }

    /// The ACE value in the CRM's words.
    pub(crate) fn crm_value(&self, field: &Field, value: &Value) -> CrmValue {
        match value {
            Value::Null => self.default_back.clone().unwrap_or(CrmValue::Null),
            Value::Text(text) if self.check_box => {
                CrmValue::Bool(self.to_crm.get(text).map_or(text == "Yes", |named| named == "true"))
            }
            Value::Text(text) => CrmValue::Text(self.named(field, text)),
            Value::Number(number) => {
                let factor = self.divide.unwrap_or(Decimal::ONE);
                CrmValue::Number(number.checked_mul(factor).unwrap_or(*number).normalize())
            }
            Value::Date(date) => CrmValue::Text(self.moment(*date)),
            Value::List(items) => {
                let mut named: Vec<String> = items.iter().map(|item| self.named(field, item)).collect();
                named.dedup();
                CrmValue::Text(named.join(";"))
            }
        }
    }

    fn named(&self, field: &Field, text: &str) -> String {
        if let Some(named) = self.to_crm.get(text) {
            return named.clone();
        }
        if let Some(other) = &self.other_back {
            return other.clone();
        }
        match (self.spelling, field.ty.picklist()) {
            (Spelling::File, Some(list)) => list.to_file(text).to_owned(),
            _ => text.to_owned(),
        }
    }

    /// The moment at which a day begins in the zone.
    fn moment(&self, date: Date) -> String {
        let zone = self.zone.as_ref();
        let begins = zone.and_then(|zone| date.to_zoned(zone.clone()).ok());
        begins.map_or_else(|| date.to_string(), |begins| begins.timestamp().to_string())
    }
}

/// The values of a list for somebody who chose another one.
fn meant(list: &Picklist, value: &str) -> String {
    const FEW: usize = 12;
    if let Some(nearest) = list.nearest(value) {
        return format!("AWS spells it `{nearest}`: name it so, or add it under `values`");
    }
    let values: Vec<_> = list.values().chain(list.none).take(FEW + 1).collect();
    if values.len() > FEW {
        format!("choose one of `cosell picklist \"{}\"`, or add it under `values`", list.name)
    } else {
        format!("choose from {}, or add it under `values`", values.join(", "))
    }
}

/// A rich text without its markup: tags go, paragraphs and breaks become lines, the common entities are undone.
fn plain_text(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        plain.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>') else {
            rest = &rest[start..];
            break;
        };
        let tag = rest[start + 1..start + end].to_ascii_lowercase();
        if ["br", "/p", "/div", "/li", "/tr"].iter().any(|block| tag.trim_end_matches(['/', ' ']) == *block) {
            plain.push('\n');
        }
        rest = &rest[start + end + 1..];
    }
    plain.push_str(rest);
    for (entity, character) in
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        plain = plain.replace(entity, character);
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use cosell_model::Kind;
    use proptest::prelude::*;

    use super::*;

    fn field(key: &str) -> &'static Field {
        Kind::Opportunity.field(key).unwrap()
    }

    fn there(translation: &Translation, key: &str, value: impl Into<CrmValue>) -> Json {
        let value = translation.ace_value(field(key), &value.into(), &mut |_, _| {});
        value.map_or_else(
            |error| Json::String(format!("error: {error}")),
            |value| value.map_or(Json::Null, |v| v.to_json()),
        )
    }

    fn back(translation: &Translation, key: &str, json: &Json) -> Json {
        let value = Value::parse(field(key).ty, json).unwrap().unwrap();
        translation.crm_value(field(key), &value).into()
    }

    #[test]
    fn texts_take_their_steps() {
        let steps = |steps: &[Step]| Translation { steps: steps.to_vec(), ..Translation::default() };
        for (translation, key, crm, ace) in [
            (steps(&[]), "nextStep", " Call ", "Call"),
            (steps(&[Step::Digits]), "customerDuns", "12-345-6789", "123456789"),
            (steps(&[Step::OneLine]), "nextStep", "Call\n  them", "Call them"),
            (steps(&[Step::Lower, Step::Trim]), "customerEmail", " Ada@Example.COM", "ada@example.com"),
            (steps(&[Step::Upper]), "country", "de", "DE"),
            (
                steps(&[Step::PlainText]),
                "projectDescription",
                "<p>Moves &amp; <b>grows</b></p><p>1 &lt; 2<br/>x</p>",
                "Moves & grows\n1 < 2\nx",
            ),
            (
                Translation { cut: true, ..Translation::default() },
                "customerTitle",
                &"x".repeat(90),
                &format!("{}…", "x".repeat(79)),
            ),
            (
                Translation { default: Some(Value::Text("Call".into())), ..Translation::default() },
                "nextStep",
                "  ",
                "Call",
            ),
        ] {
            assert_eq!(there(&translation, key, CrmValue::Text(crm.into())), Json::from(ace), "{key} {crm}");
        }
    }

    #[test]
    fn amounts_days_and_check_boxes() {
        let yearly = Translation { divide: Some(12.into()), round: Some(Round::Down), ..Translation::default() };
        let number = |text: &str| CrmValue::Number(text.parse().unwrap());
        assert_eq!(there(&yearly, "expectedMonthlyAwsRevenue", number("12500")), Json::from("1041"));
        assert_eq!(back(&yearly, "expectedMonthlyAwsRevenue", &Json::from("1041")).to_string(), "12492");
        assert_eq!(
            there(&yearly, "expectedMonthlyAwsRevenue", CrmValue::Text("much".into())),
            Json::from("error: expected a number, found a text")
        );

        let zone = Some(TimeZone::get("Europe/Berlin").unwrap());
        let berlin = Translation { zone, ..Translation::default() };
        assert_eq!(
            there(&berlin, "targetCloseDate", CrmValue::Text("2026-12-31T23:30:00Z".into())),
            Json::from("2027-01-01")
        );
        assert_eq!(there(&berlin, "targetCloseDate", CrmValue::Text("2026-12-31".into())), Json::from("2026-12-31"));
        assert_eq!(back(&berlin, "targetCloseDate", &Json::from("2027-01-01")), Json::from("2026-12-31T23:00:00Z"));

        let check_box = Translation { check_box: true, ..Translation::default() };
        assert_eq!(there(&check_box, "doesOppBelongToNatSec", CrmValue::Bool(true)), Json::from("Yes"));
        assert_eq!(back(&check_box, "doesOppBelongToNatSec", &Json::from("No")), Json::from(false));
        let named = Translation {
            check_box: true,
            to_ace: [("true", "Marketing Activity"), ("false", "None")].map(|(a, b)| (a.into(), b.into())).into(),
            to_crm: [("Marketing Activity", "true"), ("None", "false")].map(|(a, b)| (a.into(), b.into())).into(),
            ..Translation::default()
        };
        assert_eq!(there(&named, "isOppFromMarketingActivity", CrmValue::Bool(true)), Json::from("Marketing Activity"));
        assert_eq!(back(&named, "isOppFromMarketingActivity", &Json::from("None")), Json::from(false));
    }

    #[test]
    fn lists_are_exact_at_run_time() {
        let plain = Translation::default();
        assert_eq!(there(&plain, "stage", CrmValue::Text("Qualified".into())), Json::from("Qualified"));
        insta::assert_snapshot!(
            ["stage:qualified", "stage:Won", "useCase:Anything new", "industry:Baking"]
                .map(|case| {
                    let (key, value) = case.split_once(':').unwrap();
                    format!("{case} -> {}", there(&plain, key, CrmValue::Text(value.into())))
                })
                .join("\n")
        );
        let mapped = Translation {
            to_ace: [("Won", "Launched"), ("Lost", "Closed Lost")].map(|(a, b)| (a.into(), b.into())).into(),
            to_crm: [("Launched", "Won"), ("Committed", "Won")].map(|(a, b)| (a.into(), b.into())).into(),
            other: Some("Prospect".into()),
            other_back: Some("Open".into()),
            ..Translation::default()
        };
        assert_eq!(there(&mapped, "stage", CrmValue::Text("Won".into())), Json::from("Launched"));
        assert_eq!(there(&mapped, "stage", CrmValue::Text("Strange".into())), Json::from("Prospect"));
        assert_eq!(back(&mapped, "stage", &Json::from("Committed")), Json::from("Won"));
        assert_eq!(back(&mapped, "stage", &Json::from("Qualified")), Json::from("Open"));
        let files = Translation { spelling: Spelling::File, ..Translation::default() };
        assert_eq!(there(&files, "country", CrmValue::Text("Germany".into())), Json::from("DE"));
        assert_eq!(back(&files, "country", &Json::from("DE")), Json::from("Germany"));
        assert_eq!(
            there(&plain, "deliveryModel", CrmValue::Text("Resell; Other;".into())),
            serde_json::json!(["Resell", "Other"])
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let all = Translation {
                steps: vec![Step::PlainText, Step::OneLine, Step::Trim, Step::Lower, Step::Upper],
                cut: true,
                zone: Some(TimeZone::UTC),
                ..Translation::default()
            };
            for field in Kind::Opportunity.fields() {
                let _ = all.ace_value(field, &CrmValue::Text(text.clone()), &mut |_, _| {});
            }
        }
    }
}
