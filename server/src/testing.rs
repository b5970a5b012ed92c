//! A server in memory for tests: the real router over a database of the test's own, and people with real keys.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use sealpost_api::{INVITE_SCHEME, auth::Tokens, problem::Problem, routes::Route, token::Token};
use sealpost_crypto::{encoding::to_base64, secret::InviteToken};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

use crate::{
    blob,
    clock::Clock,
    db::Db,
    keys::ServerKeys,
    routes,
    setup::{self, DataFolder},
    state::AppState,
};

mod people;

pub(crate) use people::{Inviting, PASSWORD, Person, input, opening};

/// Makes a test on SQLite and one on Postgres of each `async fn name(house: House) { … }`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($house:ident: House) $body:block)*) => { $(
        mod $name {
            use super::*;

            async fn body($house: House) $body

            #[tokio::test]
            $(#[$meta])*
            async fn sqlite() {
                body(House::sqlite().await).await;
            }

            #[tokio::test]
            $(#[$meta])*
            async fn postgres() {
                body(House::postgres().await).await;
            }
        }
    )* };
}
pub(crate) use on_both;

/// A server, its clock, and its folder.
pub(crate) struct House {
    pub(crate) state: AppState,
    pub(crate) clock: Clock,
    pub(crate) setup_token: Token,
    folder: Arc<tempfile::TempDir>,
    router: Router,
}

/// What a request shows.
pub(crate) enum Auth<'a> {
    /// Nothing.
    Nobody,
    /// An access token.
    Bearer(&'a Tokens),
    /// An invite's token.
    Invitee(&'a InviteToken),
}

/// A response, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl House {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::sqlite(&folder.path().join("test.sqlite")).await.unwrap();
        Self::over(db, folder).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::over(crate::db::tests::postgres().await, tempfile::tempdir().unwrap()).await
    }

    async fn over(db: Db, folder: tempfile::TempDir) -> Self {
        let Ok(data) = DataFolder::open(&folder.path().join("data")) else { panic!("no data folder") };
        let secrets = setup::secrets(&db).await.unwrap();
        let Ok(Some(setup_token)) = setup::setup_token(&db, &data).await else { panic!("no setup token") };
        let clock = Clock::default();
        let blobs = Arc::new(blob::Database::open(db.clone()).await.unwrap());
        let state =
            AppState::new(db, blobs, clock.clone(), ServerKeys::new(secrets), data.setup_token_path());
        Self { router: routes::router(state.clone()), state, clock, setup_token, folder: Arc::new(folder) }
    }

    /// The same database and folder under a new process, as far as memory goes.
    pub(crate) async fn second(&self) -> Self {
        let shared = &self.state;
        let keys = ServerKeys::new(setup::secrets(&shared.db).await.unwrap());
        let state = AppState::new(
            shared.db.clone(),
            shared.blobs.clone(),
            self.clock.clone(),
            keys,
            shared.setup_token.clone(),
        );
        Self {
            router: routes::router(state.clone()),
            state,
            clock: self.clock.clone(),
            setup_token: self.setup_token.clone(),
            folder: self.folder.clone(),
        }
    }

    /// Where the setup token lies until founding.
    pub(crate) fn setup_token_path(&self) -> &Path {
        &self.state.setup_token
    }

    /// Calls a route with a JSON body.
    pub(crate) async fn call(
        &self,
        route: Route,
        ids: &[&dyn std::fmt::Display],
        auth: Auth<'_>,
        body: &impl Serialize,
    ) -> Answer {
        let request = request(route, ids, auth).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(serde_json::to_vec(body).unwrap())).unwrap()).await
    }

    /// Calls a route without a body; `query` begins with `?` or is empty.
    pub(crate) async fn get(
        &self,
        route: Route,
        ids: &[&dyn std::fmt::Display],
        query: &str,
        auth: Auth<'_>,
    ) -> Answer {
        let mut request = request(route, ids, auth).body(Body::empty()).unwrap();
        *request.uri_mut() = format!("{}{query}", request.uri()).parse().unwrap();
        self.send(request).await
    }

    /// Any request at all.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

fn request(route: Route, ids: &[&dyn std::fmt::Display], auth: Auth<'_>) -> axum::http::request::Builder {
    let request = Request::builder().method(route.method).uri(route.fill(ids));
    match auth {
        Auth::Nobody => request,
        Auth::Bearer(tokens) => {
            request.header(header::AUTHORIZATION, format!("Bearer {}", tokens.access_token.expose()))
        }
        Auth::Invitee(token) => {
            request.header(header::AUTHORIZATION, format!("{INVITE_SCHEME} {}", to_base64(token.expose())))
        }
    }
}

impl Answer {
    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts a success.
    #[track_caller]
    pub(crate) fn ok(&self) {
        assert!(self.status.is_success(), "{}: {}", self.status, String::from_utf8_lossy(&self.body));
    }

    /// Asserts a well-formed problem of this status and code.
    #[track_caller]
    pub(crate) fn fails(&self, status: u16, code: &str) -> Problem {
        let text = String::from_utf8_lossy(&self.body);
        let problem: Problem = serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!((self.status.as_u16(), problem.code.as_str()), (status, code), "{text}");
        assert_eq!(problem.status, status);
        problem
    }
}
