//! Identifiers and quantities. Each is a type of its own, so that an epoch is never mistaken for a length.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::fixed_bytes;

fixed_bytes!(
    /// BLAKE3 of the genesis object: the one thing a verifier must get from somewhere it trusts.
    NetworkId, 32
);
fixed_bytes!(
    /// BLAKE3 of a node's Ed25519 public key. It orders members and breaks ties.
    NodeId, 32
);
fixed_bytes!(
    /// BLAKE3 hash of a piece. Its tree makes every 1 KiB chunk provable.
    PieceRoot, 32
);
fixed_bytes!(
    /// BLAKE3 of a committee record's bytes.
    CommitteeId, 32
);
fixed_bytes!(
    /// Identifier of a paid request on the ledger. Networks without a ledger have none.
    OrderId, 32
);
fixed_bytes!(
    /// A member's placement salt: the beacon of the block that admitted it, zero for members in genesis.
    Salt, 32
);
fixed_bytes!(
    /// X25519 public key, to which secrets for a node's enclave are sealed (HPKE).
    BoxKey, 32
);

impl NodeId {
    /// The id that belongs to an Ed25519 public key.
    pub fn of(key: &crate::ed25519::PublicKey) -> Self {
        Self::new(*blake3::hash(key.as_bytes()).as_bytes())
    }
}

/// A box key that must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("box key is not canonical, or of small order")]
pub struct BoxKeyError;

impl BoxKey {
    /// Checks that this is the one encoding of a key to which secrets can be sealed: X25519 ignores the highest
    /// bit and reduces what is left, and a key of small order makes every shared secret zero.
    ///
    /// # Errors
    /// [`BoxKeyError`] otherwise.
    pub fn validate(&self) -> Result<(), BoxKeyError> {
        let mut prime = [0xff; 32]; // 2^255 − 19, most significant byte first
        (prime[0], prime[31]) = (0x7f, 0xed);
        let mut key = *self.as_bytes();
        key.reverse();
        let shared = x25519_dalek::x25519([1; 32], *self.as_bytes());
        if key >= prime || shared == [0; 32] { Err(BoxKeyError) } else { Ok(()) }
    }
}

/// A span of ledger blocks with one membership, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first epoch. Networks without a ledger stay in it.
    pub const GENESIS: Self = Self(0);

    /// The epoch after this one, or `None` at the end of `u64`.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Seconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    /// RFC 3339 up to the year 9999, plain seconds beyond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self > Self::YEAR_9999 {
            return write!(f, "{} s", self.0);
        }
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(self.0);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

impl Timestamp {
    /// The last second that RFC 3339 can write.
    const YEAR_9999: Self = Self(253_402_300_799);

    /// This time plus `seconds`, or `None` at the end of `u64`.
    pub fn plus(self, seconds: u64) -> Option<Self> {
        self.0.checked_add(seconds).map(Self)
    }
}

/// A sum of money in the smallest unit (FFGOne). Sixteen bytes big-endian on the wire, because DAG-CBOR has
/// no integers above 64 bits; a decimal string in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` if it is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if it is below nothing.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// So many times this, or `None` if it is too large.
    pub fn times(self, count: u64) -> Option<Self> {
        self.0.checked_mul(count.into()).map(Self)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&self.0)
        } else {
            serializer.serialize_bytes(&self.0.to_be_bytes())
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
        } else {
            deserialize_bytes(deserializer).map(|bytes| Self(u128::from_be_bytes(bytes)))
        }
    }
}

/// Why a text is not the hex form of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hex digits")]
pub struct HexError {
    /// How many hex digits the type needs.
    pub expected: usize,
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Parses exactly `N` bytes of hex, in either case.
///
/// # Errors
/// If the text has another length or another alphabet.
pub fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let error = HexError { expected: 2 * N };
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| error.clone())?;
    bytes.try_into().map_err(|_| error)
}

/// Serialises as a byte string, or as hex where a person reads.
///
/// # Errors
/// Those of the serialiser.
pub fn serialize_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&hex(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

/// The reverse of [`serialize_bytes`]; refuses every length but `N`.
///
/// # Errors
/// If the input is no byte string (or hex text) of exactly `N` bytes.
pub fn deserialize_bytes<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    struct Exactly<const N: usize>;

    impl<const N: usize> de::Visitor<'_> for Exactly<N> {
        type Value = [u8; N];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a byte string of {N} bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            from_hex(text).map_err(E::custom)
        }
    }

    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Exactly)
    } else {
        deserializer.deserialize_bytes(Exactly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trips_and_refuses_other_lengths() {
        let id = NodeId::new([0xab; 32]);
        assert_eq!(id.to_string().parse::<NodeId>(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse::<NodeId>(), Ok(id));
        assert_eq!("ab".parse::<NodeId>(), Err(HexError { expected: 64 }));
    }

    #[test]
    fn box_keys_have_one_encoding_and_are_not_of_small_order() {
        let check = |first: u8, last: u8| {
            let mut key = [0; 32];
            (key[0], key[31]) = (first, last);
            BoxKey::new(key).validate()
        };
        assert_eq!(check(9, 0), Ok(()), "the base point");
        assert_eq!(check(9, 0x80), Err(BoxKeyError), "its twin");
        assert_eq!([check(0, 0), check(1, 0)], [Err(BoxKeyError); 2]);
        for low in [0xec, 0xed, 0xee, 0xf6] {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (low, 0x7f); // p − 1, p, p + 1, and p + 9, which is the base point again
            assert_eq!(BoxKey::new(key).validate(), Err(BoxKeyError));
        }
    }

    #[test]
    fn times_are_written_for_people_at_any_size() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_795_203_298).to_string(), "2026-11-20T19:34:58Z");
        assert_eq!(Timestamp(u64::MAX).to_string(), "18446744073709551615 s");
    }

    #[test]
    fn amounts_are_sixteen_bytes_big_endian() {
        let bytes = crate::codec::encode(&Amount(258));
        assert_eq!(hex(&bytes), "5000000000000000000000000000000102");
        assert_eq!(crate::codec::decode::<Amount>(&bytes, 17), Ok(Amount(258)));
    }
}
