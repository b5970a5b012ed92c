//! The members of a JSON document, by its schema, as a table.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::Value;

/// One row for each member, nested ones as `outer.inner` and `list[].inner`.
pub fn table(schema: &Schema) -> String {
    let root = schema.as_value();
    let mut rows = BTreeMap::new();
    collect(root, root, "", &mut rows);
    let rows: String = rows
        .iter()
        .map(|(name, (kind, meaning))| format!("| `{name}` | {kind} | {} |\n", meaning.replace('|', "\\|")))
        .collect();
    format!("| member | | |\n|---|---|---|\n{rows}\n")
}

type Rows = BTreeMap<String, (String, String)>;

fn collect(root: &Value, schema: &Value, prefix: &str, rows: &mut Rows) {
    let schema = resolve(root, schema);
    for variant in variants(schema) {
        collect(root, variant, prefix, rows);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let (kind, inner) = kind(root, member);
        let suffix = if kind.starts_with("list") { "[]." } else { "." };
        if let Some(inner) = inner {
            collect(root, inner, &format!("{path}{suffix}"), rows);
        }
        rows.insert(path, (kind, meaning(root, member)));
    }
}

/// The schemas of which one holds, or all.
fn variants(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().flat_map(|name| schema[name].as_array().into_iter().flatten())
}

/// Its type in words, and the object that it is or is a list of.
fn kind<'a>(root: &'a Value, member: &'a Value) -> (String, Option<&'a Value>) {
    let member = resolve(root, member);
    if let Some(real) = variants(member).find(|variant| variant["type"] != "null") {
        let (kind, inner) = kind(root, real);
        return (format!("{kind} or null"), inner);
    }
    let (name, nullable) = match &member["type"] {
        Value::Array(names) => (names.first().and_then(Value::as_str), true),
        name => (name.as_str(), false),
    };
    let (kind, inner) = match name {
        Some("array") => {
            let (kind, inner) = kind(root, &member["items"]);
            (format!("list of {kind}"), inner)
        }
        Some("object") => ("object".to_owned(), Some(member)),
        Some("string") => ("text".to_owned(), None),
        Some("integer" | "number") => ("number".to_owned(), None),
        Some("boolean") => ("true or false".to_owned(), None),
        _ => ("any".to_owned(), None),
    };
    (if nullable { kind + " or null" } else { kind }, inner)
}

/// Its own description, else its type's.
fn meaning(root: &Value, member: &Value) -> String {
    let own = member["description"].as_str();
    own.or_else(|| resolve(root, member)["description"].as_str()).unwrap_or_default().replace('\n', " ")
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}
