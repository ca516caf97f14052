//! Whether all nodes tell of one ledger, and it goes on.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::record::Record;

/// All nodes have caught up within this, and decide on further blocks.
const WINDOW: Duration = Duration::from_secs(180);
/// Further blocks that show that it goes on.
const FURTHER: u64 = 5;
/// Between two looks.
const POLL: Duration = Duration::from_millis(200);
/// A node that is up answers within this.
const ANSWER: Duration = Duration::from_secs(30);

/// Compares what running nodes say, block by block.
///
/// # Errors
/// If two tell of different blocks at one height, nothing is decided any more, or somebody was punished although all are
/// honest.
pub(super) fn compare(nodes: &[PathBuf], record: &Record) -> Result<()> {
    let begin = Instant::now();
    let goal = heights(nodes)?.into_iter().max().unwrap_or(0) + FURTHER;
    let last = loop {
        let lowest = heights(nodes)?.into_iter().min().unwrap_or(0);
        if lowest >= goal {
            break lowest;
        }
        ensure!(begin.elapsed() < WINDOW, "not all nodes came to block {goal}: {:?}", heights(nodes)?);
        ensure!(!crate::interrupt::requested(), "interrupted");
        std::thread::sleep(POLL);
    };
    for height in 1..=last {
        let mut first: Option<String> = None;
        for node in nodes {
            let block = get(node, &format!("/v1/blocks/{height}"))?;
            let hash = block["header"]["block"].as_str().context("a block has no hash")?.to_owned();
            match &first {
                None => {
                    ensure!(
                        !block.to_string().contains("\"slashed\""),
                        "block {height} punishes an honest node"
                    );
                    first = Some(hash);
                }
                Some(other) if *other == hash => {}
                Some(other) => bail!("two blocks at height {height}: {other} and {hash}"),
            }
        }
        record.count("blocks that all nodes agree on");
    }
    Ok(())
}

fn heights(nodes: &[PathBuf]) -> Result<Vec<u64>> {
    let height = |node: &PathBuf| get(node, "/v1/status")?["tip"]["height"].as_u64().context("no height");
    nodes.iter().map(height).collect()
}

/// What the HTTP API of a node answers.
fn get(node: &Path, path: &str) -> Result<Value> {
    let ask = || -> Result<Value> {
        let url = fs::read_to_string(node.join("api"))?;
        let host = url.trim().strip_prefix("http://").context("no URL")?;
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {host}\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "{body}");
        Ok(serde_json::from_str(body)?)
    };
    ask().with_context(|| format!("{} does not answer {path}", node.display()))
}
