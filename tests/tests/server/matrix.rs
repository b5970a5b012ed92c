//! Who may do what: every route × every kind of sender × own, foreign and missing objects, generated from the
//! route table. Expectations follow from the table's `Access` and `Object`; what a request is answered once it
//! is let through stands in [`probe`], and a route without a probe fails the test.

use std::fmt::Display;

use reqwest::RequestBuilder;
use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    account::{ChangeCredential, CredentialRegister, RotateAccount, VaultBlob},
    auth::{FounderRegister, KeyChallengeRequest, KeyLogin, LoginFinish, LoginStart, Refresh},
    batch::{CreateFiles, FileShare, ShareFiles},
    file::{CreateFile, RekeyFile, ShareFile, UnshareFile, WithdrawFile},
    invite::InviteRegister,
    log::{AppendLog, LogSeen},
    routes::{self, Access, Object, Route},
    token::Token,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, FileId, InviteId, UserId},
    sign::SigningPublicKey,
};
use sealpost_tests::{
    TestServer,
    http::{Answer, Api, send},
    on_every_backend,
    raw::{Invitation, Person, Stored, Terms, Upload, found, random_bytes},
};
use serde_json::{Value, json};

on_every_backend! {
    async fn every_route_lets_in_exactly_whom_it_should(server: TestServer) {
        let world = World::new(&server).await;
        let mut routes: Vec<&Route> = routes::ALL.iter().collect();
        // It ends the session that the others need.
        routes.sort_by_key(|route| **route == routes::LOGOUT);
        let mut wrong = Vec::new();
        for route in routes {
            for sender in Sender::ALL {
                wrong.extend(world.check(route, sender).await);
            }
        }
        assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Stranger,
    Invitee,
    Pending,
    Client,
    Ops,
}

impl Sender {
    const ALL: [Self; 5] = [Self::Stranger, Self::Invitee, Self::Pending, Self::Client, Self::Ops];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Foreign,
    Missing,
}

/// Somebody of each kind, and objects that are theirs or not.
struct World {
    ops: Person,
    client: Person,
    pending: Person,
    invitee: Invitation,
    other_invite: Invitation,
    stranger: Api,
    /// The Ops member's, shared with the client.
    shared: Stored,
    /// The Ops member's, not shared with the client.
    unshared: Stored,
    /// Somebody else's.
    foreign: Stored,
    /// The Ops member's, not complete.
    unfinished: FileId,
    /// The Ops member's, to be deleted.
    doomed: FileId,
}

impl World {
    async fn new(server: &TestServer) -> Self {
        let ops = found(server).await;
        let client = ops.welcome("client@example.com").await;
        let pending = ops.invite("pending@example.com").await.accept().await;
        let invitee = ops.invite("invitee@example.com").await;
        let other_invite = ops.invite("other@example.com").await;
        let (shared, unshared) = (ops.upload().await, ops.upload().await);
        ops.share_with(&shared, &client, Terms::default()).await;
        let foreign = ops.upload().await;
        // This version has one Ops member, so another owner can only be made behind the server's back.
        let (file, owner) = (server.literal(&foreign.upload.file_id), server.literal(&pending.user_id));
        server.execute(format!("UPDATE files SET owner = {owner} WHERE file_id = {file}")).await;
        let share = server.literal(&foreign.own_share.record.id());
        server
            .execute(format!(
                "UPDATE shares SET sender = {owner}, recipient = {owner} WHERE share_id = {share}"
            ))
            .await;
        let doomed = ops.upload().await.upload.file_id;
        let unfinished = FileId::random();
        ops.begin(unfinished).await.ok();
        Self {
            stranger: server.api(),
            ops,
            client,
            pending,
            invitee,
            other_invite,
            shared,
            unshared,
            foreign,
            unfinished,
            doomed,
        }
    }

    async fn check(&self, route: &Route, sender: Sender) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut hidden: Option<Answer> = None;
        for whose in [Whose::Own, Whose::Foreign, Whose::Missing] {
            if whose != Whose::Own && route.object == Object::None {
                continue;
            }
            let (request, let_through) = self.probe(route, sender, whose).await;
            let answer = send(request).await;
            let expected = expected(route, sender, whose).unwrap_or(let_through.to_vec());
            let status = answer.status.as_u16();
            let mut complain = |what: &str| {
                wrong.push(format!(
                    "{} {} as {sender:?}, {whose:?}: {status} {what}, expected {expected:?}: {}",
                    route.method,
                    route.path,
                    answer.text()
                ));
            };
            if !expected.contains(&status) {
                complain("is wrong");
                continue;
            }
            if status < 400 {
                continue;
            }
            let code = answer.problem().code.as_str().to_owned();
            if !codes(sender, status).is_none_or(|codes| codes.contains(&code.as_str())) {
                complain("with the wrong code");
            }
            // What is somebody else's must look exactly like what does not exist.
            match &hidden {
                _ if whose == Whose::Own => {}
                Some(foreign) if foreign.body != answer.body => complain("tells foreign from missing"),
                _ => hidden = Some(answer),
            }
        }
        wrong
    }

    fn api(&self, sender: Sender) -> &Api {
        match sender {
            Sender::Stranger => &self.stranger,
            Sender::Invitee => &self.invitee.api,
            Sender::Pending => &self.pending.api,
            Sender::Client => &self.client.api,
            Sender::Ops => &self.ops.api,
        }
    }

    fn file(&self, route: &Route, sender: Sender, whose: Whose) -> FileId {
        match whose {
            Whose::Own if [routes::PUT_PART, routes::COMPLETE].contains(route) => self.unfinished,
            Whose::Own if *route == routes::DELETE_FILE => self.doomed,
            Whose::Own => self.shared.upload.file_id,
            Whose::Foreign if sender == Sender::Client => self.unshared.upload.file_id,
            Whose::Foreign => self.foreign.upload.file_id,
            Whose::Missing => FileId::random(),
        }
    }

    fn person(&self, whose: Whose) -> UserId {
        match whose {
            Whose::Own => self.client.user_id,
            Whose::Foreign => self.pending.user_id,
            Whose::Missing => UserId::random(),
        }
    }

    fn invite(&self, whose: Whose) -> InviteId {
        match whose {
            Whose::Own => self.invitee.id(),
            Whose::Foreign => self.other_invite.id(),
            Whose::Missing => InviteId::random(),
        }
    }

    /// A well-formed request for the route, and what it is answered when sender and object are allowed.
    async fn probe(&self, route: &Route, sender: Sender, whose: Whose) -> (RequestBuilder, &'static [u16]) {
        let api = self.api(sender);
        let file = self.file(route, sender, whose);
        let (invite, person) = (self.invite(whose), self.person(whose));
        let ids: Vec<&dyn Display> = match route.object {
            Object::None => vec![],
            Object::OwnFile | Object::ReadableFile | Object::LeftFile => vec![&file, &1, &0],
            Object::Invite => vec![&invite],
            Object::Person => vec![&person],
        };
        let request = api.route(route, &ids);
        let json = |body: Value, answers: &'static [u16]| (api.route(route, &ids).json(&body), answers);
        match *route {
            routes::HEALTHZ | routes::READYZ | routes::SERVER | routes::OPENAPI | routes::DOCS => {
                (request, &[200])
            }
            routes::MEMBERS | routes::LOG | routes::INVITES | routes::INVITE => (request, &[200]),
            routes::FILES | routes::FILES_SHARED | routes::FILE | routes::SHARES => (request, &[200]),
            routes::MEMBER | routes::LEFT_FILES => (request, &[200]),
            routes::RECEIPTS | routes::DOWNLOAD | routes::PARTS => (request, &[200]),
            routes::ACCOUNT | routes::VAULT => (request, &[200]),
            routes::DELETE_FILE => (request, &[204]),
            routes::LOGOUT => (request, &[200, 204]),
            routes::PAIR => (api.request("GET", &format!("{}?direction=sent", route.fill(&ids))), &[200]),
            routes::ORGANISATION_REGISTER => json(value(self.founder_register()), &[401, 409]),
            // A whole founding is a story of its own; an empty one must be refused as malformed.
            routes::ORGANISATION => json(json!({}), &[400, 401, 409]),
            routes::LOGIN => json(
                value(LoginStart { email: "nobody@example.com".into(), ke1: Base64(random_bytes(96)) }),
                // Random bytes are no group element, but that must not be told for this address alone.
                &[200, 400, 422],
            ),
            routes::LOGIN_FINISH => json(
                value(LoginFinish { login_id: Token::new("AAAA".into()), ke3: Base64(random_bytes(64)) }),
                &[401],
            ),
            routes::KEY_CHALLENGE => {
                json(value(KeyChallengeRequest { signing_key: SigningPublicKey::new([7; 32]) }), &[200])
            }
            routes::KEY_LOGIN => json(value(KeyLogin { login: self.shared.manifest.raw().clone() }), &[401]),
            routes::REFRESH => json(value(Refresh { refresh_token: Token::new("AAAA".into()) }), &[401]),
            routes::CREDENTIAL_CHALLENGE => {
                json(value(CredentialRegister { request: Base64(random_bytes(31)) }), &[400])
            }
            routes::PUT_CREDENTIAL => json(value(self.foreign_credential().await), &[422]),
            routes::ROTATE => json(value(self.foreign_rotation().await), &[422]),
            routes::PUT_VAULT => json(
                value(VaultBlob {
                    version: 9,
                    previous: Digest::random(),
                    blob: Base64(random_bytes(4_136)),
                }),
                &[409],
            ),
            routes::APPEND_LOG => {
                json(value(AppendLog { record: self.shared.manifest.raw().clone() }), &[422])
            }
            // A record, and no checkpoint.
            routes::LOG_SEEN => {
                json(value(LogSeen { checkpoint: self.shared.manifest.raw().clone() }), &[422])
            }
            routes::CREATE_INVITE => json(value(&self.invitee.request), &[200, 201]),
            routes::INVITE_REGISTER => {
                json(value(InviteRegister { request: Base64(random_bytes(31)) }), &[400, 422])
            }
            routes::INVITE_ACCEPT => json(self.foreign_acceptance().await, &[422]),
            routes::CREATE_FILE => {
                json(value(CreateFile { file_id: self.unfinished, version: 1 }), &[200, 201])
            }
            routes::CREATE_FILES => {
                json(value(CreateFiles { files: self.ops.whole(&[Upload::of_size(1)]).await }), &[200])
            }
            routes::SHARE_FILES => {
                let (file_id, share) = (self.shared.upload.file_id, self.shared.own_share.clone());
                json(value(ShareFiles { shares: vec![FileShare { file_id, share }] }), &[200])
            }
            routes::PUT_PART => {
                let request = request.header("content-type", OCTET_STREAM);
                // The digest is not the body's.
                (request.header(HEADER_PART_DIGEST, "ab".repeat(32)).body(vec![7; 100]), &[422])
            }
            routes::COMPLETE => json(value(self.ops.completion(&self.shared.upload).await), &[409, 422]),
            routes::REKEY => {
                // Of the first version, which is live.
                let complete = self.ops.completion(&self.shared.upload).await;
                json(value(RekeyFile { complete, shares: Vec::new(), unshares: Vec::new() }), &[409])
            }
            routes::CANCEL_VERSION => (request, &[409]),
            routes::MANIFESTS => (request, &[200]),
            routes::SHARE => {
                json(value(ShareFile { shares: vec![self.shared.own_share.clone()], renews: vec![] }), &[200])
            }
            routes::UNSHARE => {
                json(value(UnshareFile { record: self.shared.manifest.raw().clone() }), &[422])
            }
            routes::WITHDRAW => {
                // Theirs while they are a member.
                json(value(WithdrawFile { record: self.shared.manifest.raw().clone() }), &[409])
            }
            routes::POST_RECEIPT => {
                let share = self.shared.own_share.record.id();
                json(value(self.ops.receipt(share, share).await), &[422])
            }
            _ => panic!("{} {} has no probe: write one", route.method, route.path),
        }
    }

    fn founder_register(&self) -> FounderRegister {
        FounderRegister {
            setup_token: Token::new("AAAA".into()),
            org_id: self.ops.org_id,
            email: "again@example.com".into(),
            request: Base64(random_bytes(32)),
        }
    }

    /// An acceptance of the other invite: well formed, and not for the one it is sent to.
    async fn foreign_acceptance(&self) -> Value {
        value(self.other_invite.acceptance().await.1)
    }

    /// New keys by nobody's signature.
    async fn foreign_rotation(&self) -> RotateAccount {
        let ChangeCredential { opaque_record, credential, envelope } = self.foreign_credential().await;
        let record = self.shared.manifest.raw().clone();
        let blob = Base64(random_bytes(4_136));
        let vault = VaultBlob { version: 2, previous: Digest::random(), blob };
        RotateAccount { entry: record.clone(), bundle: record, opaque_record, credential, envelope, vault }
    }

    /// Somebody else's password: well formed, and signed by other keys.
    async fn foreign_credential(&self) -> ChangeCredential {
        let foreign = self.other_invite.acceptance().await.1.registration;
        ChangeCredential {
            opaque_record: foreign.opaque_record,
            credential: foreign.credential,
            envelope: foreign.envelope,
        }
    }
}

/// What the route table says; `None` where the request is let through.
fn expected(route: &Route, sender: Sender, whose: Whose) -> Option<Vec<u16>> {
    let refused = refused(route.access, sender);
    if refused.is_some() {
        return refused.map(|status| vec![status]);
    }
    match (route.object, whose) {
        (Object::OwnFile | Object::ReadableFile | Object::LeftFile, Whose::Foreign | Whose::Missing) => {
            Some(vec![404])
        }
        // An invite's token and its id belong together: with another id the token is simply wrong.
        (Object::Invite, Whose::Foreign | Whose::Missing) => Some(vec![401]),
        _ => None,
    }
}

fn refused(access: Access, sender: Sender) -> Option<u16> {
    use Sender::{Client, Invitee, Ops, Pending, Stranger};
    match (access, sender) {
        (Access::Anyone | Access::SetupToken, _) => None,
        (Access::Invitee, Invitee) => None,
        (Access::Invitee, _) => Some(401),
        (_, Stranger) => Some(401),
        (Access::InviteeOrSession, _) => None,
        (_, Invitee) => Some(401),
        (Access::Session, _) => None,
        (_, Pending) => Some(403),
        (Access::Ops, Client) => Some(403),
        (Access::Member | Access::Ops, Client | Ops) => None,
    }
}

/// The codes that a refusal may carry; `None` where the status has many.
fn codes(sender: Sender, status: u16) -> Option<&'static [&'static str]> {
    match (status, sender) {
        (401, _) => Some(&["not_signed_in", "invite_unknown", "login_failed", "setup_token"]),
        (403, Sender::Pending) => Some(&["account_pending"]),
        (403, _) => Some(&["role_forbidden"]),
        (404, _) => Some(&["not_found"]),
        _ => None,
    }
}

fn value(body: impl serde::Serialize) -> Value {
    serde_json::to_value(body).unwrap()
}
