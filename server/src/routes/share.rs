//! Shares and unshares by a file's owner.

use std::{collections::HashMap, sync::Arc};

use axum::{Json as Answer, extract::State, http::StatusCode};
use sealpost_api::{
    account::AccountStatus,
    batch::{FileShareResult, FileShareResults, ShareFiles},
    file::{ShareFile, ShareResult, ShareResults, ShareView, UnshareFile},
    limits::{MAX_SHARE_BODY, MAX_SHARES_PER_REQUEST},
    paging::{Page, PageQuery},
    problem::ErrorCode,
};
use sealpost_crypto::{
    id::{FileId, RecordId, UserId},
    record::{Author, Authored, RawRecord, Signed, parse},
    records::{Manifest, Share, ShareContext, Unshare},
    share::SealedShare,
};
use tokio::task::yield_now;

use crate::{
    auth::{OpsMember, not_signed_in},
    check::{CheckedShare, Checker, Shareable, not_current, recipient_unknown},
    db::{
        DbError, Lock, Tx, account, file,
        pair::{self, Kind, Obstacle, PairPlace},
        rotation, share, ticket,
    },
    extract::{Json, Large, Path, Query, page_size},
    paging::{Order, Place, page},
    problem::ApiError,
    state::AppState,
};

/// A share that was asked for, and the file it is said to be of; `None` if the sender has no such live file.
struct Asked {
    sealed: SealedShare,
    of: Option<Arc<Shareable>>,
}

/// A share on its way: to whom it claims to go, and what the checks said; `None` if it is stored already.
type Item = (UserId, Option<Result<CheckedShare, ApiError>>);
/// The share of the file that each of these people is to have a fresh one for.
type Renewals = HashMap<UserId, RecordId>;

/// `POST /files/{file_id}/share`. Idempotent by the share records.
pub(super) async fn share(
    State(state): State<AppState>,
    member: OpsMember,
    Path(file_id): Path<FileId>,
    Large(asked, _held): Large<ShareFile, MAX_SHARE_BODY>,
) -> Result<Answer<ShareResults>, ApiError> {
    let sender = member.user_id();
    let of = shareable(&mut state.db.read().await?, file_id, sender).await?;
    let of = Arc::new(of.ok_or_else(ApiError::not_found)?);
    check_count(asked.shares.len())?;
    let renewals = renewals(&mut state.db.read().await?, file_id, sender, &asked.renews).await?;
    let asked = asked.shares.into_iter().map(|sealed| Asked { sealed, of: Some(Arc::clone(&of)) });
    Ok(Answer(ShareResults { results: grant(&state, sender, asked.collect(), &renewals).await? }))
}

/// `POST /shares/batch`. Idempotent by the share records.
pub(super) async fn share_many(
    State(state): State<AppState>,
    member: OpsMember,
    Large(asked, _held): Large<ShareFiles, MAX_SHARE_BODY>,
) -> Result<Answer<FileShareResults>, ApiError> {
    let sender = member.user_id();
    check_count(asked.shares.len())?;
    let files: Vec<FileId> = asked.shares.iter().map(|share| share.file_id).collect();
    let mut known: HashMap<FileId, Option<Arc<Shareable>>> = HashMap::new();
    let mut tx = state.db.read().await?;
    for file_id in &files {
        if !known.contains_key(file_id) {
            known.insert(*file_id, shareable(&mut tx, *file_id, sender).await?.map(Arc::new));
        }
    }
    drop(tx);
    let of = |file_id: &FileId| known.get(file_id).cloned().flatten();
    let asked = asked.shares.into_iter().map(|share| Asked { of: of(&share.file_id), sealed: share.share });
    let results = grant(&state, sender, asked.collect(), &Renewals::new()).await?;
    let results = files.into_iter().zip(results).map(|(file_id, result)| FileShareResult {
        file_id,
        recipient: result.recipient,
        problem: result.problem,
    });
    Ok(Answer(FileShareResults { results: results.collect() }))
}

fn check_count(shares: usize) -> Result<(), ApiError> {
    if (1..=MAX_SHARES_PER_REQUEST).contains(&shares) {
        return Ok(());
    }
    let detail = format!("One request takes 1 to {MAX_SHARES_PER_REQUEST} shares.");
    Err(ApiError::new(ErrorCode::LimitReached, detail))
}

/// Whose shares are to be renewed. One that is not of this file and sender is no one's.
async fn renewals(
    tx: &mut Tx,
    file_id: FileId,
    sender: UserId,
    ids: &[RecordId],
) -> Result<Renewals, ApiError> {
    if ids.len() > MAX_SHARES_PER_REQUEST {
        let detail = format!("One request renews at most {MAX_SHARES_PER_REQUEST} shares.");
        return Err(ApiError::new(ErrorCode::LimitReached, detail));
    }
    let mut renewals = Renewals::new();
    for id in ids {
        let share = share::find(tx, *id).await?;
        let share = share.filter(|share| (share.file_id, share.sender) == (file_id, sender));
        let share = share.ok_or_else(|| ApiError::record_invalid("There is no such share to be renewed."))?;
        renewals.insert(share.recipient, *id);
    }
    Ok(renewals)
}

/// The live version of the sender's own file.
async fn shareable(tx: &mut Tx, file_id: FileId, sender: UserId) -> Result<Option<Shareable>, ApiError> {
    let Some((version, manifest)) = file::live(tx, file_id, sender).await? else { return Ok(None) };
    let claim: Manifest = manifest.0.claim().map_err(|error| ApiError::internal(&error))?;
    Ok(Some(Shareable { version, manifest: manifest.0.id(), commitment: claim.commitment }))
}

/// Checks and stores shares, each accepted or refused by itself.
async fn grant(
    state: &AppState,
    sender: UserId,
    asked: Vec<Asked>,
    renewals: &Renewals,
) -> Result<Vec<ShareResult>, ApiError> {
    let mut tx = state.db.read().await?;
    let mut known = Vec::with_capacity(asked.len());
    for Asked { sealed, of } in &asked {
        // Of this file: a stored record is no answer to whoever takes it for another file's.
        let is_of = of.as_ref().is_some_and(|of| claim(&sealed.record).0 == of.version.file_id);
        known.push(is_of && pair::is_known(&mut tx, Kind::Share, sealed.record.id(), sender).await?);
    }
    drop(tx);
    let items = check(state, sender, asked.into_iter().zip(known)).await?;
    store(state, sender, items, renewals).await
}

/// Verifies what is not stored yet, before any transaction writes. Signatures cost time: others get their turn
/// in between.
async fn check(
    state: &AppState,
    caller: UserId,
    asked: impl Iterator<Item = (Asked, bool)>,
) -> Result<Vec<Item>, ApiError> {
    let mut tx = state.db.read().await?;
    let log = state.log.synced(&mut tx).await?;
    drop(tx);
    let checker = Checker { log: &log, caller, now: state.clock.seconds() };
    let mut checked = Vec::new();
    for (Asked { sealed, of }, known) in asked {
        let (_, recipient) = claim(&sealed.record);
        let check = || of.map_or_else(|| Err(ApiError::not_found()), |of| checker.share(sealed, &of));
        checked.push((recipient, (!known).then(check)));
        yield_now().await;
    }
    Ok(checked)
}

/// Which file and whom an unverified share names; zeros if it names none.
fn claim(record: &RawRecord) -> (FileId, UserId) {
    let context = record.claim::<Share>().and_then(|share| parse::<ShareContext>(&share.context.0));
    context.map_or((FileId::ZERO, UserId::ZERO), |context| (context.file_id, context.recipient))
}

/// Stores what passed, in one transaction, each item accepted or refused by itself.
async fn store(
    state: &AppState,
    sender: UserId,
    items: Vec<Item>,
    renewals: &Renewals,
) -> Result<Vec<ShareResult>, ApiError> {
    let mut tx = state.db.write().await?;
    // All records that this person sends, so that no pair changes between looking and storing.
    tx.lock(Lock::User(sender)).await?;
    // The membership may have ended since the caller was let in.
    if !account::is_active(&mut tx, sender).await? {
        return Err(not_signed_in());
    }
    let mut results = Vec::with_capacity(items.len());
    for (now, (recipient, checked)) in (state.clock.micros()..).zip(items) {
        let problem = match checked {
            None => None,
            Some(Err(refused)) => Some(explain(&mut tx, recipient, refused).await?),
            Some(Ok(share)) => store_one(&mut tx, &share, renewals.get(&recipient).copied(), now).await?,
        };
        results.push(ShareResult { recipient, problem: problem.map(ApiError::into_problem) });
    }
    tx.commit().await?;
    Ok(results)
}

/// Somebody who is only not certified yet is told apart from somebody unknown: the owner can wait for them.
async fn explain(tx: &mut Tx, recipient: UserId, refused: ApiError) -> Result<ApiError, ApiError> {
    if *refused.code() != ErrorCode::RecipientUnknown {
        return Ok(refused);
    }
    let account = account::by_id(tx, recipient).await?;
    if !account.is_some_and(|account| account.status.0 == AccountStatus::Pending) {
        return Ok(refused);
    }
    Ok(ApiError::new(ErrorCode::RecipientPending, "The recipient has accepted, and is not certified yet.")
        .hint("Certify them, then share again."))
}

/// Stores one share, or says why not. `now` differs from share to share: it orders them.
async fn store_one(
    tx: &mut Tx,
    share: &CheckedShare,
    renews: Option<RecordId>,
    now: i64,
) -> Result<Option<ApiError>, ApiError> {
    let (signed, place) = (share.signed(), share.place());
    if pair::is_known(tx, Kind::Share, signed.id(), place.sender).await? {
        return Ok(None);
    }
    if !account::is_active(tx, place.recipient).await? {
        return Ok(Some(recipient_unknown()));
    }
    if let Err(error) = still_current(tx, &signed.author()).await {
        return Ok(Some(error));
    }
    if let Some(obstacle) = pair::obstacle(tx, &place).await? {
        return Ok(Some(obstacle.into()));
    }
    if let Some(old) = renews {
        if !renew(tx, old, share, now).await? {
            return Ok(Some(share_changed()));
        }
    } else if share::is_live(tx, share.context().file_id, place.recipient, now).await? {
        let detail = "This person has a share of the file that still runs.";
        let error = ApiError::new(ErrorCode::AlreadyShared, detail);
        return Ok(Some(error.hint("To change its terms, unshare it first.")));
    }
    pair::insert(tx, &place, Kind::Share, signed.id(), signed.raw(), now).await?;
    share::insert(tx, share, now).await?;
    if let Some(old) = renews {
        ticket::hand_over(tx, old, signed.id()).await?;
    }
    Ok(None)
}

/// Ends `old` in favour of `new`. Only for other keys of sender or recipient: terms change by unsharing first.
async fn renew(tx: &mut Tx, old: RecordId, new: &CheckedShare, now: i64) -> Result<bool, ApiError> {
    let record = share::record(tx, old).await?.ok_or(DbError::Corrupt)?;
    let claimed = record.0.claim::<Share>().and_then(|share| parse::<ShareContext>(&share.context.0));
    let before = claimed.map_err(|_| DbError::Corrupt)?;
    let (after, keys) =
        (new.context(), |context: &ShareContext| (context.sender_bundle, context.recipient_bundle));
    let own = after.sender == after.recipient;
    let unlimited = after.expiry == 0 && after.limit == 0;
    let may = keys(&before) != keys(after) && (!own || unlimited);
    Ok(may && share::renew(tx, old, new, now).await?)
}

fn share_changed() -> ApiError {
    let detail = "The share is not in force any more, its keys are current, or less is left of it.";
    ApiError::new(ErrorCode::ShareChanged, detail).hint("Look at the file's shares again.")
}

/// The keys may have been rotated since the record was checked. The caller holds the signer's lock, which a rotation
/// takes too.
async fn still_current(tx: &mut Tx, author: &Author) -> Result<(), ApiError> {
    if rotation::is_current(tx, author.signer, author.signer_bundle).await? {
        Ok(())
    } else {
        Err(not_current())
    }
}

/// `GET /files/{file_id}/shares`: shares to others, ended ones too, oldest first.
pub(super) async fn shares(
    State(state): State<AppState>,
    member: OpsMember,
    Path(file_id): Path<FileId>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Page<ShareView>>, ApiError> {
    let size = page_size(query.limit)?;
    let after = Place::after(query.cursor.as_deref(), Order::OldestFirst)?;
    let mut tx = state.db.read().await?;
    if file::owner(&mut tx, file_id).await? != Some(member.user_id()) {
        return Err(ApiError::not_found());
    }
    let rows = share::of_file(&mut tx, file_id, &after, size + 1).await?;
    Ok(Answer(page(rows, size, share::Row::place, share::Row::view)?))
}

/// `POST /files/{file_id}/unshare`.
pub(super) async fn unshare(
    State(state): State<AppState>,
    member: OpsMember,
    Path(file_id): Path<FileId>,
    Json(asked): Json<UnshareFile>,
) -> Result<StatusCode, ApiError> {
    let sender = member.user_id();
    let mut tx = state.db.read().await?;
    shareable(&mut tx, file_id, sender).await?.ok_or_else(ApiError::not_found)?;
    let is_of_file = asked.record.claim::<Unshare>().is_ok_and(|unshare| unshare.file_id == file_id);
    if is_of_file && pair::is_known(&mut tx, Kind::Unshare, asked.record.id(), sender).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let log = state.log.synced(&mut tx).await?;
    let checker = Checker { log: &log, caller: sender, now: state.clock.seconds() };
    let record = checker.unshare(asked.record, file_id)?;
    drop((tx, log));
    end(&state, &record).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The place that an unshare claims in its pair.
pub(super) fn unshare_place(record: &Signed<Unshare>) -> PairPlace {
    PairPlace {
        sender: record.signer,
        recipient: record.recipient,
        sequence: record.pair_sequence,
        previous: record.pair_previous,
    }
}

async fn end(state: &AppState, record: &Signed<Unshare>) -> Result<(), ApiError> {
    let place = unshare_place(record);
    let mut tx = state.db.write().await?;
    tx.lock(Lock::User(place.sender)).await?;
    if pair::is_known(&mut tx, Kind::Unshare, record.id(), place.sender).await? {
        return Ok(());
    }
    still_current(&mut tx, &record.author()).await?;
    // First: of two that end one share at one moment, the second is told what holds its place.
    if let Some(obstacle) = pair::obstacle(&mut tx, &place).await? {
        return Err(obstacle.into());
    }
    check_ends_a_share(&mut tx, record).await?;
    pair::insert(&mut tx, &place, Kind::Unshare, record.id(), record.raw(), state.clock.micros()).await?;
    share::end(&mut tx, record.share, record.id()).await?;
    Ok(tx.commit().await?)
}

async fn check_ends_a_share(tx: &mut Tx, record: &Signed<Unshare>) -> Result<(), ApiError> {
    let share = share::find(tx, record.share).await?.filter(|share| {
        (share.file_id, share.sender, share.recipient) == (record.file_id, record.signer, record.recipient)
    });
    match share {
        None => Err(ApiError::record_invalid("The record names no share of this file to this person.")),
        Some(share) if share.is_ended() => Err(ApiError::record_invalid("The share was ended before.")),
        Some(_) if record.recipient == record.signer => check_ends_own(tx, record).await,
        Some(_) => Ok(()),
    }
}

/// Owners keep access to their own files, but for what rotated keys have put among them (protocol §3.8).
async fn check_ends_own(tx: &mut Tx, record: &Signed<Unshare>) -> Result<(), ApiError> {
    let share = share::record(tx, record.share).await?.ok_or(DbError::Corrupt)?;
    let share: Share = share.0.claim().map_err(|_| DbError::Corrupt)?;
    if share.signer_bundle != record.signer_bundle {
        return Ok(());
    }
    Err(ApiError::record_invalid("Nobody can end their own access to their own file."))
}

impl From<Obstacle> for ApiError {
    fn from(obstacle: Obstacle) -> Self {
        let detail = "The record does not take the next place among the records of this pair.";
        let error = Self::new(ErrorCode::PairConflict, detail)
            .hint("Read the pair's records, then sign for the next place.");
        match obstacle.record {
            Some(record) => error.record(record),
            None => error,
        }
    }
}
