//! Account keys: made, listed, taken elsewhere, and never without their passphrase.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::{Run, World, find_bytes, signal};

/// Where keys lie in the home folder.
const KEYS: &str = "home/.local/share/holdfast/keys";

/// An empty world with a file that holds a passphrase.
fn world() -> World {
    let world = World::empty();
    world.file("pass", "correct horse\n");
    world.file("other", "battery staple");
    world
}

/// Runs a `key` command that reads its passphrase from `pass`.
fn key(world: &World, args: &[&str]) -> Run {
    world.run([&["key"], args, &["--passphrase-file", "pass"]].concat())
}

/// Exit code and reason of a `key` command that fails.
fn problem(world: &World, args: &[&str]) -> (i32, String) {
    let run = world.run_json([&["key"], args].concat());
    assert_eq!(run.stdout, "", "{run:?}");
    (run.code, run.reason())
}

#[test]
fn a_key_is_made_and_listed_without_its_passphrase() {
    let world = world();
    assert_eq!(world.run(["key", "ls"]).ok().stdout, "no keys yet; `holdfast key new` makes one\n");
    assert_eq!(world.run_json(["key", "ls"]).ok().json()["keys"].as_array().unwrap().len(), 0);
    assert!(!world.path(KEYS).exists(), "looking makes nothing");

    let made = key(&world, &["new"]).ok();
    let account = made.last_word();
    assert!(account.starts_with("hf1") && account.len() == 61, "{made:?}");
    assert!(made.stderr.contains("key export default -o FILE"), "{made:?}");
    let work = world.run_json(["key", "new", "work", "--passphrase-file", "other"]).ok().json();
    assert_eq!((work["schema"].as_str(), work["name"].as_str()), (Some("holdfast/key-new/1"), Some("work")));

    let text = world.run(["key", "ls"]).ok().stdout;
    assert_eq!(text, format!("*  default  {account}\n   work     {}\n", work["account"].as_str().unwrap()));
    let listed = world.run_json(["key", "ls"]).ok().json();
    assert_eq!(listed["schema"], "holdfast/key-ls/1");
    assert_eq!(listed["keys"][0]["account"], account);
    assert_eq!(listed["keys"][0]["default"], true);
    assert_eq!(
        (&listed["keys"][1]["account"], &listed["keys"][1]["default"]),
        (&work["account"], &false.into())
    );

    let mode = |name: &str| world.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(KEYS), mode(&format!("{KEYS}/default.key"))), (0o700, 0o600));
    assert_eq!(problem(&world, &["new", "--passphrase-file", "pass"]), (9, "key.exists".into()));
    assert_eq!(problem(&world, &["new", "Work", "--passphrase-file", "pass"]), (2, "usage".into()));
    assert_eq!(fs::read_dir(world.path(KEYS)).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn the_keystore_lies_where_the_environment_says() {
    let world = world();
    let mut command = world.command();
    command.args(["key", "new"]).env("XDG_DATA_HOME", world.path("data"));
    Run::from(command.env("HOLDFAST_PASSPHRASE_FILE", "pass").output().unwrap()).ok();
    assert!(world.path("data/holdfast/keys/default.key").exists());
    let mut homeless = world.command();
    let run = Run::from(homeless.args(["--json", "key", "ls"]).env_remove("HOME").output().unwrap());
    assert_eq!((run.code, run.reason().as_str()), (2, "key.no_folder"));
}

#[test]
fn a_passphrase_is_never_an_argument() {
    let world = world();
    for args in [
        &["new", "--passphrase", "correct horse"][..],
        &["new", "--passphrase=correct horse"],
        &["new", "default", "correct horse"],
    ] {
        let run = world.run_json([&["key"], args].concat());
        assert_eq!((run.code, run.reason().as_str()), (2, "usage"), "{run:?}");
    }
    // No terminal and no file.
    assert_eq!(problem(&world, &["new"]), (2, "key.no_passphrase".into()));
    let people = world.run(["key", "new"]);
    assert!(people.stderr.contains("--passphrase-file FILE"), "{people:?}");
    assert_eq!(people.stderr.lines().count(), 1);
    // What is named by the environment but empty is not named.
    let mut unset = world.command();
    unset.args(["--json", "key", "new"]).env("HOLDFAST_PASSPHRASE_FILE", "");
    assert_eq!(Run::from(unset.output().unwrap()).reason(), "key.no_passphrase");
    for (content, expected) in [("", "key.empty_passphrase"), ("\nx", "key.empty_passphrase")] {
        world.file("bad", content);
        assert_eq!(problem(&world, &["new", "--passphrase-file", "bad"]), (2, expected.into()));
    }
    world.file("bad", [0xff; 20]);
    assert_eq!(problem(&world, &["new", "--passphrase-file", "bad"]), (2, "file.read".into()));
    assert_eq!(problem(&world, &["new", "--passphrase-file", "none"]), (3, "file.missing".into()));
    assert!(!world.path(KEYS).exists());
}

#[test]
fn a_passphrase_comes_from_standard_input() {
    let world = world();
    let mut child = spawn(&world, &["key", "new", "--passphrase-file", "-"], Stdio::piped());
    child.stdin.take().unwrap().write_all(b"correct horse\nand more").unwrap();
    Run::from(child.wait_with_output().unwrap()).ok();
    key(&world, &["export", "default", "--plain", "-o", "plain"]).ok();
}

#[test]
fn keys_move_between_machines() {
    let (here, there) = (world(), world());
    let account = key(&here, &["new"]).ok().last_word().to_owned();
    let exported = here.run_json(["key", "export", "default", "-o", "backup"]).ok().json();
    assert_eq!(
        (exported["schema"].as_str(), exported["encrypted"].as_bool()),
        (Some("holdfast/key-export/1"), Some(true))
    );
    let backup = fs::read_to_string(here.path("backup")).unwrap();
    assert_eq!(backup, fs::read_to_string(here.path(&format!("{KEYS}/default.key"))).unwrap());
    assert!(
        backup.starts_with(&format!(
            "# holdfast account key 1: {account}\n-----BEGIN AGE ENCRYPTED FILE-----\n"
        ))
    );
    // Never over anything.
    assert_eq!(problem(&here, &["export", "default", "-o", "backup"]), (9, "file.exists".into()));
    assert_eq!(problem(&here, &["export", "default", "-o", "no/such/place"]), (3, "file.write".into()));
    assert_eq!(problem(&here, &["export", "none", "-o", "x"]), (3, "key.missing".into()));
    assert!(here.run(["key", "export", "none", "-o", "x"]).stderr.contains("there are: default"));

    there.file("backup", &backup);
    let wrong = ["import", "backup", "--passphrase-file", "other"];
    assert_eq!(problem(&there, &wrong), (4, "key.passphrase".into()));
    assert!(
        there.run([&["key"], &wrong[..]].concat()).stderr.starts_with("holdfast: backup: "),
        "names the file"
    );
    assert!(!there.path(KEYS).exists());
    let imported = there.run_json(["key", "import", "backup", "--passphrase-file", "pass"]).ok().json();
    assert_eq!(
        (imported["schema"].as_str(), imported["name"].as_str()),
        (Some("holdfast/key-import/1"), Some("backup"))
    );
    assert_eq!(imported["account"], account.as_str());
    // It is there, under whichever name, and names are not given twice.
    for name in ["again", "backup"] {
        let reason = if name == "again" { "key.known" } else { "key.exists" };
        assert_eq!(problem(&there, &["import", "backup", "--name", name]), (9, reason.into()));
    }
    let known = there.run(["key", "import", "backup", "--name", "again"]);
    assert!(known.stderr.contains("as `backup`"), "{known:?}");
    assert_eq!(fs::read_dir(there.path(KEYS)).unwrap().count(), 1);
}

#[test]
fn a_bare_key_is_written_with_a_warning_and_encrypted_again_on_import() {
    let (here, there) = (world(), world());
    let account = key(&here, &["new"]).ok().last_word().to_owned();
    let wrong = ["export", "default", "--plain", "-o", "plain", "--passphrase-file", "other"];
    assert_eq!(problem(&here, &wrong), (4, "key.passphrase".into()));
    assert!(!here.path("plain").exists());
    let export = key(&here, &["export", "default", "--plain", "-o", "plain"]).ok();
    assert!(export.stderr.contains("plain is not encrypted"), "{export:?}");
    assert_eq!(here.path("plain").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let plain = fs::read_to_string(here.path("plain")).unwrap();
    let secret = plain.strip_prefix("holdfast account secret 1: ").unwrap().trim_end();
    assert!(secret.starts_with("hfsecret1") && !format!("{export:?}").contains(secret));
    assert!(find_bytes(&here.path("home"), secret.as_bytes()).is_none(), "the keystore has a bare key");
    assert!(find_bytes(&here.path("tmp"), secret.as_bytes()).is_none());

    there.file("plain", &plain);
    assert_eq!(problem(&there, &["import", "plain"]), (2, "key.no_passphrase".into()));
    let import =
        there.run(["key", "import", "plain", "--name", "default", "--passphrase-file", "other"]).ok();
    assert!(import.stderr.contains("plain is not encrypted"), "{import:?}");
    assert!(import.stdout.contains(&account) && !format!("{import:?}").contains(secret));
    assert_eq!(problem(&there, &["import", "plain", "--name", "x"]), (9, "key.known".into()));
    there.run(["key", "export", "default", "--plain", "-o", "back", "--passphrase-file", "other"]).ok();
    assert_eq!(fs::read_to_string(there.path("back")).unwrap(), plain);
}

#[test]
fn damaged_and_swapped_files_are_told() {
    let world = world();
    key(&world, &["new"]).ok();
    let other = key(&world, &["new", "work"]).ok().last_word().to_owned();
    let path = world.path(&format!("{KEYS}/default.key"));
    let good = fs::read_to_string(&path).unwrap();
    let plain = ["export", "default", "--plain", "-o", "x", "--passphrase-file", "pass"];

    // The comment of another.
    let (_, armored) = good.split_once('\n').unwrap();
    fs::write(&path, format!("# holdfast account key 1: {other}\n{armored}")).unwrap();
    assert_eq!(problem(&world, &plain), (6, "key.account".into()));
    // A letter near the end, where the secret is.
    let at = good.len() - 60;
    let letter = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
    fs::write(&path, format!("{}{letter}{}", &good[..at], &good[at + 1..])).unwrap();
    assert_eq!(problem(&world, &plain), (6, "key.damaged".into()));
    fs::write(&path, &good[..80]).unwrap();
    assert_eq!(problem(&world, &plain), (6, "key.damaged".into()));
    let listed = world.run_json(["key", "ls"]).ok().json();
    assert!(listed["keys"][0]["account"].is_null() && listed["keys"][1]["account"] == other.as_str());
    assert!(world.run(["key", "ls"]).ok().stdout.contains("damaged"));
    // Nothing of this kind is taken.
    world.file("notes.txt", "not a key");
    assert_eq!(problem(&world, &["import", "notes.txt"]), (6, "key.damaged".into()));
    assert_eq!(problem(&world, &["import", "none"]), (3, "file.missing".into()));
    world.file("A Key", &good);
    assert_eq!(problem(&world, &["import", "A Key"]), (2, "key.name".into()));
    assert!(!world.path("x").exists());
}

#[test]
fn dry_runs_ask_nothing_and_change_nothing() {
    let world = world();
    world.run(["--dry-run", "key", "new"]).ok();
    assert!(!world.path(KEYS).exists());
    key(&world, &["new"]).ok();
    for args in [&["-o", "x"][..], &["--plain", "-o", "x"]] {
        let plan = world.run_json([&["--dry-run", "key", "export", "default"], args].concat()).ok().json();
        assert_eq!(plan["schema"], "holdfast/key-plan/1");
    }
    assert!(!world.path("x").exists());
    world.run(["key", "export", "default", "-o", "backup"]).ok();
    fs::rename(world.path(KEYS), world.path("away")).unwrap();
    world.run(["--dry-run", "key", "import", "backup"]).ok();
    assert!(!world.path(KEYS).exists());
}

#[test]
fn a_person_is_asked_twice_and_nothing_they_type_is_shown() {
    let world = world();
    let (mut terminal, screen) = pty();
    let child = spawn(&world, &["-q", "key", "new"], screen.try_clone().unwrap().into());
    let run = talk(child, &mut terminal, &["correct horse\n", "correct horse\n"]);
    assert!(run.stderr.contains("New passphrase: ") && run.stderr.contains("The same again: "), "{run:?}");
    run.ok();
    assert!(tcgetattr(&screen).unwrap().local_modes.contains(LocalModes::ECHO), "typing shows again");

    let child = spawn(
        &world,
        &["key", "export", "default", "--plain", "-o", "plain"],
        screen.try_clone().unwrap().into(),
    );
    talk(child, &mut terminal, &["correct horse\n"]).ok();
    for (first, second, reason) in
        [("one\n", "two\n", "key.passphrases_differ"), ("\n", "", "key.empty_passphrase")]
    {
        let child = spawn(&world, &["--json", "key", "new", "x"], screen.try_clone().unwrap().into());
        let run = talk(child, &mut terminal, &[first, second]);
        assert_eq!((run.code, run.reason().as_str()), (2, reason), "{run:?}");
    }
    // The terminal has shown the ends of lines and nothing else.
    drop(screen);
    let mut shown = Vec::new();
    let _ = terminal.read_to_end(&mut shown); // ends with an error, as nobody is at the other side
    assert!(shown.iter().all(u8::is_ascii_whitespace), "{:?}", String::from_utf8_lossy(&shown));
}

#[test]
fn an_interrupted_question_leaves_the_terminal_as_it_was() {
    let world = world();
    let (_terminal, screen) = pty();
    let mut child = spawn(&world, &["key", "new"], screen.try_clone().unwrap().into());
    assert_eq!(read_question(&mut child), "New passphrase: ");
    assert!(!tcgetattr(&screen).unwrap().local_modes.contains(LocalModes::ECHO));
    signal(child.id(), Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(tcgetattr(&screen).unwrap().local_modes.contains(LocalModes::ECHO));
}

fn spawn(world: &World, args: &[&str], input: Stdio) -> Child {
    let mut command = world.command();
    command.args(args).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A terminal: the side of whoever types, and the side of the program.
fn pty() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = open(
        ptsname(&ours, Vec::new()).unwrap(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    (ours.into(), theirs.unwrap().into())
}

/// Reads what a program asks, which ends with a colon or, in a note, with the end of the line.
fn read_question(child: &mut Child) -> String {
    let (mut asked, mut byte) = (Vec::new(), [0]);
    let stderr = child.stderr.as_mut().unwrap();
    while stderr.read(&mut byte).unwrap() == 1 {
        asked.push(byte[0]);
        if asked.ends_with(b": ") || byte[0] == b'\n' {
            break;
        }
    }
    String::from_utf8(asked).unwrap()
}

/// Answers each question once it is asked.
fn talk(mut child: Child, terminal: &mut File, answers: &[&str]) -> Run {
    let mut asked = String::new();
    for answer in answers {
        asked.push_str(&read_question(&mut child));
        terminal.write_all(answer.as_bytes()).unwrap();
    }
    let mut run = Run::from(child.wait_with_output().unwrap());
    run.stderr.insert_str(0, &asked);
    run
}
