//! Text as HTML. Everything that comes from the document goes through here.

/// `text` inside an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            other => escaped.push(other),
        }
    }
    escaped
}

/// The little Markdown that the document has: paragraphs, lists, `code`, **bold**.
pub(super) fn blocks(text: &str) -> String {
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(block).collect()
}

fn block(text: &str) -> String {
    match text.strip_prefix("- ") {
        Some(items) => {
            let items: String =
                items.split("\n- ").map(|item| format!("<li>{}</li>", inline(item))).collect();
            format!("<ul>{items}</ul>")
        }
        None => format!("<p>{}</p>", inline(text)),
    }
}

/// `code` and **bold** inside a line.
pub(super) fn inline(text: &str) -> String {
    let in_code = |(place, piece): (usize, &str)| {
        let piece = escape(piece);
        if place % 2 == 1 { format!("<code>{piece}</code>") } else { bold(&piece) }
    };
    text.split('`').enumerate().map(in_code).collect()
}

fn bold(text: &str) -> String {
    let piece = |(place, piece): (usize, &str)| match place % 2 {
        1 => format!("<strong>{piece}</strong>"),
        _ => piece.to_owned(),
    };
    text.split("**").enumerate().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            inline("a < b & `\"<script>\"`"),
            "a &lt; b &amp; <code>&quot;&lt;script&gt;&quot;</code>"
        );
    }

    #[test]
    fn paragraphs_and_lists_are_told_apart() {
        let text = "**Who:** `x`\nand y.\n\n- one\n- two";
        let expected = "<p><strong>Who:</strong> <code>x</code>\nand y.</p><ul><li>one</li><li>two</li></ul>";
        assert_eq!(blocks(text), expected);
    }
}
