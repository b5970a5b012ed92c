//! The OpenAPI document: served as it is committed, valid, and strict enough that a lie is noticed.

use std::process::Command;

use axum::http::{HeaderMap, HeaderValue};
use sealpost_api::{HEADER_API, openapi, routes};
use sealpost_tests::{
    TestServer,
    contract::{Exchange, schema_of, validate, validate_shortened},
    http::send,
    on_both_databases,
};
use serde_json::{Value, json};

use crate::python::interpreter;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

on_both_databases! {
    async fn it_is_served_to_everybody_as_it_is_committed(server: TestServer) {
        let request = server.api().route(&routes::OPENAPI, &[]).header(HEADER_API, "99");
        let answer = send(request).await;
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.body, std::fs::read(COMMITTED).unwrap());
    }
}

/// By the official JSON Schema of OpenAPI 3.1, and by what that schema can't say: references lead somewhere, operation
/// ids are unique, every placeholder has its parameter.
#[test]
fn it_is_valid_openapi() {
    let mut validator = Command::new(interpreter());
    let output =
        validator.args(["-B", "-m", "openapi_spec_validator", "--schema", "3.1"]).arg(COMMITTED).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_message_has_an_example_that_fits() {
    let mut seen = 0;
    each_message(&openapi::document()["paths"], "", &mut |place, message| {
        let schema = &message["schema"];
        if schema.get("$ref").is_some() {
            validate(schema, &message["example"]).unwrap_or_else(|wrong| panic!("{place}: {wrong}"));
            seen += 1;
        }
    });
    assert!(seen > routes::ALL.len(), "only {seen} messages were found");
}

#[test]
fn every_error_has_an_example_that_fits() {
    let document = openapi::document();
    for (code, example) in document["components"]["examples"].as_object().unwrap() {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        validate(&schema, &example["value"]).unwrap_or_else(|wrong| panic!("{code}: {wrong}"));
    }
}

#[test]
fn what_is_not_listed_is_noticed() {
    let honest = json!({ "file_id": "ab".repeat(16), "version": 1, "state": "live" });
    let (ok, refused) = (200, problem("id_taken", 409));
    assert_eq!(create_file(ok, &honest, true), Ok(()));
    assert_eq!(create_file(409, &refused, true), Ok(()));

    let noticed = |status, body: &Value, request_id, expected: &str| {
        let broken = create_file(status, body, request_id).expect_err(expected);
        assert!(broken.contains(expected), "{broken}");
    };
    noticed(202, &honest, true, "does not list this status");
    noticed(ok, &honest, false, "header sealpost-request is missing");
    noticed(ok, &changed(&honest, "state", json!("gone")), true, "/state");
    noticed(ok, &changed(&honest, "file_id", json!("AB".repeat(16))), true, "/file_id");
    noticed(ok, &changed(&honest, "version", json!(0)), true, "/version");
    noticed(ok, &changed(&honest, "more", json!(1)), true, "'more'");
    noticed(ok, &json!({}), true, "required");
    noticed(409, &problem("pair_conflict", 409), true, "/code");
    noticed(409, &problem("id_taken", 410), true, "/status");
}

/// In docs/api.md, a comment above each JSON block says what it is: `<!-- POST /files -->` a request,
/// `<!-- POST /files 201 -->` an answer.
#[test]
fn the_examples_of_the_guide_are_what_the_document_says() {
    const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let blocks: Vec<_> = guide.split("```json\n").collect();
    for pair in blocks.windows(2) {
        let label = pair[0].trim_end().rsplit('\n').next().unwrap();
        let label = label.strip_prefix("<!-- ").and_then(|label| label.strip_suffix(" -->"));
        let label = label.unwrap_or_else(|| panic!("what is this? {}", &pair[1][..200]));
        let json = pair[1].split("```").next().unwrap();
        let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{label}: {error}"));
        let words: Vec<_> = label.split(' ').collect();
        let route = routes::ALL.iter().find(|route| (route.method, route.path) == (words[0], words[1]));
        let route = route.unwrap_or_else(|| panic!("{label}: no such route"));
        let schema = schema_of(route, words.get(2).map(|status| status.parse().unwrap()));
        validate_shortened(&schema.unwrap(), &value).unwrap_or_else(|wrong| panic!("{label}: {wrong}"));
    }
    assert!(blocks.len() > 20, "the guide has only {} examples", blocks.len() - 1);
}

/// Checks an answer to `POST /files` that no server gave.
fn create_file(status: u16, body: &Value, request_id: bool) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    let media_type = if status < 400 { "application/json" } else { "application/problem+json" };
    headers.insert("content-type", HeaderValue::from_static(media_type));
    if request_id {
        headers.insert("sealpost-request", HeaderValue::from_static("abc"));
    }
    let (sent, body) = (json!({ "file_id": "ab".repeat(16), "version": 1 }).to_string(), body.to_string());
    let exchange = Exchange {
        method: "POST",
        path: "/files",
        sent: Some(sent.as_bytes()),
        status,
        headers: &headers,
        body: Some(body.as_bytes()),
    };
    exchange.check()
}

fn changed(value: &Value, member: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[member] = to;
    value
}

fn problem(code: &str, status: u16) -> Value {
    json!({ "type": format!("urn:sealpost:problem:{code}"), "title": "text", "status": status, "code": code })
}

fn each_message(value: &Value, place: &str, found: &mut impl FnMut(&str, &Value)) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{name}");
        if name == "application/json" {
            found(&place, member);
        }
        each_message(member, &place, found);
    }
}
