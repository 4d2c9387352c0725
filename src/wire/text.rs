//! Domain types as JSON text: each is checked by its one constructor while it is read.

use std::{fmt, marker::PhantomData};

use serde::{Deserializer, Serializer, de};

use crate::types::{ContentId, FileHash, GameId, InstanceNonce, LibraryDigest, PayloadPath, PeerId, PeerName, Version};

/// A type with a text form.
pub(super) trait Text: Sized {
    fn from_text(text: &str) -> Result<Self, String>;
    fn to_text(&self) -> String;
}

macro_rules! text_by_from_str {
    ($($name:ty),*) => {$(
        impl Text for $name {
            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }
            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

macro_rules! text_by_new {
    ($($name:ty),*) => {$(
        impl Text for $name {
            fn from_text(text: &str) -> Result<Self, String> {
                <$name>::new(text).map_err(|error| error.to_string())
            }
            fn to_text(&self) -> String {
                self.as_str().to_owned()
            }
        }
    )*};
}

text_by_from_str!(ContentId, FileHash, LibraryDigest, PeerId);
text_by_new!(GameId, PayloadPath, Version);

impl Text for PeerName {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Text for InstanceNonce {
    fn from_text(text: &str) -> Result<Self, String> {
        if text.len() != 16 {
            return Err("a nonce is 16 hexadecimal digits".to_owned());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|error| error.to_string())
    }

    fn to_text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

pub(super) fn serialize<T: Text, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_text())
}

pub(super) fn deserialize<'de, T: Text, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_str(TextVisitor(PhantomData))
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> de::Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }
}
