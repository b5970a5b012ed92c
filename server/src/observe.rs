//! Around every request: an id, one log line, safe headers, the version check, and a net under panics.
//!
//! The log line has the route's template, never the path or the query; no token, address or body is ever logged.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sealpost_api::{API_VERSION, HEADER_API, HEADER_REQUEST_ID, problem::ErrorCode, routes};
use sealpost_crypto::id::TicketId;
use tracing::Instrument;

use crate::{auth::Caller, problem::ApiError};

/// Oldest [`API_VERSION`] this server speaks.
pub(crate) const OLDEST_API: u32 = 1;

/// The outermost layer.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    // Any 16 random bytes will do.
    let id = TicketId::random().to_string();
    let caller = Caller::default();
    request.extensions_mut().insert(caller.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let began = Instant::now();
    let span = tracing::info_span!("request", id = %id);
    let mut response = next.run(request).instrument(span).await;
    tracing::info!(
        id = %id,
        method = %method,
        route = route.as_deref().unwrap_or("none"),
        status = response.status().as_u16(),
        micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        user = caller.0.get().map(ToString::to_string),
        "request"
    );
    set_headers(&mut response, &id);
    response
}

fn set_headers(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static(HEADER_REQUEST_ID), id);
    }
}

/// Refuses clients of another version, and tells which side is behind.
pub(crate) async fn check_version(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if routes::ALL.iter().any(|route| route.answers_any_version() && route.path == path) {
        return next.run(request).await;
    }
    match refuse_version(request.headers().get(HEADER_API)) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    }
}

fn refuse_version(header: Option<&HeaderValue>) -> Option<ApiError> {
    let given = header?.to_str().ok().and_then(|text| text.parse::<u32>().ok());
    let hint = match given {
        Some(OLDEST_API..=API_VERSION) => return None,
        Some(given) if given > API_VERSION => "The server is older than the client: upgrade the server.",
        Some(_) => "The client is older than the server: upgrade the client.",
        None => "Send the version as a number.",
    };
    let detail = format!("This server speaks versions {OLDEST_API} to {API_VERSION}.");
    Some(ApiError::new(ErrorCode::ApiVersion, detail).hint(hint))
}

/// Turns a handler's panic into 500. The panic's own words are kept from the log: they might quote a value.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::internal(&"a handler panicked").into_response()
}
