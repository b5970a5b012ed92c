//! Password login (protocol §3, §9): OPAQUE-3DH (RFC 9807) over ristretto255-SHA512, stretched with Argon2id.
//!
//! ```text
//! pw'        = hex(HMAC-SHA256(account key or 16 zero bytes, "…/password" ‖ 00 ‖ flag byte ‖ NFKC(password)))
//! OPAQUE     = pw' in, no context; client identity = e-mail, server identity = "sealpost/v1/" ‖ org_id in hex
//! export_key = OPAQUE's, 64 bytes, the same at registration and at every login
//! KEK        = Expand(Extract("…/opaque", export_key), "…/kek" ‖ 00 ‖ user_id)
//! ```
//!
//! The server learns neither the password nor anything to replay. This is the only module that speaks to
//! `opaque-ke`, which stays on an older line of its dependencies; it exchanges bytes with everybody else, of
//! lengths checked here.

mod client;
mod ksf;
mod opaque;
mod server;

use hmac::Mac;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{
    error::{failures, opaque_failure},
    id::{OrgId, UserId},
    kdf::{Prk, hmac},
    labels,
    secret::{AccountKey, EnvelopeKey, ExportKey},
    stack,
};

pub use client::{ClientLogin, ClientRegistration, Login, Registration};
pub use server::{
    LoginStart, LoginState, RegistrationRecord, ServerSetup, server_login_finish, server_login_start,
    server_registration,
};

/// Greatest length of a password in bytes, as it is typed.
pub const MAX_PASSWORD: usize = 1_024;
/// Bytes of a registration request.
pub const REGISTRATION_REQUEST: usize = 32;
/// Bytes of a registration response.
pub const REGISTRATION_RESPONSE: usize = 64;
/// Bytes of a registration record.
pub const REGISTRATION_RECORD: usize = 192;
/// Bytes of KE1, a login's first message.
pub const KE1: usize = 96;
/// Bytes of KE2, the server's answer.
pub const KE2: usize = 320;
/// Bytes of KE3, a login's last message.
pub const KE3: usize = 64;
/// Bytes of a server's keys.
pub const SERVER_SETUP: usize = 128;

failures! {
    /// A password that can't be one.
    #[derive(Copy)]
    PasswordError {
        /// Nothing was typed.
        Empty = "password_empty", "the password is empty";
        /// More than [`MAX_PASSWORD`] bytes.
        TooLong = "password_too_long", "the password is longer than 1,024 bytes";
    }
}

opaque_failure!(
    /// Wrong password, wrong account key, unknown account, another server, or changed messages; which of them is
    /// nobody's business.
    LoginFailed = "login_failed", "the password login failed";
);

opaque_failure!(
    /// Bytes that are no OPAQUE message, record or setup of the expected kind. It rests on no secret.
    MalformedMessage = "malformed", "the message is malformed";
);

/// A password as typed; wiped when dropped, never shown.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text over.
    ///
    /// # Errors
    /// [`PasswordError`]; the text is wiped then.
    pub fn new(text: String) -> Result<Self, PasswordError> {
        let text = Zeroizing::new(text);
        match text.len() {
            0 => Err(PasswordError::Empty),
            1..=MAX_PASSWORD => Ok(Self(text)),
            _ => Err(PasswordError::TooLong),
        }
    }

    /// NFKC, so that every keyboard gives the same bytes.
    fn normalised(&self) -> Zeroizing<String> {
        // Counted first and reserved in full, so that no copy stays behind when the string grows.
        let length = self.0.nfkc().map(char::len_utf8).sum();
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.extend(self.0.nfkc());
        text
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(secret)")
    }
}

/// pw': what goes into OPAQUE. With an account key it can't be guessed from a stolen database. Boxed, so that moving it
/// leaves no copy behind.
#[derive(Clone)]
pub struct OpaqueInput(Box<Zeroizing<[u8; 64]>>);

impl OpaqueInput {
    /// Derives it. The flag is 1 exactly when the user supplies an account key; a server can't choose it.
    pub fn derive(password: &Password, account_key: Option<&AccountKey>) -> Self {
        const NONE: &[u8; AccountKey::LEN] = &[0; AccountKey::LEN];
        let key = account_key.map_or(NONE, AccountKey::expose);
        stack::wiped(|| {
            let mut mac = hmac(key);
            mac.update(&labels::labelled(labels::PASSWORD, &[&[u8::from(account_key.is_some())]]));
            mac.update(password.normalised().as_bytes());
            let mut text = Box::new(Zeroizing::new([0; 64]));
            for (pair, byte) in text.chunks_exact_mut(2).zip(mac.finalize().into_bytes()) {
                pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
            }
            Self(text)
        })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0[..]
    }
}

impl std::fmt::Debug for OpaqueInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpaqueInput(secret)")
    }
}

/// Arithmetic instead of a table: a table's cache lines would tell something about the password.
fn hex_digit(value: u8) -> u8 {
    // 39 is the distance from ':' to 'a'; the shifted term is 1 exactly for 10 … 15.
    b'0' + value + ((value + 6) >> 4) * 39
}

/// Both sides of a login by name: equal on client and server, or nothing opens.
#[derive(Debug, Clone)]
pub struct Identifiers {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Identifiers {
    /// Client identity = `email` in its normal form (lower case); server identity = "sealpost/v1/" ‖ org_id in
    /// hex.
    pub fn new(email: &str, org_id: &OrgId) -> Self {
        Self { client: email.into(), server: format!("{}{org_id}", labels::PREFIX).into() }
    }
}

/// The key that seals a person's envelope.
pub fn envelope_key(export_key: &ExportKey, user_id: &UserId) -> EnvelopeKey {
    let prk = Prk::extract(labels::OPAQUE, export_key.expose());
    EnvelopeKey::take(&mut prk.expand(labels::KEK, &[user_id.as_bytes()]))
}

#[cfg(test)]
mod tests;
