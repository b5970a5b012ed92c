//! Ending a share, in force or queued (protocol §6.6, §7.5).

use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    share,
    vault::PairKey,
};

use crate::{
    contention::Contention,
    directory::Directory,
    error::{Error, ErrorKind, Result},
    outbox::Outgoing,
    session::now,
    share::OTHERS_SHARE,
    signed_in::{Inner, SignedIn},
};

const NOT_SHARED: &str = "not_shared";

impl SignedIn {
    /// Ends the share of a file with one person, also one that is only queued. Whoever downloaded it may have kept a
    /// copy.
    pub async fn unshare(&self, file_id: FileId, recipient: &EmailAddress) -> Result<()> {
        let inner = &self.inner;
        inner.newest_own_file(file_id).await?;
        // First the intent, then the share: another device that completes the one at this moment finds it taken back,
        // or its share is found here.
        let was_queued = inner.take_back(file_id, recipient).await?;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let user_id = match directory.resolve(&log, recipient) {
            Err(_) if was_queued => return Ok(()),
            Err(error) if error.kind() == ErrorKind::RecipientPending => return Err(not_shared(recipient)),
            outcome => outcome?,
        };
        if user_id == inner.profile.user_id {
            return Err(Error::invalid("a file's owner always has access to it")
                .with_hint("To end it for everybody, delete the file: `sealpost rm FILE_ID`."));
        }
        drop(log);
        let _guard = inner.signing().await?;
        match inner.unshare_with(file_id, user_id, recipient).await {
            Err(error) if was_queued && error.code() == NOT_SHARED => {}
            outcome => outcome?,
        }
        inner.flush(&*inner.log().await).await
    }
}

impl Inner {
    pub(crate) async fn unshare_with(
        &self,
        file_id: FileId,
        recipient: UserId,
        email: &EmailAddress,
    ) -> Result<()> {
        let mut races = Contention::default();
        loop {
            let (log, mut pair) = self.newest_sent_pair(&|_| Ok(recipient)).await?;
            if pair.live(file_id).is_none() {
                return Err(not_shared(email));
            }
            let (record, entry) = share::unshare(&log.ops_signer(&self.account)?, &pair, file_id, now())?;
            drop(log);
            let outgoing = Outgoing::Unshare { file_id, record: record.into_raw() };
            let key = PairKey { sender: self.profile.user_id, recipient };
            match self.send_pair_record(&key, outgoing).await {
                Ok(()) => return self.advance(&mut pair, &entry).await,
                Err(error) if error.code() == "pair_conflict" => {
                    races.lost("pair_conflict", OTHERS_SHARE).await?
                }
                Err(error) => return Err(error),
            }
        }
    }
}

pub(crate) fn not_shared(email: &EmailAddress) -> Error {
    let message = format!("the file is not shared with {email}");
    Error::new(ErrorKind::NotFound, NOT_SHARED, message)
        .with_hint("`sealpost info FILE_ID` shows with whom it is shared.")
}
