//! An example for every schema: what the schema gives as one, else the simplest value that it takes.

use serde_json::{Map, Value};

/// Characters of examples of bytes; any do.
const BYTES: &str = "uEkT9vK2Xc7fQ1mWzRb4LpYs8NdHg3jAo6iGtVe5DwZlMxCrOyBnSaFhUqJkIP0_";
/// Length of examples of bytes that have none of their own, characters.
const SHORT: usize = 32;

/// A value that `schema` takes; `schemas` has what it refers to.
pub(super) fn of(schema: &Value, schemas: &Map<String, Value>) -> Value {
    if let Some(given) = schema.pointer("/examples/0").or_else(|| schema.get("const")) {
        return given.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return schemas.get(name).map(|schema| of(schema, schemas)).unwrap_or_default();
    }
    if let Some(first) = ["enum", "oneOf", "anyOf"].iter().find_map(|list| schema[*list].get(0)) {
        return if schema.get("enum").is_some() { first.clone() } else { of(first, schemas) };
    }
    match schema["type"].as_str() {
        Some("object") => object(schema, schemas),
        Some("array") => Value::Array(vec![of(&schema["items"], schemas)]),
        Some("integer") => schema["minimum"].as_u64().unwrap_or_default().max(1).into(),
        Some("boolean") => false.into(),
        Some("string") => text(schema).into(),
        _ => Value::Null,
    }
}

fn object(schema: &Value, schemas: &Map<String, Value>) -> Value {
    let members = schema["properties"].as_object().into_iter().flatten();
    members.map(|(name, schema)| (name.clone(), of(schema, schemas))).collect::<Map<_, _>>().into()
}

fn text(schema: &Value) -> String {
    if schema.get("contentEncoding").is_none() {
        return "text".to_owned();
    }
    let length = schema["minLength"].as_u64().map_or(SHORT, |length| length as usize);
    // The last character may hold bits that no byte has: A has none set.
    BYTES.chars().cycle().take(length.saturating_sub(1)).chain(['A']).collect()
}
