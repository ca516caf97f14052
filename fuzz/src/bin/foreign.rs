//! CARs of other programs, versions 1 and 2, scanned and planned from a file.
//!
//! Whatever becomes a plan becomes a piece, of the length planned, that the piece checker accepts.

#![no_main]
#![forbid(unsafe_code)]

use std::fs;
use std::sync::Arc;

use holdfast_core::check::PieceChecker;
use holdfast_core::walk::InMemory;
use holdfast_fuzz::bounded;
use holdfast_store::foreign::scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bounded(data, judge));

fn judge(data: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("foreign.car");
    fs::write(&path, data).expect("there is room");
    let mut seen = 0;
    let Ok(dag) = scan(&path, folder.path(), &mut |bytes| seen += bytes) else { return };
    assert!(seen <= data.len() as u64, "more blocks than bytes");
    let Ok(plan) = dag.plan() else { return };

    let plan = Arc::new(plan);
    let mut piece = Vec::new();
    let bytes = usize::try_from(plan.piece_bytes()).expect("within the input");
    plan.reader()
        .expect("the file is there")
        .read_into(&mut piece, bytes + 1)
        .expect("the file is as it was");
    assert_eq!(piece.len(), bytes, "the length planned");
    let mut checker = PieceChecker::new(plan.root(), InMemory::default()).expect("memory does not fail");
    checker.push(&piece, &mut Vec::new(), &mut Vec::new()).expect("a plan is a piece");
    assert_eq!(checker.finish(&mut Vec::new()).expect("a plan is whole").bytes, plan.piece_bytes());
}
