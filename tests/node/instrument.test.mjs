// The instrumentation against the real SDKs: their answers are theirs, and each call leaves its record.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { generateText, streamText, wrapLanguageModel } from 'ai';
import { MockLanguageModelV3, simulateReadableStream } from 'ai/test';
import OpenAI, { AzureOpenAI } from 'openai';
import { z } from 'zod';
import { Ledger } from '../../node/index.js';
import { currentCall, flush, health, instrument, languageModelMiddleware, recordResponse, withCall } from '../../node/src/instrument/index.js';
import { start } from '../replay/server.mjs';

let replay;
before(async () => {
  replay = await start();
});
after(() => replay.close());

const messages = [{ role: 'user', content: 'hi' }];
const asked = { model: 'claude-haiku-4-5', max_tokens: 100, messages };
let scripts = 0;
const load = (steps) => replay.load(`script-${(scripts += 1)}`, steps);
const claude = (steps, settings) => new Anthropic({ apiKey: 'none', baseURL: load(steps), ...settings });
const openai = (steps, settings) => new OpenAI({ apiKey: 'none', baseURL: `${load(steps)}/v1`, ...settings });

/** The calls of a ledger, oldest first, once all are recorded. */
async function recorded(book) {
  await flush(book);
  const { calls } = await book.list({ limit: 1000 });
  // Calls of one millisecond have no order of their own.
  return calls.sort((one, other) => one.at.localeCompare(other.at) || (one.attempt ?? 0) - (other.attempt ?? 0));
}

test('a call gives what it gave before, in all ways to ask for it, and leaves one record', async () => {
  const book = new Ledger(':memory:');
  const client = claude({ reply: { usage: { input_tokens: 612, cache_read_tokens: 4096, output_tokens: 143 } } });
  assert.equal(instrument(client, { book, agent: 'editor', session: 's' }), client);

  const message = await client.messages.create(asked);
  assert.equal(message.content[0].text, 'Hello from the replay server.');
  const { data, response, request_id } = await client.messages.create(asked).withResponse();
  assert.equal(data.content[0].text, 'Hello from the replay server.');
  assert.equal(request_id, response.headers.get('request-id'));
  const raw = await client.messages.create(asked).asResponse();
  assert.ok(raw instanceof Response && raw.url.endsWith('/v1/messages'));
  assert.equal((await raw.json()).type, 'message');
  assert.deepEqual(await client.messages.countTokens({ model: asked.model, messages }), { input_tokens: 612 });

  const calls = await recorded(book);
  assert.equal(calls.length, 3);
  const call = calls.find(({ id }) => id === message.id);
  assert.deepEqual(
    [call.agent, call.session, call.api, call.model, call.answered_model, call.max_tokens, call.stop_reason, call.truncated, call.outcome],
    ['editor', 's', 'anthropic.messages', 'claude-haiku-4-5', 'claude-haiku-4-5', 100, 'end_turn', false, 'success'],
  );
  assert.deepEqual([call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens], [612, 4096, 143]);
  // 612 × 1 + 4096 × 0.1 + 143 × 5 dollars a million.
  assert.equal(call.cost.total_usd, '0.0017366');
  assert.ok(call.duration_ms >= 0);
});

test('every kind of call of both SDKs is recorded by its own format', async () => {
  const book = new Ledger(':memory:');
  const options = { book, agent: 'all' };
  const step = { reply: { pieces: 5, usage: { input_tokens: 100, output_tokens: 20 } } };
  const one = instrument(claude(step), options);
  const two = instrument(openai(step), options);
  const through = async (stream) => {
    let events = 0;
    for await (const _ of await stream) events += 1;
    return events;
  };
  await one.messages.create(asked);
  assert.ok((await through(one.messages.create({ ...asked, stream: true }))) > 5);
  assert.equal((await one.messages.stream(asked).finalMessage()).usage.output_tokens, 20);
  await one.beta.messages.create(asked);
  await two.chat.completions.create({ model: 'gpt-4o', messages });
  assert.ok((await through(two.chat.completions.create({ model: 'gpt-4o', messages, stream: true, stream_options: { include_usage: true } }))) > 5);
  await two.chat.completions.stream({ model: 'gpt-4o', messages, stream_options: { include_usage: true } }).finalChatCompletion();
  await two.responses.create({ model: 'gpt-4o', input: 'hi' });
  await two.responses.stream({ model: 'gpt-4o', input: 'hi' }).finalResponse();
  const calls = await recorded(book);
  assert.equal(calls.length, 9);
  for (const call of calls) {
    assert.deepEqual([call.usage.total_input_tokens, call.usage.total_output_tokens, call.partial ?? false, call.exactness], [100, 20, false, 'measured'], JSON.stringify(call));
    assert.ok(call.time_to_first_token_ms === undefined || call.time_to_first_token_ms <= call.duration_ms);
  }
  const count = (api) => calls.filter((call) => call.api === api).length;
  assert.deepEqual(['anthropic.messages', 'openai.chat', 'openai.responses'].map(count), [4, 3, 2]);
});

test('the context of a call labels it, inner labels count, and tags are joined', async () => {
  const book = new Ledger(':memory:');
  const client = instrument(claude({}), { book, agent: 'default', tags: ['app'] });
  await client.messages.create(asked);
  await withCall({ agent: 'editor', action: 'stream', session: 's1', tags: ['night'] }, async () => {
    await client.messages.create(asked);
    await withCall({ agent: 'checker', metadata: { post: '7' } }, async () => {
      await new Promise((done) => setTimeout(done, 1));
      assert.equal(currentCall().agent, 'checker');
      await client.messages.create(asked);
    });
  });
  const calls = await recorded(book);
  assert.deepEqual(
    calls.map(({ agent, action, session, tags, metadata }) => ({ agent, action, session, tags, metadata })),
    [
      { agent: 'default', action: undefined, session: undefined, tags: ['app'], metadata: undefined },
      { agent: 'editor', action: 'stream', session: 's1', tags: ['app', 'night'], metadata: undefined },
      { agent: 'checker', action: 'stream', session: 's1', tags: ['app', 'night'], metadata: { post: '7' } },
    ],
  );
});

test("the SDK's own tries are linked calls of one operation, and failed ones cost nothing", async () => {
  const book = new Ledger(':memory:');
  const client = instrument(claude([{ status: 529 }, { status: 429, retry_after: 0.01 }, {}]), { book, agent: 'patient' });
  await client.messages.create(asked);
  const calls = await recorded(book);
  assert.deepEqual(calls.map(({ attempt, outcome, error_class }) => [attempt, outcome, error_class]), [
    [1, 'error', 'overloaded'],
    [2, 'error', 'rate_limit'],
    [3, 'success', undefined],
  ]);
  assert.equal(new Set(calls.map(({ operation_id }) => operation_id)).size, 1);
  const { total } = await book.report({});
  assert.deepEqual([total.calls, total.failed, total.cost_usd], [3, 2, '0.000085']);
});

test('a fallback to another model is linked when the work is named one operation', async () => {
  const book = new Ledger(':memory:');
  const client = instrument(claude([{ status: 529 }, {}], { maxRetries: 0 }), { book });
  await withCall({ agent: 'host', operation: true }, () =>
    client.messages.create({ ...asked, model: 'claude-opus-4-8' }).catch(() => client.messages.create(asked)),
  );
  const calls = await recorded(book);
  assert.deepEqual(calls.map(({ model, attempt }) => [model, attempt]), [['claude-opus-4-8', 1], ['claude-haiku-4-5', 2]]);
  assert.equal(calls[0].operation_id, calls[1].operation_id);
  assert.ok(calls[0].operation_id);
});

test('errors are those of the SDK', async () => {
  const book = new Ledger(':memory:');
  for (const [step, wanted, error_class] of [
    [{ status: 429 }, Anthropic.RateLimitError, 'rate_limit'],
    [{ status: 401 }, Anthropic.AuthenticationError, 'authentication'],
    [{ status: 400, error: { message: 'too long' } }, Anthropic.BadRequestError, 'invalid_request'],
    [{ reset: true }, Anthropic.APIConnectionError, 'connection_error'],
  ]) {
    const client = instrument(claude(step, { maxRetries: 0 }), { book, session: error_class });
    await assert.rejects(client.messages.create(asked), wanted);
  }
  const timed = instrument(claude({ hang: true }, { maxRetries: 0, timeout: 20 }), { book, session: 'timeout' });
  await assert.rejects(timed.messages.create(asked), Anthropic.APIConnectionTimeoutError);
  const left = instrument(claude({ hang: true }, { maxRetries: 0 }), { book, session: 'aborted' });
  await assert.rejects(left.messages.create(asked, { signal: AbortSignal.timeout(20) }), Anthropic.APIUserAbortError);
  const calls = await recorded(book);
  assert.equal(calls.length, 6);
  for (const call of calls) assert.deepEqual([call.outcome, call.error_class], ['error', call.session]);
  // A refusal costs nothing; what a request without an answer has cost is unknown.
  assert.deepEqual(calls.map(({ session, cost }) => [session, cost.total_usd ?? cost.status]).sort(), [
    ['aborted', 'unpriced'],
    ['authentication', '0'],
    ['connection_error', 'unpriced'],
    ['invalid_request', '0'],
    ['rate_limit', '0'],
    ['timeout', 'unpriced'],
  ]);
});

test('one client twice, and its copies, record each call once with their own labels', async () => {
  const book = new Ledger(':memory:');
  const host = instrument(claude({}), { book, agent: 'host' });
  const editor = instrument(host, { book, agent: 'editor' });
  assert.notEqual(editor, host);
  await host.messages.create(asked);
  await editor.messages.create(asked);
  await host.withOptions({ timeout: 1000 }).messages.create(asked);
  const outer = instrument(openai({}, { fetch: instrument(fetch, { book, agent: 'fetch' }) }), { book, agent: 'client' });
  await outer.chat.completions.create({ model: 'gpt-4o', messages });
  assert.deepEqual((await recorded(book)).map(({ agent }) => agent), ['host', 'editor', 'host', 'client']);
});

test('a bare fetch is instrumented too, and a subclass keeps its own ways', async () => {
  const book = new Ledger(':memory:');
  const base = load({});
  const watched = instrument(fetch, { book, agent: 'bare' });
  const response = await watched(`${base}/v1/messages`, { method: 'POST', body: JSON.stringify(asked) });
  assert.equal((await response.json()).type, 'message');
  const azure = instrument(new AzureOpenAI({ apiKey: 'none', apiVersion: '2024-10-21', endpoint: base, deployment: 'gpt-4o' }), { book, agent: 'azure', provider: 'azure' });
  await azure.chat.completions.create({ model: 'gpt-4o', messages });
  assert.match(replay.requests.at(-1).path, /deployments\/gpt-4o\/chat\/completions$/);
  const calls = await recorded(book);
  assert.deepEqual(calls.map(({ agent, provider, api }) => [agent, provider, api]), [['bare', undefined, 'anthropic.messages'], ['azure', 'azure', 'openai.chat']]);
});

test('the tool runner leaves a record of every turn, with the tools offered and called', async () => {
  const book = new Ledger(':memory:');
  const client = instrument(
    claude([{ reply: { tool_calls: [{ name: 'get_weather', input: { city: 'Bern' } }], usage: { input_tokens: 400, output_tokens: 30 } } }, { reply: { text: 'Sunny.', usage: { input_tokens: 480, output_tokens: 10 } } }]),
    { book, agent: 'weather' },
  );
  const tool = betaZodTool({ name: 'get_weather', description: 'Gives the weather of a city', inputSchema: z.object({ city: z.string() }), run: async ({ city }) => `It is sunny in ${city}, 21 degrees.` });
  const final = await client.beta.messages.toolRunner({ ...asked, tools: [tool] });
  assert.equal(final.content[0].text, 'Sunny.');
  // The second turn continues a thread that the provider keeps: it names no tools.
  const turns = await recorded(book);
  assert.deepEqual(turns.map(({ tools_offered, tools_called }) => [tools_offered, tools_called]), [[['get_weather'], ['get_weather']], [undefined, undefined]]);
  assert.ok(turns[0].tool_tokens[0].definition_tokens > 10);
});

test("each tool's definition and results have their share of the input", async () => {
  const book = new Ledger(':memory:');
  const client = instrument(claude({ reply: { text: 'Sunny.', usage: { input_tokens: 480, output_tokens: 10 } } }), { book });
  await client.messages.create({
    ...asked,
    tools: [{ name: 'get_weather', description: 'Gives the weather of a city', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }],
    messages: [
      ...messages,
      { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'get_weather', input: { city: 'Bern' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'It is sunny in Bern, 21 degrees.' }] },
    ],
  });
  const [{ tool_tokens, tools_offered, tools_called }] = await recorded(book);
  assert.deepEqual([tools_offered, tools_called], [['get_weather'], undefined]);
  assert.equal(tool_tokens.length, 1);
  assert.ok(tool_tokens[0].definition_tokens > 10 && tool_tokens[0].result_tokens > 3);
});

test('the answers of a batch are recorded when they are read, once, at the price of a batch', async () => {
  const book = new Ledger(':memory:');
  const client = instrument(claude({ reply: { id: undefined } }), { book, agent: 'nightly' });
  const batch = await client.messages.batches.create({ requests: ['a', 'b'].map((custom_id) => ({ custom_id, params: asked })) });
  const read = async () => {
    const ids = [];
    for await (const { custom_id, result } of await client.messages.batches.results(batch.id)) ids.push([custom_id, result.type]);
    return ids;
  };
  assert.deepEqual(await read(), [['a', 'succeeded'], ['b', 'succeeded']]);
  const calls = await recorded(book);
  assert.deepEqual(calls.map(({ agent, batch, cost }) => [agent, batch, cost.total_usd]), [['nightly', true, '0.0000425'], ['nightly', true, '0.0000425']]);

  const again = instrument(claude({ reply: { id: 'msg_same' } }), { book, agent: 'first' });
  const { id } = await again.messages.batches.create({ requests: [{ custom_id: 'c', params: asked }] });
  for (const agent of ['first', 'first', 'second']) {
    await withCall({ agent }, async () => {
      for await (const _ of await again.messages.batches.results(id)) ;
    });
    await flush(book);
  }
  assert.equal((await recorded(book)).length, 3);
  assert.deepEqual([(await book.get('msg_same')).agent, health(book).failed], ['first', 0]);
});

test('a failing ledger is told of once, counted, and never noticed by a call', async () => {
  const told = [];
  const book = { meter: () => { throw new Error('disk full'); } };
  const client = instrument(claude({}), { book, onError: (error) => told.push(error.message) });
  for (let at = 0; at < 3; at += 1) assert.equal((await client.messages.create(asked)).type, 'message');
  assert.deepEqual(told, ['disk full']);
  assert.deepEqual(health(book), { open: 0, recorded: 0, failed: 3, last_error: 'disk full' });

  const closed = new Ledger(':memory:');
  const other = instrument(claude({}), { book: closed, onError: (error) => told.push(error.code) });
  await closed.close();
  for await (const _ of await other.messages.create({ ...asked, stream: true })) ;
  await flush(closed);
  assert.equal(told.at(-1), 'unavailable');
  assert.equal(health(closed).recorded, 0);
});

test('a stream tells what it has used so far, ending with what it used', async () => {
  const book = new Ledger(':memory:');
  const ticks = [];
  const client = instrument(claude({ reply: { text: ' the'.repeat(200), pieces: 50, usage: { input_tokens: 1200, output_tokens: 210 } } }), { book, onUsage: (progress) => ticks.push(progress), onUsageIntervalMs: 0 });
  await client.messages.stream({ ...asked, max_tokens: 1000 }).finalMessage();
  assert.ok(ticks.length > 2);
  const first = ticks.find(({ input_tokens }) => input_tokens !== undefined);
  assert.equal(first.input_tokens, 1200);
  for (const [at, tick] of ticks.entries()) assert.ok((tick.output_tokens ?? 0) >= (ticks[at - 1]?.output_tokens ?? 0), `tick ${at} goes back`);
  const last = ticks.at(-1);
  assert.deepEqual([last.is_final, last.input_tokens, last.output_tokens, last.cost_usd], [true, 1200, 210, '0.00225']);
  const [call] = await recorded(book);
  assert.equal(call.cost.total_usd, last.cost_usd);
});

test('a handler of ticks that fails is reported and breaks nothing', async () => {
  const book = new Ledger(':memory:');
  const errors = [];
  const client = instrument(claude({}), { book, onUsage: () => { throw new Error('handler'); }, onError: (error) => errors.push(error.message) });
  assert.equal((await client.messages.stream(asked).finalMessage()).usage.output_tokens, 12);
  assert.equal((await recorded(book)).length, 1);
  assert.deepEqual(errors, ['handler']);
});

test('no prompt, answer or key is in the ledger', async () => {
  const book = new Ledger(':memory:');
  const secrets = { prompt: 'canary-prompt', answer: 'canary-answer', key: 'sk-canary-key', system: 'canary-system', input: 'canary-input' };
  const client = instrument(claude({ reply: { text: secrets.answer, tool_calls: [{ name: 'search', input: { q: secrets.input } }] } }, { apiKey: secrets.key }), { book });
  await client.messages.create({ ...asked, system: secrets.system, messages: [{ role: 'user', content: secrets.prompt }] });
  await client.messages.stream({ ...asked, system: secrets.system, messages: [{ role: 'user', content: secrets.prompt }] }).finalMessage();
  const text = JSON.stringify(await recorded(book));
  assert.match(text, /search/);
  assert.doesNotMatch(text, /canary/);
});

test('a response that came by another way is recorded with the labels of the context', async () => {
  const book = new Ledger(':memory:');
  const body = { id: 'msg_other', type: 'message', role: 'assistant', model: 'claude-haiku-4-5', content: [], stop_reason: 'end_turn', usage: { input_tokens: 10, output_tokens: 5 } };
  await withCall({ agent: 'importer' }, () => recordResponse({ api: 'anthropic.messages', body }, { book }));
  assert.equal(await recordResponse({ api: 'anthropic.messages', body: '{' }, { book, onError: () => {} }), undefined);
  const [call] = await recorded(book);
  assert.deepEqual([call.id, call.agent, health(book).failed], ['msg_other', 'importer', 1]);
});

const usage = { inputTokens: { total: 100, noCache: 60, cacheRead: 40, cacheWrite: 0 }, outputTokens: { total: 20, text: 20, reasoning: 0 } };
const finishReason = { unified: 'stop', raw: 'stop' };

test('a language model of the AI SDK is recorded by the middleware, whole and streamed', async () => {
  const book = new Ledger(':memory:');
  const chunks = [
    { type: 'stream-start', warnings: [] },
    { type: 'response-metadata', id: 'r2', modelId: 'gpt-4o' },
    { type: 'text-start', id: '1' },
    { type: 'text-delta', id: '1', delta: 'Hel' },
    { type: 'text-delta', id: '1', delta: 'lo' },
    { type: 'text-end', id: '1' },
    { type: 'finish', finishReason, usage },
  ];
  const model = wrapLanguageModel({
    model: new MockLanguageModelV3({
      provider: 'openai.chat',
      modelId: 'gpt-4o',
      doGenerate: async () => ({ finishReason, usage, content: [{ type: 'text', text: 'Hello' }], warnings: [], response: { id: 'r1', modelId: 'gpt-4o' } }),
      doStream: async () => ({ stream: simulateReadableStream({ chunks }) }),
    }),
    middleware: languageModelMiddleware({ book, agent: 'ai' }),
  });
  const { text } = await generateText({ model, prompt: 'hi', maxOutputTokens: 50 });
  assert.equal(text, 'Hello');
  const { textStream } = streamText({ model, prompt: 'hi' });
  let streamed = '';
  for await (const piece of textStream) streamed += piece;
  assert.equal(streamed, 'Hello');
  const calls = await recorded(book);
  assert.equal(calls.length, 2);
  for (const call of calls) {
    assert.deepEqual([call.agent, call.provider, call.model, call.usage.input_tokens, call.usage.cache_read_tokens, call.usage.output_tokens], ['ai', 'openai', 'gpt-4o', 60, 40, 20], JSON.stringify(call));
    assert.equal(call.cost.status, 'priced');
  }
  assert.equal(calls.find(({ id }) => id === 'r1').max_tokens, 50);
});

test('a model of the AI SDK over an instrumented fetch leaves one record', async () => {
  const book = new Ledger(':memory:');
  const base = load({});
  const watched = instrument(fetch, { book, agent: 'fetch' });
  const ask = async () => {
    const response = await watched(`${base}/v1/messages`, { method: 'POST', body: JSON.stringify(asked) });
    const { id } = await response.json();
    return { finishReason, usage, content: [{ type: 'text', text: 'Hello' }], warnings: [], response: { id, modelId: 'claude-haiku-4-5' } };
  };
  const inner = new MockLanguageModelV3({ provider: 'anthropic.messages', modelId: 'claude-haiku-4-5', doGenerate: ask });
  await generateText({ model: wrapLanguageModel({ model: inner, middleware: languageModelMiddleware({ book, agent: 'ai' }) }), prompt: 'hi' });
  assert.deepEqual((await recorded(book)).map(({ agent, api }) => [agent, api]), [['ai', 'ai_sdk']]);
});

test('a stream is read no faster than its reader reads', async () => {
  const book = new Ledger(':memory:');
  const counts = [];
  for (const own of [false, true]) {
    let given = 0;
    const encoder = new TextEncoder();
    const event = (data) => encoder.encode(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
    const body = () =>
      new ReadableStream(
        {
          pull(controller) {
            given += 1;
            if (given === 1) controller.enqueue(event({ type: 'message_start', message: { id: `msg_slow_${own}`, type: 'message', role: 'assistant', model: asked.model, content: [], usage: { input_tokens: 5, output_tokens: 1 } } }));
            else controller.enqueue(event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: ' word' } }));
          },
        },
        { highWaterMark: 0 },
      );
    const bare = new Anthropic({ apiKey: 'none', fetch: async () => new Response(body(), { headers: { 'content-type': 'text/event-stream' } }) });
    const stream = await (own ? instrument(bare, { book }) : bare).messages.create({ ...asked, stream: true });
    const iterator = stream[Symbol.asyncIterator]();
    const seen = [];
    for (let events = 0; events < 10; events += 1) {
      await iterator.next();
      await new Promise((done) => setTimeout(done, 2));
      seen.push(given);
    }
    await iterator.return();
    counts.push(seen);
  }
  assert.deepEqual(counts[1], counts[0]);
  assert.equal((await recorded(book)).length, 1);
});

test('what is no client is refused by name', () => {
  const book = new Ledger(':memory:');
  assert.throws(() => instrument({}, { book }), { code: 'invalid_argument', message: /^client: / });
  assert.throws(() => instrument(claude({}), {}), { code: 'invalid_argument', message: /^book: / });
});

test('a thousand calls at once leave a thousand records, each with its own agent', async () => {
  const book = new Ledger(':memory:');
  const base = load({});
  const client = instrument(new Anthropic({ apiKey: 'none', baseURL: base }), { book });
  await Promise.all(
    Array.from({ length: 1000 }, (_, at) => withCall({ agent: `agent-${at}` }, () => client.messages.create({ ...asked, max_tokens: at + 1 }))),
  );
  const calls = await recorded(book);
  assert.equal(calls.length, 1000);
  for (const call of calls) assert.equal(call.agent, `agent-${call.max_tokens - 1}`);
});

test('a budget refuses a call before it is sent, and stops a stream in its midst', async () => {
  const book = new Ledger(':memory:');
  await book.budgetSet({ name: 'tokens', limit_tokens: 2000, period: 'total' });
  const sent = replay.requests.length;
  const dear = instrument(claude({ reply: {} }), { book, agent: 'editor' });
  await assert.rejects(dear.messages.create({ ...asked, max_tokens: 5000 }), (error) => {
    const own = error.code ? error : error.cause;
    assert.equal(own.code, 'budget_exceeded');
    assert.equal(own.details.budget, 'tokens');
    return true;
  });
  assert.equal(replay.requests.length, sent, 'nothing was sent');

  // Without a limit 1,024 tokens are put aside at a time; the answer is far longer than what is left.
  const long = instrument(openai({ reply: { text: 'word '.repeat(4000), pieces: 400 } }), { book, agent: 'writer' });
  const stream = await long.chat.completions.create({ model: 'gpt-4o', messages, stream: true });
  let chunks = 0;
  await assert.rejects(async () => {
    for await (const chunk of stream) chunks += chunk.choices.length;
  }, (error) => (error.code ?? error.cause?.code) === 'budget_exceeded');
  assert.ok(chunks > 50 && chunks < 250, `${chunks}`);
  // What was refused was no call.
  const calls = await recorded(book);
  assert.deepEqual(calls.map(({ agent }) => agent), ['writer']);
  assert.deepEqual(health(book), { open: 0, recorded: 1, failed: 0 });
  assert.equal((await book.live()).calls.length, 0);
  const [stopped] = calls;
  assert.deepEqual([stopped.partial, stopped.error_class], [true, 'budget_exceeded']);
  const [budget] = (await book.budgets()).budgets;
  assert.equal(budget.held_tokens, 0);
  assert.ok(budget.spent_tokens < 2000, `${budget.spent_tokens}`);
});
