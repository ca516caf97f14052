//! How messages and data share a stream.
//!
//! Every frame starts with four bytes, a big-endian integer: the highest bit says whether raw data (`1`) or
//! one message in DAG-CBOR (`0`) follows, the other 31 bits how many bytes. Specification: docs/spec/wire.md.

use crate::block::BLOCK_BYTES_MAX;

/// Longest message. The largest is a list of 256 CIDs.
pub const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// Longest data frame: one block.
pub const DATA_BYTES_MAX: usize = BLOCK_BYTES_MAX;

/// Length of a frame's head.
pub const HEAD_BYTES: usize = 4;

const DATA_BIT: u32 = 1 << 31;

/// The head of a frame whose length was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A message of so many bytes follows.
    Message(usize),
    /// So many bytes of data follow.
    Data(usize),
}

/// A frame longer than its kind allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {bytes} bytes, the limit is {max}")]
pub struct FrameTooLong {
    /// Claimed length.
    pub bytes: usize,
    /// Longest allowed.
    pub max: usize,
}

impl Head {
    /// Reads a head and applies the limits, before anything is allocated for the body.
    ///
    /// # Errors
    /// If the claimed length is over the limit.
    pub fn decode(bytes: [u8; HEAD_BYTES]) -> Result<Self, FrameTooLong> {
        let word = u32::from_be_bytes(bytes);
        let length = usize::try_from(word & !DATA_BIT).expect("31 bits fit");
        let (head, max) = if word & DATA_BIT == 0 {
            (Self::Message(length), MESSAGE_BYTES_MAX)
        } else {
            (Self::Data(length), DATA_BYTES_MAX)
        };
        if length > max { Err(FrameTooLong { bytes: length, max }) } else { Ok(head) }
    }

    /// The four bytes.
    ///
    /// # Panics
    /// If the length is over the limit, which the sender must keep.
    pub fn encode(self) -> [u8; HEAD_BYTES] {
        let (length, max, bit) = match self {
            Self::Message(length) => (length, MESSAGE_BYTES_MAX, 0),
            Self::Data(length) => (length, DATA_BYTES_MAX, DATA_BIT),
        };
        assert!(length <= max, "a frame of {length} bytes, the limit is {max}");
        (u32::try_from(length).expect("limited above") | bit).to_be_bytes()
    }
}

/// A whole message frame: its head, then the message.
///
/// # Panics
/// If the message is longer than [`MESSAGE_BYTES_MAX`], which no type of Holdfast's can be.
pub fn message<T: serde::Serialize>(message: &T) -> Vec<u8> {
    let body = crate::codec::encode(message);
    let mut frame = Vec::with_capacity(HEAD_BYTES + body.len());
    frame.extend(Head::Message(body.len()).encode());
    frame.extend(body);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_round_trip_up_to_the_limits() {
        for head in
            [Head::Message(0), Head::Message(MESSAGE_BYTES_MAX), Head::Data(1), Head::Data(DATA_BYTES_MAX)]
        {
            assert_eq!(Head::decode(head.encode()), Ok(head));
        }
        assert_eq!(Head::Message(258).encode(), [0, 0, 1, 2]);
        assert_eq!(Head::Data(258).encode(), [0x80, 0, 1, 2]);
    }

    #[test]
    fn longer_frames_are_refused() {
        assert_eq!(
            Head::decode([0x00, 0x00, 0x40, 0x01]),
            Err(FrameTooLong { bytes: MESSAGE_BYTES_MAX + 1, max: MESSAGE_BYTES_MAX })
        );
        assert!(Head::decode([0x7f, 0xff, 0xff, 0xff]).is_err());
        assert!(Head::decode([0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
