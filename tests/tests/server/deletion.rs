//! Deleting files: nobody reaches them any more, no ciphertext stays, what was signed does.

use reqwest::StatusCode;
use sealpost_api::{
    file::{FileView, OwnFileView, ReceiptView},
    paging::Page,
    routes,
};
use sealpost_crypto::id::FileId;
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Person, Terms, Upload, found, found_and_join},
    search::{Needle, everything, find},
};

async fn delete(person: &Person, file: FileId) -> Answer {
    send(person.api.route(&routes::DELETE_FILE, &[&file])).await
}

on_every_backend! {
    async fn a_deleted_file_is_gone_for_everybody_and_its_records_stay(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let (doomed, other) = (ops.upload().await, ops.upload().await);
        let share = ops.share_with(&doomed, &client, Terms::default()).await;
        ops.share_with(&other, &client, Terms::default()).await;
        let file = doomed.upload.file_id;
        let receipt = client.receipt(share.id(), doomed.manifest.id()).await;
        client.api.call(&routes::POST_RECEIPT, &[&file], &receipt).await.ok();

        assert_eq!(delete(&ops, file).await.status, StatusCode::NO_CONTENT);
        assert_eq!(delete(&ops, file).await.status, StatusCode::NO_CONTENT, "again is fine");

        for person in [&ops, &client] {
            person.api.get(&routes::FILE, &[&file]).await.fails(404, "not_found");
            person.download(file, None).await.fails(404, "not_found");
            person.api.get(&routes::PARTS, &[&file, &1]).await.fails(404, "not_found");
        }
        let shared: Page<FileView> = client.api.get(&routes::FILES_SHARED, &[]).await.json();
        let own: Page<OwnFileView> = ops.api.get(&routes::FILES, &[]).await.json();
        assert_eq!(shared.items.iter().map(|f| f.file_id).collect::<Vec<_>>(), [other.upload.file_id]);
        // The list's shares stay with the files that they belong to.
        assert_eq!(own.items.iter().map(|f| f.file.file_id).collect::<Vec<_>>(), [other.upload.file_id]);
        assert_eq!(own.items[0].shares.len(), 1);

        assert_eq!(client.pair(ops.user_id, "received", 0).await.newest, 2, "shares are kept");
        let receipts: Page<ReceiptView> = ops.api.get(&routes::RECEIPTS, &[]).await.json();
        assert_eq!(receipts.items.len(), 1, "receipts are kept");
    }

    async fn no_ciphertext_of_a_deleted_file_stays(server: TestServer) {
        let ops = found(&server).await;
        let stored = ops.upload().await;
        let needle = [Needle::new("ciphertext", &stored.upload.ciphertext()[..64])];
        assert!(!find(&everything(&server).await, &needle).is_empty(), "the search finds what is there");
        delete(&ops, stored.upload.file_id).await.ok();
        // Freed pages of a database and its log may hold it for a while: tables and blob files must not.
        let freed = |name: &str| name.contains(".sqlite") || name.contains("/pg/data/");
        let left = everything(&server).await.into_iter().filter(|place| !freed(&place.name));
        let left = find(&left.collect::<Vec<_>>(), &needle);
        assert!(left.is_empty(), "{left:?}");
    }

    async fn an_unfinished_upload_is_cancelled_and_its_id_is_not_used_again(server: TestServer) {
        let ops = found(&server).await;
        let upload = Upload::of_size(1);
        let file = upload.file_id;
        ops.begin(file).await.ok();
        ops.put_part(file, 0, &upload.parts[0]).await.ok();
        let completion = ops.completion(&upload).await;
        delete(&ops, file).await.ok();
        ops.put_part(file, 0, &upload.parts[0]).await.fails(404, "not_found");
        ops.complete(file, &completion).await.fails(404, "not_found");
        ops.begin(file).await.fails(409, "id_taken");
        delete(&ops, file).await.ok();
    }

    async fn a_recipient_deletes_nothing(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let stored = ops.upload().await;
        ops.share_with(&stored, &client, Terms::default()).await;
        delete(&client, stored.upload.file_id).await.fails(403, "role_forbidden");
        delete(&ops, FileId::random()).await.fails(404, "not_found");
        client.download(stored.upload.file_id, None).await.ok();
    }
}
