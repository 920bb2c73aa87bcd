"""Compares tokenbook's counting with its peers, side by side in one run: `python3 run.py [--encoding E] [--rounds N]
[--quick]`.

Everything is installed into `peers/` beside this file, tokenbook's Python and Node packages as `make pack` built them.
Each measurement is a fresh process on one core, in processor time; what calls cost and two threads are on all cores, by
the clock. Rounds are interleaved and the best of each is kept, because a loaded machine only ever makes things slower.
Every count is compared with tiktoken's. Cold is the first pass over a corpus, warm the best later one. The last lines
tell what is wanted.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
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
RUST = ["tiktoken-rs", "bpe-openai"]
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
        is_missing = run(PYTHON, "-m", "pip", "show", "-q", package).returncode
        if is_missing and run(PYTHON, "-m", "pip", "install", "-q", package).returncode:
            print(f"not installable here: {package} (PyPI)")
    for package in JS:
        if not (PEERS / "node_modules" / package).exists():
            (PEERS / "package.json").exists() or (PEERS / "package.json").write_text("{}")
            if run("npm", "install", "--silent", package, cwd=PEERS).returncode:
                print(f"not installable here: {package} (npm)")
    run("cargo", "build", "--release", cwd=HERE).check_returncode()
    dist = HERE.parents[1] / "dist"
    run("make", "pack", cwd=HERE.parents[1], check=True)
    run(PYTHON, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", *dist.glob("*.whl"), check=True)
    for name in ("tokenbook", "@tokenbook"):  # The same version with another content.
        shutil.rmtree(PEERS / "node_modules" / name, ignore_errors=True)
    run("npm", "install", "--silent", "--no-save", "--ignore-scripts", *dist.glob("*.tgz"), cwd=PEERS, check=True)
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1", cwd=HERE, check=True).stdout)
    crate = next(package for package in metadata["packages"] if package["name"] == "tiktoken-rs")
    return pathlib.Path(metadata["target_directory"]) / "release/count-bench", pathlib.Path(
        crate["manifest_path"]
    ).parent / "assets"


def lines(result):
    """The JSON lines that a process printed; none where it failed."""
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def keep(rows, row):
    """Keeps the best of a peer's figures."""
    known = rows.setdefault(row["peer"], row)
    for key in ("first_ms", "call_ns", "batch_ms", "blocked_ms"):
        if key in row:
            known[key] = min(known[key], row[key])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--encoding", default="o200k_base")
    options.add_argument("--rounds", type=int, default=4)
    options.add_argument("--quick", action="store_true", help="only the fastest peers")
    options = options.parse_args()
    binary, ranks = install()
    corpora = PEERS / "corpora"
    if not (corpora / "long").exists():
        print(run(sys.executable, HERE / "corpora.py", corpora, check=True).stdout)
    files = {path.stem: path for path in sorted([*corpora.glob("*.txt"), *corpora.glob("*.jsonl")])}
    small = PEERS / "small"
    small.mkdir(exist_ok=True)
    for path in files.values():
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
            for library in ["tokenbook"] if round_ or options.quick else ["tokenbook", *RUST]:
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
                    note(
                        f"{corpus} (200 kB)",
                        peer,
                        run(*pin, "timeout", "20", "node", HERE / "peer.mjs", peer, options.encoding, part, cwd=PEERS),
                    )

    print(f"\n{options.encoding}, one core, MB/s cold / warm, and tokenbook's ratio to the fastest peer")
    for corpus, rows in best.items():
        own = rows.get("tokenbook")
        others = {peer: row for peer, row in rows.items() if peer != "tokenbook"}
        wrong = [
            peer for peer, row in rows.items() if "tiktoken" in rows and row["tokens"] != rows["tiktoken"]["tokens"]
        ]
        if not own or not others:
            continue
        ratio = {key: own[key] / max(row[key] for row in others.values()) for key in ("cold", "warm")}
        over = f", {own['warm'] / rows['tiktoken']['warm']:.0f}x tiktoken" if "tiktoken" in rows else ""
        print(
            f"\n{corpus}: {ratio['cold']:.2f}x cold, {ratio['warm']:.2f}x warm{over}; "
            f"counts differ: {', '.join(wrong) or 'none'}"
        )
        for peer, row in sorted(rows.items(), key=lambda item: -item[1]["warm"]):
            print(f"  {peer:14} {row['cold']:7.1f} / {row['warm']:7.1f}")
    print("\nmemory in MB, which the first count takes and which is held after the corpus")
    for peer, row in sorted(best["prose_en"].items(), key=lambda item: item[1]["memory_mb"]):
        print(
            f"  {peer:14} {row['memory_mb']:7.1f}"
            + (f" {row['memory_after_mb']:7.1f}" if "memory_after_mb" in row else "")
        )

    print("\na batch of 4 kB texts on all cores: x one thread, and MB that the other threads hold")
    threads = {}
    for corpus, path in files.items():
        row = threads[corpus] = lines(run(binary, "threads", options.encoding, path))[0]
        print(
            f"  {corpus:14} {row['ratio']:.2f} on {row['threads']} cores, {row['memory_mb']:.1f} MB; "
            f"a batch of {row['one_ms']:.1f} ms on one"
        )

    print("\nwhat calls cost: first count in ms, a call with 20 bytes in ns, a million texts of 20 to 100 bytes in ms")
    prose, table = files["prose_en"], collections.defaultdict(dict)
    for _ in range(options.rounds):
        for row in lines(run(binary, "calls", options.encoding)):
            keep(table["Rust"], row)
        for peer in ["tokenbook", *peers]:
            for row in lines(run(PYTHON, HERE / "peer.py", peer, options.encoding, "calls", ranks, prose)):
                keep(table["Python"], row)
        for peer in ["tokenbook", *JS]:
            for row in lines(run("node", HERE / "peer.mjs", peer, options.encoding, "calls", prose, cwd=PEERS)):
                keep(table["Node"], row)
    for language, rows in table.items():
        own = rows["tokenbook"]
        for peer, row in rows.items():
            text = ", ".join(
                f"{row[key]:.{places}f} ({row[key] / own[key]:.1f}x)"
                for key, places in (("first_ms", 2), ("call_ns", 0), ("batch_ms", 0))
                if key in row
            )
            wrong = "" if row.get("tokens") == own.get("tokens") else ", counts differ"
            blocked = f", {row['blocked_ms']:.0f} ms at once on the event loop" if "blocked_ms" in row else ""
            print(f"  {language:7} {peer:14} {text}{blocked}{wrong}")

    print("\n1 MB inputs, ms")
    cliffs = {
        library: {
            row["input"]: row for row in lines(run(*pin, binary, "long", library, options.encoding, corpora / "long"))
        }
        for library in ("tokenbook", "bpe-openai")
    }
    for peer in ["tiktoken", "gigatoken", "fastokens"]:
        cliffs[peer] = {
            row["input"]: row
            for row in lines(run(*pin, PYTHON, HERE / "peer.py", peer, options.encoding, corpora / "long", ranks))
        }
    for name, row in cliffs["tokenbook"].items():
        theirs = {peer: rows[name] for peer, rows in cliffs.items() if peer != "tokenbook" and name in rows}
        shown = ", ".join(f"{peer} {one['ms']:.0f}" if "ms" in one else f"{peer} fails" for peer, one in theirs.items())
        wrong = [peer for peer, one in theirs.items() if one.get("tokens", row["tokens"]) != row["tokens"]]
        print(f"  {name:20} {row['ms']:7.1f}; {shown}" + (f"; counts differ: {', '.join(wrong)}" if wrong else ""))

    whole = {corpus: rows for corpus, rows in best.items() if corpus in files and len(rows) > 1}

    def ahead(corpus, key):
        return whole[corpus]["tokenbook"][key] / max(
            row[key] for peer, row in whole[corpus].items() if peer != "tokenbook"
        )

    print("\nwanted and measured")
    for key in ("cold", "warm"):
        print(f"  {key}, x the fastest peer: " + ", ".join(f"{corpus} {ahead(corpus, key):.2f}" for corpus in whole))
    print(
        "  two threads, x one, wanted 1.8: "
        + ", ".join(f"{corpus} {row['ratio']:.2f}" for corpus, row in threads.items())
    )
    print(
        f"  a call with 20 bytes: Python {table['Python']['tokenbook']['call_ns']:.0f} ns, wanted 300; "
        f"Node {table['Node']['tokenbook']['call_ns']:.0f}, wanted 1000"
    )
    print(
        "  first count, wanted 2 ms: "
        + ", ".join(f"{language} {rows['tokenbook']['first_ms']:.2f}" for language, rows in table.items())
    )
    print(
        "  memory of one thread, wanted 30 MB: "
        f"{max(rows['tokenbook']['memory_after_mb'] for rows in whole.values()):.1f}"
    )
    slowest = max(cliffs["tokenbook"].values(), key=lambda row: row["ms"])
    theirs = [rows for peer, rows in cliffs.items() if peer != "tokenbook"]
    best_worst = min(max(row["ms"] for row in rows.values() if "ms" in row) for rows in theirs)
    print(f"  the slowest 1 MB: {slowest['ms']:.0f} ms ({slowest['input']}), of the peers at best {best_worst:.0f}")
    for peer, reason in failed.items():
        print(f"not measured: {peer}: {reason}")


if __name__ == "__main__":
    main()
