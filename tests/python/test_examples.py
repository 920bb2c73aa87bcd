"""The examples and the tutorial run as they stand, with the real SDK, against the replay server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tokenbook
from conftest import Replay

EXAMPLES = Path(__file__).parents[2] / "python" / "examples"


def environment(replay: Replay, script: str | None = None) -> dict[str, str]:
    return {**os.environ, "ANTHROPIC_BASE_URL": replay.base(script), "ANTHROPIC_API_KEY": "none"}


def run(name: str, ledger: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), str(ledger)], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_stream_is_watched_and_broken_off(replay: Replay, tmp_path: Path) -> None:
    replay.load(story={"reply": {"text": "Once upon a time. " * 20, "pieces": 20}, "stream": {"delay_ms": 10}})
    said = run("streaming.py", tmp_path / "ledger.db", environment(replay, "story"))
    assert "[25 in, 12 out, $0.000068]" in said
    assert said.splitlines()[-2:][0].startswith("success whole 0.000068")
    assert said.splitlines()[-1].startswith("success partial 0.0000")


def test_a_fallback_is_two_attempts(replay: Replay, tmp_path: Path) -> None:
    replay.load(busy=[{"status": 529}, {"reply": {"text": "A book of accounts."}}])
    said = run("fallback.py", tmp_path / "ledger.db", environment(replay, "busy")).splitlines()
    assert said[:2] == ["claude-sonnet-4-5: OverloadedError", "A book of accounts."]
    assert said[2].startswith("attempt 1 of ") and said[2].endswith("claude-sonnet-4-5 error overloaded")
    assert said[3].startswith("attempt 2 of ") and said[3].endswith("claude-3-5-haiku-20241022 success $0.000068")
    with tokenbook.Ledger(tmp_path / "ledger.db") as book:
        assert book.report(group_by=["agent"]).rows[0].calls == 2


def test_the_tutorial_runs_cell_by_cell(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "tutorial.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are cleared before a commit"
    for name, value in environment(replay).items():
        monkeypatch.setenv(name, value)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "1 call: 25 tokens in, 12 out, $0.000068" in shown
    assert "3 calls: 75 tokens in, 36 out, $0.000204" in shown
    assert "5 calls, $0.00034" in shown
    assert "<table>" in shown and "image/png" in shown
