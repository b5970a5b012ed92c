//! The REST interface as an OpenAPI 3.1 document, made from this crate: routes and who may call them from the route
//! table, messages from their types, errors from their list, limits from theirs. What none of them says (which message
//! belongs to which route, which errors are its own, what a repeated request does) stands in `service`, `people` and
//! `files`, one entry a route; a test fails for a route without one.
//!
//! Source: OpenAPI Specification 3.1.1, <https://spec.openapis.org/oas/v3.1.1.html>; its schemas are JSON Schema 2020-12.

mod example;
mod files;
mod header;
mod operation;
mod people;
mod render;
mod schemas;
mod service;
mod text;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use self::{header::ResponseHeader, operation::Group};
use crate::{
    INVITE_SCHEME, limits,
    problem::{ErrorCode, Problem},
};

pub use text::grouped;

/// What holds for every route.
const ABOUT: &str = include_str!("openapi/about.md");

/// Every entry, in the order in which a reader needs them.
fn groups() -> Vec<Group> {
    vec![
        service::service(),
        service::founding(),
        people::sessions(),
        people::account(),
        people::log(),
        people::invites(),
        files::uploads(),
        files::files(),
        files::shares(),
    ]
}

/// The document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let groups = groups();
    let mut paths = paths(&groups, &mut generator);
    let mut components = components(&groups, &mut generator);
    schemas::tidy(&mut paths);
    schemas::tidy(&mut components);
    let schemas = components["schemas"].as_object().cloned().unwrap_or_default();
    give_examples(&mut paths, &schemas);
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Sealpost",
            "summary": "Zero-knowledge file delivery: the server stores what it cannot read.",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "tags": groups.iter().map(tag).collect::<Vec<_>>(),
        "paths": paths,
        "components": components,
        "x-limits": limits::ALL.iter().map(|limit| json!({
            "name": limit.name.to_lowercase(), "value": limit.value, "description": text::plain(limit.meaning),
        })).collect::<Vec<_>>(),
    })
}

/// The document as it is served and as it stands in `docs/openapi.json`.
pub fn to_json() -> String {
    format!("{:#}\n", document())
}

/// A heading, with the order of what stands under it.
fn tag(group: &Group) -> Value {
    let order: Vec<_> = group.operations.iter().map(|entry| render::id(&entry.route)).collect();
    json!({ "name": group.name, "description": group.about, "x-operations": order })
}

fn paths(groups: &[Group], generator: &mut SchemaGenerator) -> Value {
    let mut paths = Map::new();
    for (group, operation) in
        groups.iter().flat_map(|group| group.operations.iter().map(move |one| (group, one)))
    {
        let path = paths.entry(operation.route.path).or_insert_with(|| json!({}));
        path[operation.route.method.to_lowercase()] = render::operation(operation, group.name, generator);
    }
    paths.into()
}

fn components(groups: &[Group], generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<Problem>();
    let failures = groups.iter().flat_map(|group| &group.operations).flat_map(|entry| entry.codes());
    let failures: Map<_, _> = failures
        .map(|(status, codes)| (render::failure_name(&codes), render::failure(status, &codes)))
        .collect();
    let headers: Map<_, _> = ResponseHeader::ALL
        .iter()
        .map(|header| (header.name().to_owned(), header.render(generator)))
        .collect();
    let examples: Map<_, _> =
        ErrorCode::ALL.iter().map(|code| (code.as_str().to_owned(), problem_example(code))).collect();
    json!({
        "schemas": generator.take_definitions(true),
        "responses": failures,
        "headers": headers,
        "examples": examples,
        "parameters": { "api_version": header::api_version() },
        "securitySchemes": {
            "session": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The access token of a session: `Authorization: Bearer …`.",
            },
            "invite": {
                "type": "http",
                "scheme": INVITE_SCHEME,
                "description": format!("The token of an invite, for people without an account: `Authorization: {INVITE_SCHEME} …`."),
            },
        },
    })
}

fn problem_example(code: &ErrorCode) -> Value {
    json!({ "summary": code.title(), "value": Problem::example(code) })
}

/// Adds an example to each message of the routes.
fn give_examples(paths: &mut Value, schemas: &Map<String, Value>) {
    match paths {
        Value::Array(items) => items.iter_mut().for_each(|item| give_examples(item, schemas)),
        Value::Object(members) => {
            if let Some(json) =
                members.get_mut("application/json").filter(|json| json["schema"].get("$ref").is_some())
            {
                json["example"] = example::of(&json["schema"], schemas);
            }
            members.values_mut().for_each(|member| give_examples(member, schemas));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes;

    #[test]
    fn every_route_has_one_entry() {
        let groups = groups();
        for route in routes::ALL {
            let entries =
                groups.iter().flat_map(|group| &group.operations).filter(|entry| entry.route == *route);
            let (name, count) = (route.name, entries.count());
            assert!(
                count == 1,
                "routes::{name} has {count} entries in the OpenAPI document: write one, `Operation::of(routes::{name})` \
                 with its messages, answers and errors, in the group of api/src/openapi/{{service,people,files}}.rs where \
                 it belongs; then `cargo xtask docs`"
            );
        }
    }

    #[test]
    fn every_entry_says_what_a_client_must_know() {
        for entry in groups().iter().flat_map(|group| &group.operations) {
            let name = entry.route.name;
            let writes = entry.route.method != "GET";
            assert!(!entry.answers.is_empty(), "{name}: say what it gives, with `.gives…`");
            assert_eq!(
                entry.again.is_some(),
                writes,
                "{name}: say what a repeated write does, with `.again`"
            );
            let placeholders = entry.route.path.matches('{').count();
            let known = render::placeholders(&entry.route, &mut SchemaGenerator::default()).len();
            assert_eq!(
                known, placeholders,
                "{name}: a placeholder is missing in `placeholder` of api/src/openapi/header.rs"
            );
        }
    }

    #[test]
    fn it_is_readable_without_the_source() {
        let text = to_json();
        for link in ["[`", "`]", "crate::"] {
            let around = text.find(link).map(|at| &text[at.saturating_sub(100)..(at + 100).min(text.len())]);
            assert_eq!(
                around, None,
                "a link of the source is left; what it names is missing in openapi/text.rs"
            );
        }
    }

    #[test]
    fn the_committed_document_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == to_json(), "docs/openapi.json is not current: run `cargo xtask docs`");
    }
}
