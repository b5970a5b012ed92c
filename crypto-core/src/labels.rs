//! Every label of the protocol, in one place. No two are equal or prefix one another with the separator
//! that follows them, so a key or signature made for one use is worthless for any other.

/// What every label begins with.
pub const PREFIX: &str = "sealpost/v1/";

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = concat!("sealpost/v1/", $text);)*

        /// All of them, for the test that keeps them apart.
        #[cfg(test)]
        pub(crate) const ALL: &[&str] = &[$($name),*];
    };
}

labels! {
    /// HMAC of the password before OPAQUE (§3).
    PASSWORD = "password";
    /// Extract salt over OPAQUE's export key (§3).
    OPAQUE = "opaque";
    /// Key-encryption key of the envelope (§3).
    KEK = "kek";
    /// AAD of the envelope (§3).
    ENVELOPE = "envelope";
    /// Extract salt over the account seed (§3).
    ACCOUNT = "account";
    /// Ed25519 seed of an account (§3).
    SIGNING = "signing";
    /// X-Wing seed of an account (§3).
    KEM = "kem";
    /// Vault key of an account, and AAD of the vault (§3).
    VAULT = "vault";
    /// Extract salt over a file key (§3).
    FILE = "file";
    /// Content key of a file version (§3).
    CONTENT = "content";
    /// Metadata key of a file version, and AAD of its metadata (§3, §7).
    METADATA = "metadata";
    /// Public commitment to the file key (§3).
    COMMITMENT = "commitment";
    /// Commitment to a person's e-mail address and name (§4).
    SUBJECT = "subject";
    /// AAD of an opening at rest or beside an OFFER (§4, §6).
    OPENING = "opening";
    /// Checksum of an invite code (§6).
    CODE = "code";
    /// Extract salt over an invite's secret (§6).
    INVITE = "invite";
    /// Invite id (§6).
    INVITE_ID = "invite-id";
    /// MAC key of OFFER (§6).
    INVITE_OFFER = "invite-offer";
    /// MAC key of ACCEPT (§6).
    INVITE_ACCEPT = "invite-accept";
    /// Key of the sealed opening beside OFFER (§6).
    INVITE_SUBJECT = "invite-subject";
    /// Server token of an invite (§6).
    INVITE_TOKEN = "invite-token";
    /// MAC over OFFER (§6).
    OFFER_MAC = "offer-mac";
    /// MAC over ACCEPT (§6).
    ACCEPT_MAC = "accept-mac";
    /// The twelve words two people compare (§6).
    WORDS = "words";
    /// The words of a server's new checkpoint key (§6.5).
    SERVICE_WORDS = "service-words";
    /// Digest over the digests of a file's parts (§7).
    PARTS = "parts";
    /// HPKE info of a share (§7).
    SHARE_INFO = "share-info";
    /// AAD of a small secret that a device keeps at rest under its vault key (§7.3).
    DEVICE = "device";
    /// AAD of a device's secret at rest under a key that the system's keyring holds (§3.7).
    KEYRING = "keyring";
    /// Checksum of the org_id and account key groups on a recovery kit (§3).
    KIT = "kit";
}

/// `label ‖ 0x00 ‖ fields`: the form of every `info` and aad.
pub fn labelled(label: &str, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(label.len() + 1 + fields.iter().map(|field| field.len()).sum::<usize>());
    bytes.extend_from_slice(label.as_bytes());
    bytes.push(0);
    fields.iter().for_each(|field| bytes.extend_from_slice(field));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_hold_no_separator() {
        for (n, label) in ALL.iter().enumerate() {
            assert!(!label.contains('\0'));
            assert!(!ALL[..n].contains(label), "{label} stands twice");
            assert!(
                !crate::record::KINDS.iter().any(|kind| *label == format!("{PREFIX}{kind}")),
                "{label} is a record type"
            );
        }
    }
}
