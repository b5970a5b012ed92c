//! Many shares at once with somebody whose keys have changed since the sender last looked: to the keys of now, or to none.

use std::collections::BTreeSet;

use sealpost_api::{batch::ShareFiles, routes};
use sealpost_client::{Again, DeliveryStatus, Terms};
use sealpost_crypto::{
    id::RecordId,
    record::parse,
    records::{Share, ShareContext},
};
use sealpost_tests::{TestServer, adversary::Adversary, on_every_backend};

use crate::many::{deliver, files, is_well, upload, world};

const FILES: usize = 5;

on_every_backend! {
    async fn uploads_are_shared_to_the_keys_of_now(server: TestServer) {
        let (proxy, ops, mut clients) = world(&server, 2).await;
        let files = files(&server, FILES, &clients);
        let first = upload(&ops.me, &files[..1], Again::Refuse).await;
        assert!(first.iter().all(is_well), "{first:?}");
        clients[0].rotate().await;
        proxy.forget();
        let sent = upload(&ops.me, &files[1..], Again::Refuse).await;
        assert!(sent.iter().all(is_well), "{sent:?}");
        let current = BTreeSet::from([clients[0].bundle_id(2).await, clients[1].bundle_id(1).await]);
        assert_eq!(wrapped_to(&proxy), current);
        let fresh = clients[0].other_device(&server.url()).await;
        for (file, sent) in files[1..].iter().zip(&sent) {
            let content = fresh.download(sent.as_ref().unwrap().file.file_id).await.unwrap();
            assert!(content == std::fs::read(&file.path).unwrap());
        }
    }

    async fn deliveries_of_what_was_uploaded_before_are_shared_to_the_keys_of_now(server: TestServer) {
        let (proxy, ops, mut clients) = world(&server, 1).await;
        let mut files = files(&server, FILES, &[]);
        deliver(&ops.me, &files).await.into_iter().for_each(|done| drop(done.unwrap()));
        files.iter_mut().for_each(|file| file.recipients = vec![(clients[0].email.clone(), Terms::default())]);
        // Once before the sender looks, and once between the look and the request that shares.
        clients[0].rotate().await;
        let second = clients[0].bundle_id(2).await;
        proxy.meanwhile(routes::SHARE_FILES, clients[0].rotation());
        proxy.forget();
        let refused = deliver(&ops.me, &files).await;
        for done in &refused {
            let error = done.as_ref().unwrap().recipients[0].result.as_ref().unwrap_err();
            assert_eq!(error.code(), "record_invalid", "{error}");
        }
        assert_eq!(wrapped_to(&proxy), BTreeSet::from([second]));
        clients[0].restart().await;
        assert!(clients[0].me.shared(None).await.unwrap().items.is_empty());

        proxy.repent();
        proxy.forget();
        for done in deliver(&ops.me, &files).await {
            assert!(matches!(done.unwrap().recipients[0].result, Ok(DeliveryStatus::Shared)));
        }
        assert_eq!(wrapped_to(&proxy), BTreeSet::from([clients[0].bundle_id(3).await]));
        let received = clients[0].other_device(&server.url()).await.me.shared(None).await.unwrap();
        assert_eq!((received.items.len(), received.rejected.len()), (FILES, 0));
    }
}

/// To which keys everything was wrapped that was sent.
fn wrapped_to(proxy: &Adversary) -> BTreeSet<RecordId> {
    let mut bundles = BTreeSet::new();
    for sent in proxy.seen_of(routes::SHARE_FILES) {
        let sent: ShareFiles = serde_json::from_slice(&sent.asked.body).unwrap();
        for share in sent.shares {
            let share: Share = share.share.record.claim().unwrap();
            bundles.insert(parse::<ShareContext>(&share.context.0).unwrap().recipient_bundle);
        }
    }
    bundles
}
