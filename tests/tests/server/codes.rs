//! Errors that the document lists and no other test comes by: one request for each. That there are no more of them,
//! `cargo xtask test` finds out (`xtask/src/seen.rs`).

use sealpost_api::{
    auth::Found,
    batch::FileShare,
    file::{PostReceipt, UnshareFile, WithdrawFile},
    invite::InviteRegister,
    limits::MAX_DOWNLOAD_LIMIT,
    log::{LogPage, LogSeen},
    routes,
    token::Token,
};
use sealpost_crypto::{
    encoding::Base64,
    id::{RecordId, UserId},
    records::{Manifest, Receipt, RevokeReason, Unshare},
};
use sealpost_tests::{
    TestServer,
    http::{Api, Credential, send},
    on_both_databases,
    raw::{Invitation, Terms, Upload, found, found_and_join, founding, random_bytes},
};

/// Longer than any invite here is open, seconds.
const LONG: u64 = 8 * 86_400;
/// One more than there may be.
const TOO_MANY: Terms = Terms { expiry: 0, limit: MAX_DOWNLOAD_LIMIT + 1 };

on_both_databases! {
    async fn an_invite_that_is_over_opens_nothing(server: TestServer) {
        let ops = found(&server).await;
        let used = ops.invite("used@example.com").await;
        ops.certify(&used, &used.accept().await).await;
        let replaced = ops.invite("replaced@example.com").await;
        let (_, late) = replaced.acceptance().await;
        ops.invite("replaced@example.com").await;
        let cancelled = ops.invite("cancelled@example.com").await;
        let id = server.literal(&cancelled.id());
        server.execute(format!("UPDATE invites SET state = 5 WHERE invite_id = {id}")).await;
        let expired = ops.invite("expired@example.com").await;
        let page: LogPage = ops.api.get(&routes::LOG, &[]).await.json();
        let seen = LogSeen { checkpoint: page.checkpoint };
        let refused = async |api: &Api, status, code| {
            api.get(&routes::LOG, &[]).await.fails(status, code);
            api.get(&routes::MEMBERS, &[]).await.fails(status, code);
            api.call(&routes::LOG_SEEN, &[], &seen).await.fails(status, code);
        };
        refused(&server.api().with(Credential::Invite("A".repeat(43))), 401, "invite_unknown").await;
        refused(&used.api, 410, "invite_used").await;
        refused(&replaced.api, 410, "invite_replaced").await;
        replaced.send_acceptance(&late).await.fails(410, "invite_replaced");
        refused(&cancelled.api, 410, "invite_cancelled").await;
        register(&cancelled).await.fails(410, "invite_cancelled");
        server.pass_time(LONG);
        refused(&expired.api, 410, "invite_expired").await;
        register(&expired).await.fails(410, "invite_expired");
    }

    async fn an_address_has_one_account(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let invitation = ops.invite("new@example.com").await;
        let (_, acceptance) = invitation.acceptance().await;
        // Whatever happens meanwhile to make it so.
        let id = server.literal(&client.user_id);
        server.execute(format!("UPDATE accounts SET email = 'new@example.com' WHERE user_id = {id}")).await;
        invitation.send_acceptance(&acceptance).await.fails(409, "already_member");
    }

    async fn a_founding_needs_the_token_and_a_genesis(server: TestServer) {
        let founding = founding(&server).await;
        let send = async |change: fn(&mut Found)| {
            let mut request = founding.request.clone();
            change(&mut request);
            server.api().call(&routes::ORGANISATION, &[], &request).await
        };
        send(|request| request.setup_token = Token::new("AAAA".into())).await.fails(401, "setup_token");
        let no_genesis = |request: &mut Found| request.genesis = request.registration.bundle.clone();
        send(no_genesis).await.fails(422, "record_invalid");
        send(|_| {}).await.ok();
    }

    async fn another_record_withdraws_nothing(server: TestServer) {
        let ops = found(&server).await;
        let otto = ops.welcome_ops(&server, "otto@example.com").await;
        let file = otto.upload().await;
        ops.revoke(&otto, RevokeReason::Left).await;
        let request = WithdrawFile { record: file.manifest.raw().clone() };
        let answer = ops.api.call(&routes::WITHDRAW, &[&file.upload.file_id], &request).await;
        answer.fails(422, "record_invalid");
    }

    async fn what_names_a_log_to_come_is_told_apart(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let file = ops.upload().await;
        let id = file.upload.file_id;
        let share = ops.share_with(&file, &client, Terms::default()).await.id();

        let mut unshare: Unshare = ops.unshare_record(id, client.user_id, share).await.claim().unwrap();
        unshare.log_size += 1;
        let request = UnshareFile { record: ops.sign(unshare).into_raw() };
        ops.api.call(&routes::UNSHARE, &[&id], &request).await.fails(422, "log_unknown");

        let receipt = client.receipt(share, file.manifest.id()).await.receipt;
        let mut receipt: Receipt = receipt.claim().unwrap();
        receipt.log_size += 1;
        let request = PostReceipt { receipt: client.sign(receipt).into_raw() };
        client.api.call(&routes::POST_RECEIPT, &[&id], &request).await.fails(422, "log_unknown");

        let invitation = ops.offer_with("new@example.com", |offer| offer.log_size += 1).await;
        let answer = ops.api.call(&routes::CREATE_INVITE, &[], &invitation.request).await;
        answer.fails(422, "log_unknown");

        let bundle = client.bundle.id();
        let mut context =
            ops.share_context(&file.manifest, client.user_id, bundle, Terms::default()).await;
        context.log_size += 1;
        let ahead = FileShare { file_id: id, share: ops.seal(&context) };
        let share = ops.sealed_share(&file.manifest, client.user_id, bundle, TOO_MANY).await;
        let results = ops.share_files(&[ahead, FileShare { file_id: id, share }]).await;
        let codes: Vec<_> = results.iter().map(|result| result.problem.as_ref().unwrap().code.as_str()).collect();
        assert_eq!(codes, ["log_unknown", "limit_reached"]);
    }

    async fn what_an_owner_gives_themselves_has_no_terms_and_no_other_reader(server: TestServer) {
        let ops = found(&server).await;
        let me = (ops.user_id, ops.bundle.id());
        let nobody = (UserId::random(), RecordId::random());
        let mut files = ops.whole(&[Upload::of_size(1), Upload::of_size(1), Upload::of_size(1)]).await;
        let mut ahead: Manifest = files[0].complete.manifest.claim().unwrap();
        ahead.log_size += 1;
        files[0].complete.manifest = ops.sign(ahead).into_raw();
        for (file, (recipient, bundle), terms) in [(1, me, TOO_MANY), (2, nobody, Terms::default())] {
            let manifest = ops.sign(files[file].complete.manifest.claim::<Manifest>().unwrap());
            files[file].complete.share = ops.sealed_share(&manifest, recipient, bundle, terms).await;
        }
        let results = ops.create_files(&files).await;
        let codes: Vec<_> = results.iter().map(|result| result.problem.as_ref().unwrap().code.as_str()).collect();
        assert_eq!(codes, ["log_unknown", "limit_reached", "recipient_unknown"]);

        let upload = Upload::of_size(1);
        ops.begin(upload.file_id).await.ok();
        ops.put_part(upload.file_id, 0, &upload.parts[0]).await.ok();
        let mut request = ops.completion(&upload).await;
        let manifest = ops.sign(request.manifest.claim::<Manifest>().unwrap());
        request.share = ops.sealed_share(&manifest, me.0, me.1, TOO_MANY).await;
        ops.complete(upload.file_id, &request).await.fails(422, "limit_reached");
    }

    async fn an_id_that_is_none_is_nobodys(server: TestServer) {
        let ops = found(&server).await;
        for path in ["/members/olga", "/members/olga/files", "/pairs/olga?direction=sent"] {
            send(ops.api.request("GET", path)).await.fails(404, "not_found");
        }
    }
}

async fn register(invitation: &Invitation) -> sealpost_tests::http::Answer {
    let request = InviteRegister { request: Base64(random_bytes(32)) };
    invitation.api.call(&routes::INVITE_REGISTER, &[&invitation.id()], &request).await
}
