//! The server itself, and founding its organisation.

use super::{
    header::ResponseHeader,
    operation::{Group, Operation},
};
use crate::{
    auth::{Found, FounderRegister, RegisterChallenge, ServerInfo, Session},
    limits::MAX_VAULT_BODY,
    problem::ErrorCode::{AlreadyFounded, RecordInvalid, StorageFull},
    routes,
};

pub(super) fn service() -> Group {
    Group {
        name: "Server",
        about: "Open to everybody, without a session, whichever version the client speaks.",
        operations: vec![
            Operation::of(routes::HEALTHZ)
                .gives_other(200, "text/plain", &[], "The process runs: `ok`.")
                .needs_nothing(),
            Operation::of(routes::READYZ)
                .gives_other(200, "text/plain", &[], "It takes requests: `ready`.")
                .fails(&[StorageFull]),
            Operation::of(routes::SERVER)
                .about("Clients ask this first: for the version, and to see how far their clock is from the server's.")
                .gives::<ServerInfo>(200, "About the server."),
            Operation::of(routes::OPENAPI)
                .gives_other(200, "application/json", &[], "This document.")
                .needs_nothing(),
            Operation::of(routes::DOCS)
                .gives_other(
                    200,
                    "text/html",
                    &[ResponseHeader::ContentSecurityPolicy],
                    "This document as a page.",
                )
                .needs_nothing(),
        ],
    }
}

pub(super) fn founding() -> Group {
    Group {
        name: "Founding",
        about: "Once in a server's life (protocol §6), with the setup token that its first start printed.",
        operations: vec![
            Operation::of(routes::ORGANISATION_REGISTER)
                .takes::<FounderRegister>()
                .gives::<RegisterChallenge>(200, "OPAQUE's answer, and the nonce that the credential must sign.")
                .again("Gives another nonce; each is good for one hour.")
                .fails(&[AlreadyFounded]),
            Operation::of(routes::ORGANISATION)
                .about("Stores the log's first entry and the founder's account, and signs the founder in.")
                .takes_up_to::<Found>(MAX_VAULT_BODY)
                .gives::<Session>(200, "The organisation is founded, and its founder signed in.")
                .again("The same genesis with the same registration gives a new session; another one is `already_founded`.")
                .fails(&[AlreadyFounded, RecordInvalid]),
        ],
    }
}
