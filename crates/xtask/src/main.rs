//! Repository chores, run as `cargo xtask <task>`; `cargo xtask` alone lists them.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on its streams")]

mod claude;
mod gemini;
mod layers;
mod prices;
mod types;
mod unicode;
mod version;
mod vocab;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A chore: its name, what it does, and the function that does it with the remaining arguments.
type Task = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const TASKS: &[Task] = &[
    ("claude", "write the table that Claude's text is counted by from measured counts, or --check it", claude::run),
    ("gemini", "write the table that Gemini's text is counted by from Gemma 4's vocabulary", gemini::run),
    ("layers", "refuse imports that point upward in the core's module order", layers::run),
    ("vocab", "write the compact vocabularies from published rank files", vocab::run),
    ("types", "write the types of TypeScript and Python, or --check them", types::run),
    ("version", "write the one version wherever it stands, or --check it", version::run),
    ("vocabularies", "write the compact vocabularies of other families from their rank files", vocab::run_others),
    ("unicode", "write the character classes that tiktoken behaves by", unicode::run),
    ("prices", "build the price catalog from the pinned packages (--check, --rewrite, --from DIR)", prices::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        for (name, about, _) in TASKS {
            println!("{name:10} {about}");
        }
        return ExitCode::SUCCESS;
    };
    let Some((_, _, run)) = TASKS.iter().find(|(task, ..)| task == name) else {
        eprintln!("error: unknown task `{name}`\nhint: `cargo xtask` lists the tasks");
        return ExitCode::from(2);
    };
    match run(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("xtask lies two folders below the root")
        .to_path_buf()
}
