//! A new key for the server to sign checkpoints with (protocol §5.1, `service`).

use sealpost_api::{auth::ServerInfo, routes};
use sealpost_crypto::{log::Log, sign::SigningPublicKey, words};

use crate::{
    error::{Error, ErrorKind, Result},
    server::{Auth, Call, NO_BODY},
    signed_in::SignedIn,
};

/// A key that the server offers to sign checkpoints with from some day on. Whether it is the server's, only its console
/// can tell: the words there must be the same.
#[must_use = "nothing changes before `accept`"]
pub struct ServiceKey {
    me: SignedIn,
    key: SigningPublicKey,
    words: [&'static str; words::COUNT],
}

impl SignedIn {
    /// The key that the server offers.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] (`no_service_key`) if it offers none.
    pub async fn service_key(&self) -> Result<ServiceKey> {
        let inner = &self.inner;
        let org_id = inner.ops_log().await?.org_id();
        let call = Call::new(routes::SERVER, &[]);
        let info: ServerInfo = inner.caller.server().call(call, &Auth::Nobody, NO_BODY).await?;
        let key = info.next_checkpoint_key.ok_or_else(nothing_offered)?;
        if !key.is_valid() {
            return Err(Error::verification("checkpoint_key_invalid", "the offered key is not valid"));
        }
        let words = words::service_words(org_id, &key);
        Ok(ServiceKey { me: self.clone(), key, words })
    }
}

impl ServiceKey {
    /// What the server's console shows too; BIP39's English list.
    pub fn words(&self) -> &[&'static str; words::COUNT] {
        &self.words
    }

    /// Signs that from here on the log's checkpoints are to be signed with this key. The words were the same.
    pub async fn accept(self) -> Result<()> {
        let Self { me, key, .. } = self;
        let inner = &me.inner;
        let entry = |log: &Log| {
            if log.checkpoint_key_at(log.size()) == Some(&key) {
                return Ok(None);
            }
            Ok(Some(log.ops_signer(&inner.account)?.service(key.clone())?.into_raw()))
        };
        inner.append_entry(entry).await
    }
}

fn nothing_offered() -> Error {
    Error::new(ErrorKind::NotFound, "no_service_key", "the server offers no new key for checkpoints")
        .with_hint("Its operator makes one: `sealpost serve --new-checkpoint-key`.")
}
