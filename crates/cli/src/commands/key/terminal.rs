//! Questions to a person, whose answers are not shown.

use std::fs::File;
use std::io::IsTerminal;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::passphrase::{read_line, stdin};
use crate::commands::blocking;
use crate::failure::Failure;
use crate::output::Output;

/// The terminal at standard input, which shows nothing of what is typed until this is dropped: also when the command is
/// interrupted while it waits.
pub(super) struct Terminal {
    input: File,
    before: Termios,
}

impl Terminal {
    /// The terminal, if standard input is one.
    pub(super) fn open() -> Result<Option<Self>, Failure> {
        if !std::io::stdin().is_terminal() {
            return Ok(None);
        }
        let failed = |error| Failure::local("could not hide what is typed", &error);
        let input = stdin().map_err(failed)?;
        let before = tcgetattr(&input).map_err(|error| failed(error.into()))?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        // What was typed before, and seen, is no answer.
        tcsetattr(&input, OptionalActions::Flush, &hidden).map_err(|error| failed(error.into()))?;
        Ok(Some(Self { input, before }))
    }

    /// Asks for one line.
    pub(super) async fn ask(&self, question: &str, output: &Output) -> Result<Zeroizing<String>, Failure> {
        output.question(question);
        let failed = |error| Failure::local("could not read from the terminal", &error);
        let mut input = self.input.try_clone().map_err(failed)?;
        blocking(move || read_line(&mut input)).await.map_err(failed)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(&self.input, OptionalActions::Now, &self.before) {
            tracing::warn!(%error, "the terminal may not show what is typed; `stty echo` mends it");
        }
    }
}
