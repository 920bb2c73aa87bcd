//! Refuses imports that point upward in the core's module order (DESIGN.md, "Dependency direction").

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The core's modules, lowest first: a module may use only those before it.
const ORDER: &[&str] =
    &["error", "quantity", "money", "time", "api", "usage", "text", "request", "extract", "price", "cost", "attribute"];

pub(crate) fn run(_: &[String]) -> anyhow::Result<()> {
    let source = crate::root().join("crates/tokenbook/src");
    let mut faults = Vec::new();
    for (rank, module) in ORDER.iter().enumerate() {
        let mut files = vec![source.join(format!("{module}.rs"))];
        collect(&source.join(module), &mut files)?;
        for file in files.iter().filter(|file| file.exists()) {
            let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
            for (number, line) in text.lines().enumerate() {
                let Some((_, path)) = line.split_once("use crate::") else { continue };
                let used = path.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
                if let Some(above) = ORDER.iter().position(|name| *name == used)
                    && above > rank
                {
                    faults.push(format!("{}:{}: `{module}` may not use `{used}`", file.display(), number + 1));
                }
                // Tokens and money meet in `cost` only.
                if *module == "price" && (used == "text" || used == "request" || used == "extract") {
                    faults.push(format!("{}:{}: `price` may not use `{used}`", file.display(), number + 1));
                }
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    bail!("imports point upward\n{}", faults.join("\n"))
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}
