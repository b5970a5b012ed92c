//! The pipelines between plaintext and ciphertext parts: read, seal, hash and send at the same time, with a
//! bounded number of parts in memory; and the reverse.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use sealpost_crypto::{
    chunk,
    device::Fingerprint,
    id::Digest,
    keys::FileKeys,
    parts::{self, PartList},
    secret::VaultKey,
    size::{Layout, Part},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
};
use zeroize::Zeroizing;

use crate::{
    error::{Error, ErrorKind, Result},
    progress::Meter,
};

/// Parts in memory at one time, each with its plaintext and its ciphertext of about 8 MiB.
pub(crate) const PARTS_IN_FLIGHT: usize = 3;
/// Parts in memory at one time where an interrupted transfer goes on: what was fetched and not written is lost then.
pub(crate) const ONE_AT_A_TIME: usize = 1;

/// A part ready to be sent.
pub(crate) struct SealedPart {
    pub index: u32,
    /// Bytes of content in it.
    pub content: u64,
    pub digest: Digest,
    pub bytes: Bytes,
}

/// What is sealed: the file's true size, its layout and its keys.
#[derive(Clone)]
pub(crate) struct Sealing {
    pub size: u64,
    pub layout: Layout,
    pub keys: Arc<FileKeys>,
}

/// Which parts are to be sealed. As an object, like [`SendPart`]: closures as type parameters would keep the future on
/// one thread (rust-lang/rust#102211).
pub(crate) type Wanted<'a> = &'a (dyn Fn(u32) -> bool + Sync);
/// What becomes of a sealed part.
pub(crate) type SendPart<'a> = &'a (dyn Fn(SealedPart) -> BoxFuture<'a, Result<()>> + Sync);

/// Reads the content from `source`, seals the parts that are `wanted`, gives each to `send`, passes over the
/// others. Returns the digests of those sealed, in order.
///
/// # Errors
/// [`ErrorKind::SourceChanged`] if `source` has fewer or more bytes than said.
pub(crate) async fn seal_all<'a, R: AsyncRead + Unpin + Send + 'a>(
    source: R,
    sealing: &'a Sealing,
    wanted: Wanted<'a>,
    send: SendPart<'a>,
) -> Result<Vec<Digest>> {
    // Boxed, as the closures are objects, so that callers may send the future to another thread.
    let sealed =
        stream::try_unfold((source, 0), move |(source, first)| next_wanted(source, first, sealing, wanted))
            .map_ok(move |(index, plaintext)| async move {
                let sealed = seal_part(sealing.clone(), index, plaintext).await?;
                let digest = sealed.digest;
                send(sealed).await?;
                Ok(digest)
            })
            .try_buffered(PARTS_IN_FLIGHT)
            .boxed();
    sealed.try_collect().await
}

/// A part's number and plaintext, and from where to go on.
type NextPart<R> = ((u32, Zeroizing<Vec<u8>>), (R, u32));

async fn next_wanted<R: AsyncRead + Unpin>(
    mut source: R,
    first: u32,
    sealing: &Sealing,
    wanted: Wanted<'_>,
) -> Result<Option<NextPart<R>>> {
    for index in first..sealing.layout.parts() {
        let part = sealing.layout.part(index)?;
        if wanted(index) {
            let plaintext = read_part(&mut source, &part, sealing.size).await?;
            return Ok(Some(((index, plaintext), (source, index + 1))));
        }
        skip_part(&mut source, &part, sealing.size).await?;
    }
    expect_end(&mut source).await?;
    Ok(None)
}

async fn skip_part<R: AsyncRead + Unpin>(source: &mut R, part: &Part, size: u64) -> Result<()> {
    let content = part.content_length(size) as u64;
    let skipped = tokio::io::copy(&mut source.take(content), &mut tokio::io::sink()).await;
    match skipped {
        Ok(skipped) if skipped == content => Ok(()),
        Ok(_) => Err(source_changed("shorter")),
        Err(error) => Err(unreadable(&error)),
    }
}

/// The plaintext of one part: content, then padding zeros.
async fn read_part<R: AsyncRead + Unpin>(
    source: &mut R,
    part: &Part,
    size: u64,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut plaintext = Zeroizing::new(vec![0; part.plaintext_length()]);
    let content = part.content_length(size);
    source.read_exact(&mut plaintext[..content]).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => source_changed("shorter"),
        _ => unreadable(&error),
    })?;
    Ok(plaintext)
}

async fn expect_end<R: AsyncRead + Unpin>(source: &mut R) -> Result<()> {
    match source.read(&mut [0]).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(source_changed("longer")),
        Err(error) => Err(unreadable(&error)),
    }
}

pub(crate) fn unreadable(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::LocalFile, "source_unreadable", format!("can't read the file: {error}"))
        .with_hint("Check the file, and the disk that it is on.")
}

fn source_changed(how: &str) -> Error {
    let message = format!("the file became {how} while it was being uploaded");
    Error::new(ErrorKind::SourceChanged, "source_changed", message)
        .with_hint("Nothing was delivered. Upload it again when nobody is writing to it.")
}

async fn seal_part(sealing: Sealing, index: u32, plaintext: Zeroizing<Vec<u8>>) -> Result<SealedPart> {
    blocking(move || {
        let mut bytes = Vec::new();
        chunk::seal_part(&sealing.keys.content, &sealing.layout, index, &plaintext, &mut bytes)?;
        let content = sealing.layout.part(index)?.content_length(sealing.size) as u64;
        Ok(SealedPart { index, content, digest: parts::part_digest(&bytes), bytes: Bytes::from(bytes) })
    })
    .await
}

/// What is opened: the file's true size, the verified list of its parts, and its keys.
#[derive(Clone)]
pub(crate) struct Opening {
    pub size: u64,
    pub list: Arc<PartList>,
    pub keys: Arc<FileKeys>,
}

impl Opening {
    /// How many parts there are.
    pub(crate) fn parts(&self) -> u32 {
        self.list.layout().parts()
    }
}

/// Fetches the `parts`, checks each against the verified list, opens it, and writes the content in order. At most `in_flight` parts are fetched and not written yet.
pub(crate) async fn open_all<W, F>(
    mut sink: W,
    opening: &Opening,
    parts: Range<u32>,
    in_flight: usize,
    meter: &Meter<'_>,
    fetch: impl Fn(Part) -> F,
) -> Result<()>
where
    W: AsyncWrite + Unpin,
    F: Future<Output = Result<Vec<u8>>>,
{
    let fetch = &fetch;
    let mut opened = stream::iter(parts)
        .map(|index| async move {
            let ciphertext = fetch(opening.list.layout().part(index)?).await?;
            open_part(opening.clone(), index, ciphertext).await
        })
        .buffered(in_flight);
    while let Some(content) = opened.try_next().await? {
        sink.write_all(&content).await.map_err(write_failed)?;
        meter.advance(content.len() as u64);
    }
    sink.flush().await.map_err(write_failed)
}

async fn open_part(opening: Opening, index: u32, ciphertext: Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
    blocking(move || {
        let mut buffer = Zeroizing::new(ciphertext);
        let verified = opening.list.check(index, &mut buffer)?;
        let plaintext = chunk::open_part(&opening.keys.content, verified)?;
        let content = chunk::check_padding(opening.list.layout(), index, opening.size, plaintext)?.len();
        buffer.truncate(content);
        Ok(buffer)
    })
    .await
}

/// Opens one part and seals it under other keys, by the same layout.
pub(crate) async fn reseal_part(
    opening: Opening,
    sealing: Sealing,
    index: u32,
    ciphertext: Vec<u8>,
) -> Result<SealedPart> {
    let mut plaintext = open_part(opening, index, ciphertext).await?;
    // The padding again. The buffer held more than that, so nothing is copied.
    plaintext.resize(sealing.layout.part(index)?.plaintext_length(), 0);
    seal_part(sealing, index, plaintext).await
}

/// How many parts at the front of `file` are already what the list says: each is sealed again and compared, so
/// nothing that a crash, another program or another file left there is taken for content.
pub(crate) async fn count_finished<R: AsyncRead + Unpin>(mut file: R, opening: &Opening) -> Result<u32> {
    let layout = *opening.list.layout();
    let sealing = Sealing { size: opening.size, layout, keys: Arc::clone(&opening.keys) };
    for part in layout.all_parts() {
        let Ok(plaintext) = read_part(&mut file, &part, opening.size).await else { return Ok(part.index) };
        let sealed = seal_part(sealing.clone(), part.index, plaintext).await?;
        if opening.list.digests().get(part.index as usize) != Some(&sealed.digest) {
            return Ok(part.index);
        }
    }
    Ok(layout.parts())
}

/// By what a device knows this content with this note again. Both are read to their end.
pub(crate) async fn fingerprint(mut source: File, note: &str, key: &VaultKey) -> Result<Digest> {
    const PIECE: usize = 1024 * 1024;
    let mut fingerprint = Fingerprint::new(key);
    fingerprint.update(&(note.len() as u64).to_be_bytes());
    fingerprint.update(note.as_bytes());
    let mut piece = Zeroizing::new(vec![0; PIECE]);
    loop {
        let length = source.read(&mut piece).await.map_err(|error| unreadable(&error))?;
        if length == 0 {
            return Ok(fingerprint.finish());
        }
        (fingerprint, piece) = blocking(move || {
            fingerprint.update(&piece[..length]);
            Ok((fingerprint, piece))
        })
        .await?;
    }
}

/// Runs `work` on the threads for long computations.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::internal("a computation was cut short"))?
}

pub(crate) fn write_failed(error: std::io::Error) -> Error {
    let message = match error.kind() {
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        std::io::ErrorKind::BrokenPipe => "whoever reads the output has gone".to_owned(),
        _ => format!("can't write: {error}"),
    };
    Error::new(ErrorKind::LocalFile, "write_failed", message)
        .with_hint("Make room or name another place, then run the same command again.")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex};

    use futures_util::FutureExt;
    use sealpost_crypto::{
        id::{FileId, OrgId},
        keys::Place,
        parts::content_digest,
        secret::FileKey,
        size::PART_PLAINTEXT,
    };

    use super::*;

    /// Two full parts and a bit.
    const SIZE: u64 = 2 * PART_PLAINTEXT + 1_000_000;

    struct Sealed {
        plaintext: Vec<u8>,
        parts: BTreeMap<u32, Vec<u8>>,
        opening: Opening,
        sealing: Sealing,
    }

    async fn sealed() -> Sealed {
        let plaintext: Vec<u8> = (0..SIZE).map(|at| (at * 31 % 251) as u8).collect();
        let place = Place { org_id: OrgId::ZERO, file_id: FileId::ZERO, version: 1 };
        let keys = Arc::new(FileKeys::derive(&FileKey::random(), &place));
        let layout = Layout::for_size(SIZE).unwrap();
        let sealing = Sealing { size: SIZE, layout, keys: Arc::clone(&keys) };
        let parts = Mutex::new(BTreeMap::new());
        let kept = &parts;
        let digests = seal_all(&plaintext[..], &sealing, &|_| true, &|part| {
            kept.lock().unwrap().insert(part.index, part.bytes.to_vec());
            async { Ok(()) }.boxed()
        })
        .await
        .unwrap();
        let digest = content_digest(layout.ciphertext_length(), &digests);
        let list = Arc::new(PartList::verify(layout, digests, &digest).unwrap());
        Sealed {
            plaintext,
            parts: parts.into_inner().unwrap(),
            opening: Opening { size: SIZE, list, keys },
            sealing,
        }
    }

    async fn open(sealed: &Sealed, first: u32) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let report = |_| {};
        let meter = Meter::new(SIZE, &report);
        open_all(
            &mut content,
            &sealed.opening,
            first..sealed.opening.parts(),
            PARTS_IN_FLIGHT,
            &meter,
            |part| async move { Ok(sealed.parts[&part.index].clone()) },
        )
        .await
        .map(|()| content)
    }

    #[tokio::test]
    async fn what_was_sealed_opens_from_any_part_on() {
        let sealed = sealed().await;
        assert_eq!(sealed.parts.len(), 3);
        assert!(open(&sealed, 0).await.unwrap() == sealed.plaintext);
        assert!(open(&sealed, 2).await.unwrap() == sealed.plaintext[2 * PART_PLAINTEXT as usize..]);
    }

    #[tokio::test]
    async fn a_changed_or_swapped_part_is_refused() {
        let mut changed = sealed().await;
        changed.parts.get_mut(&1).unwrap()[4_000_000] ^= 1;
        assert_eq!(open(&changed, 0).await.unwrap_err().code(), "part_mismatch");
        let mut swapped = sealed().await;
        let first = swapped.parts[&0].clone();
        swapped.parts.insert(1, first);
        assert_eq!(open(&swapped, 0).await.unwrap_err().code(), "part_mismatch");
    }

    #[tokio::test]
    async fn parts_that_are_not_wanted_are_passed_over() {
        let sealed = sealed().await;
        let sent = Mutex::new(Vec::new());
        let (log, expected) = (&sent, &sealed.parts);
        seal_all(&sealed.plaintext[..], &sealed.sealing, &|index| index != 1, &|part| {
            let (index, bytes) = (part.index, part.bytes);
            assert!(bytes == expected[&index]);
            log.lock().unwrap().push(index);
            async { Ok(()) }.boxed()
        })
        .await
        .unwrap();
        let mut sent = sent.into_inner().unwrap();
        sent.sort_unstable();
        assert_eq!(sent, [0, 2]);
    }

    #[tokio::test]
    async fn a_source_that_grew_or_shrank_is_noticed() {
        let Sealed { mut plaintext, sealing, .. } = sealed().await;
        let mut outcomes = Vec::new();
        let shorter = plaintext[..plaintext.len() - 1].to_vec();
        plaintext.push(0);
        for source in [shorter, plaintext] {
            for wanted in [true, false] {
                let outcome =
                    seal_all(&source[..], &sealing, &|_| wanted, &|_| async { Ok(()) }.boxed()).await;
                outcomes.push(outcome.unwrap_err().kind());
            }
        }
        assert_eq!(outcomes, [ErrorKind::SourceChanged; 4]);
    }

    #[tokio::test]
    async fn only_parts_that_are_what_the_list_says_count_as_finished() {
        let sealed = sealed().await;
        let part = PART_PLAINTEXT as usize;
        let count = async |bytes: &[u8]| count_finished(bytes, &sealed.opening).await.unwrap();
        assert_eq!(count(&[]).await, 0);
        assert_eq!(count(&sealed.plaintext[..part - 1]).await, 0);
        assert_eq!(count(&sealed.plaintext[..part]).await, 1);
        assert_eq!(count(&sealed.plaintext[..2 * part + 5]).await, 2);
        assert_eq!(count(&sealed.plaintext).await, 3);
        let mut damaged = sealed.plaintext.clone();
        damaged[part + 7] ^= 1;
        assert_eq!(count(&damaged).await, 1);
    }
}
