//! Output of contacts and verify.

use schemars::JsonSchema;
use serde::Serialize;

use super::Person;
use crate::{printer::Show, text};

/// Words side by side.
const COLUMNS: usize = 4;

/// `contacts`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Contacts {
    /// By address.
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
}

impl Contact {
    /// One line.
    fn human(&self) -> String {
        let person = Person { email: self.email.clone(), name: self.name.clone() };
        let role = if self.role == "ops" { "Ops" } else { "Client" };
        let shares = if self.has_shares { ", files shared" } else { "" };
        format!("{role:<6}  {:<11}  {}{shares}\n", self.status, person.human())
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
}

impl Show for Words {
    fn human(&self) -> String {
        let person = Person { email: self.email.clone(), name: self.name.clone() };
        let mut shown = format!("You and {}:\n", person.human());
        for (index, word) in self.words.iter().enumerate() {
            shown += if index % COLUMNS == 0 { "\n  " } else { "" };
            shown += &format!("{:>2} {word:<10}", index + 1);
        }
        shown + "\n\n"
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
        };
        assert_eq!(contact.human(), "Ops     active       Olga\\u{a}Root <a@example.org>, files shared\n");
    }
}
