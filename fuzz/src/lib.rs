//! What the fuzz targets share: a bound on memory, networks with known secrets, and the list of wire types.
//!
//! Each target is a file in `src/bin`, named for what it fuzzes; `seeds` writes what they start from.
//! How to run them, and how to add one: docs/fuzzing.md.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::alloc::System;
use std::panic;
use std::sync::Once;

use cap::Cap;

pub mod dag;
pub mod fixed;
pub mod ledger;
pub mod records;
pub mod script;
pub mod wire;

/// Memory that any input may cost: a buffer of 2 MiB for one block, another for reading, and small change.
const BYTES_FREE: usize = 4 << 20;

/// Memory per byte of input beyond that. A link of 8 bytes becomes a CID of 96, in a list that doubles as it
/// grows.
const BYTES_PER_BYTE: usize = 64;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Judges an input, which may cost so much memory that its length allows for; more ends the process.
pub fn bounded(input: &[u8], judge: impl FnOnce(&[u8])) {
    static REPORT: Once = Once::new();
    REPORT.call_once(|| {
        // The report of a panic reads symbols, which is none of the input's doing.
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            free();
            report(info);
        }));
    });
    let limit = HEAP.allocated() + BYTES_FREE + input.len() * BYTES_PER_BYTE;
    HEAP.set_limit(limit).expect("above what is allocated");
    judge(input);
    free();
}

fn free() {
    HEAP.set_limit(usize::MAX).expect("nothing is above it");
}
