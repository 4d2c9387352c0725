//! The only source of randomness: the operating system's. Cores get what they need from here as
//! plain numbers, so that a test can hand them the same ones again.

#![expect(clippy::disallowed_methods, reason = "this file owns randomness")]

use crate::types::InstanceNonce;

/// Fills `bytes` from the system's generator.
///
/// # Panics
/// When the system has no generator: nothing that follows (keys, nonces) could be trusted.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has a random number generator");
}

/// 64 random bits, for seeds.
#[must_use]
pub fn seed() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// The nonce of this start of the program.
#[must_use]
pub fn instance_nonce() -> InstanceNonce {
    InstanceNonce(seed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_starts_differ() {
        assert_ne!(instance_nonce(), instance_nonce());
    }
}
