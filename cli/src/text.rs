//! Makes text from others safe to show: no terminal escapes, no invisible or reordering characters.

use std::fmt::Write;

pub use sealpost_client::display_name as safe;

/// JSON with the same characters written as JSON escapes: the value stays exactly what it was.
pub fn safe_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if !is_unsafe(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string can't fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// Whether [`safe`] would write the character in another way.
fn is_unsafe(character: char) -> bool {
    let text = character.encode_utf8(&mut [0; 4]).to_owned();
    !character.is_ascii() && safe(&text) != text || character.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_drive_the_terminal_or_turn_its_extension_around() {
        assert_eq!(safe("\x1b[2Jinvoice\u{202e}fdp.exe"), "\\u{1b}[2Jinvoice\\u{202e}fdp.exe");
        assert_eq!(safe("a\nb\u{9b}1m\u{7f}"), "a\\u{a}b\\u{9b}1m\\u{7f}");
    }

    #[test]
    fn ordinary_text_of_any_language_stays() {
        for text in ["Vertrag (2).pdf", "договор.pdf", "契約書.pdf", "قرارداد‌ها.pdf", "👩‍⚖️.txt"]
        {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn json_keeps_its_value() {
        let name = "x\u{9b}31m\u{202e}\u{e0041}\u{7f}é";
        let shown = safe_json(&serde_json::to_string(name).unwrap());
        assert!(shown.chars().all(|character| !is_unsafe(character)), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), name);
    }
}
