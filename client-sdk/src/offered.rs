//! People who were invited and are not certified yet, by OFFERs that an Ops member signed (protocol §6): the only way
//! from the address of somebody pending to an account.

use sealpost_api::{
    invite::{InviteQuery, InviteState, InviteView},
    limits::MAX_PAGE,
    paging::Page,
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::UserId,
    log::{Log, Standing},
    opening::{Opening, VerifiedOpening},
    record::Authored,
    records::{Offer, Positioned},
};

use crate::{error::Result, pages, server::Call, signed_in::Inner};

/// Somebody who was offered an account that is not in the log, by an OFFER whose author verified.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    opening: VerifiedOpening,
    state: InviteState,
    standing: Standing,
}

impl Offered {
    /// Who was invited, as the OFFER commits to it.
    pub(crate) fn opening(&self) -> &Opening {
        self.opening.opening()
    }

    /// Whether an active Ops member vouches for it.
    pub(crate) fn is_vouched(&self) -> bool {
        self.standing == Standing::Current
    }

    /// Whether they can still be certified by this very OFFER: vouched for, and open or accepted.
    pub(crate) fn can_be_certified(&self) -> bool {
        self.is_vouched() && matches!(self.state, InviteState::Open | InviteState::Accepted)
    }

    /// Whether the OFFER is to this address.
    pub(crate) fn is_to(&self, email: &EmailAddress) -> bool {
        self.opening.email() == email
    }

    /// The account.
    pub(crate) fn user_id(&self) -> UserId {
        self.opening.user_id()
    }

    /// `None` for what does not verify: then the server might as well not have shown it.
    fn verify(view: InviteView, log: &Log) -> Option<Self> {
        let offer = log.verify_authored::<Offer>(view.offer).ok()?;
        let standing = log.ops_standing(&offer.author(), &offer.position(), true).ok()?;
        let opening = view.opening?.verify(offer.subject).ok()?;
        if opening.user_id() != offer.user_id || log.member(offer.user_id).is_some() {
            return None;
        }
        Some(Self { opening, state: view.state, standing })
    }

    /// What counts most comes first.
    fn rank(&self) -> u8 {
        match self.state {
            InviteState::Accepted => 0,
            InviteState::Open => 1,
            InviteState::Cancelled => 2,
            InviteState::Expired | InviteState::Replaced | InviteState::Certified => 3,
        }
    }
}

impl Inner {
    /// Everybody who was invited, by whomever, and is not certified; the newest OFFER first in each state.
    pub(crate) async fn offered(&self, log: &Log) -> Result<Vec<Offered>> {
        // In one list, so that nobody is missed who accepts at this moment.
        let views = self.invites(&InviteQuery { uncertified: true, ..InviteQuery::default() }).await?;
        let verified = views.into_iter().filter_map(|view| Offered::verify(view, log));
        let mut offered: Vec<Offered> = verified.collect();
        offered.sort_by_key(Offered::rank);
        Ok(offered)
    }

    /// Everybody's invites that the server says are asked for.
    pub(crate) async fn invites(&self, wanted: &InviteQuery) -> Result<Vec<InviteView>> {
        let fetch = |cursor| async move {
            let query = InviteQuery { cursor, limit: Some(MAX_PAGE), ..wanted.clone() };
            self.caller.query::<Page<InviteView>>(Call::new(routes::INVITES, &[]), &query).await
        };
        pages::all(fetch).await
    }
}
