"""Falls back to another model when the first one is overloaded: both attempts are calls of one operation.

``ANTHROPIC_API_KEY=… python fallback.py ledger.db``
"""

from __future__ import annotations

import asyncio
import sys
import uuid

import anthropic
import tokenbook

MODELS = ("claude-sonnet-4-5", "claude-3-5-haiku-20241022")


async def ask(client: anthropic.AsyncAnthropic, question: str) -> str:
    """Asks each model in turn until one answers."""
    async with tokenbook.with_call(action="answer", operation_id=str(uuid.uuid4())):
        for model in MODELS:
            try:
                message = await client.messages.create(
                    model=model, max_tokens=200, messages=[{"role": "user", "content": question}]
                )
            except (anthropic.APIStatusError, anthropic.APIConnectionError) as error:
                print(f"{model}: {type(error).__name__}")
            else:
                return "".join(block.text for block in message.content if block.type == "text")
    raise SystemExit("no model answers")


async def main(path: str) -> None:
    """Asks one question and prints what it took."""
    with tokenbook.Ledger(path) as book:
        async with anthropic.AsyncAnthropic(max_retries=0) as plain:
            client = tokenbook.instrument(plain, book=book, agent="helper")
            print(await ask(client, "What is a ledger?"))
        for call in reversed(list(book.calls(agent="helper"))):
            print(f"attempt {call.attempt} of {str(call.operation_id)[:8]}: {call.model} {call.outcome}", end="")
            print(f" {call.error_class}" if call.error_class else f" ${call.cost.total_usd}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
