//! Requests that are not what they should be (attack catalogue A54): each is refused with its own status, and
//! nothing of it is kept.

use std::time::Duration;

use sealpost_api::{
    HEADER_API, HEADER_PART_DIGEST, HEADER_REQUEST_ID, OCTET_STREAM, file::PartDigests,
    limits::MAX_JSON_BODY, routes,
};
use sealpost_crypto::{id::FileId, parts::part_digest};
use sealpost_tests::{
    TestServer,
    http::{Answer, send},
    on_every_backend,
    raw::{Person, Upload, found, random_bytes},
    wire::Wire,
};

/// Longer than the server waits for a slow body.
const PATIENCE: Duration = Duration::from_secs(60);

on_every_backend! {
    async fn json_routes_take_nothing_but_json(server: TestServer) {
        let api = server.api();
        let login = || api.route(&routes::LOGIN, &[]);
        send(login().body("{}")).await.fails(415, "media_type");
        send(login().header("content-type", "text/plain").body("{}")).await.fails(415, "media_type");
        let compressed = login().header("content-encoding", "gzip").json(&1);
        send(compressed).await.fails(415, "media_type");
        for broken in ["", "{", "nonsense", "[]", "{\"email\":1}", "{\"email\":\"a@b\",\"ke1\":\"=\"}", "\u{0}"] {
            let request = login().header("content-type", "application/json").body(broken);
            send(request).await.fails(400, "malformed_request");
        }
        let deep = "[".repeat(100_000);
        let request = login().header("content-type", "application/json").body(deep);
        send(request).await.fails(400, "malformed_request");
    }

    async fn what_is_not_there_is_told_apart_from_what_takes_another_method(server: TestServer) {
        let api = server.api();
        send(api.request("GET", "/nowhere")).await.fails(404, "not_found");
        send(api.request("GET", "/files/../server")).await.ok();
        send(api.request("DELETE", "/auth/login")).await.fails(405, "method_not_allowed");
        send(api.request("PATCH", "/files")).await.fails(405, "method_not_allowed");
    }

    async fn every_answer_names_its_request_and_forbids_caching(server: TestServer) {
        let api = server.api();
        let mut seen = Vec::new();
        for path in ["/healthz", "/nowhere", "/account"] {
            let answer = send(api.request("GET", path)).await;
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            let id = answer.header(HEADER_REQUEST_ID).to_owned();
            assert!(!id.is_empty() && !seen.contains(&id), "{path}: request id {id:?}");
            seen.push(id);
        }
    }

    async fn a_client_of_another_version_is_told_which_side_to_upgrade(server: TestServer) {
        let api = server.api();
        for (version, older) in [("2", "server"), ("0", "client"), ("x", "")] {
            let answer = send(api.request("GET", "/account").header(HEADER_API, version)).await;
            let problem = answer.fails(400, "api_version");
            assert!(problem.hint.to_lowercase().contains(older), "{version}: {}", problem.hint);
        }
        send(api.request("GET", "/server").header(HEADER_API, "1")).await.ok();
    }

    async fn a_json_body_without_end_is_cut_off_at_the_limit(server: TestServer) {
        let mut wire = Wire::open(&server).await;
        wire.write("POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
        // The server hangs up in the middle, so writing may fail at some point; answering must not.
        for _ in 0..2 * MAX_JSON_BODY / 0x1000 {
            if wire.try_write(&chunk).await.is_err() {
                break;
            }
        }
        assert_eq!(wire.status().await, 413);
    }

    async fn a_declared_length_over_the_limit_is_refused_before_the_body(server: TestServer) {
        let mut wire = Wire::open(&server).await;
        wire.write("POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n").await;
        assert_eq!(wire.status().await, 413);
    }

    async fn a_body_that_never_comes_is_given_up(server: TestServer) {
        let ops = found(&server).await;
        let file = begun(&ops).await;
        let mut json = Wire::open(&server).await;
        json.write("POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").await;
        let mut part = Wire::open(&server).await;
        part.write(&part_head(&ops, file, 4_112, &part_digest(&[0; 4_112]).to_string())).await;
        part.write("0123456789").await;
        let (json, part) = tokio::join!(
            tokio::time::timeout(PATIENCE, json.status()),
            tokio::time::timeout(PATIENCE, part.status())
        );
        assert_eq!((json.unwrap(), part.unwrap()), (408, 408));
        assert_eq!(parts_of(&ops, file).await.total, 0);
    }

    async fn a_part_that_is_cut_short_leaves_nothing(server: TestServer) {
        let ops = found(&server).await;
        let file = begun(&ops).await;
        let mut wire = Wire::open(&server).await;
        let part = random_bytes(4_112);
        wire.write(&part_head(&ops, file, part.len(), &part_digest(&part).to_string())).await;
        wire.write_bytes(&part[..4_000]).await;
        drop(wire);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(parts_of(&ops, file).await.total, 0);
        ops.put_part(file, 0, &part).await.ok();
        assert_eq!(parts_of(&ops, file).await.digests.0, part_digest(&part).as_bytes());
    }

    async fn a_part_must_be_what_its_headers_say(server: TestServer) {
        let ops = found(&server).await;
        let file = begun(&ops).await;
        let part = random_bytes(4_112);
        let digest = part_digest(&part).to_string();
        let request = || ops.api.route(&routes::PUT_PART, &[&file, &1, &0]);
        let octets = || request().header("content-type", OCTET_STREAM);
        let put = |request: reqwest::RequestBuilder| send(request.body(part.clone()));

        put(request().header(HEADER_PART_DIGEST, &digest)).await.fails(415, "media_type");
        put(octets().header("content-encoding", "gzip").header(HEADER_PART_DIGEST, &digest))
            .await
            .fails(415, "media_type");
        for digest in ["", "00", &digest.to_uppercase(), &format!("{digest}0")] {
            put(octets().header(HEADER_PART_DIGEST, digest)).await.fails(400, "malformed_request");
        }
        put(octets()).await.fails(400, "malformed_request");
        let other = part_digest(b"other").to_string();
        put(octets().header(HEADER_PART_DIGEST, other)).await.fails(422, "digest_mismatch");
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(part.clone())]));
        let endless = send(octets().header(HEADER_PART_DIGEST, &digest).body(stream)).await;
        endless.fails(400, "malformed_request");
        ops.put_part(file, 0, b"").await.problem();
        for index in ["65536", "4294967296", "-1", "x"] {
            let path = format!("/files/{file}/versions/1/parts/{index}");
            let request = ops.api.request("PUT", &path).header("content-type", OCTET_STREAM);
            let answer = put(request.header(HEADER_PART_DIGEST, &digest)).await;
            assert!([400, 404, 422].contains(&answer.problem().status), "{index}: {}", answer.text());
        }
        assert_eq!(parts_of(&ops, file).await.total, 0, "something was kept");
        put(octets().header(HEADER_PART_DIGEST, &digest)).await.ok();
    }
}

async fn begun(ops: &Person) -> FileId {
    let upload = Upload::of_size(1);
    ops.begin(upload.file_id).await.ok();
    upload.file_id
}

async fn parts_of(ops: &Person, file: FileId) -> PartDigests {
    let answer: Answer = ops.api.get(&routes::PARTS, &[&file, &1]).await;
    answer.json()
}

fn part_head(ops: &Person, file: FileId, length: usize, digest: &str) -> String {
    let token = ops.session.tokens.access_token.expose();
    format!(
        "PUT /files/{file}/versions/1/parts/0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: {OCTET_STREAM}\r\n{HEADER_PART_DIGEST}: {digest}\r\ncontent-length: {length}\r\n\r\n"
    )
}
