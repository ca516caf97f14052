//! How genesis is written: version 1 has six fields and no ledger, version 2 has a seventh for it.

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Genesis, WITH_LEDGER, WITHOUT_LEDGER};

impl Serialize for Genesis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(if self.ledger.is_some() { 7 } else { 6 })?;
        tuple.serialize_element(&self.version)?;
        tuple.serialize_element(&self.name)?;
        tuple.serialize_element(&self.start)?;
        tuple.serialize_element(&self.end)?;
        tuple.serialize_element(&self.profiles)?;
        tuple.serialize_element(&self.members)?;
        if let Some(ledger) = &self.ledger {
            tuple.serialize_element(ledger)?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Genesis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Genesis;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a genesis of six fields, or of seven with a ledger")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Genesis, A::Error> {
                fn field<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
                    seq: &mut A,
                    at: usize,
                ) -> Result<T, A::Error> {
                    seq.next_element()?.ok_or_else(|| de::Error::invalid_length(at, &"a field"))
                }
                let version = field(&mut seq, 0)?;
                if ![WITHOUT_LEDGER, WITH_LEDGER].contains(&version) {
                    return Err(de::Error::custom(format!("genesis version {version} is unknown")));
                }
                Ok(Genesis {
                    version,
                    name: field(&mut seq, 1)?,
                    start: field(&mut seq, 2)?,
                    end: field(&mut seq, 3)?,
                    profiles: field(&mut seq, 4)?,
                    members: field(&mut seq, 5)?,
                    ledger: if version == WITH_LEDGER { Some(field(&mut seq, 6)?) } else { None },
                })
            }
        }

        deserializer.deserialize_seq(Fields)
    }
}
