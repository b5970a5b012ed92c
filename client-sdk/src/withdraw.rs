//! What a former member left behind, and taking it out of circulation (protocol §7.7).

use sealpost_api::{
    file::{LeftFileView, LeftShareView, WithdrawFile},
    paging::{Page as ApiPage, PageQuery},
    routes,
};
use sealpost_crypto::{
    email::EmailAddress,
    id::{FileId, UserId},
    log::Log,
    record::parse,
    records::{Manifest, Role, Share, ShareContext, Withdraw},
    withdraw::{self, WithdrawError},
};

use crate::{
    directory::{Directory, Person},
    error::{Error, ErrorKind, Result},
    file::other_file,
    list::{Page, Rejected},
    server::Call,
    signed_in::SignedIn,
};

/// Entries asked for at one time.
const PAGE: u32 = 50;

/// A file that a former member left behind. Its name and content are for its recipients only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftFile {
    /// The file.
    pub file_id: FileId,
    /// Whose.
    pub owner: Person,
    /// Bytes of ciphertext.
    pub stored_size: u64,
    /// When the owner sealed it, by their clock; UTC seconds.
    pub sealed_at: u64,
    /// With whom it was shared.
    pub shares: Vec<LeftShare>,
    /// Whether there are more shares than these.
    pub more_shares: bool,
    /// Who took it out of circulation.
    pub withdrawn_by: Option<Person>,
}

/// A share of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftShare {
    /// With whom.
    pub recipient: Person,
    /// When, by the owner's clock; UTC seconds.
    pub shared_at: u64,
    /// Downloads begun, by the server's word.
    pub downloads: u64,
    /// Whether the owner had ended it, by the server's word.
    pub ended: bool,
}

impl SignedIn {
    /// What the former members of this address left behind, newest first: one page for each account that had it.
    ///
    /// # Errors
    /// [`ErrorKind::RecipientUnknown`] if nobody has left under this address.
    pub async fn left_files(&self, email: &EmailAddress, cursor: Option<String>) -> Result<Page<LeftFile>> {
        let inner = &self.inner;
        let log = inner.ops_log().await?;
        let directory = Directory::fetch(&inner.caller, &log).await?;
        let former = directory.former(&log, email);
        let (owner, cursor) = place(&former, cursor).ok_or_else(|| nobody_left(email))?;
        let query = PageQuery { cursor, limit: Some(PAGE) };
        let page: ApiPage<LeftFileView> =
            inner.caller.query(Call::new(routes::LEFT_FILES, &[&owner]), &query).await?;
        let mut list = Page { items: Vec::new(), rejected: Vec::new(), next_cursor: None };
        for view in &page.items {
            match left_file(&log, &directory, owner, view) {
                Ok(file) => list.items.push(file),
                Err(error) => list.rejected.push(Rejected { file_id: view.file_id, error }),
            }
        }
        list.next_cursor = next_place(&former, owner, page.next_cursor);
        Ok(list)
    }

    /// Takes a former member's file out of circulation: nobody is offered it any more. The server keeps it, and our
    /// signature, as evidence. Again is fine.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no former member owns such a file; [`ErrorKind::Conflict`] (`owner_active`) for a file
    /// of our own.
    pub async fn withdraw(&self, file_id: FileId) -> Result<()> {
        let inner = &self.inner;
        let record = {
            let log = inner.ops_log().await?;
            withdraw::sign(&log.ops_signer(&inner.account)?, file_id)?.into_raw()
        };
        let body = WithdrawFile { record };
        let outcome = inner.caller.post_empty(Call::new(routes::WITHDRAW, &[&file_id]), Some(&body)).await;
        outcome.map_err(|error| if error.kind() == ErrorKind::NotFound { not_left() } else { error })
    }
}

/// Of several accounts one after the other: whose page comes next, and from where. A cursor of ours is `USER_ID` or
/// `USER_ID:CURSOR`.
fn place(former: &[UserId], cursor: Option<String>) -> Option<(UserId, Option<String>)> {
    let Some(cursor) = cursor else { return former.first().map(|owner| (*owner, None)) };
    let (owner, rest) = cursor.split_once(':').map_or((cursor.as_str(), None), |(a, b)| (a, Some(b)));
    let owner = owner.parse().ok().filter(|owner| former.contains(owner))?;
    Some((owner, rest.map(str::to_owned)))
}

fn next_place(former: &[UserId], owner: UserId, next: Option<String>) -> Option<String> {
    if let Some(next) = next {
        return Some(format!("{owner}:{next}"));
    }
    let following = former.iter().skip_while(|other| **other != owner).nth(1);
    following.map(ToString::to_string)
}

/// What the owner's own signatures say, whether they count or not: it is shown to be withdrawn, not to be used.
fn left_file(log: &Log, directory: &Directory, owner: UserId, view: &LeftFileView) -> Result<LeftFile> {
    let manifest = log.verify_authored::<Manifest>(view.manifest.clone()).map_err(invalid)?;
    if (manifest.signer, manifest.file_id, manifest.version) != (owner, view.file_id, view.version) {
        return Err(other_file());
    }
    let shares = view.shares.iter().map(|share| left_share(log, directory, owner, view, share));
    let withdrawn_by = view.withdrawal.clone().map(|record| {
        let record = log.verify_authored::<Withdraw>(record).map_err(invalid)?;
        // Who shows a Client's signature here, or the owner's, would have us leave the file in circulation.
        let is_ops = log.member(record.signer).is_some_and(|member| member.role == Role::Ops);
        if !is_ops || record.signer == owner {
            return Err(WithdrawError::NotActiveOps.into());
        }
        if record.file_id == view.file_id { known(directory, record.signer) } else { Err(other_file()) }
    });
    Ok(LeftFile {
        file_id: view.file_id,
        owner: known(directory, owner)?,
        stored_size: manifest.length,
        sealed_at: manifest.time,
        shares: shares.filter_map(Result::transpose).collect::<Result<_>>()?,
        more_shares: view.more_shares,
        withdrawn_by: withdrawn_by.transpose()?,
    })
}

/// `None` for one that went on with a newer version: that one's share stands for it.
fn left_share(
    log: &Log,
    directory: &Directory,
    owner: UserId,
    file: &LeftFileView,
    view: &LeftShareView,
) -> Result<Option<LeftShare>> {
    let share = log.verify_authored::<Share>(view.record.clone()).map_err(invalid)?;
    let context: ShareContext = parse(&share.context.0)?;
    if (share.signer, context.file_id) != (owner, file.file_id) {
        return Err(other_file());
    }
    if context.version < file.version && !view.ended {
        return Ok(None);
    }
    let recipient = known(directory, context.recipient)?;
    let (downloads, ended) = (view.downloads, view.ended);
    Ok(Some(LeftShare { recipient, shared_at: context.time, downloads, ended }))
}

fn known(directory: &Directory, user_id: UserId) -> Result<Person> {
    directory.person(user_id).ok_or_else(|| {
        Error::verification("person_unknown", "the server does not show whose account this is")
    })
}

fn invalid(error: sealpost_crypto::log::AuthorError) -> Error {
    Error::verification(error.code(), error.to_string())
}

fn nobody_left(email: &EmailAddress) -> Error {
    let message = format!("no former member has had the address {email}");
    Error::new(ErrorKind::RecipientUnknown, "recipient_unknown", message)
        .with_hint("`sealpost contacts --all` shows who has left.")
}

fn not_left() -> Error {
    Error::new(ErrorKind::NotFound, "not_found", "no former member has left a file with this id").with_hint(
        "`sealpost left EMAIL` lists what somebody left behind. While an owner is a member, only they end its shares.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_several_accounts_are_one_list() {
        let former = [UserId::new([1; 16]), UserId::new([2; 16])];
        let mut cursor = None;
        let mut visited = Vec::new();
        for next in [Some("x:y"), None, None] {
            let (owner, rest) = place(&former, cursor.take()).unwrap();
            visited.push((owner, rest));
            cursor = next_place(&former, owner, next.map(str::to_owned));
        }
        assert_eq!(cursor, None);
        assert_eq!(visited, [(former[0], None), (former[0], Some("x:y".into())), (former[1], None)]);
        assert!(place(&former, Some("zz".into())).is_none());
        assert!(place(&former, Some(UserId::new([3; 16]).to_string())).is_none());
        assert!(place(&[], None).is_none());
    }
}
