//! How fast content is sealed and opened: 256 MiB in parts of 8 MiB, on one thread and on two.
//!
//! The goal is 1 GB/s of sealing on two cores. Opening includes the check of every part's digest.

use std::{hint::black_box, thread};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sealpost_crypto::{
    chunk::{open_part, seal_part},
    parts::{PartList, content_digest, part_digest},
    secret::ContentKey,
    size::{Layout, PART_PLAINTEXT},
};

/// Plaintext sealed per round, bytes.
const TOTAL: u64 = 256 << 20;

/// Seals every `threads`-th part of the file, beginning with `first`; one plaintext stands for all of them.
fn seal_share(key: &ContentKey, layout: &Layout, plaintext: &[u8], first: u32, threads: u32) {
    let mut out = Vec::new();
    for index in (first..layout.parts()).step_by(threads as usize) {
        if seal_part(key, layout, index, plaintext, &mut out).is_ok() {
            black_box(part_digest(&out));
        }
    }
}

fn seal(c: &mut Criterion) {
    let key = ContentKey::random();
    let Ok(layout) = Layout::for_size(TOTAL) else { return };
    let plaintext = vec![0x5a; PART_PLAINTEXT as usize];
    let mut group = c.benchmark_group("256 MiB");
    group.throughput(Throughput::Bytes(TOTAL)).sample_size(10);
    for threads in [1, 2] {
        group.bench_function(format!("seal and digest, {threads} thread(s)"), |bencher| {
            bencher.iter(|| {
                thread::scope(|scope| {
                    for first in 0..threads {
                        scope.spawn({
                            let (key, layout, plaintext) = (&key, &layout, &plaintext);
                            move || seal_share(key, layout, plaintext, first, threads)
                        });
                    }
                });
            });
        });
    }
    group.bench_function("seal without digest, 1 thread", |bencher| {
        let mut out = Vec::new();
        bencher.iter(|| {
            for index in 0..layout.parts() {
                black_box(seal_part(&key, &layout, index, &plaintext, &mut out).is_ok());
            }
        });
    });
    group.finish();
}

fn open(c: &mut Criterion) {
    let key = ContentKey::random();
    let Ok(layout) = Layout::for_size(PART_PLAINTEXT) else { return };
    let mut sealed = Vec::new();
    if seal_part(&key, &layout, 0, &vec![0x5a; PART_PLAINTEXT as usize], &mut sealed).is_err() {
        return;
    }
    let digests = vec![part_digest(&sealed)];
    let expected = content_digest(layout.ciphertext_length(), &digests);
    let Ok(list) = PartList::verify(layout, digests, &expected) else { return };
    let mut group = c.benchmark_group("8 MiB");
    group.throughput(Throughput::Bytes(PART_PLAINTEXT));
    group.bench_function("check and open, 1 thread", |bencher| {
        let mut buffer = sealed.clone();
        bencher.iter(|| {
            // Opening is in place, so every round begins with a copy; it costs little beside the rest.
            buffer.copy_from_slice(&sealed);
            black_box(list.check(0, &mut buffer).map(|part| open_part(&key, part).is_ok()).is_ok());
        });
    });
    group.finish();
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
