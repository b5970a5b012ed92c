//! Founding, inviting, joining, certifying.

use sealpost_api::{
    auth::{Found, FounderRegister, Refresh, RegisterChallenge, Registration, ServerInfo, Session},
    invite::{AcceptInvite, CreateInvite, InviteRegister},
    log::AppendLog,
    routes,
    token::Token,
};
use sealpost_crypto::{
    encoding::{Base64, Text, to_base64},
    envelope::{Envelope, EnvelopeContents, EnvelopeHeader},
    id::{Digest, InviteId, OrgId, RecordId, UserId},
    keys::AccountKeys,
    opening::Opening,
    password::{ClientRegistration, Identifiers, OpaqueInput, Password},
    record::{RawRecord, Record, Signed},
    records::{Accept, Bundle, Certify, Credential, Genesis, Offer, Revoke, RevokeReason, Role, SUITE},
    secret::{AccountSeed, EnvelopeKey},
};

use super::{Position, random_bytes, sha256, subject};
use crate::{
    http::{Answer, Api, Credential as Sender},
    server::TestServer,
};

/// The ristretto255 base point (RFC 9496 A.1): a valid element wherever OPAQUE wants one.
pub(super) const BASE_POINT: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58,
    0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

/// Seconds that invites stay open here.
const INVITE_SECONDS: u64 = 7 * 86_400;

/// Somebody with keys and, once registered, a session.
pub struct Person {
    /// The organisation.
    pub org_id: OrgId,
    /// Their account.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// Their secret.
    pub seed: AccountSeed,
    /// What derives from it.
    pub keys: AccountKeys,
    /// Their public keys.
    pub bundle: Signed<Bundle>,
    /// Their session's client.
    pub api: Api,
    /// The session they got at registration.
    pub session: Session,
}

/// An invite from its maker's side, with what the code would carry.
pub struct Invitation {
    /// The request, changeable before it is sent.
    pub request: CreateInvite,
    /// OFFER.
    pub offer: Signed<Offer>,
    /// The invitee's token, as it stands in the header.
    pub token: String,
    /// The invitee's client.
    pub api: Api,
}

/// What founds the organisation, and whose keys it is signed with.
pub struct Founding {
    /// The request.
    pub request: Found,
    seed: AccountSeed,
    keys: AccountKeys,
    bundle: Signed<Bundle>,
    org_id: OrgId,
    email: String,
}

/// Founds the organisation; its first Ops member.
pub async fn found(server: &TestServer) -> Person {
    let founding = founding(server).await;
    let api = server.api();
    let session: Session = api.call(&routes::ORGANISATION, &[], &founding.request).await.json();
    let Founding { request, seed, keys, bundle, org_id, email } = founding;
    let user_id = request.opening.user_id;
    Person { org_id, user_id, email, seed, keys, bundle, api: api.with(bearer(&session)), session }
}

/// What founds the organisation, without sending it.
pub async fn founding(server: &TestServer) -> Founding {
    let api = server.api();
    let info: ServerInfo = api.get(&routes::SERVER, &[]).await.json();
    let (seed, user_id, email) = (AccountSeed::random(), UserId::random(), "ops@example.com".to_owned());
    let keys = AccountKeys::derive(&seed);
    let opening =
        Opening { user_id, salt: Digest::random(), email: email.parse().unwrap(), name: "Olga Ops".into() };
    let genesis = Genesis {
        user_id,
        subject: subject(&opening.salt, user_id, &email, &opening.name),
        signing_key: keys.signing.public_key(),
        kem_key: keys.kem.public_key().clone(),
        suite: SUITE,
        generation: 1,
        nonce: Digest::random(),
        name: Text("Example & Co".into()),
        checkpoint_key: info.checkpoint_key,
    };
    let genesis = Signed::sign(genesis, &keys.signing).unwrap();
    let org_id = OrgId::new(*genesis.id().as_bytes());
    let setup_token = Token::new(server.setup_token());
    let register = FounderRegister {
        setup_token: setup_token.clone(),
        org_id,
        email: email.clone(),
        request: Base64(BASE_POINT.to_vec()),
    };
    let challenge: RegisterChallenge = api.call(&routes::ORGANISATION_REGISTER, &[], &register).await.json();
    let bundle = sign_bundle(&keys, org_id, user_id);
    let registration = registration(&seed, &keys, &bundle, challenge.nonce, true, no_password());
    let request = Found { setup_token, genesis: genesis.into_raw(), opening, registration };
    Founding { request, seed, keys, bundle, org_id, email }
}

/// An Ops member, and a certified client.
pub async fn found_and_join(server: &TestServer) -> (Person, Person) {
    let ops = found(server).await;
    let client = ops.welcome("client@example.com").await;
    (ops, client)
}

impl Person {
    /// Signs anything.
    pub fn sign<R: Record>(&self, record: R) -> Signed<R> {
        Signed::sign(record, &self.keys.signing).unwrap()
    }

    /// The same person with another session.
    pub fn api_with_token(&self, token: &str) -> Api {
        self.api.with(Sender::Bearer(token.to_owned()))
    }

    /// The server's clock, UTC seconds.
    pub async fn now(&self) -> u64 {
        self.api.get(&routes::SERVER, &[]).await.json::<ServerInfo>().time
    }

    /// Makes an OFFER, without sending it.
    pub async fn offer(&self, email: &str) -> Invitation {
        self.offer_with(email, |_| {}).await
    }

    /// Makes an OFFER that `change` changes before it is signed.
    pub async fn offer_with(&self, email: &str, change: impl FnOnce(&mut Offer)) -> Invitation {
        let (user_id, email) = (UserId::random(), email.parse().unwrap());
        let opening = Opening { user_id, salt: Digest::random(), email, name: String::new() };
        self.offer_to(opening, change).await
    }

    /// Makes another OFFER for the same account.
    pub async fn offer_again(&self, before: &Invitation) -> Invitation {
        let mut again = self.offer_to(before.request.opening.clone(), |_| {}).await;
        again.request.replaces = before.request.replaces;
        again
    }

    async fn offer_to(&self, opening: Opening, change: impl FnOnce(&mut Offer)) -> Invitation {
        let (user_id, position) = (opening.user_id, Position::newest(&self.api).await);
        let mut offer = Offer {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            invite_id: InviteId::random(),
            user_id,
            subject: subject(&opening.salt, user_id, opening.email.as_str(), ""),
            role: Role::Client,
            account_key: false,
            expiry: self.now().await + INVITE_SECONDS,
            log_size: position.size,
            log_head: position.head,
            log_sig: position.signature,
        };
        change(&mut offer);
        let offer = self.sign(offer);
        let token = random_bytes(32);
        let request = CreateInvite {
            offer: offer.raw().clone(),
            mac: Digest::random(),
            opening,
            sealed_opening: Base64(random_bytes(120)),
            token_hash: sha256(&[&token]),
            replaces: None,
        };
        let token = to_base64(&token);
        let api = self.api.with(Sender::Invite(token.clone()));
        Invitation { request, offer, token, api }
    }

    /// Invites.
    pub async fn invite(&self, email: &str) -> Invitation {
        let invitation = self.offer(email).await;
        self.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await.ok();
        invitation
    }

    /// CERTIFY for somebody who accepted, without sending it.
    pub async fn certificate(&self, invitation: &Invitation, person: &Person) -> Signed<Certify> {
        let position = Position::newest(&self.api).await;
        self.sign(Certify {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            sequence: position.size,
            previous: position.head,
            user_id: person.user_id,
            subject: invitation.offer.subject,
            role: invitation.offer.role,
            bundle: person.bundle.id(),
            generation: 1,
            offer: invitation.offer.id(),
            replaces: UserId::ZERO,
        })
    }

    /// Certifies somebody who accepted.
    pub async fn certify(&self, invitation: &Invitation, person: &Person) {
        let record = self.certificate(invitation, person).await.into_raw();
        self.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await.ok();
    }

    /// Continues the session with fresh tokens, as a device does when the access token has expired.
    pub async fn refresh(&mut self) {
        let refresh_token = self.session.tokens.refresh_token.clone();
        let answer = self.api.call(&routes::REFRESH, &[], &Refresh { refresh_token }).await;
        self.session.tokens = answer.json();
        self.api = self.api.with(bearer(&self.session));
    }

    /// Invites, lets join, certifies.
    pub async fn welcome(&self, email: &str) -> Person {
        let invitation = self.invite(email).await;
        let person = invitation.accept().await;
        self.certify(&invitation, &person).await;
        person
    }
}

impl Person {
    /// Admits another Ops member. The server takes no such invite yet, so the role is put there behind its back.
    pub async fn welcome_ops(&self, server: &TestServer, email: &str) -> Self {
        let invitation = self.invite(email).await;
        let id = server.literal(&invitation.id());
        server.execute(format!("UPDATE invites SET role = 2 WHERE invite_id = {id}")).await;
        let person = invitation.accept().await;
        let entry = self.certificate(&invitation, &person).await.get().clone();
        let record = self.sign(Certify { role: Role::Ops, ..entry }).into_raw();
        self.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await.ok();
        person
    }

    /// The entry that ends a membership, without sending it.
    pub async fn revocation(&self, of: &Self, reason: RevokeReason) -> RawRecord {
        let position = Position::newest(&self.api).await;
        let entry = Revoke {
            org_id: self.org_id,
            signer: self.user_id,
            signer_bundle: self.bundle.id(),
            sequence: position.size,
            previous: position.head,
            user_id: of.user_id,
            last_valid_size: position.size,
            reason,
        };
        self.sign(entry).into_raw()
    }

    /// Appends an entry to the log.
    pub async fn append(&self, record: &RawRecord) -> Answer {
        self.api.call(&routes::APPEND_LOG, &[], &AppendLog { record: record.clone() }).await
    }

    /// Ends somebody's membership.
    pub async fn revoke(&self, of: &Self, reason: RevokeReason) {
        let record = self.revocation(of, reason).await;
        self.append(&record).await.ok();
    }
}

impl Invitation {
    /// The invite's id.
    pub fn id(&self) -> InviteId {
        self.offer.invite_id
    }

    /// The invitee's address.
    pub fn email(&self) -> String {
        self.request.opening.email.to_string()
    }

    /// Accepts; a pending account.
    pub async fn accept(&self) -> Person {
        let (seed, request) = self.acceptance().await;
        let answer = self.send_acceptance(&request).await;
        self.joined(seed, answer.json())
    }

    /// Accepts with a password that [`super::SignIn`] can use; a pending account.
    pub async fn accept_with(&self, password: &str) -> Person {
        self.accept_as(AccountSeed::random(), password).await
    }

    /// The same by somebody who has this seed already.
    pub async fn accept_as(&self, seed: AccountSeed, password: &str) -> Person {
        let input = OpaqueInput::derive(&Password::new(password.to_owned()).unwrap(), None);
        let (request, state) = ClientRegistration::start(input).unwrap();
        let challenge = self.register(&request).await;
        let identifiers = Identifiers::new(&self.email(), &self.offer.org_id);
        let registered = state.finish(&challenge.response.0, &identifiers).unwrap();
        let request = self.acceptance_of(&seed, challenge.nonce, registered.record.to_vec());
        let answer = self.send_acceptance(&request).await;
        self.joined(seed, answer.json())
    }

    /// ACCEPT by fresh keys and all that goes with it, without sending it.
    pub async fn acceptance(&self) -> (AccountSeed, AcceptInvite) {
        let (seed, challenge) = (AccountSeed::random(), self.register(&BASE_POINT).await);
        let request = self.acceptance_of(&seed, challenge.nonce, no_password());
        (seed, request)
    }

    async fn register(&self, request: &[u8]) -> RegisterChallenge {
        let register = InviteRegister { request: Base64(request.to_vec()) };
        self.api.call(&routes::INVITE_REGISTER, &[&self.id()], &register).await.json()
    }

    fn acceptance_of(&self, seed: &AccountSeed, nonce: Digest, opaque_record: Vec<u8>) -> AcceptInvite {
        let keys = AccountKeys::derive(seed);
        let bundle = sign_bundle(&keys, self.offer.org_id, self.offer.user_id);
        let accept = Accept {
            org_id: self.offer.org_id,
            signer: self.offer.user_id,
            signer_bundle: bundle.id(),
            offer: self.offer.id(),
        };
        AcceptInvite {
            accept: Signed::sign(accept, &keys.signing).unwrap().into_raw(),
            mac: Digest::random(),
            registration: registration(seed, &keys, &bundle, nonce, self.offer.account_key, opaque_record),
        }
    }

    /// Sends ACCEPT.
    pub async fn send_acceptance(&self, request: &AcceptInvite) -> Answer {
        self.api.call(&routes::INVITE_ACCEPT, &[&self.id()], request).await
    }

    /// The person who got `session` for an acceptance with `seed`.
    pub fn joined(&self, seed: AccountSeed, session: Session) -> Person {
        let keys = AccountKeys::derive(&seed);
        Person {
            org_id: self.offer.org_id,
            user_id: self.offer.user_id,
            email: self.email(),
            bundle: sign_bundle(&keys, self.offer.org_id, self.offer.user_id),
            seed,
            keys,
            api: self.api.with(bearer(&session)),
            session,
        }
    }
}

fn bearer(session: &Session) -> Sender {
    Sender::Bearer(session.tokens.access_token.expose().to_owned())
}

fn sign_bundle(keys: &AccountKeys, org_id: OrgId, user_id: UserId) -> Signed<Bundle> {
    let bundle = Bundle {
        org_id,
        user_id,
        signing_key: keys.signing.public_key(),
        kem_key: keys.kem.public_key().clone(),
        suite: SUITE,
        generation: 1,
    };
    Signed::sign(bundle, &keys.signing).unwrap()
}

/// An OPAQUE record of the right form, for people who will never sign in with a password: stretching one takes
/// half a second.
pub(super) fn no_password() -> Vec<u8> {
    [&BASE_POINT[..], &random_bytes(160)].concat()
}

/// A first registration.
fn registration(
    seed: &AccountSeed,
    keys: &AccountKeys,
    bundle: &Signed<Bundle>,
    nonce: Digest,
    account_key: bool,
    opaque_record: Vec<u8>,
) -> Registration {
    let envelope = seal_envelope(seed, bundle, 1, account_key);
    let credential = Credential {
        org_id: bundle.org_id,
        signer: bundle.user_id,
        signer_bundle: bundle.id(),
        generation: 1,
        epoch: 1,
        account_key,
        nonce,
        opaque_record: sha256(&[&opaque_record]),
        envelope: envelope.digest(),
        previous: RecordId::ZERO,
    };
    Registration {
        bundle: bundle.raw().clone(),
        opaque_record: Base64(opaque_record),
        credential: Signed::sign(credential, &keys.signing).unwrap().into_raw(),
        envelope: Base64(envelope.as_bytes().to_vec()),
        vault: Base64(random_bytes(4_136)),
    }
}

/// The seed under a key that nobody has: no test opens it.
pub(super) fn seal_envelope(
    seed: &AccountSeed,
    bundle: &Signed<Bundle>,
    epoch: u64,
    account_key: bool,
) -> Envelope {
    let header =
        EnvelopeHeader { user_id: bundle.user_id, generation: bundle.generation, epoch, account_key };
    let contents = EnvelopeContents {
        seed: seed.clone(),
        org_id: bundle.org_id,
        log_size: 1,
        log_head: RecordId::new(*bundle.org_id.as_bytes()),
    };
    Envelope::seal(&EnvelopeKey::random(), header, &contents)
}
