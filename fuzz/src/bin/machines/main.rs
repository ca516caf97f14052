//! The machines of put and get under any inputs: intake, dispersal and fetch; the first byte selects.
//!
//! Each is driven by a script through a model of its caller, who keeps his side of the contract: he asks about
//! slots and providers that there are, and time does not run backwards. All else comes in any order.

#![no_main]
#![forbid(unsafe_code)]

mod dispersal;
mod fetch;
mod intake;

use std::sync::LazyLock;

use holdfast_fuzz::script::Script;
use holdfast_fuzz::{bounded, fixed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&fixed::LARGER);
    LazyLock::force(&dispersal::RECEIPTS);
    LazyLock::force(&intake::CERTIFICATES);
    bounded(data, judge);
});

fn judge(data: &[u8]) {
    let mut script = Script::new(data);
    match script.below(3) {
        0 => intake::judge(script),
        1 => dispersal::judge(script),
        _ => fetch::judge(script),
    }
}
