//! The catalog against AWS's published field lists and standard values. They are not ours to ship: these tests read them
//! where the reference material is at hand, and name every row that the catalog does not have.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;

use cosell_model::{Field, Kind};

/// A published table: its heads, and its rows.
fn table(name: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/ace-data").join(name);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).ok()?;
    let clean = |text: &str| text.trim_start_matches('\u{feff}').trim().to_owned();
    let heads = reader.headers().unwrap().iter().map(clean).collect();
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(clean).collect()).collect();
    assert!(!rows.is_empty(), "{name} is empty");
    Some((heads, rows))
}

fn by_file_name(kind: Kind, name: &str) -> Option<&'static Field> {
    // The lead list writes some names with blanks, which its samples do not.
    let squeezed = name.replace(' ', "");
    kind.fields().iter().find(|field| field.file.is_some_and(|file| file.eq_ignore_ascii_case(&squeezed)))
}

#[test]
fn every_published_field_is_in_the_catalog() {
    for (file, kind) in [("Opportunity-Fields.csv", Kind::Opportunity), ("Leads-Fields.csv", Kind::Lead)] {
        let Some((_, rows)) = table(file) else { continue };
        let missing: Vec<_> =
            rows.iter().map(|row| &row[0]).filter(|name| by_file_name(kind, name).is_none()).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
        let exact = rows.iter().filter_map(|row| Some((by_file_name(kind, &row[0])?.file?, row[0].as_str())));
        if kind == Kind::Opportunity {
            for (ours, theirs) in exact {
                assert_eq!(ours, theirs, "the files' spelling is case-sensitive");
            }
        }
    }
}

/// Members of the API that are no field of a record, with the reason.
const NO_FIELD: &[(&str, &str)] = &[
    ("Catalog", "a setting of the deployment"),
    ("Arn", "says no more than the identifier"),
    ("Identifier", "the request's spelling of `Id`"),
    ("RelatedOpportunityId", "the summary's spelling of `Id`"),
    ("RelatedOpportunityIdentifier", "the summary request's spelling of `Id`"),
    ("AwsSubmission.Visibility", "decided at submission, not readable afterwards"),
    ("Visibility", "decided at submission"),
    ("Project.ExpectedCustomerSpend.EstimationUrl", "not mapped yet; travels untouched"),
    ("Project.ExpectedCustomerSpend.TargetCompany", "always `AWS`: how the entry is found"),
    ("LifeCycle.NextStepsHistory", "a list of entries; travels untouched"),
    ("OpportunityTeam.BusinessTitle", "the role by which a person is found"),
];

#[test]
fn every_published_member_of_the_api_has_its_place() {
    let Some((_, rows)) = table("ACE-Data-Model-Fields.csv") else { return };
    let plain = |path: &str| {
        let mut text = String::new();
        let mut selector = false;
        for c in path.chars() {
            selector = (selector || c == '[') && c != ']';
            if !selector && c != ']' {
                text.push(c.to_ascii_lowercase());
            }
        }
        text
    };
    let known: Vec<String> = Kind::Opportunity
        .fields()
        .iter()
        .flat_map(|field| field.api.into_iter().chain(field.summary.iter().copied()))
        .map(plain)
        .collect();
    let missing: Vec<_> = rows
        .iter()
        .map(|row| row[0].replace("RelatedEntityIds.", "RelatedEntityIdentifiers."))
        .filter(|path| !known.contains(&plain(path)) && !NO_FIELD.iter().any(|(name, _)| plain(name) == plain(path)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Standard values that the catalog leaves out, with the reason.
const NO_VALUE: &[(&str, &str, &str)] = &[
    ("partnerPrimaryNeedFromAws", "Do Not Need Support from AWS Sales Rep", "the API says it by naming no need"),
    ("rejectionReason", "Renewal opportunity", "in the files only"),
];

/// Columns of the sheet that belong to fields of payload version 1.0 only.
const OLD_COLUMNS: &[&str] =
    &["isThisForMarketplace", "isThisAPublicReference", "isNetNewBusinessForCompany", "awsFieldEngagement"];

#[test]
fn every_standard_value_is_known() {
    let Some((heads, rows)) = table("Opportunity_-_StandardValues.csv") else { return };
    let mut missing = Vec::new();
    for (column, head) in heads.iter().enumerate().filter(|(_, head)| !OLD_COLUMNS.contains(&head.as_str())) {
        let field = by_file_name(Kind::Opportunity, head).unwrap_or_else(|| panic!("column {head} is of no field"));
        let Some(list) = field.ty.picklist() else { continue };
        for value in rows.iter().filter_map(|row| row.get(column)).filter(|value| !value.is_empty()) {
            let known = list.values().any(|known| known == list.from_file(value));
            if !known && !NO_VALUE.iter().any(|(key, left_out, _)| *key == field.key && left_out == value) {
                missing.push(format!("{head}: {value}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_lead_country_is_known() {
    let Some((heads, rows)) = table("Lead_-_StandardValues.csv") else { return };
    let column = heads.iter().position(|head| head.starts_with("Country")).unwrap();
    let names = rows.iter().filter_map(|row| row.get(column)).filter(|name| !name.is_empty());
    let unknown: Vec<_> =
        names.filter(|name| !cosell_model::catalog::countries().any(|country| country.is_called(name))).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// Always: what the files spell differently comes back as it went.
#[test]
fn spellings_of_the_files_are_undone() {
    for kind in [Kind::Opportunity, Kind::Lead] {
        for list in kind.fields().iter().filter_map(|field| field.ty.picklist()) {
            for value in list.values() {
                assert_eq!(list.from_file(list.to_file(value)), value, "{}", list.name);
            }
        }
    }
}
