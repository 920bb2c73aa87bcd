// Streams of fifty chunks, by both SDKs.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { instrument } from '../../node/src/instrument/index.js';

export const CHUNKS = 50;
export const INPUT = 1200;
export const OUTPUT = 800;

const messages = [{ role: 'user', content: 'Count to fifty.' }];
// One token a chunk in o200k_base.
const text = ' the'.repeat(CHUNKS);
const reply = { text, pieces: CHUNKS, usage: { input_tokens: INPUT, output_tokens: OUTPUT } };
const settings = { apiKey: 'none', maxRetries: 0 };

/** The provider says nothing before its last event: all is counted, a token for every event with text that came. */
function checkCounted(call, texts, where) {
  assert.notEqual(call.exactness, 'measured', where);
  assert.ok(call.usage.total_input_tokens > 5 && call.usage.total_input_tokens < 20, where);
  assert.ok(call.usage.total_output_tokens >= Math.min(texts, CHUNKS - 1) && call.usage.total_output_tokens <= CHUNKS, where);
}

/** `opening` are the events before the first text, where none of them tells of usage: an error after them is a refusal. */
export const SDKS = {
  anthropic: {
    reply,
    opening: 0,
    client: (base, options) => instrument(new Anthropic({ ...settings, baseURL: base }), options),
    stream: (client, signal) => client.messages.create({ model: 'claude-haiku-4-5', max_tokens: 4000, messages, stream: true }, { signal }),
    /** The provider has said the input in its first event. */
    checkPartial(call, _events, where) {
      assert.equal(call.usage?.total_input_tokens, INPUT, where);
      assert.ok(call.usage.total_output_tokens >= 1 && call.usage.total_output_tokens < OUTPUT, where);
    },
  },
  openai: {
    reply,
    client: (base, options) => instrument(new OpenAI({ ...settings, baseURL: `${base}/v1` }), options),
    stream: (client, signal) => client.chat.completions.create({ model: 'gpt-4o', messages, stream: true, stream_options: { include_usage: true } }, { signal }),
    opening: 1,
    checkPartial: (call, events, where) => checkCounted(call, events - 1, where),
  },
  responses: {
    reply,
    client: (base, options) => instrument(new OpenAI({ ...settings, baseURL: `${base}/v1` }), options),
    stream: (client, signal) => client.responses.create({ model: 'gpt-4o', input: 'Count to fifty.', stream: true }, { signal }),
    opening: 4,
    // The SDK gives the provider's error as an event.
    givesErrors: true,
    checkPartial: (call, events, where) => checkCounted(call, events - 5, where),
  },
};
