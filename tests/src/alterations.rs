//! Every way in which one thing in a JSON document can be altered, as the document's text: a character of each string, each
//! number, each member left out, each list in another order, longer, shorter. Text that is base64 of JSON (the payload of a
//! record, the context of a share) is altered inside too. Members keep their order, so that an alteration is the only
//! difference.

use sealpost_crypto::encoding::{from_base64, to_base64};

/// A document with its members in order.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(String),
    /// Base64 of a document.
    Inside(Box<Node>),
    Number(u64),
    Other(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// An altered document.
pub struct Alteration {
    /// What was altered, and how.
    pub name: String,
    /// The document.
    pub text: String,
}

/// Every alteration of `document`, which has no white space and no escapes.
pub fn alterations(document: &str) -> Vec<Alteration> {
    let mut rest = document;
    let root = read(&mut rest);
    assert_eq!((rest, &write(&root)), ("", &document.to_owned()), "not the one encoding");
    let mut all = Vec::new();
    let whole = |name, node| Alteration { name, text: write(&node) };
    alter(&root, "", &whole, &mut all);
    all
}

type Rebuild<'a> = &'a dyn Fn(String, Node) -> Alteration;

/// Alters `node`, which stands at `path`; `rebuild` makes the whole document around it.
fn alter(node: &Node, path: &str, rebuild: Rebuild<'_>, all: &mut Vec<Alteration>) {
    let mut push = |how: &str, node: Node| all.push(rebuild(format!("{path}: {how}"), node));
    match node {
        Node::Text(text) => text_alterations(text).into_iter().for_each(|(how, node)| push(how, node)),
        Node::Inside(inner) => {
            let outer = Node::Text(to_base64(write(inner).as_bytes()));
            let Node::Text(text) = &outer else { unreachable!() };
            text_alterations(text).into_iter().for_each(|(how, node)| push(how, node));
            let inside = |name: String, node| rebuild(name, Node::Inside(Box::new(node)));
            alter(inner, &format!("{path}>"), &inside, all);
        }
        Node::Number(number) => {
            push("one more", Node::Number(number + 1));
            push("another type", Node::Text(number.to_string()));
        }
        Node::Other(_) => push("another type", Node::Number(0)),
        Node::List(items) => {
            list_alterations(items).into_iter().for_each(|(how, items)| push(how, Node::List(items)));
            for (at, item) in items.iter().enumerate() {
                let inside = |name, node| {
                    let mut items = items.clone();
                    items[at] = node;
                    rebuild(name, Node::List(items))
                };
                alter(item, &format!("{path}[{at}]"), &inside, all);
            }
        }
        Node::Object(members) => {
            for at in 0..members.len() {
                let mut shorter = members.clone();
                let (name, _) = shorter.remove(at);
                push(&format!("without {name}"), Node::Object(shorter));
            }
            let mut longer = members.clone();
            longer.push(("unknown".to_owned(), Node::Number(0)));
            push("one member more", Node::Object(longer));
            let mut turned = members.clone();
            turned.reverse();
            push("members in another order", Node::Object(turned));
            for (at, (name, member)) in members.iter().enumerate() {
                let inside = |what, node| {
                    let mut members = members.clone();
                    members[at].1 = node;
                    rebuild(what, Node::Object(members))
                };
                alter(member, &format!("{path}.{name}"), &inside, all);
            }
        }
    }
}

/// A character at the beginning, in the middle and at the end; longer, shorter, empty, another type.
fn text_alterations(text: &str) -> Vec<(&'static str, Node)> {
    let mut all =
        vec![("one character more", Node::Text(format!("{text}A"))), ("another type", Node::Number(0))];
    if let Some(last) = text.len().checked_sub(1) {
        for (how, at) in
            [("first character", 0), ("middle character", text.len() / 2), ("last character", last)]
        {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' || bytes[at] == b'0' { b'1' } else { b'0' };
            all.push((how, Node::Text(String::from_utf8(bytes).expect("ASCII"))));
        }
        all.push(("one character less", Node::Text(text[..last].to_owned())));
        all.push(("empty", Node::Text(String::new())));
    }
    all
}

fn list_alterations(items: &[Node]) -> Vec<(&'static str, Vec<Node>)> {
    let Some(last) = items.last() else { return vec![("one item", vec![Node::Number(0)])] };
    let mut all = vec![("the last twice", [items, std::slice::from_ref(last)].concat())];
    all.push(("the first twice", [&items[..1], items].concat()));
    all.push(("an item of another kind", [items, &[Node::Number(0)]].concat()));
    all.push(("without the last", items[..items.len() - 1].to_vec()));
    if items.len() > 1 {
        let mut turned = items.to_vec();
        turned.reverse();
        all.push(("in another order", turned));
        all.push(("without the first", items[1..].to_vec()));
    }
    all
}

fn write(node: &Node) -> String {
    match node {
        Node::Text(text) => format!("\"{text}\""),
        Node::Inside(inner) => format!("\"{}\"", to_base64(write(inner).as_bytes())),
        Node::Number(number) => number.to_string(),
        Node::Other(text) => text.clone(),
        Node::List(items) => format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(",")),
        Node::Object(members) => {
            let members = members.iter().map(|(name, node)| format!("\"{name}\":{}", write(node)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
    }
}

fn read(rest: &mut &str) -> Node {
    match rest.as_bytes()[0] {
        b'{' => {
            let members = list(rest, '}', |rest| {
                let name = text(rest);
                *rest = rest.strip_prefix(':').expect("a colon");
                (name, read(rest))
            });
            Node::Object(members)
        }
        b'[' => Node::List(list(rest, ']', read)),
        b'"' => {
            let text = text(rest);
            match from_base64(&text).and_then(|bytes| String::from_utf8(bytes).ok()) {
                Some(inner) if inner.starts_with('{') => Node::Inside(Box::new(read(&mut inner.as_str()))),
                _ => Node::Text(text),
            }
        }
        _ => {
            let end = rest.find([',', '}', ']']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            word.parse().map_or_else(|_| Node::Other(word.to_owned()), Node::Number)
        }
    }
}

fn list<T>(rest: &mut &str, end: char, item: impl Fn(&mut &str) -> T) -> Vec<T> {
    *rest = &rest[1..];
    let mut items = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(end) {
            *rest = after;
            return items;
        }
        *rest = rest.strip_prefix(',').unwrap_or(rest);
        items.push(item(rest));
    }
}

fn text(rest: &mut &str) -> String {
    let (text, after) = rest[1..].split_once('"').expect("the text's end");
    *rest = after;
    text.to_owned()
}
