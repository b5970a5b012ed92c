//! The files of one group on their way to the server.

use std::path::Path;

use futures_util::{FutureExt, StreamExt, stream};
use sealpost_crypto::{
    id::{Digest, FileId},
    manifest::VerifiedManifest,
};

use crate::{
    deliver::Delivery,
    error::{Error, Result},
    journal::{self, Before, JournalName, Known, Look, Remembered},
    share_many::Granted,
    signed_in::Inner,
    source::{NewFile, Source},
    store::StoreGuard,
    upload::{self, Again, Batch, FIRST_VERSION, UnderWay, Uploaded, Whole, is_small},
};

/// Files that are read and sealed at the same time.
const SEALING: usize = 8;

/// What files are uploaded for.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// As one call that may be given again, which `run` names if it has a name.
    Upload { again: Again, run: Option<Digest> },
    /// Once for their content and note.
    Deliver,
}

/// A file that is on the server.
pub(super) struct Stored {
    pub file: Uploaded,
    /// What had been uploaded from its path before.
    pub before: Before,
    /// Of a file that was created just now.
    pub granted: Option<Granted>,
}

/// What became of a group's files. Until it is dropped, no other process uploads from their paths.
pub(super) struct StoredGroup {
    pub files: Vec<Result<Stored>>,
    _names: Vec<Box<dyn StoreGuard>>,
}

/// A file that is to be created.
struct New {
    at: usize,
    whole: Whole,
    before: Before,
    fingerprint: Option<Digest>,
}

/// What is known about a file before anything of it is read.
enum Found {
    There(Box<Stored>),
    New { before: Before, fingerprint: Option<Digest> },
}

/// The same, and what is new is sealed.
enum Seen {
    There(Box<Stored>),
    New(Box<New>),
}

impl Inner {
    /// One small file by itself whose upload was interrupted in a batch; `None` for every other file.
    pub(crate) async fn upload_resumed(
        &self,
        path: &Path,
        note: &str,
        way: Way,
    ) -> Result<Option<(Before, Uploaded)>> {
        if !UnderWay::load(&self.device)?.has(JournalName::of(path))
            || !is_small(Source::open(path).await?.size)
        {
            return Ok(None);
        }
        let file = Delivery { path: path.to_owned(), note: note.to_owned(), recipients: Vec::new() };
        let stored = self.store_small(std::slice::from_ref(&file), way).await?.files.pop();
        let uploaded = stored.map(|stored| stored.map(|stored| (stored.before, stored.file))).transpose()?;
        self.flush(&*self.log().await).await?;
        Ok(uploaded)
    }

    /// Creates those of a group's files that are not there yet, in one request.
    pub(super) async fn store_small(&self, files: &[Delivery], way: Way) -> Result<StoredGroup> {
        let names: Vec<JournalName> = files.iter().map(|file| JournalName::of(&file.path)).collect();
        let guards = JournalName::lock_all(names.iter().copied(), &self.device).await?;
        let mut batch = Batch::hold(&self.device).await?;
        let known = Known::load(&self.device)?;
        let finished =
            names.iter().copied().filter(|name| batch.under_way.is_of(*name, known.file_id(*name)));
        let finished: Vec<JournalName> = finished.collect();
        batch.forget(&self.device, finished)?;
        let looking = files
            .iter()
            .enumerate()
            .map(|(at, file)| self.look_at(at, file, way, &known, &batch.under_way).boxed());
        let seen: Vec<Result<Seen>> =
            stream::iter(looking.collect::<Vec<_>>()).buffered(SEALING).collect().await;
        let (mut stored, mut new) = (Vec::with_capacity(files.len()), Vec::new());
        for file in seen {
            stored.push(match file {
                Ok(Seen::There(there)) => Ok(*there),
                Ok(Seen::New(file)) => {
                    new.push(*file);
                    Err(Error::internal("a file was not decided"))
                }
                Err(error) => Err(error),
            });
        }
        if !new.is_empty() {
            self.create_new(&mut batch, files, new, way, &mut stored).await?;
        }
        Ok(StoredGroup { files: stored, _names: guards })
    }

    /// Finds the file there, or seals it.
    async fn look_at(
        &self,
        at: usize,
        file: &Delivery,
        way: Way,
        known: &Known,
        under_way: &UnderWay,
    ) -> Result<Seen> {
        Ok(match self.find(file, way, known).await? {
            Found::There(stored) => Seen::There(stored),
            Found::New { before, fingerprint } => {
                let whole = self.seal_whole(&file.path, &file.note, Some(under_way)).await?;
                Seen::New(Box::new(New { at, whole, before, fingerprint }))
            }
        })
    }

    async fn find(&self, file: &Delivery, way: Way, known: &Known) -> Result<Found> {
        let (path, name) = (&file.path, JournalName::of(&file.path));
        let source = Source::open(path).await?;
        let what = source.describe(&file.note);
        upload::check(&what)?;
        if let Way::Upload { again, run } = way {
            return match known.unchanged(name, &Look::new(source.size, source.modified)) {
                Some(file) if run.is_some() && file.run == run => {
                    Ok(there(file.file_id, what, Before::Nothing))
                }
                Some(file) if again == Again::Refuse => Err(upload::uploaded_before(path, file.file_id)),
                _ => Ok(Found::New { before: Before::Nothing, fingerprint: None }),
            };
        }
        let upload::Found { before, fingerprint, .. } = self.find_before(known, path, &file.note).await?;
        Ok(match before {
            Before::Same(file_id) => there(file_id, what, before),
            _ => Found::New { before, fingerprint: Some(fingerprint) },
        })
    }

    /// Creates what is new, and remembers it.
    async fn create_new(
        &self,
        batch: &mut Batch,
        files: &[Delivery],
        mut new: Vec<New>,
        way: Way,
        stored: &mut [Result<Stored>],
    ) -> Result<()> {
        let outcomes = self.create_or_begin_anew(batch, files, &mut new).await?;
        let run = if let Way::Upload { run, .. } = way { run } else { None };
        let names: Vec<JournalName> = new.iter().map(|file| file.whole.name).collect();
        let mut created = Vec::with_capacity(new.len());
        for (New { at, whole, before, fingerprint }, outcome) in new.into_iter().zip(outcomes) {
            stored[at] = outcome.map(|manifest| {
                let (file_id, file_key) = (whole.file_id(), whole.file_key().clone());
                created.push(Remembered {
                    name: whole.name.digest(),
                    look: whole.look,
                    file_id,
                    fingerprint,
                    run,
                });
                let file = Uploaded { file_id, version: FIRST_VERSION, file: whole.what };
                Stored { file, before, granted: Some(Granted { manifest, file_key }) }
            });
        }
        // Before the journal forgets them: never neither.
        journal::remember(&self.device, created).await?;
        batch.forget(&self.device, names)
    }

    /// Creates all. What an interrupted run had begun and can't be ended that way (it was deleted meanwhile, or the keys
    /// that signed it have changed) begins anew, as another file.
    async fn create_or_begin_anew(
        &self,
        batch: &mut Batch,
        files: &[Delivery],
        new: &mut [New],
    ) -> Result<Vec<Result<VerifiedManifest>>> {
        let wholes: Vec<&Whole> = new.iter().map(|file| &file.whole).collect();
        let mut outcomes = self.create_whole(batch, &wholes).await?;
        let mut anew = Vec::new();
        for (number, file) in new.iter_mut().enumerate() {
            if file.whole.is_resumed() && outcomes[number].is_err() {
                let Delivery { path, note, .. } = &files[file.at];
                match self.seal_whole(path, note, None).await {
                    Ok(whole) => {
                        file.whole = whole;
                        anew.push(number);
                    }
                    Err(error) => outcomes[number] = Err(error),
                }
            }
        }
        if anew.is_empty() {
            return Ok(outcomes);
        }
        let wholes: Vec<&Whole> = anew.iter().map(|number| &new[*number].whole).collect();
        for (number, outcome) in anew.iter().zip(self.create_whole(batch, &wholes).await?) {
            outcomes[*number] = outcome;
        }
        Ok(outcomes)
    }
}

fn there(file_id: FileId, file: NewFile, before: Before) -> Found {
    let file = Uploaded { file_id, version: FIRST_VERSION, file };
    Found::There(Box::new(Stored { file, before, granted: None }))
}
