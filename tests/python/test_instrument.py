"""Instrumented clients do what plain ones do, and each call of theirs is in the ledger once."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import time
from typing import Any

import anthropic
import anyio
import openai
import pytest
import tokenbook
from conftest import Replay
from providers import ANTHROPIC_MODEL, KINDS, MESSAGES, OPENAI_MODEL, Kind

SEARCH = {"name": "search", "description": "Searches the archive", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def claude(replay: Replay, book: tokenbook.Ledger) -> anthropic.Anthropic:
    return tokenbook.instrument(anthropic.Anthropic(api_key="none", base_url=replay.url, max_retries=0), book=book)


def ask(client: anthropic.Anthropic, **options: Any) -> Any:
    return client.messages.create(model=ANTHROPIC_MODEL, max_tokens=500, messages=MESSAGES, **options)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_answers_and_errors_are_those_of_a_plain_client(replay: Replay, book: tokenbook.Ledger, kind: Kind) -> None:
    replay.load(same={"reply": {"id": "one", "text": "Same."}}, no={"status": 400})
    plain = kind.client(replay.base("same"))
    ours = tokenbook.instrument(plain, book=book)
    assert type(ours) is type(plain) and ours is not plain
    one, other = kind.create(plain), kind.create(ours)
    assert type(one) is type(other) and one == other
    events = [list(kind.create(client, stream=True)) for client in (plain, ours)]
    assert events[0] == events[1]
    broken = [client.with_options(base_url=replay.base("no") + kind.suffix) for client in (plain, ours)]
    errors: list[Any] = []
    for client in broken:
        with pytest.raises(Exception) as caught:
            kind.create(client)
        errors.append(caught.value)
    assert type(errors[0]) is type(errors[1]) and errors[0].status_code == errors[1].status_code == 400
    # The plain client is not recorded: a call, a stream and an error of ours are.
    assert sorted(call.outcome for call in book.calls()) == ["error", "success"] or book.report().total.calls == 3


def test_a_record_carries_what_was_sent_and_what_was_answered(replay: Replay, book: tokenbook.Ledger) -> None:
    usage = {"input_tokens": 400, "cache_read_tokens": 100, "output_tokens": 50}
    replay.load(
        tools={"reply": {"id": "msg_1", "model": "claude-3-5-haiku-latest", "usage": usage,
                         "tool_calls": [{"name": "search", "input": {"query": "secret"}}]}}
    )  # fmt: skip
    plain = anthropic.Anthropic(api_key="none", base_url=replay.base("tools"))
    client = tokenbook.instrument(plain, book=book, agent="editor", action="draft", session="s1", tags=["b", "a"])
    with tokenbook.with_call(action="review", tags=["c"], metadata={"ticket": "7"}):
        ask(client, tools=[SEARCH])
    call = book.get("msg_1")
    assert (call.agent, call.action, call.session, call.tags) == ("editor", "review", "s1", ["a", "b", "c"])
    assert (call.model, call.answered_model, call.provider) == (ANTHROPIC_MODEL, "claude-3-5-haiku-latest", "anthropic")
    assert (call.max_tokens, call.stop_reason, call.truncated) == (500, "tool_use", False)
    assert (call.tools_offered, call.tools_called, call.metadata) == (["search"], ["search"], {"ticket": "7"})
    assert call.usage is not None and call.usage.total_input_tokens == 500 and call.usage.output_tokens == 50
    assert call.tool_tokens is not None and call.tool_tokens[0].definition_tokens
    assert call.cost.status == "priced" and call.cost.price is not None and call.cost.total_usd
    assert call.duration_ms is not None and call.operation_id and call.attempt == 1
    assert "secret" not in str(call) and MESSAGES[0]["content"] not in str(call)


def test_retries_of_the_sdk_are_attempts_of_one_operation(replay: Replay, book: tokenbook.Ledger) -> None:
    replay.load(flaky=[{"status": 529, "retry_after": 0.01}, {"reset": True}, {"reply": {}}])
    plain = anthropic.Anthropic(api_key="none", base_url=replay.base("flaky"), max_retries=2)
    ask(tokenbook.instrument(plain, book=book))
    calls = sorted(book.calls(), key=lambda call: call.attempt or 0)
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert [call.error_class for call in calls] == ["overloaded", "connection_error", None]
    assert len({call.operation_id for call in calls}) == 1
    assert calls[0].cost.total_usd == 0 and calls[1].usage is None and calls[2].cost.total_usd


def test_a_fallback_is_an_attempt_of_the_operation_that_the_block_names(
    replay: Replay, book: tokenbook.Ledger, claude: anthropic.Anthropic
) -> None:
    replay.load(busy={"status": 529})
    with tokenbook.with_call(operation_id="op"):
        with pytest.raises(anthropic.APIStatusError):
            ask(claude.with_options(base_url=replay.base("busy")))
        ask(claude)
    ask(claude)
    assert sorted((call.operation_id == "op", call.attempt, call.outcome) for call in book.calls()) == [
        (False, 1, "success"), (True, 1, "error"), (True, 2, "success"),
    ]  # fmt: skip


def test_every_form_of_a_call_is_one_record(book: tokenbook.Ledger, claude: anthropic.Anthropic) -> None:
    arguments: dict[str, Any] = {"model": ANTHROPIC_MODEL, "max_tokens": 500, "messages": MESSAGES}
    with claude.messages.stream(**arguments) as stream:
        assert "".join(stream.text_stream) == "Hello from the replay server."
        stream.get_final_message()
    raw = claude.messages.with_raw_response.create(**arguments)
    assert raw.parse().usage.output_tokens == 12 and raw.headers["request-id"]
    with claude.messages.with_streaming_response.create(**arguments) as response:
        assert json.loads(response.read())["usage"]["input_tokens"] == 25
    claude.messages.with_raw_response.create(**arguments, stream=True).parse().close()
    assert claude.messages.count_tokens(model=ANTHROPIC_MODEL, messages=MESSAGES).input_tokens == 25
    assert book.report().total.calls == 4
    assert [call.partial for call in book.calls()].count(True) <= 1


def test_openai_helpers_are_one_record_each(replay: Replay, book: tokenbook.Ledger) -> None:
    client = tokenbook.instrument(openai.OpenAI(api_key="none", base_url=f"{replay.url}/v1"), book=book)
    with client.chat.completions.stream(model=OPENAI_MODEL, messages=MESSAGES) as chat:
        assert [event.type for event in chat][-1] == "content.done"
    with client.responses.stream(model=OPENAI_MODEL, input="Hi") as response:
        response.until_done()
    client.chat.completions.with_raw_response.create(model=OPENAI_MODEL, messages=MESSAGES)
    apis = sorted(str(call.api) for call in book.calls())
    assert apis == ["openai.chat", "openai.chat", "openai.responses"]


def test_azure_is_told_apart_by_its_host(replay: Replay, book: tokenbook.Ledger) -> None:
    plain = openai.AzureOpenAI(api_key="none", api_version="2024-10-21", azure_endpoint=replay.url)
    client = tokenbook.instrument(plain, book=book, provider="azure")
    client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES)
    (call,) = book.calls()
    assert (call.provider, call.model, call.cost.status) == ("azure", OPENAI_MODEL, "priced")
    assert tokenbook._transport._provider("me.openai.azure.com") == "azure"
    assert tokenbook._transport._provider("notopenai.com") is None


def test_results_of_a_batch_are_recorded_once_however_often_they_are_read(
    replay: Replay, book: tokenbook.Ledger
) -> None:
    replay.load(batch={"reply": {}})
    client = tokenbook.instrument(anthropic.Anthropic(api_key="none", base_url=replay.base("batch")), book=book)
    params: Any = {"model": ANTHROPIC_MODEL, "max_tokens": 500, "messages": MESSAGES}
    sent = client.messages.batches.create(requests=[{"custom_id": f"r{at}", "params": params} for at in range(3)])
    assert book.report().total.calls == 0
    with tokenbook.with_call(agent="night") as night:
        results = list(client.messages.batches.results(sent.id))
    calls = list(book.calls())
    assert len(results) == len(night.recorded) == len(calls) == 3 and all(
        call.batch and call.agent == "night" for call in calls
    )
    usage = {"input_tokens": 25, "output_tokens": 12}
    cost = tokenbook.cost(model=ANTHROPIC_MODEL, usage=usage, at=calls[0].at, batch=True)
    assert calls[0].cost.total_usd == cost.total_usd

    replay.load(batch={"reply": {"id": "msg_same"}})
    one = client.messages.batches.create(requests=[{"custom_id": "r", "params": params}])
    for agent in ("night", "night", "day"):
        with tokenbook.with_call(agent=agent):
            list(client.messages.batches.results(one.id))
    assert book.report().total.calls == 4 and book.get("msg_same").agent == "night" and book.unrecorded == 0


def test_nested_instrumentation_makes_one_record(claude: anthropic.Anthropic, book: tokenbook.Ledger) -> None:
    twice = tokenbook.instrument(tokenbook.instrument(claude, book=book, agent="outer"), book=book, action="inner")
    ask(twice.with_options(timeout=5))
    (call,) = book.calls()
    assert (call.agent, call.action) == ("outer", "inner")


def test_two_clients_of_one_connection_pool_are_told_apart(replay: Replay, book: tokenbook.Ledger) -> None:
    plain = anthropic.Anthropic(api_key="none", base_url=replay.url)
    host, editor = (tokenbook.instrument(plain, book=book, agent=agent) for agent in ("host", "editor"))
    ask(host), ask(plain), ask(editor), ask(host)
    assert sorted(str(call.agent) for call in book.calls()) == ["editor", "host", "host"]


def test_threads_and_tasks_keep_their_own_agent(replay: Replay, book: tokenbook.Ledger) -> None:
    async def main() -> None:
        # A busy machine takes its time with a thousand connections: none is to be tried twice.
        async with anthropic.AsyncAnthropic(api_key="none", base_url=replay.url, timeout=120) as plain:
            client = tokenbook.instrument(plain, book=book)

            async def one(at: int) -> str:
                async with tokenbook.with_call(agent=f"a{at}", session=str(at)):
                    message = await client.messages.create(model=ANTHROPIC_MODEL, max_tokens=5, messages=MESSAGES)
                    return str(message.id)

            ids = await asyncio.gather(*(one(at) for at in range(1000)))
        for at, id in enumerate(ids):
            call = book.get(id)
            assert (call.agent, call.session) == (f"a{at}", str(at))
        assert book.report().total.calls == 1000

    asyncio.run(main())
    client = tokenbook.instrument(anthropic.Anthropic(api_key="none", base_url=replay.url), book=book)

    def work(at: int) -> None:
        with tokenbook.with_call(agent=f"t{at}"):
            ask(client)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]  # type: ignore[func-returns-value]
    rows = book.report(group_by=["agent"], limit=2000).rows
    assert {row.agent for row in rows if row.calls == 1} >= {f"t{at}" for at in range(8)}


def test_blocks_join_their_fields_and_end_in_any_context() -> None:
    with tokenbook.with_call(agent="a", tags=["x"]) as outer:
        with tokenbook.with_call(action="b", tags=["y"]):
            frame = tokenbook._context.frame()
            assert frame is not None and frame.fields == {"agent": "a", "action": "b", "tags": ["x", "y"]}
        assert outer.recorded == []

        def generator() -> Any:
            with tokenbook.with_call(agent="inside"):
                yield

        started = generator()
        next(started)
        thread = threading.Thread(target=started.close)  # Another context than the one it was entered in.
        thread.start()
        thread.join()
    with tokenbook.with_call(agent="c"):
        frame = tokenbook._context.frame()
        assert frame is not None and frame.fields["agent"] == "c"


def test_a_stream_comes_chunk_by_chunk_with_its_ticks(replay: Replay, book: tokenbook.Ledger) -> None:
    replay.load(slow={"reply": {"pieces": 6}, "stream": {"delay_ms": 60}})
    ticks: list[Any] = []
    plain = anthropic.Anthropic(api_key="none", base_url=replay.base("slow"))
    client = tokenbook.instrument(plain, book=book, on_usage=ticks.append)
    seen: list[int] = []
    for _ in ask(client, stream=True):
        seen.append(len(ticks))
    assert seen[0] <= 2 < seen[-1] <= len(ticks), "ticks come while the stream runs"
    outputs = [tick.output_tokens for tick in ticks]
    assert outputs == sorted(outputs) and ticks[-1].is_final and outputs[-1] == 12
    assert all(tick.input_tokens == 25 and tick.cost_usd is not None for tick in ticks)
    (call,) = book.calls()
    assert call.cost.total_usd == ticks[-1].cost_usd


def test_a_ledger_that_fails_never_breaks_a_call(
    replay: Replay, caplog: pytest.LogCaptureFixture, claude: anthropic.Anthropic, book: tokenbook.Ledger
) -> None:
    book.close()
    with caplog.at_level(logging.WARNING, "tokenbook"):
        for _ in range(3):
            assert ask(claude).usage.output_tokens == 12
            assert len(list(ask(claude, stream=True))) > 3
        book.flush()
    assert book.unrecorded == 6
    said = [one.getMessage() for one in caplog.records if one.name == "tokenbook"]
    assert len(said) == 1, said


@pytest.mark.parametrize(
    "body", ["<html>Bad gateway</html>", '{"type": "message"}', "null", '{"usage": {"input_tokens": -5}}']
)
def test_a_body_that_is_no_answer_is_a_call_all_the_same(replay: Replay, book: tokenbook.Ledger, body: str) -> None:
    replay.load(odd={"body": body}, gateway={"status": 502, "body": body})
    for script in ("odd", "gateway"):
        plain = anthropic.Anthropic(api_key="none", base_url=replay.base(script), max_retries=0)
        try:
            ask(tokenbook.instrument(plain, book=book))
        except Exception as error:
            assert not isinstance(error, tokenbook.TokenbookError)
    calls = list(book.calls())
    assert len(calls) == 2 and book.unrecorded == 0
    assert all(call.outcome == "error" for call in calls)
    assert {call.error_class for call in calls} >= {"server_error"}


def test_a_compressed_body_is_read(book: tokenbook.Ledger) -> None:
    import gzip
    import zlib

    import httpx2

    whole = {"id": "m", "type": "message", "role": "assistant", "model": ANTHROPIC_MODEL, "content": [],
             "stop_reason": "end_turn", "usage": {"input_tokens": 7, "output_tokens": 3}}  # fmt: skip
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        body = pack(json.dumps({**whole, "id": encoding}).encode())

        class Chunks(httpx2.SyncByteStream):
            def __iter__(self, body: bytes = body) -> Any:
                yield from (body[at : at + 3] for at in range(0, len(body), 3))

        head = {"content-encoding": encoding, "content-type": "application/json"}
        transport = httpx2.MockTransport(
            lambda _, head=head, kind=Chunks: httpx2.Response(200, headers=head, stream=kind())
        )
        plain = anthropic.Anthropic(api_key="none", http_client=httpx2.Client(transport=transport))
        assert ask(tokenbook.instrument(plain, book=book)).id == encoding
        call = book.get(encoding)
        assert call.usage is not None and call.usage.total_input_tokens == 7


def test_a_listener_that_raises_never_breaks_a_call(replay: Replay, book: tokenbook.Ledger) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the user's own")

    plain = anthropic.Anthropic(api_key="none", base_url=replay.url)
    client = tokenbook.instrument(plain, book=book, on_usage=fail, on_record=fail)
    assert len(list(ask(client, stream=True))) > 3
    assert book.report().total.calls == 1


def test_a_refused_call_is_not_sent_and_not_retried(
    replay: Replay, claude: anthropic.Anthropic, book: tokenbook.Ledger
) -> None:
    book.budget_set("none", period="total", limit_tokens=1)
    replay.reset()
    with pytest.raises(tokenbook.BudgetExceededError):
        ask(claude.with_options(max_retries=3))

    async def main() -> None:
        async with anthropic.AsyncAnthropic(api_key="none", base_url=replay.url) as plain:
            client = tokenbook.instrument(plain, book=book)
            with pytest.raises(tokenbook.BudgetExceededError):
                await client.messages.create(model=ANTHROPIC_MODEL, max_tokens=5, messages=MESSAGES)

    asyncio.run(main())
    # What was refused was no call.
    assert replay.requests() == [] and not tokenbook._writer._open
    assert book.report().total.calls == 0 and not book.live().calls and book.unrecorded == 0


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_putting_aside_holds_no_event_loop_up(
    replay: Replay, book: tokenbook.Ledger, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    book.budget_set("all", period="total", limit_tokens=1_000_000)
    started, go_on = threading.Event(), threading.Event()
    reserve = tokenbook.Meter.reserve

    def slow(meter: tokenbook.Meter) -> Any:
        started.set()
        assert go_on.wait(30), "the event loop went on meanwhile"
        return reserve(meter)

    monkeypatch.setattr(tokenbook.Meter, "reserve", slow)

    async def main() -> None:
        async with anthropic.AsyncAnthropic(api_key="none", base_url=replay.url) as plain:
            client = tokenbook.instrument(plain, book=book)

            async def ask_once(scope: anyio.CancelScope) -> None:
                with scope:
                    await client.messages.create(model=ANTHROPIC_MODEL, max_tokens=5, messages=MESSAGES)

            async def until_started() -> None:
                while not started.is_set():
                    await anyio.sleep(0.001)

            async with anyio.create_task_group() as group:
                group.start_soon(ask_once, anyio.CancelScope())
                await until_started()
                go_on.set()
            # One that is cancelled while it waits is not sent, and leaves nothing put aside.
            started.clear(), go_on.clear()
            scope = anyio.CancelScope()
            async with anyio.create_task_group() as group:
                group.start_soon(ask_once, scope)
                await until_started()
                scope.cancel()
            go_on.set()

    anyio.run(main, backend=loop)
    assert book.report().total.calls == 1
    assert book.budgets()[0].held_tokens == 0 and not book.live().calls and not tokenbook._writer._open


def test_clouds_are_told_by_their_addresses(replay: Replay, book: tokenbook.Ledger) -> None:
    for path, api, model in (
        ("/model/anthropic.claude-3-5-haiku-20241022-v1:0/invoke", "bedrock.invoke.anthropic",
         "anthropic.claude-3-5-haiku-20241022-v1:0"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict",
         "vertex.rawPredict.anthropic", "claude-haiku-4-5@20251001"),
        ("/v1/messages", "anthropic.messages", None),
        ("/v1/messages/count_tokens", None, None),
    ):  # fmt: skip
        found = tokenbook._transport.MODEL.search(path)
        assert (tokenbook._transport._api(path), found and found[1]) == (api, model)
    for host, provider in (
        ("europe-west1-aiplatform.googleapis.com", "vertex"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("api.x.ai", "xai"),
    ):
        assert tokenbook._transport._provider(host) == provider


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_budget_stops_a_stream_in_its_midst(
    replay: Replay, book: tokenbook.Ledger, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay.load(long={"reply": {"pieces": 30}, "stream": {"delay_ms": 2}})
    push = tokenbook.Meter.push
    pushed: list[int] = []

    def limited(meter: Any, chunk: bytes) -> None:
        pushed.append(len(chunk))
        if len(pushed) > 10:
            raise tokenbook.BudgetExceededError("the slice is used up")
        push(meter, chunk)

    monkeypatch.setattr(tokenbook.Meter, "push", limited)
    client = tokenbook.instrument(kind.client(replay.base("long")), book=book)
    with pytest.raises(tokenbook.BudgetExceededError):
        list(kind.create(client, stream=True))
    (call,) = book.calls()
    assert (call.error_class, call.partial) == ("budget_exceeded", True)


def test_what_is_no_client_is_refused(book: tokenbook.Ledger) -> None:
    with pytest.raises(tokenbook.InvalidArgumentError, match="client: expected a client of anthropic or openai"):
        tokenbook.instrument(object(), book=book)


def test_nothing_is_kept_of_a_call_that_has_ended(claude: anthropic.Anthropic, book: tokenbook.Ledger) -> None:
    ask(claude)
    book.flush()
    gc.collect()
    before = sum(str(type(one).__module__).startswith("tokenbook") for one in gc.get_objects())
    for _ in range(20):
        ask(claude)
        list(ask(claude, stream=True))
    book.flush()
    gc.collect()
    after = sum(str(type(one).__module__).startswith("tokenbook") for one in gc.get_objects())
    assert after <= before + 5 and not tokenbook._writer._open


def test_threads_of_the_writer_end_when_there_is_nothing_to_do(
    claude: anthropic.Anthropic, book: tokenbook.Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenbook._writer, "IDLE_SECONDS", 0.05)
    ask(claude)
    book.flush()
    until = time.monotonic() + 10
    while book._writer._running and time.monotonic() < until:
        time.sleep(0.01)
    assert book._writer._running == 0
    ask(claude)
    assert book.report().total.calls == 2


def test_a_used_up_budget_of_the_ledger_holds_for_instrumented_clients(
    replay: Replay, claude: anthropic.Anthropic, book: tokenbook.Ledger
) -> None:
    book.budget_set("editor", period="total", limit_usd="0.0005", agent="editor")
    replay.reset()
    with tokenbook.with_call(agent="editor"), pytest.raises(tokenbook.BudgetExceededError):
        ask(claude)  # 500 tokens of output may cost 0.002.
    assert replay.requests() == [] and book.report().total.calls == 0
    with tokenbook.with_call(agent="host"):
        ask(claude)
    assert book.report().total.calls == 1 and book.budgets()[0].left_usd is not None
    assert str(book.budgets()[0].left_usd) == "0.0005"


def test_a_stream_without_a_limit_stops_when_its_slice_is_refused(replay: Replay, book: tokenbook.Ledger) -> None:
    replay.load(endless={"reply": {"text": "word " * 6000, "pieces": 300}})
    book.budget_set("all", period="total", limit_tokens=1500)
    plain = openai.OpenAI(api_key="none", base_url=f"{replay.base('endless')}/v1", max_retries=0)
    client = tokenbook.instrument(plain, book=book)
    seen = 0
    with pytest.raises(tokenbook.BudgetExceededError):
        for _ in client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, stream=True):
            seen += 1
    (call,) = book.calls()
    assert 0 < seen < 300 and call.partial and call.error_class == "budget_exceeded"
    assert call.usage is not None and 500 < (call.usage.total_output_tokens or 0) < 3000
