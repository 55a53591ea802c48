//! The one place where AWS's errors become [`PortError`]s. Codes and statuses decide, texts never.

use std::{error::Error, fmt, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{
    orchestrator::HttpResponse,
    result::{ConnectorError, SdkError},
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cosell_sync::ports::{PortError, Rejection};
use serde::Deserialize;

/// What is left of an SDK error once everything that may quote a record is taken away.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct AwsCause {
    code: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    detail: Option<String>,
}

impl AwsCause {
    /// A cause that we found ourselves.
    pub(crate) fn found(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::default() }
    }

    /// A cause of which only AWS's code is known.
    pub(crate) fn coded(code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..Self::default() }
    }
}

impl fmt::Display for AwsCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.code.clone(),
            self.status.map(|status| format!("HTTP {status}")),
            self.request_id.as_ref().map(|id| format!("request {id}")),
            self.detail.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "no reason given".to_owned() } else { parts.join(", ") }.as_str())
    }
}

impl Error for AwsCause {}

/// What an error answer comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Conflict,
    NotFound,
    Unauthorized,
    Unavailable,
    Rejected,
}

fn meaning(code: Option<&str>, status: u16) -> Meaning {
    match code.unwrap_or_default() {
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "ThrottlingError"
        | "TooManyRequests"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceeded"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "ServiceQuotaExceededException"
        | "SlowDown"
        | "OverLimit"
        | "KmsThrottled" => Meaning::Throttled,
        "ConflictException"
        | "ConditionalCheckFailed"
        | "ConditionalCheckFailedException"
        | "TransactionConflict"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "PreconditionFailed" => Meaning::Conflict,
        "ResourceNotFoundException" | "NoSuchKey" | "ReceiptHandleIsInvalid" | "MessageNotInflight" => {
            Meaning::NotFound
        }
        // A bucket or queue that is not there is a set-up that does not fit: no record passes.
        "NoSuchBucket"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "AccessDenied"
        | "AccessDeniedException"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "OptInRequired"
        | "NotAuthorized" => Meaning::Unauthorized,
        "InternalServerException"
        | "InternalServerError"
        | "InternalFailure"
        | "InternalServiceError"
        | "InternalError"
        | "ServiceUnavailable"
        | "RequestTimeout" => Meaning::Unavailable,
        _ => match status {
            401 | 403 => Meaning::Unauthorized,
            404 => Meaning::NotFound,
            409 | 412 => Meaning::Conflict,
            429 => Meaning::Throttled,
            400..500 => Meaning::Rejected,
            _ => Meaning::Unavailable,
        },
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationAnswer {
    #[serde(default)]
    error_list: Option<Vec<ValidationProblem>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValidationProblem {
    field_name: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

/// Partner Central lists every problem in the body; other services say one thing in the error itself.
fn problems(body: &[u8], code: Option<&str>, message: Option<&str>) -> Vec<Rejection> {
    let code = code.unwrap_or("Unknown");
    let listed = serde_json::from_slice::<ValidationAnswer>(body).ok().and_then(|answer| answer.error_list);
    let listed: Vec<Rejection> = listed
        .unwrap_or_default()
        .into_iter()
        .map(|problem| Rejection {
            field: problem.field_name,
            code: problem.code.unwrap_or_else(|| code.to_owned()),
            message: problem.message.unwrap_or_default(),
        })
        .collect();
    if listed.is_empty() {
        return vec![Rejection { field: None, code: code.to_owned(), message: message.unwrap_or_default().to_owned() }];
    }
    listed
}

/// The texts of an error and its causes. Only for errors that arose before anything was answered.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

/// Nothing was answered: the network's fault, or that of our credentials.
fn undispatched(what: String, failure: &ConnectorError) -> PortError {
    let cause = AwsCause::found(chain(failure));
    // A role's credentials are fetched with credentials: the innermost failure counts.
    let credentials = causes(failure).filter(|error| error.is::<CredentialsError>()).last();
    let no_credentials = credentials.is_some_and(|error| {
        !matches!(error.downcast_ref(), Some(CredentialsError::ProviderTimedOut(_)))
            && !causes(error).any(<dyn Error>::is::<ConnectorError>)
    });
    if no_credentials {
        PortError::Unauthorized { what, cause: Some(Box::new(cause)) }
    } else {
        PortError::Unavailable { what, cause: Some(Box::new(cause)) }
    }
}

fn header<'r>(raw: &'r HttpResponse, names: &[&str]) -> Option<&'r str> {
    names.iter().find_map(|name| raw.headers().get(*name))
}

fn refused(what: String, code: Option<&str>, message: Option<&str>, raw: &HttpResponse) -> PortError {
    let status = raw.status().as_u16();
    let cause = || {
        Some(Box::new(AwsCause {
            code: code.map(str::to_owned),
            status: Some(status),
            request_id: header(raw, &["x-amzn-requestid", "x-amz-request-id"]).map(str::to_owned),
            detail: None,
        }) as cosell_sync::ports::Cause)
    };
    match meaning(code, status) {
        Meaning::Throttled => PortError::Throttled {
            what,
            retry_after: header(raw, &["retry-after"])
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs),
        },
        Meaning::Conflict => PortError::Conflict { what },
        Meaning::NotFound => PortError::NotFound { what },
        Meaning::Unauthorized => PortError::Unauthorized { what, cause: cause() },
        Meaning::Unavailable => PortError::Unavailable { what, cause: cause() },
        Meaning::Rejected => {
            let problems = problems(raw.body().bytes().unwrap_or_default(), code, message);
            PortError::Rejected { what, problems }
        }
    }
}

/// What an SDK error means for the work.
pub(crate) fn port_error<E>(what: impl Into<String>, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata,
{
    let what = what.into();
    match error {
        SdkError::ServiceError(context) => refused(what, context.err().code(), context.err().message(), context.raw()),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(failure) => undispatched(what, failure),
            None => unavailable(what, "not dispatched"),
        },
        SdkError::ResponseError(context) => {
            unavailable(what, format!("HTTP {}, the answer broke off", context.raw().status().as_u16()))
        }
        SdkError::ConstructionFailure(_) => PortError::Rejected {
            what,
            problems: vec![Rejection {
                field: None,
                code: "RequestNotBuilt".to_owned(),
                message: "the request could not be built from this record".to_owned(),
            }],
        },
        SdkError::TimeoutError(_) => unavailable(what, "timed out"),
        _ => unavailable(what, "failed in a way that this version does not know"),
    }
}

/// Where a missing thing is one that the deployment should have made (a table, a secret, a mapping): no record passes.
pub(crate) fn setup_error<E>(what: impl Into<String>, error: &SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata,
{
    match port_error(what, error) {
        PortError::NotFound { what } => misfit(what, "it does not exist"),
        other => other,
    }
}

/// A set-up that does not fit.
pub(crate) fn misfit(what: impl Into<String>, detail: impl Into<String>) -> PortError {
    PortError::Unauthorized { what: what.into(), cause: Some(Box::new(AwsCause::found(detail))) }
}

/// Something that may work later.
pub(crate) fn unavailable(what: impl Into<String>, detail: impl Into<String>) -> PortError {
    PortError::Unavailable { what: what.into(), cause: Some(Box::new(AwsCause::found(detail))) }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn answer(code: &str, status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> PortError {
        let mut raw = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        for (name, value) in headers {
            raw.headers_mut().insert(*name, *value);
        }
        let metadata = ErrorMetadata::builder().code(code).message("quotes jane@example.com").build();
        port_error("UpdateOpportunity O1", &SdkError::service_error(metadata, raw))
    }

    fn texts(error: &PortError) -> String {
        causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    #[test]
    fn codes_decide() {
        for (code, status, expected) in [
            ("ThrottlingException", 400, "throttled"),
            ("ServiceQuotaExceededException", 400, "throttled"),
            ("SlowDown", 503, "throttled"),
            ("ConflictException", 400, "conflict"),
            ("ConditionalCheckFailedException", 400, "conflict"),
            ("PreconditionFailed", 412, "conflict"),
            ("ResourceNotFoundException", 400, "not_found"),
            ("NoSuchKey", 404, "not_found"),
            ("NoSuchBucket", 404, "unauthorized"),
            ("AccessDeniedException", 400, "unauthorized"),
            ("ExpiredTokenException", 400, "unauthorized"),
            ("SomethingNew", 403, "unauthorized"),
            ("SomethingNew", 404, "not_found"),
            ("SomethingNew", 429, "throttled"),
            ("SomethingNew", 502, "unavailable"),
            ("SomethingNew", 400, "rejected"),
            ("InternalServerException", 500, "unavailable"),
            ("ValidationException", 400, "rejected"),
        ] {
            assert_eq!(answer(code, status, "", &[]).code(), expected, "{code} {status}");
        }
    }

    #[test]
    fn every_listed_problem_is_handed_on() {
        let body = r#"{"__type":"ValidationException","Reason":"BUSINESS_VALIDATION_FAILED","Message":"no","ErrorList":[
            {"FieldName":"project.title","Code":"REQUIRED_FIELD_MISSING","Message":"Title is missing"},
            {"FieldName":null,"Code":"ACTION_NOT_PERMITTED","Message":"locked","New":1}]}"#;
        let PortError::Rejected { problems, .. } = answer("ValidationException", 400, body, &[]) else {
            panic!("not rejected")
        };
        assert_eq!(
            problems,
            [
                Rejection {
                    field: Some("project.title".into()),
                    code: "REQUIRED_FIELD_MISSING".into(),
                    message: "Title is missing".into()
                },
                Rejection { field: None, code: "ACTION_NOT_PERMITTED".into(), message: "locked".into() },
            ]
        );
    }

    #[test]
    fn a_refusal_without_a_list_is_one_problem() {
        for body in ["", "<Error/>", r#"{"ErrorList":[]}"#, r#"{"ErrorList":null}"#] {
            let PortError::Rejected { problems, .. } = answer("ValidationException", 400, body, &[]) else {
                panic!("not rejected")
            };
            assert_eq!(problems.len(), 1, "{body}");
            assert_eq!(problems[0].code, "ValidationException");
        }
    }

    #[test]
    fn a_throttle_says_when_to_come_back() {
        let error = answer("ThrottlingException", 400, "", &[("retry-after", "7")]);
        assert!(
            matches!(error, PortError::Throttled { retry_after: Some(after), .. } if after == Duration::from_secs(7))
        );
        let error = answer("ThrottlingException", 400, "", &[("retry-after", "Fri, 01 Jan 2027 00:00:00 GMT")]);
        assert!(matches!(error, PortError::Throttled { retry_after: None, .. }));
    }

    #[test]
    fn the_cause_names_the_request_and_quotes_nothing() {
        for (code, status) in [("AccessDeniedException", 400), ("InternalServerException", 500)] {
            let text =
                texts(&answer(code, status, r#"{"Message":"jane@example.com"}"#, &[("x-amzn-requestid", "r-1")]));
            assert!(text.contains(code) && text.contains("r-1") && text.contains(&status.to_string()), "{text}");
            assert!(!text.contains("jane"), "{text}");
        }
    }

    #[test]
    fn what_was_never_answered_is_told_apart() {
        let failed = |error: ConnectorError| {
            port_error("GetItem", &SdkError::<ErrorMetadata, HttpResponse>::dispatch_failure(error))
        };
        let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "connection refused");
        let error = failed(ConnectorError::io(refused.into()));
        assert_eq!(error.code(), "unavailable");
        assert!(texts(&error).contains("connection refused"));

        let wrapped = |error: CredentialsError| failed(ConnectorError::other(error.into(), None)).code();
        assert_eq!(wrapped(CredentialsError::not_loaded_no_source()), "unauthorized");
        assert_eq!(wrapped(CredentialsError::provider_timed_out(Duration::from_secs(1))), "unavailable");
        let nested = ConnectorError::other(CredentialsError::not_loaded_no_source().into(), None);
        assert_eq!(wrapped(CredentialsError::provider_error(nested)), "unauthorized");
        let lost = ConnectorError::timeout("too long".into());
        assert_eq!(wrapped(CredentialsError::provider_error(lost)), "unavailable");

        let timeout = SdkError::<ErrorMetadata, HttpResponse>::timeout_error("late");
        assert_eq!(port_error("GetItem", &timeout).code(), "unavailable");
        let unbuilt = SdkError::<ErrorMetadata, HttpResponse>::construction_failure("no key");
        assert_eq!(port_error("GetItem", &unbuilt).code(), "rejected");
    }

    #[test]
    fn what_the_deployment_should_have_made_stops_everybody() {
        let raw = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
        let missing = ErrorMetadata::builder().code("ResourceNotFoundException").build();
        assert_eq!(setup_error("GetItem", &SdkError::service_error(missing, raw)).code(), "unauthorized");
    }
}
