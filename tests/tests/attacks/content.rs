//! A22 to A30, A60: the content, its manifest, its name.

use axum::http::{HeaderValue, StatusCode, header};
use sealpost_api::{
    file::{FileView, PartDigests},
    routes,
};
use sealpost_client::ErrorKind;
use sealpost_crypto::{
    chunk,
    encoding::Base64,
    keys::{FileKeys, Place},
    size::{Layout, PART_CIPHERTEXT},
};
use sealpost_tests::{TestServer, adversary::Answered, on_both_databases};
use serde_json::{Value, json};

use crate::scene::{Scene, THREE_PARTS};

/// Where a range request begins.
fn start(headers: &axum::http::HeaderMap) -> u64 {
    let range = headers[header::RANGE].to_str().unwrap().trim_start_matches("bytes=");
    range.split('-').next().unwrap().parse().unwrap()
}

fn range_of_part(index: u64) -> HeaderValue {
    let start = index * PART_CIPHERTEXT;
    format!("bytes={start}-{}", start + PART_CIPHERTEXT - 1).parse().unwrap()
}

fn flip(answered: &mut Answered, at: usize, mask: u8) {
    let mut bytes = answered.body.to_vec();
    bytes[at] ^= mask;
    answered.body = bytes.into();
}

on_both_databases! {
    async fn a22_parts_that_changed_places_or_files_are_noticed(server: TestServer) {
        let scene = Scene::with_file(server, THREE_PARTS).await;
        for (asked_for, given) in [(0, 1), (1, 0)] {
            scene.evil.requests(routes::DOWNLOAD, move |asked| {
                if start(&asked.headers) == asked_for * PART_CIPHERTEXT {
                    asked.headers.insert(header::RANGE, range_of_part(given));
                }
            });
            scene.refuses("part_mismatch").await;
            scene.evil.repent();
        }
        let other = scene.another_file().await;
        let stolen = scene.view(&scene.client, other).await;
        assert_eq!(stolen["file_id"], json!(other.to_string()));
        let (ours, theirs) = (scene.file.to_string(), other.to_string());
        scene.evil.requests(routes::PARTS, {
            let (ours, theirs) = (ours.clone(), theirs.clone());
            move |asked| asked.path = asked.path.replace(&ours, &theirs)
        });
        scene.refuses("part_list_mismatch").await;
        scene.ends_well().await;
    }

    async fn a23_a_file_that_was_cut_or_made_longer_is_noticed(server: TestServer) {
        let scene = Scene::with_file(server, THREE_PARTS).await;
        for parts in [0_usize, 1, 2] {
            scene.evil.answers(routes::PARTS, move |_, answered| {
                let mut list: PartDigests = serde_json::from_slice(&answered.body).unwrap();
                list.digests.0.truncate(parts.saturating_sub(list.from as usize) * 32);
                list.total = parts as u32;
                answered.say(&serde_json::to_value(&list).unwrap());
            });
            scene.refuses("part_count").await;
            scene.evil.repent();
        }
        // The right length, the tail replaced by zeros.
        scene.evil.answers(routes::DOWNLOAD, |asked, answered| {
            if start(&asked.headers) == 2 * PART_CIPHERTEXT {
                answered.body = vec![0; answered.body.len()].into();
            }
        });
        scene.refuses("part_mismatch").await;
        scene.evil.repent();
        // A body that ends at a chunk's border, or goes on behind the end, is a broken answer before it is content.
        for change in [|bytes: &mut Vec<u8>| bytes.truncate(65_552), |bytes: &mut Vec<u8>| bytes.push(0)] {
            scene.evil.answers(routes::DOWNLOAD, move |_, answered| {
                let mut bytes = answered.body.to_vec();
                change(&mut bytes);
                answered.body = bytes.into();
            });
            let error = scene.client.download(scene.file).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Network | ErrorKind::Server), "{error}");
            scene.evil.repent();
        }
        scene.ends_well().await;
    }

    async fn a24_a_bit_flipped_anywhere_is_noticed(server: TestServer) {
        let scene = Scene::set(server).await;
        let length = Layout::for_size(scene.content.len() as u64).unwrap().ciphertext_length() as usize;
        // Every border of a chunk and its tag, and places between.
        let borders = [0, 1, 65_535, 65_536, 65_551, 65_552, length - 17, length - 16, length - 1];
        let between = (1..24).map(|n| n * length / 24);
        for (n, at) in borders.into_iter().chain(between).enumerate() {
            scene.evil.answers(routes::DOWNLOAD, move |_, answered| flip(answered, at, 1 << (n % 8)));
            scene.refuses("part_mismatch").await;
            scene.evil.repent();
        }
        scene.ends_well().await;
    }

    async fn a25_a_damaged_last_chunk_leaves_no_file(server: TestServer) {
        let scene = Scene::with_file(server, THREE_PARTS).await;
        scene.evil.answers(routes::DOWNLOAD, |asked, answered| {
            if start(&asked.headers) == 2 * PART_CIPHERTEXT {
                let last = answered.body.len() - 1;
                flip(answered, last, 1);
            }
        });
        scene.refuses("part_mismatch").await;
        scene.ends_well().await;
    }

    async fn a26_another_file_under_this_id_is_noticed(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.another_file().await;
        let whole = scene.view(&scene.client, other).await;
        scene.evil.json(routes::FILE, { let whole = whole.clone(); move |view| *view = whole.clone() });
        scene.refuses("other_file").await;
        scene.evil.repent();
        let renamed = scene.file.to_string();
        scene.evil.json(routes::FILE, move |view| {
            *view = whole.clone();
            view["file_id"] = json!(renamed);
        });
        scene.refuses("other_file").await;
        scene.ends_well().await;
    }

    async fn a27_another_files_name_is_noticed(server: TestServer) {
        let scene = Scene::set(server).await;
        let other = scene.another_file().await;
        let other = scene.view(&scene.client, other).await;
        for (field, code) in [("metadata", "metadata_mismatch"), ("manifest", "share_manifest_mismatch")] {
            let stolen = other[field].clone();
            scene.evil.json(routes::FILE, move |view| view[field] = stolen.clone());
            scene.refuses(code).await;
            scene.evil.repent();
        }
        scene.evil.json(routes::FILE, |view| {
            let mut sealed: Base64 = serde_json::from_value(view["metadata"].clone()).unwrap();
            sealed.0[40] ^= 1;
            view["metadata"] = serde_json::to_value(&sealed).unwrap();
        });
        scene.refuses("metadata_mismatch").await;
        scene.evil.repent();
        let Value::Object(mut swapped) = scene.view(&scene.client, scene.file).await else { panic!() };
        swapped.insert("metadata".into(), other["metadata"].clone());
        let listed = json!({ "items": [swapped] });
        scene.evil.json(routes::FILES_SHARED, move |page| *page = listed.clone());
        let page = scene.client.me.shared(None).await.unwrap();
        assert!(page.items.is_empty());
        assert_eq!(page.rejected[0].error.code(), "metadata_mismatch");
        scene.ends_well().await;
    }

    async fn a60_a_part_that_another_recipient_forged_is_noticed(server: TestServer) {
        let scene = Scene::set(server).await;
        // Whoever holds the file key can seal anything under it; only the owner signed for these bytes.
        let key = scene.ops.me.file_key(scene.file).await.unwrap();
        let view = scene.view(&scene.client, scene.file).await;
        let view: FileView = serde_json::from_value(view).unwrap();
        let manifest: sealpost_crypto::records::Manifest = view.manifest.claim().unwrap();
        let place = Place { org_id: manifest.org_id, file_id: scene.file, version: 1 };
        let layout = Layout::for_size(scene.content.len() as u64).unwrap();
        let mut plaintext = vec![0; layout.part(0).unwrap().plaintext_length()];
        plaintext[..20].copy_from_slice(b"You owe us 1,000,000");
        let mut forged = Vec::new();
        let keys = FileKeys::derive(&key, &place);
        chunk::seal_part(&keys.content, &layout, 0, &plaintext, &mut forged).unwrap();
        scene.evil.answers(routes::DOWNLOAD, move |_, answered| {
            assert_eq!((answered.status, answered.body.len()), (StatusCode::PARTIAL_CONTENT, forged.len()));
            answered.body = forged.clone().into();
        });
        scene.refuses("part_mismatch").await;
        scene.ends_well().await;
    }
}
