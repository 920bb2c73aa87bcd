"""Compares counts in the added vocabularies with the families' own tokenizers on made-up strings.

    python3 families.py --vocabularies ../../vocabularies/data --counter COUNTER --tokenizers FOLDER
        [--strings N] [--seed S]

`COUNTER` is the built example `added_vocabularies`; `FOLDER` holds a `tokenizer.json` for each as `ENCODING.json`, for
Kimi its rank file as `kimi_k2.tiktoken`, and for Mistral `tekken_240911.json`, which mistral-common reads. Strings are
made as in `fuzz.py`, of characters that Unicode 15 has. Special tokens are taken out of the tokenizers, for here they
are ordinary text. The first difference is shown and ends the run.
"""

import argparse
import base64
import json
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import fuzz

HAN = r"\p{Han}"
KIMI = "|".join(
    (
        rf"[{HAN}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^{HAN}]]*[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^{HAN}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^{HAN}]]+[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^{HAN}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def oracle(folder, name):
    """Counts of many texts, and the words of the vocabulary."""
    if name == "kimi_k2":
        import tiktoken

        lines = (folder / "kimi_k2.tiktoken").read_bytes().splitlines()
        ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
        encoding = tiktoken.Encoding(name, pat_str=KIMI, mergeable_ranks=ranks, special_tokens={})
        return lambda texts: [len(ids) for ids in encoding.encode_ordinary_batch(texts, num_threads=1)], [
            token.decode("utf-8", "ignore") for token in ranks
        ]
    if name == "tekken":
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        made = Tekkenizer.from_file(folder / "tekken_240911.json")
        tokens = map(made.id_to_byte_piece, range(made.num_special_tokens, made.n_words))
        words = [token.decode("utf-8", "ignore") for token in tokens]
        return lambda texts: [len(made.encode(text, bos=False, eos=False)) for text in texts], words
    from tokenizers import Tokenizer

    tokenizer = json.loads((folder / f"{name}.json").read_text())
    added = {token["content"] for token in tokenizer["added_tokens"]}
    tokenizer["added_tokens"], tokenizer["post_processor"] = [], None
    made = Tokenizer.from_str(json.dumps(tokenizer))
    words = [made.decoder.decode([token]) for token in tokenizer["model"]["vocab"] if token not in added]
    normalizer = made.normalizer

    def count(texts):
        # The tokenizer's NFC is of an older Unicode than ours, and than that of other tokenizers of the family.
        new = [
            tokenizer["normalizer"] == {"type": "NFC"}
            and normalizer.normalize_str(text) != unicodedata.normalize("NFC", text)
            for text in texts
        ]
        return [
            None if new else len(one.ids)
            for new, one in zip(new, made.encode_batch_fast(texts, add_special_tokens=False), strict=True)
        ]

    return count, words


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--vocabularies", required=True)
    options.add_argument("--counter", required=True)
    options.add_argument("--tokenizers", type=Path, required=True)
    options.add_argument("--strings", type=int, default=1_000_000, help="for each encoding")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only")
    options = options.parse_args()
    draw = random.Random(options.seed)
    for name in ("qwen", "qwen3_5", "deepseek_v3", "kimi_k2", "tekken"):
        if options.only and options.only != name:
            continue
        count, words = oracle(options.tokenizers, name)
        words = [word for word in words[::3] if word]
        done = 0
        while done < options.strings:
            pool = fuzz.fragments(draw, words)
            pool = [text for text in pool if all(unicodedata.category(letter) != "Cn" for letter in text)]
            texts = ["".join(draw.choices(pool, k=draw.randrange(1, 9))) for _ in range(50_000)]
            lines = "".join(json.dumps(text) + "\n" for text in texts)
            ours = subprocess.run(
                [options.counter, name, options.vocabularies],
                input=lines.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            ).stdout
            for text, own, theirs in zip(texts, map(int, ours.split()), count(texts), strict=True):
                if theirs is not None and own != theirs:
                    raise SystemExit(f"{name}: {text!r}: {own} tokens, its own tokenizer says {theirs}")
            done += len(texts)
        print(f"{name}: all equal, {done:,} strings", flush=True)


if __name__ == "__main__":
    main()
