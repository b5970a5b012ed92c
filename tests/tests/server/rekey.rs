//! A file that is sealed anew: the next version and all shares that go on take the place of the live ones at once, and the
//! old ciphertext goes.

use futures_util::future::join_all;
use reqwest::StatusCode;
use sealpost_api::{
    HEADER_TICKET,
    file::{FileView, Manifests, OwnFileView, ReceiptView, RekeyFile, ShareView},
    limits::TICKET_SECONDS,
    paging::Page,
    routes,
};
use sealpost_crypto::{
    id::{FileId, RecordId, TicketId},
    record::{RawRecord, parse},
    records::{RevokeReason, Share, ShareContext},
    share::SealedShare,
};
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Person, Stored, Terms, Upload, found},
    search::{Needle, everything, find},
};

const HOUR: u64 = 3_600;

/// A file shared with three people, one of them on terms.
struct Scene {
    ops: Person,
    ann: Person,
    bob: Person,
    carol: Person,
    file: Stored,
    terms: Terms,
    carols: RawRecord,
}

impl Scene {
    async fn new(server: &TestServer) -> Self {
        let ops = found(server).await;
        let ann = ops.welcome("ann@example.com").await;
        let bob = ops.welcome("bob@example.com").await;
        let carol = ops.welcome("carol@example.com").await;
        let file = ops.upload().await;
        let terms = Terms { expiry: server.now() + HOUR, limit: 3 };
        ops.share_with(&file, &ann, terms).await;
        ops.share_with(&file, &bob, Terms::default()).await;
        let carols = ops.share_with(&file, &carol, Terms::default()).await;
        Self { ops, ann, bob, carol, file, terms, carols }
    }

    fn id(&self) -> FileId {
        self.file.upload.file_id
    }

    /// What goes on without Carol.
    async fn request(&self, upload: &Upload) -> RekeyFile {
        let mut request = self.ops.rekey_request(&self.file, upload, &self.keep()).await;
        request.unshares.push(self.end().await);
        request
    }

    fn keep(&self) -> [(&Person, Terms); 2] {
        [(&self.ann, self.terms), (&self.bob, Terms::default())]
    }

    /// The end of Carol's share.
    async fn end(&self) -> RawRecord {
        self.ops.unshare_record(self.id(), self.carol.user_id, self.carols.id()).await
    }

    /// The first version is live, for all three, with everything that was there.
    async fn nothing_happened(&self, what: &str) {
        for person in [&self.ann, &self.bob, &self.carol] {
            let view = view(person, self.id()).await;
            assert_eq!((view.version, view.manifest), (1, self.file.manifest.raw().clone()), "{what}");
            assert_eq!(self.ops.pair(person.user_id, "sent", 0).await.newest, 1, "{what}");
        }
        assert_eq!(view(&self.ops, self.id()).await.version, 1, "{what}");
        let list = shares(&self.ops, self.id()).await;
        assert!(list.len() == 3 && list.iter().all(|share| share.unshare.is_none()), "{what}: {list:?}");
    }
}

async fn view(person: &Person, file: FileId) -> FileView {
    person.api.get(&routes::FILE, &[&file]).await.json()
}

async fn shares(ops: &Person, file: FileId) -> Vec<ShareView> {
    let page: Page<ShareView> = ops.api.get(&routes::SHARES, &[&file]).await.json();
    page.items
}

async fn files(ops: &Person) -> Vec<OwnFileView> {
    let page: Page<OwnFileView> = ops.api.get(&routes::FILES, &[]).await.json();
    page.items
}

async fn download_of(person: &Person, file: FileId, ticket: &str, content: &str) -> Answer {
    let request = person.api.route(&routes::DOWNLOAD, &[&file]).header(HEADER_TICKET, ticket);
    send(request.header("if-match", format!("\"{content}\""))).await
}

fn context(share: &SealedShare) -> ShareContext {
    let share: Share = share.record.claim().unwrap();
    parse(&share.context.0).unwrap()
}

on_every_backend! {
    async fn the_next_version_goes_live_for_those_who_keep_it_and_the_old_ciphertext_goes(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, ann, bob, carol, file, terms, .. } = &scene;
        let id = scene.id();
        ann.download(id, None).await.ok();
        let old_share = view(ann, id).await.share.record.id();
        let receipt = ann.receipt(old_share, file.manifest.id()).await;
        ann.api.call(&routes::POST_RECEIPT, &[&id], &receipt).await.ok();

        let upload = ops.upload_next(file).await;
        // Nobody but the owner sees anything of it yet.
        assert_eq!(view(ann, id).await.version, 1);
        ann.api.get(&routes::PARTS, &[&id, &2]).await.fails(404, "not_found");
        let request = scene.request(&upload).await;
        let answer = ops.rekey(file, &request).await;
        assert_eq!(answer.json::<FileView>().version, 2);

        let theirs = view(ann, id).await;
        assert_eq!((theirs.version, theirs.downloads), (2, 1), "what was downloaded counts on");
        let context = context(&theirs.share);
        assert_eq!((context.expiry, context.limit, context.version), (terms.expiry, terms.limit, 2));
        for person in [ann, bob] {
            assert!(person.download(id, None).await.ok().body == upload.ciphertext());
            let listed: Page<FileView> = person.api.get(&routes::FILES_SHARED, &[]).await.json();
            assert_eq!(listed.items.iter().map(|file| file.version).collect::<Vec<_>>(), [2]);
        }
        ann.download(id, None).await.ok();
        ann.download(id, None).await.fails(404, "not_found");

        carol.api.get(&routes::FILE, &[&id]).await.fails(404, "not_found");
        carol.api.get(&routes::MANIFESTS, &[&id]).await.fails(404, "not_found");
        carol.download(id, None).await.fails(404, "not_found");
        let ended = carol.pair(ops.user_id, "received", 1).await.records.remove(0);
        assert_eq!((ended.id(), ended.kind.as_str()), (request.unshares[0].id(), "unshare"));

        let needle = [Needle::new("old ciphertext", &file.upload.ciphertext()[..64])];
        // Freed pages of a database and its log may hold it for a while: tables and blob files must not.
        let freed = |name: &str| name.contains(".sqlite") || name.contains("/pg/data/");
        let left: Vec<_> =
            everything(&server).await.into_iter().filter(|place| !freed(&place.name)).collect();
        assert!(find(&left, &needle).is_empty(), "{:?}", find(&left, &needle));

        // What was signed stays: the receipt for the version before, and that version's manifest.
        let receipts: Page<ReceiptView> = ops.api.get(&routes::RECEIPTS, &[]).await.json();
        assert_eq!(receipts.items.len(), 1);
        assert_eq!(&receipts.items[0].manifest, file.manifest.raw());
        for person in [ops, ann] {
            let earlier: Manifests = person.api.get(&routes::MANIFESTS, &[&id]).await.json();
            assert_eq!(earlier.manifests, [file.manifest.raw().clone()]);
        }
        let own = files(ops).await.remove(0);
        assert_eq!((own.file.version, own.shares.len()), (2, 5));
    }

    async fn a_download_that_was_paid_for_goes_on_under_its_ticket(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, ann, file, .. } = &scene;
        let id = scene.id();
        let one = ops.upload().await;
        ops.share_with(&one, ann, Terms { limit: 1, ..Terms::default() }).await;
        let ticket = TicketId::random().to_string();
        ann.download(one.upload.file_id, Some(&ticket)).await.ok();
        let upload = ops.upload_next(&one).await;
        let request =
            ops.rekey_request(&one, &upload, &[(ann, Terms { limit: 1, ..Terms::default() })]).await;
        ops.rekey(&one, &request).await.ok();
        // The only download there is has begun: it goes on, and there is no other.
        let one_id = one.upload.file_id;
        ann.download(one_id, None).await.fails(404, "not_found");
        assert!(ann.download(one_id, Some(&ticket)).await.ok().body == upload.ciphertext());
        // Whoever names the content that they began with hears that it is another one now.
        let problem = download_of(ann, one_id, &ticket, &one.manifest.digest.to_string()).await;
        problem.fails(412, "version_replaced");
        let newest: FileView =
            send(ann.api.route(&routes::FILE, &[&one_id]).header(HEADER_TICKET, &ticket)).await.json();
        let digest = newest.manifest.claim::<sealpost_crypto::records::Manifest>().unwrap().digest;
        download_of(ann, one_id, &ticket, &digest.to_string()).await.ok();
        assert_eq!(newest.downloads, 1);
        // Who is removed has no ticket any more either.
        let carols = TicketId::random().to_string();
        scene.carol.download(id, Some(&carols)).await.ok();
        let next = ops.upload_next(file).await;
        ops.rekey(file, &scene.request(&next).await).await.ok();
        scene.carol.download(id, Some(&carols)).await.fails(404, "not_found");
        // It ends when it would have ended.
        server.pass_time(TICKET_SECONDS + 1);
        let mut ann = scene.ann;
        ann.refresh().await;
        ann.download(one_id, Some(&ticket)).await.fails(404, "not_found");
    }

    async fn nothing_of_it_happens_unless_all_of_it_does(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, ann, bob, carol, file, terms, .. } = &scene;
        let upload = ops.upload_next(file).await;
        let refused = async |request: &RekeyFile, status: u16, code: &str, what: &str| {
            let problem = ops.rekey(file, request).await.fails(status, code);
            scene.nothing_happened(what).await;
            problem
        };
        let good = scene.request(&upload).await;

        let without = RekeyFile { shares: good.shares[..1].to_vec(), ..good.clone() };
        let problem = refused(&without, 409, "shares_changed", "a share left out").await;
        assert_eq!(problem.record.unwrap().id(), view(bob, scene.id()).await.share.record.id());
        let without = RekeyFile { unshares: Vec::new(), ..good.clone() };
        let problem = refused(&without, 409, "shares_changed", "an end left out").await;
        assert_eq!(problem.record.unwrap().id(), scene.carols.id());

        for wrong in [Terms { limit: 2, ..*terms }, Terms { expiry: terms.expiry + 1, ..*terms }, Terms::default()] {
            let request = ops.rekey_request(file, &upload, &[(ann, wrong), (bob, Terms::default())]).await;
            let request = RekeyFile { unshares: good.unshares.clone(), ..request };
            refused(&request, 422, "record_invalid", "other terms").await;
        }
        let dora = ops.welcome("dora@example.com").await;
        let keep = [(ann, *terms), (bob, Terms::default()), (&dora, Terms::default())];
        let request = ops.rekey_request(file, &upload, &keep).await;
        let request = RekeyFile { unshares: good.unshares.clone(), ..request };
        assert!(refused(&request, 409, "shares_changed", "a new person").await.record.is_none());

        let twice = RekeyFile { shares: [good.shares.clone(), good.shares[..1].to_vec()].concat(), ..good.clone() };
        refused(&twice, 422, "record_invalid", "somebody twice").await;
        let keep = [(ann, *terms), (bob, Terms::default()), (carol, Terms::default())];
        let both = ops.rekey_request(file, &upload, &keep).await;
        let both = RekeyFile { unshares: good.unshares.clone(), ..both };
        refused(&both, 422, "record_invalid", "shared and ended").await;
        let end = ops.unshare_record(scene.id(), carol.user_id, RecordId::random()).await;
        refused(&RekeyFile { unshares: vec![end], ..good.clone() }, 409, "shares_changed", "another share").await;

        type Change = fn(&mut sealpost_crypto::records::Manifest);
        let changes: [(Change, &str); 5] = [
            (|manifest| manifest.previous = RecordId::random(), "another version before"),
            (|manifest| manifest.previous = RecordId::ZERO, "no version before"),
            (|manifest| manifest.version = 3, "a version too far"),
            (|manifest| manifest.version = 1, "the first version"),
            (|manifest| manifest.file_id = FileId::random(), "another file"),
        ];
        for (change, what) in changes {
            let request = ops.rekey_request_with(file, &upload, &scene.keep(), change).await;
            let request = RekeyFile { unshares: good.unshares.clone(), ..request };
            refused(&request, 422, "record_invalid", what).await;
        }
        let foreign = file.own_share.clone();
        let mut request = good.clone();
        request.complete.share = foreign;
        refused(&request, 422, "record_invalid", "the owner's share of the version before").await;
        let other = Upload { file_id: scene.id(), ..Upload::of_size(1) };
        refused(&scene.request(&other).await, 422, "digest_mismatch", "other parts").await;
        let longer = Upload { file_id: scene.id(), ..Upload::of_size(9 * 1024 * 1024) };
        let longer = scene.request(&longer).await;
        refused(&longer, 422, "digest_mismatch", "other lengths").await;

        // It is not completed like a first version, and none is begun but the next.
        ops.api.call(&routes::COMPLETE, &[&scene.id(), &2], &good.complete).await.fails(422, "unsupported");
        for version in [0, 3, 2_000] {
            let answer = ops.begin_version(scene.id(), version).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{version}");
        }
        ops.begin_version(FileId::random(), 2).await.fails(404, "not_found");
        ops.rekey(file, &good).await.ok();
    }

    async fn a_failure_in_the_middle_of_the_transaction_undoes_all_of_it(server: TestServer) {
        let scene = Scene::new(&server).await;
        let upload = scene.ops.upload_next(&scene.file).await;
        let request = scene.request(&upload).await;
        // The last record that is written finds its id taken, behind the server's back.
        let id = server.literal(&request.unshares[0].id());
        let (one, two) = (server.literal(&scene.ann.user_id), server.literal(&scene.bob.user_id));
        server
            .execute(format!(
                "INSERT INTO pair_records (record_id, sender, recipient, sequence, kind, record, created_at) \
                 VALUES ({id}, {one}, {two}, 1, 2, '{{}}', 0)"
            ))
            .await;
        assert!(!scene.ops.rekey(&scene.file, &request).await.status.is_success());
        scene.nothing_happened("a broken transaction").await;
        assert!(scene.bob.download(scene.id(), None).await.ok().body == scene.file.upload.ciphertext());
        server.execute(format!("DELETE FROM pair_records WHERE record_id = {id}")).await;
        scene.ops.rekey(&scene.file, &request).await.ok();
        assert!(scene.bob.download(scene.id(), None).await.ok().body == upload.ciphertext());
    }

    async fn what_changed_since_it_was_signed_is_looked_at_again(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, ann, bob, file, terms, .. } = &scene;
        let id = scene.id();
        let upload = ops.upload_next(file).await;
        let before = scene.request(&upload).await;
        // Bob's share ends, on another device.
        let bobs = view(bob, id).await.share.record.id();
        ops.unshare(id, bob.user_id, bobs).await.ok();
        let problem = ops.rekey(file, &before).await.fails(409, "pair_conflict");
        assert_eq!(problem.record.unwrap().kind, "unshare");
        // Signed for the next place it is still not what the owner wanted.
        let again = scene.request(&upload).await;
        ops.rekey(file, &again).await.fails(409, "shares_changed");
        let mut request = ops.rekey_request(file, &upload, &[(ann, *terms)]).await;
        request.unshares.push(scene.end().await);
        // Somebody new has it.
        let dora = ops.welcome("dora@example.com").await;
        let doras = ops.share_with(file, &dora, Terms::default()).await;
        let problem = ops.rekey(file, &request).await.fails(409, "shares_changed");
        assert_eq!(problem.record.unwrap().id(), doras.id());
        assert_eq!(view(ann, id).await.version, 1);
        let mut request = ops.rekey_request(file, &upload, &[(ann, *terms), (&dora, Terms::default())]).await;
        request.unshares.push(scene.end().await);
        ops.rekey(file, &request).await.ok();
        // The same request again is the same thing; a share of the old version is none.
        ops.rekey(file, &request).await.ok();
        let old = ops.sealed_share(&file.manifest, bob.user_id, bob.bundle.id(), Terms::default()).await;
        assert_eq!(ops.send_share(id, old).await.problem.unwrap().code.as_str(), "record_invalid");
    }

    async fn shares_that_are_over_need_not_go_on(server: TestServer) {
        let mut scene = Scene::new(&server).await;
        server.pass_time(HOUR + 1);
        for person in [&mut scene.ops, &mut scene.ann, &mut scene.carol] {
            person.refresh().await;
        }
        let Scene { ops, ann, bob, carol, file, .. } = &scene;
        ops.revoke(bob, RevokeReason::Left).await;
        // Ann's has expired, Bob has left.
        let upload = ops.upload_next(file).await;
        let mut request = ops.rekey_request(file, &upload, &[(bob, Terms::default())]).await;
        request.unshares.push(scene.end().await);
        ops.rekey(file, &request).await.fails(422, "recipient_unknown");
        let mut request = ops.rekey_request(file, &upload, &[]).await;
        request.unshares.push(scene.end().await);
        ops.rekey(file, &request).await.ok();
        assert_eq!(view(ops, scene.id()).await.version, 2);
        for person in [ann, carol] {
            person.api.get(&routes::FILE, &[&scene.id()]).await.fails(404, "not_found");
        }
    }

    async fn an_upload_that_is_given_up_leaves_nothing_and_may_begin_anew(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, file, .. } = &scene;
        let id = scene.id();
        let abandoned = ops.upload_next(file).await;
        let upload = Upload { file_id: id, ..Upload::of_size(1) };
        ops.put_part_of(id, 2, 0, &upload.parts[0]).await.fails(409, "part_conflict");
        ops.cancel_version(id, 2).await.ok();
        ops.cancel_version(id, 2).await.ok();
        ops.put_part_of(id, 2, 0, &upload.parts[0]).await.fails(404, "not_found");
        ops.rekey(file, &scene.request(&abandoned).await).await.fails(404, "not_found");
        assert_eq!(ops.begin_version(id, 2).await.status, StatusCode::CREATED);
        ops.put_part_of(id, 2, 0, &upload.parts[0]).await.ok();
        ops.rekey(file, &scene.request(&upload).await).await.ok();
        ops.cancel_version(id, 2).await.fails(409, "already_complete");
        ops.cancel_version(id, 1).await.fails(409, "already_complete");
        ops.cancel_version(FileId::random(), 2).await.fails(404, "not_found");
        assert_eq!(ops.begin_version(id, 1).await.json::<serde_json::Value>()["state"], "live");
        assert!(scene.bob.download(id, None).await.ok().body == upload.ciphertext());
        // Deleted while a further version is on its way.
        let next = view(ops, id).await;
        assert_eq!(next.version, 2);
        ops.begin_version(id, 3).await.ok();
        send(ops.api.route(&routes::DELETE_FILE, &[&id])).await.ok();
        ops.begin_version(id, 3).await.fails(404, "not_found");
        ops.begin_version(id, 4).await.fails(404, "not_found");
    }

    async fn downloads_that_race_with_it_never_exceed_the_limit(server: TestServer) {
        let scene = Scene::new(&server).await;
        let Scene { ops, ann, file, .. } = &scene;
        let id = scene.id();
        let upload = ops.upload_next(file).await;
        let request = scene.request(&upload).await;
        let downloads = join_all((0..20).map(|_| ann.download(id, None)));
        let (answers, rekeyed) = tokio::join!(downloads, ops.rekey(file, &request));
        rekeyed.ok();
        let (old, new) = (file.upload.ciphertext(), upload.ciphertext());
        let served = answers.iter().filter(|answer| answer.status.is_success());
        let bodies: Vec<_> = served.map(|answer| &answer.body).collect();
        assert!(bodies.len() <= 3, "{} downloads of 3", bodies.len());
        assert!(bodies.iter().all(|body| **body == old || **body == new), "neither one version nor the other");
        let used = view_downloads(&scene).await;
        assert!(used >= bodies.len() as u64, "{used} counted of {} that were served", bodies.len());
        let mut left = 3 - used;
        while left > 0 {
            assert!(ann.download(id, None).await.ok().body == new);
            left -= 1;
        }
        ann.download(id, None).await.fails(404, "not_found");
    }
}

/// How many downloads Ann's share has used.
async fn view_downloads(scene: &Scene) -> u64 {
    let list = shares(&scene.ops, scene.id()).await;
    let newest = list.iter().rfind(|share| share.recipient == scene.ann.user_id).unwrap();
    newest.downloads
}
