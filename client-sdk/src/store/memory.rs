//! State in memory: for tests, and for apps that bring their own keeping.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use super::{StateStore, StoreGuard};
use crate::error::Result;

/// State that lives as long as this value and its clones.
#[derive(Clone, Default)]
pub struct MemoryStore {
    blobs: Arc<Mutex<HashMap<String, Zeroizing<Vec<u8>>>>>,
    locked: Arc<(Mutex<HashSet<String>>, Condvar)>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn blobs(&self) -> MutexGuard<'_, HashMap<String, Zeroizing<Vec<u8>>>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.blobs().get(name).cloned())
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.blobs().insert(name.to_owned(), Zeroizing::new(bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.blobs().remove(name);
        Ok(())
    }

    fn lock(&self, name: &str) -> Result<Box<dyn StoreGuard>> {
        let (mutex, freed) = &*self.locked;
        let mut locked = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        while !locked.insert(name.to_owned()) {
            locked = freed.wait(locked).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(Box::new(MemoryGuard { locked: Arc::clone(&self.locked), name: name.to_owned() }))
    }
}

struct MemoryGuard {
    locked: Arc<(Mutex<HashSet<String>>, Condvar)>,
    name: String,
}

impl StoreGuard for MemoryGuard {}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        self.locked.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
        self.locked.1.notify_all();
    }
}
