//! What an inviter gives to an invitee: 32 characters, or a link around them (protocol §6).
//!
//! ```text
//! code = version 1 B ‖ S 16 B ‖ first 3 B of SHA-256("…/code" ‖ 00 ‖ version ‖ S)      20 B, 32 characters
//! link = server "/join#" code
//! ```

use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::InviteKeys;
use crate::{
    crockford::{self, CrockfordError},
    error::failures,
    labels::{self, labelled},
    secret::InviteSecret,
};

/// The version that codes begin with.
const VERSION: u8 = 1;
/// Bytes of version and secret.
const BODY: usize = 1 + InviteSecret::LEN;
/// Bytes of checksum: what a person mistypes is found with probability 1 − 2⁻²⁴.
const CHECKSUM: usize = 3;
/// Between the server and the code in a link; what follows `#` is never sent to a server.
const JOIN: &str = "/join#";

failures! {
    /// Why a text is no invite code. It never shows the text.
    #[derive(Copy)]
    CodeError {
        /// A character that no code contains.
        Character = "code_character", "an invite code has only letters and digits";
        /// Not 32 characters.
        Length = "code_length", "an invite code has 32 characters";
        /// The checksum does not fit.
        Mistyped = "code_mistyped", "the invite code is mistyped";
        /// A code of a later version.
        UnknownVersion = "code_version", "the invite code is of a version that this program does not know";
        /// A link of another form than `https://host/join#CODE`.
        Link = "code_link", "the link is not an invite";
    }
}

/// The secret by which an invitee is known. Whoever uses it first is the invitee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteCode(InviteSecret);

/// What an invitee was given: a code, perhaps inside a link that names the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// `scheme://host[:port]`, from a link; `None` from a bare code.
    pub server: Option<String>,
    /// The code.
    pub code: InviteCode,
}

impl InviteCode {
    /// A fresh one from the operating system's generator.
    pub fn random() -> Self {
        Self(InviteSecret::random())
    }

    /// From the secret kept in the inviter's vault.
    pub fn from_secret(secret: InviteSecret) -> Self {
        Self(secret)
    }

    /// The secret, for the inviter's vault.
    pub fn secret(&self) -> &InviteSecret {
        &self.0
    }

    /// What derives from it.
    pub fn keys(&self) -> InviteKeys {
        InviteKeys::derive(&self.0)
    }

    /// The code as text, in groups of four: the one way to show it.
    pub fn reveal(&self) -> Zeroizing<String> {
        crockford::grouped(&self.text())
    }

    /// `server/join#CODE`; `server` is `scheme://host[:port]` without a slash at the end.
    pub fn reveal_link(&self, server: &str) -> Zeroizing<String> {
        let code = self.text();
        let server = server.trim_end_matches('/');
        let mut link = Zeroizing::new(String::with_capacity(server.len() + JOIN.len() + code.len()));
        [server, JOIN, &code].iter().for_each(|piece| link.push_str(piece));
        link
    }

    fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; BODY + CHECKSUM]);
        bytes[0] = VERSION;
        bytes[1..BODY].copy_from_slice(self.0.expose());
        let checksum = checksum(&bytes[..BODY]);
        bytes[BODY..].copy_from_slice(&checksum);
        crockford::encode(&bytes[..])
    }
}

impl FromStr for InviteCode {
    type Err = CodeError;

    /// Reads what a person typed: case, hyphens and spaces do not matter.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let bytes = crockford::decode(text.trim()).map_err(|error| match error {
            CrockfordError::Character { .. } => CodeError::Character,
            CrockfordError::Length => CodeError::Length,
        })?;
        let (body, given) = bytes.split_last_chunk::<CHECKSUM>().ok_or(CodeError::Length)?;
        if body.len() != BODY {
            return Err(CodeError::Length);
        }
        if *given != checksum(body) {
            return Err(CodeError::Mistyped);
        }
        match body.split_first() {
            Some((&VERSION, secret)) => InviteSecret::from_slice(secret).map(Self).ok_or(CodeError::Length),
            _ => Err(CodeError::UnknownVersion),
        }
    }
}

impl FromStr for InviteLink {
    type Err = CodeError;

    /// Reads a code, or a link with one.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if !text.contains("://") {
            return Ok(Self { server: None, code: text.parse()? });
        }
        let (server, code) = text.split_once(JOIN).ok_or(CodeError::Link)?;
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
        if !host.is_some_and(is_host) {
            return Err(CodeError::Link);
        }
        Ok(Self { server: Some(server.to_owned()), code: code.parse()? })
    }
}

fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !host.is_empty() && host.bytes().all(allowed)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    let hash = Sha256::digest(labelled(labels::CODE, &[body]));
    [hash[0], hash[1], hash[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: u8, secret: &[u8]) -> String {
        let mut bytes = [&[version], secret].concat();
        bytes.extend(checksum(&bytes));
        crockford::encode(&bytes).to_string()
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = InviteCode::random();
        let shown = code.reveal();
        assert_eq!(shown.len(), 32 + 7);
        let plain = shown.replace('-', "");
        for typed in [
            shown.to_string(),
            plain.clone(),
            plain.to_lowercase(),
            format!("  {plain}\n"),
            shown.replace('-', " "),
            plain.replace('0', "o").replace('1', "l"),
        ] {
            assert_eq!(typed.parse::<InviteCode>().as_ref(), Ok(&code), "{typed}");
        }
    }

    #[test]
    fn each_mistake_has_its_name() {
        let code = text(1, &[7; 16]);
        assert!(code.parse::<InviteCode>().is_ok());
        for (typed, error) in [
            (code.replacen('1', "U", 1).replacen('0', "U", 1), CodeError::Character),
            (code[..31].to_owned(), CodeError::Length),
            (format!("{code}00000000"), CodeError::Length),
            (String::new(), CodeError::Length),
            (text(1, &[7; 15]), CodeError::Length),
            (text(2, &[7; 16]), CodeError::UnknownVersion),
        ] {
            assert_eq!(typed.parse::<InviteCode>(), Err(error), "{typed}");
        }
        for at in 0..32 {
            let mut typed = code.clone().into_bytes();
            typed[at] = if typed[at] == b'7' { b'8' } else { b'7' };
            let typed = String::from_utf8(typed).unwrap();
            assert_eq!(typed.parse::<InviteCode>(), Err(CodeError::Mistyped), "{typed}");
        }
    }

    #[test]
    fn a_link_names_its_server() {
        let code = InviteCode::random();
        for server in ["https://post.example.org", "http://127.0.0.1:8787", "https://[::1]:8787"] {
            let link = code.reveal_link(&format!("{server}/"));
            assert!(link.starts_with(&format!("{server}/join#")));
            let read: InviteLink = link.parse().unwrap();
            assert_eq!(read, InviteLink { server: Some(server.to_owned()), code: code.clone() });
        }
        assert_eq!(code.reveal().parse::<InviteLink>().unwrap().server, None);
        let code = code.reveal();
        for wrong in [
            format!("ftp://host/join#{}", *code),
            format!("https:///join#{}", *code),
            format!("https://host/join?{}", *code),
            format!("https://user@host/join#{}", *code),
            format!("https://host/other/join#{}", *code),
        ] {
            assert_eq!(wrong.parse::<InviteLink>(), Err(CodeError::Link), "{wrong}");
        }
        assert_eq!("https://host/join#".parse::<InviteLink>(), Err(CodeError::Length));
    }

    #[test]
    fn debug_shows_no_code() {
        assert_eq!(format!("{:?}", InviteCode::random()), "InviteCode(InviteSecret(secret))");
    }
}
