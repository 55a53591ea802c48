//! The catalog against AWS's published field lists and standard values. They are not ours to ship: these tests read them
//! where the reference material is at hand, and name every row that the catalog does not have.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::PathBuf};

use cosell_model::{
    Field, Kind,
    catalog::{Picklist, Type, picklist, products, read_products},
    life_cycle::Windows,
};

/// A file of the reference material.
fn reference(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference").join(name)
}

/// A published table: its heads, and its rows.
fn table(name: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(reference("ace-data").join(name)).ok()?;
    let clean = |text: &str| text.trim_start_matches('\u{feff}').trim().to_owned();
    let heads = reader.headers().unwrap().iter().map(clean).collect();
    let rows: Vec<Vec<String>> = reader.records().map(|row| row.unwrap().iter().map(clean).collect()).collect();
    assert!(!rows.is_empty(), "{name} is empty");
    Some((heads, rows))
}

fn by_file_name(kind: Kind, name: &str) -> Option<&'static Field> {
    // The lead list writes some names with blanks, which its samples do not.
    let squeezed = name.replace(' ', "");
    kind.fields().iter().find(|field| field.newest_file().is_some_and(|file| file.eq_ignore_ascii_case(&squeezed)))
}

#[test]
fn every_published_field_is_in_the_catalog() {
    for (file, kind) in [("Opportunity-Fields.csv", Kind::Opportunity), ("Leads-Fields.csv", Kind::Lead)] {
        let Some((_, rows)) = table(file) else { continue };
        let missing: Vec<_> =
            rows.iter().map(|row| &row[0]).filter(|name| by_file_name(kind, name).is_none()).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
        let exact = rows.iter().filter_map(|row| Some((by_file_name(kind, &row[0])?.newest_file()?, row[0].as_str())));
        if kind == Kind::Opportunity {
            for (ours, theirs) in exact {
                assert_eq!(ours, theirs, "the files' spelling is case-sensitive");
            }
        }
    }
}

/// A path in lower case and without selectors.
fn plain(path: &str) -> String {
    let mut text = String::new();
    let mut selector = false;
    for c in path.chars() {
        selector = (selector || c == '[') && c != ']';
        if !selector && c != ']' {
            text.push(c.to_ascii_lowercase());
        }
    }
    text
}

/// Members of the API that are no field of a record, with the reason.
const NO_FIELD: &[(&str, &str)] = &[
    ("Catalog", "a setting of the deployment"),
    ("Arn", "says no more than the identifier"),
    ("Identifier", "the request's spelling of `Id`"),
    ("RelatedOpportunityId", "the summary's spelling of `Id`"),
    ("RelatedOpportunityIdentifier", "the summary request's spelling of `Id`"),
    ("AwsSubmission.Visibility", "decided at submission, not readable afterwards"),
    ("Project.ExpectedCustomerSpend.TargetCompany", "how the entry is found"),
    ("OpportunityTeam.BusinessTitle", "the role by which a person is found"),
];

#[test]
fn every_published_member_of_the_api_has_its_place() {
    let Some((_, rows)) = table("ACE-Data-Model-Fields.csv") else { return };
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

/// Windows in which the catalog differs from the sheet of the API, with the reason.
const OTHER_WINDOW: &[(&str, &str, &str)] = &[
    ("Customer.Account.Industry", "approved", "the guide says locked"),
    ("Customer.Account.OtherIndustry", "approved", "the guide says locked"),
    ("PartnerOpportunityIdentifier", "approved", "the guide says locked"),
    ("Project.ExpectedCustomerSpend.EstimationUrl", "required", "the guide opens it with the amount"),
];

#[test]
fn windows_are_those_of_the_sheet() {
    let Some((heads, rows)) = table("ACE-Data-Model-Fields.csv") else { return };
    let columns = [
        ("Update-Action Required", Windows::ACTION_REQUIRED),
        ("Update-Approved", Windows::APPROVED),
        ("Update-After Launched", Windows::LAUNCHED.and(Windows::LAUNCHED_ISV)),
    ]
    .map(|(head, window)| (heads.iter().position(|own| own == head).unwrap(), head, window));
    let mut wrong = Vec::new();
    for row in &rows {
        let fields = Kind::Opportunity.fields().iter().filter(|field| field.is_writable());
        for field in fields.filter(|field| field.api.is_some_and(|api| plain(api) == plain(&row[0]))) {
            for (column, head, window) in columns {
                let open = row[column].starts_with("Yes");
                let excused =
                    OTHER_WINDOW.iter().any(|(path, name, _)| *path == row[0] && head.to_lowercase().ends_with(name));
                // Two rows are of one path where AWS has a side of its own, on which nothing is ever open.
                let read_only = row[6] == "Read Only";
                if open != field.windows.any(window) && !excused && !read_only {
                    wrong.push(format!("{}: {head} is `{}` in the sheet", field.key, row[column]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The list of a field. Which states there are depends on the country, so the type of `state` cannot name them.
fn list_of(field: &'static Field) -> Option<&'static Picklist> {
    let state = Kind::Opportunity.field("state") == Some(field);
    if state { Some(&picklist::US_STATE) } else { field.ty.picklist() }
}

/// The field that a column of standard values is of.
fn by_head(sheet: &str, head: &str) -> Option<&'static Field> {
    match sheet {
        OPPORTUNITY_VALUES => by_file_name(Kind::Opportunity, head),
        LEAD_VALUES => {
            let key = match head.lines().next()?.trim() {
                "Industry Vertical" => "industry",
                "Country" => "country",
                "State/Province" => "state",
                "Use Case" => "useCaseWorkload",
                "Current Lead Stage" => "currentLeadStage",
                other => other,
            };
            Kind::Lead.field(key)
        }
        _ => {
            let by = |known: fn(&Field) -> Vec<&'static str>, path: &str| {
                Kind::Opportunity.fields().iter().find(|field| known(field).iter().any(|own| plain(own) == plain(path)))
            };
            let theirs = |field: &Field| field.summary.to_vec();
            match head.strip_suffix(" (AWS)") {
                Some(path) => by(theirs, path),
                None if head == "Project.CompetitorNames" => by_head(sheet, "Project.CompetitorName"),
                None => by(|field| field.api.into_iter().collect(), head).or_else(|| by(theirs, head)),
            }
        }
    }
}

const OPPORTUNITY_VALUES: &str = "Opportunity_-_StandardValues.csv";
const LEAD_VALUES: &str = "Lead_-_StandardValues.csv";
const API_VALUES: &str = "ACE-Data-Model-Values.csv";

/// Columns of standard values that are of no field's list, with the reason.
const NO_LIST: &[(&str, &str)] = &[
    ("Catalog", "a setting of the deployment"),
    ("AwsSubmission.Visibility", "decided at submission, not readable afterwards"),
    ("OpportunityTeam.BusinessTitle", "the role by which a person is found, held against paths below"),
    ("OpportunityTeam.BusinessTitle (AWS)", "the role by which a person is found, held against paths below"),
    ("RelatedEntityIdentifiers.AwsProducts", "says where the list is, which is held against `aws_products.json` below"),
];

/// Standard values that the lists leave out, with the reason.
const NO_VALUE: &[(&str, &str, &str)] = &[
    ("Project.ExpectedCustomerSpend.Frequency", "Annual", "not in the model; AWS stores it as `Monthly`"),
    ("InvolvementType", "For visibility only", "the model and the sheet's other column have capitals"),
    ("InvolvementType", "Co-sell", "the model and the sheet's other column have capitals"),
    ("Customer.Account.Address.StateOrRegion", "FPO AP", "lost its comma, which the API reference has"),
];

/// Spellings in the files that are read and not written, as another means the same.
const READ_ONLY: &[&str] = &["Great Britain", "Serbia and Montenegro"];

/// A column of standard values.
struct Column {
    sheet: &'static str,
    head: String,
    field: Option<&'static Field>,
    values: Vec<String>,
}

fn columns() -> Vec<Column> {
    let mut columns = Vec::new();
    for sheet in [OPPORTUNITY_VALUES, LEAD_VALUES, API_VALUES] {
        let Some((heads, rows)) = table(sheet) else { continue };
        for (place, head) in heads.into_iter().enumerate() {
            if NO_LIST.iter().any(|(name, _)| *name == head) {
                continue;
            }
            let cells = rows.iter().filter_map(|row| row.get(place)).filter(|cell| !cell.is_empty());
            // The API's sheet has blanks too many.
            let squeezed = |cell: &String| cell.split_whitespace().collect::<Vec<_>>().join(" ");
            let values = if sheet == API_VALUES { cells.map(squeezed).collect() } else { cells.cloned().collect() };
            columns.push(Column { sheet, field: by_head(sheet, &head), head, values });
        }
    }
    columns
}

#[test]
fn every_standard_value_is_known() {
    let mut missing = Vec::new();
    for Column { sheet, head, field, values } in columns() {
        let list = field.and_then(list_of);
        let yes_no = field.is_some_and(|field| field.ty == Type::YesNo);
        if list.is_none() && !yes_no {
            missing.push(format!("{sheet}: {head} is of no list"));
            continue;
        }
        let known = |value: &str| match list {
            None => ["Yes", "No"].contains(&value),
            Some(list) if sheet == API_VALUES => list.values().chain(list.none).any(|known| known == value),
            Some(list) => {
                let api = list.from_file(value);
                list.values().chain(list.none).chain(list.files_only.iter().copied()).any(|known| known == api)
                    && (list.to_file(api) == value || READ_ONLY.contains(&value))
            }
        };
        let excused = |value: &str| NO_VALUE.iter().any(|(column, left_out, _)| *column == head && *left_out == value);
        let unknown = values.iter().filter(|value| !known(value) && !excused(value));
        missing.extend(unknown.map(|value| format!("{sheet}: {head}: {value}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Values of closed lists that are in no sheet, by the list's name, with the reason.
const NOT_IN_SHEETS: &[(&str, &str, &str)] = &[
    ("contract terms", "Months", "in the model only"),
    ("partitions", "aws-eusc", "in the model only"),
    ("lead countries", "CD", "in the sheet of opportunities only"),
    ("lead countries", "IR", "in the sheet of opportunities only"),
];

#[test]
fn every_value_of_a_closed_list_is_published() {
    let columns = columns();
    if columns.is_empty() {
        return;
    }
    let fields = [Kind::Opportunity, Kind::Lead].into_iter().flat_map(Kind::fields);
    let mut invented = Vec::new();
    for list in fields.filter_map(list_of).filter(|list| !list.open) {
        let of_list = columns.iter().filter(|column| column.field.and_then(list_of) == Some(list));
        let published: Vec<&str> =
            of_list.flat_map(|column| &column.values).map(|value| list.from_file(value)).collect();
        let excused = |value| NOT_IN_SHEETS.iter().any(|(name, left_out, _)| *name == list.name && *left_out == value);
        let unknown = list.values().chain(list.none).chain(list.files_only.iter().copied());
        let unknown = unknown.filter(|value| !published.contains(value) && !excused(*value));
        invented.extend(unknown.map(|value| format!("{}: {value}", list.name)));
    }
    assert!(invented.is_empty(), "{}", invented.join("\n"));
}

#[test]
fn every_role_in_a_team_finds_a_person() {
    let Some((heads, rows)) = table(API_VALUES) else { return };
    let paths: Vec<_> = Kind::Opportunity
        .fields()
        .iter()
        .flat_map(|field| field.api.into_iter().chain(field.summary.iter().copied()))
        .collect();
    let mut missing = Vec::new();
    for (column, _) in heads.iter().enumerate().filter(|(_, head)| head.starts_with("OpportunityTeam.BusinessTitle")) {
        for role in rows.iter().filter_map(|row| row.get(column)).filter(|role| !role.is_empty()) {
            if !paths.iter().any(|path| path.contains(&format!("[BusinessTitle={role}]"))) {
                missing.push(role);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_published_product_is_known() {
    let Ok(json) = fs::read(reference("ace-data/aws_products.json")) else { return };
    let published = read_products(&json).unwrap();
    let missing: Vec<_> = published
        .iter()
        .filter(|product| !products().any(|known| known == *product))
        .map(|product| &product.code)
        .collect();
    assert!(missing.is_empty(), "new or changed: {missing:?}");
    let gone: Vec<_> = products()
        .map(|known| &known.code)
        .filter(|code| published.iter().all(|product| product.code != **code))
        .collect();
    assert!(gone.is_empty(), "no longer published: {gone:?}");
}

/// Members of the create and update bodies that are no field of a record, with the reason.
const NOT_CONSTRAINED: &[(&str, &str)] = &[
    ("Catalog", "a setting of the deployment"),
    ("ClientToken", "made for each request"),
    ("Identifier", "the request's spelling of `Id`"),
    ("Origin", "always the partner's on creation; read from AWS's summary"),
    ("Project.ExpectedCustomerSpend.TargetCompany", "how the entry is found"),
    ("LifeCycle.NextStepsHistory.Value", "an entry's text, in the history's one field"),
    ("LifeCycle.NextStepsHistory.Time", "an entry's time, in the history's one field"),
    ("OpportunityTeam.BusinessTitle", "the role by which a person is found"),
    ("Tags.Key", "tags are the partner's own"),
    ("Tags.Value", "tags are the partner's own"),
];

/// Members whose list is not as long as the model's enumeration, with the reason.
const OTHER_COUNT: &[(&str, &str)] =
    &[("Project.ExpectedCustomerSpend.Frequency", "the model lacks `None`, which AWS documents for contract values")];

#[test]
fn constraints_of_the_api_agree() {
    let Ok(text) = fs::read_to_string(reference("partner-central-api.md")) else { return };
    let section = text.split("\n## ").find(|section| section.starts_with("I. ")).unwrap();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in section.lines().take_while(|line| !line.starts_with("EMAIL")).filter(|line| line.starts_with("| ")) {
        // Inside a cell the bar is escaped.
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, path, kind, _, _, constraint, _] = cells[..] else { panic!("{line}") };
        // Of an object its members count.
        if path == "Path" || kind.ends_with("struct") {
            continue;
        }
        rows += 1;
        let path = path.replace("[]", "");
        let path = [
            ("C.A.", "Customer.Account."),
            ("C.", "Customer."),
            ("P.ECS.", "Project.ExpectedCustomerSpend."),
            ("P.", "Project."),
        ]
        .iter()
        .find_map(|(short, long)| Some(format!("{long}{}", path.strip_prefix(short)?)))
        .unwrap_or(path);
        if NOT_CONSTRAINED.iter().any(|(name, _)| *name == path) {
            continue;
        }
        let mut fields = Kind::Opportunity
            .fields()
            .iter()
            .filter(|field| field.api.is_some_and(|api| plain(api) == plain(&path)))
            .peekable();
        if fields.peek().is_none() {
            wrong.push(format!("{path}: no field"));
        }
        for field in fields {
            if let Some(most) = constraint.strip_prefix("len ").and_then(|range| range.split("..").nth(1)) {
                let agrees = match field.ty {
                    Type::Text { max } => most == max.to_string(),
                    Type::Url => most == "255",
                    _ => false,
                };
                if !agrees {
                    wrong.push(format!("{path}: {constraint}, {} is {}", field.key, field.ty.shown()));
                }
            }
            if let Some(listed) = constraint.strip_prefix("enum ") {
                let known: Vec<_> = match field.ty {
                    Type::YesNo => vec!["Yes", "No"],
                    ty => ty.picklist().filter(|list| !list.open).into_iter().flat_map(Picklist::values).collect(),
                };
                let (count, values) = listed.split_once(": ").unwrap_or((listed, ""));
                let excused = OTHER_COUNT.iter().any(|(name, _)| *name == path);
                let unknown =
                    values.split('\u{1}').map(str::trim).filter(|value| !value.is_empty() && !known.contains(value));
                if unknown.count() > 0 || (!excused && count != known.len().to_string()) {
                    wrong.push(format!("{path}: {constraint}, {} has {known:?}", field.key));
                }
            }
        }
    }
    assert!(rows > 60, "{rows} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
