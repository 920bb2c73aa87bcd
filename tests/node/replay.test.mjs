// The replay server against the real SDKs: what they read is what its script says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { start } from '../replay/server.mjs';

let replay;
before(async () => {
  replay = await start();
});
after(() => replay.close());

const text = '日本語 😀 héllo '.repeat(6);
const reply = { text, pieces: 50, tool_calls: [{ name: 'look_up', input: { city: 'Zürich' } }], usage: { input_tokens: 1200, cache_read_tokens: 300, output_tokens: 800 } };
const messages = [{ role: 'user', content: 'hi' }];
const claude = (base) => new Anthropic({ apiKey: 'none', baseURL: base });
const openai = (base) => new OpenAI({ apiKey: 'none', baseURL: `${base}/v1` });

for (const chunking of ['event', 'whole', 'awkward', 1]) {
  for (const line_end of ['\n', '\r\n']) {
    test(`the SDKs read a stream cut by ${chunking} with ${JSON.stringify(line_end)} at the end of lines`, async () => {
      const base = replay.load('cut', { reply: { ...reply, pieces: chunking === 1 ? 8 : 50 }, stream: { chunking, line_end } });
      const message = await claude(base).messages.stream({ model: 'claude-haiku-4-5', max_tokens: 2000, messages }).finalMessage();
      assert.equal(message.content[0].text, text);
      assert.deepEqual(message.content[1].input, { city: 'Zürich' });
      assert.deepEqual([message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens], [1200, 300, 800]);

      const completion = await openai(base)
        .chat.completions.stream({ model: 'gpt-4o', messages, stream_options: { include_usage: true } })
        .finalChatCompletion();
      assert.equal(completion.choices[0].message.content, text);
      assert.deepEqual([completion.usage.prompt_tokens, completion.usage.completion_tokens], [1500, 800]);

      const response = await openai(base).responses.stream({ model: 'gpt-4o', input: 'hi' }).finalResponse();
      assert.equal(response.output_text, text);
      assert.deepEqual([response.usage.input_tokens, response.usage.output_tokens], [1500, 800]);
    });
  }
}

test('the steps of a script are taken in turn, and the SDK tries again', async () => {
  const base = replay.load('flaky', [{ status: 529 }, { status: 429, retry_after: 0.01 }, {}]);
  const before = replay.requests.length;
  const message = await claude(base).messages.create({ model: 'claude-haiku-4-5', max_tokens: 10, messages });
  assert.equal(message.content[0].text, 'Hello from the replay server.');
  assert.equal(replay.requests.length - before, 3);
});

test('a cut stream, an error in a stream and a silent end look to the SDKs as from a provider', async () => {
  const read = async (stream) => {
    let events = 0;
    try {
      for await (const _ of await stream) events += 1;
      return [events, 'ended'];
    } catch (error) {
      return [events, error.constructor.name];
    }
  };
  const of = (stream) => replay.load('odd', { reply, stream });
  const create = (base) => openai(base).chat.completions.create({ model: 'gpt-4o', messages, stream: true });
  assert.deepEqual(await read(create(of({ cut_after: 5 }))), [5, 'TypeError']);
  assert.deepEqual(await read(create(of({ error_after: 5 }))), [5, 'APIError']);
  assert.deepEqual(await read(create(of({ end_after: 5 }))), [5, 'ended']);
});

test('as a process it prints its address, takes scripts and ends with its stdin', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../replay/server.mjs', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const { url } = JSON.parse(line);
  await fetch(`${url}/replay/scripts`, { method: 'POST', body: JSON.stringify({ bye: [{ reply: { text: 'Bye.' } }] }) });
  const message = await claude(`${url}/s/bye`).messages.create({ model: 'claude-haiku-4-5', max_tokens: 10, messages });
  assert.equal(message.content[0].text, 'Bye.');
  const [request] = await (await fetch(`${url}/replay/requests`)).json();
  assert.equal(request.body.max_tokens, 10);
  child.stdin.end();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
