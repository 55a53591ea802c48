//! What the API's checks say, in the files' words.

use std::collections::HashMap;
use std::sync::LazyLock;

use cosell_model::catalog::Write;
use cosell_model::{Field, Kind};

use crate::partner_central::errors::{ApiError, Problem};
use crate::partner_central::table::field_name;

/// The files' names of the API's fields, by the name in an error.
static NAMES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let in_body = Kind::Opportunity.fields().iter().filter(|field| field.write == Write::Body);
    in_body
        .filter_map(|field| {
            let parts = field.api?.split('.').map(|part| part.split('[').next().unwrap_or(part));
            Some((field_name(&parts.collect::<Vec<_>>().join(".")), field.newest_file()?))
        })
        .chain([
            ("project.expectedCustomerSpend".to_owned(), "expectedMonthlyAwsRevenue"),
            ("relatedEntityIdentifiers".to_owned(), "solutionOffered"),
            ("lifeCycle.reviewStatus".to_owned(), "status"),
        ])
        .collect()
});

pub fn name(field: &Field) -> &'static str {
    field.newest_file().unwrap_or(field.key)
}

/// A problem in the files' words.
pub fn sentence(problem: &Problem) -> String {
    let parts = problem.field.split('.').filter(|part| *part != "member" && part.parse::<u32>().is_err());
    let plain = parts.collect::<Vec<_>>().join(".");
    let name = NAMES.get(&plain).copied().unwrap_or(&plain);
    let rest = problem.message.strip_prefix(&problem.field).unwrap_or(&problem.message).trim_start();
    format!("{name}: {rest}")
}

pub fn worded(error: &ApiError) -> Vec<String> {
    if error.problems.is_empty() { vec![error.message.clone()] } else { error.problems.iter().map(sentence).collect() }
}
