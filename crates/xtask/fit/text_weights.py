"""Fits the weights of `crates/tokenbook/src/text/claude/weights.rs` and measures them by cross-validation.

    cargo build --release -p tokenbook --features fit --example request_residuals --target-dir target/fit
    python text_weights.py --ground-truth DIR --counter target/fit/release/examples/request_residuals
        [--folds folds.json]

Fitted is on recorded requests (each repository weighs the same) and on long texts, one weight after the other, until
none gets better. With `--folds` the weights are fitted again without each repository, and written for `evaluate.py`;
and each long text is counted by weights that were fitted without it.
"""

import argparse
import collections
import gzip
import json
import subprocess
from pathlib import Path

import evaluate
import numpy as np

NAMES = ["seam, old", "old, constant", "old of new", "old of new, capitals", "Cyrillic"]
START = [32, 16, 40, 44, 64]
# One weight after the other; and the constant against the shares, which make up for it.
MOVES = np.array(
    [
        [4, 0, 0, 0, 0],
        [0, 2, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 2, 0],
        [0, 0, 0, 0, 1],
        [0, 2, -1, 0, 0],
        [0, 2, -1, -1, 0],
        [0, 4, -1, -2, 0],
    ]
)


class Data:
    def __init__(self, folder, counter):
        self.counter, self.cache = counter, {}
        requests, seen = [], set()
        with gzip.open(Path(folder) / "usage.jsonl.gz", "rt") as lines:
            for record in map(json.loads, lines):
                if (
                    record["api"] not in evaluate.ANTHROPIC
                    or not evaluate.group(record)
                    or not evaluate.measured(record)
                ):
                    continue
                key = (record["model"], json.dumps(record["request"], sort_keys=True), evaluate.measured(record))
                if key not in seen:
                    seen.add(key)
                    requests.append(record)
        texts = [json.loads(line) for line in (Path(folder) / "text-counts.jsonl").read_text().splitlines()]
        texts = [
            (text["id"], model, text["text"], tokens) for text in texts for model, tokens in text["tokens"].items()
        ]
        bodies = [(r["api"], r["model"], json.dumps(r["request"], ensure_ascii=False)) for r in requests]
        for _, model, text, _ in texts:
            body = {"messages": [{"role": "user", "content": text}]}
            bodies.append(("anthropic.messages", model, json.dumps(body, ensure_ascii=False)))
        self.lines = "".join(
            json.dumps({"id": at, "api": api, "model": model, "body": body}) + "\n"
            for at, (api, model, body) in enumerate(bodies)
        ).encode()
        self.requests, self.measured = len(requests), np.array([evaluate.measured(r) for r in requests])
        self.repositories = np.array([r["source_repo"] for r in requests])
        self.ids, self.models = [text[0] for text in texts], [text[1] for text in texts]
        self.tokens = np.array([text[3] for text in texts])
        self.errors(START)

    def errors(self, weights):
        """The relative errors of all requests and of all texts."""
        key = tuple(weights)
        if key not in self.cache:
            command = [self.counter, *map(str, weights)]
            output = subprocess.run(command, input=self.lines, stdout=subprocess.PIPE, check=True).stdout
            counts = [json.loads(line)["count"] for line in output.splitlines()]
            requests = np.array([count["input_tokens"] for count in counts[: self.requests]])
            texts = np.array([sum(part["tokens"] for part in count["parts"]) for count in counts[self.requests :]])
            self.fit = getattr(self, "fit", None)
            if self.fit is None:
                self.fit = np.array([count["exactness"] != "lower_bound" for count in counts[: self.requests]])
            self.cache[key] = (requests / self.measured - 1, texts / self.tokens - 1)
        return self.cache[key]

    def loss(self, weights, repository=None, text=None):
        requests, texts = self.errors(weights)
        # A request that is off by more is off for another reason than its text.
        requests = np.minimum(np.abs(requests), 0.2)
        kept = self.fit & (self.repositories != repository)
        by_repository = [
            requests[kept & (self.repositories == name)].mean() for name in sorted(set(self.repositories[kept]))
        ]
        texts = texts[np.array([name != text for name in self.ids])]
        return np.mean(by_repository) + 0.5 * np.abs(texts).mean() + 0.15 * np.sqrt((texts**2).mean())

    def descend(self, weights, **without):
        weights, best = list(weights), self.loss(weights, **without)
        while True:
            before = best
            for move in (*MOVES, *-MOVES):
                while True:
                    other = [int(weight + step) for weight, step in zip(weights, move, strict=False)]
                    loss = self.loss(other, **without) if min(other) >= 0 else np.inf
                    if loss > best - 1e-6:
                        break
                    weights, best = other, loss
            if best == before:
                return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground-truth", required=True)
    parser.add_argument("--counter", required=True, help="the example request_residuals, built with the feature `fit`")
    parser.add_argument("--folds", help="where to write the weights that are fitted without each repository")
    arguments = parser.parse_args()
    data = Data(arguments.ground_truth, arguments.counter)
    fitted = data.descend(START)
    for name, weight in zip(NAMES, fitted, strict=False):
        print(f"{name}: {weight}")
    if not arguments.folds:
        return
    folds = {name: data.descend(START, repository=name) for name in sorted(set(data.repositories))}
    Path(arguments.folds).write_text(json.dumps(folds, indent=1))
    print("| text | old, off by | new, off by |\n| --- | --- | --- |")
    by_script = collections.defaultdict(list)
    for text in dict.fromkeys(data.ids):
        weights = data.descend(fitted, text=text)
        off = {
            model: data.errors(weights)[1][at] * 100
            for at, (name, model) in enumerate(zip(data.ids, data.models, strict=False))
            if name == text
        }
        print(f"| {text} | " + " | ".join(f"{off[model]:+.1f} %" for model in sorted(off)) + " |")
        by_script["/".join(text.split("/")[:2]) if text.startswith(("cjk", "semitic")) else text.split("/")[0]].append(
            off
        )
    print("| script | mean absolute error, old | new |\n| --- | --- | --- |")
    for script, found in by_script.items():
        print(
            f"| {script} ({len(found)}) | "
            + " | ".join(f"{np.mean([abs(off[model]) for off in found]):.1f} %" for model in sorted(found[0]))
            + " |"
        )


if __name__ == "__main__":
    main()
