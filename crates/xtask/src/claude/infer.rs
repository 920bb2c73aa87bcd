//! Finds the smallest vocabulary by which words have the counts that were measured.
//!
//! A word's count is the fewest tokens that give it and its marks. From letters alone upward, the piece that brings
//! most counts nearer to the measured ones becomes a token, until none does. A count that falls below the measured one
//! is proof against a token, and weighs more than one that is still above it.
//!
//! Of Cyrillic words too few were measured to show every token. There, pieces that many words hold and that no count
//! speaks against are taken for tokens too: words held out are then off by 0.5 % on average instead of 1.9 % too high.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::letters::{END, Hash, LONGEST, START, spelled};
use super::measured::Observation;

/// How much a token too few weighs against one too many.
const TOO_FEW: i32 = 3;

/// How many words must hold a piece, and how many letters it must have, to be a token without proof.
const COMMON: usize = 10;
const LONG: u8 = 3;

/// Every place of every piece in the words that were measured.
struct Places {
    /// The pieces, by their hashes in ascending order; elsewhere by their number here.
    pieces: Vec<u64>,
    /// Letters of each piece, marks not counted.
    letters: Vec<u8>,
    /// Whether a piece is of a script in which too few words were measured.
    sparse: Vec<bool>,
    rows: Vec<Row>,
    words: Vec<Word>,
    /// Which piece is at each place.
    at: Vec<u32>,
    /// Whether the same piece was in the row before, or is only a mark.
    skipped: Vec<bool>,
    /// The rows that hold the pieces: those of piece `n` from `starts[n]` to `starts[n + 1]`.
    holders: Vec<u32>,
    starts: Vec<usize>,
    /// From where to where the places of a word of so many letters go.
    spans: Vec<Vec<(u8, u8)>>,
}

struct Row {
    tokens: i32,
    words: std::ops::Range<usize>,
    places: std::ops::Range<usize>,
}

struct Word {
    /// The tokens of each letter that no piece holds, and of the marks.
    spelled: Vec<u8>,
    first_place: usize,
}

/// The hashes of the pieces that are tokens.
pub(super) fn tokens(observations: &[Observation]) -> Vec<u64> {
    let places = Places::new(observations);
    let mut search = Search::new(&places);
    search.run();
    search.add_common();
    let (exact, below) = search.result();
    let count = search.tokens.iter().filter(|&&is_token| is_token).count();
    println!("{} observations, {exact} of them exact and {below} too low, by {count} tokens", observations.len());
    places.pieces.iter().zip(&search.tokens).filter(|(_, is_token)| **is_token).map(|(&piece, _)| piece).collect()
}

impl Places {
    fn new(observations: &[Observation]) -> Self {
        let longest =
            observations.iter().flat_map(|row| &row.words).map(|word| word.chars().count()).max().unwrap_or(0);
        let spans: Vec<Vec<(u8, u8)>> = (0..=longest + 2).map(spans).collect();
        let (mut rows, mut words, mut hashes, mut letters) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for observation in observations {
            let (first_word, first_place) = (words.len(), hashes.len());
            for word in &observation.words {
                let word: Vec<char> = std::iter::once(START).chain(word.chars()).chain([END]).collect();
                words.push(Word {
                    spelled: word.iter().map(|&c| u8::try_from(spelled(c)).expect("few")).collect(),
                    first_place: hashes.len(),
                });
                for &(from, to) in &spans[word.len()] {
                    let piece = &word[usize::from(from)..usize::from(to)];
                    let mut hash = Hash::new();
                    for &c in piece {
                        hash.add_char(c);
                    }
                    hashes.push(hash.mixed());
                    let of = || piece.iter().filter(|&&c| c != START && c != END);
                    letters.push((of().count(), of().all(|c| matches!(c, '\u{400}'..='\u{52f}'))));
                }
            }
            rows.push(Row {
                tokens: i32::try_from(observation.tokens).expect("few"),
                words: first_word..words.len(),
                places: first_place..hashes.len(),
            });
        }
        let mut pieces = hashes.clone();
        pieces.sort_unstable();
        pieces.dedup();
        let at: Vec<u32> = hashes
            .iter()
            .map(|hash| u32::try_from(pieces.binary_search(hash).expect("it is among them")).expect("few"))
            .collect();
        let (mut letters_of, mut sparse_of) = (vec![0; pieces.len()], vec![false; pieces.len()]);
        for (&piece, &(count, is_sparse)) in at.iter().zip(&letters) {
            letters_of[piece as usize] = u8::try_from(count).expect("few");
            sparse_of[piece as usize] = is_sparse;
        }
        let mut places = Self {
            skipped: vec![false; at.len()],
            starts: vec![0; pieces.len() + 1],
            holders: Vec::new(),
            letters: letters_of,
            sparse: sparse_of,
            pieces,
            rows,
            words,
            at,
            spans,
        };
        places.index();
        places
    }

    fn index(&mut self) {
        let mut last = vec![u32::MAX; self.pieces.len()];
        for (row, of) in (0..).zip(&self.rows) {
            for place in of.places.clone() {
                let piece = self.at[place] as usize;
                self.skipped[place] = last[piece] == row || self.letters[piece] == 0;
                last[piece] = row;
                self.starts[piece + 1] += usize::from(!self.skipped[place]);
            }
        }
        for piece in 1..self.starts.len() {
            self.starts[piece] += self.starts[piece - 1];
        }
        let mut ends = self.starts.clone();
        self.holders = vec![0; self.starts[self.pieces.len()]];
        for (row, of) in (0..).zip(&self.rows) {
            for place in of.places.clone().filter(|&place| !self.skipped[place]) {
                let end = &mut ends[self.at[place] as usize];
                self.holders[*end] = row;
                *end += 1;
            }
        }
    }

    /// The rows that hold a piece.
    fn holders(&self, piece: u32) -> &[u32] {
        &self.holders[self.starts[piece as usize]..self.starts[piece as usize + 1]]
    }

    fn places_of(&self, word: usize) -> (&Word, &[(u8, u8)], &[u32]) {
        let of = &self.words[word];
        let spans = &self.spans[of.spelled.len()];
        (of, spans, &self.at[of.first_place..of.first_place + spans.len()])
    }
}

/// The places of pieces in a word with so many letters and marks.
fn spans(length: usize) -> Vec<(u8, u8)> {
    let narrow = |at: usize| u8::try_from(at).expect("words are short");
    let mut spans = Vec::new();
    for from in 0..length {
        spans.extend((from + 1..=length.min(from + LONGEST)).map(|to| (narrow(from), narrow(to))));
        if from == 0 && length > LONGEST {
            spans.push((0, narrow(length)));
        }
    }
    spans
}

/// The greedy search.
struct Search<'p> {
    places: &'p Places,
    /// Whether a piece is a token.
    tokens: Vec<bool>,
    /// How much nearer the row comes if the piece at a place becomes a token.
    gains: Vec<i8>,
    /// The sum of a piece's gains.
    scores: Vec<i32>,
    /// The fewest tokens to each place of a word, and from it to the end.
    fewest: Vec<(Vec<i32>, Vec<i32>)>,
}

/// What is tried first: the highest score, then the shortest piece.
type Turn = (i32, Reverse<u8>, Reverse<u32>);

impl<'p> Search<'p> {
    fn new(places: &'p Places) -> Self {
        Self {
            places,
            tokens: vec![false; places.pieces.len()],
            gains: vec![0; places.at.len()],
            scores: vec![0; places.pieces.len()],
            fewest: Vec::new(),
        }
    }

    fn run(&mut self) {
        let mut rising = Vec::new();
        for row in 0..self.places.rows.len() {
            self.weigh(row, &mut rising);
        }
        let mut turns: BinaryHeap<Turn> =
            (0..).zip(&self.scores).filter(|(_, score)| **score > 0).map(|(piece, _)| self.turn(piece)).collect();
        rising.clear();
        while let Some(turn) = turns.pop() {
            let (score, _, Reverse(piece)) = turn;
            let now = self.turn(piece);
            if score <= 0 || self.tokens[piece as usize] {
                continue;
            }
            if now != turn {
                // One that has risen is here a second time.
                if now.0 < score {
                    turns.push(now);
                }
                continue;
            }
            self.tokens[piece as usize] = true;
            for &holder in self.places.holders(piece) {
                self.weigh(holder as usize, &mut rising);
                turns.extend(rising.drain(..).map(|piece| self.turn(piece)));
            }
        }
    }

    /// Makes common pieces tokens where that changes no count that was measured, long ones first.
    fn add_common(&mut self) {
        let places = self.places;
        let mut common: Vec<u32> = (0..)
            .zip(&places.sparse)
            .filter(|&(piece, &is_sparse)| {
                is_sparse
                    && !self.tokens[piece as usize]
                    && places.letters[piece as usize] >= LONG
                    && places.holders(piece).len() >= COMMON
            })
            .map(|(piece, _)| piece)
            .collect();
        common.sort_by_key(|&piece| {
            (Reverse(places.letters[piece as usize]), Reverse(places.holders(piece).len()), piece)
        });
        let mut rising = Vec::new();
        for piece in common {
            let is_opposed = places.holders(piece).iter().any(|&row| {
                let range = places.rows[row as usize].places.clone();
                range.into_iter().any(|place| places.at[place] == piece && self.gains[place] < 0)
            });
            if !is_opposed {
                self.tokens[piece as usize] = true;
                for &holder in places.holders(piece) {
                    self.weigh(holder as usize, &mut rising);
                }
            }
        }
    }

    fn turn(&self, piece: u32) -> Turn {
        (self.scores[piece as usize], Reverse(self.places.letters[piece as usize]), Reverse(piece))
    }

    /// Works out anew what a row gains by each of its pieces; tells which gain more than before.
    fn weigh(&mut self, row: usize, rising: &mut Vec<u32>) {
        let over = self.solve(row);
        let row = &self.places.rows[row];
        for (word, (to, from)) in row.words.clone().zip(&self.fewest) {
            let (of, spans, pieces) = self.places.places_of(word);
            let total = to[to.len() - 1];
            for (place, (&(start, end), &piece)) in (of.first_place..).zip(spans.iter().zip(pieces)) {
                let mut gain = 0;
                if !self.tokens[piece as usize] && !self.places.skipped[place] {
                    let fewer = total - (to[usize::from(start)] + 1 + from[usize::from(end)]);
                    let wanted = fewer.min(over.max(0));
                    gain = if fewer > 0 { wanted - TOO_FEW * (fewer - wanted) } else { 0 };
                }
                let gain = i8::try_from(gain).unwrap_or(i8::MIN);
                let before = std::mem::replace(&mut self.gains[place], gain);
                if gain != before {
                    self.scores[piece as usize] += i32::from(gain) - i32::from(before);
                    if gain > before && self.scores[piece as usize] > 0 && !self.tokens[piece as usize] {
                        rising.push(piece);
                    }
                }
            }
        }
    }

    /// How many tokens more than measured a row has now.
    fn solve(&mut self, row: usize) -> i32 {
        let row = &self.places.rows[row];
        self.fewest.resize_with(row.words.len(), Default::default);
        let mut over = -row.tokens;
        for (word, (to, from)) in row.words.clone().zip(&mut self.fewest) {
            let (of, spans, pieces) = self.places.places_of(word);
            let cost = |&(start, end): &(u8, u8), piece: u32| {
                if self.tokens[piece as usize] {
                    Some(1)
                } else {
                    (end == start + 1).then(|| i32::from(of.spelled[usize::from(start)]))
                }
            };
            let far = i32::MAX / 4;
            to.clear();
            to.resize(of.spelled.len() + 1, far);
            to[0] = 0;
            from.clear();
            from.resize(of.spelled.len() + 1, far);
            from[of.spelled.len()] = 0;
            for (span, &piece) in spans.iter().zip(pieces) {
                if let Some(cost) = cost(span, piece) {
                    let end = usize::from(span.1);
                    to[end] = to[end].min(to[usize::from(span.0)] + cost);
                }
            }
            for (span, &piece) in spans.iter().zip(pieces).rev() {
                if let Some(cost) = cost(span, piece) {
                    let start = usize::from(span.0);
                    from[start] = from[start].min(from[usize::from(span.1)] + cost);
                }
            }
            over += from[0];
        }
        over
    }

    /// How many rows have their measured count, and how many less.
    fn result(&mut self) -> (usize, usize) {
        let over: Vec<i32> = (0..self.places.rows.len()).map(|row| self.solve(row)).collect();
        (over.iter().filter(|&&over| over == 0).count(), over.iter().filter(|&&over| over < 0).count())
    }
}
