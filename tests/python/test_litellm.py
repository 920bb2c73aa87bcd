"""The real LiteLLM tells the callback of its calls, and each is one record."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import openai as openai_sdk
import pytest
import tokenbook
import tokenbook.litellm
from conftest import Replay
from providers import ANTHROPIC_MODEL, MESSAGES, OPENAI_MODEL

# Without it the package asks the network for prices when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

# Its own, of what it does with other packages.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

USAGE = {"input_tokens": 400, "cache_read_tokens": 100, "output_tokens": 50}


@pytest.fixture
def told(book: tokenbook.Ledger) -> Iterator[tokenbook.Ledger]:
    """A ledger that LiteLLM's calls are recorded in."""
    before = litellm.callbacks
    litellm.callbacks = [tokenbook.litellm.logger(book, agent="router", tags=["lite"])]
    yield book
    litellm.callbacks = before
    for names in ("success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback"):
        setattr(litellm, names, [])


def openai(replay: Replay, script: str, **options: Any) -> dict[str, Any]:
    return {"model": f"openai/{OPENAI_MODEL}", "messages": MESSAGES, "api_key": "none", "num_retries": 0,
            "api_base": f"{replay.base(script)}/v1", "max_tokens": 70, **options}  # fmt: skip


def calls(book: tokenbook.Ledger, expect: int) -> list[tokenbook.types.Call]:
    """The recorded calls, once there are as many: LiteLLM tells of them from threads of its own."""
    until = time.monotonic() + 30
    while book.report().total.calls < expect and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    found = list(book.calls())
    assert len(found) == expect and book.unrecorded == 0, found
    return found


@pytest.mark.parametrize("way", ["whole", "streamed", "async", "async streamed"])
def test_a_call_is_one_record_with_what_was_billed(replay: Replay, told: tokenbook.Ledger, way: str) -> None:
    replay.load(lite={"reply": {"id": "chatcmpl-lite", "usage": USAGE}})
    given = openai(replay, "lite", metadata={"agent": "editor", "session": "s1", "tags": ["own"]})
    if "streamed" in way:
        given |= {"stream": True, "stream_options": {"include_usage": True}}

    async def ask() -> None:
        answer = await litellm.acompletion(**given)
        if "streamed" in way:
            async for _ in answer:
                pass
        # Its callbacks of asynchronous calls run as tasks of the same loop.
        await asyncio.sleep(0.3)

    if way.startswith("async"):
        asyncio.run(ask())
    else:
        answer = litellm.completion(**given)
        if way == "streamed":
            assert len(list(answer)) > 1
    (call,) = calls(told, 1)
    assert (call.agent, call.session, call.tags) == ("editor", "s1", ["lite", "own"])
    assert (call.provider, call.model, call.outcome, call.max_tokens) == ("openai", OPENAI_MODEL, "success", 70)
    assert call.usage is not None
    assert (call.usage.total_input_tokens, call.usage.total_output_tokens) == (500, 50)
    assert call.usage.cache_read_tokens == 100
    assert call.cost.status == "priced" and call.cost.total_usd == tokenbook.cost(
        model=OPENAI_MODEL, usage=USAGE, at=call.at, provider="openai"
    ).total_usd  # fmt: skip
    assert call.duration_ms is not None and call.operation_id
    assert "Tell me something" not in str(call)


def test_another_provider_is_told_apart(replay: Replay, told: tokenbook.Ledger) -> None:
    replay.load(claude={"reply": {"usage": USAGE}})
    given = {"model": f"anthropic/{ANTHROPIC_MODEL}", "messages": MESSAGES, "api_key": "none", "max_tokens": 70}
    litellm.completion(**given, api_base=replay.base("claude"), num_retries=0)
    (call,) = calls(told, 1)
    assert (call.provider, call.model, call.agent, call.max_tokens) == ("anthropic", ANTHROPIC_MODEL, "router", 70)
    assert call.usage is not None
    assert (call.usage.total_input_tokens, call.usage.total_output_tokens) == (500, 50)
    assert call.cost.total_usd == tokenbook.cost(model=ANTHROPIC_MODEL, usage=USAGE, at=call.at).total_usd


@pytest.mark.parametrize(
    ("status", "error_class"), [(400, "invalid_request"), (429, "rate_limit"), (401, "authentication")]
)
def test_a_failure_is_a_record_with_its_class(
    replay: Replay, told: tokenbook.Ledger, status: int, error_class: str
) -> None:
    replay.load(no={"status": status})
    with pytest.raises(openai_sdk.APIStatusError):
        litellm.completion(**openai(replay, "no", max_retries=0))
    (call,) = calls(told, 1)
    assert (call.outcome, call.error_class, call.usage) == ("error", error_class, None)


def test_a_call_that_an_instrumented_client_has_recorded_is_not_recorded_again(
    replay: Replay, told: tokenbook.Ledger
) -> None:
    replay.load(lite={"reply": {"id": "chatcmpl-same", "usage": USAGE}})
    client = tokenbook.instrument(openai_sdk.OpenAI(api_key="none", base_url=f"{replay.base('lite')}/v1"), book=told)
    litellm.completion(**openai(replay, "lite", client=client))
    time.sleep(0.3)
    (call,) = calls(told, 1)
    assert call.id == "chatcmpl-same"


def test_without_the_package_it_says_so(book: tokenbook.Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm.integrations.custom_logger", None)
    with pytest.raises(tokenbook.UnavailableError, match="pip install litellm"):
        tokenbook.litellm.logger(book)
