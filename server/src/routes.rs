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

use crate::{observe, problem::ApiError, state::AppState};

mod health;

/// Everything the server answers.
pub(crate) fn router(state: AppState) -> Router {
    let mut mount = Mount::default();
    service(&mut mount);
    files(&mut mount);
    mount
        .router
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || {
            ApiError::new(ErrorCode::MethodNotAllowed, "This path does not take this method.")
        })
        .layer(middleware::from_fn(observe::check_version))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(middleware::from_fn(observe::observe))
        .with_state(state)
}

fn service(mount: &mut Mount) {
    mount.at(routes::HEALTHZ, health::alive);
    mount.at(routes::READYZ, health::ready);
    mount.at(routes::SERVER, health::server);
}

/// Files, shares, downloads, receipts: not landed yet, so 404.
fn files(_mount: &mut Mount) {}

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
