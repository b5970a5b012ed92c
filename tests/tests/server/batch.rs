//! Many small files and shares in few requests: stored whole, each accepted or refused by itself, and the same again
//! when a request is repeated.

use std::{fs, path::Path};

use sealpost_api::{
    batch::{CreateFiles, FileResult, FileShare, ShareFiles, WholeFile},
    file::{FileView, OwnFileView},
    limits::MAX_BATCH_BODY,
    paging::Page,
    problem::Problem,
    routes,
};
use sealpost_crypto::{
    id::{FileId, UserId},
    record::Signed,
    records::Manifest,
};
use sealpost_tests::{
    TestServer,
    backend::BlobKind,
    http::send,
    on_every_backend,
    raw::{Person, Terms, Upload, found, found_and_join, random_bytes},
    wire::Wire,
};

on_every_backend! {
    async fn what_is_created_and_shared_at_once_arrives_byte_for_byte(server: TestServer) {
        let mut server = server;
        let ops = found(&server).await;
        let mut clients = Vec::new();
        for number in 0..3 {
            clients.push(ops.welcome(&format!("client{number}@example.com")).await);
        }
        let uploads = uploads(&[1, 5_000, 300_000, 10_240, 10_240, 70_000, 0]);
        let files = ops.whole(&uploads).await;
        assert!(problems(&ops.create_files(&files).await).is_empty());
        let shares = shares_with(&ops, &files, &clients).await;
        let results = ops.share_files(&shares).await;
        assert!(results.iter().all(|result| result.problem.is_none()), "{results:?}");
        let named = results.iter().map(|result| (result.file_id, result.recipient));
        let expected = clients.iter().flat_map(|client| files.iter().map(|file| (file.file_id, client.user_id)));
        assert!(named.eq(expected), "results are in the order of the shares");

        server.restart().await;
        for (upload, file) in uploads.iter().zip(&files) {
            for reader in clients.iter().chain([&ops]) {
                assert!(reader.download(upload.file_id, None).await.ok().body == upload.ciphertext());
            }
            let view: FileView = clients[0].api.get(&routes::FILE, &[&upload.file_id]).await.json();
            assert_eq!(view.manifest, file.complete.manifest);
            assert_eq!(view.metadata.0, upload.metadata);
        }
        let listed = own(&ops).await;
        let newest_first = uploads.iter().rev().map(|upload| upload.file_id);
        assert!(listed.iter().map(|file| file.file.file_id).eq(newest_first), "in the order of the request");
        assert!(listed.iter().all(|file| file.shares.len() == clients.len()));
    }

    async fn the_same_request_again_is_answered_the_same_and_changes_nothing(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let uploads = uploads(&[1, 2, 3, 4]);
        let mut files = ops.whole(&uploads).await;
        files[2].content.0[17] ^= 1;
        let request = CreateFiles { files: files.clone() };
        let create = || ops.api.call(&routes::CREATE_FILES, &[], &request);
        let (one, two) = tokio::join!(create(), create());
        let again = create().await;
        assert_eq!((one.ok().text(), two.ok().text()), (again.ok().text(), again.text()));
        // The third was refused, and it breaks the chain of the owner's shares for the fourth.
        let refused = problems(&one.json::<sealpost_api::batch::FileResults>().results);
        assert_eq!(refused, [(2, "digest_mismatch".into()), (3, "pair_conflict".into())]);
        assert_eq!(own(&ops).await.len(), 2);
        assert_eq!(ops.pair(ops.user_id, "sent", 0).await.newest, 2);

        files.truncate(2);
        let shares = ShareFiles { shares: shares_with(&ops, &files, std::slice::from_ref(&client)).await };
        let share = || ops.api.call(&routes::SHARE_FILES, &[], &shares);
        let (one, two) = tokio::join!(share(), share());
        let again = share().await;
        assert_eq!((one.ok().text(), two.ok().text()), (again.ok().text(), again.text()));
        assert!(!again.text().contains("problem"), "{}", again.text());
        assert_eq!(ops.pair(client.user_id, "sent", 0).await.newest, 2);
        if server.backend().blobs == BlobKind::Folder {
            assert_eq!(blobs(&server.data().join("blobs")), 2, "blobs of attempts that lost stay");
        }
    }

    async fn one_bad_file_never_sinks_the_others(server: TestServer) {
        let ops = found(&server).await;
        let other = ops.welcome("client@example.com").await;
        let good_uploads = uploads(&[1, 100, 20_000]);
        let good = ops.whole(&good_uploads).await;
        let (live, deleted, foreign) = (ops.upload().await, ops.upload().await, ops.upload().await);
        ops.api.get(&routes::DELETE_FILE, &[&deleted.upload.file_id]).await.ok();
        let (file, owner) = (server.literal(&foreign.upload.file_id), server.literal(&other.user_id));
        server.execute(format!("UPDATE files SET owner = {owner} WHERE file_id = {file}")).await;
        // Signed once more: what was stored meanwhile took the places of these.
        drop(good);
        let good = ops.whole(&good_uploads).await;
        let under = async |file_id: FileId| {
            ops.whole(&[Upload { file_id, ..Upload::of_size(1) }]).await.remove(0)
        };
        let changed = async |change: fn(&mut WholeFile)| {
            let mut file = ops.whole(&[Upload::of_size(1)]).await.remove(0);
            change(&mut file);
            file
        };
        let forged = ops.whole(&[Upload::of_size(1)]).await.remove(0).complete.share.record;
        let mut unsigned = changed(|_| {}).await;
        unsigned.complete.share.record.signature = forged.signature;
        let bad = [
            (under(live.upload.file_id).await, "already_complete"),
            (under(deleted.upload.file_id).await, "id_taken"),
            (under(foreign.upload.file_id).await, "id_taken"),
            (changed(|file| file.version = 2).await, "unsupported"),
            (changed(|file| file.file_id = FileId::random()).await, "record_invalid"),
            (changed(|file| file.content.0.push(0)).await, "digest_mismatch"),
            (changed(|file| file.content.0.clear()).await, "digest_mismatch"),
            (changed(|file| file.complete.metadata.0[0] ^= 1).await, "record_invalid"),
            (changed(|file| file.complete.metadata.0 = vec![0; 20_000]).await, "too_large"),
            (changed(|file| file.complete.share.ciphertext.0[0] ^= 1).await, "record_invalid"),
            (unsigned, "record_invalid"),
        ];
        let mut files: Vec<WholeFile> = bad[..6].iter().map(|(file, _)| file.clone()).collect();
        files.extend(good.iter().cloned());
        files.extend(bad[6..].iter().map(|(file, _)| file.clone()));
        let results = ops.create_files(&files).await;
        let expected = (0..6).chain(9..).zip(&bad).map(|(at, (_, code))| (at, (*code).to_owned()));
        assert_eq!(problems(&results), expected.collect::<Vec<_>>());
        for upload in &good_uploads {
            assert!(ops.download(upload.file_id, None).await.ok().body == upload.ciphertext());
        }
        let kept = ops.download(live.upload.file_id, None).await;
        assert!(kept.ok().body == live.upload.ciphertext(), "a live file was changed");
        assert_eq!(own(&ops).await.len(), 1 + good.len());
    }

    async fn one_bad_share_never_sinks_the_others(server: TestServer) {
        let (ops, client) = found_and_join(&server).await;
        let pending = ops.invite("pending@example.com").await.accept().await;
        let uploads = uploads(&[1, 2, 3]);
        let files = ops.whole(&uploads).await;
        ops.create_files(&files).await;
        let good = shares_with(&ops, &files, std::slice::from_ref(&client)).await;
        let to = async |user_id: UserId, file_id: FileId| {
            let manifest = Signed::<Manifest>::verify(
                files[0].complete.manifest.clone(),
                &ops.keys.signing.public_key(),
            );
            let share = ops.sealed_share(&manifest.unwrap(), user_id, client.bundle.id(), Terms::default()).await;
            FileShare { file_id, share }
        };
        let first = files[0].file_id;
        let shares = [
            to(UserId::random(), first).await,
            good[0].clone(),
            to(pending.user_id, first).await,
            to(client.user_id, FileId::random()).await,
            good[1].clone(),
            // A share of the first file, said to be of the second: also when it is stored already.
            FileShare { file_id: files[1].file_id, ..good[0].clone() },
            to(client.user_id, first).await,
            good[2].clone(),
        ];
        let results = ops.share_files(&shares).await;
        let refused: Vec<_> = codes(results.iter().map(|result| &result.problem)).collect();
        let expected = [
            (0, "recipient_unknown"),
            (2, "recipient_pending"),
            (3, "not_found"),
            (5, "record_invalid"),
            (6, "pair_conflict"),
        ];
        assert_eq!(refused, expected.map(|(at, code)| (at, code.to_owned())));
        let held = results[6].problem.as_ref().unwrap().record.as_ref().unwrap().id();
        assert_eq!(held, good[0].share.record.id(), "a conflict carries the record that holds the place");
        let again = ops.share_files(&shares).await;
        assert_eq!(codes(again.iter().map(|result| &result.problem)).collect::<Vec<_>>(), refused);
        assert_eq!(ops.pair(client.user_id, "sent", 0).await.newest, 3);
        // The route for one file does not take another file's share for its own either.
        let request = sealpost_api::file::ShareFile { shares: vec![good[0].share.clone()], renews: vec![] };
        let answer = ops.api.call(&routes::SHARE, &[&files[1].file_id], &request).await;
        let answer: sealpost_api::file::ShareResults = answer.json();
        assert!(answer.results[0].problem.is_some());
    }

    async fn an_upload_that_was_begun_by_parts_may_end_in_a_batch(server: TestServer) {
        let ops = found(&server).await;
        let uploads = uploads(&[1, 1, 1, 1]);
        for upload in &uploads[1..] {
            ops.begin(upload.file_id).await.ok();
        }
        ops.put_part(uploads[2].file_id, 0, &uploads[2].parts[0]).await.ok();
        ops.put_part(uploads[3].file_id, 0, b"something else").await.ok();
        let files = ops.whole(&uploads).await;
        let refused = problems(&ops.create_files(&files).await);
        assert_eq!(refused, [(3, "part_conflict".into())]);
        for upload in &uploads[..3] {
            assert!(ops.download(upload.file_id, None).await.ok().body == upload.ciphertext());
        }
        // And the other way round: what a batch created is what the ordinary way finds.
        ops.begin(uploads[0].file_id).await.ok();
        ops.put_part(uploads[0].file_id, 0, &uploads[0].parts[0]).await.ok();
        ops.complete(uploads[0].file_id, &files[0].complete).await.ok();
        ops.put_part(uploads[0].file_id, 0, b"other").await.fails(409, "already_complete");
    }

    async fn room_for_large_bodies_is_given_back(server: TestServer) {
        let ops = found(&server).await;
        let token = ops.session.tokens.access_token.expose();
        for _ in 0..8 {
            let mut wire = Wire::open(&server).await;
            wire.write(&format!(
                "POST /files/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {MAX_BATCH_BODY}\r\n\r\n{{"
            ))
            .await;
        }
        let files = ops.whole(&[Upload::of_size(1)]).await;
        assert!(problems(&ops.create_files(&files).await).is_empty());
    }

    async fn who_is_refused_after_a_large_body_hears_why(server: TestServer) {
        let ops = found(&server).await;
        let token = ops.session.tokens.access_token.expose();
        let bearer = format!("authorization: Bearer {token}\r\n");
        let json = "content-type: application/json\r\n";
        for (path, headers, status) in [
            ("/auth/login", json.to_owned(), 413),
            ("/organisation", json.to_owned(), 413),
            ("/files/batch", format!("{bearer}{json}"), 413),
            ("/shares/batch", format!("{bearer}{json}"), 413),
            ("/files/batch", json.to_owned(), 401),
            ("/files/batch", bearer.clone(), 415),
            ("/nowhere", json.to_owned(), 404),
        ] {
            let body = vec![b' '; MAX_BATCH_BODY + 1];
            let mut wire = Wire::open(&server).await;
            wire.write(&format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n", body.len()))
                .await;
            // All of it, before the answer is looked at; a broken pipe would fail here.
            wire.write_bytes(&body).await;
            assert_eq!(wire.status().await, status, "{path}");
            // And without a length.
            let mut wire = Wire::open(&server).await;
            wire.write(&format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}transfer-encoding: chunked\r\n\r\n"))
                .await;
            for piece in body.chunks(0x10_0000) {
                wire.write(&format!("{:x}\r\n", piece.len())).await;
                wire.write_bytes(piece).await;
                wire.write("\r\n").await;
            }
            wire.write("0\r\n\r\n").await;
            assert_eq!(wire.status().await, status, "{path}, chunked");
        }
        let answer = send(ops.api.route(&routes::CREATE_FILES, &[]).json(&vec![0; MAX_BATCH_BODY])).await;
        answer.fails(413, "too_large");
    }
}

fn uploads(sizes: &[u64]) -> Vec<Upload> {
    sizes.iter().map(|size| Upload { metadata: random_bytes(552), ..Upload::of_size(*size) }).collect()
}

/// Every file shared with every one of `people`, the shares of each pair one after the other.
async fn shares_with(ops: &Person, files: &[WholeFile], people: &[Person]) -> Vec<FileShare> {
    let mut shares = Vec::new();
    for person in people {
        let mut place = ops.next_in_pair(person.user_id).await;
        for file in files {
            let manifest =
                Signed::verify(file.complete.manifest.clone(), &ops.keys.signing.public_key()).unwrap();
            let bundle = person.bundle.id();
            let mut context = ops.share_context(&manifest, person.user_id, bundle, Terms::default()).await;
            (context.pair_sequence, context.pair_previous) = place;
            let share = ops.seal(&context);
            place = (place.0 + 1, share.record.id());
            shares.push(FileShare { file_id: file.file_id, share });
        }
    }
    shares
}

/// Which results are refusals, and their codes.
fn problems(results: &[FileResult]) -> Vec<(usize, String)> {
    codes(results.iter().map(|result| &result.problem)).collect()
}

fn codes<'a>(problems: impl Iterator<Item = &'a Option<Problem>>) -> impl Iterator<Item = (usize, String)> {
    let code = |problem: &Problem| problem.code.as_str().to_owned();
    problems.enumerate().filter_map(move |(at, problem)| Some((at, code(problem.as_ref()?))))
}

async fn own(ops: &Person) -> Vec<OwnFileView> {
    ops.api.get(&routes::FILES, &[]).await.json::<Page<OwnFileView>>().items
}

/// Blobs in a folder store.
fn blobs(root: &Path) -> usize {
    let folders = |path: &Path| fs::read_dir(path).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let first = folders(root).filter(|path| path.is_dir());
    first.flat_map(|path| folders(&path).collect::<Vec<_>>()).map(|version| folders(&version).count()).sum()
}
