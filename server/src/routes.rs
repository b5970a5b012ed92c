//! The whole interface on one page. Paths and methods come from the route table that clients use too.

use axum::{
    Router,
    handler::Handler,
    middleware,
    routing::{MethodFilter, on},
};
use sealpost_api::{
    problem::ErrorCode,
    routes::{self, Route},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{lingering::linger, observe, problem::ApiError, state::AppState};

mod account;
mod auth;
mod batch;
mod complete;
mod credential;
mod delete;
mod docs;
mod download;
mod file;
mod health;
mod invite;
mod key_login;
mod log;
mod member;
mod organisation;
mod pair;
mod part;
mod receipt;
mod rekey;
mod rotate;
mod share;
mod version;
mod withdraw;

/// Everything the server answers.
pub(crate) fn router(state: AppState) -> Router {
    mounted()
        .router
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || {
            ApiError::new(ErrorCode::MethodNotAllowed, "This path does not take this method.")
        })
        .layer(middleware::from_fn(observe::check_version))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(middleware::map_request(linger))
        .layer(middleware::from_fn(observe::observe))
        .with_state(state)
}

fn mounted() -> Mount {
    let mut mount = Mount::default();
    service(&mut mount);
    people(&mut mount);
    files(&mut mount);
    mount
}

fn service(mount: &mut Mount) {
    mount.at(routes::HEALTHZ, health::alive);
    mount.at(routes::READYZ, health::ready);
    mount.at(routes::SERVER, health::server);
    mount.at(routes::OPENAPI, docs::openapi);
    mount.at(routes::DOCS, docs::page);
}

fn people(mount: &mut Mount) {
    mount.at(routes::ORGANISATION_REGISTER, organisation::register);
    mount.at(routes::ORGANISATION, organisation::found);

    mount.at(routes::LOGIN, auth::login);
    mount.at(routes::LOGIN_FINISH, auth::finish);
    mount.at(routes::KEY_CHALLENGE, key_login::challenge);
    mount.at(routes::KEY_LOGIN, key_login::login);
    mount.at(routes::REFRESH, auth::refresh);
    mount.at(routes::LOGOUT, auth::logout);

    mount.at(routes::ACCOUNT, account::account);
    mount.at(routes::CREDENTIAL_CHALLENGE, credential::challenge);
    mount.at(routes::PUT_CREDENTIAL, credential::change);
    mount.at(routes::ROTATE, rotate::rotate);
    mount.at(routes::VAULT, account::vault);
    mount.at(routes::PUT_VAULT, account::put_vault);
    mount.at(routes::MEMBERS, account::members);

    mount.at(routes::MEMBER, member::summary);
    mount.at(routes::LEFT_FILES, member::left_files);

    mount.at(routes::LOG, log::page);
    mount.at(routes::APPEND_LOG, log::append);
    mount.at(routes::LOG_SEEN, log::seen);

    mount.at(routes::CREATE_INVITE, invite::create);
    mount.at(routes::INVITES, invite::list);
    mount.at(routes::INVITE, invite::show);
    mount.at(routes::INVITE_REGISTER, invite::register);
    mount.at(routes::INVITE_ACCEPT, invite::accept);
}

fn files(mount: &mut Mount) {
    mount.at(routes::CREATE_FILE, file::create);
    mount.at(routes::CREATE_FILES, batch::create);
    mount.at(routes::FILES, file::own);
    mount.at(routes::FILES_SHARED, file::shared);
    mount.at(routes::FILE, file::one);
    mount.at(routes::DELETE_FILE, delete::delete);
    mount.at(routes::PUT_PART, part::put);
    mount.at(routes::PARTS, part::digests);
    mount.at(routes::COMPLETE, complete::complete);
    mount.at(routes::REKEY, rekey::rekey);
    mount.at(routes::CANCEL_VERSION, version::cancel);
    mount.at(routes::MANIFESTS, version::manifests);
    mount.at(routes::DOWNLOAD, download::download);
    mount.at(routes::SHARE, share::share);
    mount.at(routes::SHARE_FILES, share::share_many);
    mount.at(routes::SHARES, share::shares);
    mount.at(routes::UNSHARE, share::unshare);
    mount.at(routes::WITHDRAW, withdraw::withdraw);
    mount.at(routes::POST_RECEIPT, receipt::post);
    mount.at(routes::RECEIPTS, receipt::list);
    mount.at(routes::PAIR, pair::records);
}

/// A router under construction, and what it has.
#[derive(Default)]
struct Mount {
    router: Router<AppState>,
    #[cfg(test)]
    mounted: Vec<Route>,
}

impl Mount {
    fn at<H, T>(&mut self, route: Route, handler: H)
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        let filter = match route.method {
            "GET" => MethodFilter::GET,
            "PUT" => MethodFilter::PUT,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::POST,
        };
        self.router = std::mem::take(&mut self.router).route(route.path, on(filter, handler));
        #[cfg(test)]
        self.mounted.push(route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_table_is_served_and_no_other() {
        let mounted = mounted().mounted;
        for route in routes::ALL {
            assert!(mounted.contains(route), "{route:?} is not served");
        }
        assert_eq!(mounted.len(), routes::ALL.len());
    }
}
