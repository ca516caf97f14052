//! `docs/api.md` shows what the server says. `HOLDFAST_WRITE=1` writes the answers in it anew.

use std::fs;
use std::path::Path;

use holdfast_api::problem::Reason;
use holdfast_core::id::hex;
use holdfast_ledger::params::Params;
use holdfast_ledger::testing;
use holdfast_server::Limits;
use serde_json::json;

use crate::source::MemorySource;
use crate::world::{World, order};

/// The server of the page: one transfer, one order, and a transaction that nobody has sent yet.
fn world() -> World {
    let world = World::of(MemorySource::new(Params::default()), Limits::default());
    world.source.send(&testing::rich(), world.transfer(1_500_000_000_000_000_000));
    let mut order = order(1);
    if let holdfast_ledger::transaction::Payload::PlaceOrder(place) = &mut order {
        place.price_max = Params::default().price_byte_epoch;
    }
    world.source.send(&testing::rich(), order);
    world
}

/// What a command of the page prints.
fn run(world: &World, command: &str, lines: usize) -> String {
    let (_, path) = command.split_once("127.0.0.1:4280").expect("every example asks the server");
    let path = path.split(['\'', ' ']).next().unwrap();
    if path.contains("/stream") {
        let mut stream = world.raw(format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n").as_bytes());
        return head_of(&mut stream, lines.max(8));
    }
    let answer = if command.contains("-d @transfer.json") {
        let transaction = world.source.transaction(&testing::rich(), world.transfer(2));
        let bytes = transaction.transaction().to_bytes();
        world.post("application/json", json!({"transaction": hex(&bytes)}).to_string().as_bytes())
    } else {
        world.get(path)
    };
    pretty(&answer.text)
}

/// The first lines of a stream, long texts cut.
fn head_of(stream: &mut impl std::io::Read, lines: usize) -> String {
    use std::io::{BufRead, BufReader};
    let all = BufReader::new(stream).lines().map(|line| line.unwrap());
    let body = all.skip_while(|line| !line.is_empty()).skip(1);
    body.take(lines).map(|line| line + "\n").collect()
}

/// JSON as `jq` prints it, with hex of more than 32 bytes cut.
fn pretty(text: &str) -> String {
    let (mut out, mut depth, mut rest) = (String::new(), 0, text);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '{' | '[' if rest.starts_with(['}', ']']) => {
                out.push(c);
                out.push(rest.chars().next().unwrap());
                rest = &rest[1..];
            }
            '{' | '[' => {
                out.push(c);
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            '"' => {
                let end = rest.find('"').expect("our texts hold no quotes");
                let text = &rest[..end];
                assert!(!text.ends_with('\\'));
                let long = text.len() > 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                let shown = if long { format!("{}…", &text[..16]) } else { text.to_owned() };
                out.push_str(&format!("\"{shown}\""));
                rest = &rest[end + 1..];
            }
            other => out.push(other),
        }
    }
    out + "\n"
}

/// The page with every answer replaced by a true one.
fn with_true_answers(page: &str, world: &World) -> String {
    let mut out = String::new();
    let mut lines = page.lines().peekable();
    let mut is_example = false;
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line.starts_with("```") {
            is_example = line == "```console";
        } else if is_example && let Some(command) = line.strip_prefix("$ ") {
            let mut shown = 0;
            while lines.next_if(|line| !line.starts_with("$ ") && !line.starts_with("```")).is_some() {
                shown += 1;
            }
            out.push_str(&run(world, command, shown));
        }
    }
    out
}

#[test]
fn the_page_shows_true_answers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let page = fs::read_to_string(&path).unwrap();
    let found = with_true_answers(&page, &world());
    if std::env::var_os("HOLDFAST_WRITE").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    let differs = kept.lines().zip(found.lines()).position(|(kept, found)| kept != found);
    if let Some(line) = differs {
        panic!("docs/api.md, line {}: it is now {:?}", line + 1, found.lines().nth(line));
    }
    assert_eq!(kept.len(), found.len());
    assert!(found.matches("\n$ curl ").count() >= 7);
}

#[test]
fn the_page_lists_every_reason_with_its_status() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md")).unwrap();
    for reason in Reason::ALL {
        let row = format!("| {} | `{}` |", reason.status(), reason.text());
        assert!(page.contains(&row), "docs/api.md lacks {row}");
    }
    let document = serde_json::to_value(holdfast_server::document::document()).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{path}")), "docs/api.md lacks {path}");
    }
}
