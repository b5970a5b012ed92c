//! Invites, from OFFER to certification.

use sealpost_api::invite::{AcceptanceView, InviteState, InviteView};
use sealpost_crypto::{
    encoding::Base64,
    id::{Digest, InviteId, RecordId, UserId},
    opening::Opening,
    record::RawRecord,
};

use super::{
    DbError, Tx, sql, statements,
    value::{RoleColumn, Stored, int, record, role_code, text, uint},
};

/// Columns of [`Invite`].
macro_rules! columns {
    () => {
        "invite_id, inviter, offer_id, user_id, email, name, salt, role, offer, offer_mac, sealed_opening, expiry, \
        state, accept_id, accept, accept_mac, bundle_id, bundle, accepted_at, created_at, replaces"
    };
}

statements! {
    INSERT = "INSERT INTO invites (invite_id, token_hash, offer_id, inviter, user_id, email, name, salt, role, \
        offer, offer_mac, sealed_opening, expiry, state, created_at, replaces) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15)";
    BY_TOKEN = "SELECT invite_id FROM invites WHERE token_hash = $1";
    BY_ID = concat!("SELECT ", columns!(), " FROM invites WHERE invite_id = $1");
    BY_OFFER = concat!("SELECT ", columns!(), " FROM invites WHERE offer_id = $1");
    /// State 0 is any; the bounds of the expiry tell open ones from expired ones.
    PAGE = concat!("SELECT ", columns!(), " FROM invites WHERE ($1 = 0 OR state = $1 \
        OR $1 = -1 AND state IN (1, 2, 5)) \
        AND expiry >= $2 AND expiry < $3 AND (created_at, invite_id) < ($4, $5) \
        ORDER BY created_at DESC, invite_id DESC LIMIT $6");
    COUNT_OPEN = "SELECT COUNT(*) FROM invites WHERE inviter = $1 AND state = 1 AND expiry > $2";
    /// Another person's live invite under this user id, or this person's under another opening.
    OTHER_OPENING = "SELECT COUNT(*) FROM invites WHERE user_id = $1 AND state < 4 \
        AND NOT (email = $2 AND name = $3 AND salt = $4)";
    REPLACE_OPEN = "UPDATE invites SET state = 4 WHERE state = 1 AND (user_id = $1 OR email = $2)";
    REPLACE_OTHERS = "UPDATE invites SET state = 4 WHERE user_id = $1 AND invite_id <> $2 AND state < 3";
    ACCEPT = "UPDATE invites SET state = 2, accept_id = $2, accept = $3, accept_mac = $4, bundle_id = $5, \
        bundle = $6, accepted_at = $7 WHERE invite_id = $1 AND state = 1";
    /// Open ones, and those that wait to be certified: their OFFER counts no more.
    CANCEL_ALL = "UPDATE invites SET state = 5 WHERE inviter = $1 AND state IN (1, 2)";
    CERTIFY = "UPDATE invites SET state = 3 WHERE invite_id = $1 AND state = 2";
}

/// How far an invite has come; whether an open one has expired is the clock's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not accepted.
    Open,
    /// Accepted.
    Accepted,
    /// In the log.
    Certified,
    /// A newer one took its place.
    Replaced,
    /// The inviter's membership ended, or their keys were changed.
    Cancelled,
}

impl TryFrom<i64> for Progress {
    type Error = DbError;

    fn try_from(code: i64) -> Result<Self, DbError> {
        match code {
            1 => Ok(Self::Open),
            2 => Ok(Self::Accepted),
            3 => Ok(Self::Certified),
            4 => Ok(Self::Replaced),
            5 => Ok(Self::Cancelled),
            _ => Err(DbError::Corrupt),
        }
    }
}

/// A stored invite.
#[derive(sqlx::FromRow)]
pub(crate) struct Invite {
    /// The invite.
    #[sqlx(try_from = "Vec<u8>")]
    pub invite_id: InviteId,
    /// Who invites.
    #[sqlx(try_from = "Vec<u8>")]
    pub inviter: UserId,
    /// H(OFFER).
    #[sqlx(try_from = "Vec<u8>")]
    pub offer_id: RecordId,
    /// The account offered.
    #[sqlx(try_from = "Vec<u8>")]
    pub user_id: UserId,
    /// The invitee's address.
    pub email: String,
    name: String,
    #[sqlx(try_from = "Vec<u8>")]
    salt: Digest,
    /// The role offered.
    #[sqlx(try_from = "i64")]
    pub role: RoleColumn,
    /// OFFER.
    #[sqlx(try_from = "String")]
    pub offer: Stored,
    #[sqlx(try_from = "Vec<u8>")]
    offer_mac: Digest,
    sealed_opening: Vec<u8>,
    expiry: i64,
    /// How far it has come.
    #[sqlx(try_from = "i64")]
    pub state: Progress,
    accept_id: Option<Vec<u8>>,
    accept: Option<String>,
    accept_mac: Option<Vec<u8>>,
    bundle_id: Option<Vec<u8>>,
    bundle: Option<String>,
    accepted_at: Option<i64>,
    created_at: i64,
    replaces: Option<Vec<u8>>,
}

impl Invite {
    /// Until when it may be accepted, UTC seconds.
    pub(crate) fn expiry(&self) -> Result<u64, DbError> {
        uint(self.expiry)
    }

    /// When it was made, microseconds.
    pub(crate) fn created_at(&self) -> i64 {
        self.created_at
    }

    /// Who is invited.
    pub(crate) fn opening(&self) -> Result<Opening, DbError> {
        let email = self.email.parse().map_err(|_| DbError::Corrupt)?;
        Ok(Opening { user_id: self.user_id, salt: self.salt, email, name: self.name.clone() })
    }

    /// The account that the invited one is to replace.
    pub(crate) fn replaces(&self) -> Result<Option<UserId>, DbError> {
        Ok(self.replaces.as_deref().map(UserId::from_slice).transpose()?)
    }

    /// H(ACCEPT), once accepted.
    pub(crate) fn accept_id(&self) -> Result<Option<RecordId>, DbError> {
        Ok(self.accept_id.as_deref().map(RecordId::from_slice).transpose()?)
    }

    /// The accepted bundle and its id.
    pub(crate) fn bundle(&self) -> Result<Option<(RecordId, RawRecord)>, DbError> {
        let (Some(id), Some(bundle)) = (&self.bundle_id, &self.bundle) else { return Ok(None) };
        Ok(Some((RecordId::from_slice(id)?, record(bundle)?)))
    }

    /// As the invitee sees it at `now` (UTC seconds).
    pub(crate) fn view(self, now: u64) -> Result<InviteView, DbError> {
        let state = match self.state {
            Progress::Open if self.expiry()? <= now => InviteState::Expired,
            Progress::Open => InviteState::Open,
            Progress::Accepted => InviteState::Accepted,
            Progress::Certified => InviteState::Certified,
            Progress::Replaced => InviteState::Replaced,
            Progress::Cancelled => InviteState::Cancelled,
        };
        Ok(InviteView {
            invite_id: self.invite_id,
            state,
            acceptance: self.acceptance()?,
            email: self.email,
            offer: self.offer.0,
            offer_mac: self.offer_mac,
            sealed_opening: Base64(self.sealed_opening),
            opening: None,
        })
    }

    /// As Ops members see it in their list.
    pub(crate) fn view_for_ops(self, now: u64) -> Result<InviteView, DbError> {
        let opening = Some(self.opening()?);
        Ok(InviteView { opening, ..self.view(now)? })
    }

    fn acceptance(&self) -> Result<Option<AcceptanceView>, DbError> {
        let (Some(accept), Some(mac), Some(bundle), Some(at)) =
            (&self.accept, &self.accept_mac, &self.bundle, self.accepted_at)
        else {
            return Ok(None);
        };
        Ok(Some(AcceptanceView {
            accept: record(accept)?,
            mac: Digest::from_slice(mac)?,
            bundle: record(bundle)?,
            accepted_at: uint(at / 1_000_000)?,
        }))
    }
}

/// A new invite, checked.
pub(crate) struct NewInvite<'a> {
    /// The invite.
    pub invite_id: InviteId,
    /// SHA-256 of the invitee's token.
    pub token_hash: Digest,
    /// Who invites.
    pub inviter: UserId,
    /// Who is invited.
    pub opening: &'a Opening,
    /// What they will be.
    pub role: sealpost_api::account::RoleName,
    /// H(OFFER).
    pub offer_id: RecordId,
    /// OFFER.
    pub offer: &'a RawRecord,
    /// Its MAC.
    pub mac: Digest,
    /// The opening under the code.
    pub sealed_opening: &'a [u8],
    /// UTC seconds.
    pub expiry: u64,
    /// The account that the invited one is to replace.
    pub replaces: Option<UserId>,
}

/// Stores a new invite.
pub(crate) async fn insert(tx: &mut Tx, new: &NewInvite<'_>, now: i64) -> Result<(), DbError> {
    let (id, token) = (&new.invite_id.as_bytes()[..], &new.token_hash.as_bytes()[..]);
    let (offer_id, inviter) = (&new.offer_id.as_bytes()[..], &new.inviter.as_bytes()[..]);
    let (user, salt) = (&new.opening.user_id.as_bytes()[..], &new.opening.salt.as_bytes()[..]);
    let (email, name, role) = (new.opening.email.as_str(), new.opening.name.as_str(), role_code(new.role));
    let (offer, mac, sealed) = (text(new.offer)?, &new.mac.as_bytes()[..], new.sealed_opening);
    let expiry = int(new.expiry);
    let replaces = new.replaces.as_ref().map(|id| &id.as_bytes()[..]);
    sql!(
        tx, execute INSERT, id, token, offer_id, inviter, user, email, name, salt, role, offer, mac, sealed, expiry,
        now, replaces
    )?;
    Ok(())
}

/// The invite that a token opens.
pub(crate) async fn by_token(tx: &mut Tx, hash: &Digest) -> Result<Option<InviteId>, DbError> {
    let row = sql!(tx, optional (Vec<u8>,): BY_TOKEN, &hash.as_bytes()[..])?;
    Ok(row.map(|(id,)| InviteId::from_slice(&id)).transpose()?)
}

/// One invite.
pub(crate) async fn by_id(tx: &mut Tx, invite: InviteId) -> Result<Option<Invite>, DbError> {
    sql!(tx, optional Invite: BY_ID, &invite.as_bytes()[..])
}

/// The invite of an OFFER.
pub(crate) async fn by_offer(tx: &mut Tx, offer: RecordId) -> Result<Option<Invite>, DbError> {
    sql!(tx, optional Invite: BY_OFFER, &offer.as_bytes()[..])
}

/// Where a page of invites begins, newest first: strictly before this place.
pub(crate) struct Before<'a> {
    /// Microseconds.
    pub at: i64,
    /// Invite id.
    pub id: &'a [u8],
}

/// Which invites are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// All.
    Any,
    /// Those of people who are not in the log by them, and no newer one took their place.
    Uncertified,
    /// Those in one state.
    In(InviteState),
}

/// At most `limit` invites, newest first. `now` is in seconds.
pub(crate) async fn page(
    tx: &mut Tx,
    which: Which,
    now: u64,
    before: Before<'_>,
    limit: u32,
) -> Result<Vec<Invite>, DbError> {
    let (code, expiry_from, expiry_below) = match which {
        Which::Any => (0_i64, 0, i64::MAX),
        Which::Uncertified => (-1, 0, i64::MAX),
        Which::In(InviteState::Open) => (1, int(now) + 1, i64::MAX),
        Which::In(InviteState::Expired) => (1, 0, int(now) + 1),
        Which::In(InviteState::Accepted) => (2, 0, i64::MAX),
        Which::In(InviteState::Certified) => (3, 0, i64::MAX),
        Which::In(InviteState::Replaced) => (4, 0, i64::MAX),
        Which::In(InviteState::Cancelled) => (5, 0, i64::MAX),
    };
    let limit = i64::from(limit);
    sql!(tx, all Invite: PAGE, code, expiry_from, expiry_below, before.at, before.id, limit)
}

/// How many invites of one Ops member are open at `now` (seconds).
pub(crate) async fn count_open(tx: &mut Tx, inviter: UserId, now: u64) -> Result<u64, DbError> {
    let (count,) = sql!(tx, one (i64,): COUNT_OPEN, &inviter.as_bytes()[..], int(now))?;
    uint(count)
}

/// Whether a live invite gives the user id of `opening` to anybody but exactly `opening`.
pub(crate) async fn contradicts(tx: &mut Tx, opening: &Opening) -> Result<bool, DbError> {
    let (user, salt) = (&opening.user_id.as_bytes()[..], &opening.salt.as_bytes()[..]);
    let (email, name) = (opening.email.as_str(), opening.name.as_str());
    let (count,) = sql!(tx, one (i64,): OTHER_OPENING, user, email, name, salt)?;
    Ok(count > 0)
}

/// A newer invite takes the place of every open one to the same person or address.
pub(crate) async fn replace_open(tx: &mut Tx, opening: &Opening) -> Result<(), DbError> {
    sql!(tx, execute REPLACE_OPEN, &opening.user_id.as_bytes()[..], opening.email.as_str())?;
    Ok(())
}

/// An acceptance takes the place of every other invite to the same person.
pub(crate) async fn replace_others(tx: &mut Tx, user: UserId, kept: InviteId) -> Result<(), DbError> {
    sql!(tx, execute REPLACE_OTHERS, &user.as_bytes()[..], &kept.as_bytes()[..])?;
    Ok(())
}

/// Cancels every invite of somebody that is not in the log.
pub(crate) async fn cancel_all(tx: &mut Tx, inviter: UserId) -> Result<(), DbError> {
    sql!(tx, execute CANCEL_ALL, &inviter.as_bytes()[..])?;
    Ok(())
}

/// The invitee's answer, checked.
pub(crate) struct Acceptance<'a> {
    /// H(ACCEPT).
    pub id: RecordId,
    /// ACCEPT.
    pub record: &'a RawRecord,
    /// Its MAC.
    pub mac: Digest,
    /// H(bundle).
    pub bundle_id: RecordId,
    /// The bundle that signed it.
    pub bundle: &'a RawRecord,
}

/// Uses an open invite up; false if it is not open.
pub(crate) async fn accept(
    tx: &mut Tx,
    invite: InviteId,
    acceptance: &Acceptance<'_>,
    now: i64,
) -> Result<bool, DbError> {
    let (id, accept_id) = (&invite.as_bytes()[..], &acceptance.id.as_bytes()[..]);
    let (record, mac) = (text(acceptance.record)?, &acceptance.mac.as_bytes()[..]);
    let (bundle_id, bundle) = (&acceptance.bundle_id.as_bytes()[..], text(acceptance.bundle)?);
    Ok(sql!(tx, execute ACCEPT, id, accept_id, record, mac, bundle_id, bundle, now)? == 1)
}

/// Notes that an accepted invite is in the log; false if it is not an accepted one.
pub(crate) async fn certify(tx: &mut Tx, invite: InviteId) -> Result<bool, DbError> {
    Ok(sql!(tx, execute CERTIFY, &invite.as_bytes()[..])? == 1)
}
