//! Review states: who may change what when, and what an update does to the state.

use serde_json::{Map, Value, json};

use super::errors::{Code, Problem};
use super::store::Opportunity;
use super::table::field_name;
use super::{text, validation};

/// The members an update replaces.
pub const BODY: [&str; 9] = [
    "PrimaryNeedsFromAws",
    "NationalSecurity",
    "PartnerOpportunityIdentifier",
    "Customer",
    "Project",
    "OpportunityType",
    "Marketing",
    "SoftwareRevenue",
    "LifeCycle",
];

const REVIEW: [&str; 3] = ["LifeCycle.ReviewStatus", "LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason"];

/// The body a request asks to store in place of the present one: omitted members are gone, except those the partner
/// does not own.
pub fn replacement(current: &Opportunity, request: &Map<String, Value>) -> Map<String, Value> {
    let mut body: Map<String, Value> =
        BODY.iter().filter_map(|key| Some(((*key).to_owned(), text::normal(request.get(*key)?)?))).collect();
    for path in REVIEW.iter().chain(&["LifeCycle.NextStepsHistory"]) {
        text::remove(&mut body, path);
        if let Some(kept) = text::at(&current.body, path) {
            text::set(&mut body, path, kept.clone());
        }
    }
    // The documented exception: an omitted contract duration stays, an explicit null ends contract-value mode.
    let project = request.get("Project").and_then(Value::as_object);
    let duration = "Project.ExpectedContractDuration";
    if project.is_none_or(|project| !project.contains_key("ExpectedContractDuration"))
        && let Some(kept) = text::at(&current.body, duration)
    {
        text::set(&mut body, duration, kept.clone());
    }
    body.entry("NationalSecurity").or_insert_with(|| json!("No"));
    redact(&mut body);
    body
}

/// AWS keeps a national-security customer's name and place to itself.
pub fn redact(body: &mut Map<String, Value>) {
    if text::str_at(body, "NationalSecurity") != Some("Yes") || text::at(body, "Customer.Account").is_none() {
        return;
    }
    for path in
        ["Customer.Account.WebsiteUrl", "Customer.Account.Address.PostalCode", "Customer.Account.Address.StateOrRegion"]
    {
        text::remove(body, path);
    }
    text::set(body, "Customer.Account.Address.CountryCode", json!("US"));
    if text::at(body, "Customer.Account.CompanyName").is_some() {
        text::set(body, "Customer.Account.CompanyName", json!("Redacted"));
    }
}

/// The changes an update may not make in the present status.
pub fn locked(current: &Opportunity, body: &Map<String, Value>, review_moves: bool) -> Vec<Problem> {
    let status = current.review_status();
    let window = match status {
        "Pending Submission" => return Vec::new(),
        "Action Required" => Some('A'),
        "Approved" if ["Launched", "Closed Lost"].contains(&current.stage()) => Some('L'),
        "Approved" => Some('P'),
        _ => None,
    };
    let visibility_only = current.summary.as_ref().and_then(|summary| text::str_at(summary, "InvolvementType"))
        == Some("For Visibility Only");
    let problems: Vec<Problem> = validation::changed(&current.body, body)
        .into_iter()
        .filter(|(path, rule)| {
            let upgrade = *path == "PrimaryNeedsFromAws" && visibility_only && status == "Approved";
            !upgrade && !window.is_some_and(|window| rule.edit.contains(window))
        })
        .map(|(path, _)| {
            let message = format!("cannot be changed while the review status is {status}");
            Problem::new(Code::ActionNotPermitted, field_name(path), message)
        })
        .collect();
    if problems.is_empty() && window.is_none() && !review_moves {
        let message = format!("is {status}: the opportunity cannot be updated");
        return vec![Problem::new(Code::InvalidResourceState, field_name(REVIEW[0]), message)];
    }
    problems
}

/// Where the review goes with this update. In catalog Sandbox a partner plays the reviewer.
pub fn review(
    catalog: &str,
    current: &Opportunity,
    request: &Map<String, Value>,
    body: &mut Map<String, Value>,
) -> Result<bool, Vec<Problem>> {
    let status = current.review_status();
    let asked = text::str_at(request, REVIEW[0]).map(str::trim).filter(|asked| *asked != status);
    let mut problems = Vec::new();
    let refuse = |path: &str, message: &str| Problem::new(Code::ActionNotPermitted, field_name(path), message);
    let Some(asked) = asked else {
        for path in &REVIEW[1..] {
            let given = text::str_at(request, path).map(str::trim);
            if given.is_some() && given != text::str_at(&current.body, path) {
                problems.push(refuse(path, "is set by the reviewer"));
            }
        }
        if status == "Action Required" {
            text::set(body, REVIEW[0], json!("Submitted"));
        }
        return if problems.is_empty() { Ok(false) } else { Err(problems) };
    };
    if catalog != "Sandbox" {
        return Err(vec![refuse(REVIEW[0], "is set by the reviewer")]);
    }
    let allowed = matches!(
        (status, asked),
        ("Pending Submission" | "Action Required", "Submitted")
            | ("Submitted" | "In review", "Approved" | "Rejected" | "Action Required")
    );
    if !allowed {
        let message = format!("Cannot transition opportunity from status '{status}' to '{asked}'");
        let field = field_name(REVIEW[0]);
        return Err(vec![Problem { code: Code::InvalidResourceState, field, message }]);
    }
    text::set(body, REVIEW[0], json!(asked));
    for path in &REVIEW[1..] {
        match text::str_at(request, path) {
            Some(given) => text::set(body, path, json!(given.trim())),
            None => text::remove(body, path),
        }
    }
    Ok(true)
}
