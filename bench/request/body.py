"""Writes the requests that are counted, some 10 kB each: {api: body}. Their prose is this repository's own design."""

import json
import sys
from pathlib import Path

prose = (Path(__file__).resolve().parents[2] / "DESIGN.md").read_text()


def text(start, length):
    return prose[start : start + length]


tools = [
    {
        "name": f"lookup_{name}",
        "description": text(300 * at, 220),
        "input_schema": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": text(4000 + 50 * at, 80)},
                "limit": {"type": "integer", "description": "The most results"},
                "unit": {"type": "string", "enum": ["day", "week", "month"]},
            },
            "required": ["query"],
        },
    }
    for at, name in enumerate(["orders", "customers", "invoices", "stock", "prices", "tickets"])
]
call = {"query": "late orders", "limit": 5}
rows = [{"id": at, "status": "late", "customer": text(5000 + 20 * at, 18), "total": at * 13.5} for at in range(20)]
messages = {
    "max_tokens": 1024,
    "system": text(0, 1500),
    "tools": tools,
    "messages": [
        {"role": "user", "content": text(2000, 1000)},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": text(3000, 600)},
                {"type": "tool_use", "id": "a", "name": "lookup_orders", "input": call},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": json.dumps(rows)}]},
        {"role": "assistant", "content": text(6000, 800)},
        {"role": "user", "content": text(7000, 400)},
    ],
}
chat = {
    "tools": [
        {
            "type": "function",
            "function": {"name": t["name"], "description": t["description"], "parameters": t["input_schema"]},
        }
        for t in tools
    ],
    "messages": [
        {"role": "system", "content": text(0, 1500)},
        {"role": "user", "content": text(2000, 1000)},
        {
            "role": "assistant",
            "content": text(3000, 600),
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "lookup_orders", "arguments": json.dumps(call)}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": json.dumps(rows)},
        {"role": "assistant", "content": text(6000, 800)},
        {"role": "user", "content": text(7000, 400)},
    ],
}
bodies = [
    {"api": "openai.chat", "body": {"model": "gpt-4o", **chat}},
    {"api": "anthropic.messages", "body": {"model": "claude-opus-4-6", **messages}},
    {"api": "anthropic.messages", "body": {"model": "claude-opus-5", **messages}},
]
Path(sys.argv[1]).write_text(json.dumps(bodies, ensure_ascii=False))
