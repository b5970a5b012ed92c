//! The client's side: start gives a message and a state, the state is used up by finish.

use rand_core_06::OsRng;

use super::{
    Identifiers, KE1, KE3, LoginFailed, OpaqueInput, REGISTRATION_RECORD, REGISTRATION_REQUEST,
    ksf::PinnedArgon2id,
    opaque::{self, Suite},
};
use crate::{secret::ExportKey, stack};

/// A registration under way.
pub struct ClientRegistration {
    input: OpaqueInput,
    state: opaque_ke::ClientRegistration<Suite<PinnedArgon2id>>,
}

/// What a registration ends with.
#[derive(Debug)]
pub struct Registration {
    /// For the server; tells nothing about the password without Argon2id per guess.
    pub record: [u8; REGISTRATION_RECORD],
    /// From which the envelope's key derives; stays with the client.
    pub export_key: ExportKey,
}

impl ClientRegistration {
    /// The request for the server, and the state that waits for its response.
    ///
    /// # Errors
    /// [`LoginFailed`], with negligible probability.
    pub fn start(input: OpaqueInput) -> Result<([u8; REGISTRATION_REQUEST], Self), LoginFailed> {
        let (message, state) = stack::wiped(|| opaque::registration_start(&mut OsRng, input.as_bytes()))?;
        Ok((message, Self { input, state }))
    }

    /// Stretches the password (about half a second, 64 MiB) and makes the record.
    ///
    /// # Errors
    /// [`LoginFailed`] if the response is malformed.
    pub fn finish(self, response: &[u8], identifiers: &Identifiers) -> Result<Registration, LoginFailed> {
        let Self { input, state } = self;
        let session = identifiers.session();
        let (record, export_key) = stack::wiped(|| {
            opaque::registration_finish(state, &mut OsRng, input.as_bytes(), response, session)
        })?;
        Ok(Registration { record, export_key })
    }
}

impl std::fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientRegistration(secret)")
    }
}

/// A login under way.
pub struct ClientLogin {
    input: OpaqueInput,
    state: opaque_ke::ClientLogin<Suite<PinnedArgon2id>>,
}

/// What a login ends with, on the client.
#[derive(Debug)]
pub struct Login {
    /// For the server: proves that the password was right.
    pub ke3: [u8; KE3],
    /// The same as at registration; opens the envelope.
    pub export_key: ExportKey,
}

impl ClientLogin {
    /// KE1 for the server, and the state that waits for KE2.
    ///
    /// # Errors
    /// [`LoginFailed`], with negligible probability.
    pub fn start(input: OpaqueInput) -> Result<([u8; KE1], Self), LoginFailed> {
        let (message, state) = stack::wiped(|| opaque::login_start(&mut OsRng, input.as_bytes()))?;
        Ok((message, Self { input, state }))
    }

    /// Stretches the password, proves the server to be the one of the registration, and makes KE3.
    ///
    /// # Errors
    /// [`LoginFailed`], one for all failures; nothing may be sent then that would not be sent otherwise.
    pub fn finish(self, ke2: &[u8], identifiers: &Identifiers) -> Result<Login, LoginFailed> {
        let Self { input, state } = self;
        let session = identifiers.session();
        let (ke3, export_key) = stack::wiped(|| opaque::login_finish(state, input.as_bytes(), ke2, session))?;
        Ok(Login { ke3, export_key })
    }
}

impl std::fmt::Debug for ClientLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientLogin(secret)")
    }
}

impl Identifiers {
    pub(super) fn session(&self) -> opaque::Session<'_> {
        opaque::Session { client: Some(&self.client), server: Some(&self.server), context: None }
    }
}
