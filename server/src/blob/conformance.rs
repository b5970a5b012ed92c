//! What every blob store must do; each store's tests run all of it.

use futures_util::{StreamExt, TryStreamExt, future, stream};
use sealpost_crypto::size::PART_CIPHERTEXT;

use super::*;

/// A key never used before.
pub(crate) fn key() -> BlobKey {
    BlobKey { version: VersionKey { file_id: FileId::random(), version: 1 }, id: BlobId::random() }
}

/// A body that comes in the pieces in which a network might bring it.
pub(crate) fn body(bytes: &[u8]) -> Body {
    let pieces: Vec<_> = bytes.chunks(100_003).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}

/// Everything in `range`.
pub(crate) async fn read_all(
    store: &dyn BlobStore,
    key: BlobKey,
    range: Range<u64>,
) -> Result<Vec<u8>, BlobError> {
    let pieces: Vec<Bytes> = store.read(key, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// The suite.
pub(crate) async fn run(store: &dyn BlobStore) {
    store.check().await.unwrap();
    bytes_come_back(store).await;
    ranges_come_back(store).await;
    a_failed_body_leaves_nothing(store).await;
    a_dropped_put_leaves_nothing(store).await;
    deleting_is_exact_and_idempotent(store).await;
    a_version_keeps_only_what_is_named(store).await;
    many_at_once(store).await;
    many_in_one_go(store).await;
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
}

async fn bytes_come_back(store: &dyn BlobStore) {
    for length in [1, 4_112, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, PART_CIPHERTEXT as usize] {
        let (key, bytes) = (key(), sample(length));
        store.put(key, body(&bytes)).await.unwrap();
        assert!(read_all(store, key, 0..length as u64).await.unwrap() == bytes, "{length} bytes changed");
    }
}

async fn ranges_come_back(store: &dyn BlobStore) {
    let (key, bytes) = (key(), sample(3 * PIECE + 5));
    store.put(key, body(&bytes)).await.unwrap();
    let piece = PIECE as u64;
    let end = bytes.len() as u64;
    for range in [0..1, 1..2, piece - 1..piece + 1, piece..2 * piece, 5..end, end - 1..end, 7..7] {
        let expected = &bytes[range.start as usize..range.end as usize];
        assert!(read_all(store, key, range.clone()).await.unwrap() == expected, "{range:?} differs");
    }
    for beyond in [0..end + 1, end..end + 1, end + piece..end + piece + 1] {
        let read = read_all(store, key, beyond.clone()).await;
        assert!(matches!(read, Err(BlobError::Missing)), "{beyond:?} was served");
    }
}

async fn a_failed_body_leaves_nothing(store: &dyn BlobStore) {
    for error in [BodyError::Cut, BodyError::TooSlow, BodyError::Length, BodyError::Digest] {
        let key = key();
        let failing = body(&sample(2 * PIECE)).chain(stream::iter([Err(error)])).boxed();
        let put = store.put(key, failing).await;
        assert!(matches!(put, Err(PutError::Body(found)) if found == error), "{put:?}");
        assert!(is_missing(store, key).await, "something stayed after {error}");
    }
}

async fn a_dropped_put_leaves_nothing(store: &dyn BlobStore) {
    let key = key();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let mut sender = Some(sender);
    let waiting = stream::once(async move {
        drop(sender.take());
        future::pending().await
    });
    let stalled = body(&sample(3 * PIECE)).chain(waiting).boxed();
    tokio::select! {
        _ = store.put(key, stalled) => unreachable!("the body never ends"),
        _ = receiver => {}
    }
    for _ in 0..100 {
        if is_missing(store, key).await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("a cut upload stayed");
}

async fn deleting_is_exact_and_idempotent(store: &dyn BlobStore) {
    let kept = key();
    let gone = BlobKey { id: BlobId::random(), ..kept };
    store.put(kept, body(b"kept")).await.unwrap();
    store.put(gone, body(b"gone")).await.unwrap();
    store.delete(gone).await.unwrap();
    store.delete(gone).await.unwrap();
    store.delete(key()).await.unwrap();
    assert!(is_missing(store, gone).await);
    assert_eq!(read_all(store, kept, 0..4).await.unwrap(), b"kept");
}

async fn a_version_keeps_only_what_is_named(store: &dyn BlobStore) {
    let kept = key();
    let stray = BlobKey { id: BlobId::random(), ..kept };
    let other = BlobKey { version: VersionKey { version: 2, ..kept.version }, ..kept };
    for key in [kept, stray, other] {
        store.put(key, body(&sample(PIECE + 1))).await.unwrap();
    }
    store.keep_only(kept.version, &HashSet::from([kept.id])).await.unwrap();
    assert!(is_missing(store, stray).await);
    assert!(!is_missing(store, kept).await && !is_missing(store, other).await);

    store.keep_only(kept.version, &HashSet::new()).await.unwrap();
    store.keep_only(kept.version, &HashSet::new()).await.unwrap();
    assert!(is_missing(store, kept).await);
    assert!(!is_missing(store, other).await, "another version went too");
    store.put(kept, body(b"again")).await.unwrap();
    assert_eq!(read_all(store, kept, 0..5).await.unwrap(), b"again");
}

async fn many_at_once(store: &dyn BlobStore) {
    let first = key();
    let keys: Vec<_> = (0..32).map(|_| BlobKey { id: BlobId::random(), ..first }).collect();
    let puts = keys.iter().enumerate().map(|(n, key)| store.put(*key, body(&vec![n as u8; PIECE + n])));
    future::try_join_all(puts).await.unwrap();
    for (n, key) in keys.iter().enumerate() {
        let read = read_all(store, *key, 0..(PIECE + n) as u64).await.unwrap();
        assert!(read == vec![n as u8; PIECE + n], "blob {n} holds another's bytes");
    }
}

async fn many_in_one_go(store: &dyn BlobStore) {
    store.put_all(Vec::new()).await.unwrap();
    let same_version = key();
    let keys = [key(), same_version, BlobKey { id: BlobId::random(), ..same_version }, key()];
    let content = |n: usize| vec![n as u8; 1 + n * PIECE];
    let blobs = keys.iter().enumerate().map(|(n, key)| (*key, Bytes::from(content(n))));
    store.put_all(blobs.collect()).await.unwrap();
    for (n, key) in keys.iter().enumerate() {
        let read = read_all(store, *key, 0..content(n).len() as u64).await.unwrap();
        assert!(read == content(n), "blob {n} holds another's bytes");
    }
    store.keep_only(same_version.version, &HashSet::new()).await.unwrap();
    store.put(same_version, body(b"again")).await.unwrap();
    assert_eq!(read_all(store, same_version, 0..5).await.unwrap(), b"again");
}

async fn is_missing(store: &dyn BlobStore, key: BlobKey) -> bool {
    matches!(read_all(store, key, 0..1).await, Err(BlobError::Missing))
}
