//! A41, A46 to A48, A50: what traffic tells, and what a hostile answer can make a client do.

use std::collections::HashSet;

use sealpost_api::{HEADER_PART_DIGEST, routes};
use sealpost_client::{ErrorKind, Overwrite, Terms};
use sealpost_crypto::size::Layout;
use sealpost_tests::{
    TestServer, on_both_databases,
    raw::random_bytes,
    sdk::{Device, describe},
};
use serde_json::json;

use crate::scene::Scene;

/// The ciphertext that an upload of `content` puts on the wire.
async fn on_the_wire(scene: &Scene, ops: &Device, content: &[u8]) -> Vec<u8> {
    scene.evil.forget();
    ops.me.upload(content, describe("same.bin", content), &|_| {}).await.unwrap();
    let parts = scene.evil.seen_of(routes::PUT_PART);
    parts.iter().flat_map(|part| part.asked.body.to_vec()).collect()
}

on_both_databases! {
    async fn a41_absurd_sizes_and_counts_are_refused(server: TestServer) {
        let scene = Scene::set(server).await;
        // How many parts there are, the manifest says: what the server says about it is not even looked at.
        scene.evil.json(routes::PARTS, |list| list["total"] = json!(u32::MAX));
        assert!(scene.client.download(scene.file).await.unwrap() == scene.content);
        scene.evil.repent();
        // 40 MB where a file's description belongs.
        scene.evil.answers(routes::FILE, |_, answered| answered.body = vec![b' '; 40_000_000].into());
        let error = scene.client.download(scene.file).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
        scene.evil.repent();
        // A list that never ends: the same page again and again.
        scene.evil.json(routes::MEMBERS, |page| page["next_cursor"] = json!("AAAA"));
        scene.evil.requests(routes::MEMBERS, |asked| {
            asked.path = asked.path.split("&cursor").next().unwrap_or_default().split("cursor").next().unwrap_or_default().to_owned();
        });
        let error = scene.client.download(scene.file).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
        scene.ends_well().await;
    }

    async fn a46_no_name_leads_out_of_the_folder(server: TestServer) {
        let scene = Scene::set(server).await;
        let folder = scene.server.scratch().join("names");
        std::fs::create_dir_all(&folder).unwrap();
        let names = [
            "../../etc/passwd", "/etc/passwd", "..", ".", "a/b", "a\\b", "C:\\x", "con", "NUL.txt", "x\u{202e}fdp.exe",
            "\u{1b}[2Jx", "a\nb", " ", "", "x:stream", ".bashrc", "-rf",
        ];
        for name in names {
            let content = random_bytes(100);
            let uploaded = scene.ops.me.upload(&content[..], describe(name, &content), &|_| {}).await;
            let Ok(uploaded) = uploaded else { continue };
            scene.ops.share(uploaded.file_id, &scene.client, Terms::default()).await.unwrap();
            let download = scene.client.me.download(uploaded.file_id).await.unwrap();
            assert_eq!(download.name(), name);
            let safe = download.safe_name().to_string();
            assert!(!safe.contains(['/', '\\', '\u{1b}', '\u{202e}', '\n', ':']) && !safe.starts_with(['.', '-', ' ']), "{safe:?}");
            let done = download.to_path(&folder.join(&safe), Overwrite::Replace, &|_| {}).await.unwrap();
            assert_eq!(done.path.unwrap().parent(), Some(&*folder));
        }
        let outside = std::fs::read_dir(scene.server.scratch()).unwrap().flatten();
        let outside: HashSet<_> = outside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        assert!(outside.is_subset(&HashSet::from(["data".to_owned(), "names".into(), "received".into()])), "{outside:?}");
        scene.ends_well().await;
    }

    async fn a47_the_same_file_twice_is_unrelated_ciphertext(server: TestServer) {
        let scene = Scene::set(server).await;
        for content in [vec![0; 200_000], random_bytes(200_000)] {
            let one = on_the_wire(&scene, &scene.ops, &content).await;
            let two = on_the_wire(&scene, &scene.ops, &content).await;
            assert_eq!(one.len(), two.len());
            let blocks: HashSet<&[u8]> = one.windows(8).collect();
            assert!(two.windows(8).all(|block| !blocks.contains(block)));
        }
        scene.ends_well().await;
    }

    async fn a48_only_padded_sizes_are_on_the_wire(server: TestServer) {
        let scene = Scene::set(server).await;
        let mut seen = HashSet::new();
        for size in [0, 1, 4_095, 4_096, 4_097, 5_000, 65_535, 65_536, 65_537, 99_999, 100_000, 100_001] {
            let wire = on_the_wire(&scene, &scene.ops, &random_bytes(size)).await;
            // Padmé(max(size, 4,096)) as protocol §7.1 says it, written out once more.
            let length = size.max(4_096) as u64;
            let e = u64::from(length.ilog2());
            let s = u64::from(e.ilog2()) + 1;
            let padded = length.next_multiple_of(1 << (e - s));
            assert_eq!(wire.len() as u64, padded + 16 * padded.div_ceil(65_536), "{size}");
            assert_eq!(Layout::for_size(size as u64).unwrap().ciphertext_length(), wire.len() as u64);
            seen.insert(wire.len());
            for part in scene.evil.seen_of(routes::PUT_PART) {
                assert!(part.asked.headers.contains_key(HEADER_PART_DIGEST));
                assert!(!part.asked.headers.contains_key("content-encoding"));
            }
        }
        assert_eq!(seen.len(), 6, "several sizes share one: {seen:?}");
        scene.ends_well().await;
    }

    async fn a50_a_client_learns_nobody_elses_name(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap();
        scene.evil.forget();
        scene.client.me.shared(None).await.unwrap();
        scene.client.me.contacts().await.unwrap();
        scene.client.download(scene.file).await.unwrap();
        for seen in scene.evil.seen() {
            let text = String::from_utf8_lossy(&seen.answered.body).into_owned();
            assert!(!text.contains("bob@example.com"), "{} {}", seen.asked.method, seen.asked.path);
        }
        scene.ends_well().await;
    }
}
