use super::*;
use crate::import::{ImportProfile, import};
use crate::source::Plan;
use by_hand::*;
use holdfast_core::check::PieceChecker;
use holdfast_core::walk::InMemory;
use std::collections::BTreeMap;

/// Hand-made dag-pb nodes, for what no honest importer makes, and blocks to be written out.
pub(super) mod by_hand {
    use super::*;

    pub(in crate::export) type Blocks = BTreeMap<BlockId, Vec<u8>>;

    pub(in crate::export) fn field(number: u8, data: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        holdfast_core::car::push_varint(&mut out, data.len() as u64);
        out.extend_from_slice(data);
        out
    }

    pub(super) fn folder(entries: &[(&str, BlockId)]) -> (BlockId, Vec<u8>) {
        node(entries, &[0x08, 0x01]) // UnixFS: type folder
    }

    pub(super) fn shard(entries: &[(&str, BlockId)]) -> (BlockId, Vec<u8>) {
        // UnixFS: type shard, no bitmap, hash function murmur3, fanout 256
        node(entries, &[0x08, 0x05, 0x12, 0x00, 0x28, 0x22, 0x30, 0x80, 0x02])
    }

    fn node(entries: &[(&str, BlockId)], unixfs: &[u8]) -> (BlockId, Vec<u8>) {
        let mut data = Vec::new();
        for (name, id) in entries {
            let link = [field(1, &id.to_cid().to_bytes()), field(2, name.as_bytes())].concat();
            data.extend(field(2, &link));
        }
        data.extend(field(1, unixfs));
        (BlockId::of(Codec::DagPb, &data), data)
    }

    /// The blocks of a planned piece.
    pub(in crate::export) fn blocks_of(plan: &std::sync::Arc<Plan>) -> Blocks {
        let mut piece = Vec::new();
        plan.reader().unwrap().read_into(&mut piece, usize::try_from(plan.piece_bytes()).unwrap()).unwrap();
        let mut checker = PieceChecker::new(plan.root(), InMemory::default()).unwrap();
        let (mut placed, mut outboard) = (Vec::new(), Vec::new());
        checker.push(&piece, &mut placed, &mut outboard).unwrap();
        let bytes = |at: &holdfast_core::check::Placed| {
            let start = usize::try_from(at.offset).unwrap();
            piece[start..start + usize::try_from(at.bytes).unwrap()].to_vec()
        };
        placed.iter().map(|at| (at.id, bytes(at))).collect()
    }
}

fn write(root: BlockId, blocks: &Blocks, target: &Path) -> Result<(), ExportError> {
    let mut writer = TreeWriter::new(root, target)?;
    loop {
        let Some(id) = writer.wanted().next() else { return writer.finish() };
        writer.push(&blocks[&id])?;
    }
}

fn tree(path: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut todo = vec![path.to_owned()];
    while let Some(at) = todo.pop() {
        let metadata = at.symlink_metadata().unwrap();
        let content = if metadata.is_dir() {
            todo.extend(fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()));
            None
        } else if metadata.is_symlink() {
            Some(fs::read_link(&at).unwrap().to_string_lossy().into_owned().into_bytes())
        } else {
            Some(fs::read(&at).unwrap())
        };
        found.push((at.strip_prefix(path).unwrap().to_owned(), content));
    }
    found.sort();
    found
}

#[test]
fn what_was_imported_is_written_back() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("a/b/empty")).unwrap();
    fs::write(source.join("a/large"), vec![9; 3_000_000]).unwrap();
    fs::write(source.join("a/b/nothing"), b"").unwrap();
    std::os::unix::fs::symlink("../a/large", source.join("a/link")).unwrap();
    for number in 0..6000 {
        fs::write(source.join(format!("sharded-file-{number:05}")), format!("{number}")).unwrap();
    }
    let plan =
        import(&source, ImportProfile::UNIXFS_V1_2025, folder.path(), &mut |_| ()).unwrap().plan().unwrap();
    let plan = std::sync::Arc::new(plan);
    let target = folder.path().join("target");
    write(plan.root(), &blocks_of(&plan), &target).unwrap();
    assert!(tree(&source) == tree(&target), "the trees differ");
}

#[test]
fn single_files_and_existing_targets() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let target = folder.path().join("target");
    for bytes in [0, 1, 1 << 20, (1 << 20) + 1] {
        fs::write(&source, vec![3; bytes]).unwrap();
        let dag = import(&source, ImportProfile::UNIXFS_V1_2025, folder.path(), &mut |_| ()).unwrap();
        let plan = std::sync::Arc::new(dag.plan().unwrap());
        write(plan.root(), &blocks_of(&plan), &target).unwrap();
        assert_eq!(fs::read(&target).unwrap().len(), bytes);
        let again = write(plan.root(), &blocks_of(&plan), &target);
        assert!(matches!(again, Err(ExportError::Exists { .. })));
        fs::remove_file(&target).unwrap();
    }
}

#[test]
fn hostile_names_never_leave_the_folder_and_leave_nothing_behind() {
    let outside = tempfile::tempdir().unwrap();
    let leaf = (BlockId::of(Codec::Raw, b"x"), b"x".to_vec());
    let (link_id, link) = rust_unixfs::symlink::symlink_block(
        outside.path().to_str().unwrap(),
        &rust_unixfs::Metadata::default(),
        cid::Version::V1,
        multihash_codetable::Code::Sha2_256,
    );
    let link = (BlockId::try_from(&link_id).unwrap(), link);
    let inner = folder(&[("planted", leaf.0)]);
    let cases = [
        folder(&[("..", leaf.0)]),
        folder(&[(".", leaf.0)]),
        folder(&[("a/b", leaf.0)]),
        folder(&[("/etc/planted", leaf.0)]),
        folder(&[("", leaf.0)]),
        folder(&[("same", leaf.0), ("same", leaf.0)]),
        folder(&[("way", link.0), ("way", inner.0)]),
    ];
    for (root, data) in cases {
        let target = tempfile::tempdir().unwrap();
        let blocks: Blocks = [leaf.clone(), link.clone(), inner.clone(), (root, data)].into();
        let result = write(root, &blocks, &target.path().join("out"));
        assert!(matches!(result, Err(ExportError::Name { .. })), "{result:?}");
        assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

/// See `holdfast_core::protobuf`: the library's reader never came back from these bytes.
const WRAPPING: &[u8] = b"\x0a\x11\x08\x02\x42\x01\x08\x00\x1a\xf3\xff\xff\xff\xff\xff\xff\xff\xff\x01";

#[test]
fn what_is_not_unixfs_is_refused() {
    let target = tempfile::tempdir().unwrap();
    for (codec, data) in [
        (Codec::DagCbor, &b"\x80"[..]),
        (Codec::DagPb, b"\x0a\x02\xff\xff"),
        (Codec::DagPb, b""),
        (Codec::DagPb, WRAPPING),
    ] {
        let root = BlockId::of(codec, data);
        let result = write(root, &[(root, data.to_vec())].into(), &target.path().join("out"));
        assert!(matches!(result, Err(ExportError::NotUnixFs { .. })), "{result:?}");
    }
}

fn list(root: BlockId, blocks: &Blocks) -> (Result<list::Listing, ExportError>, usize) {
    let (mut lister, mut read) = (list::Lister::new(root), 0);
    loop {
        let Some(id) = lister.wanted().next() else { return (Ok(lister.finish()), read) };
        read += 1;
        if let Err(error) = lister.push(&blocks[&id]) {
            return (Err(error), read);
        }
    }
}

#[test]
fn a_folder_is_listed_without_the_content_of_its_files() {
    use list::Kind;
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir_all(source.join("inner/deep")).unwrap();
    fs::write(source.join("large"), vec![9; 3_000_000]).unwrap();
    fs::write(source.join("small"), b"12345").unwrap();
    std::os::unix::fs::symlink("small", source.join("link")).unwrap();
    let plan = import(&source, ImportProfile::UNIXFS_V1_2025, folder.path(), &mut |_| ()).unwrap().plan();
    let plan = std::sync::Arc::new(plan.unwrap());
    let blocks = blocks_of(&plan);
    let (found, read) = list(plan.root(), &blocks);
    let found = found.unwrap();
    assert_eq!((found.kind, found.bytes), (Kind::Folder, None));
    let entries: Vec<_> =
        found.entries.iter().map(|entry| (entry.name.as_str(), entry.kind, entry.bytes)).collect();
    assert_eq!(
        entries,
        [
            ("inner", Kind::Folder, None),
            ("large", Kind::File, Some(3_000_000)),
            ("link", Kind::Link, None),
            ("small", Kind::File, Some(5)),
        ]
    );
    assert_eq!(read, 4, "the folder, and the first blocks of all but the leaf");
    // Whatever an entry names can be listed in turn; a file lists itself.
    let large = list(found.entries[1].cid, &blocks).0.unwrap();
    assert_eq!((large.kind, large.bytes, large.entries.len()), (Kind::File, Some(3_000_000), 0));
    let leaf = list(found.entries[3].cid, &blocks).0.unwrap();
    assert_eq!((leaf.kind, leaf.bytes), (Kind::File, Some(5)));
}

#[test]
fn a_sharded_folder_is_listed_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    for number in 0..6000 {
        fs::write(source.join(format!("file-{number:05}.txt")), format!("content {number}")).unwrap();
    }
    let plan = import(&source, ImportProfile::UNIXFS_V1_2025, folder.path(), &mut |_| ()).unwrap().plan();
    let plan = std::sync::Arc::new(plan.unwrap());
    let (found, read) = list(plan.root(), &blocks_of(&plan));
    let found = found.unwrap();
    assert!(read > 1, "the folder is sharded");
    assert_eq!(found.kind, list::Kind::Folder);
    let names: Vec<_> = found.entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, (0..6000).map(|number| format!("file-{number:05}.txt")).collect::<Vec<_>>());
}

/// Few blocks that link to the same one again and again would take for ever to walk.
#[test]
fn a_folder_whose_shards_repeat_is_refused() {
    let (end, end_data) = shard(&[]);
    let (root, data) = shard(&[("00", end), ("01", end)]);
    let blocks = Blocks::from([(end, end_data), (root, data)]);
    let error = list(root, &blocks).0.unwrap_err();
    assert!(error.to_string().contains("comes twice"), "{error}");
    let target = tempfile::tempdir().unwrap();
    let error = write(root, &blocks, &target.path().join("out")).unwrap_err();
    assert!(error.to_string().contains("comes twice"), "{error}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing half-written remains");

    // The same sharded folder in two places, one within the other's sibling, is no bomb.
    let (inner, inner_data) = shard(&[("00", end)]);
    let (outer, outer_data) = shard(&[("01one", inner), ("02", end), ("03two", inner)]);
    let blocks = Blocks::from([(end, shard(&[]).1), (inner, inner_data), (outer, outer_data)]);
    write(outer, &blocks, &target.path().join("out")).unwrap();
    assert_eq!(fs::read_dir(target.path().join("out")).unwrap().count(), 2);

    let (root, data) = shard(&[("0", end)]);
    let error = list(root, &Blocks::from([(root, data)])).0.unwrap_err();
    assert!(error.to_string().contains("no name"), "{error}");
}

/// A file of no bytes whose nodes link to the same empty ones again and again would take for ever as well.
#[test]
fn a_file_whose_empty_parts_repeat_is_written_at_once() {
    // UnixFS: type file, length 0, and two parts of 0 bytes
    let part = |unixfs: &[u8], below: Option<BlockId>| {
        let link = below.map(|id| field(2, &[field(1, &id.to_cid().to_bytes()), field(2, b"")].concat()));
        let links = link.map(|link| [link.clone(), link].concat()).unwrap_or_default();
        let data = [links, field(1, unixfs)].concat();
        (BlockId::of(Codec::DagPb, &data), data)
    };
    let mut blocks = Blocks::new();
    let (mut root, data) = part(&[0x08, 0x02, 0x18, 0x00], None);
    blocks.insert(root, data);
    for _ in 0..60 {
        let (above, data) = part(&[0x08, 0x02, 0x18, 0x00, 0x20, 0x00, 0x20, 0x00], Some(root));
        blocks.insert(above, data);
        root = above;
    }
    let target = tempfile::tempdir().unwrap();
    write(root, &blocks, &target.path().join("out")).unwrap();
    assert_eq!(fs::read(target.path().join("out")).unwrap(), b"");
}

#[test]
fn an_entry_of_other_data_is_listed_as_such() {
    let broken = vec![0x12, 0x01];
    let id = BlockId::of(Codec::DagPb, &broken);
    let cbor = BlockId::of(Codec::DagCbor, &[0xf6]);
    let (root, data) = folder(&[("broken", id), ("data", cbor)]);
    let blocks = Blocks::from([(root, data), (id, broken), (cbor, vec![0xf6])]);
    let entries = list(root, &blocks).0.unwrap().entries;
    assert!(
        entries.iter().all(|entry| (entry.kind, entry.bytes) == (list::Kind::Other, None)),
        "{entries:?}"
    );
    assert_eq!(list(cbor, &blocks).0.unwrap().kind, list::Kind::Other);
    assert!(list(id, &blocks).0.is_err());
}
