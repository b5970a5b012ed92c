//! People with real keys, who do what the client SDK does.

use sealpost_api::{
    account::VaultBlob,
    auth::{
        Found, FounderRegister, LoginChallenge, LoginFinish, LoginStart, RegisterChallenge, Registration,
        ServerInfo, Session, Tokens,
    },
    invite::{AcceptInvite, CreateInvite, InviteRegister, InviteView},
    log::{AppendLog, LogPage},
    routes,
};
use sealpost_crypto::{
    account::Account,
    credential::{self, CredentialChange},
    encoding::Base64,
    envelope::{Envelope, EnvelopeContents, EnvelopeHeader},
    id::{Digest, UserId},
    invite::{self, InviteCode, OfferRequest, SealedAccept, SealedOffer, VerifiedAcceptance, VerifiedOffer},
    log::{Founding, Log},
    opening::Opening,
    password::{self, ClientLogin, ClientRegistration, Identifiers, OpaqueInput, Password},
    record::RawRecord,
    records::Role,
    secret::{AccountKey, AccountSeed},
};

use super::{Answer, Auth, House};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) email: String,
    pub(crate) account: Account,
    pub(crate) account_key: Option<AccountKey>,
    pub(crate) tokens: Tokens,
}

/// An invite on its way.
pub(crate) struct Inviting {
    pub(crate) code: InviteCode,
    pub(crate) opening: Opening,
    pub(crate) sealed: SealedOffer,
    pub(crate) expiry: u64,
}

struct Keys {
    seed: AccountSeed,
    account: Account,
    account_key: Option<AccountKey>,
}

impl House {
    /// Founds the organisation; `ada@example.org` is its first Ops member.
    pub(crate) async fn found(&self) -> Person {
        let (request, person) = self.prepare_founding().await;
        self.finish_founding(&request, person).await
    }

    pub(crate) async fn finish_founding(&self, request: &Found, mut person: Person) -> Person {
        let answer = self.call(routes::ORGANISATION, &[], Auth::Nobody, request).await;
        person.tokens = answer.json::<Session>().tokens;
        person
    }

    /// Everything but the last request.
    pub(crate) async fn prepare_founding(&self) -> (Found, Person) {
        let opening = opening("ada@example.org", "Ada");
        let founding = Founding {
            user_id: opening.user_id,
            subject: opening.subject().unwrap(),
            name: "Example Ltd".to_owned(),
            checkpoint_key: self.server_info().await.checkpoint_key,
            nonce: Digest::random(),
        };
        let seed = AccountSeed::random();
        let (log, account) = Log::create(&seed, founding).unwrap();
        let keys = Keys { seed, account, account_key: Some(AccountKey::random()) };
        let (request, state) = start_registration(&keys);
        let register = FounderRegister {
            setup_token: self.setup_token.clone(),
            org_id: log.org_id(),
            email: opening.email.as_str().to_owned(),
            request,
        };
        let challenge = self.call(routes::ORGANISATION_REGISTER, &[], Auth::Nobody, &register).await.json();
        let registration = finish_registration(&keys, opening.email.as_str(), state, challenge, &log);
        let genesis = log.entries(0).next().unwrap().record;
        let setup_token = self.setup_token.clone();
        let person = person(&opening, keys);
        (Found { setup_token, genesis, opening, registration }, person)
    }

    /// What a stranger may know.
    pub(crate) async fn server_info(&self) -> ServerInfo {
        self.get(routes::SERVER, &[], "", Auth::Nobody).await.json()
    }

    /// The log as `tokens` may read it, verified.
    pub(crate) async fn log(&self, auth: Auth<'_>) -> Log {
        let page: LogPage = self.get(routes::LOG, &[], "", auth).await.json();
        let mut entries = page.entries.into_iter();
        let genesis = entries.next().unwrap();
        let mut log = Log::found(genesis.record, genesis.bundle.unwrap()).unwrap();
        for entry in entries {
            log.apply(entry.record, entry.bundle).unwrap();
        }
        log.accept_checkpoint(page.checkpoint).unwrap();
        log
    }

    /// An OFFER to `opening`, not sent yet.
    pub(crate) async fn offer(&self, ops: &Person, opening: Opening, seconds: u64) -> Inviting {
        let log = self.log(Auth::Bearer(&ops.tokens)).await;
        let (code, expiry) = (InviteCode::random(), self.clock.seconds() + seconds);
        let request =
            OfferRequest { opening: opening.clone(), role: Role::Client, account_key: false, expiry };
        let sealed = invite::offer(&log.ops_signer(&ops.account).unwrap(), &code, request).unwrap();
        Inviting { code, opening, sealed, expiry }
    }

    /// Sends the OFFER.
    pub(crate) async fn send_offer(&self, ops: &Person, inviting: &Inviting) -> Answer {
        let create = CreateInvite {
            offer: inviting.sealed.offer.clone(),
            mac: inviting.sealed.mac,
            opening: inviting.opening.clone(),
            sealed_opening: inviting.sealed.sealed_opening.clone(),
            token_hash: invite::token_hash(&inviting.code.keys().token),
            replaces: None,
        };
        self.call(routes::CREATE_INVITE, &[], Auth::Bearer(&ops.tokens), &create).await
    }

    /// Invites `email` for a day.
    pub(crate) async fn invite(&self, ops: &Person, email: &str) -> Inviting {
        let inviting = self.offer(ops, opening(email, ""), 86_400).await;
        self.send_offer(ops, &inviting).await.json::<InviteView>();
        inviting
    }

    /// An ACCEPT, not sent yet.
    pub(crate) async fn prepare_acceptance(&self, inviting: &Inviting) -> (AcceptInvite, Person) {
        let token = inviting.code.keys().token;
        let log = self.log(Auth::Invitee(&token)).await;
        let now = self.clock.seconds();
        let offer = VerifiedOffer::verify(inviting.sealed.clone(), &inviting.code, &log, now).unwrap();
        let seed = AccountSeed::random();
        let account = Account::derive(&seed, log.org_id(), inviting.opening.user_id, 1).unwrap();
        let accept = invite::accept(&offer, &inviting.code, &account).unwrap();
        let keys = Keys { seed, account, account_key: None };
        let (request, state) = start_registration(&keys);
        let (id, register) = (inviting.code.keys().invite_id, InviteRegister { request });
        let answer = self.call(routes::INVITE_REGISTER, &[&id], Auth::Invitee(&token), &register).await;
        let email = inviting.opening.email.as_str();
        let registration = finish_registration(&keys, email, state, answer.json(), &log);
        let request = AcceptInvite { accept: accept.accept, mac: accept.mac, registration };
        (request, person(&inviting.opening, keys))
    }

    pub(crate) async fn send_acceptance(&self, inviting: &Inviting, request: &AcceptInvite) -> Answer {
        let keys = inviting.code.keys();
        self.call(routes::INVITE_ACCEPT, &[&keys.invite_id], Auth::Invitee(&keys.token), request).await
    }

    /// Accepts; the account is pending.
    pub(crate) async fn accept(&self, inviting: &Inviting) -> Person {
        let (request, mut person) = self.prepare_acceptance(inviting).await;
        person.tokens = self.send_acceptance(inviting, &request).await.json::<Session>().tokens;
        person
    }

    /// A `certify` entry for an accepted invite, for the place after the newest.
    pub(crate) async fn certification(&self, ops: &Person, inviting: &Inviting) -> RawRecord {
        let keys = inviting.code.keys();
        let view: InviteView =
            self.get(routes::INVITE, &[&keys.invite_id], "", Auth::Invitee(&keys.token)).await.json();
        let acceptance = view.acceptance.unwrap();
        let sealed =
            SealedAccept { accept: acceptance.accept, mac: acceptance.mac, bundle: acceptance.bundle };
        let log = self.log(Auth::Bearer(&ops.tokens)).await;
        // By the invite's own clock: whether it is too late is the server's to say.
        let verified =
            VerifiedAcceptance::verify(sealed, view.offer, inviting.code.secret(), &log, inviting.expiry)
                .unwrap();
        log.ops_signer(&ops.account).unwrap().certify(&verified, None).unwrap().into_raw()
    }

    pub(crate) async fn append(&self, ops: &Person, record: RawRecord) -> Answer {
        self.call(routes::APPEND_LOG, &[], Auth::Bearer(&ops.tokens), &AppendLog { record }).await
    }

    /// Invites, accepts, certifies.
    pub(crate) async fn admit(&self, ops: &Person, email: &str) -> Person {
        let inviting = self.invite(ops, email).await;
        let person = self.accept(&inviting).await;
        let entry = self.certification(ops, &inviting).await;
        self.append(ops, entry).await.ok();
        person
    }

    /// First message of a sign-in.
    pub(crate) async fn login_start(&self, email: &str, ke1: &[u8]) -> Answer {
        let start = LoginStart { email: email.to_owned(), ke1: Base64(ke1.to_vec()) };
        self.call(routes::LOGIN, &[], Auth::Nobody, &start).await
    }

    /// A whole sign-in; the answer to the second message, or to the first if that was refused.
    pub(crate) async fn login(&self, person: &Person, password: &str) -> Answer {
        let (ke1, state) = ClientLogin::start(input(password, person.account_key.as_ref())).unwrap();
        let first = self.login_start(&person.email, &ke1).await;
        if !first.status.is_success() {
            return first;
        }
        let challenge: LoginChallenge = first.json();
        let identifiers = Identifiers::new(&person.email, &challenge.org_id);
        let ke3 = match state.finish(&challenge.ke2.0, &identifiers) {
            Ok(login) => login.ke3.to_vec(),
            // What a guesser would send.
            Err(_) => vec![7; 64],
        };
        self.login_finish(challenge, ke3).await
    }

    pub(crate) async fn login_finish(&self, challenge: LoginChallenge, ke3: Vec<u8>) -> Answer {
        let finish = LoginFinish { login_id: challenge.login_id, ke3: Base64(ke3) };
        self.call(routes::LOGIN_FINISH, &[], Auth::Nobody, &finish).await
    }

    pub(crate) async fn vault(&self, person: &Person) -> VaultBlob {
        self.get(routes::VAULT, &[], "", Auth::Bearer(&person.tokens)).await.json()
    }
}

/// A fresh person.
pub(crate) fn opening(email: &str, name: &str) -> Opening {
    let email = email.parse().unwrap();
    Opening { user_id: UserId::random(), salt: Digest::random(), email, name: name.to_owned() }
}

fn person(opening: &Opening, keys: Keys) -> Person {
    let Keys { account, account_key, .. } = keys;
    let tokens =
        Tokens { access_token: Default::default(), access_expires_in: 0, refresh_token: Default::default() };
    Person { email: opening.email.as_str().to_owned(), account, account_key, tokens }
}

pub(crate) fn input(password: &str, account_key: Option<&AccountKey>) -> OpaqueInput {
    OpaqueInput::derive(&Password::new(password.to_owned()).unwrap(), account_key)
}

fn start_registration(keys: &Keys) -> (Base64, ClientRegistration) {
    let (message, state) = ClientRegistration::start(input(PASSWORD, keys.account_key.as_ref())).unwrap();
    (Base64(message.to_vec()), state)
}

fn finish_registration(
    keys: &Keys,
    email: &str,
    state: ClientRegistration,
    challenge: RegisterChallenge,
    log: &Log,
) -> Registration {
    let (account, org_id) = (&keys.account, log.org_id());
    let opaque = state.finish(&challenge.response.0, &Identifiers::new(email, &org_id)).unwrap();
    let kek = password::envelope_key(&opaque.export_key, &account.user_id());
    let account_key = keys.account_key.is_some();
    let header = EnvelopeHeader { user_id: account.user_id(), generation: 1, epoch: 1, account_key };
    let contents =
        EnvelopeContents { seed: keys.seed.clone(), org_id, log_size: log.size(), log_head: log.head() };
    let envelope = Envelope::seal(&kek, header, &contents);
    let change = CredentialChange {
        nonce: challenge.nonce,
        account_key,
        opaque_record: &opaque.record,
        envelope: envelope.as_bytes(),
        previous: None,
    };
    Registration {
        bundle: account.bundle().raw(),
        opaque_record: Base64(opaque.record.to_vec()),
        credential: credential::sign(account, &change).unwrap().raw().clone(),
        envelope: Base64(envelope.as_bytes().to_vec()),
        vault: Base64(b"a sealed vault".to_vec()),
    }
}
