//! Golden bytes of messages.

use holdfast_core::codec;
use holdfast_core::id::hex;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest object of a test.
const BYTES_MAX: usize = 1 << 20;

/// Exact bytes, round trip, every truncation and every flipped bit of one message.
pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    message: &T,
    golden: &[&str],
) {
    let bytes = codec::encode(message);
    assert_eq!(hex(&bytes), golden.concat());
    assert_eq!(codec::decode::<T>(&bytes, BYTES_MAX).as_ref(), Ok(message));
    for end in 0..bytes.len() {
        assert!(codec::decode::<T>(&bytes[..end], BYTES_MAX).is_err());
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = codec::decode::<T>(&flipped, BYTES_MAX) {
            assert_eq!(codec::encode(&other), flipped, "what is accepted is encoded back to the same bytes");
        }
    }
    assert!(codec::decode::<T>(&[&bytes[..], &[0]].concat(), BYTES_MAX).is_err());
}
