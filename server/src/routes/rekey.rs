//! A version that was sealed anew takes the place of the live one together with all its shares (protocol §7.8). Everything
//! that can be checked is checked; then all of it goes live in one transaction, and the old ciphertext goes.

use std::collections::{HashMap, HashSet};

use axum::{Json as Answer, extract::State};
use sealpost_api::{
    file::{FileView, RekeyFile},
    limits::{MAX_SHARE_BODY, MAX_SHARES_PER_REKEY},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::{FileId, UserId},
    record::Signed,
    records::Unshare,
};
use tokio::task::yield_now;

use super::{
    complete::{Upload, is_done},
    file::readable,
    share::unshare_place,
};
use crate::{
    auth::{OpsMember, not_signed_in},
    blob::{BlobId, VersionKey},
    check::{CheckedShare, Checker, recipient_unknown},
    db::{
        DbError, Lock, Tx, account,
        file::{self, By},
        pair::{self, Kind},
        part,
        share::{self, Running},
        ticket, version,
    },
    extract::{Large, Path},
    problem::ApiError,
    state::AppState,
    sweep,
};

/// `POST /files/{file_id}/versions/{version}/rekey`. Idempotent by the manifest.
pub(super) async fn rekey(
    State(state): State<AppState>,
    member: OpsMember,
    Path((file_id, version)): Path<(FileId, u64)>,
    Large(body, _held): Large<RekeyFile, MAX_SHARE_BODY>,
) -> Result<Answer<FileView>, ApiError> {
    let (key, owner) = (VersionKey { file_id, version }, member.user_id());
    let mut tx = state.db.read().await?;
    let done = is_done(&mut tx, key, owner, body.complete.manifest.id()).await?;
    drop(tx);
    if !done {
        let rekeying = check(&state, key, owner, body).await?;
        // In a task of its own, so that the old ciphertext goes also when the client has gone.
        let task = tokio::spawn({
            let state = state.clone();
            async move { go_live_and_clear(&state, key, owner, &rekeying).await }
        });
        task.await.unwrap_or_else(|error| Err(ApiError::internal(&error)))?;
    }
    let mut tx = state.db.read().await?;
    Ok(Answer(readable(&state, &mut tx, file_id, owner, By::Terms).await?.view()?))
}

/// A next version with everything that goes live with it, checked as far as no lock is needed.
struct Rekeying {
    upload: Upload,
    shares: Vec<CheckedShare>,
    unshares: Vec<Signed<Unshare>>,
}

async fn check(
    state: &AppState,
    key: VersionKey,
    caller: UserId,
    body: RekeyFile,
) -> Result<Rekeying, ApiError> {
    if body.shares.len() + body.unshares.len() > MAX_SHARES_PER_REKEY {
        let detail = format!("One request takes at most {MAX_SHARES_PER_REKEY} shares and ends of shares.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    let mut tx = state.db.read().await?;
    let log = state.log.synced(&mut tx).await?;
    drop(tx);
    let checker = Checker { log: &log, caller, now: state.clock.seconds() };
    let upload = Upload::check(&checker, key, body.complete)?;
    let of = upload.shareable();
    let mut shares = Vec::with_capacity(body.shares.len());
    for sealed in body.shares {
        shares.push(checker.carried_share(sealed, &of)?);
        yield_now().await;
    }
    let mut unshares = Vec::with_capacity(body.unshares.len());
    for record in body.unshares {
        unshares.push(checker.unshare(record, key.file_id)?);
        yield_now().await;
    }
    let rekeying = Rekeying { upload, shares, unshares };
    let mut people: HashSet<UserId> = HashSet::from([caller]);
    if rekeying.people().all(|person| people.insert(person)) {
        return Ok(rekeying);
    }
    Err(ApiError::record_invalid("Two of the records are about the same person."))
}

impl Rekeying {
    /// Everybody but the owner whom a record is about.
    fn people(&self) -> impl Iterator<Item = UserId> {
        let shares = self.shares.iter().map(|share| share.context().recipient);
        shares.chain(self.unshares.iter().map(|unshare| unshare.recipient))
    }

    /// What keeps any of the records from being stored: another one holds its place.
    async fn obstacle(&self, tx: &mut Tx) -> Result<Option<ApiError>, DbError> {
        let own = self.upload.obstacle(tx).await?;
        if own.is_some() {
            return Ok(own);
        }
        let shares = self.shares.iter().map(CheckedShare::place);
        for place in shares.chain(self.unshares.iter().map(unshare_place)) {
            if let Some(obstacle) = pair::obstacle(tx, &place).await? {
                return Ok(Some(obstacle.into()));
            }
        }
        Ok(None)
    }

    /// Whether exactly the shares that run go on or end, each on its terms.
    async fn check_shares(
        &self,
        tx: &mut Tx,
        running: &HashMap<UserId, Running>,
        now: i64,
    ) -> Result<(), ApiError> {
        for share in &self.shares {
            let context = share.context();
            let Some(before) = running.get(&context.recipient).filter(|before| !before.is_ended()) else {
                return Err(changed(tx, running.get(&context.recipient)).await?);
            };
            if !before.is_active() {
                return Err(recipient_unknown());
            }
            if !before.has_terms(context.expiry, context.limit) {
                return Err(ApiError::record_invalid(
                    "A share has not the expiry and the limit of the one that it goes on from.",
                ));
            }
        }
        for unshare in &self.unshares {
            let before = running.get(&unshare.recipient);
            if !before.is_some_and(|before| before.id == unshare.share && !before.is_ended()) {
                return Err(changed(tx, before).await?);
            }
        }
        let people: HashSet<UserId> = self.people().collect();
        let left_out = |before: &&Running| before.goes_on(now) && !people.contains(&before.recipient);
        match running.values().find(left_out) {
            Some(before) => Err(changed(tx, Some(before)).await?),
            None => Ok(()),
        }
    }

    /// Everything at once. All checks have passed.
    async fn go_live(
        &self,
        tx: &mut Tx,
        replaced: VersionKey,
        running: &HashMap<UserId, Running>,
        now: i64,
    ) -> Result<(), DbError> {
        version::replace(tx, replaced, now).await?;
        // First: whoever pays for a download at this moment has paid for it before, or not at all.
        share::retire_version(tx, replaced).await?;
        self.upload.go_live(tx, now).await?;
        for (now, share) in (now + 1..).zip(&self.shares) {
            let (id, recipient) = (share.signed().id(), share.context().recipient);
            pair::insert(tx, &share.place(), Kind::Share, id, share.signed().raw(), now).await?;
            share::insert(tx, share, now).await?;
            if let Some(before) = running.get(&recipient) {
                share::carry_downloads(tx, before.id, id).await?;
                ticket::hand_over(tx, before.id, id).await?;
            }
        }
        for unshare in &self.unshares {
            let (place, id) = (unshare_place(unshare), unshare.id());
            pair::insert(tx, &place, Kind::Unshare, id, unshare.raw(), now).await?;
            share::end(tx, unshare.share, id).await?;
        }
        Ok(())
    }
}

/// The shares are not what the owner took them for; with the one to be looked at.
async fn changed(tx: &mut Tx, running: Option<&Running>) -> Result<ApiError, DbError> {
    let detail = "The file's shares are not those that this request goes on from.";
    let error = ApiError::new(ErrorCode::SharesChanged, detail)
        .hint("Read the file's shares again, then sign for those that run.");
    Ok(match running {
        Some(running) => error.record(share::record(tx, running.id).await?.ok_or(DbError::Corrupt)?.0),
        None => error,
    })
}

/// Makes the version live, and removes what nobody needs any more.
async fn go_live_and_clear(
    state: &AppState,
    key: VersionKey,
    owner: UserId,
    rekeying: &Rekeying,
) -> Result<(), ApiError> {
    let Some(kept) = go_live(state, key, owner, rekeying).await? else { return Ok(()) };
    // What can't be removed now, the sweeper removes.
    if let Err(error) = state.blobs.keep_only(key, &kept).await {
        tracing::warn!(cause = %error, "stray blobs stay beside a complete version");
    }
    if let Err(error) = sweep::remove_replaced(state).await {
        tracing::warn!(cause = %error, "the blobs of a replaced version stay until the next sweep");
    }
    Ok(())
}

/// The blobs that are the version's parts now; `None` if it was made live meanwhile, by this very request.
async fn go_live(
    state: &AppState,
    key: VersionKey,
    owner: UserId,
    rekeying: &Rekeying,
) -> Result<Option<HashSet<BlobId>>, ApiError> {
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(owner)).await?;
    tx.lock(Lock::File(key.file_id.as_bytes())).await?;
    if !account::is_active(&mut tx, owner).await? {
        return Err(not_signed_in());
    }
    if is_done(&mut tx, key, owner, rekeying.upload.manifest()).await? {
        return Ok(None);
    }
    let (live, manifest) = file::live(&mut tx, key.file_id, owner).await?.ok_or_else(ApiError::not_found)?;
    if !rekeying.upload.follows(live, manifest.0.id()) {
        return Err(ApiError::record_invalid("The manifest does not follow that of the live version."));
    }
    let parts = part::range(&mut tx, key, 0, u32::MAX).await?;
    rekeying.upload.check_parts(&parts)?;
    if let Some(refused) = rekeying.obstacle(&mut tx).await? {
        return Err(refused);
    }
    let (running, now) = (share::running(&mut tx, live).await?, state.clock.micros());
    rekeying.check_shares(&mut tx, &running, now).await?;
    rekeying.go_live(&mut tx, live, &running, now).await?;
    tx.commit().await?;
    let blobs = parts.iter().map(|part| part.blob(key).map(|blob| blob.id));
    Ok(Some(blobs.collect::<Result<_, DbError>>()?))
}
