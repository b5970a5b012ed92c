//! Where a device keeps its state: a few small named blobs. Everything in it is the user's own and trusted;
//! what it holds is in [`crate::device`].

mod folder;
mod memory;
mod sealed;

pub use folder::FolderStore;
pub use memory::MemoryStore;
pub use sealed::{Keyring, SealedStore};

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::Result;

/// Named blobs of one identity on one device. Implementations write atomically: after a crash a blob is the old
/// one or the new one.
pub trait StateStore: Send + Sync {
    /// The blob, or `None` if there is none.
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>>;

    /// Replaces the blob, durably.
    fn save(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Removes the blob if it is there.
    fn remove(&self, name: &str) -> Result<()>;

    /// Where a person finds the blob, if it is in a place that can be named.
    fn place(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    /// Waits for the lock of this name over this state (between processes too) and holds it until the guard is
    /// dropped. Blocks; callers keep off the async threads.
    fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>>;
}

/// Holds [`StateStore::lock`] until dropped.
pub trait StoreGuard: Send {}
