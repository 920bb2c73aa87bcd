"""The second service's log line and metadata: its golden figures, and the right ones where it was wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import tokenbook
from tokenbook.services import usage_log as log


@pytest.mark.parametrize(
    ("output", "limit", "want"),
    [
        (18456, 20000, "92.3"), (18234, 20000, "91.2"), (4788, 20000, "23.9"), (3262, 4000, "81.5"),
        (3262, 20000, "16.3"), (4000, 4000, "100.0"), (5, 2000, "0.3"), (1, 0, "Infinity"), (0, 0, "NaN"),
        (1, math.nan, "NaN"), (1, None, "NaN"), (15, 2000, "0.8"), (1, 3, "33.3"), (0, 5, "0.0"), (45, 200, "22.5"),
    ],
)  # fmt: skip
def test_percentages_are_worded_as_javascript_words_them(output: int, limit: Any, want: str) -> None:
    assert log.utilization_percent(output, limit) == want


def test_the_log_line_is_json_key_by_key() -> None:
    body = {"type": "message", "usage": {"input_tokens": 3616, "output_tokens": 4788}, "stop_reason": "end_turn"}
    usage = log.token_usage(body, max_tokens=20000)
    assert log.format_usage(usage) == (
        '{\n  "input_tokens": 3616,\n  "output_tokens": 4788,\n  "total_tokens": 8404,\n  "max_tokens": 20000,\n'
        '  "utilization_percent": "23.9",\n  "stop_reason": "end_turn"\n}'
    )
    lines: list[str] = []
    log.log_usage(usage, label="Scanner Token Usage", log=lines.append, warn=lines.append)
    assert lines == [f"📊 Scanner Token Usage: {log.format_usage(usage)}"]


def usage(output: int, limit: int | None, stop: str | None) -> log.TokenUsage:
    return log.token_usage({"input_tokens": 1, "output_tokens": output, "stop_reason": stop}, max_tokens=limit)


def test_warnings_tell_truncated_from_near_and_flag_what_contradicts_itself() -> None:
    assert log.usage_warnings(usage(4000, 4000, "max_tokens"))[0].startswith("⚠️  Script generation truncated")
    near = log.usage_warnings(usage(18456, 20000, "end_turn"))
    assert near == ["⚠️  WARNING: Using 92.3% of max_tokens (close to limit)"]
    assert log.warning_level(usage(18000, 20000, "end_turn")) == "none"
    assert log.warning_level(usage(18000, 20000, "end_turn"), threshold=0.8) == "near_limit"
    assert log.contradictions(usage(18456, 20000, "max_tokens")) == ["stopped_below_max_tokens"]
    assert log.contradictions(usage(20001, 20000, "end_turn")) == ["output_above_max_tokens"]
    assert log.contradictions(usage(1, None, "end_turn")) == ["no_max_tokens"]
    assert log.warning_level(usage(1, None, "length")) == "truncated"
    for bad in (0, 1.1, -1, True):
        with pytest.raises(tokenbook.InvalidArgumentError, match="threshold"):
            log.warning_level(usage(1, 2, None), threshold=bad)


def test_a_missing_stop_reason_is_unknown_and_end_turn_in_compatible_mode() -> None:
    body = {"usage": {"input_tokens": 1, "output_tokens": 2}, "stop_reason": None}
    assert log.token_usage(body, max_tokens=5)["stop_reason"] == "unknown"
    assert log.token_usage(body, max_tokens=5, compatible=True)["stop_reason"] == "end_turn"
    with pytest.raises(tokenbook.InvalidArgumentError, match=r"usage\.input_tokens: expected a whole number"):
        log.token_usage({"usage": {"output_tokens": 2}}, max_tokens=5)


def test_cached_input_is_input() -> None:
    body = {
        "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "stop_reason": "end_turn", "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5},
    }  # fmt: skip
    assert log.token_usage(body, api="anthropic.messages", max_tokens=10)["input_tokens"] == 100
    read = tokenbook.extract("anthropic.messages", body, max_tokens=10)
    assert log.token_usage(read) == log.token_usage(body, api="anthropic.messages", max_tokens=10)


def test_metadata_and_both_spellings() -> None:
    fragment = log.token_usage_metadata(usage(4000, 4000, "max_tokens"), response_id="msg_1", model="m")
    assert json.loads(json.dumps(fragment))["truncated"] is True
    assert list(fragment)[-3:] == ["truncated", "response_id", "model"]
    assert log.camel_case_usage(fragment) == {"inputTokens": 1, "outputTokens": 4000, "totalTokens": 4001}
    assert log.snake_case_usage(log.camel_case_usage(fragment))["total_tokens"] == 4001
    sums = log.phase_tokens({"scanner": fragment, "execution": [], "analysis": log.camel_case_usage(fragment)})
    assert (sums["scanner_generation_tokens"], sums["analysis_tokens"], sums["total_tokens"]) == (4001, 4001, 8002)
    assert "execution_generation_tokens" not in sums


def test_one_response_in_three_files_counts_once() -> None:
    scanner = log.token_usage_metadata(usage(3262, 20000, "end_turn"), response_id="msg_s")
    execution = log.token_usage_metadata(usage(4000, 4000, "max_tokens"), response_id="msg_e")
    files: list[dict[str, Any]] = [{"tokenUsage": scanner, "lines": 100}, {"scriptType": "unknown"}]
    files += [{"tokenUsage": execution, "lines": 300}] * 3
    found = log.headroom(files)
    assert (found["responses"], found["truncated"], found["truncation_rate"]) == (2, 1, 0.5)
    assert found["tokens_per_line"] == 7262 / 400
    assert found["decision"] == "raise_limit_or_shrink_prompt"
    assert log.headroom([{"tokenUsage": scanner}])["decision"] == "leave"
    assert log.headroom([{"tokenUsage": usage(75, 100, "end_turn")}])["decision"] == "watch"
    assert log.headroom([]) == {"responses": 0, "truncated": 0, "decision": "unknown"}


def test_the_trend_tells_each_day_of_its_own_responses() -> None:
    def told(output: int, id: str, timestamp: str | None, **more: int) -> dict[str, Any]:
        numbers = {"response_id": id, "input_tokens": 5, "output_tokens": output, "max_tokens": 100}
        reason = "max_tokens" if output == 100 else "end_turn"
        return {"tokenUsage": {**numbers, "stop_reason": reason}, "timestamp": timestamp, **more}

    files = [
        told(100, "c", "2026-11-21T00:00:00.000Z"),
        told(40, "a", "2026-11-20T00:00:00Z", lines=20),
        told(80, "b", "2026-11-21T01:30:00+02:00", lines=10),
        # The same response in another file, of another day, counts at its first.
        told(80, "b", "2026-11-25T00:00:00Z"),
        told(60, "d", "2026-11-21T23:59:59.999"),
        told(60, "e", None),
        told(60, "f", "no day"),
        {},
    ]
    assert log.utilization_trend(files) == [
        {"day": "2026-11-20", "responses": 2, "truncated": 0, "truncation_rate": 0.0, "median_utilization": 0.4,
         "peak_utilization": 0.8, "tokens_per_line": 4.0},
        {"day": "2026-11-21", "responses": 2, "truncated": 1, "truncation_rate": 0.5, "median_utilization": 0.6,
         "peak_utilization": 1.0},
    ]  # fmt: skip
    assert log.utilization_trend([]) == []
