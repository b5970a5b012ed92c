//! Founding, inviting, joining, certifying: once, by the right people, in the right order.

use futures_util::future::join_all;
use sealpost_api::{
    account::{AccountStatus, AccountView, MemberView, RoleName},
    auth::{FounderRegister, Session},
    invite::{InviteState, InviteView},
    log::{AppendLog, LogPage},
    paging::Page,
    routes,
    token::Token,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, InviteId, OrgId, RecordId, UserId},
    records::{Certify, Checkpoint, Offer, Role},
    sign::Signature,
};
use sealpost_server::{Config, StartError};
use sealpost_tests::{
    Backend, TestServer,
    http::{Credential, send},
    on_every_backend,
    raw::{Invitation, Person, found, found_and_join, random_bytes},
};

on_every_backend! {
    async fn before_the_founding_nobody_is_let_in(server: TestServer) {
        let api = server.api();
        for route in [routes::HEALTHZ, routes::READYZ, routes::SERVER] {
            api.get(&route, &[]).await.ok();
        }
        let register = |token: &str| FounderRegister {
            setup_token: Token::new(token.to_owned()),
            org_id: OrgId::random(),
            email: "ops@example.com".into(),
            request: Base64(random_bytes(32)),
        };
        let answer = api.call(&routes::ORGANISATION_REGISTER, &[], &register("AAAA")).await;
        answer.fails(401, "setup_token");
        let forged = api.with(Credential::Bearer("a.b.c".into())).get(&routes::FILES, &[]).await.problem();
        assert!([401, 503].contains(&forged.status), "{forged:?}");
    }

    async fn an_organisation_is_founded_once(server: TestServer) {
        let mut server = server;
        let token = server.setup_token();
        assert!(server.data().join("setup-token").exists());
        server.restart().await;
        assert_eq!(server.setup_token(), token, "the token changed over a restart");
        let ops = found(&server).await;
        let account: AccountView = ops.api.get(&routes::ACCOUNT, &[]).await.json();
        assert_eq!((account.role, account.status), (RoleName::Ops, AccountStatus::Active));
        assert_eq!((account.org_id, account.inviter), (ops.org_id, None));
        assert!(!server.data().join("setup-token").exists(), "the setup token outlived its use");
        let again = FounderRegister {
            setup_token: Token::new(token),
            org_id: OrgId::random(),
            email: "second@example.com".into(),
            request: Base64(random_bytes(32)),
        };
        let problem = server.api().call(&routes::ORGANISATION_REGISTER, &[], &again).await.problem();
        assert!([401, 409].contains(&problem.status), "{problem:?}");
        server.restart().await;
        ops.api.get(&routes::ACCOUNT, &[]).await.ok();
    }

    async fn an_invitee_is_pending_until_certified(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite("client@example.com").await;
        assert_eq!(state(&ops, &invitation).await, InviteState::Open);
        let view: InviteView = invitation.api.get(&routes::INVITE, &[&invitation.id()]).await.json();
        assert_eq!((view.state, view.email.as_str()), (InviteState::Open, "client@example.com"));
        assert_eq!(view.offer, invitation.request.offer);

        let client = invitation.accept().await;
        assert_eq!(state(&ops, &invitation).await, InviteState::Accepted);
        let account: AccountView = client.api.get(&routes::ACCOUNT, &[]).await.json();
        assert_eq!((account.role, account.status), (RoleName::Client, AccountStatus::Pending));
        assert_eq!(account.inviter, Some(ops.user_id));
        client.api.get(&routes::FILES_SHARED, &[]).await.fails(403, "account_pending");

        ops.certify(&invitation, &client).await;
        assert_eq!(state(&ops, &invitation).await, InviteState::Certified);
        client.api.get(&routes::FILES_SHARED, &[]).await.ok();
        client.api.get(&routes::FILES, &[]).await.fails(403, "role_forbidden");
    }

    async fn an_invite_is_used_once_and_a_lost_answer_can_be_had_again(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite("client@example.com").await;
        // Looking at it, as mail scanners do, changes nothing (A67).
        for _ in 0..3 {
            invitation.api.get(&routes::INVITE, &[&invitation.id()]).await.ok();
        }
        let (_, mine) = invitation.acceptance().await;
        let (_, theirs) = invitation.acceptance().await;
        let first: Session = invitation.send_acceptance(&mine).await.json();
        let again: Session = invitation.send_acceptance(&mine).await.json();
        assert_eq!(first.account.user_id, again.account.user_id);
        invitation.send_acceptance(&theirs).await.fails(410, "invite_used");
        let problem = invitation.api.call(&routes::INVITE_REGISTER, &[&invitation.id()], &sealpost_api::invite::InviteRegister { request: Base64(random_bytes(32)) }).await.problem();
        assert!([400, 410].contains(&problem.status), "{problem:?}");
    }

    async fn of_many_who_race_for_an_invite_one_gets_it(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite("client@example.com").await;
        let requests = join_all((0..8).map(|_| invitation.acceptance())).await;
        let answers = join_all(requests.iter().map(|(_, request)| invitation.send_acceptance(request))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1);
        for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
            answer.fails(410, "invite_used");
        }
    }

    async fn an_invite_opens_nothing_with_another_token(server: TestServer) {
        let ops = found(&server).await;
        let (one, two) = (ops.invite("one@example.com").await, ops.invite("two@example.com").await);
        for token in [two.token.as_str(), "", "AAAA", "!"] {
            let api = server.api().with(Credential::Invite(token.to_owned()));
            api.get(&routes::INVITE, &[&one.id()]).await.fails(401, "invite_unknown");
        }
        let unknown = one.api.get(&routes::INVITE, &[&InviteId::random()]).await;
        unknown.fails(401, "invite_unknown");
    }

    async fn a_newer_invite_takes_the_place_of_an_open_one(server: TestServer) {
        let ops = found(&server).await;
        let old = ops.invite("client@example.com").await;
        let same_person = old.request.opening.clone();
        let mut new = ops
            .offer_with("client@example.com", |offer| {
                offer.user_id = same_person.user_id;
                offer.subject = old.offer.subject;
            })
            .await;
        new.request.opening = same_person;
        ops.api.call(&routes::CREATE_INVITE, &[], &new.request).await.ok();
        assert_eq!(state(&ops, &old).await, InviteState::Replaced);
        old.api.call(&routes::INVITE_REGISTER, &[&old.id()], &sealpost_api::invite::InviteRegister { request: Base64(random_bytes(32)) }).await.problem();
        let client = new.accept().await;
        ops.certify(&new, &client).await;
        let third = ops.offer("client@example.com").await;
        ops.api.call(&routes::CREATE_INVITE, &[], &third.request).await.fails(409, "already_member");
    }

    async fn whoever_is_not_in_the_log_is_listed_at_once(server: TestServer) {
        let ops = found(&server).await;
        let open = ops.invite("open@example.com").await;
        let accepted = ops.invite("accepted@example.com").await;
        accepted.accept().await;
        let cancelled = ops.invite("cancelled@example.com").await;
        let id = server.literal(&cancelled.id());
        server.execute(format!("UPDATE invites SET state = 5 WHERE invite_id = {id}")).await;
        ops.welcome("certified@example.com").await;
        ops.invite("replaced@example.com").await;
        ops.invite("replaced@example.com").await;
        let list = async |query: &str| {
            let path = format!("{}?limit=2&{query}", routes::INVITES.path);
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let answer = send(ops.api.request("GET", &format!("{path}{cursor}"))).await;
                let page: Page<InviteView> = answer.json();
                all.extend(page.items.iter().map(|invite| (invite.email.clone(), invite.state)));
                let Some(next) = page.next_cursor else { return all };
                cursor = format!("&cursor={next}");
            }
        };
        let states = |all: &[(String, InviteState)]| all.iter().map(|(_, state)| *state).collect::<Vec<_>>();
        let found = list("uncertified=true").await;
        use InviteState::{Accepted, Cancelled, Expired, Open};
        assert_eq!(states(&found), [Open, Cancelled, Accepted, Open], "newest first: {found:?}");
        assert_eq!((found[1].0.as_str(), found[3].0.as_str()), ("cancelled@example.com", "open@example.com"));
        assert_eq!(list("uncertified=false").await.len(), 6, "all");
        server.pass_time(8 * 86_400);
        let (mut ops, open) = (ops, open);
        ops.refresh().await;
        let found: Page<InviteView> = send(ops.api.request("GET", "/invites?uncertified=true")).await.json();
        let state = found.items.iter().find(|invite| invite.invite_id == open.id()).map(|invite| invite.state);
        assert_eq!(state, Some(Expired));
        let both = send(ops.api.request("GET", "/invites?uncertified=true&state=open")).await;
        both.fails(400, "malformed_request");
    }

    async fn an_offer_must_say_what_is_true(server: TestServer) {
        type Change = fn(&mut Offer);
        let (ops, client) = found_and_join(&server).await;
        let changes: [Change; 7] = [
            |offer| offer.org_id = OrgId::random(),
            |offer| offer.signer = UserId::random(),
            |offer| offer.signer_bundle = RecordId::random(),
            |offer| offer.subject = Digest::random(),
            |offer| offer.log_head = RecordId::random(),
            |offer| offer.log_sig = Signature::new([3; 64]),
            |offer| offer.user_id = UserId::random(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let invitation = ops.offer_with("new@example.com", change).await;
            let problem = ops.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await.problem();
            assert_eq!(problem.status, 422, "change {number}: {problem:?}");
        }
        let role = ops.offer_with("new@example.com", |offer| offer.role = Role::Ops).await;
        // An Ops member has an account key, always.
        ops.api.call(&routes::CREATE_INVITE, &[], &role.request).await.fails(422, "record_invalid");
        // A client's signature makes no invite, even through an Ops member's session.
        let forged = client.offer("new@example.com").await;
        assert_eq!(ops.api.call(&routes::CREATE_INVITE, &[], &forged.request).await.problem().status, 422);
        let honest = ops.invite("new@example.com").await;
        ops.api.call(&routes::CREATE_INVITE, &[], &honest.request).await.ok();
        let mut other = ops.offer("else@example.com").await;
        other = ops.offer_with("else@example.com", |offer| {
            offer.invite_id = honest.id();
            offer.user_id = other.offer.user_id;
        }).await;
        let problem = ops.api.call(&routes::CREATE_INVITE, &[], &other.request).await.problem();
        assert!([409, 422].contains(&problem.status), "{problem:?}");
    }

    async fn an_acceptance_must_say_what_is_true(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite("client@example.com").await;
        let other = ops.invite("other@example.com").await;
        let (_, honest) = invitation.acceptance().await;
        let (_, foreign) = other.acceptance().await;
        let (_, second) = invitation.acceptance().await;
        let mut wrong = Vec::new();
        let mut change = |change: &dyn Fn(&mut sealpost_api::invite::AcceptInvite)| {
            let mut request = honest.clone();
            change(&mut request);
            wrong.push(request);
        };
        change(&|request| request.accept = foreign.accept.clone());
        change(&|request| request.accept.signature = Signature::new([1; 64]));
        change(&|request| request.registration.bundle = second.registration.bundle.clone());
        change(&|request| request.registration.credential = second.registration.credential.clone());
        change(&|request| request.registration.opaque_record.0[40] ^= 1);
        change(&|request| { request.registration.opaque_record.0.pop(); });
        change(&|request| request.registration.envelope.0[0] ^= 1);
        change(&|request| { request.registration.envelope.0.push(0); });
        for (number, request) in wrong.into_iter().enumerate() {
            let problem = invitation.send_acceptance(&request).await.problem();
            assert!([400, 422].contains(&problem.status), "change {number}: {problem:?}");
            assert_eq!(state(&ops, &invitation).await, InviteState::Open, "change {number} used the invite up");
        }
        // One failed try may have used up its nonce: a fresh registration must work.
        invitation.accept().await;
    }

    async fn only_true_certificates_enter_the_log(server: TestServer) {
        type Change = fn(&mut Certify);
        let ops = found(&server).await;
        let invitation = ops.invite("client@example.com").await;
        let client = invitation.accept().await;
        let honest = ops.certificate(&invitation, &client).await;
        let changes: [Change; 9] = [
            |c| c.org_id = OrgId::random(),
            |c| c.signer = UserId::random(),
            |c| c.subject = Digest::random(),
            |c| c.role = Role::Ops,
            |c| c.bundle = RecordId::random(),
            |c| c.generation = 2,
            |c| c.offer = RecordId::random(),
            |c| c.user_id = UserId::random(),
            |c| c.previous = RecordId::random(),
        ];
        let append = async |record| ops.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await;
        for (number, change) in changes.into_iter().enumerate() {
            let mut certificate = honest.get().clone();
            change(&mut certificate);
            let problem = append(ops.sign(certificate).into_raw()).await.problem();
            assert!([409, 422].contains(&problem.status), "change {number}: {problem:?}");
        }
        // The client can't certify itself with an Ops member's session either.
        let own = client.sign(honest.get().clone()).into_raw();
        assert_eq!(append(own).await.problem().status, 422);
        assert_eq!(log(&ops).await.entries.len(), 1);
        let record = honest.into_raw();
        for _ in 0..2 {
            append(record.clone()).await.ok();
        }
        let page = log(&ops).await;
        assert_eq!((page.entries.len(), &page.entries[1].record), (2, &record));
        let checkpoint: Checkpoint = page.checkpoint.claim().unwrap();
        assert_eq!((checkpoint.log_size, checkpoint.log_head), (2, record.id()));
    }

    async fn two_devices_writing_to_the_log_both_succeed_in_the_end(server: TestServer) {
        let ops = found(&server).await;
        let mut accepted = Vec::new();
        for number in 0..5 {
            let invitation = ops.invite(&format!("client{number}@example.com")).await;
            let client = invitation.accept().await;
            accepted.push((invitation, client));
        }
        join_all(accepted.iter().map(|(invitation, client)| certify_until_done(&ops, invitation, client))).await;
        let page = log(&ops).await;
        assert_eq!(page.entries.len(), 6);
        let mut previous = page.entries[0].record.id();
        for entry in &page.entries[1..] {
            assert_eq!(entry.record.claim::<Certify>().unwrap().previous, previous);
            previous = entry.record.id();
        }
        let checkpoint: Checkpoint = page.checkpoint.claim().unwrap();
        assert_eq!((checkpoint.log_size, checkpoint.log_head), (6, previous));
    }

    async fn clients_see_the_ops_members_and_nobody_else(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        ops.welcome("other@example.com").await;
        let invitation = ops.invite("pending@example.com").await;
        let everybody = members(&ops).await;
        assert!(everybody.contains(&"client@example.com".into()) && everybody.contains(&"other@example.com".into()));
        assert_eq!(members(&client).await, ["ops@example.com"]);
        let seen: Page<MemberView> = invitation.api.get(&routes::MEMBERS, &[]).await.json();
        assert_eq!(seen.items.len(), 1);
        // Who is asked about makes no difference (A50).
        let unknown = client.pair(UserId::random(), "sent", 0).await;
        assert_eq!((unknown.records.len(), unknown.newest), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_never_share_a_data_folder_or_a_port() {
    let server = TestServer::start(Backend::SQLITE_FOLDER).await;
    let mut config = Config::new(server.data());
    config.listen.set_port(0);
    let error = sealpost_server::start(config).await.err().expect("a second server on one folder");
    assert!(matches!(error, StartError::FolderInUse(_)), "{error}");
    let mut config = Config::new(server.scratch().join("elsewhere"));
    config.listen = server.address();
    let error = sealpost_server::start(config).await.err().expect("a second server on one port");
    assert!(matches!(error, StartError::AddressInUse(_)), "{error}");
}

async fn certify_until_done(ops: &Person, invitation: &Invitation, client: &Person) {
    for _ in 0..50 {
        let record = ops.certificate(invitation, client).await.into_raw();
        let answer = ops.api.call(&routes::APPEND_LOG, &[], &AppendLog { record }).await;
        if answer.status.is_success() {
            return;
        }
        let problem = answer.fails(409, "log_conflict");
        assert_eq!(problem.record.expect("the entry that holds the place").kind, "certify");
    }
    panic!("no place in fifty tries");
}

async fn state(ops: &Person, invitation: &Invitation) -> InviteState {
    let page: Page<InviteView> = ops.api.get(&routes::INVITES, &[]).await.json();
    page.items.iter().find(|view| view.invite_id == invitation.id()).expect("the invite").state
}

async fn log(person: &Person) -> LogPage {
    person.api.get(&routes::LOG, &[]).await.json()
}

async fn members(person: &Person) -> Vec<String> {
    let page: Page<MemberView> = send(person.api.request("GET", routes::MEMBERS.path)).await.json();
    page.items.iter().map(|member| member.opening.email.to_string()).collect()
}
