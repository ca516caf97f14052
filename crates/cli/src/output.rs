//! Results on standard output; progress, notes and errors on standard error.
//!
//! With `--json`, standard output holds exactly one object with a `schema` (`bench`: an array of figures), and standard error
//! one object a line: `holdfast/progress/1`, `holdfast/note/1` or `holdfast/problem/1`. A command whose data goes to standard output
//! writes its object to standard error too.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::args::Common;
use crate::failure::{Exit, Failure};

/// Progress lines are written at most this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// How a command talks.
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    bars: bool,
    /// Why the result could not be written.
    unwritten: OnceLock<std::io::Error>,
}

impl Output {
    pub(crate) fn new(common: &Common) -> Self {
        let bars = !common.json && !common.quiet && std::io::stderr().is_terminal();
        Self { json: common.json, quiet: common.quiet, bars, unwritten: OnceLock::new() }
    }

    /// Talks JSON, before the options are known.
    pub(crate) fn json() -> Self {
        Self { json: true, quiet: false, bars: false, unwritten: OnceLock::new() }
    }

    /// The result: `text` for people, `object` under `schema` for programs.
    pub(crate) fn result(&self, text: &str, schema: &str, object: impl Serialize) {
        let written = if self.json { print(&with_schema(object, schema)) } else { print(&text) };
        if let Err(error) = written {
            let _ = self.unwritten.set(error); // the first says enough
        }
    }

    /// Ends a command that did its work: it has still failed if nobody could be told.
    pub(crate) fn finish(&self) -> Result<(), Failure> {
        self.unwritten.get().map_or(Ok(()), |error| {
            let message = format!("the work is done, but the result could not be written: {error}");
            Err(Failure::new(Exit::of_file(error), "file.write", message))
        })
    }

    /// The result of a command whose data went to standard output: the same, on standard error.
    pub(crate) fn result_aside(&self, text: &str, schema: &str, object: impl Serialize) {
        if self.json {
            aside(&with_schema(object, schema));
        } else {
            self.note(text);
        }
    }

    /// Something a person should know beside the result.
    pub(crate) fn note(&self, text: &str) {
        match (self.quiet, self.json) {
            (true, _) => {}
            (false, true) => aside(&json!({"schema": "holdfast/note/1", "note": text})),
            (false, false) => aside(&text),
        }
    }

    /// Something a person must answer, so that it is asked of quiet commands too.
    pub(crate) fn question(&self, text: &str) {
        use std::io::Write;
        if self.json {
            aside(&json!({"schema": "holdfast/note/1", "note": text.trim_end()}));
        } else {
            let _ = write!(std::io::stderr(), "{text}"); // the answer stands on the same line
        }
    }

    /// A failure, on one line.
    pub(crate) fn failure(&self, failure: &Failure) {
        let Failure { exit, reason, message } = failure;
        if self.json {
            let problem = json!({
                "schema": "holdfast/problem/1",
                "reason": reason,
                "detail": message,
                "exit": *exit as u8,
            });
            aside(&problem);
        } else {
            aside(&format_args!("holdfast: {message}"));
        }
    }

    /// Shows progress of `what` until dropped, out of `total` bytes if that is known.
    pub(crate) fn progress(&self, what: &'static str, total: Option<u64>) -> Progress {
        let target = if self.bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = match total {
            Some(_) => "{msg:10} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}",
            None => "{msg:10} {spinner} {bytes}, {bytes_per_sec}",
        };
        bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
        bar.set_message(what);
        let lines = (!self.quiet && !self.bars).then_some(self.json);
        Progress { bar, what, lines, last: Cell::new(Instant::now()) }
    }
}

fn with_schema(object: impl Serialize, schema: &str) -> serde_json::Value {
    let mut value = serde_json::to_value(object).expect("results are plain data");
    if let Some(fields) = value.as_object_mut() {
        fields.insert("schema".into(), format!("holdfast/{schema}/1").into());
    }
    value
}

/// Prints a line; a reader that has gone away needs none.
fn print(line: &impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes a line to standard error. If nobody takes it, there is nobody left to tell.
fn aside(line: &impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Progress of one long step.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    /// Lines instead of a bar, and whether they are JSON.
    lines: Option<bool>,
    last: Cell<Instant>,
}

impl Progress {
    /// So many more bytes are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        let Some(json) = self.lines else { return };
        if self.last.get().elapsed() < LINE_EVERY {
            return;
        }
        self.last.set(Instant::now());
        let (done, total) = (self.bar.position(), self.bar.length());
        if json {
            let progress =
                json!({"schema": "holdfast/progress/1", "step": self.what, "done": done, "total": total});
            aside(&progress);
        } else {
            let of = total.map(|total| format!(" of {}", total >> 20)).unwrap_or_default();
            aside(&format_args!("{}: {}{of} MiB", self.what, done >> 20));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
