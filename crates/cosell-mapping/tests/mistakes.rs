//! What somebody reads who has made a mistake in the mapping file. Every message is kept in a snapshot, to be read as
//! they would.

use cosell_mapping::{Mapping, Severity};

/// A file with these lines among the fields of opportunities, and these sections after them.
fn file(fields: &str, sections: &str) -> String {
    format!(
        "version = 1\n[opportunity]\nobject = \"Opportunity\"\nace_id = \"ACE_Id__c\"\n\
        [opportunity.fields]\npartnerProjectTitle = \"Name\"\n{fields}\n{sections}\n"
    )
}

const FIELDS: &[(&str, &str)] = &[
    ("an unknown field", r#"cusomerWebsite = "Website__c""#),
    ("a field by its file spelling", r#"aWSStage = "Stage__c""#),
    ("a field by its path in the API", r#""LifeCycle.Stage" = "Stage__c""#),
    ("a field that AWS sets, to AWS", r#"awsStage = { crm = "Stage__c", direction = "both" }"#),
    ("a direction that does not exist", r#"stage = { crm = "Stage__c", direction = "outbound" }"#),
    ("an option that does not exist", r#"stage = { crm = "Stage__c", polciy = "crm" }"#),
    ("no source", r#"stage = { policy = "crm" }"#),
    ("two sources", r#"stage = { crm = "Stage__c", value = "Prospect" }"#),
    ("a number in place of a field", "stage = 1"),
    ("an empty field", r#"stage = """#),
    ("one CRM field for two", "city = \"Place__c\"\nstate = \"Place__c\""),
    ("a constant that is not in the list", r#"stage = { value = "prospect" }"#),
    ("a constant that is no day", r#"targetCloseDate = { value = "next week" }"#),
    ("a value that is not in the list", r#"stage = { crm = "Stage__c", values = { "Won" = "Won" } }"#),
    (
        "a value that is spelled as in files",
        r#"industry = { crm = "I__c", values = { "IT" = "Software & Internet" } }"#,
    ),
    (
        "several CRM values for one",
        r#"stage = { crm = "Stage__c", values = { "Won" = "Launched", "Paid" = "Launched" } }"#,
    ),
    ("a default that is not in the list", r#"stage = { crm = "Stage__c", default = "Open" }"#),
    ("a zone that does not exist", r#"targetCloseDate = { crm = "Close__c", zone = "Berlin" }"#),
    ("a zone on a text", r#"city = { crm = "City__c", zone = "UTC" }"#),
    ("an amount's option on a text", r#"city = { crm = "City__c", divide = 12 }"#),
    ("a division by nothing", r#"expectedMonthlyAwsRevenue = { crm = "Amount", divide = 0 }"#),
    ("a cut on a list", r#"stage = { crm = "Stage__c", cut = true }"#),
    ("a check box for a list", r#"isOppFromMarketingActivity = { crm = "M__c", check_box = true }"#),
    ("a spelling on a text", r#"city = { crm = "City__c", spelling = "file" }"#),
    (
        "a part without a split is fine, a split without a part is not",
        r#"customerFirstName = { crm = "N__c", split = "," }"#,
    ),
    ("a join of one", r#"customerFirstName = { crm = "N__c", join = "," }"#),
    ("a part of two", r#"customerFirstName = { crm = ["A__c", "B__c"], part = "first" }"#),
    ("a path that is too long", r#"customerWebsite = "Account.Parent.Owner.Website""#),
    ("a write to another record", r#"customerWebsite = { crm = "Account.Website", direction = "both" }"#),
    ("a write two relations away", r#"customerWebsite = { crm = "Account.Parent.Website", direction = "both" }"#),
    ("a related field for what AWS sets", r#"awsStage = "Account.Stage__c""#),
    ("protection and emptiness", r#"stage = { crm = "Stage__c", protect = true, only_when_empty = true }"#),
    ("protection of what never comes", r#"stage = { crm = "Stage__c", direction = "to_aws", protect = true }"#),
    ("a default for what never goes", r#"stage = { crm = "Stage__c", direction = "from_aws", default = "Prospect" }"#),
    ("a field that AWS never answers, from AWS", r#"rejectionReason = { crm = "R__c", direction = "from_aws" }"#),
];

const RULES: &str = r#"
[opportunity.referral]
invitation_id = "I__c"
status = "S__c"
response = "R__c"
accept = "A"
reject = "R"

[[opportunity.referral.rules]]
name = "a country and an industry that AWS does not know, and a reason to accept"
answer = "accept"
reason = "Other"
country = ["Germany"]
industry = ["Farming"]

[[opportunity.referral.rules]]
name = "a reason of one's own, and less than nothing"
answer = "reject"
reason = "no time"
spend_from = 10
spend_to = 1

[[opportunity.referral.rules]]
name = "everything"
answer = "reject"
"#;

const SECTIONS: &[(&str, &str)] = &[
    ("an unknown section", "[opportunity.feilds2]\nx = 1"),
    ("an unknown kind", "[leads]\nobject = \"Lead\""),
    ("a scope by a field that does not exist", "[opportunity.only_aws]\ncuontry = \"DE\""),
    ("a scope by a value that is not in the list", "[opportunity.only_aws]\ncountry = [\"Germany\", \"AT\"]"),
    ("a related record without its lookup", "[opportunity.related.Account]\nwrite = \"update\""),
    (
        "related records that would multiply",
        "[opportunity.related.Account]\nobject = \"Account\"\nlookup = \"AccountId\"\nwrite = \"create\"",
    ),
    ("related records' options without a write", "[opportunity.related.Account]\ntemplate = \"001A\""),
    ("a referral without its fields", "[opportunity.referral]\nstatus = \"S__c\""),
    ("a status field that a line writes too", "[opportunity.status]\nsync_status = \"Name\""),
    (
        "a share that nobody can take back",
        "[lead]\nobject = \"Lead\"\nace_id = \"I__c\"\nunshared = \"stop\"\n[lead.fields]\ncompany = \"Company\"",
    ),
    ("a conversion of an opportunity", "[opportunity.convert]\nwhen = \"C__c\"\nopportunity = \"O__c\""),
    ("rules that answer nothing, or not so", RULES),
];

fn said(text: &str) -> String {
    let (_, findings) = Mapping::read(text);
    assert!(!findings.is_empty(), "nothing was said about\n{text}");
    let line = |finding: &cosell_mapping::Finding| {
        let doubt = if finding.severity == Severity::Warning { "(warning) " } else { "" };
        format!("  {doubt}{finding}")
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_are_explained() {
    let fields = FIELDS.iter().map(|(mistake, line)| (mistake, file(line, "")));
    let sections = SECTIONS.iter().map(|(mistake, section)| (mistake, file("", section)));
    let page: Vec<_> = fields.chain(sections).map(|(mistake, text)| format!("{mistake}\n{}", said(&text))).collect();
    insta::assert_snapshot!(page.join("\n\n"));
}

#[test]
fn a_file_that_is_no_mapping_is_explained() {
    let page: Vec<_> = [
        ("nothing", ""),
        ("no TOML", "version = \n"),
        (
            "another version",
            "version = 2\n[opportunity]\nobject = \"O\"\nace_id = \"A__c\"\n[opportunity.fields]\nstage = \"S__c\"",
        ),
        ("no fields", "version = 1\n[opportunity]\nobject = \"O\"\nace_id = \"A__c\""),
        ("no object", "version = 1\n[opportunity]\n[opportunity.fields]\nstage = \"S__c\""),
        ("a text for a section", "version = 1\nopportunity = \"Opportunity\""),
    ]
    .map(|(mistake, text)| format!("{mistake}\n{}", said(text)))
    .to_vec();
    insta::assert_snapshot!(page.join("\n\n"));
}

#[test]
fn all_mistakes_come_at_once() {
    let lines: Vec<_> = FIELDS.iter().take(4).map(|(_, line)| *line).collect();
    let (mapping, findings) = Mapping::read(&file(&lines.join("\n"), "[opportunity.only_aws]\ncountry = \"Germany\""));
    assert_eq!(findings.len(), 5, "{findings:?}");
    assert!(mapping.is_some(), "what can be read of it can be shown");
    assert!(
        Mapping::parse(&file(&lines.join("\n"), ""))
            .unwrap_err()
            .to_string()
            .starts_with("the mapping file has 4 problem(s):")
    );
}
