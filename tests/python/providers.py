"""The two SDKs under one form, so that a test of streams is written once for both, synchronous or not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai

MESSAGES: Any = [{"role": "user", "content": "Tell me something."}]
ANTHROPIC_MODEL = "claude-3-5-haiku-20241022"
OPENAI_MODEL = "gpt-4o"


@dataclass(frozen=True)
class Kind:
    """A way to make a streamed call."""

    name: str
    sync: type[Any]
    asynchronous: type[Any]
    suffix: str

    def client(self, base: str, **options: Any) -> Any:
        """A synchronous client."""
        return self.sync(api_key="none", base_url=base + self.suffix, **{"max_retries": 0, **options})

    def async_client(self, base: str, **options: Any) -> Any:
        """An asynchronous client."""
        return self.asynchronous(api_key="none", base_url=base + self.suffix, **{"max_retries": 0, **options})

    def create(self, client: Any, **options: Any) -> Any:
        """A call; its parsed answer, or its stream."""
        if self.name == "anthropic":
            return client.messages.create(model=ANTHROPIC_MODEL, max_tokens=500, messages=MESSAGES, **options)
        if self.name == "chat":
            extra = {"stream_options": {"include_usage": True}} if options.get("stream") else {}
            return client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, **extra, **options)
        return client.responses.create(model=OPENAI_MODEL, input="Tell me something.", **options)


KINDS = [
    Kind("anthropic", anthropic.Anthropic, anthropic.AsyncAnthropic, ""),
    Kind("chat", openai.OpenAI, openai.AsyncOpenAI, "/v1"),
    Kind("responses", openai.OpenAI, openai.AsyncOpenAI, "/v1"),
]


def through(stream: Iterator[Any]) -> Iterator[Any]:
    """A user's own generator around a stream."""
    yield from stream


async def through_async(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same for an asynchronous one."""
    async for item in stream:
        yield item
