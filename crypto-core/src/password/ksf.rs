//! The key-stretching function of suite 1 (protocol §2): Argon2id (RFC 9106), version 0x13, m = 64 MiB, t = 3,
//! p = 4, salt 16 zero bytes. OPAQUE's input to it is already unique per account, so the salt need not be.

use argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::{
    errors::InternalError,
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};

/// Memory in KiB.
const MEMORY: u32 = 65_536;
/// Passes.
const PASSES: u32 = 3;
/// Lanes.
const LANES: u32 = 4;
/// Salt.
const SALT: [u8; 16] = [0; 16];

/// Argon2id with the pinned cost. Neither a server nor a caller can choose another.
#[derive(Default)]
pub(super) struct PinnedArgon2id;

impl Ksf for PinnedArgon2id {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        let params =
            Params::new(MEMORY, PASSES, LANES, Some(output.len())).map_err(|_| InternalError::KsfError)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&input, &SALT, &mut output)
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}
