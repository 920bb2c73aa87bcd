//! What runs of punctuation and symbols cost: a table of those that shorter ones don't explain.

use std::collections::{BTreeMap, BTreeSet};

use super::measured::{Measured, is_symbol};

/// Characters in the longest piece of a run that is looked up, as in `text/claude/word.rs`.
const LONGEST: usize = 8;

/// The longest run of one character that has an entry of its own.
const LONGEST_LINE: usize = 64;

/// The value of an entry, as `text/claude/table.rs` reads it.
#[derive(Clone, Copy)]
struct Symbol(u32);

impl Symbol {
    /// Tokens in the new generation, 0 if that is unknown.
    fn tokens(self) -> u32 {
        self.0 & 7
    }

    fn space_before_costs(self) -> bool {
        self.0 >> 3 & 1 == 1
    }

    fn space_after_costs(self) -> bool {
        self.0 >> 4 & 1 == 1
    }

    fn is_old_token(self) -> bool {
        self.0 >> 5 & 1 == 1
    }

    fn is_old_token_with_space(self) -> bool {
        self.0 >> 6 & 1 == 1
    }
}

/// Runs and the values of their entries.
pub(super) fn symbols(measured: &Measured) -> Vec<(String, u32)> {
    let mut runs: BTreeSet<&str> = BTreeSet::new();
    for text in measured.old_tokens().chain(measured.texts().map(|text| text.trim_matches(' '))) {
        let is_digit = |text: &str| text.chars().all(|c| !c.is_ascii() && c.is_numeric() && !c.is_alphabetic());
        let is_single = text.chars().nth(1).is_none();
        if !text.is_empty() && (text.is_ascii() || is_single) && (text.chars().all(is_symbol) || is_digit(text)) {
            runs.insert(text);
        }
    }
    let mut kept: BTreeMap<Vec<char>, Symbol> =
        runs.iter().map(|run| (run.chars().collect(), symbol(measured, run))).collect();
    // Runs that come out right from shorter ones need no entry.
    let mut longer: Vec<Vec<char>> = kept.keys().filter(|run| run.len() > 1).cloned().collect();
    longer.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    for run in longer {
        let entry = kept.remove(&run).expect("it was there");
        let is_line = run.iter().all(|&c| c == run[0]) && run.len() <= LONGEST_LINE;
        if is_line || run.len() <= LONGEST && !is_explained(&kept, &run, entry) {
            kept.insert(run, entry);
        }
    }
    kept.into_iter().map(|(run, entry)| (run.into_iter().collect(), entry.0)).collect()
}

fn symbol(measured: &Measured, run: &str) -> Symbol {
    let count = |text: String| measured.count(&text);
    let alone = measured.count(run);
    let (tokens, space_before_costs, space_after_costs) = match (alone, count(format!(" {run}"))) {
        (Some(tokens), before) => (
            tokens,
            before.is_none_or(|before| before > tokens),
            count(format!("{run} ")).map_or_else(|| costs_behind(measured, run, tokens), |after| after > tokens),
        ),
        (None, Some(spaced)) => (spaced, false, true),
        (None, None) => (0, true, true),
    };
    Symbol(
        tokens.min(7)
            | u32::from(space_before_costs) << 3
            | u32::from(space_after_costs) << 4
            | u32::from(measured.is_old_token(run)) << 5
            | u32::from(measured.is_old_token(&format!(" {run}"))) << 6,
    )
}

/// Whether a space behind a run costs that wasn't measured with one: of several tokens, as behind the longest last one that was.
fn costs_behind(measured: &Measured, run: &str, tokens: u32) -> bool {
    let ends = run.char_indices().skip(1).map(|(at, _)| &run[at..]);
    let mut last = ends.filter(|end| tokens > 1 && measured.count(end) == Some(1));
    last.find_map(|end| measured.count(&format!("{end} "))).is_none_or(|after| after > 1)
}

fn is_explained(kept: &BTreeMap<Vec<char>, Symbol>, run: &[char], entry: Symbol) -> bool {
    let alone = new(kept, run, false);
    let spaced = new(kept, run, true);
    let in_new = entry.tokens() == 0
        || alone == (entry.tokens(), !entry.space_after_costs())
            && spaced.0 - alone.0 == u32::from(entry.space_before_costs());
    in_new
        && (old(kept, run, false) == 1) == entry.is_old_token()
        && (old(kept, run, true) == 1) == entry.is_old_token_with_space()
}

/// The fewest tokens of a run in the new generation, and whether the last takes a following space with it.
fn new(kept: &BTreeMap<Vec<char>, Symbol>, run: &[char], spaced: bool) -> (u32, bool) {
    fewest(run, |piece, first| match kept.get(piece).filter(|symbol| symbol.tokens() > 0) {
        Some(symbol) => {
            let space = spaced && first && symbol.space_before_costs();
            Some((symbol.tokens() + u32::from(space), !symbol.space_after_costs()))
        }
        None => unknown(piece, spaced && first),
    })
}

/// The fewest tokens of a run in the old generation.
fn old(kept: &BTreeMap<Vec<char>, Symbol>, run: &[char], spaced: bool) -> u32 {
    let tokens = fewest(run, |piece, first| match kept.get(piece) {
        Some(symbol) if spaced && first && symbol.is_old_token_with_space() => Some((1, false)),
        Some(symbol) if symbol.is_old_token() => Some((1 + u32::from(spaced && first), false)),
        _ => unknown(piece, spaced && first),
    });
    tokens.0
}

fn unknown(piece: &[char], spaced: bool) -> Option<(u32, bool)> {
    let [only] = piece else { return None };
    let tokens = match only {
        '\0'..='\x7f' => 1,
        '\u{80}'..='\u{d7ff}' => 2,
        _ => 3,
    };
    Some((tokens + u32::from(spaced), false))
}

fn fewest(run: &[char], tokens: impl Fn(&[char], bool) -> Option<(u32, bool)>) -> (u32, bool) {
    let mut best = vec![(u32::MAX, false); run.len() + 1];
    best[0] = (0, false);
    for from in 0..run.len() {
        for to in from + 1..=run.len().min(from + LONGEST) {
            if let Some((tokens, absorbs)) = tokens(&run[from..to], from == 0)
                && best[from].0 + tokens < best[to].0
            {
                best[to] = (best[from].0 + tokens, absorbs);
            }
        }
    }
    best[run.len()]
}
