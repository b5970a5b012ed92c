//! Random bytes, always from the operating system's generator. A generator of the process would be faster, and its
//! buffer on the heap would keep what it gave: keys, and what encapsulated them.

use rand::{CryptoRng, Rng, rand_core::UnwrapErr, rngs::SysRng};

/// Fills `bytes`.
///
/// # Panics
/// If the operating system has no random bytes to give; nothing can be done safely then.
pub fn fill(bytes: &mut [u8]) {
    system().fill_bytes(bytes);
}

/// The generator itself, for libraries that draw from it.
pub(crate) fn system() -> impl CryptoRng {
    UnwrapErr(SysRng)
}
