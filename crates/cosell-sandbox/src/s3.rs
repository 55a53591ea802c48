//! The emulator's S3, passed through with weather on the way.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use crate::weather::Refusal;
use crate::wire::{self, Answer, Line};
use crate::world::{Face, World};
use crate::{log, partner_central::text};

/// The largest body that passes.
const MOST: usize = 32 << 20;

/// What concerns one connection and not the request.
const HOP: [HeaderName; 4] = [header::CONNECTION, header::EXPECT, header::TRANSFER_ENCODING, header::TE];

#[derive(Clone)]
struct Gate {
    world: Arc<World>,
    authority: Arc<str>,
}

/// The face's one route, in front of `endpoint`.
pub fn router(world: Arc<World>, endpoint: &str) -> Result<Router, String> {
    let url = Url::parse(endpoint).map_err(|error| format!("AWS_ENDPOINT_URL is no address: {error}"))?;
    let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
        return Err("AWS_ENDPOINT_URL must be http://host:port for --s3-port".to_owned());
    };
    let gate = Gate { world, authority: format!("{host}:{port}").into() };
    Ok(Router::new().fallback(handle).layer(DefaultBodyLimit::max(MOST)).with_state(gate))
}

async fn handle(
    Shared(gate): Shared<Gate>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = operation(&method, &uri, &headers);
    let target = uri.path().trim_start_matches('/').to_owned();
    let act = async {
        let passed = forward(&gate.authority, method, uri, headers, body).await;
        let response = passed.unwrap_or_else(|error| {
            log(&format!("{operation} not passed on: {error}"));
            refused(StatusCode::BAD_GATEWAY, "BadGateway").response
        });
        Answer { response, error: None, target_id: Some(target) }
    };
    wire::pass(&gate.world, &line, (Face::S3, &operation), act, worded).await
}

/// Which operation a request is, by S3's REST form with the bucket in the path.
fn operation(method: &Method, uri: &Uri, headers: &HeaderMap) -> String {
    let (bucket, key) = uri.path().trim_start_matches('/').split_once('/').unwrap_or((uri.path(), ""));
    let query: Vec<&str> = uri.query().unwrap_or_default().split('&').collect();
    let asks = |name: &str| query.iter().any(|part| part.split('=').next() == Some(name));
    let named = match (method.as_str(), key) {
        ("GET", _) if bucket.trim_matches('/').is_empty() => "ListBuckets",
        ("GET", "") if asks("list-type") => "ListObjectsV2",
        ("GET", "") if asks("policy") => "GetBucketPolicy",
        ("GET", "") if asks("location") => "GetBucketLocation",
        ("GET", "") => "ListObjects",
        ("HEAD", "") => "HeadBucket",
        ("PUT", "") if asks("policy") => "PutBucketPolicy",
        ("PUT", "") => "CreateBucket",
        ("POST", "") if asks("delete") => "DeleteObjects",
        ("DELETE", "") => "DeleteBucket",
        ("GET", _) if asks("acl") => "GetObjectAcl",
        ("GET", _) if asks("tagging") => "GetObjectTagging",
        ("GET", _) => "GetObject",
        ("HEAD", _) => "HeadObject",
        ("PUT", _) if asks("partNumber") => "UploadPart",
        ("PUT", _) if asks("tagging") => "PutObjectTagging",
        ("PUT", _) if headers.contains_key("x-amz-copy-source") => "CopyObject",
        ("PUT", _) => "PutObject",
        ("POST", _) if asks("uploads") => "CreateMultipartUpload",
        ("POST", _) if asks("uploadId") => "CompleteMultipartUpload",
        ("DELETE", _) if asks("uploadId") => "AbortMultipartUpload",
        ("DELETE", _) => "DeleteObject",
        (other, _) => other,
    };
    named.to_owned()
}

/// The host stays the one that the client signed.
async fn forward(
    authority: &str,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(authority).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    // It ends with its one answer; what goes wrong with it shows there.
    tokio::spawn(async { drop(connection.await) });
    let (mut head, ()): (Parts, ()) = Request::new(()).into_parts();
    head.method = method;
    head.uri = uri;
    head.headers = through(headers);
    let answer = sender.send_request(Request::from_parts(head, Body::from(body))).await;
    let (mut head, body) = answer.map_err(|error| failed(&error))?.into_parts();
    head.headers = through(head.headers);
    let body = axum::body::to_bytes(Body::new(body), MOST).await.map_err(|error| failed(&error))?;
    Ok(Response::from_parts(head, Body::from(body)))
}

fn through(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP {
        headers.remove(name);
    }
    headers
}

fn worded(refusal: &Refusal) -> Answer {
    let Refusal::Error { status, code } = refusal else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "SlowDown");
    };
    let usual = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refused(status, code.as_deref().unwrap_or(usual))
}

fn refused(status: StatusCode, code: &str) -> Answer {
    let message = "a failure that the sandbox was told to act out";
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <RequestId>{}</RequestId></Error>",
        text::random_id(16).to_uppercase()
    );
    let response = (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response();
    Answer { response, error: Some(code.to_owned()), target_id: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_known_by_method_and_query() {
        let named = |method: Method, uri: &'static str| operation(&method, &Uri::from_static(uri), &HeaderMap::new());
        for (method, uri, expected) in [
            (Method::GET, "/b?list-type=2&prefix=x", "ListObjectsV2"),
            (Method::GET, "/b/?list-type=2", "ListObjectsV2"),
            (Method::GET, "/b/k/l?x-id=GetObject", "GetObject"),
            (Method::PUT, "/b/k?x-id=PutObject", "PutObject"),
            (Method::DELETE, "/b/k", "DeleteObject"),
            (Method::HEAD, "/b/k", "HeadObject"),
            (Method::POST, "/b?delete", "DeleteObjects"),
            (Method::POST, "/b/k?uploads", "CreateMultipartUpload"),
            (Method::GET, "/", "ListBuckets"),
        ] {
            assert_eq!(named(method, uri), expected, "{uri}");
        }
        let copy = HeaderMap::from_iter([("x-amz-copy-source".parse().expect("a name"), "b/k".parse().expect("ok"))]);
        assert_eq!(operation(&Method::PUT, &Uri::from_static("/b/k"), &copy), "CopyObject");
    }
}
