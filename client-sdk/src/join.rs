//! Joining an organisation with an invite code (protocol §6).

use sealpost_api::{
    auth::{RegisterChallenge, Session as NewSession},
    invite::{AcceptInvite, InviteRegister, InviteState, InviteView},
    problem::{ErrorCode, Problem},
    routes,
    token::Token,
};
use sealpost_crypto::{
    account::Account,
    encoding::to_base64,
    id::{InviteId, OrgId},
    invite::{self, Admission, InviteCode, SealedOffer, VerifiedOffer},
    log::Log,
    password::Password,
    records::{Offer, Role},
    secret::{AccountKey, AccountSeed},
};

use crate::{
    anonymous::Anonymous,
    caller::Caller,
    credential::Holder,
    device::Device,
    directory::{Directory, Person},
    error::{Error, Result},
    log_sync,
    new_account::{Invitee, NewAccount, Pending},
    server::Call,
    session::now,
};

/// An invite whose every statement was verified with the code: what to show before asking for a password.
pub struct InvitePreview {
    anonymous: Anonymous,
    caller: Caller,
    code: InviteCode,
    invite_id: InviteId,
    offer: VerifiedOffer,
    log: Log,
    inviter: Person,
}

impl Anonymous {
    /// Looks at an invite. Changes nothing: looking twice, or a mail scanner looking first, does no harm.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InviteUnknown`], [`crate::ErrorKind::InviteEnded`]; [`crate::ErrorKind::Verification`] if server and code
    /// do not agree on who invites whom to what.
    pub async fn preview(self, code: InviteCode) -> Result<InvitePreview> {
        let keys = code.keys();
        let token = Token::new(to_base64(keys.token.expose()));
        let caller = Caller::invitee(self.server.clone(), token);
        let view: InviteView = caller.get(Call::new(routes::INVITE, &[&keys.invite_id])).await?;
        check_open(view.state)?;
        // Whose log to ask for; the MAC decides whether that is the organisation that the inviter meant.
        let org_id: OrgId = view.offer.claim::<Offer>()?.org_id;
        let log = log_sync::sync(&caller, None, org_id).await?;
        let sealed = SealedOffer {
            offer: view.offer,
            mac: view.offer_mac,
            sealed_opening: view.sealed_opening,
            email: view.email.parse().map_err(|_| {
                Error::verification("offer_email", "the server shows an invite to no address")
            })?,
        };
        let offer = VerifiedOffer::verify(sealed, &code, &log, now())?;
        let inviter =
            Directory::fetch(&caller, &log).await?.person(offer.offer().signer).ok_or_else(|| {
                Error::verification("inviter_unknown", "the server does not show who invited you")
            })?;
        self.device.check_unclaimed_or(offer.opening().email().as_str(), self.server.url())?;
        self.device.check_unclaimed_by_others(offer.offer().user_id)?;
        check_not_certified(&self.device, offer.offer())?;
        Ok(InvitePreview { anonymous: self, caller, code, invite_id: keys.invite_id, offer, log, inviter })
    }
}

/// Joining again under a newer code puts other keys in place of those of an account that nobody has certified. Keys
/// of one that this device has seen in the log are never given up for a code, whatever log the server shows now.
fn check_not_certified(device: &Device, offer: &Offer) -> Result<()> {
    let Some(log) = device.profile()?.map(|_| log_sync::load(device, offer.org_id)).transpose()?.flatten()
    else {
        return Ok(());
    };
    match log.member(offer.user_id) {
        None => Ok(()),
        Some(_) => Err(Problem::new(ErrorCode::AlreadyMember, "this account is a member already").into()),
    }
}

/// Says at once what would otherwise be said only after a password was chosen.
fn check_open(state: InviteState) -> Result<()> {
    let (code, what) = match state {
        InviteState::Open => return Ok(()),
        InviteState::Accepted | InviteState::Certified => (ErrorCode::InviteUsed, "this invite was used"),
        InviteState::Expired => (ErrorCode::InviteExpired, "this invite has expired"),
        InviteState::Replaced => (ErrorCode::InviteReplaced, "a newer invite took this one's place"),
        InviteState::Cancelled => (
            ErrorCode::InviteCancelled,
            "whoever made this invite has left the organisation, or changed their keys since",
        ),
    };
    Err(Problem::new(code, what).into())
}

impl InvitePreview {
    /// The address under which the invitee will be known.
    pub fn email(&self) -> &str {
        self.offer.opening().email().as_str()
    }

    /// What the invitee will be.
    pub fn role(&self) -> Role {
        self.offer.offer().role
    }

    /// The organisation's name.
    pub fn organisation(&self) -> &str {
        self.log.name()
    }

    /// The organisation.
    pub fn org_id(&self) -> OrgId {
        self.log.org_id()
    }

    /// Who invites.
    pub fn inviter(&self) -> &Person {
        &self.inviter
    }

    /// Until when the invite may be accepted; UTC seconds.
    pub fn expires_at(&self) -> u64 {
        self.offer.offer().expiry
    }

    /// Whether the account will need an account key beside its password.
    pub fn needs_account_key(&self) -> bool {
        self.offer.offer().account_key
    }

    /// Prepares the account. Nothing is registered until the kit was confirmed and [`NewAccount::complete`] is
    /// called.
    pub async fn join(self, password: Password) -> Result<NewAccount> {
        let terms = self.offer.offer();
        let seed = AccountSeed::random();
        let account = Account::derive(&seed, terms.org_id, terms.user_id, 1)?;
        let sealed = invite::accept(&self.offer, &self.code, &account)?;
        let admission = Admission::expected(&self.offer, &account);
        let holder = Holder {
            email: self.offer.opening().email().clone(),
            account_key: terms.account_key.then(AccountKey::random),
            seed,
            account,
        };
        let (message, state) = holder.start(&password)?;
        let challenge: RegisterChallenge = self
            .caller
            .post(
                Call::new(routes::INVITE_REGISTER, &[&self.invite_id]),
                &InviteRegister { request: message },
            )
            .await?;
        let registration = holder.register(state, challenge, &self.log).await?;
        let accept = AcceptInvite { accept: sealed.accept, mac: sealed.mac, registration };
        let invitee =
            Invitee { caller: self.caller, invite_id: self.invite_id, accept, admission, log: self.log };
        Ok(NewAccount { anonymous: self.anonymous, holder, pending: Pending::Invitee(Box::new(invitee)) })
    }
}

pub(crate) async fn send_acceptance(invitee: &Invitee) -> Result<NewSession> {
    invitee.caller.post(Call::new(routes::INVITE_ACCEPT, &[&invitee.invite_id]), &invitee.accept).await
}
