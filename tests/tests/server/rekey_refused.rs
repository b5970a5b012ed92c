//! What keeps a version that was sealed anew from going live before anybody looks at who has the file: parts that are not
//! there, a log that nobody knows, more shares than one request takes.

use sealpost_api::{file::RekeyFile, limits::MAX_SHARES_PER_REKEY, routes};
use sealpost_crypto::{
    id::FileId,
    record::RawRecord,
    records::{Manifest, Unshare},
};
use sealpost_tests::{
    TestServer,
    http::send,
    on_every_backend,
    raw::{Person, Stored, Terms, Upload, found_and_join},
};
use serde_json::json;

/// Content of two parts, bytes.
const TWO_PARTS: u64 = 9 * 1024 * 1024;

on_every_backend! {
    async fn every_part_is_there_before_it_goes_live(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let (file, _) = shared(&ops, &client).await;
        let upload = Upload { file_id: id(&file), ..Upload::of_size(TWO_PARTS) };
        ops.begin_version(id(&file), 2).await.ok();
        let request = ops.rekey_request(&file, &upload, &[(&client, Terms::default())]).await;
        ops.rekey(&file, &request).await.fails(422, "parts_missing");
        ops.put_part_of(id(&file), 2, 1, &upload.parts[1]).await.ok();
        ops.rekey(&file, &request).await.fails(422, "parts_missing");
        assert!(client.download(id(&file), None).await.ok().body == file.upload.ciphertext());
        ops.put_part_of(id(&file), 2, 0, &upload.parts[0]).await.ok();
        ops.rekey(&file, &request).await.ok();
        assert!(client.download(id(&file), None).await.ok().body == upload.ciphertext());
    }

    async fn each_of_its_records_names_a_log_state_that_the_server_has(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let bob = ops.welcome("bob@example.com").await;
        let (file, end) = shared(&ops, &client).await;
        ops.share_with(&file, &bob, Terms::default()).await;
        let upload = ops.upload_next(&file).await;
        let keep = [(&bob, Terms::default())];
        let good = ops.rekey_request(&file, &upload, &keep).await;
        let good = RekeyFile { unshares: vec![end.clone()], ..good };

        let ahead = |manifest: &mut Manifest| manifest.log_size += 1;
        let manifest = ops.rekey_request_with(&file, &upload, &keep, ahead).await;
        let manifest = RekeyFile { unshares: vec![end.clone()], ..manifest };
        let mut share = good.clone();
        let signed = ops.sign(good.complete.manifest.claim::<Manifest>().unwrap());
        let mut context = ops.share_context(&signed, bob.user_id, bob.bundle.id(), Terms::default()).await;
        context.log_size += 1;
        share.shares = vec![ops.seal(&context)];
        let mut unshare: Unshare = end.claim().unwrap();
        unshare.log_size += 1;
        let unshare = RekeyFile { unshares: vec![ops.sign(unshare).into_raw()], ..good.clone() };
        for request in [manifest, share, unshare] {
            ops.rekey(&file, &request).await.fails(422, "log_unknown");
            assert!(client.download(id(&file), None).await.ok().body == file.upload.ciphertext());
        }
        ops.rekey(&file, &good).await.ok();
        client.download(id(&file), None).await.fails(404, "not_found");
    }

    async fn shares_and_ends_of_shares_are_counted_together(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let (file, end) = shared(&ops, &client).await;
        let upload = ops.upload_next(&file).await;
        let good = ops.rekey_request(&file, &upload, &[(&client, Terms::default())]).await;
        let rekey = async |shares: usize, unshares: usize| {
            let request = RekeyFile {
                shares: vec![good.shares[0].clone(); shares],
                unshares: vec![end.clone(); unshares],
                complete: good.complete.clone(),
            };
            let body = json!(request).to_string();
            let route = ops.api.route(&routes::REKEY, &[&id(&file), &2]);
            send(route.header("content-type", "application/json").body(body)).await
        };
        // As many as it takes are looked at: they are about one person.
        for (shares, unshares) in [(MAX_SHARES_PER_REKEY, 0), (MAX_SHARES_PER_REKEY - 1, 1)] {
            let problem = rekey(shares, unshares).await.fails(422, "record_invalid");
            assert!(problem.detail.contains("same person"), "{problem:?}");
        }
        for (shares, unshares) in
            [(MAX_SHARES_PER_REKEY + 1, 0), (MAX_SHARES_PER_REKEY, 1), (0, MAX_SHARES_PER_REKEY + 1)]
        {
            rekey(shares, unshares).await.fails(422, "limit_reached");
        }
        rekey(1, 0).await.ok();
    }
}

/// A file shared with somebody, and what would end that share.
async fn shared(ops: &Person, with: &Person) -> (Stored, RawRecord) {
    let file = ops.upload().await;
    let share = ops.share_with(&file, with, Terms::default()).await;
    let end = ops.unshare_record(id(&file), with.user_id, share.id()).await;
    (file, end)
}

fn id(file: &Stored) -> FileId {
    file.upload.file_id
}
