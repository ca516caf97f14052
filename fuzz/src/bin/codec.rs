//! Every strict decoder: the first byte selects the type, the rest is to be decoded.
//!
//! What is accepted is encoded back to the very same bytes.

#![no_main]
#![forbid(unsafe_code)]

use holdfast_fuzz::bounded;
use holdfast_fuzz::wire::TYPES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    if let Some((number, bytes)) = data.split_first() {
        TYPES[usize::from(*number) % TYPES.len()].check(bytes);
    }
}
