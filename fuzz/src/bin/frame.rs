//! Frames: heads, and the stream of calls and answers between host and enclave.
//!
//! A head has one spelling, and every message read is written back to the bytes that it was read from.

#![no_main]
#![forbid(unsafe_code)]

use holdfast_core::frame::{self, HEAD_BYTES, Head};
use holdfast_enclave::call::{self, Answer, Call};
use holdfast_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let mut rest = data;
    while let Some((bytes, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let Ok(head) = Head::decode(*bytes) else { break };
        assert_eq!(head.encode(), *bytes);
        let (Head::Message(length) | Head::Data(length)) = head;
        rest = after.get(length..).unwrap_or_default();
    }
    messages::<Call>(data);
    messages::<Answer>(data);
}

fn messages<T: Serialize + DeserializeOwned>(mut stream: &[u8]) {
    loop {
        let before = stream;
        let Ok(Some(message)) = call::read::<T>(&mut stream) else { return };
        let taken = &before[..before.len() - stream.len()];
        assert_eq!(frame::message(&message), taken, "a second spelling");
    }
}
