//! The server's side: it never sees a password, nor anything to replay.

use rand_core_06::OsRng;
use zeroize::Zeroizing;

use super::{
    Identifiers, KE2, LoginFailed, MalformedMessage, REGISTRATION_RECORD, REGISTRATION_RESPONSE,
    SERVER_SETUP,
    ksf::PinnedArgon2id,
    opaque::{self, Suite},
};

/// A server's OPAQUE keys: OPRF seed 64 ‖ private key 32 ‖ public key for fake answers 32. Made once per
/// organisation; without them nobody can log in with a password any more.
pub struct ServerSetup(opaque_ke::ServerSetup<Suite<PinnedArgon2id>>);

impl ServerSetup {
    /// Fresh keys.
    pub fn generate() -> Self {
        Self(opaque_ke::ServerSetup::new(&mut OsRng))
    }

    /// Reads what [`Self::to_bytes`] gave.
    ///
    /// # Errors
    /// [`MalformedMessage`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedMessage> {
        opaque::parse_setup(bytes).map(Self)
    }

    /// For the database.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SERVER_SETUP]> {
        Zeroizing::new(self.0.serialize().into())
    }
}

impl std::fmt::Debug for ServerSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerSetup(secret)")
    }
}

/// A client's registration record of the right form.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationRecord([u8; REGISTRATION_RECORD]);

impl RegistrationRecord {
    /// Reads what a client or the database holds.
    ///
    /// # Errors
    /// [`MalformedMessage`].
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedMessage> {
        let bytes = bytes.try_into().map_err(|_| MalformedMessage)?;
        opaque::parse_record::<PinnedArgon2id>(&bytes)?;
        Ok(Self(bytes))
    }

    /// For the database.
    pub fn as_bytes(&self) -> &[u8; REGISTRATION_RECORD] {
        &self.0
    }
}

impl std::fmt::Debug for RegistrationRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistrationRecord(secret)")
    }
}

/// What the server remembers between the two messages of a login: 60 s, single use, which the caller enforces.
#[derive(Clone)]
pub struct LoginState(Zeroizing<Vec<u8>>);

impl LoginState {
    /// Reads what the database holds.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// For the database.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for LoginState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginState(secret)")
    }
}

/// The server's answer to KE1.
#[derive(Debug)]
pub struct LoginStart {
    /// For the client.
    pub ke2: [u8; KE2],
    /// For [`server_login_finish`].
    pub state: LoginState,
}

/// Answers a registration request; nothing is remembered. `credential_id` is the same at every login.
///
/// # Errors
/// [`MalformedMessage`].
pub fn server_registration(
    setup: &ServerSetup,
    request: &[u8],
    credential_id: &[u8],
) -> Result<[u8; REGISTRATION_RESPONSE], MalformedMessage> {
    opaque::registration_answer(&setup.0, request, credential_id)
}

/// Answers KE1. For an unknown user pass `None`: the answer is a fake that nobody can tell from a real one.
///
/// # Errors
/// [`MalformedMessage`] if KE1 is.
pub fn server_login_start(
    setup: &ServerSetup,
    record: Option<&RegistrationRecord>,
    ke1: &[u8],
    credential_id: &[u8],
    identifiers: &Identifiers,
) -> Result<LoginStart, MalformedMessage> {
    let record = record.map(RegistrationRecord::as_bytes);
    let session = identifiers.session();
    let (ke2, state) = opaque::login_answer(&setup.0, &mut OsRng, record, ke1, credential_id, session)?;
    Ok(LoginStart { ke2, state: LoginState(state) })
}

/// Checks KE3: only a client with the right password can make it.
///
/// # Errors
/// [`LoginFailed`], one for all failures.
pub fn server_login_finish(
    state: LoginState,
    ke3: &[u8],
    identifiers: &Identifiers,
) -> Result<(), LoginFailed> {
    opaque::login_verify::<PinnedArgon2id>(&state.0, ke3, identifiers.session())
}
