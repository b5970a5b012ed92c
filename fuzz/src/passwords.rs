//! OPAQUE's messages (protocol §9). Nothing but what an honest partner sent opens anything.

use std::sync::LazyLock;

use sealpost_crypto::{
    id::OrgId,
    password::{
        ClientLogin, ClientRegistration, Identifiers, LoginState, OpaqueInput, Password, RegistrationRecord,
        ServerSetup, server_login_finish, server_login_start, server_registration,
    },
};

use crate::patch::{Input, patch};

/// One account, and the messages of its registration and of one login. The client's half of each stretches the
/// password with 64 MiB, so it runs here once, not for every input.
struct Account {
    setup: ServerSetup,
    names: Identifiers,
    request: Vec<u8>,
    record: RegistrationRecord,
    ke1: Vec<u8>,
    ke3: Vec<u8>,
    state: Vec<u8>,
}

static ACCOUNT: LazyLock<Account> = LazyLock::new(|| {
    let (setup, names) = (ServerSetup::generate(), Identifiers::new("a@example.org", &OrgId::ZERO));
    let (request, client) = ClientRegistration::start(input()).unwrap();
    let response = server_registration(&setup, &request, b"id").unwrap();
    let record = RegistrationRecord::parse(&client.finish(&response, &names).unwrap().record).unwrap();
    let (ke1, client) = ClientLogin::start(input()).unwrap();
    let started = server_login_start(&setup, Some(&record), &ke1, b"id", &names).unwrap();
    let ke3 = client.finish(&started.ke2, &names).unwrap().ke3.to_vec();
    let state = started.state.as_bytes().to_vec();
    Account { setup, names, request: request.to_vec(), record, ke1: ke1.to_vec(), ke3, state }
});

fn input() -> OpaqueInput {
    OpaqueInput::derive(&Password::new("password".to_owned()).unwrap(), None)
}

/// Input: which message, then edits of it.
pub(crate) fn opaque(bytes: &[u8]) {
    let (account, mut input) = (&*ACCOUNT, Input::new(bytes));
    let Account { setup, names, .. } = account;
    match input.byte() % 6 {
        0 => drop(server_registration(setup, &patch(&account.request, &mut input), b"id")),
        1 => {
            let ke1 = patch(&account.ke1, &mut input);
            let real = server_login_start(setup, Some(&account.record), &ke1, b"id", names);
            let fake = server_login_start(setup, None, &ke1, b"nobody", names);
            assert_eq!(real.is_ok(), fake.is_ok(), "an unknown account shows");
        }
        2 => {
            let ke3 = patch(&account.ke3, &mut input);
            let finished = server_login_finish(LoginState::from_bytes(account.state.clone()), &ke3, names);
            assert_eq!(finished.is_ok(), ke3 == account.ke3);
        }
        3 => {
            let state = patch(&account.state, &mut input);
            let _ = server_login_finish(LoginState::from_bytes(state), &account.ke3, names);
        }
        4 => {
            let bytes = patch(account.record.as_bytes(), &mut input);
            if let Ok(record) = RegistrationRecord::parse(&bytes) {
                assert_eq!(&record.as_bytes()[..], &bytes[..]);
                drop(server_login_start(setup, Some(&record), &account.ke1, b"id", names).unwrap());
            }
        }
        _ => drop(ServerSetup::from_bytes(&patch(&setup.to_bytes()[..], &mut input))),
    }
}
