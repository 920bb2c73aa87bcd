//! The fast paths against the definitions.

use std::collections::HashMap;
use std::sync::{Once, OnceLock};

use proptest::prelude::*;

use super::class::{self, Closed};
use super::raw::Instructions;
use super::scan::{self, WINDOW, Window};
use super::split::{self, Pattern};
use super::vocab::Vocab;
use super::{Encoding, Vocabulary, batch, fast, normal};
use crate::quantity::Count;

/// All encodings, with the vocabularies of other families that are in the repository.
fn encodings() -> &'static [Encoding] {
    static ADDED: Once = Once::new();
    ADDED.call_once(|| {
        for vocabulary in Vocabulary::ALL.iter().skip(3) {
            let file = format!("{}/../../vocabularies/data/{}", env!("CARGO_MANIFEST_DIR"), vocabulary.file_name());
            let file = std::fs::read(file).expect("the vocabulary is in the repository");
            assert_eq!(super::add_vocabulary(&file).ok(), Some(*vocabulary));
        }
    });
    Encoding::ALL
}

/// The patterns, each with its vocabularies.
fn patterns() -> impl Iterator<Item = (Pattern, &'static Vocab)> {
    encodings().iter().map(|encoding| (encoding.pattern(), encoding.vocab()))
}

/// Those that come with the program, and one of the others in turns, for tests of very many texts.
fn some_encodings(text: &str) -> impl Iterator<Item = Encoding> {
    let (built_in, added) = encodings().split_at(5);
    built_in.iter().copied().chain([added[text.len() % added.len()]])
}

/// The same by their patterns and vocabularies.
fn some_patterns(text: &str) -> impl Iterator<Item = (Pattern, &'static Vocab)> {
    // The last one that comes with the program differs from the one before in special tokens only.
    some_encodings(text).filter(|&encoding| encoding != Encoding::O200kHarmony).map(|one| (one.pattern(), one.vocab()))
}

/// The pieces by the definition.
fn pieces(pattern: Pattern, text: &str) -> Vec<&[u8]> {
    let (mut from, mut pieces) = (0, Vec::new());
    while from < text.len() {
        let end = pattern.end(text.as_bytes(), from);
        pieces.push(&text.as_bytes()[from..end]);
        from = end;
    }
    pieces
}

/// Byte-pair encoding as it is defined: the two neighbours that are a token of lowest rank are joined, the first of
/// equals, until no two are a token. In Qwen 3.5 only those two that the token is stated to arise from.
fn joined(vocab: &Vocab, piece: &[u8]) -> Vec<u32> {
    // Where each part starts, and the end.
    let mut starts: Vec<usize> = (0..=piece.len()).collect();
    let rank = |starts: &[usize], at: usize| {
        let id = vocab.find(&piece[starts[at]..*starts.get(at + 2)?])?;
        (vocab.number != Vocab::QWEN35 || vocab.arises_from(id, starts[at + 1] - starts[at])).then_some(id)
    };
    // The rank of each part and the next, if they are a token.
    let mut ranks: Vec<Option<u32>> = (0..piece.len()).map(|at| rank(&starts, at)).collect();
    while let Some((_, at)) = ranks.iter().zip(0..).filter_map(|(rank, at)| Some((rank.as_ref()?, at))).min() {
        starts.remove(at + 1);
        ranks.remove(at);
        for near in [at.saturating_sub(1), at] {
            ranks[near] = rank(&starts, near);
        }
    }
    starts.windows(2).map(|ends| vocab.find(&piece[ends[0]..ends[1]]).expect("every byte is a token")).collect()
}

/// Texts of all that matters to the patterns, in any order.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z]{1,9}",
        "[A-Z]?[a-z]{1,6}[A-Z]{0,3}",
        "[ \t\r\n]{1,5}",
        " {1,40}",
        "[{;./ \r\n]{1,9}",
        "[0-9]{1,7}",
        "[!-/:-@\\[-`{-~]{1,5}",
        "'(s|S|t|re|VE|ll|d|m|\u{17f}|x|)",
        "[а-яА-ЯёЁіѣ]{1,12}",
        "[à-öÀ-Ö×÷ßÿ]{1,5}",
        "[一-龥]{1,30}",
        "[ぁ-ヿ가-힣]{1,9}",
        "\\PC{1,4}",
        "[\u{300}-\u{36f}\u{900}-\u{97f}]{1,6}",
        "[अ-ह\u{93e}-\u{94d}]{1,9}[।A-C]?",
        "[ء-غ\u{64b}-\u{652}]{1,9}[،ـ٣]?",
        "[Α-Ωα-ωՀ-Ֆհ-ֆა-ჰᲐ-ᲰÀ-ſǅ]{1,9}",
        "[ก-๎•→★]{1,9}",
        // Chinese characters that are symbols, numbers or modifiers, and rare ones.
        "[!:•]?[\u{2e80}-\u{2fd5}\u{3005}-\u{3007}\u{3021}-\u{303b}\u{3400}\u{f900}\u{20000}]{1,5}",
        "[\u{a0}\u{85}\u{3000}\u{2028}\u{1680}]{1,3}",
        "(😀|\u{200d}|👩|\u{fe0f}){1,6}",
        "(\u{0}|\u{1}|\u{7f}|\u{fffd}){1,3}",
        ("[a!漢 \n=/0я*#_.\u{a0}-]", 1usize..300).prop_map(|(one, often)| one.repeat(often)),
        "[a-zA-Z0-9+/]{100,400}",
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// Texts with many places where a piece may start.
fn words() -> impl Strategy<Value = String> {
    let word =
        prop_oneof!["[a-zA-Z'я漢ſ0-9.!/\u{301}\u{1c5}\u{2b0}]{1,4}", "'(s|S|t|re|VE|ll|d|m|\u{17f}|x|)", texts(),];
    let gap = prop_oneof![Just(" "), Just("\n"), Just("\r\n"), Just("  "), Just("\n\n"), Just("/\n"), Just("\t\n ")];
    proptest::collection::vec((word, gap), 0..20)
        .prop_map(|parts| parts.into_iter().map(|(word, gap)| word + gap).collect())
}

/// The patterns whose pieces are found in windows.
const SCANNED: [Pattern; 6] =
    [Pattern::Cl100k, Pattern::O200k, Pattern::Qwen, Pattern::Qwen35, Pattern::Kimi, Pattern::Tekken];

/// Asserts that the pieces found in a window at the start of a text are those of the definition.
fn check_window(pattern: Pattern, text: &[u8], sets: impl Iterator<Item = Instructions>) {
    let mut window: Window = [0; 80];
    let length = text.len().min(window.len());
    window[..length].copy_from_slice(&text[..length]);
    // As what a longer text begins with, and, if it is short, as all there is.
    let left = [WINDOW, length].map(|bytes| u32::try_from(bytes.min(WINDOW)).expect("a few"));
    let mut masks: Vec<_> = sets.map(|instructions| instructions.masks(pattern, &window)).collect();
    masks.dedup();
    for (masks, left) in masks.iter().flat_map(|masks| left.map(|left| (masks, left))) {
        let Some(found) = scan::pieces(pattern, &window, masks, left) else { continue };
        let (mut starts, mut at) = (0u64, 0);
        while at < found.end as usize {
            starts |= 1 << at;
            at = pattern.end(text, at);
        }
        assert_eq!(at, found.end as usize, "{:?}", String::from_utf8_lossy(text));
        assert_eq!(starts, found.starts, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn windows_cover_characters_of_two_and_three_bytes_as_the_definition_does() {
    let mut covered = 0;
    for character in (0x80..0x1_0000).filter_map(char::from_u32) {
        let c = character;
        // Those that are written out take long.
        let sets = || Instructions::all().filter(|set| !set.is_written_out() || u32::from(c) % 16 == 0);
        for text in [
            format!("{c}{c}a. "),
            format!("a{c}b {c}B A{c}{c}a {c}1{c}'s {c}\n\n{c}/\r\n {c} "),
            format!("、{c}a —{c}。{c}漢{c}A漢A{c}　{c}{c}か'll {c}{c}{c}ー"),
        ] {
            for pattern in SCANNED {
                check_window(pattern, text.as_bytes(), sets());
            }
            // Each character from every fourth place, and its neighbours, which are mostly like it, from the others.
            let starts = text.char_indices().map(|(start, _)| start).enumerate().skip(1);
            for (_, start) in starts.filter(|(number, _)| (number + c as usize).is_multiple_of(4)) {
                check_window(Pattern::O200k, &text.as_bytes()[start..], sets());
                check_window(Pattern::Kimi, &text.as_bytes()[start..], sets());
            }
        }
        let text = format!("{c}{c}a. ");
        let mut window: Window = [0; 80];
        window[..text.len()].copy_from_slice(text.as_bytes());
        let masks = Instructions::all().map(|instructions| instructions.masks(Pattern::O200k, &window)).last();
        covered += usize::from(masks.is_some_and(|masks| masks.stop.trailing_zeros() as usize >= text.len() - 1));
    }
    // Where there are vectors, they cover all but digits, blanks and what starts with a mark.
    let vectors = Instructions::all().count() > 1;
    assert!(if vectors { covered > 60_000 } else { covered == 0 }, "{covered}");
}

#[test]
fn a_pair_that_was_taken_for_a_free_place_is_no_merge() {
    // `P` and `oor` had the mark of places that nothing was in, in a table of merges that was here once.
    for text in ["SIMILARPoor", "SIMILARPoor AKY\u{2019}ev"] {
        let pattern = Pattern::R50k;
        for vocab in [&super::vocab::R50K, &super::vocab::P50K] {
            let expected =
                pieces(pattern, text).into_iter().map(|piece| joined(vocab, piece).len() as u64).sum::<u64>();
            for set in Instructions::all() {
                assert_eq!(fast::count_with(set, &[text], pattern, vocab), [[expected], [expected]]);
            }
        }
    }
}

proptest! {
    // A case takes little, and what windows end in is of many kinds: 400 did not always show a wrong rule.
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn windows_start_pieces_where_the_definition_does(text in texts(), skip in 0usize..64) {
        for pattern in SCANNED {
            let mut from = 0;
            for piece in pieces(pattern, &text).iter().take(skip) {
                from += piece.len();
            }
            check_window(pattern, &text.as_bytes()[from..], Instructions::all());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn fast_counts_are_the_number_of_joined_pieces(text in texts()) {
        for (pattern, vocab) in some_patterns(&text) {
            let ids: Vec<u32> = pieces(pattern, &text).into_iter().flat_map(|piece| joined(vocab, piece)).collect();
            prop_assert_eq!(fast::count(text.as_bytes(), pattern, vocab), ids.len() as u64);
        }
    }

    #[test]
    fn encoding_gives_the_joined_pieces_and_decoding_the_text(text in texts()) {
        for encoding in some_encodings(&text) {
            let ids = encoding.encode(&text);
            let text = encoding.normal(&text);
            let expected = pieces(encoding.pattern(), &text).into_iter();
            let expected = expected.flat_map(|piece| joined(encoding.vocab(), piece)).map(|id| encoding.id(id));
            prop_assert_eq!(&ids, &expected.collect::<Vec<_>>());
            prop_assert_eq!(encoding.decode(&ids).expect("its own ids"), text);
        }
    }

    #[test]
    fn counting_with_any_instructions_gives_what_is_defined(
        mut all in proptest::collection::vec(texts(), 1..4),
        long in 0usize..12,
    ) {
        all.push(all[0].repeat(long));
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for (pattern, vocab) in some_patterns(all[0]) {
            let count = |piece: &[u8]| joined(vocab, piece).len() as u64;
            let counts = all.iter().map(|text| pieces(pattern, text).into_iter().map(count).sum::<u64>());
            let expected: Vec<_> = counts.collect();
            for instructions in Instructions::all() {
                let [single, together] = fast::count_with(instructions, &all, pattern, vocab);
                prop_assert_eq!(&expected, &single);
                prop_assert_eq!(&expected, &together);
            }
        }
    }

    #[test]
    fn a_counter_is_exact_after_every_chunk(text in texts(), sizes in proptest::collection::vec(1usize..40, 1..8)) {
        for encoding in some_encodings(&text) {
            let (mut counter, mut by_bytes) = (encoding.counter(), encoding.counter());
            let mut from = 0;
            for size in sizes.iter().cycle() {
                if from == text.len() {
                    break;
                }
                let to = (from + size..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
                counter.push(&text[from..to]);
                prop_assert_eq!(counter.total(), encoding.count(&text[..to]));
                from = to;
            }
            for bytes in text.as_bytes().chunks(sizes[0]) {
                by_bytes.push_bytes(bytes);
            }
            prop_assert_eq!(by_bytes.total(), encoding.count(&text));
        }
    }

    #[test]
    fn counting_up_to_a_limit_agrees_with_counting(text in texts(), limit in 0u32..200) {
        for encoding in some_encodings(&text) {
            let count = encoding.count(&text);
            let within = (count.get() <= u64::from(limit)).then_some(count);
            prop_assert_eq!(encoding.count_up_to(&text, limit.into()), within);
        }
    }

    #[test]
    fn batches_count_each_text(
        texts in proptest::collection::vec(texts(), 0..20),
        threads in 1usize..5,
        share_bytes in 1usize..300,
    ) {
        for encoding in some_encodings(&texts.concat()) {
            let each: Vec<_> = texts.iter().map(|text| encoding.count(text)).collect();
            prop_assert_eq!(batch::count_with(encoding, &texts, threads, share_bytes), each);
        }
    }

    #[test]
    fn pieces_are_the_same_on_both_sides_of_a_certain_start(text in words(), from in 0usize..400) {
        let Some(cut) = split::certain_start(&text, from.min(text.len())) else { return Ok(()) };
        let (part, behind) = text.split_at(cut);
        for (pattern, _) in patterns() {
            prop_assert_eq!([pieces(pattern, part), pieces(pattern, behind)].concat(), pieces(pattern, &text));
        }
    }
}

#[test]
fn repeated_units_count_as_if_they_were_merged() {
    for unit in
        ["=", "-", "a", "A", " ", "\n", "ab", "=-", "я", "😀", "\u{301}", "xyz", "的", "-=+~", "aB", "\t ", "ha!"]
    {
        for length in (1024..1100).chain([2000, 4095, 5001]) {
            let text = unit.repeat(length / unit.len() + 1);
            let end = (0..=length).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let text = &text[..end];
            // Every length for those that come with the program, some for the others.
            for (pattern, vocab) in patterns().take(if length % 16 == 0 { usize::MAX } else { 4 }) {
                let mut merged = Vec::new();
                for piece in pieces(pattern, text) {
                    vocab.extend_piece(piece, 0, &mut merged);
                }
                assert_eq!(fast::count(text.as_bytes(), pattern, vocab), merged.len() as u64, "{length} of {unit:?}");
            }
        }
    }
}

#[test]
fn every_character_has_the_class_of_the_committed_table() {
    static TABLE: OnceLock<HashMap<u32, u8>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let ranges = include_str!("../../data/vocab/unicode-classes.txt").lines().map(|line| {
            let fields: Vec<u32> =
                line.split(' ').map(|field| u32::from_str_radix(field, 16).expect("hexadecimal")).collect();
            (fields[0]..=fields[1], 1u8 << (fields[2] - 1))
        });
        ranges.flat_map(|(range, class)| range.map(move |point| (point, class))).collect()
    });
    for character in '\0'..=char::MAX {
        let mut bytes = [0; 4];
        let text = character.encode_utf8(&mut bytes).as_bytes();
        let expected = table.get(&u32::from(character)).copied().unwrap_or(class::OTHER);
        assert_eq!(class::at(Closed(text), 0), (expected, text.len()), "{character:?}");
    }
}

#[test]
fn every_token_is_what_its_own_bytes_merge_into() {
    for (_, vocab) in patterns() {
        for id in 0..vocab.limit {
            let Some(bytes) = vocab.bytes(id) else { continue };
            assert_eq!(vocab.find(bytes), Some(id));
            let mut merged = Vec::new();
            vocab.extend_piece(bytes, 0, &mut merged);
            assert_eq!(merged, [id]);
        }
    }
}

#[test]
fn broken_bytes_count_as_replacement_characters() {
    let mut counter = Encoding::O200kBase.counter();
    for bytes in [&b"caf\xc3"[..], b"\xa9 \xff \xe6\xbc", b"\xa2\xe6", b"x"] {
        counter.push_bytes(bytes);
    }
    assert_eq!(counter.total(), Encoding::O200kBase.count("caf\u{e9} \u{fffd} 漢\u{fffd}x"));
    let mut broken_off = Encoding::O200kBase.counter();
    broken_off.push_bytes(b"a\xe6\xbc");
    broken_off.push("b");
    assert_eq!(broken_off.total(), Encoding::O200kBase.count("a\u{fffd}b"));
}

#[test]
fn special_tokens_count_as_one_only_where_allowed() {
    use super::Special;
    let text = "a<|endoftext|>b<|endofprompt|><|nothing|><|<|endoftext|>";
    let encoding = Encoding::O200kBase;
    let plain = |part: &str| encoding.count(part).get();
    let all = plain("a") + 1 + plain("b") + 1 + plain("<|nothing|><|") + 1;
    assert_eq!(encoding.count_with_special(text, Special::All).get(), all);
    let one = plain("a<|endoftext|>b") + 1 + plain("<|nothing|><|<|endoftext|>");
    assert_eq!(encoding.count_with_special(text, Special::Only(&["<|endofprompt|>"])).get(), one);
    for &encoding in encodings() {
        let ids = encoding.encode_with_special(text, Special::All);
        assert_eq!(encoding.decode(&ids).expect("its own ids"), text, "{encoding}");
        assert_eq!(ids.len() as u64, encoding.count_with_special(text, Special::All).get());
    }
    assert_eq!(Encoding::O200kHarmony.special_token("<|channel|>"), Some(200_005));
    assert_eq!(Encoding::O200kHarmony.special_token("<|reserved_200013|>"), Some(200_013));
    assert_eq!(Encoding::O200kHarmony.special_token("<|reserved_200005|>"), None);
    assert!(Encoding::O200kBase.decode(&[200_000]).is_err());
}

#[test]
fn long_runs_of_one_byte_are_counted_alike_each_time() {
    for encoding in encodings() {
        for byte in [" ", "=", "a", "\n"] {
            for length in (60..200).chain([256, 319, 575, 1_023, 1_024, 4_095]) {
                let text = byte.repeat(length);
                let want = encoding.encode(&text).len() as u64;
                assert_eq!([(); 2].map(|()| encoding.count(&text).get()), [want; 2], "{encoding:?} {byte:?} {length}");
            }
        }
    }
}

/// What follows a run decides, far back, into which long tokens it is merged: windows that are joined one by one once went
/// back and forth there for ever.
#[test]
fn runs_before_something_else_end_and_count_as_they_merge() {
    for (pattern, vocab) in patterns() {
        for run in ["*", "#", "=", "-", "_", ".", "/", "\u{a0}"] {
            for length in (120..300).step_by(7).chain([600, 900]) {
                let text = run.repeat(length / run.len()) + "`[&${";
                for piece in pieces(pattern, &text) {
                    let mut merged = Vec::new();
                    vocab.extend_piece(piece, 0, &mut merged);
                    assert_eq!(merged, joined(vocab, piece), "{length} of {run:?}");
                    assert_eq!(fast::count(piece, pattern, vocab), merged.len() as u64, "{length} of {run:?}");
                }
            }
        }
    }
}

#[test]
fn long_texts_are_cut_for_the_threads() {
    let text = "A sentence of some words, and a line\nof code: f(x) {\n\treturn 漢字;\n}\n".repeat(20_000);
    for &encoding in encodings() {
        let want = encoding.count(&text);
        assert_eq!(encoding.count_batch(&[text.as_str(), "", "a b", &text]), [want, Count::ZERO, Count::from(2), want]);
    }
}

#[test]
fn threads_that_come_and_go_count_alike() {
    let texts: Vec<String> =
        (0..64).map(|number| format!("{number} Übung macht den Meister 漢字 {number}").repeat(9)).collect();
    for &encoding in encodings() {
        let want: Vec<_> = texts.iter().map(|text| encoding.encode(text).len() as u64).collect();
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        let have: Vec<_> = texts.iter().map(|text| encoding.count(text).get()).collect();
                        assert_eq!(have, want);
                    });
                }
            });
        }
    }
}

#[test]
fn texts_that_are_composed_anew_count_alike_however_they_come() {
    let base = ["a", "b", "=", "q ", "\u{1100}", "가", "5", "\n", "A\u{323}", "é"];
    let marks = ["\u{301}", "\u{323}", "\u{338}", "\u{1161}", "\u{11a8}", "\u{302}\u{323}", "x", " "];
    for encoding in [Encoding::Qwen, Encoding::Qwen35] {
        encodings();
        for (first, second) in base.iter().flat_map(|first| marks.map(|second| (first, second))) {
            for third in marks {
                let (mut counter, mut text) = (encoding.counter(), String::new());
                for chunk in [*first, second, third, "c", second] {
                    counter.push(chunk);
                    text += chunk;
                    assert_eq!(counter.total(), encoding.count(&text), "{encoding} {text:?}");
                }
            }
        }
        assert_eq!(encoding.count("e\u{301}"), encoding.count("\u{e9}"));
        assert_eq!(encoding.normal("e\u{301}"), "\u{e9}");
    }
    assert_eq!(normal::last_start("abc\u{301}"), 2);
}
