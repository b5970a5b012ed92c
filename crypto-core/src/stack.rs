//! What computations leave on the stack. A frame that was left keeps its bytes until another one overwrites it, and a
//! large value that is moved (a future, above all) takes such remains to the heap along with its unused bytes. So
//! whatever handles secrets by value runs inside [`wiped`].

use std::hint::black_box;

use zeroize::Zeroize;

/// How deep is wiped, in bytes: beyond what X-Wing, the deepest, uses.
const DEPTH: usize = 64 * 1024;

/// Runs `compute`, and wipes the stack below the caller afterwards.
#[inline(never)]
pub(crate) fn wiped<T>(compute: impl FnOnce() -> T) -> T {
    let value = below(compute);
    wipe();
    value
}

/// A frame of its own, so that nothing of `compute` lies in the caller's.
#[inline(never)]
fn below<T>(compute: impl FnOnce() -> T) -> T {
    compute()
}

#[inline(never)]
fn wipe() {
    let mut frame = [0_u64; DEPTH / size_of::<u64>()];
    frame.zeroize();
    black_box(&frame);
}
