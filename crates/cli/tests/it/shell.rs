//! What the program writes for shells and for `man`.

use std::fs;
use std::process::Command;

use crate::support::World;

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = world.run(["completions", shell]).ok().stdout;
        assert!(script.contains("doctor") && script.contains("network-id"), "{shell}");
        assert!(!script.contains("enclave-process"), "{shell}");
        assert_eq!(world.run_json(["completions", shell]).ok().json()["script"], script.trim_end());
        let path = world.file(shell, &script);
        // `-n` reads a script without running it; only where that shell is here.
        if ["bash", "zsh"].contains(&shell)
            && let Ok(read) = Command::new(shell).arg("-n").arg(path).output()
        {
            assert!(read.status.success() && read.stderr.is_empty(), "{shell}: {read:?}");
        }
    }
    assert_eq!(world.run_json(["completions", "dos"]).code, 2);
}

#[test]
fn there_is_a_page_for_every_command() {
    let world = World::empty();
    let page = world.run(["man"]).ok().stdout;
    let title = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
    assert_eq!(title.split_whitespace().collect::<Vec<_>>()[..3], [".TH", "holdfast", "1"]);

    world.run(["--dry-run", "man", "--dir", "pages"]).ok();
    assert!(!world.path("pages").exists());
    let written = world.run_json(["man", "--dir", "pages"]).ok().json();
    let mut names: Vec<_> = fs::read_dir(world.path("pages"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(written["files"].as_array().unwrap().len(), names.len());
    for name in ["holdfast.1", "holdfast-put.1", "holdfast-net-up.1", "holdfast-cert-show.1"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
        let page = fs::read_to_string(world.path("pages").join(name)).unwrap();
        assert!(page.contains(&format!(".TH {} 1 ", name.trim_end_matches(".1"))), "{name}");
    }
    assert_eq!(fs::read_to_string(world.path("pages/holdfast.1")).unwrap(), page);
    world.file("file", "x");
    assert_eq!(world.run_json(["man", "--dir", "file/pages"]).reason(), "file.write");
}
