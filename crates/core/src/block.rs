//! The blocks that a piece may hold, and the links between them.
//!
//! A piece holds blocks named by SHA-256 under one of three codecs: raw, dag-pb and dag-cbor. Links to
//! identity CIDs carry their data in the name: they are followed but never stored.

use std::fmt;

use cid::multibase::{self, Base};
use cid::multihash::Multihash;
use cid::{Cid, Version};
use sha2::{Digest, Sha256};

use crate::protobuf;

mod cbor;

/// Largest block of a piece: the limit of bitswap, so that every IPFS client can fetch it.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;

const SHA2_256: u64 = 0x12;
const IDENTITY: u64 = 0x00;

/// How a block's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Bytes without links.
    Raw,
    /// The protobuf form of UnixFS.
    DagPb,
    /// IPLD's CBOR.
    DagCbor,
}

impl Codec {
    /// The multicodec number.
    pub const fn number(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
            Self::DagCbor => 0x71,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        [Self::Raw, Self::DagPb, Self::DagCbor].into_iter().find(|codec| codec.number() == number)
    }
}

/// Name of a block that a piece may hold: a CID with SHA-256 and a codec that Holdfast reads.
///
/// Version 0 CIDs (always dag-pb) are kept as they are linked: a CID is a name, and two names are two blocks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId {
    legacy: bool,
    codec: Codec,
    digest: [u8; 32],
}

/// Why a CID cannot name a block of a piece.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Only sha2-256 is accepted.
    #[error("{cid} uses hash function {code:#x}; pieces hold sha2-256 blocks only")]
    Hash {
        /// The offending name.
        cid: Box<Cid>,
        /// Its multihash code.
        code: u64,
    },
    /// Only raw, dag-pb and dag-cbor are accepted.
    #[error("{cid} uses codec {codec:#x}; pieces hold raw, dag-pb and dag-cbor blocks only")]
    Codec {
        /// The offending name.
        cid: Box<Cid>,
        /// Its multicodec number.
        codec: u64,
    },
    /// The name carries its own data, so there is nothing to store.
    #[error("{cid} carries its data in itself; there is nothing to store")]
    Identity {
        /// The offending name.
        cid: Box<Cid>,
    },
}

impl BlockId {
    /// Length of [`BlockId::to_key`].
    pub const KEY_LEN: usize = 34;

    /// Names `data` under `codec`, as CIDv1.
    pub fn of(codec: Codec, data: &[u8]) -> Self {
        Self::from_digest(codec, Sha256::digest(data).into())
    }

    /// The CIDv1 with this codec and SHA-256 digest.
    pub const fn from_digest(codec: Codec, digest: [u8; 32]) -> Self {
        Self { legacy: false, codec, digest }
    }

    /// How to read the block.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// SHA-256 of the block.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether `data` is the block that this names.
    pub fn matches(&self, data: &[u8]) -> bool {
        Sha256::digest(data).as_slice() == self.digest
    }

    /// The CID as others know it.
    pub fn to_cid(&self) -> Cid {
        let hash = Multihash::wrap(SHA2_256, &self.digest).expect("32 bytes fit a multihash");
        if self.legacy {
            Cid::new_v0(hash).expect("version 0 is dag-pb with sha2-256")
        } else {
            Cid::new_v1(self.codec.number(), hash)
        }
    }

    /// A fixed-length sortable form for indexes: version, codec, digest.
    pub fn to_key(&self) -> [u8; Self::KEY_LEN] {
        let mut key = [0; Self::KEY_LEN];
        key[0] = u8::from(!self.legacy);
        key[1] = match self.codec {
            Codec::Raw => 0x55,
            Codec::DagPb => 0x70,
            Codec::DagCbor => 0x71,
        };
        key[2..].copy_from_slice(&self.digest);
        key
    }

    /// The reverse of [`BlockId::to_key`], or `None` if the bytes are no key.
    pub fn from_key(key: &[u8; Self::KEY_LEN]) -> Option<Self> {
        let codec = Codec::from_number(key[1].into())?;
        let legacy = match key[0] {
            0 if codec == Codec::DagPb => true,
            1 => false,
            _ => return None,
        };
        let digest = key[2..].try_into().expect("34 - 2 = 32");
        Some(Self { legacy, codec, digest })
    }
}

impl TryFrom<&Cid> for BlockId {
    type Error = CidError;

    fn try_from(cid: &Cid) -> Result<Self, CidError> {
        let codec = Codec::from_number(cid.codec())
            .ok_or_else(|| CidError::Codec { cid: Box::new(*cid), codec: cid.codec() })?;
        let code = cid.hash().code();
        match (code, cid.hash().digest().try_into()) {
            (SHA2_256, Ok(digest)) => Ok(Self { legacy: cid.version() == Version::V0, codec, digest }),
            (IDENTITY, _) => Err(CidError::Identity { cid: Box::new(*cid) }),
            _ => Err(CidError::Hash { cid: Box::new(*cid), code }),
        }
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_cid().fmt(f)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({self})")
    }
}

impl serde::Serialize for BlockId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.to_cid().serialize(serializer)
        }
    }
}

impl<'de> serde::Deserialize<'de> for BlockId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cid = if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)?
        } else {
            Cid::deserialize(deserializer)?
        };
        Self::try_from(&cid).map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for BlockId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let cid: Cid = text.parse().map_err(|_| ParseError::NotACid)?;
        // The library looks for a CID behind `/ipfs/`, and overlooks what follows it.
        let name = text.split_once("/ipfs/").map_or(text, |(_, name)| name);
        let bytes = if Version::is_v0_str(name) {
            Base::Base58Btc.decode(name)
        } else {
            multibase::decode(name).map(|(_, bytes)| bytes)
        };
        if bytes.ok() != Some(cid.to_bytes()) {
            return Err(ParseError::NotACid);
        }
        Ok(Self::try_from(&cid)?)
    }
}

/// Why a text names no block that a piece may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a CID at all.
    #[error("not a CID")]
    NotACid,
    /// A CID of another kind.
    #[error(transparent)]
    Unsupported(#[from] CidError),
}

/// Why a block's links cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The block is not what its codec says.
    #[error("not well formed: {0}")]
    Malformed(String),
    /// It links to something a piece cannot hold.
    #[error("links to something a piece cannot hold")]
    Unsupported(#[from] CidError),
}

/// The blocks that `data` links to, in encoded order, repeated if repeated. Identity links are followed and
/// replaced by what they link to.
///
/// # Errors
/// If `data` is not well formed under `codec`, or links to a block that no piece can hold.
pub fn links(codec: Codec, data: &[u8]) -> Result<Vec<BlockId>, LinkError> {
    let cids = match codec {
        Codec::Raw => Vec::new(),
        Codec::DagPb => dag_pb_links(data).map_err(LinkError::Malformed)?,
        Codec::DagCbor => cbor::links(data).map_err(LinkError::Malformed)?,
    };
    let mut found = Vec::with_capacity(cids.len());
    for cid in cids {
        match BlockId::try_from(&cid) {
            Ok(id) => found.push(id),
            Err(CidError::Identity { .. }) => {
                // At most 64 bytes, and each level is shorter than the one around it: the recursion ends.
                let codec = Codec::from_number(cid.codec()).expect("the codec was checked first");
                found.extend(links(codec, cid.hash().digest())?);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn dag_pb_links(data: &[u8]) -> Result<Vec<Cid>, String> {
    let malformed = |error: protobuf::MalformedMessage| error.to_string();
    protobuf::check_dag_pb(data).map_err(malformed)?;
    for field in protobuf::Fields::of(data) {
        let (2, Some(link)) = field.map_err(malformed)? else { continue };
        for field in protobuf::Fields::of(link) {
            if let (1, Some(name)) = field.map_err(malformed)?
                && exact_cid(name).is_none()
            {
                return Err("a link is no CID, or has something behind it".into());
            }
        }
    }
    let node = ipld_dagpb::PbNode::from_bytes(data.to_vec().into()).map_err(|error| error.to_string())?;
    Ok(node.links.into_iter().map(|link| link.cid).collect())
}

/// The CID that these bytes are. The library reads one from their front, and overlooks what follows it.
fn exact_cid(bytes: &[u8]) -> Option<Cid> {
    Cid::try_from(bytes).ok().filter(|cid| cid.to_bytes() == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipld_core::ipld::Ipld;

    fn leaf(byte: u8) -> BlockId {
        BlockId::of(Codec::Raw, &[byte])
    }

    #[test]
    fn keys_and_cids_round_trip() {
        let v0: BlockId = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
        for id in [leaf(1), BlockId::of(Codec::DagCbor, b"x"), v0] {
            assert_eq!(BlockId::from_key(&id.to_key()), Some(id));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(crate::codec::decode::<BlockId>(&crate::codec::encode(&id), 64), Ok(id));
        }
        assert_eq!(BlockId::from_key(&[0; 34]), None);
    }

    /// Two names in one, or a name and a slip of the hand, were read as the first.
    #[test]
    fn what_follows_a_cid_in_a_text_is_not_overlooked() {
        let id = leaf(1);
        let upper = id.to_cid().to_string_of_base(Base::Base32Upper).unwrap();
        let longer = multibase::encode(Base::Base32Lower, [&id.to_cid().to_bytes()[..], &[0]].concat());
        for (text, expected) in [
            (id.to_string(), Ok(id)),
            (upper, Ok(id)),
            (format!("/ipfs/{id}"), Ok(id)),
            (longer, Err(ParseError::NotACid)),
            (format!("{id}{id}"), Err(ParseError::NotACid)),
            (format!("{id}aa"), Err(ParseError::NotACid)),
            ("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdGQm".to_owned(), Err(ParseError::NotACid)),
            // Base "identity", in which not every CID can be written.
            ("\0\u{1}r\0\u{7}\0b\0\0\0\t\u{6c4}".to_owned(), Err(ParseError::NotACid)),
        ] {
            assert_eq!(text.parse::<BlockId>(), expected, "{text}");
        }
    }

    #[test]
    fn other_hashes_and_codecs_are_refused() {
        let blake3 = Cid::new_v1(0x55, Multihash::wrap(0x1e, &[1; 32]).unwrap());
        assert!(matches!(BlockId::try_from(&blake3), Err(CidError::Hash { code: 0x1e, .. })));
        let git = Cid::new_v1(0x78, Multihash::wrap(0x12, &[1; 32]).unwrap());
        assert!(matches!(BlockId::try_from(&git), Err(CidError::Codec { codec: 0x78, .. })));
        let short = Cid::new_v1(0x55, Multihash::wrap(0x12, &[1; 20]).unwrap());
        assert!(BlockId::try_from(&short).is_err());
    }

    #[test]
    fn links_come_in_encoded_order_and_identity_links_are_followed() {
        let inner = serde_ipld_dagcbor::to_vec(&Ipld::List(vec![Ipld::Link(leaf(2).to_cid())])).unwrap();
        let identity = Cid::new_v1(0x71, Multihash::wrap(0, &inner).unwrap());
        let node = Ipld::Map(
            [
                ("bb".to_owned(), Ipld::Link(leaf(3).to_cid())),
                ("a".to_owned(), Ipld::List(vec![Ipld::Link(leaf(1).to_cid()), Ipld::Link(identity)])),
                ("c".to_owned(), Ipld::Integer(7)),
            ]
            .into(),
        );
        let data = serde_ipld_dagcbor::to_vec(&node).unwrap();
        // DAG-CBOR sorts map keys by length first: a, c, bb.
        assert_eq!(links(Codec::DagCbor, &data), Ok(vec![leaf(1), leaf(2), leaf(3)]));
        assert_eq!(links(Codec::Raw, &data), Ok(vec![]));
    }

    /// Blocks that differ only in bytes behind a link were both good, and an identity link could hide any bytes.
    #[test]
    fn what_follows_a_cid_in_a_link_is_not_overlooked() {
        let field =
            |number: u8, data: &[u8]| [&[number << 3 | 2, u8::try_from(data.len()).unwrap()], data].concat();
        let dag_pb = |name: &[u8]| field(2, &[field(1, name), field(2, b"")].concat());
        let dag_cbor = |name: &[u8]| {
            let length = u8::try_from(name.len() + 1).unwrap();
            let head = if length < 24 { vec![0x40 | length] } else { vec![0x58, length] };
            [&[0x81, 0xd8, 0x2a], &head[..], &[0], name].concat()
        };
        let legacy: BlockId = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
        for id in [leaf(1), legacy] {
            let name = id.to_cid().to_bytes();
            assert_eq!(links(Codec::DagPb, &dag_pb(&name)), Ok(vec![id]));
            assert_eq!(links(Codec::DagCbor, &dag_cbor(&name)), Ok(vec![id]));
            let longer = [&name[..], &[0]].concat();
            assert!(matches!(links(Codec::DagPb, &dag_pb(&longer)), Err(LinkError::Malformed(_))));
            assert!(matches!(links(Codec::DagCbor, &dag_cbor(&longer)), Err(LinkError::Malformed(_))));
        }
        let empty = Cid::new_v1(Codec::Raw.number(), Multihash::wrap(IDENTITY, b"").unwrap()).to_bytes();
        assert_eq!(links(Codec::DagCbor, &dag_cbor(&empty)), Ok(vec![]));
        let hiding = [&empty[..], b"anything"].concat();
        assert!(links(Codec::DagPb, &dag_pb(&hiding)).is_err());
        assert!(links(Codec::DagCbor, &dag_cbor(&hiding)).is_err());
    }

    #[test]
    fn hostile_blocks_are_refused_without_panic() {
        let deep: Vec<u8> = std::iter::repeat_n(0x81, 100_000).chain([0x00]).collect();
        assert!(links(Codec::DagCbor, &deep).is_err());
        assert!(links(Codec::DagCbor, &[]).is_err());
        assert!(links(Codec::DagPb, &[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        assert!(links(Codec::DagPb, &[0xff]).is_err());
    }
}
