//! One route on the page.

use serde_json::Value;

use super::{
    html::{blocks, escape, inline},
    page::resolve,
    schema::kind,
};

/// Everything that the document says of an operation.
pub(super) fn section(document: &Value, method: &str, path: &str, operation: &Value) -> String {
    let (id, summary) = (text(operation, "operationId"), text(operation, "summary"));
    format!(
        "<section class=\"operation\" id=\"{id}\"><h3><span class=\"method {method}\">{}</span> <code>{}</code></h3>\
         <p class=\"summary\">{}</p>{}{}{}{}</section>",
        method.to_uppercase(),
        escape(path),
        inline(summary),
        blocks(text(operation, "description")),
        parameters(document, operation),
        body(operation),
        responses(document, operation),
    )
}

/// A member's text; empty when it has none.
pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn parameters(document: &Value, operation: &Value) -> String {
    let all = operation["parameters"].as_array().into_iter().flatten();
    // What every route takes is said once, above.
    let own = all.filter(|parameter| parameter.get("$ref").is_none()).map(|one| resolve(document, one));
    let row = |parameter: &Value| {
        let optional =
            if parameter["required"] == true { "" } else { " <span class=\"optional\">optional</span>" };
        format!(
            "<tr><td><code>{}</code>{optional}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(text(parameter, "name")),
            escape(text(parameter, "in")),
            kind(&parameter["schema"]),
            inline(text(parameter, "description")),
        )
    };
    let rows: String = own.map(row).collect();
    if rows.is_empty() {
        rows
    } else {
        format!("<h4>Parameters</h4><div class=\"wide\"><table>{rows}</table></div>")
    }
}

fn body(operation: &Value) -> String {
    let body = &operation["requestBody"];
    if body.is_null() {
        return String::new();
    }
    format!("<h4>Body</h4><p>{} {}</p>{}", content(body), inline(text(body, "description")), example(body))
}

/// The media type, and the schema that it has.
fn content(message: &Value) -> String {
    let listed = message["content"].as_object().into_iter().flatten();
    let shown = |(media_type, media): (&String, &Value)| {
        let schema = media.get("schema").filter(|schema| schema.get("$ref").is_some());
        let schema = schema.map(|schema| format!(" {}", kind(schema))).unwrap_or_default();
        format!("<code>{}</code>{schema}.", escape(media_type))
    };
    listed.map(shown).collect()
}

fn example(message: &Value) -> String {
    match message.pointer("/content/application~1json/example") {
        Some(example) => {
            let example = shortened(&format!("{example:#}"));
            format!("<details><summary>Example</summary><pre>{}</pre></details>", escape(&example))
        }
        None => String::new(),
    }
}

/// Longest line of an example, characters: nobody reads bytes.
const LINE: usize = 96;

fn shortened(json: &str) -> String {
    let line = |line: &str| {
        if line.len() <= LINE {
            return line.to_owned() + "\n";
        }
        let head: String = line.chars().take(LINE).collect();
        let comma = if line.ends_with(',') { "," } else { "" };
        format!("{head}…\"{comma}\n")
    };
    json.lines().map(line).collect()
}

fn responses(document: &Value, operation: &Value) -> String {
    let listed = operation["responses"].as_object().into_iter().flatten();
    let listed: Vec<_> = listed.map(|(status, response)| (status, resolve(document, response))).collect();
    let successes: String =
        listed.iter().filter(|(status, _)| status.starts_with('2')).map(success).collect();
    let failures: String =
        listed.iter().filter(|(status, _)| !status.starts_with('2')).map(failure).collect();
    format!(
        "<h4>Answers</h4>{successes}<details><summary>Errors</summary><div class=\"wide\"><table>{failures}</table></div></details>"
    )
}

fn success((status, response): &(&String, &Value)) -> String {
    let headers = response["headers"].as_object().into_iter().flatten();
    // Every answer has it.
    let own = headers.map(|(name, _)| name).filter(|name| *name != sealpost_api::HEADER_REQUEST_ID);
    let own: Vec<_> = own.map(|name| format!("<code>{}</code>", escape(name))).collect();
    let headers = if own.is_empty() { String::new() } else { format!(" With {}.", own.join(", ")) };
    let about = inline(text(response, "description"));
    format!("<p><strong>{status}</strong> {about} {}{headers}</p>{}", content(response), example(response))
}

/// One row for each code; the description has a line for each.
fn failure((status, response): &(&String, &Value)) -> String {
    let lines = text(response, "description").lines().filter_map(|line| line.strip_prefix("- "));
    let row = |line: &str| {
        let (code, meaning) = line.split_once(": ").unwrap_or((line, ""));
        format!("<tr><td>{status}</td><td>{}</td><td>{}</td></tr>", inline(code), inline(meaning))
    };
    lines.map(row).collect()
}
