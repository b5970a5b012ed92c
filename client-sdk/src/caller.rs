//! Requests in somebody's name: a signed-in account's, whose access token is renewed when needed, or an
//! invitee's.

use std::future::Future;

use bytes::Bytes;
use sealpost_api::token::Token;
use sealpost_crypto::id::Digest;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{ErrorKind, Result},
    server::{Auth, Call, NO_BODY, Server},
    session::Session,
    wire::Turn,
};

#[derive(Clone)]
pub(crate) struct Caller {
    server: Server,
    identity: Identity,
}

#[derive(Clone)]
enum Identity {
    Account(Session),
    Invitee(Token),
}

impl Caller {
    pub(crate) fn account(server: Server, session: Session) -> Self {
        Self { server, identity: Identity::Account(session) }
    }

    pub(crate) fn invitee(server: Server, token: Token) -> Self {
        Self { server, identity: Identity::Invitee(token) }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// `GET` without a query.
    pub(crate) async fn get<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        self.send(|auth| async move { self.server.call(call, &auth, NO_BODY).await }).await
    }

    /// `GET` with a query.
    pub(crate) async fn query<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        query: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.send(|auth| async move { self.server.query(call, &auth, query).await }).await
    }

    /// JSON in, JSON out.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        self.send(|auth| async move { self.server.call(call, &auth, Some(body)).await }).await
    }

    /// JSON in or nothing, nothing out.
    pub(crate) async fn post_empty(
        &self,
        call: Call<'_>,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<()> {
        self.send(|auth| async move { self.server.post_empty(call, &auth, body).await }).await
    }

    /// One part up, in its turn.
    pub(crate) async fn put_part(
        &self,
        call: Call<'_>,
        digest: &Digest,
        bytes: &Bytes,
        turn: &Turn,
    ) -> Result<()> {
        self.send(|auth| async move { self.server.put_part(call, &auth, digest, bytes, turn).await }).await
    }

    /// A range of ciphertext down.
    pub(crate) async fn get_range(&self, call: Call<'_>, start: u64, length: usize) -> Result<Vec<u8>> {
        self.send(|auth| async move { self.server.get_range(call, &auth, start, length).await }).await
    }

    /// Sends with a token that is good now; once more with a new one if the server did not take it.
    async fn send<T, F>(&self, send: impl Fn(Auth) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let session = match &self.identity {
            Identity::Invitee(token) => return send(Auth::Invitee(token.clone())).await,
            Identity::Account(session) => session,
        };
        let token = session.access_token().await?;
        match send(Auth::Bearer(token.clone())).await {
            Err(error) if error.kind() == ErrorKind::NotSignedIn => {
                send(Auth::Bearer(session.replace(&token).await?)).await
            }
            outcome => outcome,
        }
    }
}
