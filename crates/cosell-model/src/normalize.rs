//! Values in the form that AWS takes them and answers them, so that what two sides say can be compared and sent.

use rust_decimal::RoundingStrategy;

use crate::{
    Field, Kind, PayloadVersion, Record, Value, Wire,
    catalog::{Entity, OTHER_SOLUTION, Type},
    phone,
};

/// What was done to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The field.
    pub field: &'static Field,
    /// What was done, in words.
    pub what: &'static str,
}

/// Brings every value into the form that `wire` takes, where that is possible without asking anybody, and says what it
/// changed:
///
/// - amounts with more decimals than AWS takes are rounded, halves away from zero: the API takes two (`1041.666` becomes
///   `1041.67`), files take the expected revenue in whole dollars (`1041.67` becomes `1042`);
/// - phone numbers become E.164 for the API, in national form by the customer's country; one that is none stays as it is,
///   for [`validate`](mod@crate::validate) to refuse;
/// - for the API *no need* becomes no value, and a solution that is only described is not associated;
/// - files name an offer by its identifier and not by its ARN, and those of payload 1.0 take one need and one programme.
pub fn normalize(record: &mut Record, wire: Wire) -> Vec<Change> {
    let country = record.text("country").map(str::to_owned);
    let changed: Vec<(&'static Field, Value, &'static str)> = record
        .iter()
        .filter_map(|(field, value)| {
            let (value, what) = normal(field, value, wire, country.as_deref())?;
            Some((field, value, what))
        })
        .collect();
    changed
        .into_iter()
        .map(|(field, value, what)| {
            record.set(field, value);
            Change { field, what }
        })
        .collect()
}

/// The other form of a value, if it is not in its normal one.
fn normal(field: &Field, value: &Value, wire: Wire, country: Option<&str>) -> Option<(Value, &'static str)> {
    match (field.ty, value, wire) {
        (Type::Number { decimals, in_files }, Value::Number(number), _) => {
            let most = if wire == Wire::Api { decimals } else { in_files };
            let rounded =
                number.round_dp_with_strategy(most.into(), RoundingStrategy::MidpointAwayFromZero).normalize();
            let what = if most == 0 { "rounded to a whole number" } else { "rounded to cents" };
            (rounded != *number).then_some((Value::Number(rounded), what))
        }
        (Type::Phone, Value::Text(text), Wire::Api) => {
            // The partner's own people need not be in the customer's country.
            let country = country.filter(|_| matches!(field.key, "customerPhone" | "phone"));
            let number = phone::e164(text, country).filter(|number| number != text)?;
            Some((Value::Text(number), "written as E.164"))
        }
        (Type::Picklists(list), Value::List(items), Wire::Api) if list.none.is_some() => {
            items.iter().all(|item| list.none == Some(item)).then_some((Value::Null, "said by naming none"))
        }
        (Type::Identifiers(Entity::Solution), Value::List(items), Wire::Api) => {
            let named = Value::list(items.iter().filter(|item| *item != OTHER_SOLUTION).cloned());
            (named != *value).then_some((named, "described in words, so not associated"))
        }
        (Type::Identifiers(Entity::Offer), Value::List(items), Wire::File(_)) => {
            let short = Value::list(items.iter().map(|item| item.rsplit('/').next().unwrap_or(item).to_owned()));
            (short != *value).then_some((short, "its ARN shortened to its identifier"))
        }
        (Type::Picklists(_), Value::List(items), Wire::File(PayloadVersion::V1)) if field.single_in_v1 => {
            let first = items.first().filter(|_| items.len() > 1)?;
            Some((Value::list([first.clone()]), "all but the first value left out"))
        }
        _ => None,
    }
}

/// The fields of a record that have a value and no place on `wire`, with the reason.
pub fn lost_on(record: &Record, wire: Wire) -> impl Iterator<Item = (&'static Field, &'static str)> {
    record.iter().filter(|(_, value)| **value != Value::Null).filter_map(move |(field, _)| match wire {
        Wire::Api if field.api.is_some() || !field.summary.is_empty() => None,
        Wire::Api => Some((field, field.files_only.unwrap_or("in the invitation only"))),
        Wire::File(version) if field.file(version).is_some() => None,
        Wire::File(_) => Some((field, "files of this version do not have it")),
    })
}

/// Fills what AWS takes for a record of payload 1.0 where it says nothing, before it travels as something newer.
pub fn fill_v1_defaults(record: &mut Record) -> Vec<Change> {
    let mut filled = Vec::new();
    for field in Kind::fields(record.kind()) {
        if let Some(default) = field.default_in_v1
            && record.get(field).is_none()
            && let Ok(Some(value)) = Value::parse(field.ty, &default.into())
        {
            record.set(field, value);
            filled.push(Change { field, what: "filled as AWS does for payload 1.0" });
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::any_record;

    #[test]
    fn values_take_the_form_of_their_wire() {
        let (v1, v2) = (Wire::File(PayloadVersion::V1), Wire::File(PayloadVersion::V2));
        let offer = "arn:aws:aws-marketplace:us-east-1:123456789012:AWSMarketplace/Offer/offer-1";
        let none = "Do Not Need Support from AWS Sales Rep";
        for (wire, key, value, expected) in [
            (Wire::Api, "expectedMonthlyAwsRevenue", json!("1041.666"), Some(json!("1041.67"))),
            (Wire::Api, "expectedMonthlyAwsRevenue", json!("1041.67"), None),
            (v2, "expectedMonthlyAwsRevenue", json!("1041.67"), Some(json!("1042"))),
            (v2, "expectedMonthlyAwsRevenue", json!("1041.50"), Some(json!("1042"))),
            (v2, "customerSoftwareValue", json!("10.5"), None),
            (Wire::Api, "customerPhone", json!("(206) 555-0100"), Some(json!("+12065550100"))),
            (Wire::Api, "primaryContactPhone", json!("(206) 555-0100"), None),
            (Wire::Api, "customerPhone", json!("ask Ada"), None),
            (v2, "customerPhone", json!("(206) 555-0100"), None),
            (Wire::Api, "partnerPrimaryNeedFromAws", json!(none), Some(json!(null))),
            (v2, "partnerPrimaryNeedFromAws", json!(none), None),
            (v1, "partnerPrimaryNeedFromAws", json!("A;B"), Some(json!(["A"]))),
            (Wire::Api, "solutionOffered", json!("S-1;Other"), Some(json!(["S-1"]))),
            (Wire::Api, "solutionOffered", json!("Other"), Some(json!(null))),
            (v2, "solutionOffered", json!("Other"), None),
            (v2, "offers", json!([offer]), Some(json!(["offer-1"]))),
            (Wire::Api, "offers", json!([offer]), None),
        ] {
            let mut record = Record::new(Kind::Opportunity);
            for (key, value) in [("country", json!("US")), (key, value.clone())] {
                let field = Kind::Opportunity.field(key).unwrap();
                record.set(field, Value::parse(field.ty, &value).unwrap().unwrap());
            }
            let changes = normalize(&mut record, wire);
            assert_eq!(changes.len(), usize::from(expected.is_some()), "{key} {value}");
            if let Some(expected) = expected {
                assert_eq!(record.value(key).unwrap().to_json(), expected, "{key} {value}");
            }
        }
    }

    #[test]
    fn payload_1_is_filled_as_aws_fills_it() {
        let mut record = Record::new(Kind::Opportunity);
        record.set(Kind::Opportunity.field("opportunityType").unwrap(), Value::Text("Expansion".into()));
        let filled: Vec<_> = fill_v1_defaults(&mut record).iter().map(|change| change.field.key).collect();
        assert_eq!(filled, ["doesOppBelongToNatSec", "salesActivities", "solutionOffered"]);
        assert_eq!(record.text("opportunityType"), Some("Expansion"));
    }

    #[test]
    fn what_has_no_place_is_named() {
        let mut record = Record::new(Kind::Opportunity);
        for key in ["subUseCase", "customerDuns", "awsNextSteps", "createdBy"] {
            record.set(Kind::Opportunity.field(key).unwrap(), Value::Text("x".into()));
        }
        let lost = |wire| lost_on(&record, wire).map(|(field, _)| field.key).collect::<Vec<_>>();
        assert_eq!(lost(Wire::Api), ["createdBy", "subUseCase"]);
        assert_eq!(lost(Wire::File(PayloadVersion::V1)), ["awsNextSteps", "customerDuns"]);
        assert_eq!(lost(Wire::File(PayloadVersion::V2)), ["awsNextSteps", "subUseCase"]);
    }

    proptest! {
        #[test]
        fn what_is_normal_stays_so(mut record in any_record(Kind::Opportunity)) {
            for wire in [Wire::Api, Wire::File(PayloadVersion::V1), Wire::File(PayloadVersion::V2)] {
                normalize(&mut record, wire);
                let once = record.clone();
                prop_assert_eq!(normalize(&mut record, wire), []);
                prop_assert_eq!(&record, &once);
            }
        }
    }
}
