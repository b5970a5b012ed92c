//! The interface describes itself: as a document for programs, and as a page for people.

mod html;
mod operation;
mod page;
mod schema;

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sealpost_api::openapi;

/// Both are made once: they depend on nothing but the program.
static OPENAPI: LazyLock<String> = LazyLock::new(openapi::to_json);
static PAGE: LazyLock<String> = LazyLock::new(|| page::render(&openapi::document()));
static POLICY: LazyLock<String> = LazyLock::new(page::policy);

/// `GET /openapi.json`.
pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI.as_str()).into_response()
}

/// `GET /docs`: one page without script, that loads nothing.
pub(super) async fn page() -> Response {
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str()).into_response();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
