//! An account that is ready to be registered, once its recovery kit was written down.

use sealpost_api::{auth::Found, invite::AcceptInvite};
use sealpost_crypto::{id::InviteId, invite::Admission, kit::KitText, log::Log};

use crate::{
    anonymous::Anonymous,
    caller::Caller,
    credential::{self, Holder},
    device::Device,
    error::Result,
    join,
    signed_in::{ADMISSION, SignedIn},
    vault,
};

/// A prepared account: on nobody's disk and on no server yet.
#[must_use = "nothing is registered before `complete`"]
pub struct NewAccount {
    pub(crate) anonymous: Anonymous,
    pub(crate) holder: Holder,
    pub(crate) pending: Pending,
}

pub(crate) enum Pending {
    Founder(Box<Found>),
    Invitee(Box<Invitee>),
}

pub(crate) struct Invitee {
    pub caller: Caller,
    pub invite_id: InviteId,
    pub accept: AcceptInvite,
    pub admission: Admission,
    pub log: Log,
}

impl NewAccount {
    /// The recovery kit: without it and without the password, the account is lost. Shown once.
    pub fn kit(&self) -> KitText {
        self.holder.kit()
    }

    /// Registers the account and signs it in. May be repeated after a lost connection: the server takes the
    /// same registration once.
    pub async fn complete(self) -> Result<SignedIn> {
        let Self { anonymous: Anonymous { server, device }, holder, pending } = self;
        let anonymous = Anonymous { server: server.clone(), device: device.clone() };
        match pending {
            Pending::Founder(found) => {
                let session = anonymous.send_founding(&found).await?;
                holder.settle(device, server, session, None).await
            }
            Pending::Invitee(invitee) => {
                let session = join::send_acceptance(&invitee).await?;
                forget_earlier(&device)?;
                device.save(ADMISSION, &invitee.admission)?;
                holder.settle(device, server, session, Some(invitee.log)).await
            }
        }
    }
}

/// What this home may hold of an earlier registration of the same account, which nobody has certified and this one has
/// replaced: what it had seen of its vault, its second factor, a password under way.
fn forget_earlier(device: &Device) -> Result<()> {
    vault::forget(device)?;
    credential::settled(device)?;
    device.forget_account_key()
}
