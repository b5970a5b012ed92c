//! Errors on their way out: one type, rendered as RFC 9457 problem documents.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sealpost_api::problem::{ErrorCode, PROBLEM_JSON, Problem};
use sealpost_crypto::record::RawRecord;

use crate::{blob::BlobError, db::DbError};

/// What a handler fails with.
#[derive(Debug)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    retry_after: Option<u64>,
}

impl ApiError {
    /// A problem of `code`; `detail` says what happened this time.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(code, detail)), retry_after: None }
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem.hint = hint.into();
        self
    }

    /// Adds the record that holds the place.
    pub(crate) fn record(mut self, record: RawRecord) -> Self {
        self.problem.record = Some(record);
        self
    }

    /// Adds `Retry-After`, seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What went wrong.
    pub(crate) fn code(&self) -> &ErrorCode {
        &self.problem.code
    }

    /// For lists whose items fail one by one.
    pub(crate) fn into_problem(self) -> Problem {
        *self.problem
    }

    /// An error inside. `cause` goes to the log, never to the client; it must hold no secret.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(ErrorCode::Internal, "")
    }

    fn unavailable(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "storage unavailable");
        Self::new(ErrorCode::Unavailable, "The server's storage does not answer.").retry_after(2)
    }

    fn storage_full(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "storage full");
        Self::new(ErrorCode::StorageFull, "Nothing was stored.")
            .hint("Whoever runs the server must free or add disk space.")
    }

    /// It does not exist, or is not the caller's to see: always the same words.
    pub(crate) fn not_found() -> Self {
        Self::new(ErrorCode::NotFound, "There is no such thing here, or it is not yours to see.")
    }

    /// The request is not of the form that the route takes.
    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::MalformedRequest, detail)
    }

    /// A record fails a check; `detail` names the check.
    pub(crate) fn record_invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorCode::RecordInvalid, detail)
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::unavailable(&error),
            DbError::Full => Self::storage_full(&error),
            // Handlers look up who holds a place; one that did not expect anybody ends here.
            DbError::Conflict | DbError::Corrupt | DbError::Other(_) => Self::internal(&error),
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => Self::storage_full(&error),
            BlobError::Unavailable => Self::unavailable(&error),
            BlobError::Missing | BlobError::Failed(_) => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1 asks for it.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
