//! The page as a whole.

use base64::{Engine, engine::general_purpose::STANDARD};
use sealpost_api::openapi::grouped;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    html::{blocks, escape, inline},
    operation::{section, text},
    schema::definition,
};

const STYLE: &str = include_str!("style.css");

/// `Content-Security-Policy` of the page: its own style and nothing else.
pub(super) fn policy() -> String {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// The OpenAPI document as a page.
pub(super) fn render(document: &Value) -> String {
    let info = &document["info"];
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} {version}: the REST interface</title><style>{STYLE}</style></head><body>\
         <header><h1>{title} <small>{version}</small></h1><p>{}</p>\
         <p class=\"links\"><a href=\"openapi.json\">openapi.json</a></p></header>\
         <nav aria-label=\"Contents\">{}</nav><main><section id=\"about\"><h2>What holds for every route</h2>{}</section>\
         {}{}{}</main></body></html>",
        inline(text(info, "summary")),
        contents(document),
        blocks(text(info, "description")),
        groups(document),
        limits(document),
        schemas(document),
        title = escape(text(info, "title")),
        version = escape(text(info, "version")),
    )
}

/// Where a reference leads; anything else is itself.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// The operations of a group: method, path, and what is said of it.
fn operations<'a>(
    document: &'a Value,
    group: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    let order = group["x-operations"].as_array().into_iter().flatten();
    order.filter_map(|id| all_operations(document).find(|(_, _, operation)| operation["operationId"] == *id))
}

fn all_operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

fn tags(document: &Value) -> impl Iterator<Item = &Value> {
    document["tags"].as_array().into_iter().flatten()
}

fn contents(document: &Value) -> String {
    let entry = |(method, path, operation): (&str, &str, &Value)| {
        format!(
            "<li><a href=\"#{}\"><span class=\"method {method}\">{}</span> {}</a></li>",
            escape(text(operation, "operationId")),
            method.to_uppercase(),
            escape(path)
        )
    };
    let group = |tag: &Value| {
        let entries: String = operations(document, tag).map(entry).collect();
        format!("<li><a href=\"#{}\">{}</a><ul>{entries}</ul></li>", anchor(tag), escape(text(tag, "name")))
    };
    let groups: String = tags(document).map(group).collect();
    format!(
        "<ul><li><a href=\"#about\">What holds for every route</a></li>{groups}\
         <li><a href=\"#limits\">Limits</a></li><li><a href=\"#schemas\">Messages and types</a></li></ul>"
    )
}

fn anchor(tag: &Value) -> String {
    format!("group-{}", escape(&text(tag, "name").to_lowercase().replace(' ', "-")))
}

fn groups(document: &Value) -> String {
    let group = |tag: &Value| {
        let sections: String = operations(document, tag)
            .map(|(method, path, one)| section(document, method, path, one))
            .collect();
        format!(
            "<section id=\"{}\"><h2>{}</h2>{}{sections}</section>",
            anchor(tag),
            escape(text(tag, "name")),
            blocks(text(tag, "description"))
        )
    };
    tags(document).map(group).collect()
}

fn limits(document: &Value) -> String {
    let row = |limit: &Value| {
        let value = grouped(limit["value"].as_u64().unwrap_or_default());
        format!("<tr><td class=\"number\">{value}</td><td>{}</td></tr>", inline(text(limit, "description")))
    };
    let rows: String = document["x-limits"].as_array().into_iter().flatten().map(row).collect();
    format!("<section id=\"limits\"><h2>Limits</h2><div class=\"wide\"><table>{rows}</table></div></section>")
}

fn schemas(document: &Value) -> String {
    let all = document["components"]["schemas"].as_object().into_iter().flatten();
    let definitions: String = all.map(|(name, schema)| definition(name, schema)).collect();
    format!("<section id=\"schemas\"><h2>Messages and types</h2>{definitions}</section>")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sealpost_api::{openapi, routes};

    use super::*;

    #[test]
    fn every_route_is_on_the_page_and_every_link_leads_somewhere() {
        let page = render(&openapi::document());
        for route in routes::ALL {
            assert!(page.contains(&format!("id=\"{}\"", route.name.to_lowercase())), "{route:?}");
        }
        let values = |attribute: &str| -> HashSet<String> {
            let pieces = page.split(attribute).skip(1);
            pieces.filter_map(|piece| piece.split('"').next()).map(str::to_owned).collect()
        };
        let (ids, links) = (values(" id=\""), values(" href=\"#"));
        assert!(links.len() > routes::ALL.len());
        assert_eq!(
            links.difference(&ids).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "links that lead nowhere"
        );
    }

    #[test]
    fn it_runs_no_script_and_loads_nothing() {
        let page = render(&openapi::document());
        for forbidden in [
            "<script", "<link", "<img", "<iframe", "style=", "onclick", "url(", "@import", "http://",
            "https://",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"));
    }
}
