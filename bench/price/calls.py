"""Prices calls of ten models in Python: `peers` (litellm and genai-prices), `tokenbook` (a million in one batch),
`compare`.
"""

from __future__ import annotations

import json
import random
import sys
import time

MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-4-8"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("openai", "o3"),
    ("openai", "gpt-5.4"),
]


def calls(number: int) -> list[tuple[int, int, int, int]]:
    """Calls as (model, fresh input, cached input, output)."""
    draw = random.Random(1)
    return [(i % 10, draw.randrange(20_000), draw.randrange(50_000), draw.randrange(4_000)) for i in range(number)]


def report(name: str, number: int, seconds: float) -> None:
    print(json.dumps({"name": name, "microseconds": seconds / number * 1e6}), flush=True)


def peers() -> None:
    import genai_prices
    import litellm

    some = calls(5_000)
    usages = [
        genai_prices.Usage(input_tokens=fresh + cached, cache_read_tokens=cached, output_tokens=output)
        for _, fresh, cached, output in some
    ]
    start = time.process_time()
    for (model, *_), usage in zip(some, usages, strict=False):
        genai_prices.calc_price(usage, MODELS[model][1], provider_id=MODELS[model][0])
    report("genai_prices.calc_price", len(some), time.process_time() - start)
    start = time.process_time()
    for model, fresh, cached, output in some:
        provider, name = MODELS[model]
        litellm.cost_per_token(
            f"gemini/{name}" if provider == "google" else name,
            prompt_tokens=fresh + cached,
            completion_tokens=output,
            cache_read_input_tokens=cached,
        )
    report("litellm.cost_per_token", len(some), time.process_time() - start)


def tokenbook() -> None:
    import tokenbook as book

    many = calls(1_000_000)
    columns = {
        "input_tokens": [call[1] for call in many],
        "cache_read_tokens": [call[2] for call in many],
        "output_tokens": [call[3] for call in many],
    }
    models = [f"{provider}/{name}" for provider, name in MODELS]
    numbers = [call[0] for call in many]
    book.cost_batch(models=models, model=numbers[:10], **{name: column[:10] for name, column in columns.items()})
    start = time.process_time()
    costs = book.cost_batch(models=models, model=numbers, **columns)
    report("tokenbook.cost_batch (Python)", len(many), time.process_time() - start)
    assert costs.unpriced == 0, costs.unpriced_models


def compare() -> None:
    results = [json.loads(line) for line in sys.stdin]
    ours = [result for result in results if result["name"].startswith("tokenbook")]
    theirs = [result for result in results if not result["name"].startswith("tokenbook")]
    for result in results:
        print(f"{result['name']:<52} {result['microseconds']:>9.3f} us a call (CPU)")
    for one in ours:
        for other in theirs:
            ratio = other["microseconds"] / one["microseconds"]
            print(f"{one['name']} is {ratio:.0f} times as fast as {other['name']} (at least 100 wanted)")


if __name__ == "__main__":
    {"peers": peers, "tokenbook": tokenbook, "compare": compare}[sys.argv[1]]()
