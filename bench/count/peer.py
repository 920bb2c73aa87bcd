"""Measures one peer in a fresh process and prints JSON: `peer.py PEER ENCODING CORPUS RANKS` on a corpus, with the
folder of the long inputs on these, and with `calls` what calls cost.
"""

import collections
import functools
import json
import os
import pathlib
import random
import sys
import time
import timeit

#: Of 20 bytes.
SHORT = "The quick brown fox."

#: How a library counts one text, and many.
Peer = collections.namedtuple("Peer", "one many")


def resident():
    """The process's resident memory in MB."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(peer, encoding, ranks):
    """A peer, by its fastest way to count."""
    path = str(pathlib.Path(ranks) / f"{encoding}.tiktoken")
    if peer == "tiktoken":
        import tiktoken
        import tiktoken.load
        import tiktoken_ext.openai_public as public

        public.load_tiktoken_bpe = lambda url, expected_hash=None: tiktoken.load.load_tiktoken_bpe(path, expected_hash)
        own = tiktoken.Encoding(**public.ENCODING_CONSTRUCTORS[encoding]())
        return each(lambda text: len(own.encode_ordinary(text)))
    if peer == "gigatoken":
        import gigatoken

        own = gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=encoding.removesuffix("_base"))
        return Peer(lambda text: len(own.encode(text)), lambda texts: counts_awkward(own, texts))
    if peer == "fastokens":
        import fastokens

        own = fastokens.Tokenizer.from_tiktoken(path, encoding=encoding)
        return Peer(lambda text: len(own.encode_ordinary(text)), lambda texts: counts_flat(own, texts))
    if peer == "toktok":
        import toktok

        return Peer(
            lambda text: toktok.batch_count([text], encoding, threads=1)[0],
            lambda texts: toktok.batch_count(texts, encoding, threads=1),
        )
    if peer == "quicktok":
        import quicktok

        own = quicktok.get_encoding(encoding)
        return each(own.count if hasattr(own, "count") else lambda text: len(own.encode(text)))
    if peer == "splintr":
        import splintr

        own = splintr.Tokenizer.from_pretrained(encoding)
        return each(lambda text: len(own.encode(text)))
    if peer == "tokie":
        import tokie

        own = tokie.Tokenizer.from_pretrained(encoding)
        return each(own.count_tokens)
    if peer == "rs_bpe":
        import rs_bpe

        own = getattr(rs_bpe.openai, encoding)()
        return each(own.count)
    if peer == "tokenbook":
        import tokenbook

        one = tokenbook.count if encoding == "o200k_base" else functools.partial(tokenbook.count, encoding=encoding)
        return Peer(one, functools.partial(tokenbook.count_batch, encoding=encoding))
    raise SystemExit(f"no peer {peer}")


def each(one):
    return Peer(one, lambda texts: [one(text) for text in texts])


def counts_awkward(own, texts):
    import awkward

    return awkward.num(own.encode_batch(texts)).to_list()


def counts_flat(own, texts):
    import numpy

    _, offsets = own.encode_batch_flat(texts)
    return numpy.diff(numpy.frombuffer(offsets, numpy.uint64)).tolist()


def main(peer, encoding, corpus, ranks, *rest):
    if corpus == "calls":
        return calls(peer, encoding, ranks, *rest)
    for name in ("RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    if pathlib.Path(corpus).is_dir():
        return long_inputs(peer, encoding, corpus, ranks)
    on_corpus(peer, encoding, corpus, ranks)


def long_inputs(peer, encoding, folder, ranks):
    """Each input once: what a cache could remember of it is never what makes it slow."""
    count = load(peer, encoding, ranks).one
    for path in sorted(pathlib.Path(folder).iterdir()):
        text = path.read_bytes().decode()
        start = time.process_time()
        try:
            tokens = count(text)
        except BaseException as error:  # Some panic, and go on.
            print(json.dumps({"input": path.stem, "error": f"{type(error).__name__}: {error}"[:60]}), flush=True)
            continue
        print(json.dumps({"input": path.stem, "ms": (time.process_time() - start) * 1e3, "tokens": tokens}), flush=True)


def calls(peer, encoding, ranks, corpus):
    """The time to the first count, a short call's, and that of a million texts of 20 to 100 bytes in one call."""
    if peer == "tokenbook":
        import tokenbook  # noqa: F401 (the others need more than an import, and that counts)
    start = time.perf_counter()
    own = load(peer, encoding, ranks)
    own.one(SHORT)
    first = time.perf_counter() - start
    one = own.one
    call = min(timeit.repeat("one(SHORT)", globals={"one": one, "SHORT": SHORT}, number=20_000, repeat=15)) / 20_000
    text, draw, texts, at = pathlib.Path(corpus).read_bytes().decode(), random.Random(1), [], 0
    while len(texts) < 1_000_000:
        size = draw.randint(20, 100)
        at = at if at + size <= len(text) else draw.randint(0, 50)
        texts.append(text[at : at + size])
        at += size
    batch = []
    for _ in range(3):
        start = time.perf_counter()
        tokens = sum(own.many(texts))
        batch.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "peer": peer,
                "first_ms": first * 1e3,
                "call_ns": call * 1e9,
                "batch_ms": min(batch) * 1e3,
                "tokens": tokens,
            }
        )
    )


def on_corpus(peer, encoding, corpus, ranks):
    path = pathlib.Path(corpus)
    text = path.read_text("utf-8", errors="strict") if path.suffix != ".jsonl" else None
    with open(path, encoding="utf-8", newline="") as file:
        texts = [json.loads(line) for line in file] if text is None else [file.read()]
    size = sum(len(text.encode()) for text in texts)
    before = resident()
    start = time.process_time()
    count = load(peer, encoding, ranks).many
    count(["Hello, world!"])
    first = time.process_time() - start
    memory = resident() - before
    times = []
    for _ in range(6):
        start = time.process_time()
        counts = count(texts)
        times.append(time.process_time() - start)
    print(
        json.dumps(
            {
                "peer": peer,
                "encoding": encoding,
                "corpus": path.stem,
                "tokens": sum(counts),
                "cold": size / times[0] / 1e6,
                "warm": size / min(times[1:]) / 1e6,
                "first_ms": first * 1e3,
                "memory_mb": memory,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
