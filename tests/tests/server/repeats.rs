//! Every request that makes something may be repeated: ids are chosen by clients, so the same request again, also at the
//! same time, is the same thing and gets the same answer; and another one under the same id is refused. Generated from
//! the route table: a route that is neither here nor excused fails the test.

use std::fmt::Display;

use futures_util::future::join_all;
use reqwest::RequestBuilder;
use sealpost_api::{
    HEADER_PART_DIGEST, OCTET_STREAM,
    account::{AccountView, VaultBlob},
    batch::{CreateFiles, FileShare, ShareFiles},
    file::{CreateFile, ShareFile, UnshareFile, WithdrawFile},
    log::AppendLog,
    routes::{self, Route},
};
use sealpost_crypto::{
    encoding::Base64,
    id::FileId,
    parts::part_digest,
    records::{RevokeReason, Withdraw},
};
use sealpost_tests::{
    TestServer,
    http::{Answer, Api, send},
    on_every_backend,
    raw::{Invitation, Person, Stored, Terms, Upload, found, founding, random_bytes, sha256},
};
use serde_json::{Value, json};

/// Identical requests sent at the same time.
const AT_ONCE: usize = 3;

on_every_backend! {
    async fn every_route_that_makes_something_takes_the_same_request_again(server: TestServer) {
        let ops = found(&server).await;
        let client = ops.welcome("client@example.com").await;
        for route in routes::ALL.iter().filter(|route| route.method != "GET") {
            if is_excused(route) || *route == routes::ORGANISATION {
                continue;
            }
            let case = Case::new(&server, &ops, &client, route).await;
            case.check(route).await;
        }
    }

    async fn an_organisation_is_founded_once(server: TestServer) {
        let founding_request = founding(&server).await.request;
        let other = founding(&server).await.request;
        let case = Case {
            api: server.api(),
            ids: Vec::new(),
            body: Body::Json(value(&founding_request)),
            look: vec![("GET".into(), "/server".into())],
            is_session: true,
            other: Some((Vec::new(), Body::Json(value(&other)), 409, "already_founded")),
        };
        case.check(&routes::ORGANISATION).await;
    }
}

/// Requests of a sign-in: a challenge is answered once, and each answer begins something of its own. They are safe to
/// repeat, as nothing comes of those that are not finished. And a checkpoint that was seen, which shows nowhere.
fn is_excused(route: &Route) -> bool {
    [
        routes::ORGANISATION_REGISTER,
        routes::INVITE_REGISTER,
        routes::CREDENTIAL_CHALLENGE,
        routes::LOGIN,
        routes::LOGIN_FINISH,
        routes::KEY_CHALLENGE,
        routes::KEY_LOGIN,
        routes::REFRESH,
        routes::LOGOUT,
        routes::LOG_SEEN,
    ]
    .contains(route)
}

enum Body {
    None,
    Json(Value),
    Part(Vec<u8>),
}

/// A request, where its effect shows, and another request under the same id.
struct Case {
    api: Api,
    ids: Vec<String>,
    body: Body,
    look: Vec<(String, String)>,
    /// Whether the answer is a fresh session: then the account in it must be the same.
    is_session: bool,
    other: Option<(Vec<String>, Body, u16, &'static str)>,
}

impl Case {
    async fn check(&self, route: &Route) {
        let name = format!("{} {}", route.method, route.path);
        let before = self.snapshot().await;
        let first = join_all((0..AT_ONCE).map(|_| send(self.request(route, &self.ids, &self.body)))).await;
        let after = self.snapshot().await;
        let again = send(self.request(route, &self.ids, &self.body)).await;
        for answer in &first {
            assert!(answer.status.is_success(), "{name}: {} {}", answer.status, answer.text());
            assert_eq!(self.said(answer), self.said(&again), "{name} answers another thing");
        }
        assert_ne!(before, after, "{name} had no effect");
        assert_eq!(self.snapshot().await, after, "{name} had an effect once more");
        for (before, after) in before.iter().zip(&after) {
            assert!(entries(after) <= entries(before) + 1, "{name} had more than one effect:\n{after}");
        }
        if let Some((ids, body, status, code)) = &self.other {
            let problem = refusal(&send(self.request(route, ids, body)).await);
            assert_eq!(problem, (*status, (*code).to_owned()), "{name}: another request under the same id");
            assert_eq!(self.snapshot().await, after, "{name}: what was refused changed something");
        }
    }

    fn request(&self, route: &Route, ids: &[String], body: &Body) -> RequestBuilder {
        let ids: Vec<&dyn Display> = ids.iter().map(|id| id as &dyn Display).collect();
        let request = self.api.route(route, &ids);
        match body {
            Body::None => request,
            Body::Json(body) => request.json(body),
            Body::Part(part) => {
                let request = request.header("content-type", OCTET_STREAM);
                request.header(HEADER_PART_DIGEST, part_digest(part).to_string()).body(part.clone())
            }
        }
    }

    fn said(&self, answer: &Answer) -> String {
        if !self.is_session {
            return answer.text();
        }
        let answer: Value = answer.json();
        answer["account"].to_string()
    }

    async fn snapshot(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for (method, path) in &self.look {
            // All of it: what an answer shows of itself in a message is only its beginning.
            let answer = send(self.api.request(method, path)).await;
            seen.push(String::from_utf8_lossy(&answer.body).into_owned());
        }
        seen
    }

    async fn new(server: &TestServer, ops: &Person, client: &Person, route: &Route) -> Self {
        let on = |look: &[String], ids: &[&dyn Display], body: Value| Self {
            api: ops.api.clone(),
            ids: ids.iter().map(ToString::to_string).collect(),
            body: Body::Json(body),
            look: look.iter().map(|path| ("GET".to_owned(), path.clone())).collect(),
            is_session: false,
            other: None,
        };
        let but = |case: Self, body: Value, status: u16, code: &'static str| Self {
            other: Some((case.ids.clone(), Body::Json(body), status, code)),
            ..case
        };
        let sent = |person: &Person| format!("{}?direction=sent", routes::PAIR.fill(&[&person.user_id]));
        let files = routes::FILES.path.to_owned();
        match *route {
            routes::PUT_CREDENTIAL => {
                let view: AccountView = ops.api.get(&routes::ACCOUNT, &[]).await.json();
                let one = ops.password_change(ops.credential_nonce().await, &view.credential, |_| {});
                let two = ops.password_change(ops.credential_nonce().await, &view.credential, |_| {});
                let case = on(&[routes::ACCOUNT.path.into()], &[], value(&one));
                but(case, value(&two), 409, "credential_changed")
            }
            routes::ROTATE => {
                let person = ops.welcome("rotating@example.com").await;
                let (one, two) = (person.next_keys().await, person.next_keys().await);
                let look = [routes::ACCOUNT.path.into(), routes::LOG.path.into()];
                let case = Self { api: person.api.clone(), ..on(&look, &[], value(&one.request)) };
                but(case, value(&two.request), 409, "log_conflict")
            }
            routes::PUT_VAULT => {
                let stored: VaultBlob = ops.api.get(&routes::VAULT, &[]).await.json();
                let next = || VaultBlob {
                    version: stored.version + 1,
                    previous: sha256(&[&stored.blob.0]),
                    blob: Base64(random_bytes(4_136)),
                };
                let case = on(&[routes::VAULT.path.into()], &[], value(&next()));
                but(case, value(&next()), 409, "vault_conflict")
            }
            routes::APPEND_LOG => {
                let (one, two) = (ops.invite("one@example.com").await, ops.invite("two@example.com").await);
                let certify = async |invitation: &Invitation| {
                    let person = invitation.accept().await;
                    value(&AppendLog { record: ops.certificate(invitation, &person).await.into_raw() })
                };
                let case = on(&[routes::LOG.path.into()], &[], certify(&one).await);
                but(case, certify(&two).await, 409, "log_conflict")
            }
            routes::CREATE_INVITE => {
                let one = ops.offer("offered@example.com").await;
                let two =
                    ops.offer_with("other@example.com", |offer| offer.invite_id = one.offer.invite_id).await;
                let case = on(&[routes::INVITES.path.into()], &[], value(&one.request));
                but(case, value(&two.request), 409, "id_taken")
            }
            routes::INVITE_ACCEPT => {
                let invitation = ops.invite("accepting@example.com").await;
                let (one, two) = (invitation.acceptance().await.1, invitation.acceptance().await.1);
                let look = routes::INVITE.fill(&[&invitation.id()]);
                let case = Self {
                    api: invitation.api.clone(),
                    is_session: true,
                    ..on(&[look], &[&invitation.id()], value(&one))
                };
                // An invite is used up by whoever was first; its code is older than this rule.
                but(case, value(&two), 410, "invite_used")
            }
            routes::CREATE_FILE => {
                let file_id = FileId::random();
                let parts = routes::PARTS.fill(&[&file_id, &1]);
                let foreign = foreign(server, ops, client).await;
                let case = on(&[parts], &[], value(&CreateFile { file_id, version: 1 }));
                but(case, value(&CreateFile { file_id: foreign, version: 1 }), 409, "id_taken")
            }
            routes::CREATE_FILES => {
                let upload = Upload::of_size(1);
                let one = value(&CreateFiles { files: ops.whole(std::slice::from_ref(&upload)).await });
                let two = value(&CreateFiles { files: ops.whole(std::slice::from_ref(&upload)).await });
                but(on(&[files, sent(ops)], &[], one), two, 409, "already_complete")
            }
            routes::DELETE_FILE => {
                let file_id = ops.upload().await.upload.file_id;
                Self { body: Body::None, ..on(&[routes::FILE.fill(&[&file_id])], &[&file_id], Value::Null) }
            }
            routes::PUT_PART => {
                let file_id = FileId::random();
                ops.begin(file_id).await.ok();
                let case = on(&[routes::PARTS.fill(&[&file_id, &1])], &[&file_id, &1, &0], Value::Null);
                let other = (case.ids.clone(), Body::Part(b"other".to_vec()), 409, "part_conflict");
                Self { body: Body::Part(b"something".to_vec()), other: Some(other), ..case }
            }
            routes::COMPLETE => {
                let upload = Upload::of_size(1);
                ops.begin(upload.file_id).await.ok();
                ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
                let (one, two) = (ops.completion(&upload).await, ops.completion(&upload).await);
                let case = on(&[files, sent(ops)], &[&upload.file_id, &1], value(&one));
                but(case, value(&two), 409, "already_complete")
            }
            routes::REKEY => {
                let file = ops.upload().await;
                ops.share_with(&file, client, Terms::default()).await;
                let upload = ops.upload_next(&file).await;
                let keep = [(client, Terms::default())];
                let one = ops.rekey_request(&file, &upload, &keep).await;
                let two = ops.rekey_request(&file, &upload, &keep).await;
                let file_id = file.upload.file_id;
                let look = [sent(ops), sent(client), routes::FILE.fill(&[&file_id])];
                but(on(&look, &[&file_id, &2], value(&one)), value(&two), 409, "already_complete")
            }
            routes::CANCEL_VERSION => {
                let file = ops.upload().await;
                ops.upload_next(&file).await;
                let file_id = file.upload.file_id;
                let case = on(&[routes::PARTS.fill(&[&file_id, &2])], &[&file_id, &2], Value::Null);
                let live = vec![file_id.to_string(), "1".to_owned()];
                Self { body: Body::None, other: Some((live, Body::None, 409, "already_complete")), ..case }
            }
            routes::SHARE => {
                let (file, one, two) = shares(ops, client).await;
                let file_id = file.upload.file_id;
                let look = [sent(client), routes::SHARES.fill(&[&file_id])];
                let case =
                    on(&look, &[&file_id], value(&ShareFile { shares: vec![one.share], renews: vec![] }));
                but(case, value(&ShareFile { shares: vec![two.share], renews: vec![] }), 409, "pair_conflict")
            }
            routes::SHARE_FILES => {
                let (file, one, two) = shares(ops, client).await;
                let look = [sent(client), routes::SHARES.fill(&[&file.upload.file_id])];
                let case = on(&look, &[], value(&ShareFiles { shares: vec![one] }));
                but(case, value(&ShareFiles { shares: vec![two] }), 409, "pair_conflict")
            }
            routes::UNSHARE => {
                let file = ops.upload().await;
                let share = ops.share_with(&file, client, Terms::default()).await.id();
                let file_id = file.upload.file_id;
                let end =
                    async || UnshareFile { record: ops.unshare_record(file_id, client.user_id, share).await };
                let one = end().await;
                // Signed a second later: another record for the same place.
                server.pass_time(1);
                let case = on(&[sent(client), routes::SHARES.fill(&[&file_id])], &[&file_id], value(&one));
                but(case, value(&end().await), 409, "pair_conflict")
            }
            routes::WITHDRAW => {
                let left = ops.welcome_ops(server, "left@example.com").await;
                let file_id = left.upload().await.upload.file_id;
                ops.revoke(&left, RevokeReason::Left).await;
                let (org_id, signer, signer_bundle) = (ops.org_id, ops.user_id, ops.bundle.id());
                let record = ops.sign(Withdraw { org_id, signer, signer_bundle, file_id }).into_raw();
                let look = [routes::LEFT_FILES.fill(&[&left.user_id])];
                on(&look, &[&file_id], value(&WithdrawFile { record }))
            }
            routes::POST_RECEIPT => {
                let file = ops.upload().await;
                let share = ops.share_with(&file, client, Terms::default()).await.id();
                let receipt = client.receipt(share, file.manifest.id()).await;
                let file_id = file.upload.file_id;
                let look = [routes::FILE.fill(&[&file_id])];
                Self { api: client.api.clone(), ..on(&look, &[&file_id], value(&receipt)) }
            }
            _ => panic!("{} {}: is it idempotent? Write its case, or excuse it", route.method, route.path),
        }
    }
}

/// A file with two different shares for one place.
async fn shares(ops: &Person, client: &Person) -> (Stored, FileShare, FileShare) {
    let file = ops.upload().await;
    let share = async || FileShare {
        file_id: file.upload.file_id,
        share: ops.sealed_share(&file.manifest, client.user_id, client.bundle.id(), Terms::default()).await,
    };
    let (one, two) = (share().await, share().await);
    (file, one, two)
}

/// A file that belongs to somebody else.
async fn foreign(server: &TestServer, ops: &Person, owner: &Person) -> FileId {
    let file_id = ops.upload().await.upload.file_id;
    let (file, owner) = (server.literal(&file_id), server.literal(&owner.user_id));
    server.execute(format!("UPDATE files SET owner = {owner} WHERE file_id = {file}")).await;
    file_id
}

/// Status and code of a refusal: of the whole request, or of its only item.
fn refusal(answer: &Answer) -> (u16, String) {
    let problem = if answer.status.is_success() {
        let results: Value = answer.json();
        serde_json::from_value(results["results"][0]["problem"].clone()).expect("the item was accepted")
    } else {
        answer.problem()
    };
    (problem.status, problem.code.as_str().to_owned())
}

/// Entries of a list.
fn entries(list: &str) -> usize {
    let list: Value = serde_json::from_str(list).unwrap_or(json!({}));
    ["items", "entries", "records"].iter().find_map(|name| list[name].as_array()).map_or(0, Vec::len)
}

fn value(body: &impl serde::Serialize) -> Value {
    serde_json::to_value(body).unwrap()
}
