//! `certify`: somebody who accepted an invite becomes a member.

use sealpost_api::limits::CERTIFY_GRACE_SECONDS;
use sealpost_crypto::{id::UserId, record::RawRecord, records::Certify};

use crate::{
    append::Appending,
    db::{
        self, Lock, Tx,
        invite::{Invite, Progress},
    },
    ending,
    problem::ApiError,
    state::AppState,
};

/// Appends the entry; the account that it is about becomes active, and one that it replaces ends.
pub(super) async fn append(
    state: &AppState,
    mut tx: Tx,
    record: &RawRecord,
    entry: &Certify,
) -> Result<RawRecord, ApiError> {
    let invite = accepted_invite(state, &mut tx, entry).await?;
    let (bundle_id, bundle) = invite.bundle()?.ok_or(db::DbError::Corrupt)?;
    let replaced = invite.replaces()?;
    if let Some(replaced) = replaced {
        tx.lock(Lock::User(replaced)).await?;
    }
    let mut appending = Appending::begin(state, tx, record, Some(&bundle)).await?;
    let (tx, now) = (appending.tx(), state.clock.micros());
    if let Some(replaced) = replaced {
        ending::end(tx, replaced, now).await?;
    }
    let activated = db::account::activate(tx, entry.user_id, bundle_id, now).await?;
    let certified = db::invite::certify(tx, invite.invite_id).await?;
    if !(activated && certified) {
        return Err(db::DbError::Corrupt.into());
    }
    db::invite::replace_others(tx, entry.user_id, invite.invite_id).await?;
    Ok(appending.commit().await?)
}

/// The invite that the entry is about: accepted, in time, and saying the same.
async fn accepted_invite(state: &AppState, tx: &mut Tx, entry: &Certify) -> Result<Invite, ApiError> {
    let invite = db::invite::by_offer(tx, entry.offer).await?;
    let invite = invite.filter(|invite| invite.state == Progress::Accepted);
    let invite = invite.ok_or_else(|| ApiError::record_invalid("The entry names no accepted invite."))?;
    let opening = invite.opening()?;
    let subject = opening.subject().map_err(|_| db::DbError::Corrupt)?;
    let accepted = invite.bundle()?.map(|(id, _)| id);
    let role = db::value::role_code(invite.role.0) == db::value::int(entry.role.code());
    let replaces = invite.replaces()?.unwrap_or(UserId::ZERO);
    let says = (entry.user_id, entry.subject, Some(entry.bundle), entry.replaces);
    if says != (invite.user_id, subject, accepted, replaces) || !role {
        return Err(ApiError::record_invalid("The entry does not say what was offered and accepted."));
    }
    if state.clock.seconds() > invite.expiry()?.saturating_add(CERTIFY_GRACE_SECONDS) {
        return Err(ApiError::record_invalid("The invite expired too long ago to be certified.")
            .hint("Invite the person again."));
    }
    Ok(invite)
}
