//! Why a request got no answer, in words that tell a person what to do.

use std::{error::Error as StdError, io};

use rustls::{CertificateError, Error as TlsError};

use crate::{
    error::{Error, ErrorKind},
    server_url::ServerUrl,
};

/// Code of errors that trying again does not mend: the two sides can't agree on a secure connection.
pub(crate) const TLS_FAILED: &str = "tls";

/// What `error` means to somebody who asked `server` for something.
pub(crate) fn unreachable(server: &ServerUrl, error: &reqwest::Error) -> Error {
    if let Some(cause) = causes(error).find_map(tls_error) {
        return tls_failed(server, cause);
    }
    if error.is_connect() {
        let message = format!("can't connect to {server}: {}", root_cause(error));
        return Error::new(ErrorKind::Network, "connect", message)
            .with_hint("Check the address and the network, and that the server is running.");
    }
    let message = format!("the connection to {server} broke: {}", root_cause(error));
    let hint = if server.is_https() {
        "Run the same command again."
    } else {
        "Run the same command again. If the server speaks TLS, its address begins with https://."
    };
    Error::new(ErrorKind::Network, "network", message).with_hint(hint)
}

/// The innermost error, which is the one that tells a person something; without the URL.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&cause| cause.source())
}

/// IO errors do not name what they wrap as their source, and wrap one another.
fn tls_error<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a TlsError> {
    match cause.downcast_ref::<TlsError>() {
        Some(error) => Some(error),
        None => tls_error(cause.downcast_ref::<io::Error>()?.get_ref()?),
    }
}

fn tls_failed(server: &ServerUrl, cause: &TlsError) -> Error {
    let (what, hint) = match cause {
        TlsError::InvalidMessage(_) => (
            "it does not speak TLS".to_owned(),
            "Check address and port. A server without TLS is reached as http:// from its own machine only.",
        ),
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "its certificate comes from no authority that this device trusts".to_owned(),
            "If your organisation has an authority of its own, name its certificate with --ca FILE. If not, somebody may stand in between: do not go on.",
        ),
        TlsError::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => (
            "its certificate is not valid at this time".to_owned(),
            "Check this device's clock; else tell whoever runs the server that its certificate has run out.",
        ),
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another name".to_owned(),
            "Check the address. If it is right, somebody may stand in between: do not go on.",
        ),
        other => (
            format!("no secure connection: {other}"),
            "Check the address, and what stands between this device and the server.",
        ),
    };
    Error::new(ErrorKind::Network, TLS_FAILED, format!("can't connect to {server}: {what}")).with_hint(hint)
}
