//! Login: the right password opens, nothing else does, and the server can't tell why.

use opaque_ke::ksf::{Identity, Ksf};
use rand_core_06::{CryptoRng, RngCore};

use super::{ksf::PinnedArgon2id, opaque::Session, *};

fn password(text: &str) -> Password {
    Password::new(text.to_owned()).unwrap()
}

fn input(text: &str) -> OpaqueInput {
    OpaqueInput::derive(&password(text), None)
}

fn names() -> Identifiers {
    Identifiers::new("carol@example.org", &OrgId::new([1; 32]))
}

fn register(setup: &ServerSetup, input: OpaqueInput) -> (RegistrationRecord, ExportKey) {
    let (request, client) = ClientRegistration::start(input).unwrap();
    let response = server_registration(setup, &request, b"carol").unwrap();
    let registration = client.finish(&response, &names()).unwrap();
    (RegistrationRecord::parse(&registration.record).unwrap(), registration.export_key)
}

/// A whole login; the client's outcome, and the server's verdict on what the client sends.
fn login(
    setup: &ServerSetup,
    record: Option<&RegistrationRecord>,
    input: OpaqueInput,
    client_names: &Identifiers,
) -> (Result<ExportKey, LoginFailed>, Result<(), LoginFailed>) {
    let (ke1, client) = ClientLogin::start(input).unwrap();
    let start = server_login_start(setup, record, &ke1, b"carol", &names()).unwrap();
    match client.finish(&start.ke2, client_names) {
        Ok(login) => (Ok(login.export_key), server_login_finish(start.state, &login.ke3, &names())),
        Err(error) => (Err(error), server_login_finish(start.state, &[0; KE3], &names())),
    }
}

#[test]
fn only_the_right_password_and_names_log_in() {
    let setup = ServerSetup::from_bytes(&ServerSetup::generate().to_bytes()[..]).unwrap();
    let (record, export_key) = register(&setup, input("correct horse"));
    assert_eq!(login(&setup, Some(&record), input("correct horse"), &names()), (Ok(export_key), Ok(())));

    let failed = (Err(LoginFailed), Err(LoginFailed));
    assert_eq!(login(&setup, Some(&record), input("correct house"), &names()), failed);
    assert_eq!(login(&setup, None, input("correct horse"), &names()), failed);
    let other = Identifiers::new("carol@example.org", &OrgId::new([2; 32]));
    assert_eq!(login(&setup, Some(&record), input("correct horse"), &other), failed);
    let other = Identifiers::new("carl@example.org", &OrgId::new([1; 32]));
    assert_eq!(login(&setup, Some(&record), input("correct horse"), &other), failed);
    assert_eq!(login(&ServerSetup::generate(), Some(&record), input("correct horse"), &names()), failed);
}

#[test]
fn messages_of_another_length_are_refused() {
    let setup = ServerSetup::generate();
    let (request, client) = ClientRegistration::start(input("pw")).unwrap();
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    assert_eq!(server_registration(&setup, &longer(&request), b"c"), Err(MalformedMessage));
    assert_eq!(server_registration(&setup, &request[1..], b"c"), Err(MalformedMessage));
    let response = server_registration(&setup, &request, b"c").unwrap();
    assert_eq!(client.finish(&longer(&response), &names()).unwrap_err(), LoginFailed);
    let (ke1, client) = ClientLogin::start(input("pw")).unwrap();
    assert!(server_login_start(&setup, None, &longer(&ke1), b"c", &names()).is_err());
    let start = server_login_start(&setup, None, &ke1, b"c", &names()).unwrap();
    assert_eq!(client.finish(&longer(&start.ke2), &names()).unwrap_err(), LoginFailed);
    assert_eq!(server_login_finish(start.state.clone(), &[0; KE3 + 1], &names()), Err(LoginFailed));
    assert_eq!(server_login_finish(LoginState::from_bytes(vec![]), &[0; KE3], &names()), Err(LoginFailed));
    assert!(RegistrationRecord::parse(&[0; REGISTRATION_RECORD + 1]).is_err());
    assert!(RegistrationRecord::parse(&[0; REGISTRATION_RECORD]).is_err());
    assert!(ServerSetup::from_bytes(&longer(&setup.to_bytes()[..])).is_err());
}

#[test]
fn the_password_is_bound_to_the_account_key_and_normalised() {
    let key = AccountKey::take(&mut [0; 16]);
    // A key of zeros is not the absence of one: the flag tells them apart.
    assert_ne!(OpaqueInput::derive(&password("pw"), Some(&key)).0, input("pw").0);
    assert_ne!(
        OpaqueInput::derive(&password("pw"), Some(&key)).0,
        OpaqueInput::derive(&password("pw"), Some(&AccountKey::take(&mut [1; 16]))).0
    );
    // NFKC: ligature, full-width letter, combining accent.
    assert_eq!(input("\u{fb01}\u{ff41}e\u{301}").0, input("fiaé").0);
    assert_ne!(input("Pw").0, input("pw").0);

    let mut mac = hmac(&[0; 16]);
    mac.update(b"sealpost/v1/password\0\0pw");
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(input("pw").as_bytes(), expected.as_bytes());
}

#[test]
fn passwords_are_limited_at_the_limit_and_one_past_it() {
    assert!(Password::new("p".repeat(MAX_PASSWORD)).is_ok());
    assert_eq!(Password::new("p".repeat(MAX_PASSWORD + 1)).unwrap_err(), PasswordError::TooLong);
    assert_eq!(Password::new(String::new()).unwrap_err(), PasswordError::Empty);
    // NFKC of this one character is eighteen.
    assert_eq!(password("\u{fdfa}").normalised().chars().count(), 18);
}

#[test]
fn secrets_are_not_shown() {
    let (_, client) = ClientLogin::start(input("hunter2")).unwrap();
    let shown =
        format!("{:?} {:?} {:?} {client:?}", password("hunter2"), input("hunter2"), ServerSetup::generate());
    assert_eq!(shown, "Password(secret) OpaqueInput(secret) ServerSetup(secret) ClientLogin(secret)");
}

#[test]
fn stretching_is_argon2id_with_the_pinned_cost() {
    // The expected outputs come from OpenSSL's Argon2id, another implementation of RFC 9106.
    for vector in Vector::all("ksf") {
        let mut input = opaque_ke::generic_array::GenericArray::from([0; 64]);
        input.copy_from_slice(&vector.get("input"));
        assert_eq!(hex(&PinnedArgon2id.hash(input).unwrap()), vector.text("output"));
    }
}

/// Known randomness, in the order in which it is asked for.
struct Known(Vec<u8>);

impl RngCore for Known {
    fn next_u32(&mut self) -> u32 {
        unreachable!("only bytes are asked for")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("only bytes are asked for")
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        let length = out.len().min(self.0.len());
        out[..length].copy_from_slice(&self.0[..length]);
        self.0.rotate_left(length);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Known {}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One vector of RFC 9807, appendix C.
struct Vector(serde_json::Value);

impl Vector {
    fn all(kind: &str) -> Vec<Self> {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../docs/vectors/opaque.json")).unwrap();
        let vectors = file[kind].as_array().unwrap();
        assert!(!vectors.is_empty());
        vectors.iter().cloned().map(Self).collect()
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    fn get(&self, field: &str) -> Vec<u8> {
        self.find(field).unwrap_or_else(|| panic!("no field {field}"))
    }

    fn find(&self, field: &str) -> Option<Vec<u8>> {
        let text = self.0[field].as_str()?;
        Some(
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect(),
        )
    }

    /// A scalar is drawn as 64 bytes and reduced, so zeros after the first field make it exactly that field.
    fn rng(&self, fields: &[&str], zeros_after_first: usize) -> Known {
        let mut bytes = self.get(fields[0]);
        bytes.resize(bytes.len() + zeros_after_first, 0);
        bytes.extend(fields[1..].iter().flat_map(|field| self.get(field)));
        Known(bytes)
    }
}

#[test]
fn rfc_9807_real_vectors() {
    for vector in Vector::all("rfc9807_real") {
        let (client, server) = (vector.find("client_identity"), vector.find("server_identity"));
        let context = vector.get("context");
        let session =
            Session { client: client.as_deref(), server: server.as_deref(), context: Some(&context) };
        let password = vector.get("password");
        let keys = ["oprf_seed", "server_private_key", "server_public_key"].map(|field| vector.get(field));
        let setup = opaque::parse_setup::<Identity>(&keys.concat()).unwrap();
        let credential_id = vector.get("credential_identifier");

        let mut rng = vector.rng(&["blind_registration"], 32);
        let (request, state) = opaque::registration_start::<Identity>(&mut rng, &password).unwrap();
        assert_eq!(hex(&request), vector.text("registration_request"));
        let response = opaque::registration_answer(&setup, &request, &credential_id).unwrap();
        assert_eq!(hex(&response), vector.text("registration_response"));
        let mut rng = vector.rng(&["envelope_nonce"], 0);
        let (record, export_key) =
            opaque::registration_finish(state, &mut rng, &password, &response, session).unwrap();
        assert_eq!(hex(&record), vector.text("registration_upload"));
        assert_eq!(hex(export_key.expose()), vector.text("export_key"));

        let mut rng = vector.rng(&["blind_login", "client_keyshare_seed", "client_nonce"], 32);
        let (ke1, state) = opaque::login_start::<Identity>(&mut rng, &password).unwrap();
        assert_eq!(hex(&ke1), vector.text("ke1"));
        // Randomness for a fake record comes first, and is thrown away when there is a real one.
        let mut bytes = vec![0; 64];
        bytes.extend(
            ["masking_nonce", "server_keyshare_seed", "server_nonce"].iter().flat_map(|f| vector.get(f)),
        );
        let (ke2, server_state) =
            opaque::login_answer(&setup, &mut Known(bytes), Some(&record), &ke1, &credential_id, session)
                .unwrap();
        assert_eq!(hex(&ke2), vector.text("ke2"));
        let (ke3, export_key) = opaque::login_finish(state, &password, &ke2, session).unwrap();
        assert_eq!(hex(&ke3), vector.text("ke3"));
        assert_eq!(hex(export_key.expose()), vector.text("export_key"));
        assert_eq!(opaque::login_verify::<Identity>(&server_state, &ke3, session), Ok(()));
    }
}

#[test]
fn rfc_9807_fake_vectors() {
    for vector in Vector::all("rfc9807_fake") {
        let (client, server) = (vector.find("client_identity"), vector.find("server_identity"));
        let context = vector.get("context");
        let session =
            Session { client: client.as_deref(), server: server.as_deref(), context: Some(&context) };
        let keys = ["oprf_seed", "server_private_key", "client_public_key"].map(|field| vector.get(field));
        let setup = opaque::parse_setup::<Identity>(&keys.concat()).unwrap();
        let fields = ["masking_key", "masking_nonce", "server_keyshare_seed", "server_nonce"];
        let mut rng = vector.rng(&fields, 0);
        let (ke1, credential_id) = (vector.get("ke1"), vector.get("credential_identifier"));
        let (ke2, _) = opaque::login_answer(&setup, &mut rng, None, &ke1, &credential_id, session).unwrap();
        assert_eq!(hex(&ke2), vector.text("ke2"));
    }
}

#[test]
fn derivations_match_their_vectors() {
    for vector in Vector::all("input") {
        let key = vector.find("account_key").map(|bytes| AccountKey::from_slice(&bytes).unwrap());
        let input = OpaqueInput::derive(&password(vector.text("password_text")), key.as_ref());
        assert_eq!(String::from_utf8(input.as_bytes().to_vec()).unwrap(), vector.text("input"));
    }
    for vector in Vector::all("envelope_key") {
        let export_key = ExportKey::from_slice(&vector.get("export_key")).unwrap();
        let user_id = UserId::from_slice(&vector.get("user_id")).unwrap();
        assert_eq!(hex(envelope_key(&export_key, &user_id).expose()), vector.text("key"));
    }
}

#[test]
fn any_changed_byte_of_any_message_is_refused() {
    let setup = opaque::parse_setup::<Identity>(&ServerSetup::generate().to_bytes()[..]).unwrap();
    let session = Session { client: Some(b"carol"), server: Some(b"server"), context: None };
    let mut rng = rand_core_06::OsRng;
    let (request, state) = opaque::registration_start::<Identity>(&mut rng, b"pw").unwrap();
    let response = opaque::registration_answer(&setup, &request, b"id").unwrap();
    let (record, _) = opaque::registration_finish(state, &mut rng, b"pw", &response, session).unwrap();
    let (ke1, state) = opaque::login_start::<Identity>(&mut rng, b"pw").unwrap();
    let (ke2, server) = opaque::login_answer(&setup, &mut rng, Some(&record), &ke1, b"id", session).unwrap();
    for at in 0..KE2 {
        let mut changed = ke2;
        changed[at] ^= 1;
        assert!(opaque::login_finish(state.clone(), b"pw", &changed, session).is_err(), "KE2 byte {at}");
    }
    let (ke3, _) = opaque::login_finish(state, b"pw", &ke2, session).unwrap();
    for at in 0..KE3 {
        let mut changed = ke3;
        changed[at] ^= 1;
        assert!(opaque::login_verify::<Identity>(&server, &changed, session).is_err(), "KE3 byte {at}");
    }
    assert!(opaque::login_verify::<Identity>(&server, &ke3, session).is_ok());
}
