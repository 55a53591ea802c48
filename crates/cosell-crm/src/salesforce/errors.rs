//! What Salesforce's errors mean to the work.
//!
//! Request-level errors carry `errorCode`, per-record ones `statusCode`; bodies are arrays, single objects or no JSON at
//! all. Texts quote field values, so they go into [`Rejection`]s and nowhere else.

use std::{fmt, time::Duration};

use cosell_sync::ports::{PortError, Rejection};
use reqwest::StatusCode;
use serde_json::Value as Json;

/// More than the allowed number of long requests are running: they end soon.
const CONCURRENT_PAUSE: Duration = Duration::from_secs(5);
/// The organization's requests of the last 24 hours are used up; the window rolls.
const ALLOCATION_PAUSE: Duration = Duration::from_mins(15);

/// What was asked, as far as the meaning of an error depends on it.
pub(super) struct Call {
    /// Operation and record, for [`PortError`].
    pub(super) what: String,
    pub(super) kind: CallKind,
    /// The names that the request used; one that Salesforce complains about may be repeated in the cause.
    pub(super) names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    /// A search or a description: no record can be missing or wrong, only what was asked.
    Query,
    /// A search by a condition of an operator's, who is told what is wrong with it.
    Condition,
    /// A reading by identifier.
    Read,
    /// A creation, or a write by a unique field, which creates what is missing.
    Upsert,
    /// A write by identifier.
    Update,
}

impl CallKind {
    /// Whether an address that leads nowhere says that the record is gone.
    fn has_identifier(self) -> bool {
        matches!(self, Self::Read | Self::Update)
    }

    fn is_write(self) -> bool {
        matches!(self, Self::Upsert | Self::Update)
    }
}

/// A refusal without its texts: fit for a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// Salesforce's codes.
    pub codes: Vec<String>,
    /// Those of the request's own names that Salesforce complains about.
    pub names: Vec<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salesforce answered {}", self.status)?;
        if !self.codes.is_empty() {
            write!(f, " {}", self.codes.join(", "))?;
        }
        if !self.names.is_empty() {
            write!(f, " about {}", self.names.join(", "))?;
        }
        Ok(())
    }
}

/// A success whose body is not what the documentation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Salesforce's answer lacks {0}")]
pub struct Unreadable(pub &'static str);

/// One entry of an error body.
pub(super) struct Problem {
    code: String,
    message: String,
    fields: Vec<String>,
}

/// The entries of an error body, whatever its shape; none when it has none.
pub(super) fn problems(body: &[u8]) -> Vec<Problem> {
    serde_json::from_slice(body).map(|json| entries(&json)).unwrap_or_default()
}

fn entries(json: &Json) -> Vec<Problem> {
    match (json, json.get("errors")) {
        (Json::Array(entries), _) => entries.iter().filter_map(problem).collect(),
        (_, Some(Json::Array(entries))) if !entries.is_empty() => entries.iter().filter_map(problem).collect(),
        _ => problem(json).into_iter().collect(),
    }
}

fn problem(entry: &Json) -> Option<Problem> {
    let text = |name: &str| entry.get(name).and_then(Json::as_str);
    let code = ["errorCode", "statusCode", "error"].into_iter().find_map(text).filter(|code| is_code(code))?;
    let fields = entry.get("fields").and_then(Json::as_array).into_iter().flatten();
    Some(Problem {
        code: code.to_owned(),
        message: text("message").or_else(|| text("error_description")).unwrap_or_default().to_owned(),
        fields: fields.filter_map(Json::as_str).map(str::to_owned).collect(),
    })
}

/// Codes are repeated in logs: what does not look like one is a text.
pub(super) fn is_code(code: &str) -> bool {
    (1..=80).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The code of a refused login.
pub(super) fn oauth_code(body: &[u8]) -> Option<String> {
    problems(body).into_iter().next().map(|problem| problem.code)
}

/// Whether the session is to blame, so that a new one may help.
pub(super) fn is_session(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::UNAUTHORIZED
        || (status == StatusCode::FORBIDDEN
            && problems(body).iter().any(|problem| problem.code == "INVALID_SESSION_ID"))
}

/// Whether a write lost a race against another one that created the same record: repeating it updates.
pub(super) fn is_duplicate_value(error: &PortError) -> bool {
    matches!(error, PortError::Rejected { problems, .. } if problems.iter().any(|problem| problem.code == "DUPLICATE_VALUE"))
}

/// Whether a smaller search may pass.
pub(super) fn is_too_large(error: &PortError) -> bool {
    let PortError::Unavailable { cause: Some(cause), .. } = error else { return false };
    let too_large =
        |code: &String| matches!(code.as_str(), "QUERY_TIMEOUT" | "EXCEEDED_ID_LIMIT" | "OPERATION_TOO_LARGE");
    cause.downcast_ref::<Refused>().is_some_and(|refused| refused.codes.iter().any(too_large))
}

/// Whether a refusal in a list may say that the record itself is not there, which the same codes do not tell from what
/// it refers to. A request by the record's own address does.
pub(super) fn is_about_identifier(error: &PortError) -> bool {
    let PortError::Rejected { problems, .. } = error else { return false };
    problems.iter().any(|problem| {
        matches!(problem.code.as_str(), "INVALID_CROSS_REFERENCE_KEY" | "MALFORMED_ID")
            && problem.field.as_deref().is_none_or(|field| field.eq_ignore_ascii_case("Id"))
    })
}

/// Whether a request for several was refused for what is in it: Salesforce does not say for which, and nothing was done.
pub(super) fn may_pass_apart(status: StatusCode, error: &PortError) -> bool {
    match error {
        PortError::Throttled { .. } => false,
        PortError::Unavailable { .. } => is_too_large(error),
        _ => status.is_client_error() && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
    }
}

/// Ordered: what concerns everybody's records hides what concerns one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Unauthorized,
    Throttled(Option<Duration>),
    Unavailable,
    Conflict,
    NotFound,
    Rejected,
}

fn class_of_code(problem: &Problem, kind: CallKind) -> Option<Class> {
    Some(match problem.code.as_str() {
        // The code is the same for both limits; only the text tells them apart.
        "REQUEST_LIMIT_EXCEEDED" if problem.message.starts_with("Concurrent") => {
            Class::Throttled(Some(CONCURRENT_PAUSE))
        }
        "REQUEST_LIMIT_EXCEEDED" => Class::Throttled(Some(ALLOCATION_PAUSE)),
        "TOO_MANY_APEX_REQUESTS" | "LIMIT_EXCEEDED" => Class::Throttled(None),
        // A trigger that waited in vain for a row reports itself as the culprit.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" if problem.message.contains("UNABLE_TO_LOCK_ROW") => Class::Unavailable,
        "UNABLE_TO_LOCK_ROW"
        | "SERVER_UNAVAILABLE"
        | "UNKNOWN_EXCEPTION"
        | "QUERY_TIMEOUT"
        | "EXCEEDED_ID_LIMIT"
        | "OPERATION_TOO_LARGE"
        | "STORAGE_LIMIT_EXCEEDED" => Class::Unavailable,
        "PRECONDITION_FAILED" => Class::Conflict,
        "ENTITY_IS_DELETED" => Class::NotFound,
        "NOT_FOUND" if kind.has_identifier() => Class::NotFound,
        "INVALID_FIELD" | "INVALID_TYPE" | "MALFORMED_QUERY" if kind == CallKind::Condition => Class::Rejected,
        "INVALID_SESSION_ID"
        | "API_CURRENTLY_DISABLED"
        | "API_DISABLED_FOR_ORG"
        | "INVALID_FIELD"
        | "INVALID_TYPE"
        | "MALFORMED_QUERY"
        | "NOT_FOUND" => Class::Unauthorized,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
        | "DUPLICATE_VALUE"
        | "DUPLICATES_DETECTED"
        | "DUPLICATE_EXTERNAL_ID"
        | "REQUIRED_FIELD_MISSING"
        | "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        | "STRING_TOO_LONG"
        | "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        | "NUMBER_OUTSIDE_VALID_RANGE"
        | "INVALID_EMAIL_ADDRESS"
        | "FIELD_FILTER_VALIDATION_EXCEPTION"
        | "FIELD_INTEGRITY_EXCEPTION"
        | "INVALID_STATUS"
        | "INVALID_TYPE_ON_FIELD_IN_RECORD"
        | "MALFORMED_ID"
        | "INVALID_CROSS_REFERENCE_KEY"
        | "INVALID_FIELD_FOR_INSERT_UPDATE"
        | "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "TRANSFER_REQUIRES_READ"
        | "CANNOT_UPDATE_CONVERTED_LEAD" => Class::Rejected,
        _ => return None,
    })
}

/// These say that something else failed.
fn follows_another(problem: &Problem) -> bool {
    matches!(problem.code.as_str(), "ALL_OR_NONE_OPERATION_ROLLED_BACK" | "PROCESSING_HALTED")
}

fn class_of_status(status: StatusCode, retry_after: Option<Duration>, kind: CallKind) -> Class {
    match status.as_u16() {
        429 => Class::Throttled(retry_after),
        408 | 425 | 500.. => Class::Unavailable,
        409 | 412 => Class::Conflict,
        404 | 410 if kind.has_identifier() => Class::NotFound,
        // A refusal of a record's content comes as 400, or inside a success.
        200..=300 | 400 if kind.is_write() => Class::Rejected,
        400 if kind == CallKind::Condition => Class::Rejected,
        _ => Class::Unauthorized,
    }
}

/// What an answer that is no success means.
pub(super) fn refusal(call: &Call, status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> PortError {
    judged(call, status, retry_after, problems(body))
}

/// What a result in a list that is no success means. It has no status; 400 is what such a refusal has alone.
pub(super) fn refusal_in_list(call: &Call, result: &Json) -> PortError {
    judged(call, StatusCode::BAD_REQUEST, None, entries(result))
}

fn judged(call: &Call, status: StatusCode, retry_after: Option<Duration>, problems: Vec<Problem>) -> PortError {
    let known = problems.iter().filter_map(|problem| class_of_code(problem, call.kind)).min();
    let class = match known {
        _ if status == StatusCode::NOT_FOUND && call.kind.has_identifier() => Class::NotFound,
        Some(class) => class,
        None if problems.iter().any(follows_another) => Class::Unavailable,
        None => class_of_status(status, retry_after, call.kind),
    };
    let what = call.what.clone();
    let cause = || -> Option<Box<dyn std::error::Error + Send + Sync>> {
        let codes = problems.iter().map(|problem| problem.code.clone()).collect();
        Some(Box::new(Refused { status: status.as_u16(), codes, names: complained_about(&call.names, &problems) }))
    };
    match class {
        Class::Unauthorized => PortError::Unauthorized { what, cause: cause() },
        Class::Throttled(retry_after) => PortError::Throttled { what, retry_after },
        Class::Unavailable => PortError::Unavailable { what, cause: cause() },
        Class::Conflict => PortError::Conflict { what },
        Class::NotFound => PortError::NotFound { what },
        Class::Rejected => PortError::Rejected { what, problems: rejections(status, problems) },
    }
}

/// Which of our own names the texts quote. Salesforce puts the culprit between quotation marks; anything else there may
/// be a value and is left alone.
fn complained_about(names: &[String], problems: &[Problem]) -> Vec<String> {
    let quoted = |name: &str| {
        problems.iter().any(|problem| {
            problem.fields.iter().chain(&problem.message.split('\'').map(str::to_owned).collect::<Vec<_>>()).any(
                |token| {
                    token.eq_ignore_ascii_case(name) || name.split('.').any(|part| part.eq_ignore_ascii_case(token))
                },
            )
        })
    };
    names.iter().filter(|name| quoted(name)).cloned().collect()
}

fn rejections(status: StatusCode, problems: Vec<Problem>) -> Vec<Rejection> {
    let mut rejections = Vec::new();
    for Problem { code, message, fields } in problems {
        if fields.is_empty() {
            rejections.push(Rejection { field: None, code, message });
        } else {
            rejections.extend(fields.into_iter().map(|field| Rejection {
                field: Some(field),
                code: code.clone(),
                message: message.clone(),
            }));
        }
    }
    if rejections.is_empty() {
        let (code, message) = match status {
            StatusCode::MULTIPLE_CHOICES => {
                ("DUPLICATE_EXTERNAL_ID".to_owned(), "more than one record has this external identifier")
            }
            other => (format!("HTTP_{}", other.as_u16()), "Salesforce refused the record and did not say why"),
        };
        rejections.push(Rejection { field: None, code, message: message.to_owned() });
    }
    rejections
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "upsert Opportunity";

    fn call(kind: CallKind) -> Call {
        let names = ["Opportunity", "Name", "Gone__c", "Account.Name"].map(str::to_owned).into();
        Call { what: WHAT.to_owned(), kind, names }
    }

    fn answer(status: u16, body: &str, kind: CallKind) -> PortError {
        let status = StatusCode::from_u16(status).expect("a status");
        refusal(&call(kind), status, Some(Duration::from_secs(7)), body.as_bytes())
    }

    /// Every code of Salesforce's that we know, both spellings of the member, with and without fields.
    #[test]
    fn codes_have_their_classes() {
        let table = [
            (401, "INVALID_SESSION_ID", "unauthorized"),
            (403, "API_CURRENTLY_DISABLED", "unauthorized"),
            (403, "API_DISABLED_FOR_ORG", "unauthorized"),
            (403, "REQUEST_LIMIT_EXCEEDED", "throttled"),
            (400, "UNABLE_TO_LOCK_ROW", "unavailable"),
            (503, "SERVER_UNAVAILABLE", "unavailable"),
            (500, "UNKNOWN_EXCEPTION", "unavailable"),
            (400, "UNKNOWN_EXCEPTION", "unavailable"),
            (400, "QUERY_TIMEOUT", "unavailable"),
            (400, "EXCEEDED_ID_LIMIT", "unavailable"),
            (400, "OPERATION_TOO_LARGE", "unavailable"),
            (400, "TOO_MANY_APEX_REQUESTS", "throttled"),
            (400, "LIMIT_EXCEEDED", "throttled"),
            (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "rejected"),
            (400, "DUPLICATE_VALUE", "rejected"),
            (400, "DUPLICATES_DETECTED", "rejected"),
            (400, "DUPLICATE_EXTERNAL_ID", "rejected"),
            (400, "REQUIRED_FIELD_MISSING", "rejected"),
            (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "rejected"),
            (400, "STRING_TOO_LONG", "rejected"),
            (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "rejected"),
            (400, "NUMBER_OUTSIDE_VALID_RANGE", "rejected"),
            (400, "INVALID_EMAIL_ADDRESS", "rejected"),
            (400, "FIELD_FILTER_VALIDATION_EXCEPTION", "rejected"),
            (400, "FIELD_INTEGRITY_EXCEPTION", "rejected"),
            (400, "INVALID_STATUS", "rejected"),
            (400, "INVALID_TYPE_ON_FIELD_IN_RECORD", "rejected"),
            (400, "MALFORMED_ID", "rejected"),
            (400, "INVALID_CROSS_REFERENCE_KEY", "rejected"),
            (400, "INVALID_FIELD_FOR_INSERT_UPDATE", "rejected"),
            (400, "INSUFFICIENT_ACCESS_OR_READONLY", "rejected"),
            (403, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "rejected"),
            (400, "TRANSFER_REQUIRES_READ", "rejected"),
            (400, "INVALID_FIELD", "unauthorized"),
            (400, "INVALID_TYPE", "unauthorized"),
            (400, "MALFORMED_QUERY", "unauthorized"),
            (404, "NOT_FOUND", "unauthorized"),
            (404, "ENTITY_IS_DELETED", "not_found"),
            (400, "CANNOT_UPDATE_CONVERTED_LEAD", "rejected"),
            (400, "STORAGE_LIMIT_EXCEEDED", "unavailable"),
            (400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "unavailable"),
            (400, "PROCESSING_HALTED", "unavailable"),
            (412, "PRECONDITION_FAILED", "conflict"),
        ];
        for (status, code, class) in table {
            for body in [
                format!(r#"[{{"message":"m","errorCode":"{code}","fields":["Name"]}}]"#),
                format!(r#"[{{"message":"m","errorCode":"{code}"}}]"#),
                format!(r#"{{"message":"m","errorCode":"{code}"}}"#),
                format!(r#"{{"success":false,"errors":[{{"statusCode":"{code}","message":"m","fields":[]}}]}}"#),
            ] {
                assert_eq!(answer(status, &body, CallKind::Upsert).code(), class, "{body}");
            }
        }
    }

    #[test]
    fn unknown_codes_and_bodies_go_by_status() {
        let html = "<html>Down for maintenance: O'Brien</html>";
        let unknown = r#"[{"message":"new","errorCode":"SOMETHING_NEW"}]"#;
        for (status, body, kind, class) in [
            (500, html, CallKind::Upsert, "unavailable"),
            (502, "", CallKind::Query, "unavailable"),
            (503, html, CallKind::Update, "unavailable"),
            (504, "null", CallKind::Query, "unavailable"),
            (408, "", CallKind::Query, "unavailable"),
            (429, "", CallKind::Query, "throttled"),
            (302, "", CallKind::Query, "unauthorized"),
            (400, html, CallKind::Upsert, "rejected"),
            (400, unknown, CallKind::Upsert, "rejected"),
            (400, unknown, CallKind::Query, "unauthorized"),
            (200, r#"{"success":false,"errors":[]}"#, CallKind::Upsert, "rejected"),
            (403, unknown, CallKind::Update, "unauthorized"),
            (405, "", CallKind::Upsert, "unauthorized"),
            (414, "", CallKind::Query, "unauthorized"),
            (404, html, CallKind::Query, "unauthorized"),
            (404, html, CallKind::Upsert, "unauthorized"),
            (404, html, CallKind::Update, "not_found"),
            (404, r#"[{"errorCode":"INVALID_CROSS_REFERENCE_KEY","message":"m"}]"#, CallKind::Update, "not_found"),
            (404, r#"[{"errorCode":"NOT_FOUND","message":"m"}]"#, CallKind::Update, "not_found"),
            (404, html, CallKind::Read, "not_found"),
            (410, "", CallKind::Read, "not_found"),
            (404, r#"[{"errorCode":"NOT_FOUND","message":"m"}]"#, CallKind::Read, "not_found"),
            (404, r#"[{"errorCode":"ENTITY_IS_DELETED","message":"m"}]"#, CallKind::Read, "not_found"),
            (400, unknown, CallKind::Read, "unauthorized"),
            (400, unknown, CallKind::Condition, "rejected"),
            (403, unknown, CallKind::Condition, "unauthorized"),
            (414, "", CallKind::Condition, "unauthorized"),
            (403, unknown, CallKind::Read, "unauthorized"),
            (409, "", CallKind::Update, "conflict"),
            (412, "", CallKind::Update, "conflict"),
        ] {
            let error = answer(status, body, kind);
            assert_eq!(error.code(), class, "{status} {body} {kind:?}");
            assert!(!chain(&error).contains("O'Brien"));
        }
    }

    #[test]
    fn limits_say_when_to_come_back() {
        for (text, seconds) in [
            ("ConcurrentRequests Limit exceeded.", 5),
            ("ConcurrentPerOrgLongTxn Limit exceeded.", 5),
            ("TotalRequests Limit exceeded.", 900),
            ("", 900),
        ] {
            let body = format!(r#"[{{"message":"{text}","errorCode":"REQUEST_LIMIT_EXCEEDED"}}]"#);
            let PortError::Throttled { retry_after, .. } = answer(403, &body, CallKind::Query) else {
                panic!("{text} is a throttle");
            };
            assert_eq!(retry_after, Some(Duration::from_secs(seconds)), "{text}");
        }
        let PortError::Throttled { retry_after, .. } = answer(429, "", CallKind::Query) else { panic!("a throttle") };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_trigger_that_met_a_lock_is_transient() {
        let body = r#"[{"message":"Sync: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access","errorCode":"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"}]"#;
        assert_eq!(answer(400, body, CallKind::Update).code(), "unavailable");
    }

    #[test]
    fn the_broadest_of_several_problems_decides() {
        let missing = r#"{"message":"m","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}"#;
        for (other, class) in [
            ("UNABLE_TO_LOCK_ROW", "unavailable"),
            ("INVALID_FIELD", "unauthorized"),
            ("PROCESSING_HALTED", "rejected"),
            ("SOMETHING_NEW", "rejected"),
        ] {
            let body = format!(r#"[{missing},{{"message":"m","errorCode":"{other}"}}]"#);
            assert_eq!(answer(400, &body, CallKind::Upsert).code(), class, "{other}");
        }
    }

    #[test]
    fn rejections_keep_every_field_and_text() {
        let body = r#"[
            {"message":"Required fields are missing: [Name, StageName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name","StageName"]},
            {"message":"Email: invalid: a@","errorCode":"INVALID_EMAIL_ADDRESS"}
        ]"#;
        let PortError::Rejected { what, problems } = answer(400, body, CallKind::Upsert) else { panic!("a rejection") };
        assert_eq!(what, WHAT);
        let told: Vec<_> = problems.iter().map(|p| (p.field.as_deref(), p.code.as_str(), p.message.as_str())).collect();
        let missing = "Required fields are missing: [Name, StageName]";
        assert_eq!(
            told,
            [
                (Some("Name"), "REQUIRED_FIELD_MISSING", missing),
                (Some("StageName"), "REQUIRED_FIELD_MISSING", missing),
                (None, "INVALID_EMAIL_ADDRESS", "Email: invalid: a@"),
            ]
        );
    }

    #[test]
    fn several_matches_are_a_rejection() {
        let body = r#"["/services/data/v66.0/sobjects/Lead/00Q1","/services/data/v66.0/sobjects/Lead/00Q2"]"#;
        let PortError::Rejected { problems, .. } = answer(300, body, CallKind::Upsert) else { panic!("a rejection") };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "DUPLICATE_EXTERNAL_ID");
    }

    #[test]
    fn a_cause_names_our_own_names_and_no_value() {
        let body = r#"[{"message":"\nName, Gone__c FROM Opportunity WHERE X = 'Jane Doe'\nERROR at Row:1:Column:8\nNo such column 'Gone__c' on entity 'Opportunity'.","errorCode":"INVALID_FIELD"}]"#;
        let error = answer(400, body, CallKind::Query);
        assert_eq!(
            chain(&error),
            "upsert Opportunity is not allowed: Salesforce answered 400 INVALID_FIELD about Opportunity, Gone__c"
        );
    }

    #[test]
    fn an_operator_is_told_what_is_wrong_with_the_condition() {
        for code in ["INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY", "INVALID_QUERY_FILTER_OPERATOR"] {
            let body = format!(r#"[{{"message":"No such column 'Nmae'","errorCode":"{code}"}}]"#);
            let PortError::Rejected { problems, .. } = answer(400, &body, CallKind::Condition) else {
                panic!("{code}")
            };
            assert_eq!((problems[0].code.as_str(), problems[0].message.as_str()), (code, "No such column 'Nmae'"));
        }
    }

    #[test]
    fn a_code_that_is_a_text_is_no_code() {
        let body = r#"[{"message":"m","errorCode":"Jane Doe was here"}]"#;
        assert_eq!(
            chain(&answer(403, body, CallKind::Query)),
            "upsert Opportunity is not allowed: Salesforce answered 403"
        );
    }

    #[test]
    fn too_large_and_duplicates_are_recognized() {
        let large = answer(400, r#"[{"message":"m","errorCode":"QUERY_TIMEOUT"}]"#, CallKind::Query);
        let lock = answer(400, r#"[{"message":"m","errorCode":"UNABLE_TO_LOCK_ROW"}]"#, CallKind::Query);
        assert!(is_too_large(&large) && !is_too_large(&lock));
        let duplicate = answer(400, r#"[{"message":"m","errorCode":"DUPLICATE_VALUE"}]"#, CallKind::Upsert);
        assert!(is_duplicate_value(&duplicate) && !is_duplicate_value(&lock));
    }

    #[test]
    fn a_result_in_a_list_means_what_the_record_has_alone() {
        for (code, kind, class) in [
            ("ENTITY_IS_DELETED", CallKind::Update, "not_found"),
            ("NOT_FOUND", CallKind::Update, "not_found"),
            ("NOT_FOUND", CallKind::Upsert, "unauthorized"),
            ("UNABLE_TO_LOCK_ROW", CallKind::Upsert, "unavailable"),
            ("STRING_TOO_LONG", CallKind::Update, "rejected"),
            ("SOMETHING_NEW", CallKind::Update, "rejected"),
        ] {
            let entry = format!(r#"{{"statusCode":"{code}","message":"m","fields":["Name"]}}"#);
            let result = serde_json::from_str(&format!(r#"{{"success":false,"errors":[{entry}]}}"#)).expect("JSON");
            let listed = refusal_in_list(&call(kind), &result);
            assert_eq!(listed.code(), class, "{code}");
            assert_eq!(format!("{listed:?}"), format!("{:?}", answer(400, &format!("[{entry}]"), kind)));
        }
    }

    #[test]
    fn a_record_that_may_be_gone_is_recognized() {
        for (code, fields, is_about) in [
            ("INVALID_CROSS_REFERENCE_KEY", "[]", true),
            ("MALFORMED_ID", r#"["id"]"#, true),
            ("INVALID_CROSS_REFERENCE_KEY", r#"["AccountId"]"#, false),
            ("STRING_TOO_LONG", "[]", false),
        ] {
            let body = format!(r#"[{{"message":"m","errorCode":"{code}","fields":{fields}}}]"#);
            assert_eq!(is_about_identifier(&answer(400, &body, CallKind::Update)), is_about, "{body}");
        }
    }

    #[test]
    fn what_concerns_everybody_is_not_asked_again() {
        for (status, code, apart) in [
            (400, "INVALID_FIELD", true),
            (400, "JSON_PARSER_ERROR", true),
            (400, "QUERY_TIMEOUT", true),
            (414, "", true),
            (400, "UNABLE_TO_LOCK_ROW", false),
            (401, "INVALID_SESSION_ID", false),
            (403, "API_DISABLED_FOR_ORG", false),
            (403, "REQUEST_LIMIT_EXCEEDED", false),
            (429, "", false),
            (302, "", false),
            (503, "", false),
        ] {
            let body = format!(r#"[{{"message":"m","errorCode":"{code}"}}]"#);
            let error = answer(status, &body, CallKind::Upsert);
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(may_pass_apart(status, &error), apart, "{status} {code}");
        }
    }

    fn chain(error: &PortError) -> String {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }
}
