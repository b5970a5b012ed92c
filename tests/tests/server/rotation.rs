//! New keys for an account (protocol §3.8): everything changes or nothing, once; and what of the old keys ends.

use sealpost_api::{
    account::{AccountView, VaultBlob},
    auth::{KeyChallenge, KeyChallengeRequest, KeyLogin},
    file::{FileView, ShareFile, ShareResults, ShareView},
    log::LogPage,
    paging::Page,
    routes,
};
use sealpost_crypto::{
    id::{Digest, FileId, OrgId, RecordId, UserId},
    keys::AccountKeys,
    record::Signed,
    records::Login,
    secret::AccountSeed,
};
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Draft, Person, SignIn, Stored, Terms, found, found_and_join},
};

on_every_backend! {
    async fn a_rotation_counts_once_and_its_repeat_is_the_same(server: TestServer) {
        let ops = found(&server).await;
        let invitation = ops.invite(EMAIL).await;
        let client = invitation.accept_with(PASSWORD).await;
        ops.certify(&invitation, &client).await;
        let other = SignIn::run(&server.api(), EMAIL, PASSWORD, &client.org_id).await;
        let other = client.api_with_token(other.json::<sealpost_api::auth::Session>().tokens.access_token.expose());
        let begun = SignIn::start(&server.api(), EMAIL, PASSWORD).await;

        let (next, late) = (client.next_keys().await, client.next_keys().await);
        for _ in 0..2 {
            client.send_rotation(&next).await.ok();
        }
        let entries = client.api.get(&routes::LOG, &[]).await.json::<LogPage>().entries;
        assert_eq!((entries.len(), entries[2].bundle.as_ref()), (3, Some(&next.request.bundle)));
        let view: AccountView = client.api.get(&routes::ACCOUNT, &[]).await.json();
        assert_eq!((&view.credential, &view.envelope), (&next.request.credential, &next.request.envelope));
        let vault: VaultBlob = client.api.get(&routes::VAULT, &[]).await.json();
        assert_eq!(vault.blob, next.request.vault.blob);

        // Another one for the same place is told who holds it.
        let taken = client.send_rotation(&late).await.problem();
        assert_eq!((taken.code.as_str(), taken.record.unwrap()), ("log_conflict", next.request.entry.clone()));
        other.get(&routes::ACCOUNT, &[]).await.fails(401, "not_signed_in");
        let request = begun.finish(&client.org_id);
        server.api().call(&routes::LOGIN_FINISH, &[], &request).await.fails(401, "login_failed");
        SignIn::run(&server.api(), EMAIL, PASSWORD, &client.org_id).await.fails(401, "login_failed");

        // By key: the new one signs in, the old one is told, and who only knows its public half is told nothing.
        key_login(&server, &next.seed, &client, |_| {}).await.ok();
        let old = key_login(&server, &client.seed, &client, |_| {}).await;
        old.fails(401, "account_rotated");
        let thief = AccountSeed::random();
        key_login_as(&server, &client.keys, &AccountKeys::derive(&thief), &client, |_| {}).await.fails(401, "login_failed");
        key_login(&server, &client.seed, &client, |login| login.nonce = Digest::random()).await.fails(401, "login_failed");
    }

    async fn whatever_is_wrong_changes_nothing(server: TestServer) {
        type Edit = fn(&mut Draft);
        let (ops, client) = found_and_join(&server).await;
        let before = snapshot(&client).await;
        let edits: [(Edit, u16, &str); 17] = [
            (|d| d.entry.org_id = OrgId::random(), 422, "record_invalid"),
            (|d| d.entry.signer = UserId::random(), 422, "record_invalid"),
            (|d| d.entry.signer_bundle = RecordId::random(), 422, "record_invalid"),
            (|d| d.entry.sequence += 1, 422, "record_invalid"),
            (|d| d.entry.sequence = 1, 409, "log_conflict"),
            (|d| d.entry.previous = RecordId::random(), 422, "record_invalid"),
            (|d| d.entry.bundle = RecordId::random(), 422, "record_invalid"),
            (|d| d.entry.generation = 3, 422, "record_invalid"),
            (|d| d.credential.signer_bundle = RecordId::random(), 422, "record_invalid"),
            (|d| d.credential.generation = 1, 422, "record_invalid"),
            (|d| d.credential.epoch = 3, 409, "credential_changed"),
            (|d| d.credential.previous = RecordId::random(), 409, "credential_changed"),
            (|d| d.credential.account_key = !d.credential.account_key, 422, "record_invalid"),
            (|d| d.credential.nonce = Digest::random(), 422, "record_invalid"),
            (|d| d.credential.envelope = Digest::random(), 422, "record_invalid"),
            (|d| d.credential.opaque_record = Digest::random(), 422, "record_invalid"),
            (|d| d.vault.version += 1, 409, "vault_conflict"),
        ];
        for (n, (edit, status, code)) in edits.into_iter().enumerate() {
            let next = client.next_keys_with(AccountSeed::random(), 2, edit).await;
            let refused = client.send_rotation(&next).await.problem();
            assert_eq!((refused.status, refused.code.as_str()), (status, code), "{n}: {}", refused.detail);
        }
        // Keys that are kept, or of another generation; signed by somebody else; vaults that follow another one.
        let kept = client.next_keys_with(client.seed.clone(), 2, |_| {}).await;
        client.send_rotation(&kept).await.fails(422, "record_invalid");
        let third = client.next_keys_with(AccountSeed::random(), 3, |d| d.entry.generation = 2).await;
        client.send_rotation(&third).await.fails(422, "record_invalid");
        let stale = client.next_keys_with(AccountSeed::random(), 2, |d| d.vault.previous = Digest::random()).await;
        client.send_rotation(&stale).await.fails(409, "vault_conflict");
        let hers = ops.next_keys().await;
        client.send_rotation(&hers).await.fails(422, "record_invalid");
        let mut mixed = client.next_keys().await;
        mixed.request.bundle = hers.request.bundle.clone();
        client.send_rotation(&mixed).await.fails(422, "record_invalid");
        assert_eq!(snapshot(&client).await, before);
        client.rotate().await;
    }

    async fn nothing_that_old_keys_sign_is_taken_but_a_receipt(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let share = ops.share_with(&file, &client, Terms::default()).await;
        let (id, manifest) = (file.upload.file_id, file.manifest.id());
        let another = ops.upload().await;
        let late = ops.sealed_share(&another.manifest, client.user_id, client.bundle.id(), Terms::default()).await;
        let end = ops.unshare_record(id, client.user_id, share.id()).await;
        let offer = ops.offer("later@example.com").await;
        let receipt = client.receipt(share.id(), manifest).await;
        let (ops, _) = ops.rotate().await;
        let (client, _) = client.rotate().await;

        let refused = ops.send_share(another.upload.file_id, late).await.problem.unwrap();
        assert_eq!(refused.code.as_str(), "record_invalid", "{}", refused.detail);
        let unshare = sealpost_api::file::UnshareFile { record: end };
        ops.api.call(&routes::UNSHARE, &[&id], &unshare).await.fails(422, "record_invalid");
        ops.api.call(&routes::CREATE_INVITE, &[], &offer.request).await.fails(422, "record_invalid");
        client.api.call(&routes::POST_RECEIPT, &[&id], &receipt).await.ok();
    }

    async fn a_fresh_share_allows_what_is_left_and_no_more(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let expiry = ops.now().await + 1_000;
        let file = ops.upload().await;
        let old = ops.share_with(&file, &client, Terms { expiry, limit: 3 }).await;
        let id = file.upload.file_id;
        let ticket = "0123456789abcdef0123456789abcdef";
        client.download(id, Some(ticket)).await.ok();

        // Under the same keys there is nothing to renew.
        let same = renew(&ops, &file, &client, Terms { expiry, limit: 2 }, old.id()).await;
        assert_eq!(same.as_deref(), Some("share_changed"));
        let (ops, _) = ops.rotate().await;
        for terms in [
            Terms { expiry, limit: 3 },
            Terms { expiry, limit: 0 },
            Terms { expiry: expiry + 1, limit: 2 },
            Terms { expiry: 0, limit: 2 },
        ] {
            let wider = renew(&ops, &file, &client, terms, old.id()).await;
            assert_eq!(wider.as_deref(), Some("share_changed"), "{terms:?}");
        }
        let plain = ops.share(&file, &client, Terms { expiry, limit: 2 }).await.problem.unwrap();
        assert_eq!(plain.code.as_str(), "already_shared");
        assert_eq!(renew(&ops, &file, &client, Terms { expiry, limit: 2 }, old.id()).await, None);
        let again = renew(&ops, &file, &client, Terms { expiry, limit: 1 }, old.id()).await;
        assert_eq!(again.as_deref(), Some("share_changed"), "it is over");

        // What was under way goes on uncounted; two more downloads, and no fourth by the old share.
        client.download(id, Some(ticket)).await.ok();
        client.download(id, None).await.ok();
        client.download(id, None).await.ok();
        client.download(id, None).await.fails(404, "not_found");
        client.api.get(&routes::FILE, &[&id]).await.fails(404, "not_found");
        let views = ops.api.get(&routes::SHARES, &[&id]).await.json::<Page<ShareView>>().items;
        let shown: Vec<_> = views.iter().map(|view| (view.downloads, view.renewed_by)).collect();
        assert_eq!(shown, [(1, Some(views[1].share.record.id())), (2, None)]);

        // A share that is used up, ended, or of another file is not brought back.
        let late = renew(&ops, &file, &client, Terms { expiry, limit: 1 }, views[1].share.record.id()).await;
        assert_eq!(late.as_deref(), Some("share_changed"));
        let unknown = request(&ops, &file, &client, Terms { expiry, limit: 1 }, RecordId::random()).await;
        unknown.fails(422, "record_invalid");
    }

    async fn the_owners_own_access_is_renewed_without_terms(server: TestServer) {
        let ops = found(&server).await;
        let file = ops.upload().await;
        let (id, old) = (file.upload.file_id, file.own_share.record.id());
        let (ops, _) = ops.rotate().await;
        let limited = renew(&ops, &file, &ops, Terms { expiry: 0, limit: 9 }, old).await;
        assert_eq!(limited.as_deref(), Some("share_changed"));
        assert_eq!(renew(&ops, &file, &ops, Terms::default(), old).await, None);
        let view: FileView = ops.api.get(&routes::FILE, &[&id]).await.json();
        assert_ne!(view.share.record.id(), old);
        let own = ops.api.get(&routes::FILES, &[]).await.json::<Page<sealpost_api::file::OwnFileView>>().items;
        assert_eq!(own.len(), 1, "each file once");
        assert_eq!(own[0].file.share.record, view.share.record);
    }

    async fn owners_end_their_own_access_only_to_what_their_old_keys_have_shared(server: TestServer) {
        let ops = found(&server).await;
        let file = ops.upload().await;
        let (id, share) = (file.upload.file_id, file.own_share.record.id());
        let end = async |ops: &Person, share| {
            let record = ops.unshare_record(id, ops.user_id, share).await;
            ops.api.call(&routes::UNSHARE, &[&id], &sealpost_api::file::UnshareFile { record }).await
        };
        end(&ops, share).await.fails(422, "record_invalid");
        let (ops, _) = ops.rotate().await;
        assert_eq!(renew(&ops, &file, &ops, Terms::default(), share).await, None);
        let fresh = ops.api.get(&routes::FILE, &[&id]).await.json::<FileView>().share.record.id();
        end(&ops, fresh).await.fails(422, "record_invalid");

        // Under newer keys still: it is nobody's then, and its owner can clear it away.
        let (ops, _) = ops.rotate().await;
        end(&ops, fresh).await.ok();
        ops.api.get(&routes::FILE, &[&id]).await.fails(404, "not_found");
        let own = ops.api.get(&routes::FILES, &[]).await.json::<Page<sealpost_api::file::OwnFileView>>().items;
        assert!(own.is_empty());
        send(ops.api.route(&routes::DELETE_FILE, &[&id])).await.ok();
    }

    async fn renewing_while_others_download_counts_every_download(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let id = file.upload.file_id;
        let old = ops.share_with(&file, &client, Terms { expiry: 0, limit: 8 }).await;
        let (ops, _) = ops.rotate().await;
        let downloads = async {
            let all = (0..20).map(|_| client.download(id, None));
            let all = futures_util::future::join_all(all).await;
            all.iter().filter(|answer| answer.status.is_success()).count() as u64
        };
        let renewing = async {
            for limit in (1..=8).rev() {
                if renew(&ops, &file, &client, Terms { expiry: 0, limit }, old.id()).await.is_none() {
                    return Some(limit);
                }
            }
            None
        };
        let (first, renewed) = tokio::join!(downloads, renewing);
        let mut begun = first;
        while client.download(id, None).await.status.is_success() {
            begun += 1;
        }
        let counted: u64 = ops.api.get(&routes::SHARES, &[&id]).await.json::<Page<ShareView>>().items.iter().map(|view| view.downloads).sum();
        assert!(begun <= 8, "{begun} of 8 downloads, renewed with {renewed:?}");
        assert_eq!(begun, counted);
    }
}

const EMAIL: &str = "client@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// What a rotation changes.
async fn snapshot(person: &Person) -> (usize, AccountParts, Vec<u8>) {
    let log: LogPage = person.api.get(&routes::LOG, &[]).await.json();
    let view: AccountView = person.api.get(&routes::ACCOUNT, &[]).await.json();
    let vault: VaultBlob = person.api.get(&routes::VAULT, &[]).await.json();
    (log.entries.len(), (view.credential.id(), view.envelope.0), vault.blob.0)
}

type AccountParts = (RecordId, Vec<u8>);

/// Shares anew in place of `old`; the code of why not.
async fn renew(owner: &Person, file: &Stored, with: &Person, terms: Terms, old: RecordId) -> Option<String> {
    let answer: ShareResults = request(owner, file, with, terms, old).await.json();
    answer.results[0].problem.as_ref().map(|problem| problem.code.as_str().to_owned())
}

async fn request(owner: &Person, file: &Stored, with: &Person, terms: Terms, old: RecordId) -> Answer {
    let share = owner.sealed_share(&file.manifest, with.user_id, with.bundle.id(), terms).await;
    let id: FileId = file.upload.file_id;
    owner.api.call(&routes::SHARE, &[&id], &ShareFile { shares: vec![share], renews: vec![old] }).await
}

/// Signs in with a key that the person has, or had.
async fn key_login(server: &TestServer, seed: &AccountSeed, who: &Person, edit: fn(&mut Login)) -> Answer {
    let keys = AccountKeys::derive(seed);
    key_login_as(server, &keys, &keys, who, edit).await
}

/// Names one key, and signs with another.
async fn key_login_as(
    server: &TestServer,
    named: &AccountKeys,
    signing: &AccountKeys,
    who: &Person,
    edit: fn(&mut Login),
) -> Answer {
    let request = KeyChallengeRequest { signing_key: named.signing.public_key() };
    let challenge: KeyChallenge = server.api().call(&routes::KEY_CHALLENGE, &[], &request).await.json();
    assert_eq!(challenge.user_id, who.user_id);
    let bundle = sealpost_crypto::records::Bundle {
        signing_key: named.signing.public_key(),
        kem_key: named.kem.public_key().clone(),
        generation: challenge.generation,
        ..who.bundle.get().clone()
    };
    let bundle = Signed::sign(bundle, &named.signing).unwrap();
    let mut login = Login {
        org_id: who.org_id,
        signer: who.user_id,
        signer_bundle: bundle.id(),
        nonce: challenge.nonce,
        time: challenge.time,
    };
    edit(&mut login);
    let login = Signed::sign(login, &signing.signing).unwrap().into_raw();
    server.api().call(&routes::KEY_LOGIN, &[], &KeyLogin { login }).await
}
