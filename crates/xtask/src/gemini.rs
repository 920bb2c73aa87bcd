//! Writes the table that Gemini's text is counted by, from the vocabulary of Gemma 4 (`cargo xtask gemini FILE`).
//!
//! The file is `vocabs/gemma4.mbpe` of the crate `splintr-vocab-gemma4`: four lines of head, the tokens one a line, then
//! the tokens that come out of merges, by their number, first the one that is merged first.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

#[path = "../../tokenbook/src/text/gemini/layout.rs"]
mod layout;

use layout::{ALONE, BUCKET_BITS, Entry, VERBATIM};

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [file] = arguments else { anyhow::bail!("usage: cargo xtask gemini FILE_OF_GEMMA_4.mbpe") };
    let table = table(&fs::read_to_string(file).with_context(|| file.clone())?)?;
    println!("{}: {} bytes", path().display(), table.len());
    fs::write(path(), table)?;
    Ok(())
}

fn path() -> PathBuf {
    crate::root().join("crates/tokenbook/data/vocab/gemini.merges")
}

fn table(file: &str) -> anyhow::Result<Vec<u8>> {
    let mut lines = file.split('\n');
    let mut number = |name: &str| -> anyhow::Result<usize> {
        let line = lines.next().context("the file ends in its head")?;
        line.strip_prefix(name)
            .with_context(|| format!("expected `{name}`: {line}"))?
            .trim()
            .parse()
            .context("a number")
    };
    ensure!(number("mbpe")? == 1, "another version of the format");
    let (tokens, merges) = (number("vocab")?, number("merges")?);
    ensure!(lines.next() == Some(""), "no empty line behind the head");
    let vocabulary: Vec<String> = lines.by_ref().take(tokens).map(unescaped).collect();
    let mut ranks: BTreeMap<&str, u32> = BTreeMap::new();
    for (rank, line) in lines.take(merges).enumerate() {
        let token: usize = line.split(' ').next().context("an empty line")?.parse()?;
        ranks.insert(vocabulary.get(token).context("a merge of no token")?, u32::try_from(rank)?);
    }
    ensure!(ranks.len() == merges, "two merges give the same token");
    for token in &vocabulary {
        if token.chars().nth(1).is_none() {
            ranks.entry(token).or_insert(ALONE);
        } else if is_tag(token) {
            ranks.entry(token).or_insert(VERBATIM);
        }
    }
    encode(ranks.iter().map(|(token, &rank)| Entry::of(token.as_bytes(), rank)).collect())
}

/// A tag of HTML, which is a token wherever it stands.
fn is_tag(token: &str) -> bool {
    let name = token.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let letters = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.len() - letters.len() < 2
        && !letters.is_empty()
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
        && !matches!(letters, "pad" | "eos" | "bos" | "unk" | "mask" | "unused")
}

/// The token as it stands in a text: a space is a space.
fn unescaped(line: &str) -> String {
    let mut token = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        token.push(match c {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            '\u{2581}' => ' ',
            other => other,
        });
    }
    token
}

fn encode(mut entries: Vec<Entry>) -> anyhow::Result<Vec<u8>> {
    entries.sort_unstable();
    ensure!(
        entries
            .windows(2)
            .all(|two| (two[0].bucket(), two[0].fingerprint()) != (two[1].bucket(), two[1].fingerprint())),
        "two tokens can't be told apart"
    );
    let mut starts = vec![0_u32; (1 << BUCKET_BITS) + 1];
    for entry in &entries {
        starts[entry.bucket() + 1] += 1;
    }
    for bucket in 1..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    let mut table: Vec<u8> = starts.iter().flat_map(|start| start.to_le_bytes()).collect();
    for entry in entries {
        // The bucket isn't repeated.
        table.extend_from_slice(&entry.0.to_le_bytes()[..6]);
    }
    Ok(table)
}
