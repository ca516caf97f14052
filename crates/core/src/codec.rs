//! The one encoding: canonical DAG-CBOR, structs as arrays in field order.
//!
//! [`decode`] is total and strict. It checks the length before it reads, and after reading it encodes the
//! value again and compares, so that each value has exactly one accepted encoding.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why bytes were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than the type allows; nothing was read.
    #[error("{bytes} bytes, the limit is {max}")]
    TooLong {
        /// Length of the input.
        bytes: usize,
        /// Longest input accepted.
        max: usize,
    },
    /// Not DAG-CBOR, or not of this type.
    #[error("not well formed: {0}")]
    Malformed(String),
    /// The value is right but its encoding is not the canonical one.
    #[error("not the canonical encoding")]
    NotCanonical,
}

/// Encodes a value.
///
/// # Panics
/// Never for Holdfast's own types: they hold nothing that DAG-CBOR cannot express.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).expect("our types hold nothing that DAG-CBOR cannot express")
}

/// Decodes a value from exactly `bytes`, of which there may be at most `max`.
///
/// # Errors
/// See [`DecodeError`]. No input panics.
pub fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLong { bytes: bytes.len(), max });
    }
    let value: T =
        serde_ipld_dagcbor::from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))?;
    if encode(&value) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

/// BLAKE3 of a value's encoding: its name in Holdfast.
pub fn digest<T: Serialize>(value: &T) -> [u8; 32] {
    *blake3::hash(&encode(value)).as_bytes()
}

/// A list that refuses to grow past `MAX` while it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Bounded<T, MAX> {
    /// Wraps a list, or returns it if it is too long.
    ///
    /// # Errors
    /// If the list has more than `MAX` entries.
    pub fn new(items: Vec<T>) -> Result<Self, Vec<T>> {
        if items.len() > MAX { Err(items) } else { Ok(Self(items)) }
    }

    /// The list itself.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    /// No entries.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> std::ops::Deref for Bounded<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a Bounded<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize, const MAX: usize> Serialize for Bounded<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> de::Visitor<'de> for List<T, MAX> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                // The claimed length is not trusted: memory follows the entries that really arrive.
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(de::Error::invalid_length(MAX + 1, &self));
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }

        deserializer.deserialize_seq(List::<T, MAX>(PhantomData)).map(Self)
    }
}

/// Text of at most `MAX` bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(String);

/// Why a text was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text must be at most {max} bytes and hold no control characters")]
pub struct TextError {
    /// Most bytes allowed.
    pub max: usize,
}

impl<const MAX: usize> Text<MAX> {
    /// Checks and wraps a text.
    ///
    /// # Errors
    /// If it is longer than `MAX` bytes or holds a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.len() > MAX || text.chars().any(char::is_control) {
            return Err(TextError { max: MAX });
        }
        Ok(Self(text))
    }

    /// What fits of a text: control characters are left out, and it is cut between two characters.
    pub fn cut(text: &str) -> Self {
        let mut kept = String::new();
        for c in text.chars().filter(|c| !c.is_control()) {
            if kept.len() + c.len_utf8() > MAX {
                break;
            }
            kept.push(c);
        }
        Self(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Defines an enum whose variants travel as `[number, body]`.
///
/// The numbers are part of the wire format: they are never reused.
#[macro_export]
macro_rules! tagged_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident { $($(#[$variant_doc:meta])* $number:literal => $variant:ident($body:ty),)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis enum $name { $($(#[$variant_doc])* $variant($body),)+ }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(body) => ($number as u8, body).serialize(serializer),)+
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Tagged;

                impl<'de> serde::de::Visitor<'de> for Tagged {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("[number, body] of ", stringify!($name)))
                    }

                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        use serde::de::Error;
                        let number: u8 = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                        let value = match number {
                            $($number => seq.next_element::<$body>()?.map($name::$variant),)+
                            other => return Err(A::Error::custom(format!("unknown number {other}"))),
                        };
                        value.ok_or_else(|| A::Error::invalid_length(1, &self))
                    }
                }

                deserializer.deserialize_tuple(2, Tagged)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_accepted_encoding() {
        assert_eq!(decode::<Vec<u8>>(&[0x81, 0x07], 8), Ok(vec![7]));
        // 7 spelled in two bytes, an indefinite list, and a byte too many.
        for other in [&[0x81, 0x18, 0x07][..], &[0x9f, 0x07, 0xff], &[0x81, 0x07, 0x00]] {
            assert!(decode::<Vec<u8>>(other, 8).is_err(), "{other:02x?}");
        }
    }

    #[test]
    fn limits_hold_before_anything_is_read() {
        assert_eq!(decode::<Vec<u8>>(&[0x83, 1, 2, 3], 3), Err(DecodeError::TooLong { bytes: 4, max: 3 }));
        assert!(decode::<Bounded<u8, 2>>(&[0x82, 1, 2], 9).is_ok());
        assert!(decode::<Bounded<u8, 2>>(&[0x83, 1, 2, 3], 9).is_err());
        // A list that claims 2^32 entries and holds none.
        assert!(decode::<Bounded<u8, 2>>(&[0x9a, 0xff, 0xff, 0xff, 0xff], 9).is_err());
        assert!(decode::<Text<2>>(&[0x63, b'a', b'b', b'c'], 9).is_err());
        assert!(decode::<Text<2>>(&[0x61, 0x07], 9).is_err());
    }

    tagged_enum! {
        /// For the test below.
        enum Shape { /// A side.
            1 => Square(u8), /// A radius.
            4 => Circle(Bounded<u8, 3>), }
    }

    #[test]
    fn tagged_enums_travel_as_number_and_body() {
        assert_eq!(encode(&Shape::Square(5)), [0x82, 1, 5]);
        assert_eq!(decode::<Shape>(&[0x82, 4, 0x81, 9], 9), Ok(Shape::Circle(Bounded(vec![9]))));
        for hostile in [&[0x82, 2, 5][..], &[0x81, 1], &[0x83, 1, 5, 5], &[0x80], &[0x05], &[]] {
            assert!(decode::<Shape>(hostile, 9).is_err(), "{hostile:02x?}");
        }
    }
}
