"""Fits the table of pieces that Claude's text is estimated by, and writes `crates/tokenbook/data/claude/pieces.bin`.

    python claude_pieces.py --ground-truth DIR --o200k o200k_base.tiktoken --out pieces.bin

The measured counts are read in place and stay there. What comes out are figures: for pieces of words a cost in eighths of
a token, fitted so that their cheapest sums give the measured counts of some 370,000 words; for common words the count where
the sum is off; one bit for what is a single token in the older tokenizer. See README.md.
"""

import argparse
import base64
import collections
import gzip
import json
import struct
from pathlib import Path

import numpy as np
import regex as re
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import lsmr

LONGEST = 8
UNITS = 64
# What a fragment costs more while choosing, so that fewer and longer ones win.
CHOOSING = 0.15
# The figures that `text/claude/weights.rs` began with, to know which words come out right without an entry. They stay: the
# weights are fitted on what this table gives.
CAPITALS = (21, 42, 18)
SEAM_NEW = 26
SCRIPTS = [(0x370, 0x400, 56), (0x400, 0x530, 55), (0x590, 0x600, 58), (0x600, 0x700, 61), (0x900, 0x980, 60),
           (0xE00, 0xE80, 53), (0xAC00, 0xD7A4, 58)]

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]")
LETTERS = re.compile(r"[\p{L}\p{M}]+")
SYMBOLS = re.compile(r"[^\s\p{L}\p{M}\p{N}]+")
HUMPS = re.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}]+|[^\p{Lu}\p{Ll}]+")


def read(arguments):
    folder = Path(arguments.ground_truth) / "claude-vocab"
    old = {text for text in json.loads((folder / "old-generation-tokens.json").read_text()) if not UNPRINTABLE.search(text)}
    new = {}
    with gzip.open(folder / "new-generation-counts.tsv.gz", "rt") as lines:
        for line in lines:
            text, count = line.rstrip("\n").rsplit("\t", 1)
            if not UNPRINTABLE.search(json.loads(text)):
                new[json.loads(text)] = int(count)
    ranks = {}
    for line in Path(arguments.o200k).read_bytes().splitlines():
        token, rank = line.split()
        try:
            word = base64.b64decode(token).decode().strip(" ")
        except UnicodeDecodeError:
            continue
        if LETTERS.fullmatch(word):
            ranks[word] = min(int(rank), ranks.get(word, 1 << 30))
    return old, new, ranks


def small_words(counts):
    """The count of each word in small letters; a capital first letter costs one token."""
    words = collections.defaultdict(list)
    for word, count in counts.items():
        small = word.lower()
        if small == word:
            words[small].append(count)
        elif word[1:] == small[1:] and len(word) == len(small):
            words[small].append(count - 1)
    return {word: counts[word] if word in counts else max(1, min(found)) for word, found in words.items()}


def segments(word, weights):
    best, back = [0.0] + [1e9] * len(word), [0] * (len(word) + 1)
    for start in range(len(word)):
        for end in range(start + 1, min(len(word), start + LONGEST) + 1):
            weight = weights.get(word[start:end])
            if weight is not None and best[start] + weight + CHOOSING < best[end] - 1e-9:
                best[end], back[end] = best[start] + weight + CHOOSING, start
        if best[start + 1] > 1e8:
            best[start + 1], back[start + 1] = best[start] + len(word[start].encode()) + CHOOSING, start
    pieces, end = [], len(word)
    while end:
        pieces.append(word[back[end]:end])
        end = back[end]
    return pieces[::-1]


def fit_fragments(train, new):
    """Weights of fragments: segment by the weights, solve for the weights, and again."""
    occurrences = collections.Counter(
        word[start:end] for word in train for start in range(len(word))
        for end in range(start + 1, min(len(word), start + LONGEST) + 1))
    candidates = {piece for piece, n in occurrences.items() if len(piece) == 1 or n >= (12 if len(piece) <= 3 else 25)}
    words = sorted(train)
    np.random.RandomState(0).shuffle(words)
    held = {word for word in words[: len(words) // 12] if len(word) > 1}
    fitted = [word for word in words if word not in held]
    # Words that stand alone in running text tell more than cuts through it.
    share = diags([1.6 if " " + word in new or " " + word.capitalize() in new else 0.8 for word in fitted])
    truth = np.array([train[word] for word in fitted], float)
    weights = {piece: float(train[piece]) if piece in train and piece not in held else 0.55 * len(piece) + 0.5
               for piece in candidates}
    for round_ in range(6):
        column, rows, columns = {}, [], []
        for row, word in enumerate(fitted):
            for piece in segments(word, weights):
                rows.append(row)
                columns.append(column.setdefault(piece, len(column)))
        matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(fitted), len(column)))
        start = np.array([weights.get(piece, len(piece.encode())) for piece in column])
        step = lsmr(share @ matrix, share @ (truth - matrix @ start), damp=1.5, maxiter=60)[0]
        weights.update((piece, float(np.clip(value, 0.1, 4))) for piece, value in zip(column, start + step))
        used = dict(zip(column, np.asarray(matrix.sum(0)).ravel()))
        if round_ in (2, 3, 4):
            weights = {piece: weight for piece, weight in weights.items()
                       if len(piece) == 1 or used.get(piece, 0) >= 4 * (round_ - 1)}
        errors = [sum(weights.get(p, len(p.encode())) for p in segments(w, weights)) - train[w] for w in sorted(held)[:5000]]
        print(f"round {round_}: {len(weights)} fragments, mean absolute error on words held out {np.abs(errors).mean():.3f}")
    return weights


def default_letter(letter):
    code = ord(letter)
    if code < 0x250:
        return 8
    return 16 if code < 0x800 or 0x4E00 <= code < 0xA000 or 0xAC00 <= code < 0xD7A4 else 24


def scale(letter):
    return next((factor for start, end, factor in SCRIPTS if start <= ord(letter) < end), 64)


class Estimate:
    """What `text/claude/word.rs` makes of the entries so far, in 64ths of a token."""

    def __init__(self, entries, symbols):
        self.entries, self.symbols = entries, symbols

    def fragments(self, word):
        best = [(0, 0)] + [(1 << 30, 0)] * len(word)
        for start in range(len(word)):
            choice, cost = best[start]
            for end in range(start + 1, min(len(word), start + LONGEST) + 1):
                eighths = self.entries.get(word[start:end], (0, 0, 0))[1] or (default_letter(word[start]) if end == start + 1 else 0)
                if eighths and choice + eighths + 1 < best[end][0]:
                    best[end] = (choice + eighths + 1, cost + eighths)
        return best[-1][1] * scale(word[0]) // 8

    def new(self, word):
        whole = self.entries.get(word, (0, 0, 0))[0]
        if whole:
            return whole * UNITS
        small = word.lower()
        if small == word or not re.match(r"[\p{Lu}\p{Ll}]", word):
            return max(self.fragments(word), UNITS)
        if word[1:] == small[1:] and len(word) == len(small):
            return UNITS + self.new(small)
        if word == word.upper() and len(word) == len(small):
            return CAPITALS[0] + CAPITALS[1] * len(word) + self.new(small) * CAPITALS[2] // 64
        parts = HUMPS.findall(word)
        if len(parts) > 1:
            return sum(map(self.new, parts)) + SEAM_NEW * (len(parts) - 1)
        return UNITS + max(self.fragments(small), UNITS)

    def run(self, run, old, spaced):
        """Tokens of a run of symbols, and whether its last token takes a following space with it."""
        whole = self.symbols.get(run)
        if not old and whole and whole[0]:
            return whole[0] + (spaced and whole[1]), not whole[2]
        best = [(0, False)] + [(1 << 30, False)] * len(run)
        for start in range(len(run)):
            for end in range(start + 1, min(len(run), start + LONGEST) + 1):
                entry, space, cost, absorbs = self.symbols.get(run[start:end]), spaced and start == 0, None, False
                if old and entry and space and entry[4]:
                    cost = 1
                elif old and entry and entry[3]:
                    cost = 1 + space
                elif not old and entry and entry[0]:
                    cost, absorbs = entry[0] + (space and entry[1]), not entry[2]
                elif end == start + 1:
                    code = ord(run[start])
                    cost = (1 if code < 0x80 else 2 if code < 0xD800 else 3) + space
                if cost is not None and best[start][0] + cost < best[end][0]:
                    best[end] = (best[start][0] + cost, absorbs)
        return best[-1]


def build_words(counts, train, single, ranks, weights):
    entries = collections.defaultdict(lambda: (0, 0, 0))

    def put(word, whole=0, fragment=0, one=0):
        before = entries[word]
        entries[word] = (whole or before[0], fragment or before[1], one or before[2])

    for piece, weight in weights.items():
        eighths = max(1, min(31, round(weight * 8)))
        if len(piece) > 1 or abs(eighths - default_letter(piece)) > 1:
            put(piece, fragment=eighths)
    estimate = Estimate(entries, {})
    sums = {word: estimate.fragments(word) / UNITS for word in train}
    for word, count in train.items():
        rank = min(ranks.get(word, 1 << 30), ranks.get(word.capitalize(), 1 << 30))
        off = abs(max(sums[word], 1) - count)
        common = rank < 1 << 30 or word in single or word.capitalize() in single
        if len(word) == 1 and off > 0.3 or common and off > (0.05 if rank < 25_000 else 0.3):
            put(word, whole=min(15, count))
    for word in single:
        put(word, one=1)
    for word, count in counts.items():
        small = word.lower()
        if small != word and word in ranks:
            off = abs(estimate.new(word) / UNITS - count)
            if off > (0.5 if word[1:] == small[1:] else 0.6):
                put(word, whole=min(15, count))
    return entries


def build_symbols(old, new):
    single = {text for text in old if SYMBOLS.fullmatch(text.strip(" "))}
    runs = {text.strip(" ") for text in single} | {text.strip(" ") for text in new if SYMBOLS.fullmatch(text.strip(" "))}
    symbols = {}
    for run in runs:
        if not run or not run.isascii() and len(run) > 1:
            continue
        tokens, before, after = new.get(run, 0), 1, 1
        if tokens:
            before = int(new.get(" " + run, tokens + 1) > tokens)
            after = int(new.get(run + " ", tokens + 1) > tokens)
        elif " " + run in new:
            tokens, before = new[" " + run], 0
        symbols[run] = (min(7, tokens), before, after, int(run in single), int(" " + run in single))
    estimate = Estimate({}, symbols)
    # Runs that come out right from shorter ones need no entry.
    for run in sorted(symbols, key=lambda run: (-len(run), run)):
        if len(run) < 2:
            continue
        entry = symbols.pop(run)
        alone, spaced = estimate.run(run, False, False), estimate.run(run, False, True)
        right = not entry[0] or alone == (entry[0], not entry[2]) and spaced[0] - alone[0] == entry[1]
        right_old = (estimate.run(run, True, False)[0] == 1) == bool(entry[3]) and \
            (estimate.run(run, True, True)[0] == 1) == bool(entry[4])
        if not (right and right_old) and len(run) <= LONGEST or len(set(run)) == 1 and len(run) <= 64:
            symbols[run] = entry
    return symbols


def hashed(text):
    mask, value = (1 << 64) - 1, 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & mask
    return ((value ^ (value >> 32)) * 0x9E3779B97F4A7C15 & mask) >> 37


def write(words, symbols, path):
    table, clashes = {}, 0

    def add(text, value):
        nonlocal clashes
        clashes += hashed(text) in table
        table.setdefault(hashed(text), value)

    for run, (tokens, before, after, one, one_spaced) in sorted(symbols.items()):
        add(run, tokens | before << 3 | after << 4 | one << 5 | one_spaced << 6)
    for word, (whole, fragment, one) in sorted(words.items(), key=lambda item: (-item[1][2], item[0])):
        if whole or fragment or one:
            add(word, whole | fragment << 4 | one << 9)
    offsets = [0] * ((1 << 14) + 1)
    for key in table:
        offsets[(key >> 13) + 1] += 1
    for bucket in range(1 << 14):
        offsets[bucket + 1] += offsets[bucket]
    entries = b"".join((key & 0x1FFF | table[key] << 13).to_bytes(3, "little") for key in sorted(table))
    Path(path).write_bytes(struct.pack(f"<{len(offsets)}H", *offsets) + entries)
    print(f"{len(table)} entries, {Path(path).stat().st_size} bytes, {clashes} left out for a clash of fingerprints")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground-truth", required=True, help="the folder with claude-vocab/")
    parser.add_argument("--o200k", required=True, help="the public rank file o200k_base.tiktoken: which words are common")
    parser.add_argument("--out", required=True, help="the table to write")
    arguments = parser.parse_args()
    old, new, ranks = read(arguments)
    counts = {}
    for text, count in new.items():
        word = text.strip(" ")
        if word and LETTERS.fullmatch(word):
            counts[word] = min(count, counts.get(word, 99))
    single = {text.strip(" ") for text in old if LETTERS.fullmatch(text.strip(" "))}
    train = small_words(counts)
    weights = fit_fragments(train, new)
    words = build_words(counts, train, single, ranks, weights)
    write(words, build_symbols(old, new), arguments.out)


if __name__ == "__main__":
    main()
