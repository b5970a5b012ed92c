//! Output of serve, init, invite, join, login, logout, whoami, passwd, recover.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::{Person, word_columns};
use crate::{printer::Show, text};

/// A secret that the command exists to show: wiped from memory after it was shown, hidden from `Debug`.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Self {
        Self(text.into())
    }

    /// The text, named so that every place that looks at a secret can be found.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(secret)")
    }
}

/// `serve`, once it listens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Started {
    /// Where clients reach it.
    pub url: String,
    /// Its data folder.
    pub data: String,
    /// At the first start only: the one-time token for `init`.
    #[schemars(with = "Option<String>")]
    pub setup_token: Option<SecretText>,
    /// File with the token, while no organisation is founded.
    pub setup_token_file: Option<String>,
    /// The twelve words of the key that is offered to sign checkpoints: `sealpost service` shows the same.
    pub service_words: Option<Vec<String>>,
    /// Set after a restore from a backup: how many entries the log once had. It takes no new ones until a start with
    /// `--confirm-restore`.
    pub missing_log: Option<u64>,
}

impl Show for Started {
    fn human(&self) -> String {
        let mut shown = format!("Sealpost listens on {}\nData folder: {}\n", self.url, self.data);
        if let Some(words) = &self.service_words {
            shown += &format!(
                "A new key for checkpoints waits for an Ops member's `sealpost service`, which shows these words:\n{}",
                word_columns(words)
            );
        }
        if let Some(size) = self.missing_log {
            shown += &format!(
                "RESTORED FROM A BACKUP: the organisation's log once had {size} entries, and this database does not have \
                 them all.\nIt takes no new ones. Restore a newer backup, or, if there is none, start once with \
                 --confirm-restore.\n"
            );
        }
        match (&self.setup_token, &self.setup_token_file) {
            (Some(token), _) => {
                shown += &format!(
                    "Setup token: {}   (shown once; also in {}/setup-token)\n",
                    token.expose(),
                    self.data
                );
            }
            (None, Some(file)) => shown += &format!("Setup token: in {file}\n"),
            (None, None) => return shown,
        }
        let next =
            "Next: sealpost init --setup-token TOKEN --email YOU@EXAMPLE.ORG --org \"YOUR ORGANISATION\"";
        shown + &format!("{next} --server {}\n", self.url)
    }

    fn ids(&self) -> Vec<String> {
        vec![self.url.clone()]
    }
}

/// `whoami`, `login`, `recover`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Account {
    /// E-mail address.
    pub email: String,
    /// `ops` or `client`.
    pub role: String,
    /// The account's id.
    pub user_id: String,
    /// The organisation's id: the id of its genesis record.
    pub org_id: String,
    /// The organisation's name.
    pub org_name: String,
    /// The server's address.
    pub server: String,
    /// `active`, or `pending` until the inviter's next session certifies it.
    pub status: String,
    /// Who invited, and must come online while the account is pending.
    pub inviter: Option<Person>,
    /// While pending: twelve words; the inviter sees the same ones if nobody else has used the code.
    pub words: Option<Vec<String>>,
    /// Where this device keeps the keys: sealed by the desktop's `keyring`, or in a `file` that only its user can read.
    #[schemars(with = "String")]
    pub keys: KeysKept,
}

/// Where keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeysKept {
    /// Sealed under a key in the keyring.
    Keyring,
    /// In the home folder.
    File,
}

impl Show for Account {
    fn human(&self) -> String {
        let role = if self.role == "ops" { "Ops member" } else { "Client" };
        let mut shown = format!("{}, {role} of {}\n", text::safe(&self.email), text::safe(&self.org_name));
        shown += &format!("  server        {}\n", text::safe(&self.server));
        shown += &format!("  organisation  {}\n", self.org_id);
        shown += &format!("  user          {}\n", self.user_id);
        match &self.inviter {
            Some(inviter) if self.status == "pending" => {
                shown += &format!("  status        pending: waits for {} to come online\n", inviter.human());
                if let Some(words) = &self.words {
                    shown +=
                        &format!("  words         if they call you to compare:\n{}", word_columns(words));
                }
            }
            _ => shown += &format!("  status        {}\n", self.status),
        }
        shown += match self.keys {
            KeysKept::Keyring => "  keys          sealed by this desktop's keyring\n",
            KeysKept::File => "  keys          in a file that only you can read\n",
        };
        shown
    }

    fn ids(&self) -> Vec<String> {
        vec![self.user_id.clone()]
    }
}

/// `init`, `join`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Enrolled {
    /// The new account.
    #[serde(flatten)]
    pub account: Account,
    /// The only way back when the password is lost. In JSON because a script has no other way to it.
    pub recovery_kit: RecoveryKit,
}

impl Show for Enrolled {
    fn human(&self) -> String {
        self.account.human()
    }

    fn ids(&self) -> Vec<String> {
        self.account.ids()
    }
}

/// The recovery kit.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecoveryKit {
    /// 24 words, separated by spaces.
    #[schemars(with = "String")]
    pub words: SecretText,
    /// The organisation, with a checksum.
    pub organisation: String,
    /// The account key, if the account has one.
    #[schemars(with = "Option<String>")]
    pub account_key: Option<SecretText>,
}

/// `invite`
#[derive(Debug, Serialize, JsonSchema)]
pub struct Invite {
    /// Whom.
    pub email: String,
    /// `client` or `ops`.
    pub role: String,
    /// Under which name they will be known; empty for clients.
    pub name: String,
    /// The code: whoever uses it first is the invitee.
    #[schemars(with = "String")]
    pub code: SecretText,
    /// The code inside a link to this server.
    #[schemars(with = "String")]
    pub link: SecretText,
    /// When it stops working.
    pub expires_at: String,
    /// Whether the account also needs an account key.
    pub account_key: bool,
    /// Whether they are admitted only once twelve words were compared.
    pub confirm: bool,
    /// The id of the account that the new one is to replace.
    pub replaces: Option<String>,
}

impl Show for Invite {
    fn human(&self) -> String {
        format!(
            "Invite for {}, until {}\n\n  {}\n  {}\n\n",
            text::safe(&self.email),
            self.expires_at,
            self.code.expose(),
            self.link.expose()
        )
    }

    fn ids(&self) -> Vec<String> {
        vec![self.code.expose().to_owned()]
    }
}

/// `passwd`
#[derive(Debug, Serialize, JsonSchema)]
pub struct PasswordChanged {
    /// Whose.
    pub email: String,
    /// Always true.
    pub changed: bool,
}

impl Show for PasswordChanged {
    fn human(&self) -> String {
        format!(
            "Password of {} changed. Your recovery kit stays valid; sessions elsewhere have ended.\n",
            text::safe(&self.email)
        )
    }

    fn ids(&self) -> Vec<String> {
        Vec::new()
    }
}

/// `logout`
#[derive(Debug, Serialize, JsonSchema)]
pub struct SignedOut {
    /// Always true.
    pub signed_out: bool,
}

impl Show for SignedOut {
    fn human(&self) -> String {
        "Signed out. This device no longer holds your keys.\n".to_owned()
    }

    fn ids(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(status: &str) -> Account {
        Account {
            email: "a@example.org".into(),
            role: "client".into(),
            user_id: "00".into(),
            org_id: "11".into(),
            org_name: "Kanzlei\x1b[2J".into(),
            server: "https://s".into(),
            status: status.into(),
            inviter: Some(Person { email: "o@example.org".into(), name: "Olga".into() }),
            words: Some(vec!["zebra".into(), "zoo".into()]),
            keys: KeysKept::Keyring,
        }
    }

    #[test]
    fn whoami_has_the_promised_members() {
        let json = serde_json::to_value(account("active")).unwrap();
        for member in ["email", "role", "user_id", "org_id", "org_name", "server", "status"] {
            assert!(json[member].is_string(), "{member}");
        }
    }

    #[test]
    fn people_are_told_whom_a_pending_account_waits_for() {
        let shown = account("pending").human();
        assert!(shown.contains("waits for Olga <o@example.org>"), "{shown}");
        assert!(shown.contains(" 1 zebra") && shown.contains(" 2 zoo"), "{shown}");
        assert!(!account("active").human().contains("zebra"));
        assert!(!shown.contains('\x1b'));
    }

    #[test]
    fn the_kit_is_in_the_json_and_not_in_debug() {
        let kit = RecoveryKit {
            words: SecretText::new("abandon ability".to_owned()),
            organisation: "X".into(),
            account_key: None,
        };
        let enrolled = Enrolled { account: account("active"), recovery_kit: kit };
        assert!(!format!("{enrolled:?}").contains("abandon"));
        let json = serde_json::to_value(&enrolled).unwrap();
        assert_eq!(json["recovery_kit"]["words"], "abandon ability");
        assert_eq!(json["email"], "a@example.org");
        assert!(json["recovery_kit"]["account_key"].is_null());
    }
}
