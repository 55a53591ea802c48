//! Business rules on top of the request's shape.

use jiff::civil::Date;
use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use super::errors::{Code, Problem};
use super::store::{Opportunity, Store};
use super::table::{Kind, Need, Rows, Rule, TABLE, field_name};
use super::text;

/// What the rules look at beside the body.
pub struct Context<'a> {
    /// The present.
    pub now: Timestamp,
    /// All records, for references.
    pub store: &'a Store,
    /// The record as it was; none at creation.
    pub previous: Option<&'a Opportunity>,
}

fn problem(code: Code, path: &str, message: &str) -> Problem {
    Problem::new(code, field_name(path), message)
}

fn missing(path: &str) -> Problem {
    problem(Code::RequiredFieldMissing, path, "is required")
}

/// Every broken rule of a body that is about to be stored.
pub fn business(body: &Map<String, Value>, context: &Context<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    required(body, &mut problems);
    closed_lists(body, &mut problems);
    address(body, &mut problems);
    project(body, context, &mut problems);
    life_cycle(body, context, &mut problems);
    marketing(body, context, &mut problems);
    problems
}

fn required(body: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for (path, rule) in &TABLE.opportunity {
        if path.contains("[]") || matches!(rule.kind, Kind::Struct | Kind::Structs) {
            continue;
        }
        let text = text::str_at(body, path);
        if rule.need == Some(Need::Create) && text.is_none_or(str::is_empty) {
            problems.push(missing(path));
        } else if text == Some("") {
            problems.push(problem(Code::InvalidValue, path, "must not be empty"));
        }
    }
    for contact in text::items_at(body, "Customer.Contacts") {
        for (key, value) in contact.as_object().into_iter().flatten() {
            if value == "" {
                let path = format!("Customer.Contacts[].{key}");
                problems.push(problem(Code::InvalidValue, &path, "must not be empty"));
            }
        }
    }
}

fn closed_lists(body: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for (path, rule) in &TABLE.opportunity {
        let Some(list) = &rule.list else { continue };
        let values = match text::at(body, path) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(text)) if !text.is_empty() => vec![text.as_str()],
            _ => Vec::new(),
        };
        if values.iter().any(|value| !TABLE.listed(list, value)) {
            problems.push(problem(Code::InvalidEnumValue, path, "is not one of the values the service knows"));
        }
    }
}

fn address(body: &Map<String, Value>, problems: &mut Vec<Problem>) {
    let get = |path| text::str_at(body, path).unwrap_or_default();
    let secret = get("NationalSecurity") == "Yes";
    let country = get("Customer.Account.Address.CountryCode");
    let (site, state, postal) = (
        "Customer.Account.WebsiteUrl",
        "Customer.Account.Address.StateOrRegion",
        "Customer.Account.Address.PostalCode",
    );
    if secret && get("Customer.Account.Industry") != "Government" {
        problems.push(problem(Code::InvalidValue, "NationalSecurity", "takes Yes only with industry Government"));
    }
    let relaxed = secret && country == "US";
    if get(site).is_empty() {
        if !secret {
            problems.push(missing(site));
        }
    } else if !get(site).contains('.') {
        problems.push(problem(Code::InvalidStringFormat, site, "is not a web address"));
    }
    if country == "US" && !get(state).is_empty() && !TABLE.listed("us_state", get(state)) {
        problems.push(problem(Code::InvalidEnumValue, state, "is not the name of a US state"));
    }
    if country == "US" && get(state).is_empty() && !relaxed {
        problems.push(missing(state));
    }
    let has_postal = !country.is_empty() && !TABLE.listed("no_postal_code", country);
    if has_postal && get(postal).is_empty() && !relaxed {
        problems.push(missing(postal));
    }
    if get("Customer.Account.Industry") == "Other" && get("Customer.Account.OtherIndustry").is_empty() {
        problems.push(missing("Customer.Account.OtherIndustry"));
    }
}

fn project(body: &Map<String, Value>, context: &Context<'_>, problems: &mut Vec<Problem>) {
    let get = |path| text::str_at(body, path).unwrap_or_default();
    if get("Project.CompetitorName") == "*Other" && get("Project.OtherCompetitorNames").is_empty() {
        problems.push(missing("Project.OtherCompetitorNames"));
    }
    let related = get("Project.RelatedOpportunityIdentifier");
    if !related.is_empty() && context.store.visible(related).is_err() {
        problems.push(problem(
            Code::InvalidValue,
            "Project.RelatedOpportunityIdentifier",
            "names no opportunity of this account",
        ));
    }
    for entry in text::items_at(body, "Project.ExpectedCustomerSpend") {
        let currency = entry["CurrencyCode"].as_str().unwrap_or_default();
        let path = "Project.ExpectedCustomerSpend[].CurrencyCode";
        if !TABLE.listed("spend_currency", currency) {
            problems.push(problem(Code::InvalidValue, path, "must be USD or EUR"));
        } else if get("Project.AwsPartition") == "aws-eusc" && currency != "EUR" {
            problems.push(problem(Code::InvalidValue, path, "must be EUR in partition aws-eusc"));
        }
    }
    let (from, to) = (get("SoftwareRevenue.EffectiveDate"), get("SoftwareRevenue.ExpirationDate"));
    if !from.is_empty() && !to.is_empty() && from > to {
        problems.push(problem(Code::InvalidValue, "SoftwareRevenue.ExpirationDate", "is before the effective date"));
    }
}

fn life_cycle(body: &Map<String, Value>, context: &Context<'_>, problems: &mut Vec<Problem>) {
    let get = |path| text::str_at(body, path).unwrap_or_default();
    let stage = get("LifeCycle.Stage");
    if stage.is_empty() {
        problems.push(missing("LifeCycle.Stage"));
    }
    if stage == "Closed Lost" && get("LifeCycle.ClosedLostReason").is_empty() {
        problems.push(missing("LifeCycle.ClosedLostReason"));
    }
    if ["Committed", "Launched"].contains(&stage) && !context.previous.is_some_and(Opportunity::has_solution) {
        let message = "needs an associated solution or AWS Marketplace product first";
        problems.push(problem(Code::InvalidResourceState, "LifeCycle.Stage", message));
    }
    let close = get("LifeCycle.TargetCloseDate");
    let before = context.previous.and_then(|previous| text::str_at(&previous.body, "LifeCycle.TargetCloseDate"));
    if !close.is_empty() && before != Some(close) {
        let path = "LifeCycle.TargetCloseDate";
        let today = TimeZone::UTC.to_datetime(context.now).date();
        let latest = today.checked_add(Span::new().years(60)).unwrap_or(Date::MAX);
        match close.parse::<Date>() {
            Err(_) => problems.push(problem(Code::InvalidStringFormat, path, "is not a day of the calendar")),
            Ok(day) if day < today => problems.push(problem(Code::InvalidValue, path, "is in the past")),
            Ok(day) if day > latest => {
                problems.push(problem(Code::ValueOutOfRange, path, "is more than 60 years ahead"));
            }
            Ok(_) => {}
        }
    }
    let reason = get("LifeCycle.ReviewStatusReason");
    if !reason.is_empty() && !TABLE.listed("review_reason", reason) {
        problems.push(problem(
            Code::InvalidEnumValue,
            "LifeCycle.ReviewStatusReason",
            "is not one of the values the service knows",
        ));
    }
}

fn marketing(body: &Map<String, Value>, context: &Context<'_>, problems: &mut Vec<Problem>) {
    let present = |path| text::at(body, path).is_some();
    match text::str_at(body, "Marketing.Source") {
        Some("None") => {
            for path in
                ["Marketing.CampaignName", "Marketing.UseCases", "Marketing.Channels", "Marketing.AwsFundingUsed"]
            {
                if present(path) {
                    problems.push(problem(Code::InvalidValue, path, "must be absent when the source is None"));
                }
            }
        }
        Some(_) => {
            for path in ["Marketing.AwsFundingUsed", "Marketing.Channels"] {
                if !present(path) {
                    problems.push(missing(path));
                }
            }
            if text::str_at(body, "Marketing.AwsFundingUsed") == Some("No") && present("Marketing.UseCases") {
                let message = "must be empty when no AWS funding was used";
                problems.push(problem(Code::InvalidValue, "Marketing.UseCases", message));
            }
        }
        None if context.previous.is_some() => problems.push(missing("Marketing.Source")),
        None => {}
    }
}

/// What keeps an opportunity from being submitted.
pub fn submission(opportunity: &Opportunity, involvement: &str, visibility: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let body = &opportunity.body;
    let get = |path| text::str_at(body, path).unwrap_or_default();
    for (path, rule) in &TABLE.opportunity {
        if rule.need == Some(Need::Submit) && text::at(body, path).is_none() {
            problems.push(missing(path));
        }
    }
    let needs = text::items_at(body, "PrimaryNeedsFromAws");
    if involvement == "Co-Sell" && needs.is_empty() {
        problems.push(missing("PrimaryNeedsFromAws"));
    }
    if involvement == "For Visibility Only" && !needs.is_empty() {
        let message = "must be empty for an opportunity for visibility only";
        problems.push(problem(Code::InvalidValue, "PrimaryNeedsFromAws", message));
    }
    if !opportunity.has_solution() && get("Project.OtherSolutionDescription").is_empty() {
        let message = "needs an associated solution or product, or a description of another solution";
        problems.push(problem(Code::NotEnoughValues, "RelatedEntityIdentifiers", message));
    }
    if ["Closed Lost", "Launched"].contains(&opportunity.stage()) {
        problems.push(problem(Code::InvalidResourceState, "LifeCycle.Stage", "is closed: nothing to submit"));
    }
    if get("NationalSecurity") == "Yes" && visibility != "Full" {
        problems.push(problem(Code::InvalidValue, "Visibility", "must be Full with national security"));
    }
    let postal = get("Customer.Account.Address.PostalCode");
    if let Some(formats) = TABLE.postal_formats(get("Customer.Account.Address.CountryCode"))
        && !postal.is_empty()
        && !formats.iter().any(|format| postal_matches(format, postal))
    {
        let message = format!("must look like {}", formats.join(" or "));
        problems.push(problem(Code::InvalidStringFormat, "Customer.Account.Address.PostalCode", &message));
    }
    problems
}

fn postal_matches(format: &str, postal: &str) -> bool {
    format.chars().count() == postal.chars().count()
        && format.chars().zip(postal.chars()).all(|(wanted, given)| match wanted {
            '9' => given.is_ascii_digit(),
            'A' => given.is_ascii_alphabetic(),
            other => given == other,
        })
}

/// The table paths whose values differ between two bodies; a list of contacts counts as one value, spend entries
/// member by member.
pub fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<(&'static str, &'static Rule)> {
    let rows: &'static Rows = &TABLE.opportunity;
    rows.iter()
        .filter(|(path, rule)| {
            let skipped = rule.kind == Kind::Struct
                || path.starts_with("LifeCycle.Review")
                || path.starts_with("LifeCycle.NextStepsHistory")
                || path.starts_with("Customer.Contacts[]")
                || *path == "Project.ExpectedCustomerSpend";
            !skipped && values(before, path) != values(after, path)
        })
        .map(|(path, rule)| (path.as_str(), rule))
        .collect()
}

fn values(body: &Map<String, Value>, path: &str) -> Vec<Value> {
    match path.split_once("[].") {
        Some((list, key)) => text::items_at(body, list).iter().map(|item| item[key].clone()).collect(),
        None => text::at(body, path).cloned().into_iter().collect(),
    }
}
