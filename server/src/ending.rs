//! What ends with a membership, in the transaction of the log entry that ends it.

use sealpost_api::problem::ErrorCode;
use sealpost_crypto::id::UserId;

use crate::{
    db::{self, DbError, Tx},
    problem::ApiError,
    state::AppState,
};

/// Ends an account and everything that is under way in its name: sessions and their refresh tokens, sign-ins that have
/// begun, downloads, the invites that it made, its unfinished uploads. From here on every token of it is worth nothing.
/// What it shared stays as it is: whether that counts, its readers decide by the log. Again is fine.
pub(crate) async fn end(tx: &mut Tx, user: UserId, now: i64) -> Result<(), DbError> {
    db::account::retire(tx, user).await?;
    db::login::cancel(tx, user).await?;
    db::session::end_all(tx, user).await?;
    db::ticket::end_all(tx, user).await?;
    db::invite::cancel_all(tx, user).await?;
    db::file::cancel_uploads(tx, user, now).await
}

/// What the holder of an ended account is told, once they have proved to be that.
pub(crate) async fn explain(state: &AppState, tx: &mut Tx, user: UserId) -> Result<ApiError, ApiError> {
    let log = state.log.synced(tx).await?;
    let ended = log.member(user).and_then(|member| member.ended);
    let (detail, hint) = if ended.is_some_and(|ended| ended.replaced_by.is_some()) {
        (
            "This account has ended: a new one of yours took its place.",
            "Sign in to the new account; if you know of none, ask an Ops member of the organisation.",
        )
    } else {
        ("Your membership has ended.", "Ask an Ops member of the organisation, if that is a mistake.")
    };
    Ok(ApiError::new(ErrorCode::AccountEnded, detail).hint(hint))
}
