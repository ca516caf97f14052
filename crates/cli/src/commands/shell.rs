//! `completions SHELL` and `man`: what the grammar says, for shells and for `man`.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use crate::args::{Args, Common};
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// Write one page per command into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "holdfast", &mut script);
    let script = text(script);
    output.result(&script, "completions", json!({"shell": args.shell.to_string(), "script": script}));
    Ok(())
}

pub(super) fn man(args: &ManArgs, common: &Common, output: &Output) -> Result<(), Failure> {
    let pages = pages()?;
    let Some(dir) = &args.dir else {
        let (name, page) = pages.first().expect("the program has a page");
        output.result(page, "man", json!({"name": name, "page": page}));
        return Ok(());
    };
    let files: Vec<PathBuf> = pages.iter().map(|(name, _)| dir.join(name)).collect();
    if common.dry_run {
        let text = format!("would write {} pages to {}", files.len(), dir.display());
        output.result(&text, "man-plan", json!({"dir": dir, "files": files}));
        return Ok(());
    }
    let failed = |path: &Path, error: std::io::Error| {
        let message = format!("could not write {}: {error}", path.display());
        Failure::new(Exit::of_file(&error), "file.write", message)
    };
    std::fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for (path, (_, page)) in files.iter().zip(&pages) {
        std::fs::write(path, format!("{page}\n")).map_err(|error| failed(path, error))?;
    }
    let text = format!("wrote {} pages to {}", files.len(), dir.display());
    output.result(&text, "man-pages", json!({"dir": dir, "files": files}));
    Ok(())
}

/// File name and text of every page, that of the program first.
fn pages() -> Result<Vec<(String, String)>, Failure> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build(); // gives commands their full names
    let (mut pages, mut todo) = (Vec::new(), vec![program]);
    while let Some(command) = todo.pop() {
        todo.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        let man = Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page).map_err(|error| Failure::local("could not render a page", &error))?;
        pages.push((man.get_filename(), text(page)));
    }
    Ok(pages)
}

/// Generated text without the newline at its end, which printing adds.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).expect("the grammar is text");
    text.trim_end().to_owned()
}
