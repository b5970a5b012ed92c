//! Names from strangers (protocol §7.4): what may be written to a disk or to a terminal.
//!
//! A name travels as raw UTF-8. Whoever sealed it may mean harm: path parts, names that some system takes for a
//! device, text that runs backwards, terminal escapes.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// Greatest length of a file name in bytes, on all file systems we know.
pub const MAX_FILE_NAME: usize = 255;
/// Longest extension that survives shortening, in bytes, its dot included.
const MAX_EXTENSION: usize = 32;
/// What stands for a name of which nothing is left.
const NAMELESS: &str = "file";

/// A dot hides a file, and programs read settings and commands from some of those (`.profile`); a hyphen makes
/// commands take it for an option.
const SPECIAL_IN_FRONT: [char; 2] = ['.', '-'];

/// A name that can be written into a folder on any system, and stays in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SafeName(String);

impl SafeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<std::path::Path> for SafeName {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}

/// Makes a name safe to write: NFC, at most [`MAX_FILE_NAME`] bytes, never empty, no separators, control or
/// text-direction characters, not only dots, no device name of Windows, no dot or space at the end that a system
/// would drop, no dot or hyphen in front. What is not allowed becomes `_`. Making a safe name safe changes nothing.
pub fn safe_file_name(name: &str) -> SafeName {
    let replaced: String = name.nfc().map(|c| if is_unsafe_in_file_name(c) { '_' } else { c }).collect();
    let trimmed = replaced.trim_start().trim_end_matches(is_dropped_at_end);
    let named = match trimmed {
        "" => NAMELESS.to_owned(),
        device if is_device(device) => format!("_{device}"),
        special if special.starts_with(SPECIAL_IN_FRONT) => format!("_{}", &special[1..]),
        fine => fine.to_owned(),
    };
    SafeName(shortened(named))
}

/// A name, note or any other foreign text, for a terminal: whatever would act there is shown as `\u{…}`.
pub fn display_name(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts_on_terminal(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn is_unsafe_in_file_name(character: char) -> bool {
    matches!(character, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') || acts_on_terminal(character)
}

/// Control characters, line and paragraph separators, and the format characters that change the direction of
/// text or hide in it (Unicode UAX #9, UTR #36).
fn acts_on_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn is_dropped_at_end(character: char) -> bool {
    character == '.' || character.is_whitespace()
}

/// Names that Windows gives to a device whatever extension follows.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut characters = rest.chars();
            matches!(characters.next(), Some('0'..='9' | '¹' | '²' | '³')) && characters.next().is_none()
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$")
        || numbered("COM")
        || numbered("LPT")
}

/// Cuts a name to [`MAX_FILE_NAME`] bytes before its extension.
fn shortened(name: String) -> String {
    if name.len() <= MAX_FILE_NAME {
        return name;
    }
    let extension = name.rfind('.').map(|at| &name[at..]).filter(|ext| ext.len() <= MAX_EXTENSION);
    let extension = extension.unwrap_or_default();
    let mut end = MAX_FILE_NAME - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let short = format!("{}{extension}", &name[..end]);
    short.trim_end_matches(is_dropped_at_end).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn honest_names_stay() {
        for name in
            ["report.pdf", "Übersicht 2025.xlsx", "_profile", "a", "会計.tar.gz", "👩‍👩‍👧.png", "COMMON.txt"]
        {
            assert_eq!(safe_file_name(name).as_str(), name);
            assert_eq!(display_name(name), name);
        }
    }

    #[test]
    fn names_that_mean_harm_are_made_safe() {
        for (name, safe) in [
            ("", "file"),
            (".", "file"),
            ("..", "file"),
            ("...", "file"),
            (" . ", "file"),
            ("\t\n", "__"),
            ("/etc/passwd", "_etc_passwd"),
            ("../../x", "_._.._x"),
            ("..\\x", "_._x"),
            ("C:\\x", "C__x"),
            ("a\0b", "a_b"),
            ("x\u{1b}[2J", "x_[2J"),
            ("invoice\u{202e}fdp.exe", "invoice_fdp.exe"),
            (".profile", "_profile"),
            ("-rf", "_rf"),
            ("name. . ", "name"),
            ("  name", "name"),
            ("nul", "_nul"),
            ("COM1.txt", "_COM1.txt"),
            ("lpt³", "_lpt³"),
            ("CON .log", "_CON .log"),
            ("e\u{301}", "é"),
        ] {
            assert_eq!(safe_file_name(name).as_str(), safe, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_extension() {
        let long = safe_file_name(&format!("{}.pdf", "ü".repeat(200)));
        assert!(long.as_str().len() <= 255 && long.as_str().ends_with("ü.pdf"));
        assert_eq!(safe_file_name(&"n".repeat(255)).as_str().len(), 255);
        assert_eq!(safe_file_name(&"n".repeat(256)).as_str().len(), 255);
        assert_eq!(safe_file_name(&format!("a.{}", "e".repeat(300))).as_str().len(), 255);
        // Cutting must not bring a dot to the end.
        assert!(!safe_file_name(&format!("{}.{}", "n".repeat(254), "e".repeat(40))).as_str().ends_with('.'));
    }

    #[test]
    fn terminals_see_no_controls() {
        assert_eq!(
            display_name("a\u{1b}]0;x\u{7}b\u{202e}c\r\n"),
            "a\\u{1b}]0;x\\u{7}b\\u{202e}c\\u{d}\\u{a}"
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_in_a_safe_name_comes_out(name in "\\PC*|[ ./\\\\:a-cCONUL1\u{202e}\u{301}\u{0}-\u{1f}]{0,300}") {
            let safe = safe_file_name(&name);
            let text = safe.as_str();
            prop_assert!(!text.is_empty() && text.len() <= MAX_FILE_NAME);
            prop_assert!(!text.contains(is_unsafe_in_file_name));
            prop_assert!(!text.ends_with(is_dropped_at_end) && !text.starts_with(SPECIAL_IN_FRONT) && !is_device(text));
            prop_assert_eq!(std::path::Path::new(text).components().count(), 1);
            prop_assert_eq!(safe_file_name(text), safe.clone());
        }
    }
}
