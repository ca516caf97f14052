use super::*;

fn import_at(path: &Path, profile: ImportProfile) -> Dag {
    let scratch = tempfile::tempdir().unwrap();
    import(path, profile, scratch.path(), &mut |_| ()).unwrap()
}

fn cid_of(content: &[u8], profile: ImportProfile) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    import_at(&path, profile).root().to_string()
}

/// The vectors whose content needs no other language's random numbers: `testdata/unixfs.json`, made with
/// ipfs-unixfs-importer 17.1.1. The others are checked by the interoperability run.
#[test]
fn folders_have_the_cids_that_ipfs_gives_them() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../testdata/unixfs.json")).unwrap();
    let mut read = 0;
    for (count, cid) in vectors["directories"].as_object().unwrap() {
        let Ok(count) = count.parse::<u32>() else { continue };
        let folder = tempfile::tempdir().unwrap();
        for number in 0..count {
            let path = folder.path().join(format!("file-{number:05}.txt"));
            fs::write(path, format!("content {number}")).unwrap();
        }
        let found = import_at(folder.path(), ImportProfile::UNIXFS_V1_2025).root().to_string();
        assert_eq!(found, cid.as_str().unwrap(), "{count} entries");
        read += 1;
    }
    assert_eq!(read, 3);
}

#[test]
fn the_empty_file_and_the_empty_folder_have_their_well_known_cids() {
    for profile in ImportProfile::ALL {
        assert_eq!(cid_of(b"", profile), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    }
    let folder = tempfile::tempdir().unwrap();
    let found = import_at(folder.path(), ImportProfile::UNIXFS_V1_2025).root().to_string();
    assert_eq!(found, "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
}

#[test]
fn profiles_differ_from_one_leaf_on() {
    let small = vec![7; 256 << 10];
    assert_eq!(cid_of(&small, ImportProfile::UNIXFS_V1_2025), cid_of(&small, ImportProfile::KIB256_LINKS174));
    let larger = vec![7; (256 << 10) + 1];
    assert_ne!(
        cid_of(&larger, ImportProfile::UNIXFS_V1_2025),
        cid_of(&larger, ImportProfile::KIB256_LINKS174)
    );
    assert_eq!(ImportProfile::by_name("unixfs-v1-2025"), Some(ImportProfile::UNIXFS_V1_2025));
    assert_eq!(ImportProfile::by_name("other"), None);
}

#[test]
fn what_cannot_be_imported_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let try_import =
        |path: &Path| import(path, ImportProfile::UNIXFS_V1_2025, scratch.path(), &mut |_| ()).map(drop);
    assert!(matches!(try_import(&folder.path().join("none")), Err(ImportError::Read { .. })));

    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(try_import(folder.path()), Err(ImportError::Kind { path }) if path == socket));
    fs::remove_file(&socket).unwrap();

    use std::os::unix::ffi::OsStrExt;
    let latin1 = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::write(&latin1, b"").unwrap();
    assert!(matches!(try_import(folder.path()), Err(ImportError::Name { .. })));
}
