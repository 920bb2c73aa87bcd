// What an instrumented client of `@anthropic-ai/sdk` adds to a call, and what stays of it:
// `node --expose-gc bench/instrument/run.mjs [calls]` (needs `make target/.node target/.node-tools`).
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ledger } from '../../node/index.js';
import { flush, health, instrument, withCall } from '../../node/src/instrument/index.js';
import { start } from '../../tests/replay/server.mjs';

const Anthropic = createRequire(new URL('../../tests/node/', import.meta.url))('@anthropic-ai/sdk').default;
const many = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), 'tokenbook-bench-'));
const book = new Ledger(join(folder, 'bench.db'));
const replay = await start();
const asked = { model: 'claude-haiku-4-5', max_tokens: 100, system: 'You are brief. '.repeat(200), messages: [{ role: 'user', content: 'Name a colour.' }] };
const client = (settings) => new Anthropic({ apiKey: 'none', maxRetries: 0, ...settings });
const base = replay.load('bench', { reply: { text: 'Blue.', usage: { input_tokens: 612, output_tokens: 14 } } });

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const told = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return [0.5, 0.99].map((share) => at(sorted, share));
};

// One call after the other, bare and instrumented in turns, so that both meet the same machine.
const bare = client({ baseURL: base });
const own = instrument(client({ baseURL: base }), { book, agent: 'bench' });
const times = new Map([[bare, []], [own, []]]);
for (let round = 0; round < 2200; round += 1) {
  for (const [one, list] of round % 2 === 0 ? times : [...times].reverse()) {
    const began = performance.now();
    await one.messages.create(asked);
    if (round >= 200) list.push(performance.now() - began);
  }
}
const [[bare50, bare99], [own50, own99]] = [told(times.get(bare)), told(times.get(own))];
console.log(`one after the other: bare p50 ${bare50.toFixed(3)} ms, p99 ${bare99.toFixed(3)} ms; instrumented p50 ${own50.toFixed(3)} ms, p99 ${own99.toFixed(3)} ms`);
console.log(`added: p50 ${(own50 - bare50).toFixed(3)} ms, p99 ${(own99 - bare99).toFixed(3)} ms (at most 1 wanted)`);
await flush(book);

// A thousand at once, each of an agent of its own.
const before = (await book.report()).total.calls;
const agents = Array.from({ length: 1000 }, (_, number) => `agent-${number}`);
await Promise.all(agents.map((agent) => withCall({ agent }, () => own.messages.create(asked))));
await flush(book);
const { rows, total } = await book.report({ group_by: ['agent'], limit: 2000 });
const right = rows.filter(({ agent, calls }) => agent?.startsWith('agent-') && calls === 1).length;
console.log(`1,000 at once: ${total.calls - before} records, ${right} with the right agent`);

// Many calls whose answers come from memory: what the process keeps of them.
const answer = (id) => new Response(JSON.stringify({ type: 'message', id, role: 'assistant', model: asked.model, content: [{ type: 'text', text: 'Blue.' }], stop_reason: 'end_turn', usage: { input_tokens: 612, output_tokens: 14 } }), { headers: { 'content-type': 'application/json' } });
let number = 0;
const memory = instrument(client({ fetch: async () => answer(`msg_${(number += 1)}`) }), { book, agent: 'memory' });
const megabytes = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1e6;
};
const marks = [];
const cpu = process.cpuUsage();
for (let done = 0; done < many; done += 100) {
  await Promise.all(Array.from({ length: 100 }, () => memory.messages.create(asked)));
  if ((done + 100) % (many / 5) === 0) {
    await flush(book);
    marks.push(megabytes().toFixed(0));
  }
}
const { user, system } = process.cpuUsage(cpu);
console.log(`${many.toLocaleString('en')} calls: ${((user + system) / many).toFixed(0)} µs of processor time a call, the SDK's own included; resident after each fifth: ${marks.join(', ')} MB`);
console.log(`not recorded: ${health(book).failed}; verify: ${(await book.verify()).ok}`);
await book.close();
await replay.close();
rmSync(folder, { recursive: true });
