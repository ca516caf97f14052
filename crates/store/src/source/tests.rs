use super::*;
use crate::import::{ImportProfile, import};
use holdfast_core::check::PieceChecker;
use holdfast_core::walk::InMemory;
use std::fs;
use std::sync::Arc;

fn read_all(plan: &Arc<Plan>, step: usize) -> Result<Vec<u8>, SourceError> {
    let mut reader = plan.reader()?;
    let mut piece = Vec::new();
    loop {
        let before = piece.len();
        reader.read_into(&mut piece, step)?;
        if piece.len() == before {
            return Ok(piece);
        }
    }
}

fn plan_of(path: &Path) -> Arc<Plan> {
    let scratch = tempfile::tempdir().unwrap();
    Arc::new(
        import(path, ImportProfile::KIB256_LINKS174, scratch.path(), &mut |_| ()).unwrap().plan().unwrap(),
    )
}

/// A folder with repeats, nesting, a symlink, an empty file and files of several leaves.
fn sample(folder: &Path) {
    let content =
        |bytes: usize| (0..bytes).map(|i| u8::try_from(i / 1000 % 256).unwrap()).collect::<Vec<_>>();
    fs::create_dir_all(folder.join("sub/empty")).unwrap();
    fs::write(folder.join("large"), content(1_000_000)).unwrap();
    fs::write(folder.join("sub/twin"), content(1_000_000)).unwrap();
    fs::write(folder.join("sub/nothing"), b"").unwrap();
    fs::write(folder.join("zeros"), vec![0; 2_000_000]).unwrap();
    std::os::unix::fs::symlink("large", folder.join("sub/link")).unwrap();
}

#[test]
fn the_stream_is_the_canonical_piece_however_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    sample(folder.path());
    let plan = plan_of(folder.path());
    assert_eq!(plan.unreachable(), 0);
    let piece = read_all(&plan, 1_000_003).unwrap();
    assert_eq!(piece.len() as u64, plan.piece_bytes());
    assert_eq!(read_all(&plan, 777).unwrap(), piece);

    let mut checker = PieceChecker::new(plan.root(), InMemory::default()).unwrap();
    let (mut placed, mut outboard) = (Vec::new(), Vec::new());
    checker.push(&piece, &mut placed, &mut outboard).unwrap();
    assert_eq!(u64::from(checker.finish(&mut outboard).unwrap().blocks), plan.blocks());
    assert_eq!(placed.len() as u64, plan.blocks());
    for offset in [0, 1, 58, 59, 1000, 999_999, plan.piece_bytes() - 1, plan.piece_bytes()] {
        let mut rest = Vec::new();
        plan.reader_at(offset).unwrap().read_into(&mut rest, piece.len()).unwrap();
        assert!(rest == piece[usize::try_from(offset).unwrap()..], "from {offset}");
    }
    // The twin and all but two of the zero leaves are stored once.
    assert!(piece.len() < 1_450_000, "{} bytes", piece.len());
}

#[test]
fn a_file_that_changes_after_import_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let changes: [&dyn Fn(); 3] =
        [&|| fs::write(&path, vec![1; 999_999]).unwrap(), &|| fs::remove_file(&path).unwrap(), &|| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, vec![1; 1_000_000]).unwrap();
        }];
    for change in changes {
        fs::write(&path, vec![1; 1_000_000]).unwrap();
        let plan = plan_of(&path);
        change();
        assert!(matches!(read_all(&plan, 4096), Err(SourceError::Changed { .. })));
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect::<Vec<_>>()).unwrap();
    let plan = plan_of(&path);
    let mut reader = plan.reader().unwrap();
    let mut out = Vec::new();
    reader.read_into(&mut out, 300_000).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    io::Write::write_all(&mut file, b"more").unwrap();
    drop(file);
    let rest = reader.read_into(&mut out, usize::try_from(plan.piece_bytes()).unwrap());
    assert!(matches!(rest, Err(SourceError::Changed { .. })));
}
