//! Steps in order, each with its time; the first failure ends the run.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::child::Task;

/// One thing to check.
pub(crate) struct Step<'a> {
    name: &'static str,
    /// The command that does this step alone.
    repeat: String,
    act: Box<dyn FnOnce() -> Result<()> + 'a>,
}

/// How a step ended; `None` if it was not reached.
type Outcome = Option<(Duration, bool)>;

impl<'a> Step<'a> {
    /// A step that `repeat` runs alone.
    pub(crate) fn new(name: &'static str, repeat: String, act: impl FnOnce() -> Result<()> + 'a) -> Self {
        Self { name, repeat, act: Box::new(act) }
    }

    /// A step that is one command.
    pub(crate) fn task(name: &'static str, task: Task) -> Self {
        Self::new(name, task.to_string(), || task.run())
    }

    /// What the step is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

/// Runs steps up to the first failure, prints a summary, and says whether all passed.
pub(crate) fn run(steps: Vec<Step<'_>>) -> bool {
    let mut rows: Vec<(&str, Outcome)> = Vec::new();
    let mut failure = None;
    for Step { name, repeat, act } in steps {
        if failure.is_some() {
            rows.push((name, None));
            continue;
        }
        eprintln!("==> {name}: {repeat}");
        let started = Instant::now();
        let result = act();
        let taken = started.elapsed();
        rows.push((name, Some((taken, result.is_ok()))));
        match result {
            Ok(()) => eprintln!("    {name}: {}", seconds(taken)),
            Err(error) => {
                eprintln!("    {name}: failed after {}", seconds(taken));
                failure = Some((name, repeat, error));
            }
        }
    }
    eprint!("\n{}", summary(&rows));
    let Some((name, repeat, error)) = failure else { return true };
    eprintln!("\nerror: step {name} failed: {error:#}\nrepeat it with: {repeat}");
    false
}

fn summary(rows: &[(&str, Outcome)]) -> String {
    let mut text = String::new();
    let mut total = Duration::ZERO;
    let mut line = |name: &str, result: &str, time: &str| {
        let row = format!("{name:<12}{result:<8}{time:>14}");
        writeln!(text, "{}", row.trim_end()).expect("a string takes every write");
    };
    for (name, outcome) in rows {
        match outcome {
            None => line(name, "not run", ""),
            Some((taken, passed)) => {
                total += *taken;
                line(name, if *passed { "passed" } else { "FAILED" }, &seconds(*taken));
            }
        }
    }
    line("total", "", &seconds(total));
    text
}

/// `0.4 s`, or `2 min 05.0 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    match minutes {
        0 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => format!("{minutes} min {:02}.{} s", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::bail;

    use super::*;

    #[test]
    fn the_first_failure_ends_the_run() {
        let reached = Cell::new(0);
        let step = |name, passes: bool| {
            let reached = &reached;
            Step::new(name, String::new(), move || {
                reached.set(reached.get() + 1);
                if passes { Ok(()) } else { bail!("no") }
            })
        };
        assert!(!run(vec![step("one", true), step("two", false), step("three", true)]));
        assert_eq!(reached.get(), 2);
        assert!(run(vec![step("one", true)]));
    }

    #[test]
    fn the_summary_has_a_line_for_every_step() {
        let rows = [
            ("fmt", Some((Duration::from_millis(1250), true))),
            ("clippy", Some((Duration::from_secs(125), false))),
            ("doc", None),
        ];
        let expected = "\
            fmt         passed           1.2 s\n\
            clippy      FAILED    2 min 05.0 s\n\
            doc         not run\n\
            total                 2 min 06.2 s\n";
        assert_eq!(summary(&rows), expected);
    }
}
