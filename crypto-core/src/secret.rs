//! Secrets: fixed-size newtypes, zeroized when dropped, never shown, compared in constant time.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Declares secret types of `$len` bytes. Each is its own type, so that one key can't stand in for another.
macro_rules! secret {
    ($($(#[$doc:meta])* $name:ident, $len:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(Box<[u8; $len]>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Takes the bytes over and wipes the place they came from.
            pub fn take(bytes: &mut [u8; $len]) -> Self {
                let mut secret = Self(Box::new([0; $len]));
                secret.0.copy_from_slice(bytes);
                bytes.zeroize();
                secret
            }

            /// From a slice; `None` unless it has exactly the right length. The caller wipes the slice.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                (bytes.len() == $len).then(|| {
                    let mut secret = Self(Box::new([0; $len]));
                    secret.0.copy_from_slice(bytes);
                    secret
                })
            }

            /// A fresh one from the operating system's generator.
            pub fn random() -> Self {
                let mut secret = Self(Box::new([0; $len]));
                crate::random::fill(&mut secret.0[..]);
                secret
            }

            /// The bytes, named so that every place that looks at a secret can be found.
            pub fn expose(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0[..].ct_eq(&other.0[..]).into()
            }
        }

        impl Eq for $name {}

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(secret)"))
            }
        }
    )* };
}

secret! {
    /// From which all of a person's keys derive (protocol §3). Lives in the envelope and on the recovery kit.
    AccountSeed, 32;
    /// Second factor of the password, 128 bits that never reach the server.
    AccountKey, 16;
    /// Encrypts one version of one file; wrapped to each recipient.
    FileKey, 32;
    /// Seals the vault and small secrets at rest on the device.
    VaultKey, 32;
    /// Held by the system's keyring: seals what a device keeps of its account's secrets.
    KeyringKey, 32;
    /// OPAQUE's client-only output.
    ExportKey, 64;
    /// Key-encryption key: seals the envelope.
    EnvelopeKey, 32;
    /// The random part of an invite code.
    InviteSecret, 16;
    /// A MAC key derived from an invite.
    MacKey, 32;
    /// Seals the opening beside an OFFER.
    OpeningKey, 32;
    /// Lets an invitee read what checking needs before there is an account; the server keeps its hash.
    InviteToken, 32;
    /// Seed of an Ed25519 key (RFC 8032 §5.1.5).
    SigningSeed, 32;
    /// Seed of an X-Wing key; SHAKE256 expands it to 96 bytes inside the KEM.
    KemSeed, 32;
    /// Encrypts the chunks of one version of one file.
    ContentKey, 32;
    /// Seals the metadata of one version of one file.
    MetadataKey, 32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let key = FileKey::take(&mut [0x41; 32]);
        assert_eq!(format!("{key:?}"), "FileKey(secret)");
    }

    #[test]
    fn taking_wipes_the_source() {
        let mut source = [7; 32];
        let key = FileKey::take(&mut source);
        assert_eq!(source, [0; 32]);
        assert_eq!(key.expose(), &[7; 32]);
    }
}
