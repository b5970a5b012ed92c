//! What the derived schemas leave to be desired.

use serde_json::Value;

use super::text::plain;

/// Makes the comments of the source readable without it, and optional members absent instead of `null`, as they are
/// sent.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = plain_unless_list(text);
            }
            let required = members.get("required").cloned().unwrap_or_default();
            let needed =
                |name: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                properties
                    .iter_mut()
                    .filter(|(name, _)| !needed(name))
                    .for_each(|(_, schema)| without_null(schema));
            }
            if members.contains_key("in") && members.get("required") == Some(&Value::Bool(false)) {
                members.get_mut("schema").into_iter().for_each(without_null);
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// Lists that were made here keep their lines.
fn plain_unless_list(text: &str) -> String {
    if text.starts_with("- ") || text.contains("**") { text.to_owned() } else { plain(text) }
}

fn without_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(Value::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            let one = one.clone();
            members.insert("type".to_owned(), one);
        }
    }
    let real = members
        .get("anyOf")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter(|one| one["type"] != "null").cloned().collect::<Vec<_>>());
    if let Some([Value::Object(real)]) = real.as_deref() {
        members.remove("anyOf");
        for (name, value) in real {
            members.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}
