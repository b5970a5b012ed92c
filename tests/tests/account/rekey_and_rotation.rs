//! Sealing a file anew while somebody's keys change, and after: what goes live is signed by the owner's keys of now, and
//! wrapped to everybody else's keys of now.

use sealpost_api::{file::RekeyFile, routes};
use sealpost_client::{
    Disclosure, ErrorKind, FileId, KitText, Mark, Proves, RecoveryKit, RenewedShare, Terms,
};
use sealpost_crypto::{
    id::RecordId,
    record::parse,
    records::{Share, ShareContext},
    share::SealedShare,
};
use sealpost_tests::{
    TestServer,
    adversary::Adversary,
    on_both_databases,
    raw::random_bytes,
    sdk::{self, CLIENT, Device, address, secret},
};

use crate::rekey::{BOB, THREE_PARTS, rekey, rekey_cut_off, version};

on_both_databases! {
    async fn its_owner_changes_keys_in_the_middle_of_it(server: TestServer) {
        let mut world = World::new(&server).await;
        let thrice = Terms { downloads: Some(3), ..Terms::default() };
        world.ops.share(world.file, &world.client, thrice).await.unwrap();
        assert!(world.client.download(world.file).await.unwrap() == world.content);
        rekey_cut_off(&world.ops, world.file, BOB).await;
        world.ops.rotate().await;
        world.goes_live().await;
        assert!(world.client.download(world.file).await.unwrap() == world.content, "the third");
        assert_eq!(world.client.download(world.file).await.unwrap_err().kind(), ErrorKind::NotFound, "3 of 3");
    }

    async fn its_owner_changes_keys_on_another_device_in_the_middle_of_it(server: TestServer) {
        let mut world = World::new(&server).await;
        world.ops.share(world.file, &world.client, Terms::default()).await.unwrap();
        let mut other = world.ops.other_device(&server.url()).await;
        rekey_cut_off(&world.ops, world.file, BOB).await;
        let kit = other.rotate().await;
        let stopped = world.ops.me.unshare_rekeying(world.file, &[address(BOB)], &|_| {}).await.unwrap_err();
        assert_eq!((stopped.kind(), stopped.code()), (ErrorKind::AccountRotated, "account_rotated"));
        assert_eq!(version(&other, world.file).await, 1);
        sign_in_again(&mut world.ops, &world.evil.url(), &kit).await;
        world.goes_live().await;
    }

    async fn its_owner_changes_keys_when_all_of_it_is_signed_and_did_not_arrive(server: TestServer) {
        let mut world = World::new(&server).await;
        world.evil.requests(routes::REKEY, |asked| asked.path = "/nowhere".into());
        world.changes_keys_before_the_answer().await;
        world.goes_live().await;
    }

    async fn its_owner_changes_keys_before_they_hear_that_it_is_live(server: TestServer) {
        let mut world = World::new(&server).await;
        world.changes_keys_before_the_answer().await;
        let done = rekey(&world.ops, world.file, BOB).await;
        assert_eq!((done.version, done.sealed_anew), (2, false), "it had arrived");
        assert_eq!(world.ops.blob("outbox-rekey"), None);
        // Signed by keys that were given up since: shared anew like everything else.
        let renewal = world.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len(), renewal.ended.len()), (1, 1, 0), "{renewal:?}");
        world.is_live().await;
    }

    async fn a_recipient_changes_keys_in_the_middle_of_it(server: TestServer) {
        let mut world = World::new(&server).await;
        world.ops.share(world.file, &world.client, Terms::default()).await.unwrap();
        assert!(world.client.download(world.file).await.unwrap() == world.content);
        rekey_cut_off(&world.ops, world.file, BOB).await;
        world.client.rotate().await;
        world.evil.forget();
        world.goes_live().await;
        assert_eq!(world.wrapped_to(), [world.client.bundle_id(2).await]);
    }

    async fn a_recipient_changes_keys_at_the_moment_at_which_it_goes_live(server: TestServer) {
        let mut world = World::new(&server).await;
        world.ops.share(world.file, &world.client, Terms::default()).await.unwrap();
        world.evil.meanwhile(routes::REKEY, world.client.rotation());
        // Nothing is wrapped to keys that were given up, and nothing has happened.
        let refused = world.ops.me.unshare_rekeying(world.file, &[address(BOB)], &|_| {}).await.unwrap_err();
        assert_eq!(refused.code(), "record_invalid", "{refused}");
        world.client.restart().await;
        assert_eq!(version(&world.client, world.file).await, 1);
        world.evil.repent();
        world.evil.forget();
        world.goes_live().await;
        assert_eq!(world.wrapped_to(), [world.client.bundle_id(2).await]);
    }

    async fn what_was_sealed_anew_outlives_its_owners_keys(server: TestServer) {
        let mut world = World::new(&server).await;
        world.ops.share(world.file, &world.client, Terms::default()).await.unwrap();
        assert!(world.client.download(world.file).await.unwrap() == world.content);
        assert_eq!(rekey(&world.ops, world.file, BOB).await.version, 2);
        assert!(world.client.download(world.file).await.unwrap() == world.content);
        world.ops.rotate().await;

        // Whoever has seen it goes on; what was signed and received before is proved as before.
        assert!(world.client.download(world.file).await.unwrap() == world.content);
        let proved = evidence(&world.ops, world.file).await;
        assert_eq!(proved, [(Proves::Receipt, vec![Mark::SenderKeyRetired])]);
        assert_eq!(evidence(&world.client, world.file).await, proved);
        assert_eq!(receipts(&world.ops).await, [1, 1, 2], "Bob's, and the client's of both versions");

        // Only what runs is shared anew.
        let renewal = world.ops.me.renew_shares().await.unwrap();
        let renewed = |share: &RenewedShare| (share.file.file_id, share.recipient.email.clone());
        let renewed: Vec<_> = renewal.shares.iter().map(renewed).collect();
        assert_eq!(renewed, [(world.file, CLIENT.to_owned())]);
        assert_eq!((renewal.files, renewal.ended.len(), renewal.rejected.len()), (1, 0, 0), "{renewal:?}");
        world.is_live().await;
        assert_eq!(receipts(&world.ops).await, [1, 1, 2]);
        let mut proved = evidence(&world.ops, world.file).await;
        proved.sort_by_key(|(_, marks)| marks.len());
        assert_eq!(proved, [(Proves::Receipt, vec![]), (Proves::Receipt, vec![Mark::SenderKeyRetired])]);
        // And once more, under the new keys.
        world.ops.share(world.file, &world.bob, Terms::default()).await.unwrap();
        let third = rekey(&world.ops, world.file, BOB).await;
        assert_eq!((third.version, third.sealed_anew), (3, true));
        assert!(world.client.download(world.file).await.unwrap() == world.content);
    }
}

/// A file of several parts that Bob has, and its owner behind a proxy.
struct World {
    server: String,
    evil: Adversary,
    ops: Device,
    client: Device,
    bob: Device,
    file: FileId,
    content: Vec<u8>,
}

impl World {
    async fn new(server: &TestServer) -> Self {
        let evil = Adversary::before(server).await;
        let ops = sdk::found_at(server, &evil.url()).await;
        let client = ops.welcome(&server.url(), CLIENT).await;
        let bob = ops.welcome(&server.url(), BOB).await;
        let content = random_bytes(THREE_PARTS);
        let file = ops.upload("contract.pdf", &content).await;
        ops.share(file, &bob, Terms::default()).await.unwrap();
        bob.download(file).await.unwrap();
        Self { server: server.url(), evil, ops, client, bob, file, content }
    }

    /// Everything is signed, its answer is lost, and another device of its owner's changes the keys.
    async fn changes_keys_before_the_answer(&mut self) {
        self.ops.share(self.file, &self.client, Terms::default()).await.unwrap();
        let mut other = self.ops.other_device(&self.server).await;
        self.evil.answers(routes::REKEY, |_, answered| {
            (answered.status, answered.body) = (500.try_into().unwrap(), Default::default());
        });
        let unknown = self.ops.me.unshare_rekeying(self.file, &[address(BOB)], &|_| {}).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Server, "{unknown}");
        self.evil.repent();
        assert!(self.ops.blob("outbox-rekey").is_some());
        let kit = other.rotate().await;
        sign_in_again(&mut self.ops, &self.evil.url(), &kit).await;
    }

    /// The same command again seals it anew; for everybody it is whole, and nothing is left to be shared anew.
    async fn goes_live(&self) {
        let before = self.ops.me.file_key(self.file).await.unwrap();
        let done = rekey(&self.ops, self.file, BOB).await;
        assert_eq!((done.version, done.sealed_anew), (2, true));
        assert!(done.recipients[0].result.is_ok(), "{done:?}");
        assert!(self.ops.me.file_key(self.file).await.unwrap() != before, "under the key that Bob has");
        assert_eq!(self.ops.blob("outbox-rekey"), None);
        self.is_live().await;
        let renewal = self.ops.me.renew_shares().await.unwrap();
        assert_eq!((renewal.files, renewal.shares.len(), renewal.ended.len()), (0, 0, 0), "{renewal:?}");
    }

    /// The second version is what everybody has but Bob, also on devices that have seen nothing before and believe nothing
    /// of keys that were given up.
    async fn is_live(&self) {
        let fresh = self.client.other_device(&self.server).await;
        for device in [&fresh, &self.client] {
            let shared = device.me.shared(None).await.unwrap();
            assert!(shared.rejected.is_empty(), "{:?}", shared.rejected);
            let [theirs] = &shared.items[..] else { panic!("{:?}", shared.items) };
            assert_eq!((theirs.file.version, theirs.by_retired_key), (2, false));
        }
        assert!(fresh.download(self.file).await.unwrap() == self.content);
        for device in [&self.ops, &self.ops.other_device(&self.server).await] {
            let own = device.me.files(None).await.unwrap();
            assert!(own.rejected.is_empty(), "{:?}", own.rejected);
            assert_eq!(own.items.iter().map(|own| own.file.version).collect::<Vec<_>>(), [2]);
            assert!(device.download(self.file).await.unwrap() == self.content);
        }
        assert_eq!(self.bob.download(self.file).await.unwrap_err().kind(), ErrorKind::NotFound);
    }

    /// To which keys the last next version was wrapped for others.
    fn wrapped_to(&self) -> Vec<RecordId> {
        let sent = self.evil.seen_of(routes::REKEY).pop().expect("it went live");
        let sent: RekeyFile = serde_json::from_slice(&sent.asked.body).unwrap();
        let bundle = |share: &SealedShare| {
            let share: Share = share.record.claim().unwrap();
            parse::<ShareContext>(&share.context.0).unwrap().recipient_bundle
        };
        sent.shares.iter().map(bundle).collect()
    }
}

/// After another device of theirs has changed the keys.
async fn sign_in_again(device: &mut Device, url: &str, kit: &KitText) {
    let key = RecoveryKit::parse(kit).unwrap().account_key;
    let anonymous = sdk::anonymous(url, &device.store);
    device.me = anonymous.login(&device.email, secret(&device.password), key).await.unwrap();
}

/// What each delivery of a file proves, and what weakens it.
async fn evidence(of: &Device, file: FileId) -> Vec<(Proves, Vec<Mark>)> {
    let evidence = of.me.evidence(file, None, Disclosure::Closed).await.unwrap();
    let deliveries = &evidence.verdict().deliveries;
    deliveries.iter().map(|delivery| (delivery.proves, delivery.marks.clone())).collect()
}

/// Of which versions there are receipts: of each share, as many as were signed in different seconds count as one.
async fn receipts(of: &Device) -> Vec<u64> {
    let receipts = of.me.receipts(None, None).await.unwrap();
    assert!(receipts.rejected.is_empty(), "{:?}", receipts.rejected);
    let mut signed: Vec<_> =
        receipts.items.iter().map(|receipt| (receipt.version, receipt.recipient.email.clone())).collect();
    signed.sort();
    signed.dedup();
    signed.into_iter().map(|(version, _)| version).collect()
}
