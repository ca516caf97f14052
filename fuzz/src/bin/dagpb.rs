//! Blocks and their links: dag-pb, dag-cbor and what UnixFS lies in them; the first byte selects the codec.
//!
//! Links are those that a second reading finds: of dag-pb with the total reader of fields, of dag-cbor with a
//! full decoder. No link is cheaper than the name it carries.

#![no_main]
#![forbid(unsafe_code)]

use cid::Cid;
use holdfast_core::block::{BlockId, Codec, links};
use holdfast_core::protobuf::{Fields, check_dag_pb, check_unixfs};
use holdfast_fuzz::bounded;
use ipld_core::ipld::Ipld;
use libfuzzer_sys::fuzz_target;

/// The shortest link: a multihash.
const LINK_BYTES_MIN: usize = 34;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let Some((codec, block)) = data.split_first() else { return };
    let codec = [Codec::DagPb, Codec::DagCbor, Codec::Raw][usize::from(codec % 3)];
    assert!(check_unixfs(block).is_err() || check_dag_pb(block).is_ok());
    let Ok(found) = links(codec, block) else { return };
    assert!(found.len() * LINK_BYTES_MIN <= block.len(), "{} links", found.len());

    let second = match codec {
        Codec::Raw => Some(Vec::new()),
        Codec::DagPb => Some(dag_pb(block)),
        Codec::DagCbor => serde_ipld_dagcbor::from_slice(block).ok().map(|ipld| {
            let mut cids = Vec::new();
            dag_cbor(&ipld, &mut cids);
            cids
        }),
    };
    // A link that carries its block stands for the links in there, which are judged as blocks of their own.
    let plain = |cids: &Vec<Cid>| cids.iter().all(|cid| cid.hash().code() != 0);
    if let Some(cids) = second.filter(plain) {
        let mut names: Vec<_> =
            cids.iter().map(BlockId::try_from).collect::<Result<_, _>>().expect("accepted");
        let mut found = found;
        if codec == Codec::DagCbor {
            // The full decoder sorts the keys of maps.
            names.sort_unstable();
            found.sort_unstable();
        }
        assert_eq!(found, names, "two readers see other links");
    }
}

/// Field 1 of every field 2; the last one counts.
fn dag_pb(block: &[u8]) -> Vec<Cid> {
    let last = |message, number| {
        Fields::of(message)
            .filter_map(Result::ok)
            .filter_map(move |(found, bytes)| bytes.filter(|_| found == number))
    };
    last(block, 2)
        .map(|link| {
            let name = last(link, 1).last().unwrap_or_default();
            let cid = Cid::try_from(name).expect("accepted before");
            assert_eq!(cid.to_bytes(), name, "something stands behind a link");
            cid
        })
        .collect()
}

fn dag_cbor(ipld: &Ipld, cids: &mut Vec<Cid>) {
    match ipld {
        Ipld::Link(cid) => cids.push(*cid),
        Ipld::List(items) => items.iter().for_each(|item| dag_cbor(item, cids)),
        Ipld::Map(entries) => entries.values().for_each(|value| dag_cbor(value, cids)),
        _ => {}
    }
}
