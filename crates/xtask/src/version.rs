//! Keeps the one version in every file that must repeat it.
//!
//! `cargo xtask version 0.2.0` sets it; `cargo xtask version --check` fails where a file disagrees with Cargo.toml.

use std::fs;

use anyhow::{Context as _, bail, ensure};

/// A file and the text before and after each place where it repeats the version.
const PLACES: &[(&str, &str, &str)] = &[
    ("Cargo.toml", "version = \"=", "\""),
    ("node/package.json", "\"version\": \"", "\""),
    ("vocabularies/package.json", "\"version\": \"", "\""),
    ("vocabularies/pyproject.toml", "\nversion = \"", "\""),
    ("node/package.json", "\"@tokenbook/native-linux-x64-gnu\": \"", "\""),
];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let root = crate::root();
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let current =
        between(&manifest, "[workspace.package]\nversion = \"", "\"").context("Cargo.toml names no version")?;
    match arguments {
        [flag] if flag == "--check" => {
            for (path, before, after) in PLACES {
                let text = fs::read_to_string(root.join(path)).with_context(|| (*path).to_owned())?;
                for (at, _) in text.match_indices(before) {
                    let found = between(&text[at..], before, after).unwrap_or_default();
                    ensure!(
                        found == current,
                        "{path} says {found}, Cargo.toml {current}: run `cargo xtask version {current}`"
                    );
                }
            }
            let changelog = fs::read_to_string(root.join("CHANGELOG.md")).context("CHANGELOG.md")?;
            ensure!(changelog.contains(&format!("## {current}")), "CHANGELOG.md has no entry for {current}");
            Ok(())
        }
        [version] => {
            ensure!(version.split('.').count() == 3, "expected a version such as 0.2.0, got {version}");
            let replaced = manifest.replace(
                &format!("[workspace.package]\nversion = \"{current}\""),
                &format!("[workspace.package]\nversion = \"{version}\""),
            );
            fs::write(root.join("Cargo.toml"), replaced)?;
            for (path, before, after) in PLACES {
                let text = fs::read_to_string(root.join(path))?;
                let (old, new) = (format!("{before}{current}{after}"), format!("{before}{version}{after}"));
                fs::write(root.join(path), text.replace(&old, &new))?;
            }
            println!("the version is {version}; add its entry to CHANGELOG.md and run `cargo check`");
            Ok(())
        }
        _ => bail!("expected a version or --check"),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.find(after).map(|end| &rest[..end])
}
