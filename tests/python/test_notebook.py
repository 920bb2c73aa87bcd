"""What a notebook shows: of each call, and of each cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import tokenbook
from conftest import Replay
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from providers import ANTHROPIC_MODEL, MESSAGES

ASK = "client.messages.create(model=model, max_tokens=50, messages=messages)"
COST = "$0.000068"  # 25 at 0.8 and 12 at 4 dollars a million.


@pytest.fixture
def shell(replay: Replay, book: tokenbook.Ledger) -> Iterator[InteractiveShell]:
    shell = InteractiveShell()
    plain = anthropic.Anthropic(api_key="none", base_url=replay.url, max_retries=0)
    client = tokenbook.instrument(plain, book=book)
    shell.push({"client": client, "model": ANTHROPIC_MODEL, "messages": MESSAGES, "book": book})
    shell.run_line_magic("load_ext", "tokenbook")
    yield shell
    shell.reset()


def run(shell: InteractiveShell, cell: str) -> tuple[Any, CapturedIO]:
    with capture_output() as shown:
        done = shell.run_cell(cell)
    return done, shown


def test_a_cell_shows_what_its_calls_took(shell: InteractiveShell, book: tokenbook.Ledger) -> None:
    said = "2 calls: 50 tokens in, 24 out, $0.000136"
    _, shown = run(shell, f"%%tokenbook agent=editor action=draft tags=a,b\n{ASK}\n{ASK}")
    assert said in shown.stdout
    summary = shell.run_cell_magic("tokenbook", "agent=checker", f"{ASK}\n{ASK}")
    assert str(summary) == said and said in summary._repr_html_()
    assert summary.cost_usd * 2 == book.report().total.cost_usd
    drafts = [(call.action, call.tags) for call in book.calls(agent="editor")]
    assert drafts == [("draft", ["a", "b"])] * 2


def test_a_cell_that_fails_shows_its_error_and_what_was_taken(shell: InteractiveShell) -> None:
    _, shown = run(shell, f"%%tokenbook\n{ASK}\nraise ValueError('the own error')")
    assert "the own error" in shown.stdout + shown.stderr and f"1 call: 25 tokens in, 12 out, {COST}" in shown.stdout


def test_a_line_that_says_nothing_is_refused(shell: InteractiveShell, book: tokenbook.Ledger) -> None:
    _, shown = run(shell, f"%%tokenbook editor\n{ASK}")
    assert "expected name=value, got 'editor'" in shown.stdout and book.report().total.calls == 0


def test_a_watched_client_prints_each_call(replay: Replay, capsys: pytest.CaptureFixture[str]) -> None:
    plain = anthropic.Anthropic(api_key="none", base_url=replay.url, max_retries=0)
    watched = tokenbook.watch(plain, agent="trial")
    for _ in range(2):
        assert (
            watched.messages.create(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES).usage.output_tokens == 12
        )
    assert tokenbook._writer.flush(30)
    assert capsys.readouterr().out == f"1 call: 25 tokens in, 12 out, {COST}\n" * 2


def test_a_watched_client_records_where_it_is_told(replay: Replay, book: tokenbook.Ledger) -> None:
    watched = tokenbook.watch(anthropic.Anthropic(api_key="none", base_url=replay.url), book=book, agent="trial")
    with tokenbook.with_call(session="s1") as inside:
        watched.messages.create(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES)
    assert str(tokenbook.summary(inside)) == f"1 call: 25 tokens in, 12 out, {COST}"
    assert [(call.agent, call.session) for call in book.calls()] == [("trial", "s1")]
