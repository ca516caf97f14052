//! `doctor`: is this installation fit for work? What was looked at, what was found, what to do.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde_json::json;

use super::blocking;
use crate::args::Common;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings;

mod machine;
mod network;
mod node;

#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorArgs {
    /// Also check the node in this folder: its keys, store and quota
    #[arg(long, value_name = "NODE")]
    dir: Option<PathBuf>,
}

/// How one check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// Nothing to judge.
    Info,
    Warning,
    /// What it makes the command exit with.
    Failed(Exit),
}

/// One check: what was looked at, what was found, what to do.
#[derive(Debug)]
struct Check {
    /// What was looked at; `doctor.` and this, with underscores, is its name for scripts.
    name: &'static str,
    state: State,
    found: String,
    todo: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), todo: None }
    }

    fn info(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Info, found: found.into(), todo: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, state: State::Warning, found: found.into(), todo: Some(todo.into()) }
    }

    fn failed(name: &'static str, exit: Exit, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, state: State::Failed(exit), found: found.into(), todo: Some(todo.into()) }
    }

    /// A failure whose message says what to do already.
    fn failure(name: &'static str, failure: Failure) -> Self {
        Self { name, state: State::Failed(failure.exit), found: failure.message, todo: None }
    }

    /// Stable name for scripts.
    fn reason(&self) -> String {
        format!("doctor.{}", self.name.replace(' ', "_"))
    }

    fn line(&self) -> String {
        let mark = match self.state {
            State::Ok => "ok     ",
            State::Info => "-      ",
            State::Warning => "warning",
            State::Failed(_) => "FAILED ",
        };
        let todo = self.todo.as_ref().map(|todo| format!("; {todo}")).unwrap_or_default();
        format!("{mark} {:14} {}{todo}", self.name, self.found)
    }
}

pub(super) async fn run(args: &DoctorArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let mut checks = vec![configuration()];
    checks.extend(network::checks(common, output).await);
    checks.extend(blocking(machine::checks).await);
    if let Some(dir) = args.dir.clone() {
        checks.extend(blocking(move || node::checks(&dir)).await);
    }
    report(&checks, output)
}

fn configuration() -> Check {
    let name = "configuration";
    let Some(path) = settings::config_path() else {
        return Check::warning(name, "there is no HOME to look for it in", "set HOME or XDG_CONFIG_HOME");
    };
    match settings::check_config() {
        Ok(true) => Check::ok(name, format!("{} is readable, and every key is known", path.display())),
        Ok(false) => Check::ok(name, format!("no file {}; the defaults count", path.display())),
        Err(failure) => {
            let todo = "it may hold `network` and `network_id`, each a text";
            Check {
                todo: Some(todo.into()),
                ..Check::failure(name, Failure { exit: Exit::Usage, ..failure })
            }
        }
    }
}

fn report(checks: &[Check], output: &Output) -> Result<(), Failure> {
    let count = |wanted: fn(&State) -> bool| checks.iter().filter(|check| wanted(&check.state)).count();
    let failed = count(|state| matches!(state, State::Failed(_)));
    let warnings = count(|state| *state == State::Warning);
    let mut lines: Vec<_> = checks.iter().map(Check::line).collect();
    lines.push(match (failed, warnings) {
        (0, 0) => "everything is in order".to_owned(),
        (failed, warnings) => format!("failures: {failed}, warnings: {warnings}"),
    });
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let state = match check.state {
                State::Ok => "ok",
                State::Info => "info",
                State::Warning => "warning",
                State::Failed(_) => "failed",
            };
            json!({
                "name": check.reason(),
                "status": state,
                "found": check.found,
                "todo": check.todo,
            })
        })
        .collect();
    let object = json!({"failed": failed, "warnings": warnings, "checks": rows});
    output.result(&lines.join("\n"), "doctor", object);
    let first = checks.iter().find_map(|check| match check.state {
        State::Failed(exit) => Some((exit, check)),
        _ => None,
    });
    match first {
        Some((exit, check)) => {
            Err(Failure::new(exit, check.reason(), format!("{}: {}", check.name, check.found)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_exit_code_and_warnings_are_none() {
        let output = Output::json();
        let fine = [Check::ok("a", "x"), Check::info("b", "x"), Check::warning("c", "x", "y")];
        assert!(report(&fine, &output).is_ok());
        let broken = [
            Check::warning("a", "x", "y"),
            Check::failed("b", Exit::Unreachable, "x", "y"),
            Check::failed("c", Exit::Usage, "x", "y"),
        ];
        let failure = report(&broken, &output).unwrap_err();
        assert_eq!((failure.exit, failure.reason.as_ref()), (Exit::Unreachable, "doctor.b"));
    }

    #[test]
    fn a_line_says_what_to_do() {
        let line = Check::failed("disk", Exit::Quota, "it is full", "make room").line();
        assert_eq!(line, "FAILED  disk           it is full; make room");
    }
}
