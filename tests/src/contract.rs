//! The OpenAPI document as a contract: every answer that a test sees must be one that the document lists for the route,
//! with the headers, the body and the error code that it names there. What it says is taken strictly: a member that it
//! does not name is an error too, although clients ignore those.

mod asked;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use axum::http::{HeaderMap, header};
use jsonschema::Validator;
use sealpost_api::{
    openapi,
    routes::{self, Route},
};
use serde_json::{Value, json};

pub use self::asked::Asked;
use crate::seen;

/// A request and the answer to it.
pub struct Exchange<'a> {
    /// Method.
    pub method: &'a str,
    /// Path without query.
    pub path: &'a str,
    /// The request's body.
    pub sent: Option<&'a [u8]>,
    /// Status.
    pub status: u16,
    /// The answer's headers.
    pub headers: &'a HeaderMap,
    /// The answer's body; `None` if it was not read.
    pub body: Option<&'a [u8]>,
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);
/// The document's components, in which no object has other members than it names.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut components = DOCUMENT["components"].clone();
    close(&mut components);
    components
});
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

impl Exchange<'_> {
    /// Holds the answer to the document.
    ///
    /// # Errors
    /// What is wrong, for whoever reads the failed test.
    pub fn check(&self) -> Result<(), String> {
        let method = if self.method == "HEAD" { "GET" } else { self.method };
        let checked = match routes::find(method, self.path) {
            Some(route) => self.check_route(route),
            None => self.check_unrouted(),
        };
        checked.map_err(|what| format!("{} {} → {}: {what}", self.method, self.path, self.status))
    }

    fn check_route(&self, route: &Route) -> Result<(), String> {
        let operation = &DOCUMENT["paths"][route.path][route.method.to_lowercase()];
        let listed = operation["responses"]
            .get(self.status.to_string())
            .ok_or_else(|| format!("{} does not list this status; it has {}", route.name, self.shown()))?;
        let response = resolve(listed);
        self.check_headers(response)?;
        self.check_body(response)?;
        if (200..300).contains(&self.status) {
            self.check_items(route, operation, response)?;
            self.check_sent(operation)?;
        }
        self.note(route);
        Ok(())
    }

    fn note(&self, route: &Route) {
        let problem = if self.status < 400 { None } else { self.json().ok() };
        let code = problem.as_ref().and_then(|problem| problem["code"].as_str()).unwrap_or("-");
        seen::note(route, &self.status.to_string(), code);
    }

    /// What is no route at all.
    fn check_unrouted(&self) -> Result<(), String> {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        let problem = self.json()?;
        validate(&schema, &problem)?;
        let code = problem["code"].as_str().unwrap_or_default();
        let known = [(404, "not_found"), (405, "method_not_allowed"), (400, "api_version")];
        if known.contains(&(self.status, code)) { Ok(()) } else { Err(format!("no route answers {code}")) }
    }

    fn check_headers(&self, response: &Value) -> Result<(), String> {
        for (name, definition) in response["headers"].as_object().into_iter().flatten() {
            let definition = resolve(definition);
            match self.headers.get(name).map(|value| value.to_str().map_err(|error| error.to_string())) {
                None if definition["required"] == true => {
                    return Err(format!("the header {name} is missing"));
                }
                None => {}
                Some(value) => {
                    let value = value?;
                    let typed = if definition["schema"]["type"] == "integer" {
                        serde_json::from_str(value).unwrap_or_default()
                    } else {
                        json!(value)
                    };
                    validate(&definition["schema"], &typed)
                        .map_err(|what| format!("header {name}: {what}"))?;
                }
            }
        }
        Ok(())
    }

    fn check_body(&self, response: &Value) -> Result<(), String> {
        let given = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split(';').next()).unwrap_or_default();
        let Some(listed) = response["content"].as_object() else {
            let empty = given.is_empty() && self.body.is_none_or(<[u8]>::is_empty);
            return if empty { Ok(()) } else { Err(format!("no body is listed; it has {}", self.shown())) };
        };
        let media = listed.get(given).ok_or_else(|| format!("the media type {given:?} is not listed"))?;
        if self.method == "HEAD" || !given.ends_with("json") {
            return Ok(());
        }
        validate(&media["schema"], &self.json()?)
    }

    /// Errors of single items are those that the operation lists for them.
    fn check_items(&self, route: &Route, operation: &Value, response: &Value) -> Result<(), String> {
        // What has no message type (the document itself) has no items.
        if response.pointer("/content/application~1json/schema/$ref").is_none() {
            return Ok(());
        }
        let body = self.json()?;
        let listed = operation["x-item-codes"].as_array();
        let mut codes = Vec::new();
        problems(&body, &mut codes);
        codes.iter().filter_map(Value::as_str).for_each(|code| seen::note(route, "item", code));
        match codes.iter().find(|code| !listed.is_some_and(|listed| listed.contains(code))) {
            Some(code) => Err(format!("an item fails with {code}: list it with `.items_fail`")),
            None => Ok(()),
        }
    }

    /// What a server takes is what the document says it takes.
    fn check_sent(&self, operation: &Value) -> Result<(), String> {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let (Some(sent), false) = (self.sent, schema.is_null()) else { return Ok(()) };
        let sent = serde_json::from_slice(sent).map_err(|error| format!("it took {error}"))?;
        // Items of a list are judged one by one, so the server takes a list with ill-formed ones.
        if operation.get("x-item-codes").is_some() {
            return Ok(());
        }
        validate(schema, &sent).map_err(|what| format!("it took a request that the document refuses: {what}"))
    }

    fn json(&self) -> Result<Value, String> {
        let body = self.body.unwrap_or_default();
        serde_json::from_slice(body).map_err(|error| format!("{error} in {}", self.shown()))
    }

    fn shown(&self) -> String {
        let body = self.body.unwrap_or_default();
        String::from_utf8_lossy(&body[..body.len().min(1_000)]).into_owned()
    }
}

/// Where a reference leads; anything else is itself.
fn resolve(value: &Value) -> &Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| DOCUMENT.pointer(pointer)).unwrap_or(value)
}

/// Codes of the problems inside an answer.
fn problems(value: &Value, codes: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| problems(item, codes)),
        Value::Object(members) => {
            let problem = members.get("problem").filter(|problem| problem.is_object());
            codes.extend(problem.map(|problem| problem["code"].clone()));
            members.values().for_each(|member| problems(member, codes));
        }
        _ => {}
    }
}

/// Lets no object have members that it does not name.
fn close(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.contains_key("properties") && members.get("type").is_some_and(|kind| kind == "object")
            {
                members.insert("additionalProperties".into(), false.into());
            }
        }
        _ => {}
    }
}

/// Whether `value` is what `schema`, a piece of the document, describes.
///
/// # Errors
/// Every way in which it is not.
pub fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    validate_but(schema, value, |_| false)
}

/// As [`validate`], for examples in prose: of a text with `…` in it, no form and no length is asked.
///
/// # Errors
/// As [`validate`].
pub fn validate_shortened(schema: &Value, value: &Value) -> Result<(), String> {
    validate_but(schema, value, |instance| instance.as_str().is_some_and(|text| text.contains('…')))
}

fn validate_but(schema: &Value, value: &Value, excused: fn(&Value) -> bool) -> Result<(), String> {
    let errors: Vec<_> = validator(schema)
        .iter_errors(value)
        .filter(|error| !excused(error.instance()))
        .map(|error| {
            let text: String = error.to_string().chars().take(300).collect();
            format!("{} {text}", error.instance_path())
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// The schema of a message: of a route's request (`None`), or of its answer with a status.
///
/// # Errors
/// What the document lacks.
pub fn schema_of(route: &Route, status: Option<u16>) -> Result<Value, String> {
    let operation = &DOCUMENT["paths"][route.path][route.method.to_lowercase()];
    let message = match status {
        None => &operation["requestBody"],
        Some(status) => resolve(&operation["responses"][status.to_string()]),
    };
    let json = ["application/json", "application/problem+json"]
        .iter()
        .find_map(|name| message["content"].get(*name));
    json.map(|media| media["schema"].clone())
        .ok_or_else(|| format!("{} has no such JSON message", route.name))
}

fn validator(schema: &Value) -> Arc<Validator> {
    let name = schema.to_string();
    let mut known = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = known.entry(name).or_insert_with(|| {
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": *STRICT,
        });
        Arc::new(jsonschema::validator_for(&whole).expect("a schema of the document"))
    });
    Arc::clone(validator)
}
