"""Compares tokenbook's counting with its peers, side by side in one run: `python3 run.py [--encoding E] [--rounds N] [--quick]`.

Everything is installed into `peers/` beside this file. Each measurement is a fresh process on one core, in processor time;
rounds are interleaved and the best of each is kept, because a loaded machine only ever makes things slower. Every count is
compared with tiktoken's. Cold is the first pass over a corpus, warm the best later one.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
PYTHON = PEERS / "venv/bin/python"
PACKAGES = {
    "tiktoken": "tiktoken",
    "gigatoken": "gigatoken",
    "fastokens": "fastokens",
    "toktok": "toktok-rs",
    "quicktok": "quicktok-v1",
    "tokie": "tokie",
    "splintr": "splintr-rs",
    "rs_bpe": "rs-bpe",
}
JS = ["gpt-tokenizer", "js-tiktoken"]
ASCII = {"prose_en", "code", "json", "markdown"}
JS_BYTES = 200_000


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def install():
    """Installs what can be installed and says what cannot."""
    PEERS.mkdir(exist_ok=True)
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", PEERS / "venv", check=True)
    for package in ["numpy", *PACKAGES.values()]:
        if run(PYTHON, "-m", "pip", "show", "-q", package).returncode:
            if run(PYTHON, "-m", "pip", "install", "-q", package).returncode:
                print(f"not installable here: {package} (PyPI)")
    for package in JS:
        if not (PEERS / "node_modules" / package).exists():
            (PEERS / "package.json").exists() or (PEERS / "package.json").write_text("{}")
            if run("npm", "install", "--silent", package, cwd=PEERS).returncode:
                print(f"not installable here: {package} (npm)")
    run("cargo", "build", "--release", cwd=HERE).check_returncode()
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", cwd=HERE, check=True).stdout)
    crate = next(package for package in metadata["packages"] if package["name"] == "tiktoken-rs")
    return pathlib.Path(metadata["target_directory"]) / "release/count-bench", pathlib.Path(crate["manifest_path"]).parent / "assets"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--encoding", default="o200k_base")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--quick", action="store_true", help="only the fastest peers")
    options = options.parse_args()
    binary, ranks = install()
    corpora = PEERS / "corpora"
    if not (corpora / "chat.jsonl").exists():
        print(run(sys.executable, HERE / "corpora.py", corpora, check=True).stdout)
    files = {path.stem: path for path in sorted([*corpora.glob("*.txt"), *corpora.glob("*.jsonl")])}
    small = PEERS / "small"
    small.mkdir(exist_ok=True)
    for name, path in files.items():
        if path.suffix == ".txt":
            (small / path.name).write_bytes(path.read_bytes()[:JS_BYTES].decode("utf-8", "ignore").encode())
    pin = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    peers = ["tiktoken", "gigatoken", "fastokens"] if options.quick else [*PACKAGES]
    best = collections.defaultdict(dict)
    failed = {}

    def note(corpus, peer, result):
        try:
            row = json.loads(result.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            failed[peer] = (result.stderr.strip().splitlines() or ["no output"])[-1][:120]
            return
        known = best[corpus].setdefault(peer, row)
        for key in ("cold", "warm"):
            known[key] = max(known[key], row[key])
        known["first_ms"] = min(known["first_ms"], row["first_ms"])

    for round_ in range(options.rounds):
        for corpus, path in files.items():
            for library in ["tokenbook"] if round_ or options.quick else ["tokenbook", "tiktoken-rs"]:
                note(corpus, library, run(*pin, binary, library, options.encoding, path))
            for peer in peers:
                if peer not in failed and (round_ == 0 or peer in ("tiktoken", "gigatoken", "fastokens", "toktok")):
                    note(corpus, peer, run(*pin, PYTHON, HERE / "peer.py", peer, options.encoding, path, ranks))
    if not options.quick:
        for corpus, path in files.items():
            part = small / path.name
            if part.exists():
                note(f"{corpus} (200 kB)", "tokenbook", run(*pin, binary, "tokenbook", options.encoding, part))
                for peer in JS:
                    note(f"{corpus} (200 kB)", peer, run(*pin, "timeout", "20", "node", HERE / "peer.mjs", peer, options.encoding, part, cwd=PEERS))

    print(f"\n{options.encoding}, one core, MB/s cold / warm, and tokenbook's ratio to the fastest peer")
    for corpus, rows in best.items():
        own = rows.get("tokenbook")
        others = {peer: row for peer, row in rows.items() if peer != "tokenbook"}
        wrong = [peer for peer, row in rows.items() if "tiktoken" in rows and row["tokens"] != rows["tiktoken"]["tokens"]]
        if not own or not others:
            continue
        ratio = {key: own[key] / max(row[key] for row in others.values()) for key in ("cold", "warm")}
        over = f", {own['warm'] / rows['tiktoken']['warm']:.0f}x tiktoken" if "tiktoken" in rows else ""
        print(f"\n{corpus}: {ratio['cold']:.2f}x cold, {ratio['warm']:.2f}x warm{over}; counts differ: {', '.join(wrong) or 'none'}")
        for peer, row in sorted(rows.items(), key=lambda item: -item[1]["warm"]):
            print(f"  {peer:14} {row['cold']:7.1f} / {row['warm']:7.1f}")
    print("\nload and first count, ms of processor time; memory it takes, MB")
    for peer, row in sorted(best["prose_en"].items(), key=lambda item: item[1]["first_ms"]):
        print(f"  {peer:14} {row['first_ms']:8.2f} {row['memory_mb']:7.1f}" + (f" (after the corpus {row['memory_after_mb']:.1f})" if "memory_after_mb" in row else ""))
    print("\nthreads: " + run(binary, "threads", options.encoding, files["prose_en"]).stdout.strip())
    print("\n1 MB inputs, ms")
    for line in run(*pin, binary, "adversarial", options.encoding).stdout.splitlines():
        row = json.loads(line)
        print(f"  {row['input']:20} {row['ms']:7.1f} ms {row['tokens']:9} tokens")
    for peer, reason in failed.items():
        print(f"not measured: {peer}: {reason}")


if __name__ == "__main__":
    main()
