//! Evidence as the people who weigh it meet it: real deliveries, on both databases; checked on a machine that has never
//! seen the server.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use sealpost_crypto::{id::RecordId, record::Signed, records::Checkpoint};
use sealpost_tests::{TestServer, adversary::Adversary, alterations::alterations, on_both_databases};
use serde_json::Value;

use crate::world::{CLIENT, Done, Home, OPS, World, on_both, sealpost, text};

/// Three parts.
const LARGE: u64 = 20_000_000;

/// On a machine without a home folder, a configuration, or a network.
fn verify(arguments: &[&str]) -> Done {
    let mut command = sealpost();
    command.env_remove("HOME").arg("verify-evidence").args(arguments).arg("--json").output().unwrap().into()
}

fn org_id(home: &Home) -> String {
    text(&home.json(&["whoami"]).json(), "org_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_proved_offline() {
    on_both(|world| {
        let client = world.joined("client", CLIENT);
        let content: Vec<u8> =
            (0..LARGE).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        let path = world.file("contract.bin", &content);
        let id = world.deliver(&path, CLIENT);
        client.json(&["download", &id, "-o", &world.path("received")]).ok();
        let org = org_id(&world.ops);
        assert_eq!(org, org_id(&client), "both know the organisation by the same id");

        let bundle = world.path("evidence.json");
        let made = world.ops.json(&["evidence", &id, "--recipient", CLIENT, "-o", &bundle, "--disclose"]);
        assert!(made.stderr.contains("confidential") && made.stderr.contains("warning"), "{made:?}");
        let made = made.json();
        assert_eq!((text(&made, "path"), &made["disclosed"]), (bundle.clone(), &Value::Bool(true)));
        assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);

        let proved = verify(&[&bundle, "--org", &org, "--file", &path]).json();
        assert_eq!(
            (text(&proved, "content"), text(&proved["file"], "name")),
            ("same".into(), "contract.bin".into())
        );
        assert_eq!(text(&proved["sender"], "email"), OPS);
        assert_eq!(text(&proved["deliveries"][0]["recipient"], "email"), CLIENT);
        assert_eq!(text(&proved["deliveries"][0], "proves"), "receipt");

        // Another file, also one that differs in its last byte, or goes on.
        let mut other = content.clone();
        *other.last_mut().unwrap() ^= 1;
        for wrong in [other, content[1..].to_vec(), [&content[..], b"\0"].concat()] {
            let wrong = world.file("wrong.bin", &wrong);
            verify(&[&bundle, "--org", &org, "--file", &wrong]).fails(7, "evidence_content");
        }
        verify(&[&bundle, "--org", &org, "--file", &world.path("missing")]).fails(8, "local_file");
        let foreign = "0".repeat(64);
        verify(&[&bundle, "--org", &foreign, "--file", &path]).fails(7, "foreign_organisation");
        verify(&[&path, "--org", &org]).fails(7, "evidence_format");
        each_member_counts(&world, &bundle, &org);
        says_it_in_words(&bundle, &org);
        nothing_is_written_over(&world, &client, &id, &bundle);
    })
    .await;
}

/// One alteration of each member, the way to exit code 7 through the whole program.
fn each_member_counts(world: &World, bundle: &str, org: &str) {
    let document = fs::read_to_string(bundle).unwrap();
    let mut tried = std::collections::BTreeSet::new();
    for alteration in alterations(&document) {
        let top = alteration.name.split(['.', '[', ':']).nth(1).unwrap_or_default().to_owned();
        if !alteration.name.ends_with("middle character") || !tried.insert(top) {
            continue;
        }
        let altered = world.file("altered.json", alteration.text.as_bytes());
        let done = verify(&[&altered, "--org", org]);
        assert_eq!(done.code, 7, "{}: {done:?}", alteration.name);
        assert!(done.stdout.is_empty(), "{done:?}");
    }
    assert_eq!(tried.len(), 8, "{tried:?}");
}

fn says_it_in_words(bundle: &str, org: &str) {
    let mut command = sealpost();
    let input = fs::File::open(bundle).unwrap();
    command.args(["verify-evidence", "-", "--org", org]).stdin(Stdio::from(input));
    let done = Done::from(command.output().unwrap()).ok();
    let said = done.text();
    for words in
        ["VALID", "every byte of exactly this file arrived", "a person read it", "word of whoever invited"]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

fn nothing_is_written_over(world: &World, client: &Home, id: &str, bundle: &str) {
    let before = fs::read(bundle).unwrap();
    world.ops.json(&["evidence", id, "-o", bundle]).fails(8, "destination_exists");
    assert!(fs::read(bundle).unwrap() == before);
    // The recipient proves the same; without the key no file can be compared.
    let org = org_id(client);
    client.json(&["evidence", id, "-o", bundle, "-f"]).ok();
    let closed = verify(&[bundle, "--org", &org]).json();
    assert!(closed["file"].is_null() && closed["content"].is_null(), "{closed}");
    assert_eq!(text(&closed["deliveries"][0], "proves"), "receipt");
    verify(&[bundle, "--org", &org, "--file", bundle]).fails(2, "evidence_undisclosed");
    let piped = client.run(&["evidence", id, "-o", "-"]).ok();
    assert!(piped.stdout == fs::read(bundle).unwrap(), "the same on standard output");
    client.json(&["evidence", id, "--recipient", "eve@example.com"]).fails(2, "invalid_input");
    client.json(&["evidence", &"0".repeat(32)]).fails(4, "not_found");
    assert!(!Path::new(&format!("evidence-{}.json", "0".repeat(32))).exists());
}

on_both_databases! {
    async fn a_fork_leaves_a_proof(server: TestServer) {
        let evil = Adversary::before(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path(), "ops", &evil.url());
        let token = server.setup_token();
        home.json(&["init", "--setup-token", &token, "--email", OPS, "--org", "Example & Co"]).ok();
        let org = org_id(&home);
        // The server signs another head for a size that this device has seen.
        let key = server.checkpoint_key().await;
        let other = Checkpoint { org_id: org.parse().unwrap(), log_size: 1, log_head: RecordId::random() };
        let other = serde_json::to_value(Signed::sign(other, &key).unwrap().into_raw()).unwrap();
        evil.json(sealpost_api::routes::LOG, move |page| page["checkpoint"] = other.clone());

        let done = home.json(&["ls"]);
        let error = done.fails(7, "log_fork");
        let proof = text(&error, "proof");
        assert_eq!(proof, home.path.join("state/fork-1.json").display().to_string());
        assert!(text(&error, "message").contains(&proof) && text(&error, "hint").contains("verify-evidence"), "{error}");
        assert_eq!(fs::metadata(&proof).unwrap().permissions().mode() & 0o777, 0o600);

        let proven = verify(&[&proof, "--org", &org]).json();
        assert_eq!((&proven["proven"], &proven["size"]), (&Value::Bool(true), &Value::from(1)));
        let document = fs::read_to_string(&proof).unwrap();
        for alteration in alterations(&document).iter().filter(|altered| altered.name.contains("character")) {
            let altered = folder.path().join("altered.json");
            fs::write(&altered, &alteration.text).unwrap();
            let done = verify(&[altered.to_str().unwrap(), "--org", &org]);
            assert_eq!(done.code, 7, "{}: {done:?}", alteration.name);
        }
        // A second time the first proof stays.
        home.json(&["ls"]).fails(7, "log_fork");
        assert_eq!(fs::read_to_string(&proof).unwrap(), document);
        evil.repent();
        home.json(&["ls"]).ok();
    }
}
