//! Entries as Operation Objects (OpenAPI 3.1 §4.8.10).

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{
    header::{ResponseHeader, placeholder},
    operation::{Answer, Body, Content, Operation},
    text::grouped,
};
use crate::{
    problem::{ErrorCode, PROBLEM_JSON},
    routes::{Access, Object, Route},
};

/// The whole entry, without examples of messages: those need all schemas.
pub(super) fn operation(operation: &Operation, tag: &str, generator: &mut SchemaGenerator) -> Value {
    let mut rendered = json!({
        "operationId": id(&operation.route),
        "summary": operation.route.summary,
        "description": description(operation),
        "tags": [tag],
        "security": security(operation.route.access),
        "parameters": parameters(operation, generator),
        "responses": responses(operation, generator),
    });
    if let Some(taken) = operation.body {
        rendered["requestBody"] = body(taken, generator);
    }
    if !operation.items_fail.is_empty() {
        rendered["x-item-codes"] = json!(names(operation.items_fail));
    }
    rendered
}

/// Operation ids are the names of the route table.
pub(super) fn id(route: &Route) -> String {
    route.name.to_lowercase()
}

fn description(operation: &Operation) -> String {
    let mut paragraphs = vec![operation.about.to_owned(), format!("**Who:** {}", who(operation))];
    if let Some(again) = operation.again {
        paragraphs.push(format!("**Sent again:** {again}"));
    }
    if !operation.items_fail.is_empty() {
        let codes: Vec<_> = operation.items_fail.iter().map(|code| format!("`{}`", code.as_str())).collect();
        paragraphs.push(format!("**Single items** may fail with {}.", codes.join(", ")));
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

fn who(operation: &Operation) -> String {
    let caller = match operation.route.access {
        Access::Anyone => "anybody",
        Access::SetupToken => "whoever holds the server's setup token, which stands in the body",
        Access::Invitee => "whoever holds the invite's token",
        Access::InviteeOrSession => {
            "any session, also of a pending account, and whoever holds an invite's token"
        }
        Access::Session => "any session, also of a pending account",
        Access::Member => "a session of an active account of either role",
        Access::Ops => "a session of an active Ops member",
    };
    let object = match operation.route.object {
        Object::None => "",
        Object::OwnFile => "; the file is their own. Everybody else gets `not_found`",
        Object::ReadableFile => {
            "; the file is their own or shared with them. Everybody else gets `not_found`"
        }
        Object::Invite => "; with another invite's token it is `invite_unknown`",
        Object::LeftFile => {
            "; the file is a former member's. A colleague's gets `not_found`, their own `owner_active`"
        }
        Object::Person => "; about themselves and that person",
    };
    format!("{caller}{object}.")
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone | Access::SetupToken => json!([]),
        Access::Invitee => json!([{ "invite": [] }]),
        Access::InviteeOrSession => json!([{ "session": [] }, { "invite": [] }]),
        Access::Session | Access::Member | Access::Ops => json!([{ "session": [] }]),
    }
}

fn parameters(operation: &Operation, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = placeholders(&operation.route, generator);
    if let Some(query) = operation.query {
        let schema = query(generator).to_value();
        let required =
            |name: &String| schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let mut member = member.clone();
            let about = member.as_object_mut().and_then(|member| member.remove("description"));
            let (place, needed) = ("query", required(name));
            parameters
                .push(json!({ "name": name, "in": place, "required": needed, "description": about, "schema": member }));
        }
    }
    parameters.extend(operation.headers.iter().map(|header| header.render(generator)));
    if !operation.route.answers_any_version() {
        parameters.push(json!({ "$ref": "#/components/parameters/api_version" }));
    }
    parameters
}

/// The parameters of a route's path, as far as their schemas are known.
pub(super) fn placeholders(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let names = route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.filter_map(|name| placeholder(name, generator)).collect()
}

fn body(body: Body, generator: &mut SchemaGenerator) -> Value {
    let limit = format!("At most {} bytes.", grouped(body.limit as u64));
    json!({ "required": true, "description": limit, "content": content(body.content, generator) })
}

fn content(content: Content, generator: &mut SchemaGenerator) -> Value {
    match content {
        Content::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
        Content::Other("application/json") => {
            json!({ "application/json": { "schema": { "type": "object" } } })
        }
        Content::Other(media_type) if media_type.starts_with("text/") => {
            json!({ media_type: { "schema": { "type": "string" } } })
        }
        // Bytes as they are have no schema (OpenAPI 3.1 §4.8.14.3).
        Content::Other(media_type) => json!({ media_type: {} }),
    }
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let successes =
        operation.answers.iter().map(|answer| (answer.status.to_string(), success(answer, generator)));
    let mut responses: Map<_, _> = successes.collect();
    let failures = operation.codes().into_iter();
    responses.extend(failures.map(|(status, codes)| {
        (status.to_string(), json!({ "$ref": format!("#/components/responses/{}", failure_name(&codes)) }))
    }));
    responses
}

fn success(answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let mut response = json!({
        "description": answer.when,
        "headers": headers([ResponseHeader::RequestId].iter().chain(answer.headers)),
    });
    if let Some(given) = answer.content {
        response["content"] = content(given, generator);
    }
    response
}

/// Where [`failure`] stands among the components: routes that fail alike share it.
pub(super) fn failure_name(codes: &[ErrorCode]) -> String {
    names(codes).join(".")
}

/// All errors of one status. They differ in `code`.
pub(super) fn failure(status: u16, codes: &[ErrorCode]) -> Value {
    let meanings: Vec<_> = codes
        .iter()
        .map(|code| format!("- `{}`: {}", code.as_str(), super::text::plain(code.meaning())))
        .collect();
    let further: &[ResponseHeader] = match status {
        401 => &[ResponseHeader::WwwAuthenticate],
        416 => &[ResponseHeader::ContentRange],
        429 | 503 => &[ResponseHeader::RetryAfter],
        _ => &[],
    };
    let names = names(codes);
    let examples: Map<_, _> = names
        .iter()
        .map(|code| ((*code).to_owned(), json!({ "$ref": format!("#/components/examples/{code}") })))
        .collect();
    json!({
        "description": meanings.join("\n"),
        "headers": headers([ResponseHeader::RequestId].iter().chain(further)),
        "content": { PROBLEM_JSON: {
            "schema": {
                "$ref": "#/components/schemas/Problem",
                "properties": { "status": { "const": status }, "code": { "enum": names } },
            },
            "examples": examples,
        } },
    })
}

fn names(codes: &[ErrorCode]) -> Vec<&str> {
    codes.iter().map(ErrorCode::as_str).collect()
}

fn headers<'a>(headers: impl Iterator<Item = &'a ResponseHeader>) -> Map<String, Value> {
    let reference = |name: &str| json!({ "$ref": format!("#/components/headers/{name}") });
    headers.map(|header| (header.name().to_owned(), reference(header.name()))).collect()
}
