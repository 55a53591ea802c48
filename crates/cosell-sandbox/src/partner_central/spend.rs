//! Expected customer spend: the plain mode and the contract-value mode.

use serde_json::{Map, Value, json};

use super::errors::{Code, Problem};
use super::text;

const FIELD: &str = "project.expectedCustomerSpend";

/// Brings the spend entries into the form the service keeps, or says what is wrong with them.
pub fn complete(body: &mut Map<String, Value>, previous: Option<&Map<String, Value>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut entries: Vec<Value> = text::items_at(body, "Project.ExpectedCustomerSpend").to_vec();
    let company = |entry: &Value| entry["TargetCompany"].as_str().unwrap_or_default().to_owned();
    let invalid = |message: &str| Problem::new(Code::InvalidValue, FIELD, message);

    let term = text::str_at(body, "Project.ExpectedContractDuration.Value").map(str::to_owned);
    let selves = entries.iter().filter(|entry| company(entry) == "Self").count();
    if term.is_some()
        && selves == 0
        && let Some(previous) = previous
    {
        let stored = text::items_at(previous, "Project.ExpectedCustomerSpend");
        entries.extend(stored.iter().find(|entry| company(entry) == "Self").cloned());
    }
    let selves = entries.iter().filter(|entry| company(entry) == "Self").count();

    match (&term, selves) {
        (None, 0) => {
            for entry in &mut entries {
                entry["TargetCompany"] = json!("AWS");
                if entry["Frequency"] == json!("None") {
                    problems.push(invalid("frequency None belongs to a contract value"));
                }
            }
            if entries.len() > 1 {
                problems.push(Problem::new(Code::TooManyValues, FIELD, "takes one AWS entry"));
            }
        }
        (None, _) => problems.push(invalid("has a Self entry without an expected contract duration")),
        (Some(_), 0) => problems.push(invalid("needs a Self entry with the contract's value")),
        (Some(_), many) if many > 1 => problems.push(invalid("has two Self entries")),
        (Some(months), _) => {
            if entries.iter().any(|entry| !["Self", "AWS"].contains(&company(entry).as_str())) {
                problems.push(invalid("has another target company than Self and AWS"));
            }
            let currency = entries[0]["CurrencyCode"].clone();
            if entries.iter().any(|entry| entry["CurrencyCode"] != currency) {
                problems.push(invalid("mixes currencies"));
            }
            if entries.iter().any(|entry| !entry["EstimationUrl"].is_null()) {
                problems.push(invalid("has a Self entry together with an estimation URL"));
            }
            let Some(months) = months.parse::<i128>().ok().filter(|months| (1..=144).contains(months)) else {
                let field = "project.expectedContractDuration.value";
                problems.push(Problem::new(Code::InvalidValue, field, "must be 1 to 144 months"));
                return problems;
            };
            if let Some(mut own) = entries.iter().find(|entry| company(entry) == "Self").cloned() {
                own["Frequency"] = json!("None");
                let total = own["Amount"].as_str().and_then(cents).unwrap_or_default();
                let monthly = (total + months / 2) / months;
                let derived = json!({
                    "Amount": format!("{}.{:02}", monthly / 100, monthly % 100),
                    "CurrencyCode": currency,
                    "Frequency": "Monthly",
                    "TargetCompany": "AWS",
                });
                entries = vec![derived, own];
            }
        }
    }
    for entry in &entries {
        let amount = entry["Amount"].as_str().unwrap_or_default();
        if amount.is_empty() {
            let message = if entry["EstimationUrl"].is_null() {
                "is required"
            } else {
                "is required: the sandbox cannot open an estimate"
            };
            problems.push(Problem::new(Code::RequiredFieldMissing, format!("{FIELD}.amount"), message));
        } else if cents(amount) == Some(0) {
            problems.push(Problem::new(Code::InvalidValue, format!("{FIELD}.amount"), "must be greater than 0"));
        }
    }
    if !entries.is_empty() {
        text::set(body, "Project.ExpectedCustomerSpend", Value::Array(entries));
    }
    problems
}

fn cents(amount: &str) -> Option<i128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{fraction:0<2}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(project: &Value) -> Map<String, Value> {
        json!({"Project": project}).as_object().cloned().expect("an object")
    }

    #[test]
    fn another_company_silently_becomes_aws() {
        let mut plain = body(&json!({"ExpectedCustomerSpend": [
            {"Amount": "10", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "Example"}]}));
        assert!(complete(&mut plain, None).is_empty());
        assert_eq!(plain["Project"]["ExpectedCustomerSpend"][0]["TargetCompany"], "AWS");
    }

    #[test]
    fn a_contract_value_yields_the_monthly_entry() {
        let contract = json!({
            "ExpectedContractDuration": {"Term": "Months", "Value": "12"},
            "ExpectedCustomerSpend": [
                {"Amount": "1000.00", "CurrencyCode": "USD", "Frequency": "None", "TargetCompany": "Self"}]});
        let mut stored = body(&contract);
        assert!(complete(&mut stored, None).is_empty());
        let entries = &stored["Project"]["ExpectedCustomerSpend"];
        assert_eq!(entries[0]["Amount"], "83.33");
        assert_eq!(entries[1]["TargetCompany"], "Self");

        let mut echo = stored.clone();
        assert!(complete(&mut echo, Some(&stored)).is_empty());
        assert_eq!(echo, stored);

        let mut lone = body(&json!({"ExpectedContractDuration": {"Term": "Months", "Value": "10"}}));
        assert!(!complete(&mut lone.clone(), None).is_empty());
        assert!(complete(&mut lone, Some(&stored)).is_empty());
        assert_eq!(lone["Project"]["ExpectedCustomerSpend"][0]["Amount"], "100.00");
    }

    #[test]
    fn zero_and_missing_amounts_are_refused() {
        for amount in [json!("0.00"), json!(""), Value::Null] {
            let mut wrong = body(&json!({"ExpectedCustomerSpend": [
                {"Amount": amount, "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]}));
            assert_eq!(complete(&mut wrong, None).len(), 1, "{amount}");
        }
    }
}
