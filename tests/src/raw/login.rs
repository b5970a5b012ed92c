//! Signing in with a password, message by message.

use sealpost_api::{
    auth::{LoginChallenge, LoginFinish, LoginStart},
    routes,
};
use sealpost_crypto::{
    encoding::Base64,
    id::OrgId,
    password::{ClientLogin, Identifiers, OpaqueInput, Password},
};

use crate::http::{Answer, Api};

/// A sign-in between its two messages.
pub struct SignIn {
    api: Api,
    email: String,
    state: ClientLogin,
    /// The server's answer to KE1.
    pub answer: Answer,
}

impl SignIn {
    /// Sends KE1.
    pub async fn start(api: &Api, email: &str, password: &str) -> Self {
        let input = OpaqueInput::derive(&Password::new(password.to_owned()).unwrap(), None);
        let (ke1, state) = ClientLogin::start(input).unwrap();
        let request = LoginStart { email: email.to_owned(), ke1: Base64(ke1.to_vec()) };
        let answer = api.call(&routes::LOGIN, &[], &request).await;
        Self { api: api.clone(), email: email.to_owned(), state, answer }
    }

    /// Makes KE3, or random bytes in its place when the server's answer does not fit the password.
    pub fn finish(self, org_id: &OrgId) -> LoginFinish {
        let challenge: LoginChallenge = self.answer.json();
        let finished = self.state.finish(&challenge.ke2.0, &Identifiers::new(&self.email, org_id));
        let ke3 = finished.map_or_else(|_| super::random_bytes(64), |login| login.ke3.to_vec());
        LoginFinish { login_id: challenge.login_id, ke3: Base64(ke3) }
    }

    /// Both messages.
    pub async fn run(api: &Api, email: &str, password: &str, org_id: &OrgId) -> Answer {
        let sign_in = Self::start(api, email, password).await;
        if !sign_in.answer.status.is_success() {
            return sign_in.answer;
        }
        let api = sign_in.api.clone();
        let request = sign_in.finish(org_id);
        api.call(&routes::LOGIN_FINISH, &[], &request).await
    }
}
