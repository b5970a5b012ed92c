//! Output of contacts, verify and confirm.

use schemars::JsonSchema;
use serde::Serialize;

use super::Person;
use crate::{printer::Show, text};

/// Words side by side.
const COLUMNS: usize = 4;

/// Words numbered in columns, with a line before them.
pub fn word_columns(words: &[impl AsRef<str>]) -> String {
    let mut shown = String::new();
    for (index, word) in words.iter().enumerate() {
        shown += if index % COLUMNS == 0 { "\n  " } else { "" };
        shown += &format!("{:>2} {:<10}", index + 1, word.as_ref());
    }
    shown + "\n"
}

/// `confirm`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Confirmed {
    /// The new account's id.
    pub user_id: String,
    /// Their address.
    pub email: String,
    /// `ops` or `client`.
    pub role: String,
    /// The id of the account that it replaced.
    pub replaced: Option<String>,
}

impl Show for Confirmed {
    fn human(&self) -> String {
        let email = text::safe(&self.email);
        match &self.replaced {
            None => format!("{email} is admitted.\n"),
            Some(old) => format!("{email} is admitted with a new account; the old one, {old}, has ended.\n"),
        }
    }

    fn ids(&self) -> Vec<String> {
        vec![self.user_id.clone()]
    }
}

/// `contacts`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contacts {
    /// By address; with `--all` former members after the others.
    pub contacts: Vec<Contact>,
}

impl Show for Contacts {
    fn human(&self) -> String {
        self.contacts.iter().map(Contact::human).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.contacts.iter().map(|contact| text::safe(&contact.email)).collect()
    }
}

/// One entry of `contacts`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contact {
    /// The account's id.
    pub user_id: String,
    /// E-mail address.
    pub email: String,
    /// Name, or empty.
    pub name: String,
    /// `ops` or `client`.
    pub role: String,
    /// `active`; `pending` until they have joined and are certified; `left`, `compromised` or `replaced` after.
    pub status: String,
    /// Whether this account has seen shares to them or from them, ended ones too.
    pub has_shares: bool,
    /// Set if this account took the place of another one of the same person.
    pub new_account: Option<NewAccount>,
    /// Set if they have changed their keys: the twelve words are others since.
    pub keys_changed: Option<KeysChanged>,
}

/// When somebody last changed their keys.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeysChanged {
    /// Which generation of keys they have, from 1.
    pub generation: u64,
    /// Entries of the organisation's log with the change.
    pub log_size: u64,
    /// When, by the server's word.
    pub at: Option<String>,
}

impl KeysChanged {
    /// Part of a sentence.
    pub fn human(&self) -> String {
        let day = self.at.as_deref().and_then(|time| time.split('T').next());
        let on = day.map(|day| format!(" on {day}")).unwrap_or_default();
        format!("keys changed{on} at log size {}", self.log_size)
    }
}

/// How somebody's new account came.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NewAccount {
    /// Who admitted it.
    pub invited_by: Option<Person>,
    /// When, by the server's word.
    pub since: Option<String>,
}

impl NewAccount {
    /// Part of a sentence.
    pub fn human(&self) -> String {
        let by =
            self.invited_by.as_ref().map(|by| format!(", invited by {}", by.human())).unwrap_or_default();
        let day = self.since.as_deref().and_then(|time| time.split('T').next());
        format!("new account{by}{}", day.map(|day| format!(" on {day}")).unwrap_or_default())
    }
}

impl Contact {
    /// One line.
    fn human(&self) -> String {
        let person = Person { email: self.email.clone(), name: self.name.clone() };
        let role = if self.role == "ops" { "Ops" } else { "Client" };
        let shares = if self.has_shares { ", files shared" } else { "" };
        let new = self.new_account.as_ref().map(|new| format!(", {}", new.human())).unwrap_or_default();
        let keys = self.keys_changed.as_ref().map(|keys| format!(", {}", keys.human())).unwrap_or_default();
        format!("{role:<6}  {:<11}  {}{shares}{new}{keys}\n", self.status, person.human())
    }
}

/// `verify`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Words {
    /// The other account's id.
    pub user_id: String,
    /// Their address.
    pub email: String,
    /// Their name, or empty.
    pub name: String,
    /// `ops` or `client`.
    pub role: String,
    /// Twelve words, in order.
    pub words: Vec<String>,
    /// Set if they have changed their keys: the words are others since.
    pub keys_changed: Option<KeysChanged>,
}

impl Show for Words {
    fn human(&self) -> String {
        let person = Person { email: self.email.clone(), name: self.name.clone() };
        let keys = self.keys_changed.as_ref().map(|keys| format!(" ({})", keys.human())).unwrap_or_default();
        format!("You and {}{keys}:\n{}\n", person.human(), word_columns(&self.words))
    }

    fn ids(&self) -> Vec<String> {
        vec![self.words.join(" ")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_numbered_and_in_order() {
        let words = Words {
            user_id: "00".into(),
            email: "a@example.org".into(),
            name: "Olga\x1b[2J".into(),
            role: "ops".into(),
            words: (b'a'..=b'l').map(|letter| char::from(letter).to_string()).collect(),
            keys_changed: None,
        };
        let shown = words.human();
        assert!(shown.contains(" 1 a") && shown.contains("12 l"), "{shown}");
        assert!(!shown.contains('\x1b'));
        assert_eq!(words.ids(), ["a b c d e f g h i j k l"]);
        assert_eq!(serde_json::to_value(&words).unwrap()["words"][11], "l");
    }

    #[test]
    fn a_contact_is_one_line() {
        let contact = Contact {
            user_id: "00".into(),
            email: "a@example.org".into(),
            name: "Olga\nRoot".into(),
            role: "ops".into(),
            status: "active".into(),
            has_shares: true,
            new_account: Some(NewAccount {
                invited_by: Some(Person { email: "o@example.org".into(), name: String::new() }),
                since: Some("2026-11-22T21:51:24Z".into()),
            }),
            keys_changed: Some(KeysChanged {
                generation: 2,
                log_size: 7,
                at: Some("2026-11-26T21:51:24Z".into()),
            }),
        };
        let shown = contact.human();
        let (line, new) = shown.split_once(", new account").unwrap();
        let keys = ", keys changed on 2026-11-26 at log size 7";
        assert_eq!(new, format!(", invited by o@example.org on 2026-11-22{keys}\n"));
        assert_eq!(line, "Ops     active       Olga\\u{a}Root <a@example.org>, files shared");
    }
}
