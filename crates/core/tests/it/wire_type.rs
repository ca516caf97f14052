//! What every wire type must withstand: exact bytes, round trip, truncation, hostile input.
//!
//! The crates above share this file by its path.

use std::fmt::Debug;

use holdfast_core::codec;
use holdfast_core::id::hex;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Cases of each property.
pub(crate) const CASES: u32 = 256;

/// Checks one value against its bytes, given as labelled pieces of hex, and its decoder against everything
/// else. No input may panic, and whatever is accepted is encoded back to the same bytes: no value has a second
/// encoding.
pub(crate) fn check_wire_type<T>(value: &T, golden: &[impl AsRef<str>], max: usize)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = codec::encode(value);
    let golden: String = golden.iter().map(AsRef::as_ref).collect();
    assert_eq!(hex(&bytes), golden, "the exact bytes");
    assert_eq!(codec::decode::<T>(&bytes, max).as_ref(), Ok(value), "the round trip");

    for end in 0..bytes.len() {
        assert!(codec::decode::<T>(&bytes[..end], max).is_err(), "cut after {end} bytes");
    }
    for more in [0x00, 0x80, 0xf6, 0xff] {
        assert!(codec::decode::<T>(&[&bytes[..], &[more]].concat(), max).is_err(), "{more:#x} appended");
    }
    assert!(codec::decode::<T>(&bytes, bytes.len() - 1).is_err(), "longer than its limit");

    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = codec::decode::<T>(&flipped, max) {
            assert_ne!(&other, value, "bit {bit}: a second encoding");
            assert_eq!(codec::encode(&other), flipped, "bit {bit}");
        }
    }
    for_all(&hostile(bytes), |bytes| {
        if let Ok(other) = codec::decode::<T>(&bytes, max) {
            prop_assert_eq!(codec::encode(&other), bytes);
        }
        Ok(())
    });
}

/// Runs a property over [`CASES`] inputs.
pub(crate) fn for_all<S: Strategy>(inputs: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(failure) = TestRunner::new(config).run(inputs, property) {
        panic!("{failure}");
    }
}

/// Bytes that a peer may choose: any at all, or good ones with a few edits, which come much further.
pub(crate) fn hostile(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<Edit>()), 1..5);
    let edited = edits.prop_map(move |edits| {
        let mut bytes = good.clone();
        for (at, edit) in edits {
            let at = at.index(bytes.len() + 1);
            match edit {
                Edit::Insert(byte) => bytes.insert(at, byte),
                Edit::Replace(byte) if at < bytes.len() => bytes[at] = byte,
                Edit::Remove if at < bytes.len() => drop(bytes.remove(at)),
                Edit::Cut => bytes.truncate(at),
                Edit::Replace(_) | Edit::Remove => {}
            }
        }
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..4096), edited]
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Insert(u8),
    Replace(u8),
    Remove,
    Cut,
}

impl Arbitrary for Edit {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        prop_oneof![
            4 => any::<u8>().prop_map(Self::Insert),
            8 => any::<u8>().prop_map(Self::Replace),
            4 => Just(Self::Remove),
            1 => Just(Self::Cut),
        ]
        .boxed()
    }
}
