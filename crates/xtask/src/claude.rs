//! Writes the table that Claude's text is counted by, from measured counts (`cargo xtask claude FOLDER`).
//!
//! Claude's tokenizers are not public. The folder holds strings with the counts that the counting endpoint gave
//! (`claude-vocab/`); they are read in place and stay there. What comes out are the pieces that a vocabulary must hold to
//! give these counts. All arithmetic is in whole numbers, so that every machine writes the same bytes; `--check` proves it.

mod infer;
#[path = "../../tokenbook/src/text/claude/letters.rs"]
mod letters;
mod measured;
mod symbols;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};

use letters::{Hash, stands_alone};
use measured::Measured;

/// Bits of the hash that choose a bucket, and those that tell pieces of a bucket apart.
const BUCKET_BITS: u32 = 14;
const FINGERPRINT_BITS: u32 = 17;

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (folder, check) = match arguments {
        [folder] => (folder, false),
        [folder, flag] if flag == "--check" => (folder, true),
        _ => bail!("usage: cargo xtask claude FOLDER_OF_MEASURED_COUNTS [--check]"),
    };
    let fitted = table(&Measured::read(Path::new(folder))?);
    let path = path();
    if check {
        ensure!(fs::read(&path)? == fitted, "{} isn't what the measured counts give", path.display());
    } else {
        println!("{}: {} bytes", path.display(), fitted.len());
        fs::write(&path, fitted)?;
    }
    Ok(())
}

fn path() -> PathBuf {
    crate::root().join("crates/tokenbook/data/claude/pieces.bin")
}

/// The table as `text/claude/table.rs` reads it.
fn table(measured: &Measured) -> Vec<u8> {
    let mut values: BTreeMap<u64, u32> = BTreeMap::new();
    for piece in infer::tokens(&measured.observations()) {
        *values.entry(piece).or_default() |= 1;
    }
    for word in measured.old_tokens().filter(|word| word.chars().all(char::is_alphabetic)) {
        *values.entry(hash(word)).or_default() |= 1 << 1;
    }
    for (letter, tokens) in measured.single_characters().filter(|&(letter, _)| stands_alone(letter)) {
        if u64::from(tokens) != letters::spelled(letter) {
            *values.entry(hash(letter.encode_utf8(&mut [0; 4]))).or_default() |= tokens.min(7) << 2;
        }
    }
    for (run, value) in symbols::symbols(measured) {
        values.insert(hash(&run), value);
    }
    encode(&values)
}

fn hash(text: &str) -> u64 {
    let mut hash = Hash::new();
    hash.add(text.as_bytes());
    hash.mixed()
}

fn encode(values: &BTreeMap<u64, u32>) -> Vec<u8> {
    let mut entries: BTreeMap<u64, u32> = BTreeMap::new();
    let mut clashes = 0;
    for (hash, value) in values {
        let before = entries.entry(hash >> (64 - BUCKET_BITS - FINGERPRINT_BITS)).or_default();
        clashes += u32::from(*before != 0);
        *before |= value;
    }
    println!("{} entries, {clashes} of them clash", entries.len());
    let mut offsets = vec![0_u16; (1 << BUCKET_BITS) + 1];
    for key in entries.keys() {
        offsets[(key >> FINGERPRINT_BITS) as usize + 1] += 1;
    }
    for bucket in 1..offsets.len() {
        offsets[bucket] += offsets[bucket - 1];
    }
    let mut table: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect();
    for (key, value) in entries {
        let fingerprint = u32::try_from(key & ((1 << FINGERPRINT_BITS) - 1)).expect("17 bits");
        table.extend_from_slice(&(fingerprint | value << FINGERPRINT_BITS).to_le_bytes()[..3]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_measured_counts_give() {
        let folder = std::env::var_os("TOKENBOOK_GROUND_TRUTH")
            .map_or_else(|| crate::root().join("../shared/ground-truth"), PathBuf::from);
        if !folder.join("claude-vocab").is_dir() {
            println!("skipped: no measured counts at {}", folder.display());
            return;
        }
        let fitted = table(&Measured::read(&folder).expect("the counts are read"));
        assert!(fs::read(path()).expect("the table is there") == fitted, "run `cargo xtask claude`");
    }
}
