//! The recovery kit on paper: as it is printed, and as a person or a script gives it back.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sealpost_client::{KitError, KitText, RecoveryKit};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    context::Context,
    exit::Exit,
    failure::{Failure, Outcome},
    prompt::Secret,
};

/// Largest file that a kit is looked for in, bytes.
const MAX_KIT_BYTES: u64 = 64 * 1024;
/// Words side by side on the kit.
const COLUMNS: usize = 4;
/// Room for a kit with everything around it, so that no copy stays behind when the string grows.
const SHEET_BYTES: usize = 1_024;
/// Characters of the account key without its hyphens; the organisation's code has 56.
const ACCOUNT_KEY_CHARS: usize = 31;
/// Characters of the longest word, with its number in front.
const LONGEST_WORD: usize = 10;
/// What every sheet begins with.
const HEADING: &str = "RECOVERY KIT";

/// The words in numbered columns, the codes below.
pub fn sheet(kit: &KitText) -> Zeroizing<String> {
    let mut sheet = Zeroizing::new(String::with_capacity(SHEET_BYTES));
    sheet.push_str(&format!(
        "\n{HEADING}: the only way back if the password is lost. Write it down, keep it safe.\n"
    ));
    for (index, word) in kit.words.split(' ').enumerate() {
        sheet.push_str(if index % COLUMNS == 0 { "\n  " } else { "" });
        sheet.push_str(&format!("{:>2} {word:<10}", index + 1));
    }
    sheet.push_str("\n\n  organisation  ");
    sheet.push_str(&kit.organisation);
    if let Some(key) = &kit.account_key {
        sheet.push_str("\n  account key   ");
        sheet.push_str(key);
    }
    sheet.push_str("\n\n");
    sheet
}

/// Reads the kit in a file, or on standard input if the path is `-`.
pub fn from_file(path: &Path, context: &Context) -> Outcome<RecoveryKit> {
    read(&text_of(path, context)?)
}

fn text_of(path: &Path, context: &Context) -> Outcome<Secret> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_KIT_BYTES as usize + 1));
    let read = if path != Path::new("-") {
        File::open(path).and_then(|file| file.take(MAX_KIT_BYTES + 1).read_to_string(&mut text))
    } else if context.prompter.reads_stdin() {
        return Err(Failure::usage("standard input can't hold both the kit and the password")
            .hint("Use --password-file FILE for the password."));
    } else {
        io::stdin().lock().take(MAX_KIT_BYTES + 1).read_to_string(&mut text)
    };
    match read {
        Ok(length) if length as u64 <= MAX_KIT_BYTES => Ok(text),
        Err(error) if error.kind() != io::ErrorKind::InvalidData => Err(Failure::local("read", path, &error)),
        _ => Err(Failure::usage("the kit file is no text of a recovery kit").hint("Check the path.")),
    }
}

/// Reads a kit: the sheet as it was printed or typed off, in any layout that keeps the codes whole or behind their
/// labels; or the JSON of `init` and `join`.
fn read(text: &str) -> Outcome<RecoveryKit> {
    let kit = if text.trim_start().starts_with('{') { from_json(text)? } else { from_sheet(text) };
    if kit.organisation.is_empty() {
        return Err(Failure::new(
            Exit::Authentication,
            "kit_code_missing",
            "the organisation's code is missing",
        )
        .hint("It stands below the words: 14 groups of four letters and digits."));
    }
    RecoveryKit::parse(&kit).map_err(|error| mistyped(&error))
}

/// Which word or field is wrong, and never what it says.
pub fn mistyped(error: &KitError) -> Failure {
    Failure::new(Exit::Authentication, error.code(), error.to_string())
        .hint("Compare it with the kit; case, hyphens and numbers between the words do not matter.")
}

#[derive(Deserialize)]
struct JsonKit {
    words: String,
    organisation: String,
    account_key: Option<String>,
}

#[derive(Deserialize)]
struct JsonEnrolled {
    recovery_kit: JsonKit,
}

fn from_json(text: &str) -> Outcome<KitText> {
    let kit = serde_json::from_str(text)
        .map(|JsonEnrolled { recovery_kit }| recovery_kit)
        .or_else(|_| serde_json::from_str::<JsonKit>(text));
    let kit = kit.map_err(|_| {
        Failure::usage("the recovery kit is JSON, and not the JSON that `init` and `join` print")
            .hint("Take the member recovery_kit of what they printed, or the kit as it was shown.")
    })?;
    Ok(KitText {
        words: kit.words.into(),
        organisation: kit.organisation.into(),
        account_key: kit.account_key.map(Zeroizing::new),
    })
}

#[derive(Clone, Copy)]
enum Field {
    Words,
    Organisation,
    AccountKey,
}

/// What stands in front of a code. "account" and "key" are words of the list too: see [`label`].
const LABELS: [(&str, Field); 4] = [
    ("organisation", Field::Organisation),
    ("organization", Field::Organisation),
    ("account key", Field::AccountKey),
    ("account-key", Field::AccountKey),
];

fn from_sheet(text: &str) -> KitText {
    let empty = || Zeroizing::new(String::with_capacity(SHEET_BYTES));
    let (mut words, mut organisation, mut account_key) = (empty(), empty(), empty());
    let mut put = |field, piece: &str| {
        let place = match field {
            Field::Words => &mut words,
            Field::Organisation => &mut organisation,
            Field::AccountKey => &mut account_key,
        };
        place.push_str(piece);
        place.push(' ');
    };
    // A label may stand on a line of its own, above what it names.
    let mut above = None;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines.filter(|line| strip(line, HEADING).is_none()) {
        match (label(line), above.take()) {
            (Some((field, "")), _) => above = Some(field),
            (Some((field, code)), _) => put(field, code),
            (None, Some(field)) => put(field, line),
            (None, None) => line.split_whitespace().for_each(|piece| put(unlabelled(piece), piece)),
        }
    }
    let account_key = (!account_key.is_empty()).then_some(account_key);
    KitText { words, organisation, account_key }
}

/// A line's label and what follows it: nothing, or a code. Codes have digits or hyphens, words have neither.
fn label(line: &str) -> Option<(Field, &str)> {
    LABELS.iter().find_map(|(label, field)| {
        let rest = strip(line, label)?.trim_start_matches([' ', '\t', ':', '=']);
        let is_code = rest.contains(|c: char| c == '-' || c.is_ascii_digit());
        (rest.is_empty() || is_code).then_some((*field, rest))
    })
}

/// What a piece without a label is: its length tells codes from words, and from one another.
fn unlabelled(piece: &str) -> Field {
    match piece.chars().filter(char::is_ascii_alphanumeric).count() {
        0..=LONGEST_WORD => Field::Words,
        // A few characters too many are a mistyped one.
        chars if chars <= ACCOUNT_KEY_CHARS + 4 => Field::AccountKey,
        _ => Field::Organisation,
    }
}

/// `text` without `prefix` in any case.
fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use sealpost_client::{AccountKey, AccountSeed, OrgId};

    use super::*;

    fn kit() -> RecoveryKit {
        RecoveryKit {
            seed: AccountSeed::random(),
            org_id: OrgId::random(),
            account_key: Some(AccountKey::random()),
        }
    }

    #[test]
    fn the_sheet_is_read_as_it_was_printed() {
        for account_key in [Some(AccountKey::random()), None] {
            let kit = RecoveryKit { account_key, ..kit() };
            assert_eq!(read(&sheet(&kit.to_text())).unwrap(), kit);
        }
    }

    #[test]
    fn any_layout_that_a_person_would_choose_is_read() {
        let kit = kit();
        let KitText { words, organisation, account_key } = kit.to_text();
        let (words, organisation, key) = (words.as_str(), organisation.as_str(), account_key.unwrap());
        let numbered: String = words
            .split(' ')
            .enumerate()
            .map(|(n, word)| format!("{}. {}\n", n + 1, word.to_uppercase()))
            .collect();
        let spaced = (organisation.replace('-', " "), key.replace('-', " ").to_lowercase());
        let bare = (organisation.replace('-', ""), key.replace('-', ""));
        for text in [
            format!("{words}\n{organisation}\n{}", *key),
            format!("{} {organisation} {words}", *key),
            format!("{numbered}\nOrganisation: {}\nAccount key: {}\n", spaced.0, spaced.1),
            format!("Organization\n{}\n\naccount-key =\n{}\n\n{words}", spaced.0, spaced.1),
            format!("{}\r\n{}\r\n{numbered}", bare.0, bare.1),
            format!(r#"{{"words":"{words}","organisation":"{organisation}","account_key":"{}"}}"#, *key),
            format!(
                r#"{{"email":"a@b","recovery_kit":{{"words":"{words}","organisation":"{organisation}","account_key":"{}"}}}}"#,
                *key
            ),
        ] {
            assert_eq!(read(&text).map_err(|error| error.message), Ok(kit.clone()), "{text}");
        }
    }

    #[test]
    fn the_words_account_and_key_are_words_too() {
        let text = "account key account key\n".repeat(6);
        assert_eq!(from_sheet(&text).words.split_whitespace().count(), 24);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let KitText { words, organisation, .. } = kit().to_text();
        let mut list: Vec<&str> = words.split(' ').collect();
        list[4] = "sealpost";
        let code = |text: &str| read(text).unwrap_err();
        let failure = code(&format!("{}\n{}", list.join(" "), *organisation));
        assert_eq!(failure.code, "kit_word_unknown");
        assert!(failure.message.contains("word 5"), "{}", failure.message);
        assert_eq!(code(&format!("{}\n{}", list[5..].join(" "), *organisation)).code, "kit_word_count");
        assert_eq!(code(&words).code, "kit_code_missing");
        assert_eq!(code(&format!("{}\n{}", *words, &organisation[..50])).code, "kit_code_mistyped");
        assert_eq!(code("{\"words\": 3}").exit, Exit::Usage);
    }
}
