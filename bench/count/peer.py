"""Measures one peer on one corpus in a fresh process: `peer.py PEER ENCODING CORPUS RANKS` prints one JSON line."""

import json
import os
import pathlib
import sys
import time

for name in ("RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS"):
    os.environ[name] = "1"


def resident():
    """The process's resident memory in MB."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(peer, encoding, ranks):
    """A function from a list of texts to the list of their counts."""
    path = str(pathlib.Path(ranks) / f"{encoding}.tiktoken")
    if peer == "tiktoken":
        import tiktoken
        import tiktoken.load
        import tiktoken_ext.openai_public as public

        public.load_tiktoken_bpe = lambda url, expected_hash=None: tiktoken.load.load_tiktoken_bpe(path, expected_hash)
        own = tiktoken.Encoding(**public.ENCODING_CONSTRUCTORS[encoding]())
        return lambda texts: [len(own.encode_ordinary(text)) for text in texts]
    if peer == "gigatoken":
        import gigatoken

        own = gigatoken.Tokenizer.from_tiktoken(path, pretokenizer=encoding.removesuffix("_base"))
        return lambda texts: [len(own.encode(text)) for text in texts]
    if peer == "fastokens":
        import fastokens

        own = fastokens.Tokenizer.from_tiktoken(path, encoding=encoding)
        return lambda texts: counts_flat(own, texts)
    if peer == "toktok":
        import toktok

        return lambda texts: toktok.batch_count(texts, encoding, threads=1)
    if peer == "quicktok":
        import quicktok

        own = quicktok.get_encoding(encoding)
        return lambda texts: [own.count(text) for text in texts] if hasattr(own, "count") else [len(own.encode(text)) for text in texts]
    if peer == "splintr":
        import splintr

        own = splintr.Tokenizer.from_pretrained(encoding)
        return lambda texts: [len(own.encode(text)) for text in texts]
    if peer == "tokie":
        import tokie

        own = tokie.Tokenizer.from_pretrained(encoding)
        return lambda texts: [own.count_tokens(text) for text in texts]
    if peer == "rs_bpe":
        import rs_bpe

        own = getattr(rs_bpe.openai, encoding)()
        return lambda texts: [own.count(text) for text in texts]
    if peer == "tokenbook":
        import tokenbook

        return lambda texts: [tokenbook.count(text, encoding=encoding) for text in texts]
    raise SystemExit(f"no peer {peer}")


def counts_flat(own, texts):
    import numpy

    _, offsets = own.encode_batch_flat(texts)
    return numpy.diff(numpy.frombuffer(offsets, numpy.uint64)).tolist()


def main(peer, encoding, corpus, ranks):
    path = pathlib.Path(corpus)
    text = path.read_text("utf-8", errors="strict") if path.suffix != ".jsonl" else None
    with open(path, encoding="utf-8", newline="") as file:
        texts = [json.loads(line) for line in file] if text is None else [file.read()]
    size = sum(len(text.encode()) for text in texts)
    before = resident()
    start = time.process_time()
    count = load(peer, encoding, ranks)
    count(["Hello, world!"])
    first = time.process_time() - start
    memory = resident() - before
    times = []
    for _ in range(6):
        start = time.process_time()
        counts = count(texts)
        times.append(time.process_time() - start)
    print(json.dumps({"peer": peer, "encoding": encoding, "corpus": path.stem, "tokens": sum(counts), "cold": size / times[0] / 1e6, "warm": size / min(times[1:]) / 1e6, "first_ms": first * 1e3, "memory_mb": memory}))


if __name__ == "__main__":
    main(*sys.argv[1:])
