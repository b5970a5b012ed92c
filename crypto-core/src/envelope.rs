//! The envelope (protocol §3): a person's account seed, at rest on the server under a key from their password.
//!
//! ```text
//! header   = user_id 16 ‖ u64 generation ‖ u64 suite ‖ u64 epoch ‖ flag byte                           41 bytes
//! contents = account seed 32 ‖ org_id 32 ‖ u64 log size ‖ log head 32 ‖ u64 epoch                     112 bytes
//! envelope = header ‖ XChaCha20-Poly1305(KEK, aad = "…/envelope" ‖ 00 ‖ header, contents)             193 bytes
//! ```
//!
//! The header is readable, because the flag must be known before the password is stretched; it is bound by the
//! aad. flag = 1 exactly when the account uses an account key.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    aead,
    error::opaque_failure,
    id::{Digest, OrgId, RecordId, UserId},
    labels,
    records::SUITE,
    secret::{AccountSeed, EnvelopeKey},
    stack,
};

/// Bytes of header.
const HEADER: usize = 16 + 8 + 8 + 8 + 1;
/// Bytes of contents before sealing.
const CONTENTS: usize = 32 + 32 + 8 + 32 + 8;

opaque_failure!(
    /// The envelope is not one, or does not open; which of them is nobody's business.
    EnvelopeError = "envelope_unopenable", "the account envelope can't be opened";
);

/// What everybody can read of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// Whose it is.
    pub user_id: UserId,
    /// Generation of their keys.
    pub generation: u64,
    /// Epoch of the credential that it belongs to.
    pub epoch: u64,
    /// Whether an account key is needed beside the password.
    pub account_key: bool,
}

/// What an envelope keeps.
#[derive(Debug, PartialEq, Eq)]
pub struct EnvelopeContents {
    /// The account.
    pub seed: AccountSeed,
    /// The organisation, compared with what the server claims.
    pub org_id: OrgId,
    /// Entries of the log when the envelope was sealed; a log that does not extend it is refused.
    pub log_size: u64,
    /// Head of that log.
    pub log_head: RecordId,
}

/// An envelope of the right form. Nothing in it is verified before [`Envelope::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    header: EnvelopeHeader,
    bytes: [u8; Envelope::LEN],
}

impl Envelope {
    /// Length in bytes.
    pub const LEN: usize = HEADER + CONTENTS + aead::OVERHEAD;

    /// Seals `contents` under `kek`.
    pub fn seal(kek: &EnvelopeKey, header: EnvelopeHeader, contents: &EnvelopeContents) -> Self {
        let head = header.to_bytes();
        let sealed = stack::wiped(|| {
            let plaintext = contents.to_bytes(header.epoch);
            aead::seal(kek.expose(), &aad(&head), &plaintext[..])
        });
        let mut bytes = [0; Self::LEN];
        bytes[..HEADER].copy_from_slice(&head);
        bytes[HEADER..].copy_from_slice(&sealed);
        Self { header, bytes }
    }

    /// Reads what a server or a disk holds.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it has not the form, or is of another suite.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let bytes: [u8; Self::LEN] = bytes.try_into().map_err(|_| EnvelopeError)?;
        let header = EnvelopeHeader::from_bytes(&bytes[..HEADER]).ok_or(EnvelopeError)?;
        Ok(Self { header, bytes })
    }

    /// The readable part. It is proven only once [`Self::open`] succeeds.
    pub fn header(&self) -> &EnvelopeHeader {
        &self.header
    }

    /// As it travels.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.bytes
    }

    /// SHA-256 of it: what the credential states.
    pub fn digest(&self) -> Digest {
        Digest::new(Sha256::digest(self.bytes).into())
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`EnvelopeError`], one for all failures.
    pub fn open(&self, kek: &EnvelopeKey) -> Result<EnvelopeContents, EnvelopeError> {
        let (head, sealed) = self.bytes.split_at(HEADER);
        stack::wiped(|| {
            let plaintext = aead::open(kek.expose(), &aad(head), sealed).map_err(|_| EnvelopeError)?;
            EnvelopeContents::from_bytes(&plaintext, self.header.epoch).ok_or(EnvelopeError)
        })
    }
}

fn aad(header: &[u8]) -> Vec<u8> {
    labels::labelled(labels::ENVELOPE, &[header])
}

impl EnvelopeHeader {
    fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..16].copy_from_slice(self.user_id.as_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_be_bytes());
        bytes[24..32].copy_from_slice(&SUITE.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[40] = u8::from(self.account_key);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let user_id = UserId::new(*fields.take()?);
        let generation = fields.integer()?;
        let suite = fields.integer()?;
        let epoch = fields.integer()?;
        let account_key = match fields.take::<1>()? {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        (suite == SUITE).then_some(Self { user_id, generation, epoch, account_key })
    }
}

impl EnvelopeContents {
    fn to_bytes(&self, epoch: u64) -> Zeroizing<[u8; CONTENTS]> {
        let mut bytes = Zeroizing::new([0; CONTENTS]);
        bytes[..32].copy_from_slice(self.seed.expose());
        bytes[32..64].copy_from_slice(self.org_id.as_bytes());
        bytes[64..72].copy_from_slice(&self.log_size.to_be_bytes());
        bytes[72..104].copy_from_slice(self.log_head.as_bytes());
        bytes[104..].copy_from_slice(&epoch.to_be_bytes());
        bytes
    }

    /// `None` unless the epoch inside is the header's.
    fn from_bytes(bytes: &[u8], epoch: u64) -> Option<Self> {
        let mut fields = Fields(bytes);
        let contents = Self {
            seed: AccountSeed::from_slice(fields.take::<32>()?)?,
            org_id: OrgId::new(*fields.take()?),
            log_size: fields.integer()?,
            log_head: RecordId::new(*fields.take()?),
        };
        (fields.integer()? == epoch && fields.0.is_empty()).then_some(contents)
    }
}

/// Reads fixed-length fields one after another.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    fn integer(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> EnvelopeHeader {
        EnvelopeHeader { user_id: UserId::new([3; 16]), generation: 2, epoch: 5, account_key: true }
    }

    fn contents() -> EnvelopeContents {
        EnvelopeContents {
            seed: AccountSeed::take(&mut [1; 32]),
            org_id: OrgId::new([2; 32]),
            log_size: 9,
            log_head: RecordId::new([4; 32]),
        }
    }

    #[test]
    fn round_trips_under_its_key_only() {
        let kek = EnvelopeKey::random();
        let envelope = Envelope::seal(&kek, header(), &contents());
        assert_eq!(envelope.as_bytes().len(), 193);
        let read = Envelope::parse(envelope.as_bytes()).unwrap();
        assert_eq!(read.header(), &header());
        assert_eq!(read.open(&kek), Ok(contents()));
        assert_eq!(read.open(&EnvelopeKey::random()), Err(EnvelopeError));
    }

    #[test]
    fn the_header_is_as_documented() {
        let bytes = header().to_bytes();
        assert_eq!(bytes[..16], [3; 16]);
        assert_eq!(
            bytes[16..40],
            [[0, 0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 5]].concat()
        );
        assert_eq!(bytes[40], 1);
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let kek = EnvelopeKey::random();
        let envelope = Envelope::seal(&kek, header(), &contents());
        for at in 0..Envelope::LEN {
            for bit in 0..8 {
                let mut bytes = *envelope.as_bytes();
                bytes[at] ^= 1 << bit;
                let opened = Envelope::parse(&bytes).and_then(|envelope| envelope.open(&kek));
                assert_eq!(opened, Err(EnvelopeError), "byte {at} bit {bit}");
            }
        }
        assert_eq!(Envelope::parse(&envelope.as_bytes()[..192]), Err(EnvelopeError));
        assert_eq!(Envelope::parse(&[&envelope.as_bytes()[..], &[0]].concat()), Err(EnvelopeError));
    }

    #[test]
    fn the_epoch_inside_must_be_the_headers() {
        let kek = EnvelopeKey::random();
        let head = header().to_bytes();
        let sealed = aead::seal(kek.expose(), &aad(&head), &contents().to_bytes(4)[..]);
        let envelope = Envelope::parse(&[&head[..], &sealed].concat()).unwrap();
        assert_eq!(envelope.open(&kek), Err(EnvelopeError));
    }

    #[test]
    fn another_suite_or_flag_is_no_envelope() {
        let envelope = Envelope::seal(&EnvelopeKey::random(), header(), &contents());
        for (at, value) in [(31, 2), (40, 2)] {
            let mut bytes = *envelope.as_bytes();
            bytes[at] = value;
            assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError));
        }
    }
}
