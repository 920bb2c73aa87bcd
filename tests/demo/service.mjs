// A small service in TypeScript's world: three agents through the real `@anthropic-ai/sdk`, with tools and streaming, into
// one ledger. `node service.mjs LEDGER` starts a replay server in place of the provider.
import { createRequire } from 'node:module';
import { Ledger } from '../../node/index.js';
import { flush, instrument, withCall } from '../../node/src/instrument/index.js';
import { logUsage, tokenUsage } from '../../node/src/services/usage-log.js';
import { start } from '../replay/server.mjs';

// The SDK is a tool of the tests, so it lies in their folder.
const Anthropic = createRequire(new URL('../node/', import.meta.url))('@anthropic-ai/sdk').default;

const model = 'claude-haiku-4-5';
const search = { name: 'search_news', description: 'Searches the news of the last day', input_schema: { type: 'object', properties: { query: { type: 'string' }, limit: { type: 'integer' } }, required: ['query'] } };
const weather = { name: 'get_weather', description: 'Gives the weather of a place', input_schema: { type: 'object', properties: { place: { type: 'string' } } } };

const replay = await start();
const agent = (name, steps) => new Anthropic({ apiKey: 'none', baseURL: replay.load(name, steps) });
const producer = agent('producer', [
  { reply: { tool_calls: [{ name: 'search_news', input: { query: 'ledgers' } }], usage: { input_tokens: 812, output_tokens: 58 } } },
  { reply: { text: 'Three stories fit.', usage: { input_tokens: 1010, output_tokens: 24 } } },
]);
const editor = agent('editor', { reply: { text: 'A paragraph of the story. '.repeat(30), pieces: 30, stop_reason: 'max_tokens', usage: { input_tokens: 420, cache_read_tokens: 2048, output_tokens: 400 } } });
const host = agent('host', [{ status: 529, retry_after: 0.01 }, { reply: { text: 'Good evening.', usage: { input_tokens: 95, output_tokens: 12 } } }]);

const book = new Ledger(process.argv[2]);
const live = [];
for (const [client, name] of [[producer, 'producer'], [editor, 'editor'], [host, 'host']]) {
  const onUsage = name === 'editor' ? ({ output_tokens, cost_usd }) => live.push(`${output_tokens} tokens, $${cost_usd}`) : undefined;
  instrument(client, { book, agent: name, session: 'demo-node', onUsage, onUsageIntervalMs: 1 });
}

await withCall({ action: 'analyze' }, async () => {
  const messages = [{ role: 'user', content: 'Find stories about ledgers.' }];
  const tools = [search, weather];
  const found = await producer.messages.create({ model, max_tokens: 300, messages, tools });
  const results = found.content.filter(({ type }) => type === 'tool_use').map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'Double entry turns 532. A ledger was found in a wall. Tokens are counted at last.' }));
  await producer.messages.create({ model, max_tokens: 300, tools, messages: [...messages, { role: 'assistant', content: found.content }, { role: 'user', content: results }] });
});
await withCall({ action: 'stream' }, async () => {
  const stream = editor.messages.stream({ model, max_tokens: 400, messages: [{ role: 'user', content: 'Write the story.' }] });
  logUsage(tokenUsage(await stream.finalMessage(), { max_tokens: 400 }), { subject: 'Story', log: console.log, warn: console.log });
});
await withCall({ action: 'generate' }, () => host.messages.create({ model, max_tokens: 100, messages: [{ role: 'user', content: 'Greet the audience.' }] }));

await flush(book);
console.log('While the editor wrote:', live.at(0), '…', live.at(-1));
await book.close();
await replay.close();
