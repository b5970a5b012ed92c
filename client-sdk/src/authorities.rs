//! Whose word it is that a certificate belongs to a server.

use crate::error::{Error, Result};

/// The certificate authorities against which a server's TLS certificate is checked.
#[derive(Debug, Clone, Default)]
pub enum Authorities {
    /// Those that the operating system trusts.
    #[default]
    System,
    /// These and no others: an organisation's own authority, say.
    Only(Bundle),
}

/// Certificates of authorities.
#[derive(Debug, Clone)]
pub struct Bundle(Vec<reqwest::Certificate>);

impl Authorities {
    /// Only the certificates of this PEM file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidInput`] if it holds none, or one that can't be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        match reqwest::Certificate::from_pem_bundle(pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(Self::Only(Bundle(certificates))),
            _ => Err(Error::invalid("the file holds no certificate in PEM form")
                .with_hint("Such a file has lines -----BEGIN CERTIFICATE-----.")),
        }
    }

    pub(crate) fn only(&self) -> Option<Vec<reqwest::Certificate>> {
        match self {
            Self::System => None,
            Self::Only(Bundle(certificates)) => Some(certificates.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        for wrong in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert!(Authorities::from_pem(wrong).is_err());
        }
    }
}
