"""The replay server, once for all tests: the real SDKs talk to it on loopback."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenbook

SERVER = Path(__file__).parents[1] / "replay" / "server.mjs"


class Replay:
    """A running replay server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def load(self, **scripts: Any) -> None:
        """Sets scripts and starts them at their first step."""
        self._ask("/replay/scripts", scripts)

    def base(self, script: str | None = None) -> str:
        """The base address of a script, or that of the plain reply."""
        return self.url if script is None else f"{self.url}/s/{script}"

    def requests(self) -> list[dict[str, Any]]:
        """What was asked since the last ``reset``."""
        read: list[dict[str, Any]] = self._ask("/replay/requests", None)
        return read

    def reset(self) -> None:
        """Forgets what was asked."""
        self._ask("/replay/reset", {})

    def _ask(self, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def replay() -> Iterator[Replay]:
    with subprocess.Popen(["node", str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield Replay(json.loads(process.stdout.readline())["url"])
        process.stdin.close()


@pytest.fixture
def book() -> Iterator[tokenbook.Ledger]:
    with tokenbook.Ledger(":memory:") as book:
        yield book
