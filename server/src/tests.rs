//! The server as its callers see it, on both databases.

mod edges;
mod founding;
mod invites;
mod key_login;
mod log;
mod login;
mod sessions;
mod start;
