//! Documentation comments as text for readers who have no source: links to items become what they stand for.

use sealpost_crypto::{log::MAX_NAME_BYTES, record::MAX_PAYLOAD};

use crate::limits;

/// Limits of the protocol that comments of messages name.
const OF_THE_PROTOCOL: [(&str, u64); 2] =
    [("MAX_NAME_BYTES", MAX_NAME_BYTES as u64), ("MAX_PAYLOAD", MAX_PAYLOAD as u64)];

/// Lines joined into paragraphs, and each [`item`] as its value (limits) or its name.
pub(super) fn plain(comment: &str) -> String {
    let lines = comment.replace("\n\n", "\u{0}").replace('\n', " ").replace('\u{0}', "\n\n");
    let mut text = String::new();
    let mut rest = lines.trim();
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((item, after)) = link.split_once("`]") else { break };
        text += before;
        text += &shown(item);
        rest = after;
    }
    text + rest
}

fn shown(item: &str) -> String {
    let name = item.rsplit("::").next().unwrap_or(item);
    let of_interface = limits::ALL.iter().map(|limit| (limit.name, limit.value));
    match of_interface.chain(OF_THE_PROTOCOL).find(|(limit, _)| *limit == name) {
        Some((_, value)) => grouped(value),
        None => format!("`{name}`"),
    }
}

/// With a comma after every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_what_they_stand_for() {
        assert_eq!(plain("At most\n[`crate::limits::MAX_PAGE`] of them."), "At most 1,000 of them.");
        assert_eq!(plain("As in [`FounderRegister`]."), "As in `FounderRegister`.");
        assert_eq!(plain("One.\n\nTwo [`is"), "One.\n\nTwo [`is");
    }

    #[test]
    fn numbers_are_grouped() {
        let shown: Vec<_> = [0, 999, 1_000, 4_194_304].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1,000", "4,194,304"]);
    }
}
