//! The client credentials flow.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::schema::SCHEMA;
use super::{ids, json_answer, random_text};
use crate::world::State;

/// Answers a token request.
pub fn token(state: &mut State, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Response {
    let form: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    if field("grant_type").as_deref() != Some("client_credentials") {
        return refusal("unsupported_grant_type", "grant type not supported");
    }
    let (id, secret) = match basic(headers) {
        Some(pair) => pair,
        None => (field("client_id").unwrap_or_default(), field("client_secret").unwrap_or_default()),
    };
    let Some(user) = SCHEMA.user.iter().find(|user| user.client_id == id) else {
        return refusal("invalid_client_id", "client identifier invalid");
    };
    if user.client_secret != secret {
        return refusal("invalid_client", "invalid client credentials");
    }
    let org = ids::full(&SCHEMA.org.id);
    let session = format!("{}!{}", &org[..15], random_text(40));
    state.salesforce.sessions.insert(session.clone(), user.full_id());
    let identity = format!("https://login.salesforce.com/id/{org}/{}", user.full_id());
    let issued = now.as_millisecond().to_string();
    let signature = STANDARD.encode(hmac(secret.as_bytes(), format!("{identity}{issued}").as_bytes()));
    let answer = json!({
        "access_token": session,
        "signature": signature,
        "token_format": "opaque",
        "scope": "api",
        "instance_url": state.settings.salesforce_url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    });
    json_answer(StatusCode::OK, &answer)
}

/// Client id and secret from HTTP Basic.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn refusal(error: &str, description: &str) -> Response {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": error, "error_description": description}))
}

/// HMAC-SHA256, by which a client may check who issued the token.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |byte: u8| block.map(|own| own ^ byte);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(STANDARD.encode(mac), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }
}
