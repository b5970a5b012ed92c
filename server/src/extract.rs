//! Reading requests: bodies, path and query, every one with its limit and with errors that say where.
//!
//! Handlers name the caller's proof (see `auth`) before these, so nothing is read for strangers.

use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sealpost_api::{
    limits::{DEFAULT_PAGE, MAX_JSON_BODY, MAX_PAGE},
    problem::ErrorCode,
};
use serde::de::DeserializeOwned;

use crate::{
    auth::Caller,
    bodies::{Held, Whose},
    problem::ApiError,
    state::AppState,
};

/// How long a JSON body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest piece of a parser's message that is passed on, bytes.
const MAX_PARSER_MESSAGE: usize = 200;

/// A JSON body of at most `MAX` bytes.
pub(crate) struct Json<T, const MAX: usize = MAX_JSON_BODY>(pub T);

impl<S: Send + Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for Json<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        check_media_type(request.headers(), "application/json")?;
        let length = declared_length(request.headers(), MAX)?;
        parse(&read_body(request, length, MAX, BODY_TIMEOUT).await?).map(Self)
    }
}

/// A JSON body of at most `MAX` bytes, where that is more than [`MAX_JSON_BODY`]: it is let in when there is room for
/// it, and takes that room until the second field is dropped.
pub(crate) struct Large<T, const MAX: usize>(pub T, pub Held);

impl<S: Send + Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for Large<T, MAX>
where
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        check_media_type(request.headers(), "application/json")?;
        let length = declared_length(request.headers(), MAX)?;
        let caller = request.extensions().get::<Caller>();
        let is_member = caller.is_some_and(|caller| caller.0.get().is_some());
        let whose = if is_member { Whose::Member } else { Whose::Stranger };
        let held = AppState::from_ref(state).bodies.hold(length.unwrap_or(MAX), whose).await?;
        parse(&read_body(request, length, MAX, BODY_TIMEOUT).await?).map(|value| Self(value, held))
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        let message: String = error.to_string().chars().take(MAX_PARSER_MESSAGE).collect();
        ApiError::malformed(format!("The JSON body is not what this route takes: {message}."))
    })
}

/// Refuses bodies of another media type, and compressed ones: the server never inflates anything.
pub(crate) fn check_media_type(headers: &HeaderMap, expected: &str) -> Result<(), ApiError> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case(expected) {
        return Err(ApiError::new(ErrorCode::MediaType, format!("This route takes {expected}.")));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::new(ErrorCode::MediaType, "Compressed bodies are not taken.")
            .hint("Send it without Content-Encoding."));
    }
    Ok(())
}

/// The body came too slowly.
pub(crate) fn too_slow() -> ApiError {
    ApiError::new(ErrorCode::Timeout, "The body did not arrive in time.").hint("Send the request again.")
}

/// The body is longer than the route takes.
pub(crate) fn too_large(limit: usize) -> ApiError {
    ApiError::new(ErrorCode::TooLarge, format!("This route takes at most {limit} bytes."))
}

/// The connection broke, or the body's framing is wrong.
pub(crate) fn body_broken() -> ApiError {
    ApiError::malformed("The body could not be read to its end.")
}

/// What a body's length is said to be, if it is said.
fn declared_length(headers: &HeaderMap, limit: usize) -> Result<Option<usize>, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match declared.and_then(|text| text.parse::<u64>().ok()).map(usize::try_from) {
        None => Ok(None),
        Some(Ok(length)) if length <= limit => Ok(Some(length)),
        Some(_) => Err(too_large(limit)),
    }
}

/// Reads a body of at most `limit` bytes that arrives within `patience`.
pub(crate) async fn read_body(
    request: Request,
    declared: Option<usize>,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, ApiError> {
    tokio::time::timeout(patience, read(request, declared.unwrap_or(0), limit))
        .await
        .map_err(|_| too_slow())?
}

async fn read(request: Request, declared: usize, limit: usize) -> Result<Bytes, ApiError> {
    let mut stream = request.into_body().into_data_stream();
    // At once, so that a growing buffer is never copied beside itself. Untouched, it takes no memory.
    let mut body = BytesMut::with_capacity(declared);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|_| body_broken())?;
        if body.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// Values from the path. What can't be an id names nothing: 404.
pub(crate) struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| ApiError::not_found())
    }
}

/// Values from the query.
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|_| ApiError::malformed("The query string is not what this route takes."))
    }
}

/// Size of a page: what the client asked for, within [`MAX_PAGE`].
pub(crate) fn page_size(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(DEFAULT_PAGE) {
        size @ 1..=MAX_PAGE => Ok(size),
        _ => Err(ApiError::malformed(format!("limit must be 1 to {MAX_PAGE}."))),
    }
}
