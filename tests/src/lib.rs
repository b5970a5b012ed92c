//! What the integration tests stand on: real servers on every backend, clients that speak plain HTTP, people
//! who found, invite and join, and a search through everything a server keeps.
//!
//! Run them with `cargo xtask test`, which brings a throw-away Postgres; without one they fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code fails by panicking, with the place and the reason"
)]

pub mod adversary;
pub mod alterations;
pub mod backend;
pub mod contract;
pub mod forgetful;
pub mod http;
pub mod kept;
pub mod logs;
pub mod memory;
pub mod postgres;
pub mod proxy;
pub mod raw;
pub mod sdk;
pub mod search;
pub mod secrets;
pub mod seen;
pub mod server;
pub mod watch;
pub mod wire;

pub use backend::Backend;
pub use kept::KeptAccount;
pub use server::TestServer;

/// Makes one test per backend of each `async fn name(server: TestServer) { … }`.
#[macro_export]
macro_rules! on_every_backend {
    ($($(#[$meta:meta])* async fn $name:ident($($argument:tt)*) $body:block)*) => { $(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($($argument)*) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite_folder() {
                body($crate::TestServer::start($crate::Backend::SQLITE_FOLDER).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite_database() {
                body($crate::TestServer::start($crate::Backend::SQLITE_DATABASE).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres_folder() {
                body($crate::TestServer::start($crate::Backend::POSTGRES_FOLDER).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres_database() {
                body($crate::TestServer::start($crate::Backend::POSTGRES_DATABASE).await).await;
            }
        }
    )* };
}

/// Makes one test per database of each `async fn name(server: TestServer) { … }`, each with the blob store that the
/// server chooses for it by itself.
#[macro_export]
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($($argument:tt)*) $body:block)*) => { $(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($($argument)*) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                body($crate::TestServer::start($crate::Backend::SQLITE_FOLDER).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                body($crate::TestServer::start($crate::Backend::POSTGRES_DATABASE).await).await;
            }
        }
    )* };
}
