//! An organisation with one delivery, the same at every start but for what HPKE draws: what the targets change.

use std::sync::LazyLock;

use sealpost_crypto::{
    account::Account,
    encoding::{Base64, Text},
    id::{Digest, FileId, UserId},
    invite::{InviteCode, OfferRequest, VerifiedAcceptance, VerifiedOffer, accept, offer},
    keys::{FileKeys, Place},
    log::{Founding, Log},
    manifest::{self, ManifestDraft, VerifiedManifest},
    metadata,
    opening::Opening,
    pair::PairState,
    parts::content_digest,
    record::{RawRecord, Signed, signed_bytes},
    records::Role,
    secret::{AccountSeed, FileKey, InviteSecret, SigningSeed},
    share::{SealedShare, ShareRequest, VerifiedShare, seal},
    sign::SigningKey,
    size::Layout,
};

/// When everything happens, UTC seconds.
pub(crate) const NOW: u64 = 1_700_000_000;
/// Size of the delivered file, bytes.
pub(crate) const SIZE: u64 = 10_000;

/// The organisation, the people, and the file.
pub(crate) struct World {
    pub(crate) log: Log,
    pub(crate) ops: Account,
    pub(crate) client: Account,
    pub(crate) file_key: FileKey,
    pub(crate) metadata: Vec<u8>,
    pub(crate) manifest: VerifiedManifest,
    pub(crate) sealed: SealedShare,
    pub(crate) pair: PairState,
}

/// The one world of a process.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::new);

/// Signs any payload as any type, also one that is no such record.
pub(crate) fn sign_payload(kind: &str, payload: &[u8], key: &SigningKey) -> RawRecord {
    let signature = key.sign(&signed_bytes(kind, payload));
    RawRecord { kind: kind.to_owned(), payload: Base64(payload.to_vec()), signature }
}

/// The seed of somebody, by number.
pub(crate) fn seed(number: u8) -> AccountSeed {
    AccountSeed::take(&mut [number; 32])
}

/// The key under which the server signs checkpoints.
pub(crate) fn server_key() -> SigningKey {
    SigningKey::from_seed(&SigningSeed::take(&mut [9; 32]))
}

/// Lets the server sign the log's head.
pub(crate) fn checkpoint(log: &mut Log, server: &SigningKey) {
    let checkpoint = Signed::sign(log.to_checkpoint(), server).unwrap().into_raw();
    log.accept_checkpoint(checkpoint).unwrap();
}

/// Somebody's opening, by number.
pub(crate) fn opening(number: u8) -> Opening {
    Opening {
        user_id: UserId::new([number; 16]),
        salt: Digest::new([number; 32]),
        email: format!("{number}@example.org").parse().unwrap(),
        name: String::new(),
    }
}

impl World {
    fn new() -> Self {
        let server = server_key();
        let founding = Founding {
            user_id: opening(1).user_id,
            subject: opening(1).subject().unwrap(),
            name: "Example".to_owned(),
            checkpoint_key: server.public_key(),
            nonce: Digest::new([7; 32]),
        };
        let (mut log, ops) = Log::create(&seed(1), founding).unwrap();
        checkpoint(&mut log, &server);
        let client = admit(&mut log, &ops, 2);
        checkpoint(&mut log, &server);

        let place = Place { org_id: log.org_id(), file_id: FileId::new([3; 16]), version: 1 };
        let file_key = FileKey::take(&mut [4; 32]);
        let keys = FileKeys::derive(&file_key, &place);
        let metadata = metadata::Metadata {
            name: Text("report.pdf".to_owned()),
            media_type: Text(String::new()),
            size: SIZE,
            modified: NOW,
            note: Text(String::new()),
        };
        let metadata = metadata.seal(&keys.metadata, &place).unwrap();
        let layout = Layout::for_size(SIZE).unwrap();
        let draft = ManifestDraft {
            digest: content_digest(layout.ciphertext_length(), &[Digest::new([5; 32])]),
            layout,
            metadata: metadata::sealed_hash(&metadata),
            commitment: keys.commitment,
            time: NOW,
        };
        let signer = log.ops_signer(&ops).unwrap();
        let manifest = manifest::sign(&signer, place.file_id, draft).unwrap();
        let pair = PairState::new(ops.user_id(), client.user_id());
        let request = ShareRequest {
            manifest: &manifest,
            file_key: &file_key,
            recipient: log.active(client.user_id()).unwrap(),
            pair: &pair,
            expiry: 0,
            limit: 0,
            time: NOW,
        };
        let (sealed, _) = seal(&signer, &request).unwrap();
        Self { ops, client, file_key, metadata, manifest, sealed, pair, log }
    }

    /// The delivery as its recipient verifies it.
    pub(crate) fn share(&self) -> VerifiedShare {
        let manifest = self.manifest.raw().clone();
        VerifiedShare::verify(&self.sealed, manifest, &self.log, self.client.user_id(), false).unwrap()
    }
}

/// Invites and certifies somebody by all the steps of an invite.
fn admit(log: &mut Log, ops: &Account, number: u8) -> Account {
    let code = InviteCode::from_secret(InviteSecret::take(&mut [number; 16]));
    let request =
        OfferRequest { opening: opening(number), role: Role::Client, account_key: false, expiry: NOW + 60 };
    let signer = log.ops_signer(ops).unwrap();
    let sealed = offer(&signer, &code, request).unwrap();
    let offered = VerifiedOffer::verify(sealed.clone(), &code, log, NOW).unwrap();
    let account = Account::derive(&seed(number), log.org_id(), opening(number).user_id, 1).unwrap();
    let accepted = accept(&offered, &code, &account).unwrap();
    let acceptance = VerifiedAcceptance::verify(accepted, sealed.offer, code.secret(), log, NOW).unwrap();
    let entry = signer.certify(&acceptance, None).unwrap().into_raw();
    log.apply(entry, Some(account.bundle().raw())).unwrap();
    account
}
