"""Compares counts with tiktoken's on made-up strings: `python3 fuzz.py [--strings N] [--seed S]`, after `make pack`,
whose wheel it takes.

A string is a handful of fragments: words and parts of words in every case, contractions, digits, all white space, line
ends, punctuation, emoji sequences, combining marks, and code points of every plane, unassigned ones among them. The
first difference is shown and ends the run.
"""

import argparse
import random
import sys

import peer
import run

ENCODINGS = ["o200k_base", "cl100k_base", "p50k_base", "r50k_base"]
SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " \n",
    "\n ",
    "\v",
    "\f",
    "\x85",
    "\xa0",
    "\u1680",
    "\u2003",
    "\u2028",
    "\u2029",
    "\u202f",
    "\u205f",
    "\u3000",
    "\u200b",
    "\ufeff",
]
CONTRACTIONS = [
    mark + ending
    for mark in "'\u2019"
    for base in ("s", "t", "re", "ve", "m", "ll", "d")
    for ending in (base, base.upper(), base.title(), base[::-1])
] + ["'\u017f", "'\u212a"]
EMOJI = [
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f44d\U0001f3fd",
    "\U0001f1e9\U0001f1ea",
    "1\ufe0f\u20e3",
    "\u2764\ufe0f",
]
PUNCTUATION = [
    *list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "//",
    "...",
    "=====",
    "----------",
    "—",
    "“",
    "。",
    "\uff0c",
    "¿",
    "</",
    "/>",
    "\x00",
]
RANGES = [
    (0x20, 0x7F),
    (0x80, 0x250),
    (0x250, 0x530),
    (0x530, 0x900),
    (0x900, 0x1000),
    (0x1000, 0x2000),
    (0x2000, 0x2E80),
    (0x2E80, 0x3100),
    (0x3100, 0x4E00),
    (0x4E00, 0xA000),
    (0xA000, 0xD800),
    (0xE000, 0x10000),
    (0x10000, 0x20000),
    (0x20000, 0x35000),
    (0xE0000, 0xE0200),
    (0x35000, 0x110000),
]


def fragments(draw, words):
    """A pool of fragments, drawn anew now and then."""
    pool = []
    for _ in range(3_000):
        word = draw.choice(words)
        pool.append(
            draw.choice((word, word.upper(), word.title(), word.lower(), " " + word, word[: draw.randint(1, 6)]))
        )
    for first, last in RANGES:
        for _ in range(60):
            pool.append("".join(chr(draw.randrange(first, last)) for _ in range(draw.choice((1, 1, 2, 3, 8)))))
    for kind in (SPACES, CONTRACTIONS, EMOJI, PUNCTUATION):
        pool += draw.choices(kind, k=300)
    pool += ["".join(draw.choices("0123456789\u0663\u096d\uff15", k=draw.randint(1, 9))) for _ in range(200)]
    pool += [chr(draw.randrange(0x300, 0x370)) * draw.randint(1, 4) for _ in range(60)]
    pool += [draw.choice("aAz\xe9\u042f\u4e00= *#-_.") * draw.choice((2, 5, 17, 40, 130, 300)) for _ in range(60)]
    return pool


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--strings", type=int, default=10_000_000)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    _, ranks = run.install()
    wheels = (run.HERE.parents[1] / "dist").glob("*.whl")
    run.run(run.PYTHON, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", *wheels).check_returncode()
    sys.path[:0] = [str(path) for path in (run.PEERS / "venv/lib").glob("python*/site-packages")]
    import tiktoken.load
    import tokenbook

    draw = random.Random(options.seed)
    done = 0
    for number, name in enumerate(ENCODINGS):
        oracle = peer.load("tiktoken", name, ranks).many
        tokens = list(tiktoken.load.load_tiktoken_bpe(str(ranks / f"{name}.tiktoken")))[::3]
        words = [word for word in (token.decode("utf-8", "ignore") for token in tokens) if word]
        wanted = options.strings * (number + 1) // len(ENCODINGS)
        while done < wanted:
            pool = fragments(draw, words)
            texts = ["".join(draw.choices(pool, k=draw.randrange(1, 9))) for _ in range(min(50_000, wanted - done))]
            ours = tokenbook.count_batch(texts, encoding=name)
            for text, own, theirs in zip(texts, ours, oracle(texts), strict=True):
                if own != theirs:
                    raise SystemExit(f"{name}: {text!r}: {own} tokens, tiktoken says {theirs}")
            done += len(texts)
        print(f"{name}: all equal, {done:,} strings so far", flush=True)


if __name__ == "__main__":
    main()
