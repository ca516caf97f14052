//! How texts in these objects look, for the OpenAPI document, and the names of the objects.

use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident, $pattern:literal;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .description(Some(concat!($($doc),+).trim()))
                    .pattern(Some($pattern));
                RefOr::T(Schema::Object(text.build()))
            }
        }

        impl ToSchema for $name {}
    )+ };
}

texts! {
    /// 32 bytes: an identifier, a hash or a key.
    Hash, "^[0-9a-f]{64}$";
    /// Bytes in lower-case hex.
    Hex, "^([0-9a-f]{2})*$";
    /// An account in bech32m.
    AccountText, "^hf1[02-9ac-hj-np-z]{58}$";
    /// A sum of money in the smallest unit (FFGOne).
    AmountText, "^(0|[1-9][0-9]{0,38})$";
    /// A CID.
    CidText, "^[0-9A-Za-z]+$";
    /// Height and number in the block.
    PositionText, "^(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)$";
    /// A time in RFC 3339, UTC, with milliseconds.
    TimeText, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$";
}

/// Defines the name of an object: a field of this type always holds it, and no other is read.
macro_rules! name {
    ($type:ident, $name:literal) => {
        #[doc = concat!("Always `", $name, "`.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $type;

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($name)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(deserializer)?;
                let other = || serde::de::Error::custom(format!("expected {}, found {name}", $name));
                if name == $name { Ok(Self) } else { Err(other()) }
            }
        }

        impl utoipa::PartialSchema for $type {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
                let text = ObjectBuilder::new()
                    .schema_type(SchemaType::Type(Type::String))
                    .enum_values(Some([$name]));
                utoipa::openapi::RefOr::T(Schema::Object(text.build()))
            }
        }

        impl utoipa::ToSchema for $type {}
    };
}

pub(crate) use name;
