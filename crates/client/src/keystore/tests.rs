//! The keystore as a whole, under a work factor that makes tests fast.

use std::os::unix::fs::PermissionsExt;

use std::io::{Read, Write};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use proptest::prelude::*;

use super::*;

fn keystore(folder: &Path) -> Keystore {
    Keystore::with_work(folder, WorkFactor::new(1).unwrap())
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

/// An encrypted key, and the passphrase that opens it.
fn encrypted() -> (EncryptedKey, Passphrase) {
    let passphrase = passphrase("correct horse");
    let key = AccountKey::from_seed(&[5; 32]);
    (EncryptedKey::encrypt(&key, &passphrase, WorkFactor::new(1).unwrap()), passphrase)
}

/// Reads and decrypts a file.
fn open(text: &[u8], passphrase: &Passphrase) -> Result<AccountKey, OpenError> {
    EncryptedKey::from_text(text)?.decrypt(passphrase)
}

/// A file that says it is the key of an account, and holds this text.
fn file_of(account: &AccountId, plain: &[u8], log_n: u8) -> String {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from("correct horse"));
    recipient.set_work_factor(log_n);
    let armored = age::encrypt_and_armor(&recipient, plain).unwrap();
    format!("# holdfast account key 1: {account}\n{armored}")
}

/// The example of the specification, written by a program that shares no code with ours.
const EXAMPLE: &str = "\
# holdfast account key 1: hf1qwss00lnecgtu8tsm5vwwj7qn9n7f43snwjs6hcamjrxgyj4xxuquhsk7r
-----BEGIN AGE ENCRYPTED FILE-----
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBFQkVTRXhRVkZoY1lHUm9i
SEIwZUh3IDQKeVlXNUZXUjBtQ0poZ2tpenpLUE55bmZxWDFvY0YyTmo2cU5IRmk0
L2o1dwotLS0gVDV6cFFJYzJ1TGJkYnh3eXVwMXJRUG85c2FUV0t6aE5zUEE5MGZI
ZTBGcwogISIjJCUmJygpKissLS4vOuyvQE0KFsFvZGYvPLuCxIEpyF1wn+s/SQ4x
jORf1BYJ6aS+ocE9X6wQmvLOE27MsEWvz5212bekNw89yU6AcrgwqIdM4d8RVGp7
6C4ELPYbLp24aW76MeSzWY+rYAEMhsPwcUe0334cv+vyG919
-----END AGE ENCRYPTED FILE-----
";

#[test]
fn the_example_of_the_specification_opens() {
    let key = open(EXAMPLE.as_bytes(), &passphrase("correct horse battery staple")).unwrap();
    assert_eq!(*key.secret().to_seed(), std::array::from_fn(|at| u8::try_from(at).unwrap()));
}

#[test]
fn a_key_is_made_listed_and_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(&folder.path().join("deep/keys"));
    assert_eq!(keystore.list().unwrap(), []);
    let account = keystore.create(&name("work"), &passphrase("one")).unwrap();
    let other = keystore.create(&name("default"), &passphrase("two")).unwrap();
    assert_ne!(account, other);
    let listed = [("default", other), ("work", account)];
    let listed = listed.map(|(text, account)| KeyEntry { name: name(text), account: Some(account) });
    assert_eq!(keystore.list().unwrap(), listed);
    assert_eq!(keystore.account(&name("work")).unwrap(), account);

    let key = keystore.unlock(&name("work"), &passphrase("one")).unwrap();
    assert_eq!(key.account(), account);
    let signature = key.secret().sign(b"message");
    assert_eq!(account.key().verify(b"message", &signature), Ok(()));
    for wrong in ["two", "One", "one ", "on"] {
        let refused = keystore.unlock(&name("work"), &passphrase(wrong));
        assert!(matches!(refused, Err(KeystoreError::Open { source: OpenError::Passphrase, .. })), "{wrong}");
    }
    assert_eq!(Passphrase::new("").unwrap_err(), PassphraseError);
}

#[test]
fn files_are_for_their_owner_only_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(&folder.path().join("keys"));
    keystore.create(&name("default"), &passphrase("one")).unwrap();
    let path = keystore.path(&name("default"));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.path().join("keys")), mode(&path)), (0o700, 0o600));

    let before = fs::read(&path).unwrap();
    let again = keystore.create(&name("default"), &passphrase("two"));
    assert!(matches!(again, Err(KeystoreError::Exists { .. })));
    let (key, _) = encrypted();
    assert!(matches!(keystore.add(&name("default"), &key), Err(KeystoreError::Exists { .. })), "a race");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn nothing_is_there_by_half_if_a_file_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys"), "a file").unwrap();
    let refused = keystore(&folder.path().join("keys")).create(&name("default"), &passphrase("one"));
    assert!(matches!(refused, Err(KeystoreError::Write { .. } | KeystoreError::Read { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_key_is_told_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(folder.path());
    let problem = || keystore.unlock(&name("x"), &passphrase("one")).unwrap_err().to_string();
    assert!(problem().ends_with("there is none yet: `holdfast key new` makes one"), "{}", problem());
    for key in ["b", "a"] {
        keystore.create(&name(key), &passphrase("one")).unwrap();
    }
    for other in ["notes.txt", "A.key", ".tmp1.key", "key", "c.key.old"] {
        fs::write(folder.path().join(other), "").unwrap();
    }
    assert!(problem().starts_with("no key `x` in ") && problem().ends_with("; there are: a, b"));
}

#[test]
fn keys_come_back_from_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let old = keystore(&folder.path().join("old"));
    let account = old.create(&name("default"), &passphrase("one")).unwrap();
    let plain = folder.path().join("plain");
    let key = old.unlock(&name("default"), &passphrase("one")).unwrap();
    fs::write(&plain, key.to_text().as_bytes()).unwrap();

    let new = keystore(&folder.path().join("new"));
    let file = KeyFile::read(&old.path(&name("default"))).unwrap();
    assert!(file.is_encrypted());
    let wrong = new.import(&name("a"), &file, &passphrase("two"));
    assert!(
        matches!(&wrong, Err(KeystoreError::Open { path, .. }) if *path == old.path(&name("default"))),
        "names the file that does not open: {wrong:?}"
    );
    assert_eq!(new.list().unwrap(), []);
    assert_eq!(new.import(&name("a"), &file, &passphrase("one")).unwrap(), account);
    assert_eq!(fs::read(new.path(&name("a"))).unwrap(), fs::read(old.path(&name("default"))).unwrap());

    // The same account under another name, and another account under the same name.
    let file = KeyFile::read(&plain).unwrap();
    assert!(!file.is_encrypted());
    let known = new.import(&name("b"), &file, &passphrase("two")).unwrap_err();
    assert_eq!(known.to_string(), format!("the key of account {account} is there already, as `a`"));
    assert!(matches!(new.import(&name("a"), &file, &passphrase("two")), Err(KeystoreError::Exists { .. })));
    let newest = keystore(&folder.path().join("newest"));
    assert_eq!(newest.import(&name("b"), &file, &passphrase("two")).unwrap(), account);
    assert_eq!(newest.unlock(&name("b"), &passphrase("two")).unwrap().account(), account);
}

#[test]
fn a_file_of_another_account_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(folder.path());
    let names = [name("a"), name("b")];
    let accounts = names.clone().map(|name| keystore.create(&name, &passphrase("one")).unwrap());
    let [first, second] = names.clone().map(|name| fs::read_to_string(keystore.path(&name)).unwrap());
    let comment = |text: &str| text.lines().next().unwrap().to_owned();
    fs::write(keystore.path(&names[0]), second.replace(&comment(&second), &comment(&first))).unwrap();
    let mixed = keystore.unlock(&names[0], &passphrase("one")).unwrap_err();
    let [says, holds] = accounts;
    let KeystoreError::Open { source, .. } = mixed else { panic!("{mixed:?}") };
    assert_eq!(source, OpenError::Account { says, holds });
}

#[test]
fn damage_at_any_byte_is_an_error() {
    let (key, passphrase) = encrypted();
    let text = key.to_text().into_bytes();
    assert_eq!(open(&text, &passphrase).unwrap().account(), key.account());
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut other = text.clone();
            other[at] ^= 1 << bit;
            // The newline at the very end is not needed.
            let end = at == text.len() - 1 && other[at].is_ascii_whitespace();
            assert!(end || open(&other, &passphrase).is_err(), "bit {bit} of byte {at}");
        }
        let whole = at == text.len() - 1;
        assert!(whole || open(&text[..at], &passphrase).is_err(), "cut at {at}");
    }
    let twice = [&text[..], &text[..]].concat();
    assert!(open(&twice, &passphrase).is_err());
}

#[test]
fn a_damaged_file_is_listed_without_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let keystore = keystore(folder.path());
    let account = keystore.create(&name("good"), &passphrase("one")).unwrap();
    let bare = fs::read_to_string(keystore.path(&name("good"))).unwrap();
    for (other, content) in [("empty", ""), ("long", &"x".repeat(100_000)), ("other", "hello\nworld\n")] {
        fs::write(keystore.path(&name(other)), content).unwrap();
    }
    // An age file without its comment does not say whose it is.
    fs::write(keystore.path(&name("bare")), bare.split_once('\n').unwrap().1).unwrap();
    let listed = keystore.list().unwrap();
    assert_eq!(listed.len(), 5);
    for entry in listed {
        let good = entry.name == name("good");
        assert_eq!(entry.account, good.then_some(account), "{}", entry.name);
        assert_eq!(keystore.unlock(&entry.name, &passphrase("one")).is_ok(), good, "{}", entry.name);
    }
}

#[test]
fn absurd_work_is_refused_before_it_begins() {
    let (key, passphrase) = encrypted();
    let text = key.to_text();
    let (comment, armored) = text.split_once('\n').unwrap();
    for (asks, expected) in [
        ("21", OpenError::Work { log_n: 21 }),
        ("23", OpenError::Work { log_n: 23 }),
        ("63", OpenError::Work { log_n: 63 }),
        ("255", OpenError::Work { log_n: 255 }),
        ("0", OpenError::Malformed),
        ("256", OpenError::Malformed),
        ("01", OpenError::Malformed),
    ] {
        let mut file = Vec::new();
        ArmoredReader::new(armored.as_bytes()).read_to_end(&mut file).unwrap();
        let at = file.windows(3).position(|window| window == b" 1\n").unwrap() + 1;
        file.splice(at..=at, asks.bytes());
        let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
        writer.write_all(&file).unwrap();
        let armored = String::from_utf8(writer.finish().unwrap()).unwrap();
        let hostile = format!("{comment}\n{armored}");
        assert_eq!(open(hostile.as_bytes(), &passphrase).unwrap_err(), expected, "{asks}");
    }
    assert_eq!(WorkFactor::new(0), None);
    assert_eq!(WorkFactor::new(21), None);
    assert!(WorkFactor::STANDARD < WorkFactor::MAX);
}

#[test]
fn age_files_of_something_else_hold_no_key() {
    let (key, passphrase) = encrypted();
    let account = key.account();
    let secret = AccountKey::from_seed(&[5; 32]).to_text();
    assert!(open(file_of(&account, secret.as_bytes(), 1).as_bytes(), &passphrase).is_ok());
    for plain in [&b""[..], b"hello", &[0; 70_000], secret[..secret.len() - 2].as_bytes()] {
        let file = file_of(&account, plain, 1);
        assert_eq!(open(file.as_bytes(), &passphrase).unwrap_err(), OpenError::Damaged);
    }
    // Encrypted to a key instead of a passphrase.
    let recipient = age::x25519::Identity::generate().to_public();
    let armored = age::encrypt_and_armor(&recipient, secret.as_bytes()).unwrap();
    let file = format!("# holdfast account key 1: {account}\n{armored}");
    assert_eq!(open(file.as_bytes(), &passphrase).unwrap_err(), OpenError::Malformed);
}

#[test]
fn nothing_secret_prints() {
    let (key, passphrase) = encrypted();
    let opened = key.decrypt(&passphrase).unwrap();
    let secret = opened.to_text();
    let printed = format!("{key:?} {opened:?} {passphrase:?}");
    assert!(!printed.contains("correct horse") && !printed.contains(secret.split_once(": ").unwrap().1));
    assert!(!key.to_text().contains("hfsecret"));
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes: Vec<u8>, armored in ".{0,200}") {
        let (key, passphrase) = encrypted();
        prop_assert!(open(&bytes, &passphrase).is_err());
        let text = format!("# holdfast account key 1: {}\n-----BEGIN AGE ENCRYPTED FILE-----\n{armored}", key.account());
        prop_assert!(open(text.as_bytes(), &passphrase).is_err());
    }

    #[test]
    fn any_passphrase_opens_its_key(text in ".{1,40}", seed: [u8; 32]) {
        let (passphrase, key) = (passphrase(&text), AccountKey::from_seed(&seed));
        let encrypted = EncryptedKey::encrypt(&key, &passphrase, WorkFactor::new(1).unwrap());
        let read = EncryptedKey::from_text(encrypted.to_text().as_bytes()).unwrap();
        prop_assert_eq!(*read.decrypt(&passphrase).unwrap().secret().to_seed(), seed);
    }
}
