//! The links of a dag-cbor block, read without keeping anything else of it.
//!
//! A link is tag 42 around the bytes of a CID. The library reads a CID from the front of them and overlooks what
//! follows; here a link is a CID and nothing else, so that no two blocks differ in bytes that nobody sees.

use std::fmt;

use cid::Cid;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::exact_cid;

/// The CIDs that a block links to, in encoded order.
///
/// # Errors
/// If it is not well formed, with the library's words for it.
pub(super) fn links(data: &[u8]) -> Result<Vec<Cid>, String> {
    let mut found = Vec::new();
    let mut deserializer = serde_ipld_dagcbor::de::Deserializer::from_slice(data);
    Collect(&mut found).deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(found)
}

/// Any value, of which only the links are kept.
struct Collect<'a>(&'a mut Vec<Cid>);

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value of IPLD")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i128<E>(self, _: i128) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// Only a link is told in this way.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.push(deserializer.deserialize_bytes(Link)?);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Collect(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Keys are texts; what another key holds is no link.
        let mut key = Vec::new();
        while map.next_entry_seed(Collect(&mut key), Collect(self.0))?.is_some() {}
        Ok(())
    }
}

/// The bytes of a link.
struct Link;

impl Visitor<'_> for Link {
    type Value = Cid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CID and nothing behind it")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Cid, E> {
        exact_cid(bytes).ok_or_else(|| E::custom("a link is no CID, or has something behind it"))
    }
}
