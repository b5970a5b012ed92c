//! The server's own TLS, and what people are told when the two sides do not agree on it.

use std::{fs, process::Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::world::{CLIENT, Done, Home, OPS, Server, World, text};

/// An authority, and a server that it vouches for under one name.
struct Secure {
    server: Server,
    ca: String,
    folder: TempDir,
}

impl Secure {
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        fs::write(path("ca.pem"), authority.pem()).unwrap();
        fs::write(path("cert.pem"), certificate.pem()).unwrap();
        fs::write(path("key.pem"), key.serialize_pem()).unwrap();
        let (data, cert, key) = (path("data"), path("cert.pem"), path("key.pem"));
        let server = Server::start(&["--data", &data, "--tls-cert", &cert, "--tls-key", &key]);
        let ca = path("ca.pem");
        Self { server, ca, folder }
    }

    fn home(&self, name: &str) -> Home {
        Home::new(self.folder.path(), name, &self.server.url)
    }
}

#[test]
fn a_server_with_a_certificate_of_an_own_authority() {
    let secure = Secure::start("127.0.0.1");
    assert!(secure.server.url.starts_with("https://"), "{}", secure.server.url);
    let ops = secure.home("ops");
    let trusting = |home: &Home, arguments: &[&str]| -> Done {
        let mut command = home.command(&[arguments, &["--json"]].concat());
        command.env("SEALPOST_CA", &secure.ca).output().unwrap().into()
    };
    let token = secure.server.setup_token.clone().unwrap();
    trusting(&ops, &["init", "--setup-token", &token, "--email", OPS, "--org", "Example & Co"]).ok();
    let invite = trusting(&ops, &["invite", CLIENT]).json();
    let client = secure.home("client");
    trusting(&client, &["join", &text(&invite, "link")]).ok();
    let path = secure.folder.path().join("a");
    fs::write(&path, "over TLS").unwrap();
    let done = trusting(&ops, &["upload", &path.display().to_string(), "--to", CLIENT]).json();
    let id = text(&done["files"][0], "file_id");

    // By the configuration file, relative to it.
    fs::copy(&secure.ca, client.path.join("ca.pem")).unwrap();
    fs::write(client.path.join("config.json"), r#"{"ca": "ca.pem"}"#).unwrap();
    assert_eq!(client.run(&["download", &id, "-o", "-"]).ok().stdout, b"over TLS");

    // Nobody else vouches for it.
    let error = ops.json(&["ls"]).fails(6, "tls");
    assert!(text(&error, "hint").contains("--ca"), "{error}");
    ops.json(&["--ca", &path.display().to_string(), "ls"]).fails(2, "invalid_input");
    ops.json(&["--ca", "/nowhere/ca.pem", "ls"]).fails(8, "local_file");
}

#[test]
fn a_certificate_for_another_name() {
    let secure = Secure::start("files.example.org");
    let error = secure.home("new").json(&["--ca", &secure.ca, "login", "--email", OPS]).fails(6, "tls");
    assert!(text(&error, "message").contains("another name"), "{error}");
}

#[test]
fn http_where_tls_is_spoken_and_the_other_way_round() {
    let world = World::new();
    let https = world.server.url.replace("http:", "https:");
    let error = world.home("new").json(&["--server", &https, "login", "--email", OPS]).fails(6, "tls");
    assert!(text(&error, "message").contains("does not speak TLS"), "{error}");

    let secure = Secure::start("127.0.0.1");
    let http = secure.server.url.replace("https:", "http:");
    let error = secure.home("new").json(&["--server", &http, "login", "--email", OPS]).fails(6, "network");
    assert!(text(&error, "hint").contains("https://"), "{error}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("cert.pem"), "no certificate").unwrap();
    fs::write(path("key.pem"), "no key").unwrap();
    let (data, cert, key) = (path("data"), path("cert.pem"), path("key.pem"));
    let mut serve = crate::world::sealpost();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data", &data, "--tls-cert", &cert, "--tls-key", &key]);
    let done = Done::from(serve.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap());
    assert!(done.code == 8 && done.stderr.contains("cert.pem"), "{done:?}");
}
