//! A84 to A86, A88: what a server says became of something, and what its answers could make of a client.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
};
use sealpost_api::routes::{self, Route};
use sealpost_client::{
    Again, Delivery, DeliveryStatus, Error, ErrorKind, FileId, Sent, ShareStatus, Terms, store::MemoryStore,
};
use sealpost_crypto::{
    record::{self, RawRecord},
    records::{Share, ShareContext},
};
use sealpost_tests::{
    TestServer,
    adversary::{Adversary, Answered},
    on_both_databases,
    raw::random_bytes,
    sdk::{self, Device},
    search::Needle,
};
use serde_json::{Value, json};

use crate::scene::{SMALL, Scene, THREE_PARTS};

/// Two small files on disk, for the client and for Bob.
fn deliveries(scene: &Scene, bob: &Device) -> Vec<Delivery> {
    let recipients = [&scene.client, bob].map(|person| (person.email.clone(), Terms::default()));
    let files = ["one.txt", "two.txt"].map(|name| {
        let path = source(scene, name, SMALL);
        Delivery { path, note: String::new(), recipients: recipients.to_vec() }
    });
    files.to_vec()
}

fn source(scene: &Scene, name: &str, size: usize) -> PathBuf {
    let path = scene.server.scratch().join(name);
    std::fs::write(&path, random_bytes(size)).unwrap();
    path
}

async fn upload(scene: &Scene, files: &[Delivery]) -> Vec<Result<Sent, Error>> {
    let mut sent = Vec::new();
    let done = &mut |_, outcome| {
        sent.push(outcome);
        ControlFlow::Continue(())
    };
    scene.ops.me.upload_many(files, Again::Refuse, &|_| {}, done).await.unwrap();
    sent
}

fn shares(sent: &[Result<Sent, Error>]) -> Vec<Result<ShareStatus, (ErrorKind, String)>> {
    let all = sent.iter().flat_map(|sent| &sent.as_ref().expect("uploaded").shares);
    let told = |error: &Error| (error.kind(), error.code().to_owned());
    all.map(|share| share.result.as_ref().copied().map_err(told)).collect()
}

/// A problem document.
pub fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:sealpost:problem:{code}"), "title": "No", "status": status, "code": code, "detail": detail })
}

fn refuse(answered: &mut Answered, status: u16, code: &str) {
    answered.status = StatusCode::from_u16(status).unwrap();
    answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answered.say(&problem(status, code, ""));
}

/// Gzip (RFC 1952) of `body`, stored: whoever inflates answers would read it.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let blocks: Vec<&[u8]> = body.chunks(0xffff).collect();
    for (at, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        packed.push(u8::from(at + 1 == blocks.len()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(*block);
    }
    let crc = !body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    packed.extend(crc.to_le_bytes());
    packed.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    packed
}

/// What the victim is told when it looks the file up.
async fn told(scene: &Scene) -> Error {
    scene.client.me.download(scene.file).await.map(drop).expect_err("not noticed")
}

on_both_databases! {
    async fn a84_one_items_fate_is_not_told_as_anothers(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        // Files: an answer in another order, about fewer, about others.
        let lies: [fn(&mut Vec<Value>); 4] = [
            |results| results.reverse(),
            |results| drop(results.pop()),
            |results| results[0]["file_id"] = json!(FileId::random().to_string()),
            |results| results[1] = results[0].clone(),
        ];
        for lie in lies {
            let files = deliveries(&scene, &bob);
            scene.evil.json(routes::CREATE_FILES, move |answer| lie(answer["results"].as_array_mut().unwrap()));
            for sent in upload(&scene, &files).await {
                let error = sent.expect_err("not noticed");
                assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
            }
            scene.evil.repent();
        }
        let files = deliveries(&scene, &bob);
        // Shares: the client's file is refused, and the answer says so of Bob's.
        let lies: [fn(&mut Vec<Value>); 4] = [
            |results| results.reverse(),
            |results| {
                let (one, two) = (results[0]["recipient"].clone(), results[1]["recipient"].clone());
                (results[0]["recipient"], results[1]["recipient"]) = (two, one);
                results[0]["problem"] = problem(422, "limit_reached", "No.");
            },
            |results| drop(results.pop()),
            |results| results[3] = results[0].clone(),
        ];
        for lie in lies {
            scene.evil.json(routes::SHARE_FILES, move |answer| lie(answer["results"].as_array_mut().unwrap()));
            let shares = shares(&upload(&scene, &files).await);
            let unexpected = Err((ErrorKind::Server, "unexpected_answer".to_owned()));
            assert_eq!(shares, vec![unexpected; 4]);
            scene.evil.repent();
        }
        // One share by itself.
        for lie in [
            |answer: &mut Value| answer["results"][0]["recipient"] = json!("7".repeat(32)),
            |answer: &mut Value| answer["results"] = json!([]),
        ] {
            scene.evil.json(routes::SHARE, lie);
            let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
            scene.evil.repent();
        }
        let sent = upload(&scene, &files).await;
        assert!(shares(&sent).iter().all(Result::is_ok), "{sent:?}");
        for sent in sent {
            for person in [&scene.client, &bob] {
                person.download(sent.as_ref().unwrap().file.file_id).await.expect("the honest run");
            }
        }
        scene.ends_well().await;
    }

    async fn a84_what_is_called_done_and_was_dropped_is_found_out(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let files = deliveries(&scene, &bob);
        // The server gives nothing of Bob's to the honest one behind it, and says that all was done.
        let all = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
        let bobs = bob.me.whoami().await.unwrap().user_id;
        scene.evil.requests(routes::SHARE_FILES, {
            let all = std::sync::Arc::clone(&all);
            move |asked| {
                let mut body: Value = serde_json::from_slice(&asked.body).unwrap();
                *all.lock().unwrap() = body["shares"].clone();
                body["shares"].as_array_mut().unwrap().retain(|it| context(&it["share"]).recipient != bobs);
                asked.body = serde_json::to_vec(&body).unwrap().into();
            }
        });
        scene.evil.answers(routes::SHARE_FILES, move |_, answered| {
            answered.say(&results(&all.lock().unwrap(), |_| ()));
        });
        let sent = upload(&scene, &files).await;
        assert!(shares(&sent).iter().all(Result::is_ok), "the lie is a good one");
        scene.evil.repent();
        // The owner's next look at Bob's history finds fewer records than the server has confirmed.
        let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_rollback"), "{error}");
        for sent in sent {
            scene.client.download(sent.unwrap().file.file_id).await.expect("the other one has it");
        }
        scene.ends_well().await;
    }

    async fn a86_files_that_are_called_stored_and_were_dropped_are_found_out(server: TestServer) {
        let mut scene = Scene::set(server).await;
        // Asked for now: a device that was lied to about its own files does nothing more with that server.
        scene.file_key = Some(scene.ops.me.file_key(scene.file).await.unwrap().expose().to_vec());
        let files = ["one.txt", "two.txt"].map(|name| Delivery {
            path: source(&scene, name, SMALL),
            note: String::new(),
            recipients: Vec::new(),
        });
        scene.evil.requests(routes::CREATE_FILES, |asked| asked.body = Bytes::new());
        scene.evil.answers(routes::CREATE_FILES, |asked, answered| {
            let body: Value = serde_json::from_slice(&asked.body).unwrap();
            let stored = body["files"].as_array().unwrap().iter();
            let results: Vec<_> = stored.map(|file| json!({ "file_id": file["file_id"] })).collect();
            answered.status = StatusCode::OK;
            answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answered.say(&json!({ "results": results }));
        });
        assert!(upload(&scene, &files).await.iter().all(Result::is_ok), "the lie is a good one");
        scene.evil.repent();
        let next = Delivery { path: source(&scene, "three.txt", SMALL), note: String::new(), recipients: Vec::new() };
        for error in upload(&scene, &[next]).await {
            let error = error.unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_rollback"), "{error}");
        }
        scene.ends_well().await;
    }

    async fn a84_one_share_that_is_called_made_and_was_dropped_is_found_out(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.evil.requests(routes::SHARE, |asked| asked.body = Bytes::new());
        scene.evil.answers(routes::SHARE, |asked, answered| {
            let body: Value = serde_json::from_slice(&asked.body).unwrap();
            answered.status = StatusCode::OK;
            answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answered.say(&results(&body["shares"], |_| ()));
        });
        scene.ops.share(scene.file, &bob, Terms::default()).await.expect("the lie is a good one");
        scene.evil.repent();
        let other = scene.another_file().await;
        let error = scene.ops.share(other, &bob, Terms::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, "pair_rollback"), "{error}");
        scene.client.download(other).await.expect("nobody else is concerned");
        scene.ends_well().await;
    }

    async fn a_share_whose_answer_never_came_goes_out_before_the_next_one(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        scene.evil.requests(routes::SHARE, |asked| asked.body = Bytes::new());
        scene.evil.answers(routes::SHARE, |_, answered| refuse(answered, 502, "bad_gateway"));
        let error = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        scene.evil.repent();
        let other = scene.another_file().await;
        scene.ops.share(other, &bob, Terms::default()).await.unwrap();
        for file in [scene.file, other] {
            bob.download(file).await.expect("whoever shared it was not told otherwise");
        }
        scene.ends_well().await;
    }

    async fn a84_what_is_called_shared_already_is_in_our_own_records_or_not_believed(server: TestServer) {
        let scene = Scene::set(server).await;
        let bob = scene.ops.welcome(&scene.evil.url(), "bob@example.com").await;
        let files = deliveries(&scene, &bob);
        let lie = || {
            for route in [routes::SHARE, routes::SHARE_FILES] {
                // Nothing arrives.
                scene.evil.requests(route, |asked| asked.body = Bytes::new());
                scene.evil.answers(route, |asked, answered| {
                    let body: Value = serde_json::from_slice(&asked.body).unwrap();
                    answered.status = StatusCode::OK;
                    answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    let already = |result: &mut Value| result["problem"] = problem(409, "already_shared", "It is.");
                    answered.say(&results(&body["shares"], already));
                });
            }
        };
        lie();
        let unproven = (ErrorKind::Verification, "share_unproven".to_owned());
        let alone = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!((alone.kind(), alone.code().to_owned()), unproven, "{alone}");
        assert_eq!(shares(&upload(&scene, &files).await), vec![Err(unproven.clone()); 4]);
        let delivered = scene.ops.me.deliver(&files[0], &|_| {}).await.unwrap();
        for outcome in &delivered.recipients {
            let error = outcome.result.as_ref().expect_err("not noticed");
            assert_eq!((error.kind(), error.code().to_owned()), unproven, "{error}");
        }
        scene.evil.repent();
        let delivered = scene.ops.me.deliver(&files[0], &|_| {}).await.unwrap();
        assert!(delivered.recipients.iter().all(|it| matches!(it.result, Ok(DeliveryStatus::Shared))), "{delivered:?}");
        scene.ops.share(scene.file, &bob, Terms::default()).await.expect("the honest run");
        let again = scene.ops.share(scene.file, &bob, Terms::default()).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict, "{again}");
        assert!(bob.download(scene.file).await.unwrap() == scene.content);
        scene.ends_well().await;
    }

    async fn a85_what_an_interrupted_download_left_is_not_steered(server: TestServer) {
        let scene = Scene::with_file(server, THREE_PARTS).await;
        let other = scene.another_file().await;
        // The connection breaks in the middle: one part stands in the temporary file.
        let parts = AtomicUsize::new(0);
        scene.evil.answers(routes::DOWNLOAD, move |_, answered| {
            if parts.fetch_add(1, Ordering::SeqCst) > 0 {
                refuse(answered, 500, "internal");
            }
        });
        let broken = scene.fetch().await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::Server, "{broken}");
        let left: Vec<_> = std::fs::read_dir(scene.folder()).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(left[0].metadata().unwrap().len() >= 128 * 65_536, "nothing to be steered");
        scene.evil.repent();
        // On going on, the server has other digests: those of another file.
        scene.evil.forget();
        let digests = {
            drop(scene.client.download(other).await.unwrap());
            let seen = scene.evil.seen_of(routes::PARTS);
            serde_json::from_slice::<Value>(&seen[0].answered.body).unwrap()["digests"].clone()
        };
        scene.evil.json(routes::PARTS, move |page| page["digests"] = digests.clone());
        scene.refuses("part_list_mismatch").await;
        scene.ends_well().await;
    }

    async fn a86_an_upload_that_never_arrived_is_not_called_complete(server: TestServer) {
        let scene = Scene::set(server).await;
        let path = source(&scene, "large.bin", 3_000_000);
        let upload = async || scene.ops.me.upload_path(&path, "", Again::Refuse, &|_| {}).await;
        scene.evil.json(routes::CREATE_FILE, |upload| upload["state"] = json!("live"));
        for answers_with_another in [false, true] {
            if answers_with_another {
                let view = scene.view(&scene.ops, scene.file).await;
                scene.evil.answers(routes::FILE, move |_, answered| {
                    answered.status = StatusCode::OK;
                    answered.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    answered.say(&view);
                });
            }
            let error = upload().await.expect_err("called complete");
            let code = if answers_with_another { "other_file" } else { "upload_unproven" };
            assert_eq!((error.kind(), error.code()), (ErrorKind::Verification, code), "{error}");
        }
        scene.evil.repent();
        // Its answer was lost: then it is complete, and shows it.
        scene.evil.answers(routes::COMPLETE, |_, answered| refuse(answered, 500, "internal"));
        upload().await.expect_err("the answer was lost");
        scene.evil.repent();
        scene.evil.forget();
        let uploaded = upload().await.expect("the honest run");
        assert!(scene.evil.seen_of(routes::PUT_PART).is_empty(), "it was there");
        assert!(scene.ops.download(uploaded.file_id).await.unwrap() == std::fs::read(&path).unwrap());
        scene.ends_well().await;
    }

    async fn a88_no_token_follows_an_answer_elsewhere(server: TestServer) {
        let scene = Scene::set(server).await;
        let elsewhere = Adversary::before(&scene.server).await;
        let routes: [Route; 5] =
            [routes::FILE, routes::LOG, routes::LOGIN, routes::SHARE, routes::DOWNLOAD];
        for status in [301, 302, 303, 307, 308] {
            for route in routes {
                let target = elsewhere.url();
                scene.evil.answers(route, move |asked, answered| {
                    answered.status = StatusCode::from_u16(status).unwrap();
                    let target = format!("{target}{}", asked.path);
                    answered.headers.insert(header::LOCATION, target.parse().unwrap());
                    answered.headers.insert("refresh", format!("0; url={target}").parse().unwrap());
                    answered.headers.insert("alt-svc", format!("http/1.1=\"{target}\"").parse().unwrap());
                });
            }
            let error = told(&scene).await;
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
            let login = sdk::anonymous(&scene.evil.url(), &MemoryStore::new());
            let login = login.login(&scene.client.email, sdk::secret(&scene.client.password), None).await;
            assert_eq!(login.err().unwrap().code(), "unexpected_answer");
            assert!(scene.ops.share(scene.file, &scene.client, Terms::default()).await.is_err());
            scene.evil.repent();
        }
        assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
        scene.ends_well().await;
    }

    async fn a88_answers_do_not_swell(server: TestServer) {
        let scene = Scene::set(server).await;
        scene.evil.forget();
        scene.client.download(scene.file).await.unwrap();
        // Nobody asks for packed answers, and what comes packed is not unpacked: no bomb goes off.
        for seen in scene.evil.seen() {
            assert!(!seen.asked.headers.contains_key(header::ACCEPT_ENCODING), "{seen:?}");
        }
        for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip"] {
            scene.evil.answers(routes::FILE, move |_, answered| {
                answered.body = gzip(&answered.body).into();
                answered.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            });
            let error = told(&scene).await;
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{encoding}: {error}");
            scene.evil.repent();
        }
        // Nesting without end, where anything may stand.
        for body in ["[".repeat(5_000_000), format!("{{\"x\":{}", "{\"x\":".repeat(2_000_000))] {
            scene.evil.answers(routes::FILE, move |_, answered| answered.body = body.clone().into());
            assert_eq!(told(&scene).await.code(), "unexpected_answer");
            scene.evil.repent();
        }
        // An error as large as an answer can't be, and one that says everything twice.
        scene.evil.answers(routes::FILE, |_, answered| {
            refuse(answered, 500, "internal");
            answered.say(&problem(500, "internal", &"x".repeat(40_000_000)));
        });
        let error = told(&scene).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
        scene.evil.repent();
        scene.evil.answers(routes::FILE, |_, answered| {
            refuse(answered, 404, "not_found");
            answered.body = br#"{"type":"urn:sealpost:problem:x","title":"No","status":404,"code":"not_found","code":"log_fork"}"#
                .to_vec()
                .into();
        });
        let error = told(&scene).await;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, "unexpected_answer"), "{error}");
        scene.ends_well().await;
    }

    async fn a88_nobody_waits_because_a_server_says_so(server: TestServer) {
        let scene = Scene::set(server).await;
        for (status, code, kind) in
            [(429, "too_many_attempts", ErrorKind::TooManyAttempts), (503, "unavailable", ErrorKind::Server)]
        {
            for wait in ["1000000000", "18446744073709551615", "-1", "Fri, 31 Dec 9999 23:59:59 GMT"] {
                scene.evil.answers(routes::FILE, move |_, answered| {
                    refuse(answered, status, code);
                    answered.headers.insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
                });
                // Whoever obeyed would not come back in this test's life.
                let error = told(&scene).await;
                assert_eq!(error.kind(), kind, "{error}");
                assert!(!error.hint().unwrap_or_default().contains(wait), "{error:?}");
                scene.evil.repent();
            }
        }
        scene.ends_well().await;
    }

    async fn a88_a_code_of_the_servers_is_not_a_finding_of_ours(server: TestServer) {
        let scene = Scene::set(server).await;
        // It would have the sender suspected, or the server itself as if somebody had proved it.
        for code in ["position_unproven", "log_behind", "log_fork", "signer_compromised", "share_cancelled"] {
            scene.evil.answers(routes::FILE, move |_, answered| refuse(answered, 409, code));
            let error = told(&scene).await;
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, code), "{error}");
            assert_eq!(error.proof(), None);
            scene.evil.repent();
        }
        scene.evil.learned_none_of(&[Needle::new("the content", &scene.content[..32])]);
        scene.ends_well().await;
    }
}

/// What a share of a request says.
fn context(share: &Value) -> ShareContext {
    let raw: RawRecord = serde_json::from_value(share["record"].clone()).unwrap();
    record::parse(&raw.claim::<Share>().unwrap().context.0).unwrap()
}

/// An answer to a request for shares, single or many, in which `told` says what became of each.
pub fn results(shares: &Value, told: impl Fn(&mut Value)) -> Value {
    let result = |share: &Value| {
        let context = context(if share["share"].is_object() { &share["share"] } else { share });
        let mut result = json!({ "file_id": context.file_id, "recipient": context.recipient });
        told(&mut result);
        result
    };
    let results: Vec<Value> = shares.as_array().unwrap().iter().map(result).collect();
    json!({ "results": results })
}
