"""Prints how far counted requests are off, by cross-validation over the repositories that the recordings come from.

    cargo build --release -p tokenbook --features fit --example request_residuals --target-dir target/fit
    python evaluate.py --ground-truth DIR --counter target/fit/release/examples/request_residuals --folds folds.json \
        [--o200k o200k_base.json] [--claude2 claude.json] [--ai-tokenizer node_modules/ai-tokenizer]

`bash bench/accuracy/run.sh` does all of it. The vocabulary is inferred from measured strings and never from requests.
The weights of the text are, so the requests of a repository are counted by those that were fitted without it
(`--folds`, from `text_weights.py`). The constants of the framing are too, so each group of alike requests (family,
tools, choice, history …) is counted with the constant that the *other* repositories give: the median of the medians of
their residuals is added to it. A group that a single repository has takes the documented constants for any tool
(Claude), or stays as it is (OpenAI); the last column says how many such requests there are. Identical requests with an
equal count are taken once.

A second table has each Claude family and each other family as shipped: how many requests, the error, and how many of
the measured counts the stated band holds. 
"""

import argparse
import base64
import collections
import gzip
import json
import re
import subprocess
from pathlib import Path

import numpy as np

ANTHROPIC = ("anthropic.messages", "anthropic.count_tokens", "bedrock.invoke.anthropic", "vertex.rawPredict.anthropic")
HIDDEN = (
    "builtin_tool",
    "server_tool",
    "deferred_tools",
    "tool_reference",
    "mcp_servers",
    "container",
    "context_management",
    "compaction",
    "programmatic_tools",
    "document_text",
    "citations",
    "search_result",
    "hidden_input",
    "audio",
    "suspect_too",
    "iterations",
)
MEDIA = re.compile(r'"(image_url|input_image|input_audio|input_file|inlineData|fileData)"')
NEW = ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "fable-5")
# As in `request/family.rs`.
OTHERS = {
    "Gemma": ["gemma"],
    "Gemini": ["gemini"],
    "gpt-oss": ["gpt-oss"],
    "DeepSeek": ["deepseek"],
    "Qwen": ["qwen", "qwq"],
    "Mistral": ["mistral", "ministral", "magistral", "mixtral", "devstral", "codestral", "pixtral", "voxtral"],
    "Llama": ["llama"],
    "Cohere": ["command", "c4ai", "aya"],
    "Nova": ["nova"],
    "Kimi": ["kimi"],
    "GLM": ["glm"],
    "Grok": ["grok"],
    "Sonar": ["sonar"],
}
# What the constants for any tool are documented to be, less what they are shipped as; others are shipped as documented,
# and none is documented for Fable 5: auto, any.
KNOWN = {"3-haiku": (0, -15), "3-opus": (0, -17), "3-5-sonnet-june": (0, -13)}


def family(model):
    for name in (*NEW, "3-5-haiku", "3-haiku", "3-opus", "3-sonnet"):
        if name in model:
            return name
    if "20240620" in model:
        return "3-5-sonnet-june"
    if "3-5-sonnet" in model or "3-7" in model:
        return "3-5-sonnet"
    return "4.5" if re.search(r"-4[-.][56]", model) else "4"


def openai_family(model):
    name = model.split("/")[-1]
    for start in ("gpt-5", "gpt-4o", "gpt-4.1", "gpt-4", "gpt-3.5"):
        if name.startswith(start):
            return start
    return "o" if re.match(r"o\d", name) else None


def measured(record):
    usage, api = record["usage"], record["api"]
    if api.startswith("google"):
        return usage.get("promptTokenCount") or usage.get("totalTokens") or 0
    if api == "bedrock.converse":
        return sum(usage.get(key) or 0 for key in ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"))
    if api == "cohere.chat":
        return (
            (usage.get("tokens") or {}).get("input_tokens")
            or (usage.get("billed_units") or {}).get("input_tokens")
            or 0
        )
    if api == "ollama.chat":
        return usage.get("prompt_eval_count") or usage.get("prompt_tokens") or 0
    if api in ANTHROPIC:
        return sum(
            usage.get(key) or 0 for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        )
    prompt, cached = usage.get("prompt_tokens"), (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    # One host leaves out of its prompt what came from the cache, as the total shows.
    if prompt and cached and usage.get("total_tokens") == prompt + cached + (usage.get("completion_tokens") or 0):
        return prompt + cached
    return prompt or usage.get("input_tokens") or 0


def named(record):
    """The model's name as a caller has it: on Vertex AI with the path of its publisher."""
    at_vertex = record["provider"] == "vertex" and record["api"].startswith("google")
    return "publishers/google/models/" * at_vertex + record["model"]


def other_family(record):
    """The family of a model that is neither of the Claude API nor of OpenAI's hosts, and not of a request that is left
    out.
    """
    if record["api"] in ANTHROPIC or record["provider"] in ("openai", "azure-openai") or not record["model"]:
        return None
    body = json.dumps(record["request"])
    if any(flag.startswith(HIDDEN) for flag in record["flags"]) or MEDIA.search(body) or "attachment://" in body:
        return None
    model = record["model"].lower()
    if "claude" in model:
        return "Claude behind other APIs"
    if openai_family(model):
        return None  # Behind other hosts the count is whatever the host makes of it.
    return next((name for name, words in OTHERS.items() if any(word in model for word in words)), "unknown models")


def group(record):
    """The name of the line in the table, or nothing where a request isn't compared."""
    if any(flag.startswith(HIDDEN) for flag in record["flags"]) or not record["model"]:
        return None
    request, model = record["request"], record["model"]
    tools = "with tools" if request.get("tools") or request.get("functions") else "without tools"
    if record["api"] in ANTHROPIC:
        if "messages" not in request or re.search("claude-(2|v2|instant)", model):
            return None
        return f"{'newer Claude' if any(name in model for name in NEW) else 'Claude 3 to 4.6'}, {tools}"
    if record["provider"] not in ("openai", "azure-openai") or not openai_family(model) or "search" in model:
        return None
    if MEDIA.search(json.dumps(request)):
        return None
    return {"openai.chat": "OpenAI chat, ", "openai.responses": "OpenAI Responses, "}[record["api"]] + tools


def cell(record, count):
    """What requests have alike that share their constants."""
    request = record["request"]
    choice = request.get("tool_choice") or request.get("function_call") or "auto"
    kind = choice if isinstance(choice, str) else choice.get("type", "auto")
    parts = collections.Counter(part["kind"] for part in count["parts"])
    common = (
        bool(parts["tool_definition"]),
        kind,
        parts["system"] > 0,
        min(parts["tool_call"], 3),
        parts["output_schema"] > 0,
    )
    if record["api"] in ANTHROPIC:
        thinking = (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")
        forbids = isinstance(choice, dict) and bool(choice.get("disable_parallel_tool_use"))
        kin = family(record["model"])
        if not parts["tool_definition"] and kin != "opus-4-7":
            kin = "new" if kin in NEW else "old"  # Without tools the constants don't depend on the family.
        return (kin, *common, thinking, forbids, min(len(request["messages"]), 3))
    return (record["api"], openai_family(record["model"]), *common)


def texts(value):
    """Every text of a request that simple estimators count: of messages, and definitions as JSON."""
    found = []

    def walk(node, key=None):
        if isinstance(node, str):
            if key in ("content", "text", "input", "arguments", "output", "instructions", "system", "name", None):
                found.append(node)
        elif isinstance(node, list):
            for item in node:
                walk(item, key)
        elif isinstance(node, dict):
            for name, item in node.items():
                walk(item, name)

    for key in ("system", "instructions", "messages", "input"):
        if key in value:
            walk(value[key], key)
    for key in ("tools", "functions"):
        if value.get(key):
            found.append(json.dumps(value[key], ensure_ascii=False))
    return "\n".join(found)


def baselines(arguments, records):
    found = {"characters / 4": [len(texts(record["request"])) / 4 for record in records]}
    if arguments.o200k or arguments.claude2:
        import tiktoken
    for name, path in (("tiktoken o200k", arguments.o200k), ("Claude 2 vocabulary", arguments.claude2)):
        if path:
            data = json.loads(Path(path).read_text())
            ranks = {}
            for line in data["bpe_ranks"].splitlines():
                _, start, *tokens = line.split(" ")
                for at, token in enumerate(tokens):
                    ranks[base64.b64decode(token)] = int(start) + at
            encoding = tiktoken.Encoding(name, pat_str=data["pat_str"], mergeable_ranks=ranks, special_tokens={})
            found[name] = [len(encoding.encode_ordinary(texts(record["request"]))) for record in records]
    if arguments.ai_tokenizer:
        script = """
            const [folder] = process.argv.slice(1);
            const { Tokenizer, models } = await import(folder + '/dist/index.js');
            const encodings = await import(folder + '/dist/encoding/index.js');
            const by = {};
            for (const name of ['claude', 'o200k_base', 'cl100k_base']) by[name] = new Tokenizer(encodings[name]);
            const lines = require('fs').readFileSync(0, 'utf8').split('\\n').filter(Boolean);
            const count = ({ encoding, text }) => by[encoding].count(text);
            console.log(JSON.stringify(lines.map(l => count(JSON.parse(l)))));
        """

        def kind(r):
            return (
                "claude"
                if r["api"] in ANTHROPIC
                else "cl100k_base"
                if re.match(r"gpt-(3|4$|4-)", r["model"])
                else "o200k_base"
            )

        lines = "\n".join(json.dumps({"encoding": kind(r), "text": texts(r["request"])}) for r in records)
        script = "import { createRequire } from 'module'; const require = createRequire('/');" + script
        run = subprocess.run(
            ["node", "--input-type=module", "-e", script, str(Path(arguments.ai_tokenizer).resolve())],
            input=lines.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        found["ai-tokenizer"] = json.loads(run.stdout)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground-truth", required=True)
    parser.add_argument("--counter", required=True, help="the built example request_residuals")
    parser.add_argument("--folds", help="the weights fitted without each repository, from text_weights.py")
    parser.add_argument("--o200k", help="encoders/o200k_base.json of the npm package tiktoken")
    parser.add_argument("--claude2", help="claude.json of the npm package @anthropic-ai/tokenizer")
    parser.add_argument("--ai-tokenizer")
    arguments = parser.parse_args()
    records, others, seen = [], [], set()
    with gzip.open(Path(arguments.ground_truth) / "usage.jsonl.gz", "rt") as lines:
        for record in map(json.loads, lines):
            api = record["api"]
            name = group(record) if api in (*ANTHROPIC, "openai.chat", "openai.responses") else None
            tokens, family_name = measured(record), other_family(record)
            key = (record["model"], json.dumps(record["request"], sort_keys=True), tokens)
            if tokens and key not in seen and (name or family_name):
                seen.add(key)
                (records if name else others).append({**record, "group": name or family_name, "measured": tokens})

    def counted(records, weights=()):
        lines = "".join(
            json.dumps(
                {
                    "id": at,
                    "api": record["api"],
                    "model": named(record),
                    "body": json.dumps(record["request"], ensure_ascii=False),
                }
            )
            + "\n"
            for at, record in enumerate(records)
        )
        run = subprocess.run(
            [arguments.counter, *map(str, weights)], input=lines.encode(), stdout=subprocess.PIPE, check=True
        )
        return {
            records[answer["id"]]["id"]: answer["count"]
            for answer in map(json.loads, run.stdout.splitlines())
            if "count" in answer
        }

    shipped = counted(records)
    records = [record for record in records if shipped[record["id"]]["exactness"] != "lower_bound"]
    folds = json.loads(Path(arguments.folds).read_text()) if arguments.folds else {}
    by_fold = {tuple(weights): None for weights in folds.values()}
    claude = [record for record in records if record["api"] in ANTHROPIC]
    by_fold = {weights: counted(claude, weights) for weights in by_fold}
    # A repository's requests, and those that its constants are taken from, are counted by weights fitted without it.
    fold_of = {name: by_fold[tuple(weights)] for name, weights in folds.items()}

    def count_of(record, repository):
        if record["api"] in ANTHROPIC and repository in fold_of:
            return fold_of[repository][record["id"]]
        return shipped[record["id"]]

    cells = collections.defaultdict(list)
    for record in records:
        record["cell"] = cell(record, shipped[record["id"]])
        cells[record["cell"]].append(record)
    shifts = {}
    for record in records:
        repository = record["source_repo"]
        at = (record["cell"], repository)
        if at not in shifts:
            residuals = collections.defaultdict(list)
            for other in cells[record["cell"]]:
                if other["source_repo"] != repository:
                    residuals[other["source_repo"]].append(
                        other["measured"] - count_of(other, repository)["input_tokens"]
                    )
            shifts[at] = (
                round(float(np.median([np.median(found) for found in residuals.values()]))) if residuals else None
            )
        shift, record["alone"] = shifts[at], shifts[at] is None
        if shift is None and record["api"] in ANTHROPIC and record["cell"][1]:
            shift = KNOWN.get(record["cell"][0], (0, 0))[0 if record["cell"][2] in ("auto", "none") else 1]
        record["count"], record["shift"] = count_of(record, repository), shift or 0
        record["counted"] = record["count"]["input_tokens"] + record["shift"]

    print("| requests | n (repositories) | tokenbook: median / p90 | exact | in the band | cells of one repository |")
    print("| --- | --- | --- | --- | --- | --- |")
    groups = sorted({record["group"] for record in records})
    for name in groups:
        of = [record for record in records if record["group"] == name]
        errors = [abs(record["counted"] - record["measured"]) / record["measured"] * 100 for record in of]
        exact = np.mean([record["counted"] == record["measured"] for record in of]) * 100
        held = (
            np.mean([r["count"]["low"] + r["shift"] <= r["measured"] <= r["count"]["high"] + r["shift"] for r in of])
            * 100
        )
        print(
            f"| {name} | {len(of)} ({len({r['source_repo'] for r in of})}) | {np.median(errors):.1f} / "
            f"{np.percentile(errors, 90):.1f} % | {exact:.0f} % | {held:.0f} % | {sum(r['alone'] for r in of)} |"
        )
    print()
    found = baselines(arguments, records)
    print("| requests | " + " | ".join(found) + " |")
    print("| --- |" + " --- |" * len(found))
    for name in groups:
        line = []
        for values in found.values():
            errors = [
                abs(value - record["measured"]) / record["measured"] * 100
                for value, record in zip(values, records, strict=False)
                if record["group"] == name
            ]
            line.append(f"{np.median(errors):.0f} / {np.percentile(errors, 90):.0f} %")
        print(f"| {name} | " + " | ".join(line) + " |")

    print()
    print("| family, as shipped | n (repositories) | median / p90 | bias | in the band |")
    print("| --- | --- | --- | --- | --- |")
    counts = counted(others)
    rows = collections.defaultdict(list)
    for record in others + claude:
        count = counts.get(record["id"]) or shipped.get(record["id"])
        if count and count["exactness"] != "lower_bound":
            request = record["request"]
            tools = any(request.get(key) for key in ("tools", "functions", "toolConfig"))
            name = f"Claude {family(record['model'])}" if record["api"] in ANTHROPIC else record["group"]
            rows[f"{name}, {'with' if tools else 'without'} tools"].append((record, count))
    for name in sorted(rows):
        off = np.array([count["input_tokens"] / record["measured"] - 1 for record, count in rows[name]]) * 100
        held = np.mean([count["low"] <= record["measured"] <= count["high"] for record, count in rows[name]]) * 100
        repositories = len({record["source_repo"] for record, _ in rows[name]})
        print(
            f"| {name} | {len(off)} ({repositories}) | "
            f"{np.median(abs(off)):.1f} / {np.percentile(abs(off), 90):.1f} % | "
            f"{np.median(off):+.1f} % | {held:.0f} % |"
        )


if __name__ == "__main__":
    main()
