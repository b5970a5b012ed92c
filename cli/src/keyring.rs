//! The keyring of a desktop session: GNOME Keyring, KWallet, KeePassXC and whatever else speaks the Secret Service API
//! (<https://specifications.freedesktop.org/secret-service/0.2/>) on the session bus.
//!
//! The kernel's keyrings are none: they lose everything at reboot, and with it an Ops member's account key.

use std::{collections::HashMap, path::Path, thread, time::Duration};

use sealpost_client::{Error, ErrorKind, store::Keyring};
use secret_service::{EncryptionType, Error as ServiceError, SecretService};
use tokio::{runtime::Builder, time::timeout};
use zeroize::Zeroizing;

/// A keyring that does not answer within this is none.
const ANSWER: Duration = Duration::from_secs(5);
/// A person who is asked to unlock it gets this long.
const UNLOCK: Duration = Duration::from_secs(120);

/// The session's keyring; reached anew for each call, of which a command makes a handful.
#[derive(Clone)]
pub struct DesktopKeyring {
    label: String,
}

/// Why it can't be used.
#[derive(Debug)]
pub enum Trouble {
    /// There is none, or it does not answer.
    Unreachable(String),
    /// It answers, and somebody must unlock it.
    Locked,
}

impl DesktopKeyring {
    /// `folder`: whose keys a person sees in the keyring's own program.
    pub fn new(folder: &Path) -> Self {
        Self { label: format!("Sealpost: key to {}", folder.display()) }
    }

    /// Finds out whether it can be used now. With `ask`, a locked one asks the person to unlock it. Blocks for so long.
    pub fn ready(&self, ask: bool) -> Result<(), Trouble> {
        let bound = if ask { UNLOCK } else { ANSWER };
        within(bound, async move |service| {
            let collection = service.get_default_collection().await?;
            match collection.ensure_unlocked().await {
                Err(ServiceError::Locked) if ask => collection.unlock().await,
                outcome => outcome,
            }
        })
    }
}

impl Keyring for DesktopKeyring {
    fn find(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let name = name.to_owned();
        let found = within(ANSWER, async move |service| {
            let found = service.search_items(attributes(&name)).await?;
            match (found.unlocked.first(), found.locked.is_empty()) {
                (Some(item), _) => Ok(Some(Zeroizing::new(item.get_secret().await?))),
                (None, true) => Ok(None),
                (None, false) => Err(ServiceError::Locked),
            }
        });
        Ok(found?)
    }

    fn keep(&self, name: &str, key: &[u8]) -> Result<(), Error> {
        let (name, key, label) = (name.to_owned(), Zeroizing::new(key.to_vec()), self.label.clone());
        let kept = within(ANSWER, async move |service| {
            let collection = service.get_default_collection().await?;
            collection.ensure_unlocked().await?;
            let kind = "application/octet-stream";
            collection.create_item(&label, attributes(&name), &key, true, kind).await.map(drop)
        });
        Ok(kept?)
    }

    fn forget(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        let forgotten = within(ANSWER, async move |service| {
            let found = service.search_items(attributes(&name)).await?;
            for item in &found.unlocked {
                item.delete().await?;
            }
            if found.locked.is_empty() { Ok(()) } else { Err(ServiceError::Locked) }
        });
        Ok(forgotten?)
    }
}

/// What an item is found by. Not secret: a keyring keeps it in the clear.
fn attributes(name: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "sealpost"), ("key", name)])
}

/// Connects, works, and disconnects, on a thread and a runtime of its own: state is read and written without async.
fn within<T: Send + 'static>(
    bound: Duration,
    work: impl AsyncFnOnce(&SecretService<'_>) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, Trouble> {
    let thread = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(unreachable)?;
        let talk = async { work(&SecretService::connect(EncryptionType::Dh).await?).await };
        let answer = runtime.block_on(async { timeout(bound, talk).await });
        runtime.shutdown_background();
        answer.map_err(|_| unreachable("it does not answer"))?.map_err(Trouble::from)
    });
    thread.join().unwrap_or_else(|_| Err(unreachable("its client failed")))
}

fn unreachable(why: impl ToString) -> Trouble {
    Trouble::Unreachable(why.to_string())
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Locked | ServiceError::Prompt | ServiceError::PromptDisconnected => Self::Locked,
            ServiceError::NoResult => unreachable("it has no default collection"),
            error => unreachable(error),
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(why) => {
                let message = format!("the keyring that seals this folder's keys can't be reached: {why}");
                Self::new(ErrorKind::State, "keyring_unreachable", message).with_hint(
                    "Run this in the desktop session where you signed in. Where there is none: sign in in another \
                     folder (--home), with the account key from the recovery kit if you are an Ops member.",
                )
            }
            Trouble::Locked => Self::new(ErrorKind::State, "keyring_locked", "the keyring is locked")
                .with_hint("Unlock it, then run the same command again."),
        }
    }
}
