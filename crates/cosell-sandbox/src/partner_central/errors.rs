//! Errors as Partner Central words them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error answer of the service.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The name in `__type`.
    pub kind: String,
    /// Text for people.
    pub message: String,
    /// Reason of a `ValidationException`.
    pub reason: Option<&'static str>,
    /// Entries of a `ValidationException`'s `ErrorList`.
    pub problems: Vec<Problem>,
}

/// One entry of an `ErrorList`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub code: Code,
    /// Which member, as the service spells it.
    pub field: String,
    /// Text for people; never the value itself.
    pub message: String,
}

impl Problem {
    /// An entry whose message begins with the member's name.
    pub fn new(code: Code, field: impl Into<String>, message: impl AsRef<str>) -> Self {
        let field = field.into();
        let message = format!("{field} {}", message.as_ref());
        Self { code, field, message }
    }
}

/// The codes of an `ErrorList`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// `REQUIRED_FIELD_MISSING`
    RequiredFieldMissing,
    /// `INVALID_ENUM_VALUE`
    InvalidEnumValue,
    /// `INVALID_STRING_FORMAT`
    InvalidStringFormat,
    /// `INVALID_VALUE`
    InvalidValue,
    /// `NOT_ENOUGH_VALUES`
    NotEnoughValues,
    /// `TOO_MANY_VALUES`
    TooManyValues,
    /// `INVALID_RESOURCE_STATE`
    InvalidResourceState,
    /// `VALUE_OUT_OF_RANGE`
    ValueOutOfRange,
    /// `ACTION_NOT_PERMITTED`
    ActionNotPermitted,
}

impl Code {
    /// The wire spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequiredFieldMissing => "REQUIRED_FIELD_MISSING",
            Self::InvalidEnumValue => "INVALID_ENUM_VALUE",
            Self::InvalidStringFormat => "INVALID_STRING_FORMAT",
            Self::InvalidValue => "INVALID_VALUE",
            Self::NotEnoughValues => "NOT_ENOUGH_VALUES",
            Self::TooManyValues => "TOO_MANY_VALUES",
            Self::InvalidResourceState => "INVALID_RESOURCE_STATE",
            Self::ValueOutOfRange => "VALUE_OUT_OF_RANGE",
            Self::ActionNotPermitted => "ACTION_NOT_PERMITTED",
        }
    }
}

impl ApiError {
    /// An error without entries.
    pub fn new(status: u16, kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, kind: kind.into(), message: message.into(), reason: None, problems: Vec::new() }
    }

    /// The resource does not exist in this catalog or cannot be seen.
    pub fn not_found(what: &str) -> Self {
        Self::new(400, "ResourceNotFoundException", format!("{what} not found"))
    }

    /// One call too many.
    pub fn throttled() -> Self {
        Self::new(400, "ThrottlingException", "Rate exceeded")
    }

    /// The request meets another state than its sender believed.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(400, "ConflictException", message)
    }

    /// A member has the wrong JSON type, which the service refuses before any validation.
    pub fn serialization(field: &str) -> Self {
        Self::new(400, "SerializationException", format!("{field} has the wrong type"))
    }

    /// The request's shape is wrong.
    pub fn request(problems: Vec<Problem>) -> Self {
        Self::validation("REQUEST_VALIDATION_FAILED", problems)
    }

    /// The request breaks business rules.
    pub fn business(problems: Vec<Problem>) -> Self {
        Self::validation("BUSINESS_VALIDATION_FAILED", problems)
    }

    fn validation(reason: &'static str, problems: Vec<Problem>) -> Self {
        let message = match problems.as_slice() {
            [one] => one.message.clone(),
            many => format!("{} validation errors detected", many.len()),
        };
        Self { status: 400, kind: "ValidationException".to_owned(), message, reason: Some(reason), problems }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "__type": format!("com.amazonaws.partnercentralselling#{}", self.kind),
            "Message": self.message,
        });
        if let Some(reason) = self.reason {
            body["Reason"] = json!(reason);
            body["ErrorList"] = self
                .problems
                .iter()
                .map(|problem| {
                    json!({"Code": problem.code.name(), "FieldName": problem.field, "Message": problem.message})
                })
                .collect::<Vec<Value>>()
                .into();
        }
        super::answer(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
    }
}
