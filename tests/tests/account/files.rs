//! One file with everything about it, and its end.

use sealpost_client::{Again, EmailAddress, ErrorKind, FileAccess, FileId, Progress, Terms};
use sealpost_crypto::parts::part_digest;
use sealpost_tests::{TestServer, on_every_backend, sdk};
use serde_json::Value;
use tokio::sync::Notify;

use crate::people::{OPS, founder};

fn carl() -> EmailAddress {
    "carl@example.com".parse().unwrap()
}

on_every_backend! {
    async fn owner_and_recipient_see_their_side_of_a_file(server: TestServer) {
        let ops = founder(&server).await;
        let client = ops.welcome(&server, carl().as_str()).await;
        let id = ops.upload("contract").await.file_id;
        ops.session.share(id, &[carl()], Terms { downloads: Some(3), ..Terms::default() }).await.unwrap();

        let details = ops.session.file(id).await.unwrap();
        let FileAccess::Own(own) = details.access else { panic!("not ours") };
        assert_eq!((own.file.name.as_str(), own.file.size), ("contract", 8));
        assert!(details.stored_size > 4_096, "padded: {}", details.stored_size);
        assert_eq!(own.shares.len(), 1);
        assert_eq!((own.shares[0].recipient.email.as_str(), own.shares[0].limit), (carl().as_str(), Some(3)));

        let FileAccess::Shared(shared) = client.session.file(id).await.unwrap().access else { panic!("ours") };
        assert_eq!((shared.from.email.as_str(), shared.limit, shared.received), (OPS, Some(3), false));

        let unknown = client.session.file(FileId::random()).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }

    async fn a_removed_file_can_be_uploaded_again_without_being_asked_for_it(server: TestServer) {
        let ops = founder(&server).await;
        let client = ops.welcome(&server, carl().as_str()).await;
        let path = server.scratch().join("contract.txt");
        std::fs::write(&path, "content").unwrap();
        let upload = async || ops.session.upload_path(&path, "", Again::Refuse, &|_| ()).await;
        let first = upload().await.unwrap().file_id;
        ops.session.share(first, &[carl()], Terms::default()).await.unwrap();
        assert_eq!(upload().await.unwrap_err().code(), "already_uploaded");

        let by_client = client.session.remove(first).await.unwrap_err();
        assert_eq!(by_client.kind(), ErrorKind::Forbidden);
        ops.session.remove(first).await.unwrap();
        ops.session.remove(first).await.unwrap();
        assert_eq!(ops.session.file(first).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(client.session.shared(None).await.unwrap().items.is_empty());
        assert_ne!(upload().await.unwrap().file_id, first);
        let unknown = ops.session.remove(FileId::random()).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
    }

    async fn an_interrupted_upload_whose_file_was_deleted_begins_anew(server: TestServer) {
        let ops = sdk::found(&server).await;
        let path = server.scratch().join("large.bin");
        let content = vec![7; 20_000_000];
        std::fs::write(&path, &content).unwrap();
        let begun = Notify::new();
        let report = |progress: Progress| if progress.done > 0 { begun.notify_one() };
        tokio::select! {
            _ = ops.me.upload_path(&path, "", Again::Refuse, &report) => panic!("it was to be interrupted"),
            () = begun.notified() => {}
        }
        let journal = format!("upload-{}", part_digest(path.as_os_str().as_encoded_bytes()));
        let kept: Value = serde_json::from_slice(&ops.blob(&journal).unwrap()).unwrap();
        let deleted: FileId = kept["value"]["file_id"].as_str().unwrap().parse().unwrap();
        ops.me.remove(deleted).await.unwrap();

        let uploaded = ops.me.upload_path(&path, "", Again::Refuse, &|_| ()).await.unwrap();
        assert_ne!(uploaded.file_id, deleted);
        assert!(ops.download(uploaded.file_id).await.unwrap() == content);
        assert!(ops.blob(&journal).is_none(), "a complete upload leaves no journal");
        assert_eq!(ops.me.files(None).await.unwrap().items.len(), 1);
    }

    async fn a_clock_that_is_off_by_a_day_is_named(server: TestServer) {
        let (ops, client) = sdk::organisation(&server).await;
        let id = ops.upload("a", b"content").await;
        ops.share(id, &client, Terms::default()).await.unwrap();
        let day = 86_400;

        // The devices' clocks are a day ahead: what they sign is of tomorrow.
        server.turn_back_time(day + 30);
        let content = b"content".as_slice();
        let error = ops.me.upload(content, sdk::describe("b", content), &|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("clock is 1440 minutes ahead"), "{error}");
        assert!(error.hint().unwrap().contains("clock"), "{error:?}");
        assert_eq!(client.download(id).await.unwrap(), content, "the content arrives, the receipt waits");

        // A day behind: what they share for half a day has ended.
        server.pass_time(2 * day);
        let tonight = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let terms = Terms { expires_at: Some(tonight + day / 2), downloads: None };
        let again = ops.upload("c", content).await;
        let error = ops.share(again, &client, terms).await.unwrap_err();
        assert!(error.hint().unwrap().contains("clock"), "{error:?}");
        ops.share(again, &client, Terms::default()).await.unwrap();
        assert_eq!(client.download(again).await.unwrap(), content);
    }
}
