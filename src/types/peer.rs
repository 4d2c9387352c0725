//! Who a peer is: its key, the name it gives itself, and the nonce of one run of it.

use std::{fmt, str::FromStr, sync::Arc};

use data_encoding::{BASE32_NOPAD, Encoding, Specification};

/// What fits a column; a longer name is cut, not refused.
const NAME_CHARS_MAX: usize = 32;
/// Characters of the short form in tables and messages: 40 bits, enough for one room.
const SHORT_CHARS: usize = 8;

/// A peer's Ed25519 public key. Its text form is 52 characters of lower-case base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Any 32 bytes: whether they are a valid key shows in the handshake.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 8 characters of the text form.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT_CHARS);
        text
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let bytes = lower_base32().decode(text.as_bytes()).map_err(|_| PeerIdError)?;
        bytes.try_into().map(Self).map_err(|_| PeerIdError)
    }
}

fn lower_base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("32 distinct symbols are a valid base32 alphabet")
}

/// Why a text is no PeerId.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a peer id is 52 lower-case letters and digits 2 to 7")]
pub struct PeerIdError;

/// The name a peer gives itself: cleaned and cut, never refused, not unique, proof of nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName(Arc<str>);

impl PeerName {
    /// `text` without unsafe characters, at most 32 characters; `?` when nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let cleaned = super::text::clean(text.trim(), NAME_CHARS_MAX);
        Self(if cleaned.is_empty() { "?".into() } else { cleaned.into() })
    }

    /// The cleaned name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A random number made at each start: two runs with one key and different nonces are a cloned home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceNonce(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_ids_go_through_text() {
        let id = PeerId::from_bytes(std::array::from_fn(|i| i as u8 * 7));
        let text = id.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.short(), text[..8]);
        for bad in ["", "abc", &text.to_uppercase(), &format!("{text}a"), &text.replace('a', "1")] {
            assert_eq!(bad.parse::<PeerId>(), Err(PeerIdError), "{bad:?}");
        }
    }

    #[test]
    fn names_are_cleaned_never_refused() {
        assert_eq!(PeerName::new(" se\x1b]0;at\u{7}-17 ").as_str(), "se]0;at-17");
        assert_eq!(PeerName::new("\u{202e}").as_str(), "?");
        assert_eq!(PeerName::new(&"x".repeat(99)).as_str().len(), 32);
    }
}
