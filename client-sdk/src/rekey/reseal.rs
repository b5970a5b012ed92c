//! The content on its way from one key to another: fetched, verified, opened, sealed and sent part by part.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use sealpost_api::{file::FileState, routes};
use sealpost_crypto::id::Digest;

use super::overtaken;
use crate::{
    content::{self, Opening, PARTS_IN_FLIGHT, Sealing},
    error::{Error, ErrorKind, Result},
    file::OpenFile,
    journal::{After, Journal},
    progress::{Meter, OnProgress},
    server::{Call, NO_BODY},
    signed_in::Inner,
    upload::Fresh,
    wire::Wire,
};

/// The next version, whose parts the server has.
pub(super) struct Next {
    pub fresh: Fresh,
    pub digests: Vec<Digest>,
}

/// What every part of one run needs.
struct Run<'a> {
    file: &'a OpenFile,
    fresh: &'a Fresh,
    opening: Opening,
    sealing: Sealing,
    journal: &'a Mutex<Journal<After>>,
    wire: Wire,
    meter: Meter<'a>,
}

impl Inner {
    /// Seals what the server lacks of the next version, and sends it.
    pub(super) async fn reseal(
        &self,
        file: &OpenFile,
        journal: Journal<After>,
        report: OnProgress<'_>,
    ) -> Result<(Journal<After>, Next)> {
        let size = file.metadata.size;
        let place = file.share.manifest().next_place();
        let fresh = Fresh::at(place, journal.file_key.clone(), size)?;
        let stored = self.announce_next(&fresh, &journal).await?;
        let list = self.part_list(file, None).await?;
        let parts = fresh.layout.parts();
        let has = |index: u32| stored.get(index as usize).copied() == journal.digest(index);
        let missing: Vec<u32> =
            (0..parts).filter(|index| journal.digest(*index).is_none() || !has(*index)).collect();
        let meter = Meter::new(size, report);
        let content =
            |index: u32| fresh.layout.part(index).map_or(0, |part| part.content_length(size) as u64);
        meter.advance((0..parts).filter(|index| missing.binary_search(index).is_err()).map(content).sum());
        let journal = Mutex::new(journal);
        let run = Run {
            file,
            fresh: &fresh,
            opening: Opening { size, list: Arc::new(list), keys: Arc::clone(&file.keys) },
            sealing: fresh.sealing(),
            journal: &journal,
            wire: Wire::new(),
            meter,
        };
        let moved = stream::iter(missing).map(|index| self.move_part(&run, index)).buffered(PARTS_IN_FLIGHT);
        moved.try_collect::<()>().await?;
        drop(run);
        let journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
        let digests = journal.sealed().values().copied().collect();
        Ok((journal, Next { fresh, digests }))
    }

    /// Tells the server of the next version; the digests of the parts that it has. Parts under another key are those of
    /// another device, or of one that lost its journal: the last one wins.
    async fn announce_next(&self, fresh: &Fresh, journal: &Journal<After>) -> Result<Vec<Digest>> {
        self.begin_next(fresh).await?;
        let stored = self.stored_parts(fresh).await?;
        let is_foreign = |(index, digest): (usize, &Digest)| {
            *digest != Digest::ZERO && journal.digest(index as u32) != Some(*digest)
        };
        if !stored.iter().enumerate().any(is_foreign) {
            return Ok(stored);
        }
        let (file_id, version) = (fresh.place.file_id, fresh.place.version);
        let values: [&(dyn std::fmt::Display + Sync); 2] = [&file_id, &version];
        let cancel = Call::new(routes::CANCEL_VERSION, &values);
        self.caller.post_empty(cancel, NO_BODY).await.map_err(|error| match error.code() {
            "already_complete" => overtaken(),
            _ => error,
        })?;
        self.begin_next(fresh).await?;
        Ok(Vec::new())
    }

    async fn begin_next(&self, fresh: &Fresh) -> Result<()> {
        match self.create(fresh).await {
            Ok(view) if view.state == FileState::Uploading => Ok(()),
            Ok(_) => Err(overtaken()),
            // The next version is another one now.
            Err(error) if error.kind() == ErrorKind::Unsupported => Err(overtaken()),
            Err(error) => Err(error),
        }
    }

    /// One part. It comes out as it did before, if it did: it is sealed from the same verified bytes under the same key.
    async fn move_part(&self, run: &Run<'_>, index: u32) -> Result<()> {
        let part = run.fresh.layout.part(index)?;
        let file_id = run.file.file_id();
        let values: [&(dyn std::fmt::Display + Sync); 1] = [&file_id];
        let call = Call::new(routes::DOWNLOAD, &values).of(run.file.share.manifest().get().digest);
        let length = part.ciphertext_length();
        let ciphertext = self.caller.get_range(call, part.ciphertext.start, length).await.map_err(gone)?;
        let sealed =
            content::reseal_part(run.opening.clone(), run.sealing.clone(), index, ciphertext).await?;
        self.record(run.journal, &sealed)?;
        self.put(run.fresh, &sealed, &run.wire).await.map_err(gone)?;
        run.meter.advance(sealed.content);
        Ok(())
    }
}

/// What there was a moment ago is there no more: somebody else of ours changed it.
fn gone(error: Error) -> Error {
    match error.code() {
        "not_found" | "version_replaced" | "part_conflict" | "already_complete" => overtaken(),
        _ => error,
    }
}
