//! Which files go together. Order is kept: a group is a run of neighbours.

use std::{collections::HashSet, ops::Range, path::Path};

use sealpost_api::limits::MAX_FILES_PER_BATCH;
use sealpost_crypto::size::{Layout, PART_CIPHERTEXT};

use crate::{
    deliver::Delivery,
    device::Device,
    error::Result,
    journal::{Journal, JournalName, Look},
    upload::is_small,
};

/// What manifest, share and metadata of one file come to in a request besides its name and note, bytes. More than it is.
const RECORDS: u64 = 8 * 1024;

/// Files that are sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    files: Range<usize>,
    size: u64,
    is_small: bool,
}

impl Group {
    /// Their places in the list.
    pub(super) fn files(&self) -> Range<usize> {
        self.files.clone()
    }

    /// Bytes of content.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether one request creates them all; else it is a single file that goes by parts.
    pub(super) fn is_small(&self) -> bool {
        self.is_small
    }
}

/// Puts files together. A request is never longer than a part: that is what an interruption may cost.
pub(super) async fn groups(device: &Device, files: &[Delivery]) -> Result<Vec<Group>> {
    let mut groups = Groups::default();
    for file in files {
        let name = JournalName::of(&file.path);
        let size = size(&file.path).await;
        // What can't be read or is too large is told when its turn comes.
        if !is_small(size) || Journal::<Look>::is_under_way(device, name)? {
            groups.large(size);
        } else {
            let ciphertext = Layout::for_size(size)?.ciphertext_length();
            let text = (file.note.len() + file.path.as_os_str().len()) as u64;
            groups.small(name, size, (ciphertext + text).div_ceil(3) * 4 + RECORDS);
        }
    }
    Ok(groups.done)
}

async fn size(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 })
}

#[derive(Default)]
struct Groups {
    done: Vec<Group>,
    names: HashSet<JournalName>,
    length: u64,
}

impl Groups {
    fn end(&self) -> usize {
        self.done.last().map_or(0, |group| group.files.end)
    }

    fn large(&mut self, size: u64) {
        let at = self.end();
        self.done.push(Group { files: at..at + 1, size, is_small: false });
    }

    fn small(&mut self, name: JournalName, size: u64, length: u64) {
        let (at, request) = (self.end(), self.length + length);
        match self.done.last_mut() {
            // One path given twice is uploaded one time after the other.
            Some(group)
                if group.is_small
                    && request <= PART_CIPHERTEXT
                    && group.files.len() < MAX_FILES_PER_BATCH
                    && self.names.insert(name) =>
            {
                group.files.end += 1;
                group.size += size;
                self.length = request;
            }
            _ => {
                self.done.push(Group { files: at..at + 1, size, is_small: true });
                (self.names, self.length) = (HashSet::from([name]), length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::{store::MemoryStore, upload::SMALL};

    async fn grouped(sizes: &[u64]) -> Vec<(Range<usize>, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<Delivery> = sizes
            .iter()
            .enumerate()
            .map(|(number, size)| {
                let path = folder.path().join(number.to_string());
                fs::File::create(&path).unwrap().set_len(*size).unwrap();
                Delivery { path, note: String::new(), recipients: Vec::new() }
            })
            .collect();
        let device = Device::new(Arc::new(MemoryStore::new()));
        let groups = groups(&device, &files).await.unwrap();
        groups.into_iter().map(|group| (group.files(), group.is_small())).collect()
    }

    #[tokio::test]
    async fn neighbours_go_together_as_long_as_a_request_is_no_longer_than_a_part() {
        assert_eq!(grouped(&[]).await, []);
        assert_eq!(grouped(&[0, 10, 5_000]).await, [(0..3, true)]);
        let mixed = grouped(&[10, SMALL + 1, 10, 10, SMALL + 1]).await;
        assert_eq!(mixed, [(0..1, true), (1..2, false), (2..4, true), (4..5, false)]);
        let many = grouped(&[10_240; 1_000]).await;
        assert!(many.len() <= 3 && many.iter().all(|(_, is_small)| *is_small), "{many:?}");
        assert!(grouped(&[1_000_000; 10]).await.iter().all(|(files, _)| files.len() <= 6));
    }

    #[tokio::test]
    async fn one_path_twice_is_never_in_one_request() {
        let path = "a".into();
        let file = Delivery { path, note: String::new(), recipients: Vec::new() };
        let device = Device::new(Arc::new(MemoryStore::new()));
        let groups = groups(&device, &[file.clone(), file]).await.unwrap();
        assert_eq!(groups.len(), 2);
    }
}
