//! `demo` shows the whole job and leaves nothing behind, also when it is interrupted at any step.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::support::{World, noise, processes_naming, signal, wait_until};
use rustix::process::Signal;

fn assert_nothing_left(world: &World) {
    let folder = world.path("tmp");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "a folder was left behind");
    assert_eq!(processes_naming(&folder), [""; 0], "a process was left behind");
}

#[test]
fn it_shows_everything_and_leaves_nothing() {
    let world = World::empty();
    world.file("file", noise(1_500_000, 5));
    let demo = world.run(["demo", "file"]).ok();
    for words in ["What was proven", "What was not proven", "byte for byte"] {
        assert!(demo.stdout.contains(words), "{demo:?}");
    }
    assert_nothing_left(&world);
    assert_eq!(world.run_json(["demo", "file"]).ok().json()["equal"], true);
    assert_eq!(world.run_json(["demo", "none"]).code, 3);
}

#[test]
fn an_interrupt_at_any_step_leaves_nothing() {
    for sent in [Signal::INT, Signal::TERM] {
        for step in 1..=7 {
            let world = World::empty();
            world.file("file", noise(1_000_000, 6));
            let mut demo = world
                .command()
                .args(["demo", "file"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stderr = BufReader::new(demo.stderr.take().unwrap());
            let mut line = String::new();
            while !line.starts_with(&format!("{step}. ")) {
                line.clear();
                assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "demo ended before step {step}");
            }
            signal(demo.id(), sent);
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).unwrap();
            let code = demo.wait().unwrap().code();
            // The last step may be over before the signal arrives.
            assert!(code == Some(130) || (step == 7 && code == Some(0)), "step {step}: {code:?}\n{rest}");
            assert_nothing_left(&world);
        }
    }
}

#[test]
fn its_nodes_stop_when_it_is_killed() {
    let world = World::empty();
    world.file("file", noise(1_000_000, 6));
    let mut demo =
        world.command().args(["demo", "file"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(demo.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("2. ") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
    }
    demo.kill().unwrap();
    demo.wait().unwrap();
    wait_until("its nodes have stopped", || processes_naming(&world.path("tmp")).is_empty());
}
