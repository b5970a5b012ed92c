//! Schemas as tables, and types in words.

use serde_json::Value;

use super::html::{escape, inline};

/// What a schema of the components says: its members, its values, or its form.
pub(super) fn definition(name: &str, schema: &Value) -> String {
    let about = schema["description"].as_str().map(inline).unwrap_or_default();
    let mut section = format!("<section id=\"schema-{0}\"><h3>{0}</h3><p>{about}</p>", escape(name));
    if schema["properties"].is_object() {
        section += &members(schema);
    } else if schema["oneOf"].is_array() {
        section += &values(schema);
    } else {
        section += &format!("<p class=\"kind\">{}</p>", kind(schema));
    }
    section + "</section>"
}

fn members(schema: &Value) -> String {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let row = |name: &str, member: &Value| {
        let optional = if required(name) { "" } else { " <span class=\"optional\">optional</span>" };
        let about = member["description"].as_str().map(inline).unwrap_or_default();
        format!(
            "<tr><td><code>{}</code>{optional}</td><td>{}</td><td>{about}</td></tr>",
            escape(name),
            kind(member)
        )
    };
    // As they are declared: those that are required first.
    let order = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all = schema["properties"].as_object().into_iter().flatten();
    let rest = all.filter(|(name, _)| !required(name)).map(|(name, _)| name.as_str());
    let rows: String = order.chain(rest).map(|name| row(name, &schema["properties"][name])).collect();
    format!("<div class=\"wide\"><table>{rows}</table></div>")
}

fn values(schema: &Value) -> String {
    let row = |value: &Value| {
        let about = value["description"].as_str().map(inline).unwrap_or_default();
        format!(
            "<tr><td><code>{}</code></td><td>{about}</td></tr>",
            escape(value["const"].as_str().unwrap_or_default())
        )
    };
    let rows: String = schema["oneOf"].as_array().into_iter().flatten().map(row).collect();
    format!("<div class=\"wide\"><table>{rows}</table></div>")
}

/// A type in words, with links to those that have a name.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    match schema["type"].as_str() {
        Some("array") => {
            format!("list of {}{}", kind(&schema["items"]), bounds(schema, "minItems", "maxItems"))
        }
        Some("integer") => format!("integer{}", bounds(schema, "minimum", "maximum")),
        Some("string") => string(schema),
        Some("boolean") => "true or false".to_owned(),
        Some(other) => escape(other),
        None => "any".to_owned(),
    }
}

/// The component that a schema refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|path| path.rsplit('/').next())
}

fn string(schema: &Value) -> String {
    let length = bounds(schema, "minLength", "maxLength");
    if schema["contentEncoding"] == "base64url" {
        return format!("base64url{length}");
    }
    match (schema["const"].as_str(), schema["pattern"].as_str()) {
        (Some(only), _) => format!("<code>{}</code>", escape(only)),
        (None, Some(pattern)) => format!("text <code>{}</code>", escape(pattern)),
        (None, None) => format!("text{length}"),
    }
}

/// `, 1 to 9`, as far as there are bounds; 0 below is none.
fn bounds(schema: &Value, least: &str, most: &str) -> String {
    let least = schema[least].as_u64().filter(|bound| *bound > 0);
    match (least, schema[most].as_u64()) {
        (Some(least), Some(most)) if least == most => format!(", {most}"),
        (least, Some(most)) => format!(", {} to {most}", least.unwrap_or_default()),
        (Some(least), None) => format!(", from {least}"),
        (None, None) => String::new(),
    }
}
