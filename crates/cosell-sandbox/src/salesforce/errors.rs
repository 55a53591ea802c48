//! Errors as Salesforce words them.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

/// Error codes of the REST API.
pub mod code {
    #![allow(missing_docs, reason = "each is the wire's own word")]
    pub const ALL_OR_NONE_OPERATION_ROLLED_BACK: &str = "ALL_OR_NONE_OPERATION_ROLLED_BACK";
    pub const DUPLICATE_VALUE: &str = "DUPLICATE_VALUE";
    pub const ENTITY_IS_DELETED: &str = "ENTITY_IS_DELETED";
    pub const INVALID_CROSS_REFERENCE_KEY: &str = "INVALID_CROSS_REFERENCE_KEY";
    pub const INVALID_EMAIL_ADDRESS: &str = "INVALID_EMAIL_ADDRESS";
    pub const INVALID_FIELD: &str = "INVALID_FIELD";
    pub const INVALID_FIELD_FOR_INSERT_UPDATE: &str = "INVALID_FIELD_FOR_INSERT_UPDATE";
    pub const INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: &str = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
    pub const INVALID_QUERY_LOCATOR: &str = "INVALID_QUERY_LOCATOR";
    pub const INVALID_REPLICATION_DATE: &str = "INVALID_REPLICATION_DATE";
    pub const INVALID_SESSION_ID: &str = "INVALID_SESSION_ID";
    pub const INVALID_TYPE: &str = "INVALID_TYPE";
    pub const JSON_PARSER_ERROR: &str = "JSON_PARSER_ERROR";
    pub const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";
    pub const MALFORMED_ID: &str = "MALFORMED_ID";
    pub const MALFORMED_QUERY: &str = "MALFORMED_QUERY";
    pub const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
    pub const MISSING_ARGUMENT: &str = "MISSING_ARGUMENT";
    pub const NOT_FOUND: &str = "NOT_FOUND";
    pub const NUMBER_OUTSIDE_VALID_RANGE: &str = "NUMBER_OUTSIDE_VALID_RANGE";
    pub const PRECONDITION_FAILED: &str = "PRECONDITION_FAILED";
    pub const REQUEST_LIMIT_EXCEEDED: &str = "REQUEST_LIMIT_EXCEEDED";
    pub const REQUIRED_FIELD_MISSING: &str = "REQUIRED_FIELD_MISSING";
    pub const STRING_TOO_LONG: &str = "STRING_TOO_LONG";
}

/// One entry of an error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The vendor's word.
    pub code: String,
    /// Text for people; like the vendor's it may quote values.
    pub message: String,
    /// The fields concerned.
    pub fields: Vec<String>,
}

impl Problem {
    /// A problem of no field in particular.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// A problem of one field.
    pub fn field(code: &str, message: impl Into<String>, field: &str) -> Self {
        Self { fields: vec![field.to_owned()], ..Self::new(code, message) }
    }

    /// As an entry of a collection's result.
    pub fn in_collection(&self) -> Value {
        json!({"statusCode": self.code, "message": self.message, "fields": self.fields})
    }
}

/// An error answer: its HTTP status and the problems.
#[derive(Debug, Clone)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl Failure {
    /// One problem under an HTTP status.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, problems: vec![Problem::new(code, message)] }
    }

    /// The resource does not exist.
    pub fn not_found() -> Self {
        Self::new(404, code::NOT_FOUND, "The requested resource does not exist")
    }

    /// The first problem's code.
    pub fn code(&self) -> Option<String> {
        self.problems.first().map(|problem| problem.code.clone())
    }

    /// The HTTP answer.
    pub fn response(&self) -> Response {
        let body: Vec<Value> = self
            .problems
            .iter()
            .map(|problem| {
                let mut entry = json!({"message": problem.message, "errorCode": problem.code});
                if !problem.fields.is_empty() {
                    entry["fields"] = json!(problem.fields);
                }
                entry
            })
            .collect();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        super::json_answer(status, &json!(body))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::from(vec![problem])
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let status = match problems.first().map(|problem| problem.code.as_str()) {
            Some(code::NOT_FOUND | code::ENTITY_IS_DELETED) => 404,
            _ => 400,
        };
        Self { status, problems }
    }
}
