//! Writes the committed table of character classes, taken from tiktoken's own behaviour.
//!
//! Which code points are letters depends on the Unicode version of tiktoken's regex engine, so the engine is asked.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Runs the Python interpreter given (or `python3`), which must have tiktoken, and writes what it prints.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let python = arguments.first().map_or("python3", String::as_str);
    let output = Command::new(python).args(["-c", include_str!("unicode.py")]).output().context(python.to_owned())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let target = crate::root().join("crates/tokenbook/data/vocab/unicode-classes.txt");
    let ranges = String::from_utf8(output.stdout)?;
    println!("{}: {} ranges", target.display(), ranges.lines().count());
    fs::write(target, ranges)?;
    Ok(())
}
