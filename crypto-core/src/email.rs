//! E-mail addresses as the protocol takes them (protocol §4).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::error::failures;

/// Greatest length of an address in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
pub const MAX_EMAIL_BYTES: usize = 254;

failures! {
    /// Why a text is no e-mail address.
    #[derive(Copy)]
    EmailError {
        /// Longer than [`MAX_EMAIL_BYTES`].
        TooLong = "email_too_long", "an e-mail address has at most 254 characters";
        /// White space, a control character, or anything beyond ASCII.
        Character = "email_character", "an e-mail address has only printable ASCII characters and no spaces";
        /// No `@`, several, or nothing on one side of it.
        Form = "email_form", "an e-mail address has the form name@host";
    }
}

/// An e-mail address: printable ASCII without spaces, lower case, one `@` with something on both sides. Equal
/// addresses are equal bytes, which is what a subject commits to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        if text.len() > MAX_EMAIL_BYTES {
            return Err(EmailError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EmailError::Character);
        }
        match text.split_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(EmailError::Form),
        }
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Never shown by `Debug`: addresses do not belong into logs.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_lower_case() {
        assert_eq!("Ann+x@Example.ORG".parse::<EmailAddress>().unwrap().as_str(), "ann+x@example.org");
        let longest = format!("{}@b", "a".repeat(MAX_EMAIL_BYTES - 2));
        assert!(longest.parse::<EmailAddress>().is_ok());
        assert_eq!(format!("a{longest}").parse::<EmailAddress>(), Err(EmailError::TooLong));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "@", "a@", "@b", "a", "a@b@c", "a@@b"] {
            assert_eq!(wrong.parse::<EmailAddress>(), Err(EmailError::Form), "{wrong:?}");
        }
        for wrong in ["a b@c", " a@b", "a@b\n", "ä@b", "a@b\u{7f}", "a\0@b"] {
            assert_eq!(wrong.parse::<EmailAddress>(), Err(EmailError::Character), "{wrong:?}");
        }
    }
}
