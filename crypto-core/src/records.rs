//! What each type of record says (protocol §4's table). The order of the fields is the order of the encoding.
//!
//! Conventions: a person who signs about themselves is named once, as `signer`; "none" is zeros; roles and
//! reasons are small integers; `log_size`, `log_head`, `log_sig` name the newest log state the signer had
//! verified, with the server's checkpoint signature over it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    encoding::{Base64, Text, int53},
    id::{Digest, FileId, InviteId, OrgId, RecordId, UserId},
    kem::KemPublicKey,
    record::{Author, Authored, Record},
    sign::{Signature, SigningPublicKey},
};

/// The only suite of version 1 (protocol §2).
pub const SUITE: u64 = 1;

/// An enumeration that travels as a small integer.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The integer that stands for it.
            pub const fn code(self) -> u64 {
                match self { $(Self::$variant => $code,)* }
            }

            /// From its integer.
            pub const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.code())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::from_code(u64::deserialize(deserializer)?)
                    .ok_or_else(|| de::Error::custom(concat!("unknown ", stringify!($name))))
            }
        }
    };
}

coded!(
    /// What a person may do.
    Role {
        /// Lists what was shared with them, downloads it.
        Client = 1,
        /// Uploads, shares, invites.
        Ops = 2,
    }
);
coded!(
    /// Why somebody was revoked.
    RevokeReason {
        /// Left the organisation: what they signed before stays valid, marked.
        Left = 1,
        /// Their keys may be in other hands: nothing they signed counts any more.
        Compromised = 2,
    }
);

/// Declares record types with their `type` string and, where they have one, their author.
macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident $(authored $yes:tt)? {
            $($(#[$fdoc:meta])* $field:ident: $type:ty,)*
        }
    )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }

        impl Record for $name {
            const KIND: &'static str = $kind;
        }

        $(records!(@authored $yes $name);)?
    )* };
    (@authored yes $name:ident) => {
        impl Authored for $name {
            fn author(&self) -> Author {
                Author { org_id: self.org_id, signer: self.signer, signer_bundle: self.signer_bundle }
            }
        }
    };
}

records! {
    /// The organisation's first record; its id is the organisation's id. Signed by the key inside it.
    "genesis" Genesis {
        /// The founder.
        user_id: UserId,
        /// Commitment to the founder's e-mail address and name.
        subject: Digest,
        /// The founder's Ed25519 key.
        signing_key: SigningPublicKey,
        /// The founder's X-Wing key.
        kem_key: KemPublicKey,
        /// [`SUITE`].
        #[serde(with = "int53")]
        suite: u64,
        /// 1.
        #[serde(with = "int53")]
        generation: u64,
        /// 32 random bytes, so that no two organisations share an id.
        nonce: Digest,
        /// The organisation's name, shown to everybody invited.
        name: Text,
        /// The key under which the server signs checkpoints.
        checkpoint_key: SigningPublicKey,
    }

    /// A person's public keys. Signed by the signing key inside it.
    "bundle" Bundle {
        /// The organisation.
        org_id: OrgId,
        /// Whose keys.
        user_id: UserId,
        /// Ed25519.
        signing_key: SigningPublicKey,
        /// X-Wing.
        kem_key: KemPublicKey,
        /// [`SUITE`].
        #[serde(with = "int53")]
        suite: u64,
        /// From 1, up by one at each rotation.
        #[serde(with = "int53")]
        generation: u64,
    }

    /// Admits a person to the organisation with a role and a first bundle.
    "certify" Certify authored yes {
        /// The organisation.
        org_id: OrgId,
        /// An active Ops member.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// Position in the log; genesis is 0.
        #[serde(with = "int53")]
        sequence: u64,
        /// H(the entry before).
        previous: RecordId,
        /// Who is admitted; once only.
        user_id: UserId,
        /// Commitment to their e-mail address and name, as in the OFFER.
        subject: Digest,
        /// What they may do.
        role: Role,
        /// H(their bundle).
        bundle: RecordId,
        /// That bundle's generation.
        #[serde(with = "int53")]
        generation: u64,
        /// H(OFFER).
        offer: RecordId,
        /// The account that this one replaces, or zeros.
        replaces: UserId,
    }

    /// Puts a person's next bundle in place of the current one. Signed by the old key.
    "rotate" Rotate authored yes {
        /// The organisation.
        org_id: OrgId,
        /// Who rotates.
        signer: UserId,
        /// The old bundle.
        signer_bundle: RecordId,
        /// Position in the log.
        #[serde(with = "int53")]
        sequence: u64,
        /// H(the entry before).
        previous: RecordId,
        /// H(the new bundle).
        bundle: RecordId,
        /// The new bundle's generation.
        #[serde(with = "int53")]
        generation: u64,
    }

    /// Ends a person's membership.
    "revoke" Revoke authored yes {
        /// The organisation.
        org_id: OrgId,
        /// An active Ops member.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// Position in the log.
        #[serde(with = "int53")]
        sequence: u64,
        /// H(the entry before).
        previous: RecordId,
        /// Who is revoked.
        user_id: UserId,
        /// Records naming a log of at most this size still count (reason `left`); at most `sequence`.
        #[serde(with = "int53")]
        last_valid_size: u64,
        /// Why.
        reason: RevokeReason,
    }

    /// Gives the server a new checkpoint key, valid for checkpoints of a size that includes this entry.
    "service" Service authored yes {
        /// The organisation.
        org_id: OrgId,
        /// An active Ops member.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// Position in the log.
        #[serde(with = "int53")]
        sequence: u64,
        /// H(the entry before).
        previous: RecordId,
        /// The new key.
        checkpoint_key: SigningPublicKey,
    }

    /// The server's statement of the log's size and head. Signed by the checkpoint key.
    "checkpoint" Checkpoint {
        /// The organisation.
        org_id: OrgId,
        /// How many entries the log has.
        #[serde(with = "int53")]
        log_size: u64,
        /// H(the last entry).
        log_head: RecordId,
    }

    /// An Ops member's invitation of one person (§6).
    "offer" Offer authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The inviter, an active Ops member.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// Derived from the code.
        invite_id: InviteId,
        /// The account that the invitee will have.
        user_id: UserId,
        /// Commitment to the invitee's e-mail address and name.
        subject: Digest,
        /// The role offered.
        role: Role,
        /// Whether the account must use an account key beside the password.
        account_key: bool,
        /// Until when it may be accepted; UTC seconds.
        #[serde(with = "int53")]
        expiry: u64,
        /// Entries in the newest log the signer verified.
        #[serde(with = "int53")]
        log_size: u64,
        /// Its head.
        log_head: RecordId,
        /// The server's checkpoint signature over both.
        log_sig: Signature,
    }

    /// The invitee's answer, signed by the key of the bundle it registers (§6).
    "accept" Accept authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The invitee.
        signer: UserId,
        /// H(the new bundle).
        signer_bundle: RecordId,
        /// H(OFFER).
        offer: RecordId,
    }

    /// What a login rests on, for registration, password change, recovery and rotation alike (§3).
    "credential" Credential authored yes {
        /// The organisation.
        org_id: OrgId,
        /// Whose.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// That bundle's generation.
        #[serde(with = "int53")]
        generation: u64,
        /// From 1, up by one at each change.
        #[serde(with = "int53")]
        epoch: u64,
        /// Whether an account key is needed beside the password.
        account_key: bool,
        /// The server's nonce for this change.
        nonce: Digest,
        /// SHA-256(OPAQUE registration record).
        opaque_record: Digest,
        /// SHA-256(envelope).
        envelope: Digest,
        /// H(the credential before), or zeros.
        previous: RecordId,
    }

    /// Signs in with the account's key instead of the password (§9).
    "login" Login authored yes {
        /// The organisation.
        org_id: OrgId,
        /// Who.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// The server's nonce.
        nonce: Digest,
        /// UTC seconds.
        #[serde(with = "int53")]
        time: u64,
    }

    /// The owner's statement of one version of a file (§7).
    "manifest" Manifest authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The owner.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// The file.
        file_id: FileId,
        /// From 1.
        #[serde(with = "int53")]
        version: u64,
        /// Ciphertext length in bytes, over all parts.
        #[serde(with = "int53")]
        length: u64,
        /// BLAKE3 over the digests of the parts.
        digest: Digest,
        /// SHA-256(sealed metadata).
        metadata: Digest,
        /// Commitment to the file key.
        commitment: Digest,
        /// H(the manifest of the version before), or zeros.
        previous: RecordId,
        /// UTC seconds, by the owner's clock.
        #[serde(with = "int53")]
        time: u64,
        /// Entries in the newest log the signer verified.
        #[serde(with = "int53")]
        log_size: u64,
        /// Its head.
        log_head: RecordId,
        /// The server's checkpoint signature over both.
        log_sig: Signature,
    }

    /// The owner's grant of one version of a file to one person (§7).
    "share" Share authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The sender: the file's owner.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// Encoding of a [`ShareContext`]; its SHA-256 is bound into HPKE's info.
        context: Base64,
        /// SHA-256(enc ‖ ct).
        sealed: Digest,
    }

    /// Ends a grant, for every version of the file.
    "unshare" Unshare authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The owner.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// The file.
        file_id: FileId,
        /// Whose grant ends.
        recipient: UserId,
        /// H(the share that ends).
        share: RecordId,
        /// Position among all records of this pair (sender, recipient), from 1.
        #[serde(with = "int53")]
        pair_sequence: u64,
        /// H(the pair's record before), or zeros.
        pair_previous: RecordId,
        /// UTC seconds.
        #[serde(with = "int53")]
        time: u64,
        /// Entries in the newest log the signer verified.
        #[serde(with = "int53")]
        log_size: u64,
        /// Its head.
        log_head: RecordId,
        /// The server's checkpoint signature over both.
        log_sig: Signature,
    }

    /// Takes a revoked owner's file out of circulation.
    "withdraw" Withdraw authored yes {
        /// The organisation.
        org_id: OrgId,
        /// An active Ops member.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// The file.
        file_id: FileId,
    }

    /// The recipient's statement that every byte arrived and verified.
    "receipt" Receipt authored yes {
        /// The organisation.
        org_id: OrgId,
        /// The recipient.
        signer: UserId,
        /// Their bundle.
        signer_bundle: RecordId,
        /// H(share).
        share: RecordId,
        /// H(manifest).
        manifest: RecordId,
        /// UTC seconds, by the recipient's clock.
        #[serde(with = "int53")]
        time: u64,
        /// Entries in the newest log the signer verified.
        #[serde(with = "int53")]
        log_size: u64,
        /// Its head.
        log_head: RecordId,
        /// The server's checkpoint signature over both.
        log_sig: Signature,
    }
}

/// What a share binds into the wrapping itself; encoded by the same strict rules, inside [`Share::context`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareContext {
    /// The file.
    pub file_id: FileId,
    /// Its version.
    #[serde(with = "int53")]
    pub version: u64,
    /// H(manifest).
    pub manifest: RecordId,
    /// Commitment to the file key, as in the manifest.
    pub commitment: Digest,
    /// The owner.
    pub sender: UserId,
    /// H(the owner's bundle).
    pub sender_bundle: RecordId,
    /// To whom.
    pub recipient: UserId,
    /// H(the bundle that the key is wrapped to).
    pub recipient_bundle: RecordId,
    /// Position among all records of this pair (sender, recipient), from 1.
    #[serde(with = "int53")]
    pub pair_sequence: u64,
    /// H(the pair's record before), or zeros.
    pub pair_previous: RecordId,
    /// UTC seconds after which the server refuses, or 0 for never.
    #[serde(with = "int53")]
    pub expiry: u64,
    /// How many downloads the server allows, or 0 for any number.
    #[serde(with = "int53")]
    pub limit: u64,
    /// UTC seconds, by the sender's clock.
    #[serde(with = "int53")]
    pub time: u64,
    /// Entries in the newest log the signer verified.
    #[serde(with = "int53")]
    pub log_size: u64,
    /// Its head.
    pub log_head: RecordId,
    /// The server's checkpoint signature over both.
    pub log_sig: Signature,
}

/// The log state that a record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    /// How many entries.
    pub size: u64,
    /// H(the last entry).
    pub head: RecordId,
    /// The checkpoint key's signature over both.
    pub signature: Signature,
}

/// A record that names the log state its signer had verified.
pub trait Positioned {
    /// That state; its signature is not verified yet.
    fn position(&self) -> LogPosition;
}

macro_rules! positioned {
    ($($name:ident),*) => { $(
        impl Positioned for $name {
            fn position(&self) -> LogPosition {
                LogPosition { size: self.log_size, head: self.log_head, signature: self.log_sig.clone() }
            }
        }
    )* };
}
positioned!(Offer, Manifest, ShareContext, Unshare, Receipt);
