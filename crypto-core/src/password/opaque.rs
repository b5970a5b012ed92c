//! OPAQUE-3DH (RFC 9807 §6) in bytes, over any key-stretching function: the RFC's vectors use none.
//!
//! `opaque-ke` reads some messages without minding what follows them, so every length is checked first.

use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialFinalization, CredentialRequest, CredentialResponse,
    Identifiers, RegistrationRequest, RegistrationResponse, RegistrationUpload, Ristretto255, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh, ksf::Ksf, rand,
};
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::{
    KE1, KE2, KE3, LoginFailed, MalformedMessage, REGISTRATION_RECORD, REGISTRATION_REQUEST,
    REGISTRATION_RESPONSE, SERVER_SETUP,
};
use crate::secret::ExportKey;

/// Suite 1 but for the key-stretching function.
pub(super) struct Suite<K>(std::marker::PhantomData<K>);

impl<K: Ksf> CipherSuite for Suite<K> {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, sha2_10::Sha512>;
    type Ksf = K;
}

/// What both sides must agree on beside the password.
#[derive(Clone, Copy, Default)]
pub(super) struct Session<'a> {
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    /// None in our protocol: browsers can't set one.
    pub(super) context: Option<&'a [u8]>,
}

impl<'a> Session<'a> {
    fn identifiers(&self) -> Identifiers<'a> {
        Identifiers { client: self.client, server: self.server }
    }

    fn parameters(&self) -> ServerLoginParameters<'a, 'a> {
        ServerLoginParameters { context: self.context, identifiers: self.identifiers() }
    }
}

/// CreateRegistrationRequest, RFC 9807 §5.2.1.
pub(super) fn registration_start<K: Ksf>(
    rng: &mut (impl RngCore + CryptoRng),
    password: &[u8],
) -> Result<([u8; REGISTRATION_REQUEST], ClientRegistration<Suite<K>>), LoginFailed> {
    let start = ClientRegistration::<Suite<K>>::start(rng, password).map_err(|_| LoginFailed)?;
    Ok((start.message.serialize().into(), start.state))
}

/// CreateRegistrationResponse, RFC 9807 §5.2.2.
pub(super) fn registration_answer<K: Ksf>(
    setup: &ServerSetup<Suite<K>>,
    request: &[u8],
    credential_id: &[u8],
) -> Result<[u8; REGISTRATION_RESPONSE], MalformedMessage> {
    let request = RegistrationRequest::deserialize(exactly::<REGISTRATION_REQUEST>(request)?)
        .map_err(|_| MalformedMessage)?;
    let start = ServerRegistration::start(setup, request, credential_id).map_err(|_| MalformedMessage)?;
    bytes(&start.message.serialize())
}

/// FinalizeRegistrationRequest, RFC 9807 §5.2.3.
pub(super) fn registration_finish<K: Ksf>(
    state: ClientRegistration<Suite<K>>,
    rng: &mut (impl RngCore + CryptoRng),
    password: &[u8],
    response: &[u8],
    session: Session<'_>,
) -> Result<([u8; REGISTRATION_RECORD], ExportKey), LoginFailed> {
    let response = exactly::<REGISTRATION_RESPONSE>(response).map_err(|_| LoginFailed)?;
    let response = RegistrationResponse::deserialize(response).map_err(|_| LoginFailed)?;
    let parameters = ClientRegistrationFinishParameters::new(session.identifiers(), None);
    let mut finish = state.finish(rng, password, response, parameters).map_err(|_| LoginFailed)?;
    let record = bytes(&finish.message.serialize()).map_err(|_| LoginFailed)?;
    Ok((record, take_export_key(finish.export_key.as_mut_slice())?))
}

/// GenerateKE1, RFC 9807 §6.3.1.
pub(super) fn login_start<K: Ksf>(
    rng: &mut (impl RngCore + CryptoRng),
    password: &[u8],
) -> Result<([u8; KE1], ClientLogin<Suite<K>>), LoginFailed> {
    let start = ClientLogin::<Suite<K>>::start(rng, password).map_err(|_| LoginFailed)?;
    Ok((bytes(&start.message.serialize()).map_err(|_| LoginFailed)?, start.state))
}

/// GenerateKE2, RFC 9807 §6.3.2; without a record, the indistinguishable fake answer of §10.9.
pub(super) fn login_answer<K: Ksf>(
    setup: &ServerSetup<Suite<K>>,
    rng: &mut (impl RngCore + CryptoRng),
    record: Option<&[u8; REGISTRATION_RECORD]>,
    ke1: &[u8],
    credential_id: &[u8],
    session: Session<'_>,
) -> Result<([u8; KE2], Zeroizing<Vec<u8>>), MalformedMessage> {
    let ke1 = CredentialRequest::deserialize(exactly::<KE1>(ke1)?).map_err(|_| MalformedMessage)?;
    let record = record.map(|bytes| parse_record::<K>(bytes)).transpose()?;
    let parameters = session.parameters();
    let start = ServerLogin::start(rng, setup, record, ke1, credential_id, parameters)
        .map_err(|_| MalformedMessage)?;
    let state = Zeroizing::new(start.state.serialize().to_vec());
    Ok((bytes(&start.message.serialize())?, state))
}

/// GenerateKE3, RFC 9807 §6.3.3.
pub(super) fn login_finish<K: Ksf>(
    state: ClientLogin<Suite<K>>,
    password: &[u8],
    ke2: &[u8],
    session: Session<'_>,
) -> Result<([u8; KE3], ExportKey), LoginFailed> {
    let ke2 = exactly::<KE2>(ke2).map_err(|_| LoginFailed)?;
    let ke2 = CredentialResponse::deserialize(ke2).map_err(|_| LoginFailed)?;
    let parameters = ClientLoginFinishParameters::new(session.context, session.identifiers(), None);
    let mut rng = rand_core_06::OsRng;
    let mut finish = state.finish(&mut rng, password, ke2, parameters).map_err(|_| LoginFailed)?;
    let ke3 = bytes(&finish.message.serialize()).map_err(|_| LoginFailed)?;
    Ok((ke3, take_export_key(finish.export_key.as_mut_slice())?))
}

/// ServerFinish, RFC 9807 §6.3.4.
pub(super) fn login_verify<K: Ksf>(
    state: &[u8],
    ke3: &[u8],
    session: Session<'_>,
) -> Result<(), LoginFailed> {
    let state = ServerLogin::<Suite<K>>::deserialize(state).map_err(|_| LoginFailed)?;
    let ke3 = exactly::<KE3>(ke3).map_err(|_| LoginFailed)?;
    let ke3 = CredentialFinalization::deserialize(ke3).map_err(|_| LoginFailed)?;
    state.finish(ke3, session.parameters()).map(|_| ()).map_err(|_| LoginFailed)
}

/// Reads a client's registration record.
pub(super) fn parse_record<K: Ksf>(
    record: &[u8; REGISTRATION_RECORD],
) -> Result<ServerRegistration<Suite<K>>, MalformedMessage> {
    let upload = RegistrationUpload::deserialize(record).map_err(|_| MalformedMessage)?;
    Ok(ServerRegistration::finish(upload))
}

/// Reads a server's keys.
pub(super) fn parse_setup<K: Ksf>(setup: &[u8]) -> Result<ServerSetup<Suite<K>>, MalformedMessage> {
    ServerSetup::deserialize(exactly::<SERVER_SETUP>(setup)?).map_err(|_| MalformedMessage)
}

fn exactly<const N: usize>(input: &[u8]) -> Result<&[u8], MalformedMessage> {
    if input.len() == N { Ok(input) } else { Err(MalformedMessage) }
}

fn bytes<const N: usize>(message: &[u8]) -> Result<[u8; N], MalformedMessage> {
    message.try_into().map_err(|_| MalformedMessage)
}

fn take_export_key(key: &mut [u8]) -> Result<ExportKey, LoginFailed> {
    key.try_into().map(ExportKey::take).map_err(|_| LoginFailed)
}
