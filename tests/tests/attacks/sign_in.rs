//! A05, A09, A63, A87: who signs in, where, at whose cost, and as whom.

use std::sync::Arc;

use sealpost_api::{
    auth::{KeyChallengeRequest, KeyLogin},
    routes::{self, Route},
};
use sealpost_client::{
    AccountSeed, Error, ErrorKind, OrgId, RecoveryKit, SignedIn, Terms,
    store::{MemoryStore, StateStore},
};
use sealpost_crypto::{
    account::Account,
    encoding::Base64,
    id::Digest,
    login,
    password::{ClientLogin, OpaqueInput, Password},
    record::{RawRecord, Signed},
    records::{Certify, Checkpoint},
};
use sealpost_tests::{
    TestServer,
    http::Api,
    on_both_databases,
    raw::{self, Person, SignIn},
    sdk::{self, CLIENT, Device},
};
use serde_json::{Value, json};

use crate::scene::{Scene, attackers};

/// What stretching would cost if the other side chose: no test that obeyed would come back.
fn ruinous() -> Value {
    json!({ "algorithm": "argon2id", "memory": 1_u64 << 42, "iterations": u32::MAX, "parallelism": u32::MAX })
}

fn with_cost(answer: &mut Value) {
    if let Value::Object(fields) = answer {
        for name in ["kdf", "ksf", "argon2", "params", "stretching"] {
            fields.insert(name.into(), ruinous());
        }
    }
}

async fn password_login(scene: &Scene, store: &MemoryStore) -> Result<SignedIn, Error> {
    let client = sdk::anonymous(&scene.evil.url(), store);
    client.login(&scene.client.email, sdk::secret(&scene.client.password), None).await
}

fn seed(device: &Device) -> AccountSeed {
    AccountSeed::from_slice(&device.blob("seed").unwrap()).unwrap()
}

fn kit(device: &Device, org_id: OrgId) -> RecoveryKit {
    RecoveryKit { seed: seed(device), org_id, account_key: None }
}

async fn recover(scene: &Scene, kit: RecoveryKit) -> (ErrorKind, String) {
    let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
    refused(client.recover(kit).await.map(drop))
}

async fn key_login(scene: &Scene, org_id: OrgId) -> Result<SignedIn, Error> {
    let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
    client.login_with_seed(&scene.client.email, org_id, seed(&scene.client)).await
}

/// Changes the account in an answer, given somebody else's id.
type Lie = fn(&mut Value, &Value);

#[track_caller]
fn refused<T>(outcome: Result<T, Error>) -> (ErrorKind, String) {
    let error = outcome.map(drop).expect_err("not noticed");
    (error.kind(), error.code().to_owned())
}

/// The whole story of an account whose server would ruin its devices: what it asks for.
async fn requests_of_a_life(scene: &Scene, email: &str, org_id: OrgId) -> Vec<String> {
    let code = scene.ops.invite(email).await;
    scene.evil.forget();
    let person = sdk::join(&scene.evil.url(), email, code).await;
    drop(person.other_device(&scene.evil.url()).await);
    person
        .me
        .change_password(sdk::secret(&person.password), sdk::secret("another one, for good"))
        .await
        .unwrap();
    drop(sdk::anonymous(&scene.evil.url(), &MemoryStore::new()).recover(kit(&person, org_id)).await.unwrap());
    let id = |path: &str| path.split('/').filter(|part| part.len() < 32).collect::<Vec<_>>().join("/");
    scene.evil.seen().iter().map(|seen| format!("{} {}", seen.asked.method, id(&seen.asked.path))).collect()
}

/// The same person with the same keys and password in another organisation, whose server is honest.
struct Elsewhere {
    server: TestServer,
    account: Account,
}

impl Elsewhere {
    async fn of(scene: &Scene) -> Self {
        let server = TestServer::start(scene.server.backend()).await;
        let ops: Person = raw::found(&server).await;
        let invitation = ops.invite(CLIENT).await;
        let twin = invitation.accept_as(seed(&scene.client), &scene.client.password).await;
        ops.certify(&invitation, &twin).await;
        let account = Account::derive(&twin.seed, twin.org_id, twin.user_id, 1).unwrap();
        Self { server, account }
    }

    fn api(&self) -> Api {
        self.server.api()
    }

    async fn challenge(&self) -> Value {
        let signing_key = self.account.keys().signing.public_key();
        self.api().call(&routes::KEY_CHALLENGE, &[], &KeyChallengeRequest { signing_key }).await.json()
    }

    /// The nonce counts here, when it is this organisation's account that signs it.
    async fn takes_its_own(&self) {
        let challenge = self.challenge().await;
        let nonce: Digest = serde_json::from_value(challenge["nonce"].clone()).unwrap();
        let login = login::sign(&self.account, nonce, self.server.now()).unwrap().into_raw();
        self.api().call(&routes::KEY_LOGIN, &[], &KeyLogin { login }).await.ok();
    }
}

/// Asks another server in the middle of an answer.
fn relay(api: &Api, route: &Route, body: &[u8]) -> Value {
    let (api, route, body): (Api, Route, Value) =
        (api.clone(), *route, serde_json::from_slice(body).unwrap());
    let asking = async move { api.call(&route, &[], &body).await.json() };
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asking))
}

on_both_databases! {
    async fn a05_nobody_is_certified_in_ones_place(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        // An Ops member in league with the server: a log that certifies other keys for the client, and holds in itself.
        let (key, traitor) = (scene.server.checkpoint_key().await, scene.ops.account(1).await);
        scene.evil.json(routes::LOG, move |page| {
            let entries = page["entries"].as_array_mut().unwrap();
            let Some(entry) = entries.iter_mut().find(|entry| entry["record"]["type"] == "certify") else { return };
            let bundle: RawRecord = serde_json::from_value(attackers(&entry["bundle"])).unwrap();
            let certify: RawRecord = serde_json::from_value(entry["record"].clone()).unwrap();
            let certify = Certify { bundle: bundle.id(), ..certify.claim().unwrap() };
            let certify = Signed::sign(certify, &traitor.keys().signing).unwrap().into_raw();
            let state = Checkpoint { org_id, log_size: 2, log_head: certify.id() };
            *entry = json!({ "record": certify, "bundle": bundle });
            page["checkpoint"] = json!(Signed::sign(state, &key).unwrap().into_raw());
        });
        let store = MemoryStore::new();
        let by_kit = sdk::anonymous(&scene.evil.url(), &store).login_with_kit(kit(&scene.client, org_id)).await;
        for outcome in [by_kit, password_login(&scene, &store).await] {
            assert_eq!(refused(outcome), (ErrorKind::Verification, "admission_bundle".into()));
        }
        let is_left = |name: &&str| store.load(name).unwrap().is_some();
        assert_eq!(["profile", "seed", "log", "pins"].iter().find(|name| is_left(name)), None);
        scene.evil.repent();
        // The folder is still anybody's.
        let other = sdk::anonymous(&scene.evil.url(), &store);
        other.login_with_kit(kit(&scene.ops, org_id)).await.unwrap().logout().await.unwrap();
        password_login(&scene, &MemoryStore::new()).await.unwrap();
        scene.ends_well().await;
    }

    async fn a63_a_key_signs_in_to_the_address_that_was_certified(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let store = MemoryStore::new();
        let sign_in = async || {
            sdk::anonymous(&scene.evil.url(), &store).login_with_kit(kit(&scene.client, org_id)).await
        };
        let other = json!(scene.ops.me.whoami().await.unwrap().user_id);
        let lies: [(Lie, &str); 3] = [
            (|account, _| account["email"] = json!("mallory@example.com"), "opening_mismatch"),
            (|account, _| account["opening"] = Value::Null, "opening_unknown"),
            (|account, other| account["opening"]["user_id"] = other.clone(), "opening_unknown"),
        ];
        for (lie, code) in lies {
            let other = other.clone();
            scene.evil.json(routes::KEY_LOGIN, move |answer| lie(&mut answer["account"], &other));
            assert_eq!(refused(sign_in().await), (ErrorKind::Verification, code.into()));
            assert!(store.load("seed").unwrap().is_none(), "signed in all the same");
            scene.evil.repent();
        }
        let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
        let wrong = client.login_with_seed(&scene.ops.email, org_id, seed(&scene.client)).await;
        assert_eq!(refused(wrong).0, ErrorKind::InvalidInput, "who is asked for names the address");
        assert_eq!(sign_in().await.unwrap().email(), scene.client.email.as_str());
        scene.ends_well().await;
    }

    async fn a_device_that_holds_an_account_asks_nothing_for_another_one(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let on_device = || sdk::anonymous(&scene.evil.url(), &scene.ops.store);
        scene.evil.forget();
        let password = sdk::secret(&scene.client.password);
        let outcomes = [
            on_device().login(&scene.client.email, password, None).await,
            on_device().login_with_seed(&scene.client.email, org_id, seed(&scene.client)).await,
            on_device().login_with_seed(&scene.ops.email, OrgId::random(), seed(&scene.ops)).await,
            on_device().login_with_kit(kit(&scene.ops, OrgId::random())).await,
        ];
        let kinds = outcomes.map(|outcome| refused(outcome).0);
        let (held, foreign) = (ErrorKind::State, ErrorKind::Verification);
        assert_eq!(kinds, [held, held, foreign, foreign]);
        assert_eq!(refused(on_device().recover(kit(&scene.ops, OrgId::random())).await).0, foreign);
        assert!(scene.evil.seen().is_empty(), "{:?}", scene.evil.seen());
        scene.ends_well().await;
    }

    async fn a09_what_stretching_costs_is_not_the_servers_to_say(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let honest = requests_of_a_life(&scene, "one@example.com", org_id).await;
        scene.evil.forget();
        for route in routes::ALL {
            scene.evil.json(*route, with_cost);
        }
        assert_eq!(requests_of_a_life(&scene, "two@example.com", org_id).await, honest);
        scene.evil.repent();
        // A message of another size is no message: nothing is stretched for it, and nothing answered.
        for length in [0, 1, 319, 321, 20_000_000] {
            let ke2 = json!(Base64(vec![1; length]));
            scene.evil.json(routes::LOGIN, move |answer| answer["ke2"] = ke2.clone());
            scene.evil.forget();
            let told = refused(password_login(&scene, &MemoryStore::new()).await);
            assert_eq!(told, (ErrorKind::LoginFailed, "login_failed".into()), "{length}");
            assert!(scene.evil.seen_of(routes::LOGIN_FINISH).is_empty());
            scene.evil.repent();
        }
        drop(password_login(&scene, &MemoryStore::new()).await.expect("the honest run"));
        scene.ends_well().await;
    }

    async fn a09_no_client_makes_the_server_work_hard(server: TestServer) {
        let scene = Scene::set(server).await;
        let (api, email) = (scene.server.api(), CLIENT);
        let start = |ke1: Vec<u8>| json!({ "email": email, "ke1": Base64(ke1) });
        for length in [0, 1, 95, 97, 100_000] {
            api.call(&routes::LOGIN, &[], &start(vec![2; length])).await.fails(400, "malformed_request");
        }
        api.call(&routes::LOGIN, &[], &start(vec![2; 1_000_000])).await.fails(413, "too_large");
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let honest = SignIn::start(&api, email, &scene.client.password).await;
        // Costs that are asked for are heard by nobody: the same answer, in the same form.
        let password = Password::new("not the right one".to_owned()).unwrap();
        let (ke1, _) = ClientLogin::start(OpaqueInput::derive(&password, None)).unwrap();
        let mut costly = start(ke1.to_vec());
        with_cost(&mut costly);
        let answer = api.route(&routes::LOGIN, &[]).json(&costly).send().await.unwrap().json::<Value>().await.unwrap();
        let form = |answer: &Value| {
            let fields = answer.as_object().unwrap().iter();
            fields.map(|(name, value)| (name.clone(), value.as_str().map(str::len))).collect::<Vec<_>>()
        };
        assert_eq!(form(&answer), form(&honest.answer.json()));
        // Nothing is stretched on a server, and the tries under one address are counted when they begin.
        let mut begun = 0;
        while api.call(&routes::LOGIN, &[], &start(ke1.to_vec())).await.status.is_success() {
            begun += 1;
            assert!(begun <= sealpost_api::limits::MAX_LOGIN_ATTEMPTS, "without end");
        }
        api.call(&routes::LOGIN, &[], &start(ke1.to_vec())).await.fails(429, "too_many_attempts");
        scene.server.pass_time(sealpost_api::limits::LOGIN_WINDOW_SECONDS + 1);
        let finish = SignIn::start(&api, email, &scene.client.password).await.finish(&org_id);
        api.call(&routes::LOGIN_FINISH, &[], &finish).await.ok();
        scene.ends_well().await;
    }

    async fn a63_a_challenge_of_another_server_is_not_answered(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let elsewhere = Elsewhere::of(&scene).await;
        elsewhere.takes_its_own().await;
        // Shown as it is: a kit and a seed know their organisation, and nothing is signed.
        let challenge = elsewhere.challenge().await;
        scene.evil.json(routes::KEY_CHALLENGE, { let it = challenge.clone(); move |answer| *answer = it.clone() });
        scene.evil.forget();
        let foreign = (ErrorKind::Verification, "foreign_organisation".to_owned());
        assert_eq!(refused(key_login(&scene, org_id).await), foreign);
        assert_eq!(recover(&scene, kit(&scene.client, org_id)).await, foreign);
        assert!(scene.evil.seen_of(routes::KEY_LOGIN).is_empty(), "something was signed");
        scene.evil.repent();
        // Its nonce under this organisation's name, with either account: what is signed counts nowhere.
        for fields in [&["nonce"][..], &["nonce", "user_id"]] {
            let challenge = elsewhere.challenge().await;
            scene.evil.json(routes::KEY_CHALLENGE, move |answer| {
                for field in fields {
                    answer[field] = challenge[field].clone();
                }
            });
            scene.evil.forget();
            assert_eq!(refused(key_login(&scene, org_id).await).0, ErrorKind::LoginFailed);
            let unknown = (ErrorKind::LoginFailed, "kit_unknown".to_owned());
            assert_eq!(recover(&scene, kit(&scene.client, org_id)).await, unknown);
            let signed = scene.evil.seen_of(routes::KEY_LOGIN);
            assert_eq!(signed.len(), 2);
            for signed in signed {
                let login: Value = serde_json::from_slice(&signed.asked.body).unwrap();
                elsewhere.api().call(&routes::KEY_LOGIN, &[], &login).await.fails(401, "login_failed");
            }
            scene.evil.repent();
        }
        elsewhere.takes_its_own().await;
        drop(key_login(&scene, org_id).await.expect("the honest run"));
        scene.ends_well().await;
    }

    async fn a63_a_password_is_proved_to_its_own_organisation_only(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let elsewhere = Elsewhere::of(&scene).await;
        let (api, theirs) = (elsewhere.api(), elsewhere.account.org_id());
        SignIn::run(&api, CLIENT, &scene.client.password, &theirs).await.ok();
        let relayed = |named: Option<OrgId>| {
            let api = api.clone();
            scene.evil.answers(routes::LOGIN, move |asked, answered| {
                let mut answer = relay(&api, &routes::LOGIN, &asked.body);
                if let Some(org_id) = named {
                    answer["org_id"] = json!(org_id.to_string());
                }
                answered.say(&answer);
            });
            scene.evil.forget();
        };
        // A device that knows its organisation, and one that knows none and is told that it is the right one.
        relayed(None);
        let known = refused(password_login(&scene, &scene.client.store).await);
        assert_eq!(known, (ErrorKind::Verification, "foreign_organisation".into()));
        assert!(scene.evil.seen_of(routes::LOGIN_FINISH).is_empty());
        scene.evil.repent();
        relayed(Some(org_id));
        for store in [scene.client.store.clone(), MemoryStore::new()] {
            let told = refused(password_login(&scene, &store).await);
            assert_eq!(told, (ErrorKind::LoginFailed, "login_failed".into()));
        }
        assert!(scene.evil.seen_of(routes::LOGIN_FINISH).is_empty(), "a proof of the password left the client");
        scene.evil.repent();
        drop(password_login(&scene, &MemoryStore::new()).await.expect("the honest run"));
        scene.ends_well().await;
    }

    async fn a63_a_recovery_is_answered_with_ones_own_account_only(server: TestServer) {
        let scene = Scene::set(server).await;
        let org_id = scene.ops.me.whoami().await.unwrap().org_id;
        let other = scene.ops.welcome(&scene.evil.url(), "other@example.com").await;
        scene.evil.forget();
        let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
        drop(client.login_with_seed(&other.email, org_id, seed(&other)).await.unwrap());
        let others: Value = serde_json::from_slice(&scene.evil.seen_of(routes::KEY_LOGIN)[0].answered.body).unwrap();
        let lies: [(&[&str], &str); 4] = [
            (&["user_id"], "other_account"),
            (&["credential"], "signature_invalid"),
            (&["envelope"], "credential_envelope"),
            (&["credential", "envelope"], "signature_invalid"),
        ];
        for (fields, code) in lies {
            let others = others.clone();
            scene.evil.json(routes::KEY_LOGIN, move |session| {
                for field in fields {
                    session["account"][field] = others["account"][field].clone();
                }
            });
            scene.evil.forget();
            let told = recover(&scene, kit(&scene.client, org_id)).await;
            assert_eq!(told, (ErrorKind::Verification, code.to_owned()), "{fields:?}");
            assert!(scene.evil.seen_of(routes::PUT_CREDENTIAL).is_empty(), "the account was changed");
            scene.evil.repent();
        }
        let client = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
        let found = client.recover(kit(&scene.client, org_id)).await.expect("the honest run");
        assert_eq!(found.identity().email, CLIENT);
        scene.ends_well().await;
    }

    async fn a87_another_accounts_session_gives_and_takes_nothing(server: TestServer) {
        let mut scene = Scene::set(server).await;
        let otto = scene.ops.welcome_ops(&scene.evil.url(), "otto@example.com", "Otto").await;
        let session: Value = serde_json::from_slice(&otto.blob("session").unwrap()).unwrap();
        let token = session["value"]["access_token"].clone();
        // Her device renews its session, and is given his; freshly started, and in the middle of its work.
        for restarted in [true, false] {
            expire(&scene.ops.store);
            scene.ops.restart().await;
            if !restarted {
                scene.ops.me.files(None).await.expect("the vault is at hand");
                let stale = std::sync::atomic::AtomicBool::new(true);
                scene.evil.answers(routes::LOG, move |_, answered| {
                    if stale.swap(false, std::sync::atomic::Ordering::SeqCst) {
                        answered.status = 401.try_into().unwrap();
                        answered.headers.insert("content-type", "application/problem+json".parse().unwrap());
                        answered.say(&json!({
                            "type": "urn:sealpost:problem:not_signed_in", "title": "Not signed in", "status": 401,
                            "code": "not_signed_in"
                        }));
                    }
                });
            }
            let token = token.clone();
            scene.evil.json(routes::REFRESH, move |tokens| tokens["access_token"] = token.clone());
            scene.evil.forget();
            let content = [7_u8; 1_000];
            let uploaded = scene.ops.me.upload(&content[..], sdk::describe("hers.txt", &content), &|_| {}).await;
            let told = uploaded.expect_err("uploaded under another's name");
            // His vault is not hers; nor is what he has shared.
            let code = if restarted { "vault" } else { "pair_rollback" };
            assert_eq!((told.kind(), told.code()), (ErrorKind::Verification, code), "{told:?}");
            assert_eq!(scene.evil.seen_of(routes::REFRESH).len(), 1);
            let shared = scene.ops.share(scene.file, &otto, Terms::default()).await.unwrap_err();
            assert!([ErrorKind::Verification, ErrorKind::NotFound].contains(&shared.kind()), "{shared:?}");
            let shown = scene.ops.me.files(None).await;
            assert!(shown.is_err() || shown.is_ok_and(|page| page.items.is_empty()), "another's files as hers");
            for route in [routes::COMPLETE, routes::SHARE, routes::PUT_VAULT, routes::UNSHARE] {
                let taken = scene.evil.seen_of(route).into_iter().filter(|seen| seen.answered.status.is_success());
                assert_eq!(taken.count(), 0, "{route:?} in another's name");
            }
            scene.evil.repent();
            assert!(otto.me.files(None).await.unwrap().items.is_empty());
            otto.me.whoami().await.unwrap();
        }
        expire(&scene.ops.store);
        scene.ops.restart().await;
        assert_eq!(scene.ops.me.files(None).await.expect("the honest run").items.len(), 1);
        scene.ends_well().await;
    }
}

/// The device thinks that its access token has expired.
fn expire(store: &MemoryStore) {
    let store: Arc<dyn StateStore> = Arc::new(store.clone());
    let mut session: Value = serde_json::from_slice(&store.load("session").unwrap().unwrap()).unwrap();
    session["value"]["expires_at"] = json!(0);
    store.save("session", &serde_json::to_vec(&session).unwrap()).unwrap();
}
