//! How this device keeps its account's secrets: sealed by the desktop's keyring, or in a file that only its user can
//! read. Chosen by signing in, and kept to from then on.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sealpost_client::store::{FolderStore, SealedStore, StateStore};
use tokio::task::spawn_blocking;

use crate::{
    args::KeyringArg,
    exit::Exit,
    failure::{Failure, Outcome},
    keyring::{DesktopKeyring, Trouble},
    output::KeysKept,
    printer::Printer,
    prompt::Prompter,
};

/// The state folder and the keyring beside it.
pub struct Keys {
    state: PathBuf,
    keyring: DesktopKeyring,
}

impl Keys {
    /// Of the state in this folder.
    pub fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), keyring: DesktopKeyring::new(state) }
    }

    /// The state as whoever signed in here left it.
    pub async fn open(&self, prompter: &Prompter) -> Outcome<Arc<dyn StateStore>> {
        let folder = self.folder()?;
        if SealedStore::needs_keyring(&*folder)? {
            self.ready(prompter.interactive()).await?.map_err(sealpost_client::Error::from)?;
        }
        Ok(Arc::new(SealedStore::new(folder, Arc::new(self.keyring.clone()))))
    }

    /// The state for signing in, with its secrets kept as `choice` says from now on.
    pub async fn choose(
        &self,
        choice: KeyringArg,
        printer: &Printer,
        prompter: &Prompter,
    ) -> Outcome<Arc<dyn StateStore>> {
        let folder = self.folder()?;
        let sealed = SealedStore::needs_keyring(&*folder)?;
        let seal = match choice {
            KeyringArg::Auto if !sealed => self.usable_now(printer).await?,
            KeyringArg::Off if !sealed => false,
            _ => {
                let ready = self.ready(prompter.interactive()).await?;
                ready.map_err(|trouble| {
                    if sealed { sealpost_client::Error::from(trouble).into() } else { refused(trouble) }
                })?;
                choice != KeyringArg::Off
            }
        };
        let keyring = Arc::new(self.keyring.clone());
        let store = spawn_blocking(move || SealedStore::sign_in(folder, keyring, seal)).await;
        Ok(Arc::new(store.map_err(interrupted)??))
    }

    /// How the keys of whoever is signed in are kept.
    pub fn kept(&self) -> Outcome<KeysKept> {
        let sealed = SealedStore::session_is_sealed(&*self.folder()?)?;
        Ok(if sealed { KeysKept::Keyring } else { KeysKept::File })
    }

    fn folder(&self) -> Outcome<Arc<FolderStore>> {
        Ok(Arc::new(FolderStore::open(&self.state)?))
    }

    async fn ready(&self, ask: bool) -> Outcome<Result<(), Trouble>> {
        let keyring = self.keyring.clone();
        spawn_blocking(move || keyring.ready(ask)).await.map_err(interrupted)
    }

    /// Whether there is a keyring; one that would first have to be unlocked is not taken without being asked for.
    async fn usable_now(&self, printer: &Printer) -> Outcome<bool> {
        match self.ready(false).await? {
            Ok(()) => return Ok(true),
            Err(Trouble::Unreachable(why)) => {
                printer.detail(&format!("No keyring ({why}): keys go to a file that only you can read."));
            }
            Err(Trouble::Locked) => printer.note(
                "The keyring is locked: keys go to a file that only you can read (`--keyring on` insists on it).",
            ),
        }
        Ok(false)
    }
}

/// `--keyring on`, and nothing is sealed yet that would need it.
fn refused(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Locked => sealpost_client::Error::from(trouble).into(),
        Trouble::Unreachable(why) => {
            let message = format!("there is no keyring to keep the keys in: {why}");
            Failure::new(Exit::LocalFile, "keyring_unreachable", message)
                .hint("Leave `--keyring on` out: the keys go to a file that only you can read.")
        }
    }
}

fn interrupted(_: tokio::task::JoinError) -> Failure {
    Failure::interrupted()
}
