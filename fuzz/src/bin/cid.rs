//! Names of blocks: as text, as a sortable key, and as the bytes of a CID; the first byte selects.
//!
//! Keys have one spelling, and so have bytes up to the end of the CID. Texts have several, for there are many bases; all lead to one name.

#![no_main]
#![forbid(unsafe_code)]

use cid::Cid;
use holdfast_core::block::BlockId;
use holdfast_core::codec;
use holdfast_core::id::NodeId;
use holdfast_fuzz::bounded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else { return };
    match form % 3 {
        0 => {
            let Ok(text) = str::from_utf8(rest) else { return };
            if let Ok(id) = text.parse::<BlockId>() {
                check(id);
            }
            if let Ok(node) = text.parse::<NodeId>() {
                assert_eq!(node.to_string(), text.to_lowercase());
            }
        }
        1 => {
            let Ok(key) = rest.try_into() else { return };
            if let Some(id) = BlockId::from_key(key) {
                assert_eq!(id.to_key(), *key);
                check(id);
            }
        }
        _ => {
            let Ok(cid) = Cid::try_from(rest) else { return };
            if let Ok(id) = BlockId::try_from(&cid) {
                assert_eq!(id.to_cid(), cid);
                // The library overlooks what follows a CID.
                assert!(rest.starts_with(&id.to_cid().to_bytes()), "a second spelling");
                check(id);
            }
        }
    }
}

fn check(id: BlockId) {
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(BlockId::from_key(&id.to_key()), Some(id));
    assert_eq!(codec::decode::<BlockId>(&codec::encode(&id), 64), Ok(id));
}
