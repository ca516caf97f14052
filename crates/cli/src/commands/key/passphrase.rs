//! Where a passphrase comes from: a file, standard input, or a person at a terminal.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use clap::Args;
use clap::builder::OsStringValueParser;
use holdfast_client::keystore::Passphrase;
use zeroize::Zeroizing;

use super::terminal::Terminal;
use crate::commands::blocking;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Longest passphrase: whoever names a wrong file should be told, and not wait for all of it.
const PASSPHRASE_BYTES_MAX: usize = 1024;

/// How a command comes to a passphrase. For any command to flatten into its arguments.
#[derive(Clone, Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// File whose first line is the passphrase; - is standard input [default: ask on the terminal]
    #[arg(long, env = "HOLDFAST_PASSPHRASE_FILE", value_name = "FILE", value_parser = OsStringValueParser::new())]
    passphrase_file: Option<OsString>,
}

impl PassphraseArgs {
    /// The passphrase of something.
    pub(crate) async fn ask(&self, of: &str, output: &Output) -> Result<Passphrase, Failure> {
        let line = match self.named_file().await? {
            Some(line) => line,
            None => self.terminal()?.ask(&format!("Passphrase {of}: "), output).await?,
        };
        passphrase(&line)
    }

    /// A new passphrase. A person types it twice, because nobody sees what they type.
    pub(crate) async fn choose(&self, output: &Output) -> Result<Passphrase, Failure> {
        if let Some(line) = self.named_file().await? {
            return passphrase(&line);
        }
        let terminal = self.terminal()?;
        let line = terminal.ask("New passphrase: ", output).await?;
        let passphrase = passphrase(&line)?;
        if terminal.ask("The same again: ", output).await? != line {
            let message = "the two passphrases differ; run the same command again";
            return Err(Failure::new(Exit::Usage, "key.passphrases_differ", message));
        }
        Ok(passphrase)
    }

    /// The first line of the file that was named, if one was.
    async fn named_file(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        // Named by the environment but empty is not named.
        let Some(path) = self.passphrase_file.clone().filter(|path| !path.is_empty()) else {
            return Ok(None);
        };
        blocking(move || read_file(Path::new(&path))).await.map(Some)
    }

    fn terminal(&self) -> Result<Terminal, Failure> {
        Terminal::open()?.ok_or_else(|| {
            let message = "no passphrase: standard input is no terminal to ask on; name a file that holds it with \
                           --passphrase-file FILE or HOLDFAST_PASSPHRASE_FILE, where - is standard input";
            Failure::new(Exit::Usage, "key.no_passphrase", message)
        })
    }
}

fn passphrase(line: &str) -> Result<Passphrase, Failure> {
    Passphrase::new(line)
        .map_err(|error| Failure::new(Exit::Usage, "key.empty_passphrase", error.to_string()))
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let open = || if path == Path::new("-") { stdin() } else { File::open(path) };
    open().and_then(|mut file| read_line(&mut file)).map_err(|error| {
        let reason = if error.kind() == io::ErrorKind::NotFound { "file.missing" } else { "file.read" };
        let exit = match error.kind() {
            io::ErrorKind::InvalidData => Exit::Usage,
            _ => Exit::of_file(&error),
        };
        Failure::new(exit, reason, format!("could not read the passphrase from {}: {error}", path.display()))
    })
}

/// Standard input without a buffer, in which a passphrase would stay.
pub(super) fn stdin() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// Reads up to the end of the line, and nothing beyond.
#[expect(clippy::unbuffered_bytes, reason = "a buffer would keep what it read, and take more than the line")]
pub(super) fn read_line(from: &mut impl Read) -> io::Result<Zeroizing<String>> {
    // With room for all that is read, so that growing leaves no copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX));
    for byte in from.by_ref().bytes() {
        let byte = byte?;
        if byte == b'\n' {
            break;
        }
        if line.len() == PASSPHRASE_BYTES_MAX {
            let message = format!("its first line is longer than {PASSPHRASE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        line.push(byte);
    }
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    let text = std::str::from_utf8(line);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "its first line is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_one_line() {
        for (content, line) in [
            ("one", "one"),
            ("one\n", "one"),
            ("one\r\n", "one"),
            (" two words \nmore", " two words "),
            ("", ""),
            ("\nx", ""),
            ("ä\n", "ä"),
        ] {
            assert_eq!(*read_line(&mut content.as_bytes()).unwrap(), line, "{content:?}");
        }
        let mut rest = &b"first\nsecond"[..];
        read_line(&mut rest).unwrap();
        assert_eq!(rest, b"second", "what follows is left");
    }

    #[test]
    fn what_is_no_line_of_text_is_refused() {
        assert_eq!(read_line(&mut "x".repeat(1024).as_bytes()).unwrap().len(), 1024);
        for content in [&[b'x'; 5000][..], &[0xff]] {
            assert_eq!(read_line(&mut &content[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
