//! What an honest client may ask.

use axum::http::{HeaderMap, header};
use sealpost_api::routes;
use serde_json::Value;

use super::{DOCUMENT, resolve, validate};

/// A request of a client that sends nothing else than what the document describes, whatever it is answered.
pub struct Asked<'a> {
    /// Method.
    pub method: &'a str,
    /// Path with its query.
    pub target: &'a str,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Body; `None` for none, and for one that is no JSON.
    pub body: Option<&'a [u8]>,
}

impl Asked<'_> {
    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Holds the request to the document: a route of it, with no other parameters and the body that it describes.
    ///
    /// # Errors
    /// What is wrong, for whoever reads the failed test.
    pub fn check(&self) -> Result<(), String> {
        self.check_route().map_err(|what| format!("{} {} was asked: {what}", self.method, self.target))
    }

    fn check_route(&self) -> Result<(), String> {
        let method = if self.method == "HEAD" { "GET" } else { self.method };
        let route = routes::find(method, self.path()).ok_or("no such route")?;
        let operation = &DOCUMENT["paths"][route.path][route.method.to_lowercase()];
        self.check_query(operation)?;
        self.check_body(operation)
    }

    fn check_query(&self, operation: &Value) -> Result<(), String> {
        let query = self.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let known = |name: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolve);
            parameters.into_iter().any(|one| one["in"] == "query" && one["name"] == name)
        };
        let names = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next());
        match names.flatten().find(|name| !known(name)) {
            Some(name) => Err(format!("there is no parameter {name:?}")),
            None => Ok(()),
        }
    }

    fn check_body(&self, operation: &Value) -> Result<(), String> {
        let given = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Some(listed) = operation["requestBody"]["content"].as_object() else {
            return if given.is_none() { Ok(()) } else { Err("it takes no body".to_owned()) };
        };
        let given = given.unwrap_or_default();
        let media = listed.get(given).ok_or_else(|| format!("the media type {given:?} is not listed"))?;
        let Some(body) = self.body.filter(|_| given.ends_with("json")) else { return Ok(()) };
        let body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        validate(&media["schema"], &body)
    }
}
