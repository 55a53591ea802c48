//! Records turned both ways by whole mapping files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use cosell_mapping::{Arrival, CrmFields, CrmValue, Direction, Mapping, ObjectMapping, Outcome, Side};
use cosell_model::{Field, Kind, Record, Value};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const PRESET: &str = include_str!("../presets/salesforce.toml");

fn object(fields: &str) -> ObjectMapping {
    let text = format!("version = 1\n[opportunity]\nobject = \"Opportunity\"\nace_id = \"ACE_Id__c\"\n{fields}\n");
    Mapping::parse(&text).unwrap().opportunity
}

fn crm(json: &Json) -> CrmFields {
    json.as_object().unwrap().iter().map(|(name, value)| (name.clone(), CrmValue::from(value.clone()))).collect()
}

fn ace(values: &[(&str, Json)]) -> Record {
    let mut record = Record::new(Kind::Opportunity);
    for (key, json) in values {
        let field = Kind::Opportunity.field(key).unwrap();
        record.set(field, Value::parse(field.ty, json).unwrap().unwrap());
    }
    record
}

/// Everything of `record`, as if AWS had won all of it.
fn written(object: &ObjectMapping, record: &Record, theirs: &Record) -> Json {
    let won = object.fields.iter().filter_map(|line| Some((line, record.get(line.ace)?)));
    let fields = object.to_crm(won.filter(|(line, _)| line.direction.receives()), theirs);
    fields.into_iter().map(|(name, value)| (name, Json::from(value))).collect()
}

#[test]
fn the_shipped_preset_is_sound() {
    let (mapping, findings) = Mapping::read(PRESET);
    assert_eq!(findings, []);
    let mapping = mapping.unwrap();
    assert!(mapping.opportunity.needs_summary() && mapping.lead.is_some());
    let coverage = mapping.opportunity.coverage();
    assert_eq!(coverage.blocking, Vec::<&str>::new(), "a share would be refused");
    assert!(coverage.mapped > 40 && coverage.required_mapped == coverage.required, "{coverage:?}");
}

#[test]
fn names_are_joined_and_split() {
    let object = object(
        r#"[opportunity.fields]
        customerFirstName = { crm = "Contact__c", part = "first" }
        customerLastName = { crm = "Contact__c", part = "rest" }
        streetAddress = { crm = ["Street__c", "House__c"], join = ", " }"#,
    );
    let (record, problems) =
        object.to_ace(&crm(&json!({"Contact__c": "Ada King Lovelace", "Street__c": "Kai", "House__c": 7})));
    assert_eq!(problems, []);
    assert_eq!(record.text("customerFirstName"), Some("Ada"));
    assert_eq!(record.text("customerLastName"), Some("King Lovelace"));
    assert_eq!(record.text("streetAddress"), Some("Kai, 7"));
    assert_eq!(
        written(&object, &record, &record),
        json!({"Contact__c": "Ada King Lovelace", "House__c": "7", "Street__c": "Kai"})
    );
    let changed = ace(&[("customerLastName", json!("Byron"))]);
    assert_eq!(written(&object, &changed, &record), json!({"Contact__c": "Ada Byron"}), "the other part stays");
    let (single, _) = object.to_ace(&crm(&json!({"Contact__c": "Ada"})));
    assert_eq!(single.value("customerLastName"), Some(&Value::Null));
    assert_eq!(object.to_ace(&crm(&json!({}))).0.value("streetAddress"), None, "not asked for is absent");
}

#[test]
fn constants_defaults_and_related_records_go_to_aws() {
    let object = object(
        r#"[opportunity.fields]
        opportunityType = { value = "Net New Business" }
        deliveryModel = { crm = "Delivery__c", default = "SaaS or PaaS" }
        customerWebsite = "Account.Website"
        primaryContactEmail = "Account.Owner.Email"
        nextStep = { crm = "NextStep", default_back = "To be agreed" }"#,
    );
    let fields = crm(
        &json!({"Delivery__c": null, "Account.Website": "a.example", "Account.Owner.Email": "O@a.example", "NextStep": "Call"}),
    );
    let (record, _) = object.to_ace(&fields);
    assert_eq!(
        record.to_json(),
        json!({"customerWebsite": "a.example", "deliveryModel": ["SaaS or PaaS"], "nextStep": "Call",
            "opportunityType": "Net New Business", "primaryContactEmail": "o@a.example"})
    );
    let directions: Vec<_> = object.fields.iter().map(|line| (line.ace.key, line.direction)).collect();
    assert!(directions.contains(&("customerWebsite", Direction::ToAws)), "another record is not written by itself");
    assert_eq!(
        written(&object, &ace(&[("nextStep", Json::Null), ("deliveryModel", json!("Resell"))]), &record),
        json!({"Delivery__c": "Resell", "NextStep": "To be agreed"})
    );
    assert!(object.crm_fields().contains(&"Account.Owner.Email".to_owned()));
}

#[test]
fn values_of_lists_are_named_both_ways() {
    let object = object(
        r#"[opportunity.fields]
        stage = { crm = "StageName", values = { "Prospecting" = "Prospect", "Won" = ["Launched", "Committed"], "Lost" = "Closed Lost" }, other = "Qualified", other_back = "Negotiation" }
        country = { crm = "Country", spelling = "file" }
        doesOppBelongToNatSec = { crm = "Secret__c", check_box = true }
        partnerPrimaryNeedFromAws = "Needs__c"
        expectedMonthlyAwsRevenue = { crm = "Amount", divide = 12 }"#,
    );
    let (record, problems) = object
        .to_ace(&crm(&json!({"StageName": "Won", "Country": "Germany", "Secret__c": false, "Amount": 12500,
            "Needs__c": "Do Not Need Support from AWS Sales Rep"})));
    assert_eq!(problems, []);
    assert_eq!(
        record.to_json(),
        json!({"country": "DE", "doesOppBelongToNatSec": "No", "expectedMonthlyAwsRevenue": "1041.67",
            "partnerPrimaryNeedFromAws": null, "stage": "Launched"})
    );
    let back = |stage: &str| written(&object, &ace(&[("stage", json!(stage))]), &record)["StageName"].clone();
    assert_eq!(
        (back("Committed"), back("Launched"), back("Qualified")),
        (json!("Won"), json!("Won"), json!("Negotiation"))
    );
    let (strange, _) = object.to_ace(&crm(&json!({"StageName": "Strange"})));
    assert_eq!(strange.text("stage"), Some("Qualified"));

    let (_, problems) = object.to_ace(&crm(&json!({"Needs__c": "Help", "Amount": "much", "Country": "Narnia"})));
    let said: Vec<_> = problems.iter().map(|problem| format!("{problem}: {}", problem.cause)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_subset_of_records_takes_part() {
    let object = object(
        r#"dummy_ids = "X"
        share = "Share__c"
        [opportunity.only_crm]
        StageName = ["Qualified", "Won"]
        "Owner.Region__c" = "EMEA"
        [opportunity.only_aws]
        country = ["DE", "AT"]
        opportunityOwnership = "AWS Referral"
        [opportunity.fields]
        stage = "ACE_Stage__c""#,
    );
    let deal =
        |stage: &str, region: &str| crm(&json!({"Share__c": true, "StageName": stage, "Owner.Region__c": region}));
    assert!(object.wants_share(&deal("Won", "EMEA")));
    assert!(!object.wants_share(&deal("Lost", "EMEA")) && !object.wants_share(&deal("Won", "APJ")));
    assert!(object.crm_fields().contains(&"Owner.Region__c".to_owned()));
    assert!(object.needs_summary(), "the origin is in AWS's view only");

    assert!(object.welcomes(&ace(&[("country", json!("DE")), ("opportunityOwnership", json!("AWS Referral"))])));
    assert!(!object.welcomes(&ace(&[("country", json!("FR")), ("opportunityOwnership", json!("AWS Referral"))])));
    assert!(object.welcomes(&ace(&[("country", json!("DE"))])), "what was not asked for decides nothing");
    assert!(!object.welcomes(&ace(&[("country", Json::Null)])));

    for (id, dummy) in [("X0001", true), ("X", false), ("XA1", false), ("006X0001", false)] {
        assert_eq!(object.is_dummy(&ace(&[("partnerCrmUniqueIdentifier", json!(id))])), dummy, "{id}");
    }
}

#[test]
fn protection_is_kept() {
    let object = object(
        r#"[opportunity.fields]
        stage = { crm = "Stage__c", protect = true }
        nextStep = { crm = "Next__c", only_when_empty = true }
        city = { crm = "City__c", policy = "manual" }"#,
    );
    let arrivals: Vec<_> = object.fields.iter().map(|line| line.arrival).collect();
    assert_eq!(arrivals, [Arrival::Always, Arrival::WhenEmpty, Arrival::OnCreation]);
    let base = ace(&[("stage", json!("Prospect")), ("nextStep", json!("Call")), ("city", json!("Chur"))]);
    let aws = ace(&[("stage", json!("Qualified")), ("nextStep", json!("Meet")), ("city", json!("Bern"))]);
    let rep = ace(&[("stage", json!("Prospect")), ("nextStep", json!("Call")), ("city", json!("Basel"))]);
    let outcomes = |theirs: &Record| -> Vec<_> {
        let plan = object.plan(&base, &aws, theirs, Side::Aws);
        plan.fields.iter().map(|field| field.outcome).collect()
    };
    assert_eq!(outcomes(&rep), [Outcome::Held, Outcome::Kept, Outcome::Kept]);
    let nobody = Record::new(Kind::Opportunity);
    assert_eq!(outcomes(&nobody), [Outcome::Take(Side::Aws); 3], "a new record gets everything");
}

fn value(field: &'static Field) -> BoxedStrategy<Value> {
    let list = |list: &'static cosell_model::catalog::Picklist| {
        prop::sample::select(list.values().collect::<Vec<_>>()).prop_map(str::to_owned)
    };
    match field.ty {
        cosell_model::catalog::Type::Picklist(values) => list(values).prop_map(Value::Text).boxed(),
        cosell_model::catalog::Type::Picklists(values) => {
            prop::collection::vec(list(values), 1..3).prop_map(Value::list).boxed()
        }
        cosell_model::catalog::Type::Identifiers(_) => {
            prop::collection::vec("S-[1-9][0-9]{3}", 1..3).prop_map(Value::list).boxed()
        }
        cosell_model::catalog::Type::Number { .. } => (1i64..1_000_000).prop_map(|n| Value::Number(n.into())).boxed(),
        cosell_model::catalog::Type::Date => (0i32..9000)
            .prop_map(|day| Value::Date(jiff::civil::date(2020, 1, 1) + jiff::Span::new().days(day)))
            .boxed(),
        cosell_model::catalog::Type::YesNo => {
            prop::sample::select(vec!["Yes", "No"]).prop_map(|text| Value::Text(text.into())).boxed()
        }
        cosell_model::catalog::Type::Email => "[a-z]{1,8}@[a-z]{1,8}\\.example".prop_map(Value::Text).boxed(),
        cosell_model::catalog::Type::Phone => "\\+49301[0-9]{6}".prop_map(Value::Text).boxed(),
        _ => "[A-Za-z][A-Za-z ]{0,10}[a-z]".prop_map(Value::Text).boxed(),
    }
}

/// Values of some fields of the shipped preset that travel both ways.
fn some_record() -> impl Strategy<Value = Record> {
    let lines = Mapping::parse(PRESET).unwrap().opportunity.fields;
    let fields: Vec<_> =
        lines.into_iter().filter(|line| line.direction == Direction::Both).map(|line| line.ace).collect();
    let values: Vec<_> = fields.iter().map(|field| prop::option::of(value(field))).collect();
    values.prop_map(move |values| {
        let mut record = Record::new(Kind::Opportunity);
        for (field, value) in fields.iter().zip(values) {
            if let Some(value) = value {
                record.set(field, value);
            }
        }
        record
    })
}

/// What a side says after the winners of a plan have been written to it.
fn after(side: Side, record: &Record, plan: &cosell_mapping::Plan<'_>) -> Record {
    let mut after = record.clone();
    for (line, value) in plan.won_by(side.other()) {
        after.set(line.ace, value.clone());
    }
    after
}

proptest! {
    /// What AWS says and the CRM then holds means the same.
    #[test]
    fn what_is_written_to_the_crm_means_what_aws_said(record in some_record()) {
        let object = Mapping::parse(PRESET).unwrap().opportunity;
        let fields: CrmFields = object
            .to_crm(object.fields.iter().filter_map(|line| Some((line, record.get(line.ace)?))), &record);
        let (read, problems) = object.to_ace(&fields);
        prop_assert_eq!(problems, []);
        for (field, value) in record.iter() {
            prop_assert!(read.get(field).is_some_and(|own| own.same(value)), "{}: {:?}", field.key, read.get(field));
        }
    }

    /// Different fields changed on both sides always both survive, and afterwards there is nothing left to do.
    #[test]
    fn a_merge_settles(base in some_record(), aws in some_record(), rep in some_record(), newer in prop::bool::ANY) {
        let object = Mapping::parse(PRESET).unwrap().opportunity;
        let newer = if newer { Side::Aws } else { Side::Crm };
        let plan = object.plan(&base, &aws, &rep, newer);
        let next_base = plan.base_after(Kind::Opportunity, |field| {
            plan.fields.iter().find(|outcome| outcome.mapping.ace == field)?.outcome.winner()
        });
        let (aws_after, rep_after) = (after(Side::Aws, &aws, &plan), after(Side::Crm, &rep, &plan));
        let again = object.plan(&next_base, &aws_after, &rep_after, newer);
        for field in &again.fields {
            prop_assert!(
                matches!(field.outcome, Outcome::Same | Outcome::Held | Outcome::Kept),
                "{}: {:?}", field.mapping.ace.key, field.outcome
            );
        }
        for field in &plan.fields {
            let key = field.mapping.ace;
            let (old, a, c) = (base.get(key), aws.get(key), rep.get(key));
            if field.mapping.direction == Direction::Both && a.is_some() && c == old && a != old {
                prop_assert_eq!(rep_after.get(key), a, "{}: AWS's change survives", key.key);
            }
            if field.mapping.direction == Direction::Both && c.is_some() && a == old && c != old {
                prop_assert_eq!(aws_after.get(key), c, "{}: the rep's change survives", key.key);
            }
        }
    }

    /// A field without a line is in no plan and in no write.
    #[test]
    fn what_is_not_mapped_is_not_touched(aws in some_record(), rep in some_record()) {
        let object = object("[opportunity.fields]\nstage = \"Stage__c\"\ncity = \"City__c\"");
        let plan = object.plan(&Record::new(Kind::Opportunity), &aws, &rep, Side::Aws);
        let writes = object.to_crm(plan.won_by(Side::Aws), &rep);
        prop_assert!(writes.keys().all(|name| name == "Stage__c" || name == "City__c"), "{writes:?}");
        let to_aws: Vec<_> = plan.won_by(Side::Crm).map(|(line, _)| line.ace.key).collect();
        prop_assert!(to_aws.iter().all(|key| ["stage", "city"].contains(key)), "{to_aws:?}");
    }
}
