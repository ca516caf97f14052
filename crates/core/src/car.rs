//! The bytes of a CARv1 file: a header that names the root, then sections of length, CID and data.
//!
//! Format: the CARv1 specification of the IPLD project. A piece is the canonical CAR of its DAG, so its
//! header follows from the root alone, and every section from its block.

use crate::block::BlockId;

/// Longest encoding of a CID that a piece may hold: version, codec, hash code, length, digest.
const CID_BYTES_MAX: usize = 36;

/// The header section of the CAR with one root: a varint length, then DAG-CBOR `{roots: [root], version: 1}`.
pub fn header(root: &BlockId) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Header {
        roots: [BlockId; 1],
        version: u8,
    }
    let body = crate::codec::encode(&Header { roots: [*root], version: 1 });
    let mut header = Vec::with_capacity(body.len() + 1);
    push_varint(&mut header, body.len() as u64);
    header.extend(body);
    header
}

/// Length of the longest [`header`].
pub const HEADER_BYTES_MAX: usize = 59;

/// The root that a canonical header names, from the first bytes of a CAR; `None` if it starts otherwise.
pub fn root(start: &[u8]) -> Option<BlockId> {
    /// Where the CID stands: behind length, map, key, list, tag and byte string.
    const CID_OFFSET: usize = 14;
    let cids = start.get(CID_OFFSET..)?;
    let named = |bytes: usize| BlockId::try_from(&cid::Cid::try_from(cids.get(..bytes)?).ok()?).ok();
    let root = named(CID_BYTES_MAX).or_else(|| named(CID_BYTES_MAX - 2))?;
    start.starts_with(&header(&root)).then_some(root)
}

/// What stands before a block's data: a varint length of CID and data, then the CID.
pub fn section_prefix(id: &BlockId, data_bytes: usize) -> Vec<u8> {
    let cid = id.to_cid().to_bytes();
    let mut prefix = Vec::with_capacity(CID_BYTES_MAX + VARINT_BYTES_MAX);
    push_varint(&mut prefix, (cid.len() + data_bytes) as u64);
    prefix.extend(cid);
    prefix
}

/// Longest varint read: section lengths stay far below 2^35.
pub const VARINT_BYTES_MAX: usize = 5;

/// Appends the unsigned LEB128 form of `value`.
pub fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // masked to seven bits
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // below 0x80
    out.push(value as u8);
}

/// A varint that arrives byte by byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Varint {
    value: u64,
    bytes: usize,
}

/// A varint that is too long, or longer than its value needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a minimal varint of at most {VARINT_BYTES_MAX} bytes")]
pub struct VarintError;

impl Varint {
    /// Takes the next byte, and answers the value when it was the last.
    ///
    /// # Errors
    /// If the varint is longer than [`VARINT_BYTES_MAX`] or not minimal.
    pub fn push(&mut self, byte: u8) -> Result<Option<u64>, VarintError> {
        if self.bytes == VARINT_BYTES_MAX || (byte == 0 && self.bytes > 0) {
            return Err(VarintError);
        }
        self.value |= u64::from(byte & 0x7f) << (7 * self.bytes);
        self.bytes += 1;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Codec;
    use crate::id::hex;

    #[test]
    fn header_and_section_bytes_are_those_of_the_specification() {
        let root = BlockId::of(Codec::Raw, b"");
        assert_eq!(
            hex(&header(&root)),
            concat!(
                "3a",           // 58 bytes follow
                "a2",           // map of 2
                "65726f6f7473", // "roots"
                "81d82a582500", // one link: tag 42, 37 bytes, multibase identity
                "01551220",     // CIDv1, raw, sha2-256, 32 bytes
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "6776657273696f6e01", // "version": 1
            )
        );
        assert_eq!(hex(&section_prefix(&root, 300)[..6]), "d00201551220");
    }

    #[test]
    fn a_header_gives_its_root_and_other_starts_give_none() {
        let legacy = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".parse().unwrap();
        for id in [BlockId::of(Codec::Raw, b"x"), BlockId::of(Codec::DagPb, b"x"), legacy] {
            let start = [&header(&id)[..], &section_prefix(&id, 1), b"x"].concat();
            assert!(header(&id).len() <= HEADER_BYTES_MAX);
            assert_eq!(root(&start), Some(id));
            for cut in 0..header(&id).len() {
                assert_eq!(root(&start[..cut]), None, "{cut} bytes");
                let mut other = start.clone();
                other[cut] ^= 1;
                assert_ne!(root(&other), Some(id), "byte {cut} changed");
            }
        }
    }

    #[test]
    fn varints_round_trip_and_other_spellings_are_refused() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX)] {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            let mut varint = Varint::default();
            let (last, head) = bytes.split_last().unwrap();
            assert!(head.iter().all(|byte| varint.push(*byte) == Ok(None)));
            assert_eq!(varint.push(*last), Ok(Some(value)));
        }
        let mut padded = Varint::default();
        assert_eq!(padded.push(0x81), Ok(None));
        assert_eq!(padded.push(0x00), Err(VarintError));
        let mut endless = Varint::default();
        assert!((0..5).all(|_| endless.push(0xff) == Ok(None)));
        assert_eq!(endless.push(0x01), Err(VarintError));
    }
}
