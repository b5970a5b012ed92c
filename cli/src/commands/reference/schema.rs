//! docs/cli.schema.json: what each command prints with `--json`, and its failures, as JSON Schema 2020-12.

use clap::CommandFactory;
use serde_json::{Map, Value, json};

use super::outputs::{self, Printed, schema_of};
use crate::{args::Cli, hint::ErrorDocument};

/// Under this name stands what a failure adds to standard error.
const ERROR: &str = "error";

/// The whole document.
pub fn render() -> String {
    let root = Cli::command();
    let mut defs = Map::new();
    for command in root.get_subcommands() {
        let name = command.get_name();
        if let Some(printed) = outputs::printed(name) {
            defs.insert(name.to_owned(), named(name, document(printed)));
        }
    }
    defs.insert(ERROR.to_owned(), named(ERROR, schema_of::<ErrorDocument<'_>>().to_value()));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What sealpost prints with --json",
        "description": "Under $defs, by the command's name: its standard output, or with \"x-lines\" each line of it. Under \
                        \"error\": the last line of standard error, if the command failed.",
        "$defs": defs,
    });
    format!("{schema:#}\n")
}

/// As a resource of its own, so that references inside lead inside.
fn named(name: &str, mut schema: Value) -> Value {
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.insert("$id".into(), format!("sealpost:{name}").into());
    }
    schema
}

fn document(printed: Printed) -> Value {
    match printed {
        Printed::Document(schema) => schema.to_value(),
        Printed::Rows(schema) => {
            let mut schema = schema.to_value();
            schema["x-lines"] = true.into();
            schema
        }
        Printed::Either(one, _, other) => {
            let (mut one, mut other) = (one.to_value(), other.to_value());
            let defs = defs([&mut one, &mut other]);
            json!({ "anyOf": [one, other], "$defs": defs })
        }
        Printed::List(field, entry, rejected) => {
            let (mut entry, mut rejected) = (entry.to_value(), rejected.to_value());
            let defs = defs([&mut entry, &mut rejected]);
            json!({
                "type": "object",
                "properties": {
                    field: { "type": "array", "items": entry },
                    "rejected": { "type": "array", "items": rejected },
                },
                "required": [field, "rejected"],
                "$defs": defs,
            })
        }
    }
}

/// Takes the definitions out of schemas that are to stand in another one.
fn defs(schemas: [&mut Value; 2]) -> Map<String, Value> {
    let mut all = Map::new();
    for members in schemas.into_iter().filter_map(Value::as_object_mut) {
        members.remove("$schema");
        if let Some(Value::Object(defs)) = members.remove("$defs") {
            all.extend(defs);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == render(), "docs/cli.schema.json is not current: run `cargo xtask docs`");
    }
}
