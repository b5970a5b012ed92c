//! Founding an organisation (protocol §6): checkpoint key → genesis → bundle → password → kit confirmed → one
//! idempotent transaction.

use sealpost_api::{
    auth::{Found, FounderRegister, RegisterChallenge, Session as NewSession},
    routes,
    token::Token,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::{Digest, UserId},
    log::{Founding, FoundingError, Log},
    opening::Opening,
    password::Password,
    secret::{AccountKey, AccountSeed},
};

use crate::{
    anonymous::Anonymous,
    credential::Holder,
    error::{Error, ErrorKind, Result},
    new_account::{NewAccount, Pending},
    server::{Auth, Call},
};

/// What a founder says.
pub struct FoundOrganisation {
    /// Printed by the server's first start.
    pub setup_token: Token,
    /// The founder's address.
    pub email: EmailAddress,
    /// The founder's name, shown to everybody in the organisation; may be empty.
    pub name: String,
    /// The organisation's name, shown to everybody invited.
    pub organisation: String,
    /// The founder's password.
    pub password: Password,
}

impl Anonymous {
    /// Prepares an organisation and its first Ops member. Nothing is registered until the kit was confirmed
    /// and [`NewAccount::complete`] is called.
    pub async fn found(self, request: FoundOrganisation) -> Result<NewAccount> {
        self.device.check_unclaimed_or(request.email.as_str(), self.server.url())?;
        let info = self.info().await?;
        if info.org_id.is_some() {
            let message = "this server keeps an organisation already";
            return Err(Error::new(ErrorKind::Conflict, "already_founded", message)
                .with_hint("Ask one of its Ops members for an invite, then run `sealpost join CODE`."));
        }
        let opening = Opening {
            user_id: UserId::random(),
            salt: Digest::random(),
            email: request.email.clone(),
            name: request.name,
        };
        let founding = Founding {
            user_id: opening.user_id,
            subject: opening.subject()?,
            name: request.organisation,
            checkpoint_key: info.checkpoint_key,
            nonce: Digest::random(),
        };
        let seed = AccountSeed::random();
        let (log, account) = Log::create(&seed, founding).map_err(unusable_name)?;
        let holder = Holder { email: request.email, seed, account, account_key: Some(AccountKey::random()) };
        let (message, state) = holder.start(&request.password)?;
        let start = FounderRegister {
            setup_token: request.setup_token.clone(),
            org_id: log.org_id(),
            email: holder.email.as_str().to_owned(),
            request: message,
        };
        let challenge: RegisterChallenge = self
            .server
            .call(Call::new(routes::ORGANISATION_REGISTER, &[]), &Auth::Nobody, Some(&start))
            .await?;
        let registration = holder.register(state, challenge, &log).await?;
        let genesis = log
            .entries(0)
            .next()
            .map(|entry| entry.record)
            .ok_or_else(|| Error::internal("the new organisation's log is empty"))?;
        let found = Found { setup_token: request.setup_token, genesis, opening, registration };
        Ok(NewAccount { anonymous: self, holder, pending: Pending::Founder(Box::new(found)) })
    }

    pub(crate) async fn send_founding(&self, found: &Found) -> Result<NewSession> {
        self.server.call(Call::new(routes::ORGANISATION, &[]), &Auth::Nobody, Some(found)).await
    }
}

/// A name is the founder's own input; everything else in a genesis comes from the server or from this device.
fn unusable_name(failure: FoundingError) -> Error {
    match failure {
        FoundingError::Name => {
            Error::invalid(failure.to_string()).with_hint("Choose another name for the organisation.")
        }
        other => other.into(),
    }
}
