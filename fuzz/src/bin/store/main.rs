//! A store under any operations and power cuts, against a plain map.
//!
//! What was acknowledged is held, promised, certified and readable, after every power cut and when the index was
//! lost; what nobody stored is not there; nothing is damaged, and every byte is counted once. Of what was under way at
//! a power cut, any part may have come to be.
//!
//! The disk lies in memory, so no input is held to a bound of its own here.

#![no_main]
#![forbid(unsafe_code)]

mod model;
mod run;

use std::sync::LazyLock;

use holdfast_fuzz::script::Script;
use libfuzzer_sys::fuzz_target;

use self::run::Run;

/// Operations of one input: enough for pieces to come, go and come again over three lives of a store.
const OPERATIONS_MAX: usize = 24;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&model::PIECES);
    LazyLock::force(&run::EMPTY);
    let mut script = Script::new(data);
    let mut run = Run::start();
    for _ in 0..OPERATIONS_MAX {
        if script.is_over() {
            break;
        }
        run.act(&mut script);
    }
    run.end(&mut script);
});
