"""Measures the bands of the families in `crates/tokenbook/src/request/family.rs` by cross-validation over repositories.

    python families.py --ground-truth DIR --counter target/fit/release/examples/request_residuals

The requests of a repository are counted by figures fitted on the *other* repositories alone: what a token of
`o200k_base`, a message, a tool, a call … weighs, by least absolute relative errors, each repository weighing the same,
held near the figures for unknown models. Printed is, for each family with and without tools: how far such counts are
off; how many of the measured counts the shipped band would hold around them; the narrowest band that holds 92 in 100;
and how many it holds when it is chosen without the repository too.

Then, where the template of prompts and the vocabulary are public: the same requests counted by both, as with the
package `tokenbook-vocabularies`; gpt-oss is counted so without it, so that both columns are the same. Nothing of that
is fitted but the bands. What was recorded with an alias when it meant another model than now is left out, and told.
"""

import argparse
import collections
import datetime
import email.utils
import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import evaluate
import numpy as np

# base, text, message, any tool, each tool, its text, call, result, schema: in tokens, as for unknown models.
UNKNOWN = np.array([5, 66 / 64, 2, 50, 10, 90 / 64, 12.5, 6.25, 0.5])
# How far a figure may go from there before it counts as much as one request that is off by all of it.
SPREAD = np.array([30, 0.2, 3, 200, 20, 0.5, 12, 10, 1])
HELD = 0.92
VOCABULARIES = Path(__file__).resolve().parents[3] / "vocabularies/data"
# Aliases, and since when they have meant the model that they mean now: the day of DeepSeek V4, and of Mistral's
# Ministral 3, Large 3, Small 4 and Medium 3.5.
SINCE = {
    "deepseek-chat": "2026-04-01",
    "deepseek-reasoner": "2026-04-01",
    "ministral-3b-latest": "2025-12-02",
    "mistral-large-latest": "2025-12-02",
    "mistral-small-latest": "2026-03-17",
    "magistral-small-latest": "2026-03-17",
    "mistral-medium-latest": "2026-06-16",
}


def features(count):
    """What `request/framing/other.rs` counted, taken apart again."""
    found, scale = np.zeros(9), 66 / 64
    found[0] = 1
    for part in count["parts"]:
        tokens, kind = part["tokens"], part["kind"]
        if kind in ("system", "message"):
            found[1] += tokens / scale
        elif kind == "tool_definition":
            found[3] = 1
            found[4] += 1
            found[5] += max(0, tokens - 10) / scale / (90 / 64)
        elif kind in ("tool_call", "tool_result"):
            at = 6 if kind == "tool_call" else 7
            found[at] += 1
            found[1] += max(0, tokens - UNKNOWN[at]) / scale
        elif kind == "output_schema":
            found[8] += tokens / scale / 0.5
    found[2] = max(0, count["framing_tokens"] - 5 - 50 * found[3]) / 2
    return found


def fit(rows, measured, repositories):
    size = collections.Counter(repositories)
    share = np.array([1 / measured[at] / size[name] for at, name in enumerate(repositories)])
    weights = UNKNOWN.copy()
    for _ in range(60):
        off = np.abs(rows @ weights - measured)
        least = share / np.maximum(off, 0.5)
        pull = np.diag(1.5 / SPREAD**2 * least.sum() / len(size))
        weights = np.linalg.solve(rows.T @ (least[:, None] * rows) + pull, rows.T @ (least * measured) + pull @ UNKNOWN)
        weights = np.maximum(weights, 0)
    return weights


def band(counted, measured, tokens):
    """The narrowest thousandths below and above."""
    below = np.maximum(0, counted - measured - tokens) / counted * 1000
    above = np.maximum(0, measured - counted - tokens) / counted * 1000
    best = None
    for edge in np.unique(np.ceil(below / 10) * 10):
        left = np.sort(np.where(below <= edge, above, np.inf))
        need = int(np.ceil(HELD * len(measured))) - 1
        if np.isfinite(left[need]):
            top = np.ceil(left[need] / 10) * 10
            if best is None or edge + top < sum(best):
                best = (edge, top)
    return best


def held(counted, measured, tokens, edges):
    low, high = counted - tokens - counted * edges[0] / 1000, counted + tokens + counted * edges[1] / 1000
    return (low <= measured) & (measured <= high)


def shipped_bands():
    """Tokens, and thousandths below and above, without tools and with them."""
    text = (Path(__file__).resolve().parents[2] / "tokenbook/src/request/family.rs").read_text()
    three = r"\((\d+) (\d+) (\d+)\)"
    bands = {
        found[0]: tuple(map(int, found[1:]))
        for found in re.findall(rf'^    "([^"]+)" \[[^;]*?{three}\s+{three};', text, re.M)
    }
    bands["unknown models"] = tuple(map(int, ",".join(re.findall(r"Band::new\(([\d, ]+)\)", text)).split(",")))
    return {name: (band[:3], band[3:]) for name, band in bands.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground-truth", required=True)
    parser.add_argument("--counter", required=True, help="the built example request_residuals")
    arguments = parser.parse_args()
    records, seen = [], set()
    with gzip.open(Path(arguments.ground_truth) / "usage.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            name, tokens = evaluate.other_family(record), evaluate.measured(record)
            key = (record["model"], json.dumps(record["request"], sort_keys=True), tokens)
            # Gemini and Cohere aren't counted by factors alone.
            if tokens and name and not name.startswith(("Claude", "Gemini", "Cohere")) and key not in seen:
                seen.add(key)
                records.append({**record, "family": name, "measured": tokens})

    def counted(model, **more):
        lines = "".join(
            json.dumps(
                {
                    "id": at,
                    "api": record["api"],
                    "model": model or record["model"],
                    "body": json.dumps(record["request"], ensure_ascii=False),
                }
            )
            + "\n"
            for at, record in enumerate(records)
        )
        run = subprocess.run(
            [arguments.counter], input=lines.encode(), stdout=subprocess.PIPE, check=True, env={**os.environ, **more}
        )
        return {
            answer["id"]: answer["count"] for answer in map(json.loads, run.stdout.splitlines()) if "count" in answer
        }

    shipped, unknown = counted(None), counted("my-own-model")
    families = collections.defaultdict(list)
    for at, record in enumerate(records):
        if at in shipped and shipped[at]["exactness"] != "lower_bound":
            families[record["family"]].append(at)
    bands = shipped_bands()
    print("| family | n (repositories) | error: median / p90 | shipped band | narrowest band | chosen without |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, of in sorted(families.items()):
        rows = np.array([features(unknown[at]) for at in of])
        measured = np.array([records[at]["measured"] for at in of], float)
        repositories = np.array([records[at]["source_repo"] for at in of])
        predicted = np.zeros(len(of))
        for repository in set(repositories):
            other = repositories != repository
            weights = fit(rows[other], measured[other], repositories[other]) if other.any() else UNKNOWN
            if name == "unknown models":
                weights = UNKNOWN
            predicted[~other] = np.maximum(1, rows[~other] @ weights)
        for tools in (False, True):
            group = (rows[:, 3] > 0) == tools
            if not group.any():
                continue
            counts, truth, repository = predicted[group], measured[group], repositories[group]
            tokens, *edges = bands[name][tools]
            inside = held(counts, truth, tokens, edges).mean() * 100
            off = np.abs(counts / truth - 1) * 100
            best, apart = band(counts, truth, tokens), np.zeros(len(truth), bool)
            for one in set(repository):
                out = repository == one
                chosen = band(counts[~out], truth[~out], tokens) if (~out).any() else (1000, 4000)
                apart[out] = held(counts[out], truth[out], tokens, chosen)
            print(
                f"| {name}, {'with' if tools else 'without'} tools | {len(truth)} ({len(set(repository))}) | "
                f"{np.median(off):.1f} / {np.percentile(off, 90):.1f} % | {inside:.0f} % | "
                f"({tokens} {best[0]:.0f} {best[1]:.0f}) | {apart.mean() * 100:.0f} % |"
            )

    by_template(records, shipped, counted(None, TOKENBOOK_VOCABULARIES=str(VOCABULARIES)))


def is_of_before(record):
    """Whether an alias meant a model that it no longer means."""
    # One recording has the end of its alias blotted out.
    since = SINCE.get(re.sub(r"-la<\w+>$", "-latest", record["model"].split("/")[-1]))
    if not since or not record.get("recorded"):
        return False
    at = str(record["recorded"])
    at = int(at) if at.isdigit() else email.utils.parsedate_to_datetime(at).timestamp()
    return at < datetime.datetime.fromisoformat(since).replace(tzinfo=datetime.timezone.utc).timestamp()


def by_template(records, fitted, counts):
    groups, left_out = collections.defaultdict(list), collections.Counter()
    for at, record in enumerate(records):
        count = counts.get(at)
        if count is None or not count.get("reason", "").startswith("by the model's own template"):
            continue
        group = (record["family"], "tools" if record["request"].get("tools") else "no tools")
        if is_of_before(record):
            left_out[group] += 1
        else:
            inside = count["low"] <= record["measured"] <= count["high"]
            groups[group].append((record["measured"], fitted[at]["input_tokens"], count["input_tokens"], inside))
    print()
    print("| by template | | n | left out | by factors | by template | exact | in band |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for group, rows in sorted(groups.items()):
        truth, factors, own, inside = (np.array(column, float) for column in zip(*rows, strict=False))
        off = [np.abs(found / truth - 1) * 100 for found in (factors, own)]
        told = [f"{np.median(each):.1f} / {np.percentile(each, 90):.1f} %" for each in off]
        print(
            f"| {' | '.join(group)} | {len(rows)} | {left_out[group]} | {' | '.join(told)} | "
            f"{np.mean(own == truth):.0%} | {np.mean(inside):.0%} |"
        )


if __name__ == "__main__":
    main()
