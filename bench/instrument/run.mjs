// What an instrumented client of `@anthropic-ai/sdk` adds to a call, and what stays of it:
// `node --expose-gc bench/instrument/run.mjs [calls]` (needs `make target/.node target/.node-tools`).
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Ledger } from '../../node/index.js';
import { flush, health, instrument, withCall } from '../../node/src/instrument/index.js';

const Anthropic = createRequire(new URL('../../tests/node/', import.meta.url))('@anthropic-ai/sdk').default;
const many = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), 'tokenbook-bench-'));
const book = new Ledger(join(folder, 'bench.db'));
// A provider is another process.
const replay = spawn(process.execPath, [fileURLToPath(new URL('../../tests/replay/server.mjs', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
const { url } = JSON.parse(await new Promise((done) => replay.stdout.once('data', done)));
const asked = { model: 'claude-haiku-4-5', max_tokens: 100, system: 'You are brief. '.repeat(200), messages: [{ role: 'user', content: 'Name a colour.' }] };
const client = (settings) => new Anthropic({ apiKey: 'none', maxRetries: 0, ...settings });
const WAIT_MS = 4000;
const reply = { text: 'Blue.', usage: { input_tokens: 612, output_tokens: 14 } };
await fetch(`${url}/replay/scripts`, { method: 'POST', body: JSON.stringify({ quick: { reply }, slow: { reply, delay_ms: WAIT_MS } }) });
const both = (script) => [client({ baseURL: `${url}/s/${script}` }), instrument(client({ baseURL: `${url}/s/${script}` }), { book, agent: 'bench' })];

const at = (times, share) => times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];
function told(what, bare, own) {
  const figures = [bare, own].map((times) => `p50 ${at(times, 0.5).toFixed(3)} ms, p99 ${at(times, 0.99).toFixed(3)} ms`);
  console.log(`${what}: bare ${figures[0]}; instrumented ${figures[1]}`);
  const added = [0.5, 0.99].map((share) => (at(own, share) - at(bare, share)).toFixed(3));
  console.log(`  added: p50 ${added[0]} ms, p99 ${added[1]} ms (at most 1 wanted)`);
}
async function timed(one, list, base = 0) {
  const began = performance.now();
  await one.messages.create(asked);
  list.push(performance.now() - began - base);
}

// One call after the other, bare and instrumented in turns, so that both meet the same machine.
{
  const [bare, own] = both('quick');
  const [bareTimes, ownTimes] = [[], []];
  for (let round = 0; round < 3200; round += 1) {
    const pair = [[bare, round < 200 ? [] : bareTimes], [own, round < 200 ? [] : ownTimes]];
    for (const [one, list] of round % 2 === 0 ? pair : pair.reverse()) await timed(one, list);
  }
  told('one after the other', bareTimes, ownTimes);
}

// A thousand of each under way at any time: answers take four seconds, and every four milliseconds one of each is asked.
{
  const [bare, own] = both('slow');
  const [bareTimes, ownTimes] = [[], []];
  const under = [];
  const began = performance.now();
  for (let round = 0; round < 3000; round += 1) {
    const wait = began + round * 4 - performance.now();
    if (wait > 0) await sleep(wait);
    const pair = [[bare, round < 1000 ? [] : bareTimes], [own, round < 1000 ? [] : ownTimes]];
    for (const [one, list] of round % 2 === 0 ? pair : pair.reverse()) under.push(timed(one, list, WAIT_MS));
  }
  await Promise.all(under);
  told('1,000 under way, without the time of the answer', bareTimes, ownTimes);
}

// A thousand started at once, each of an agent of its own.
{
  const [, own] = both('quick');
  await flush(book);
  const before = (await book.report()).total.calls;
  const agents = Array.from({ length: 1000 }, (_, number) => `agent-${number}`);
  await Promise.all(agents.map((agent) => withCall({ agent }, () => own.messages.create(asked))));
  await flush(book);
  const { rows, total } = await book.report({ group_by: ['agent'], limit: 2000 });
  const right = rows.filter(({ agent, calls }) => agent?.startsWith('agent-') && calls === 1).length;
  console.log(`1,000 at once: ${total.calls - before} records, ${right} with the right agent`);
}

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
replay.stdin.end();
rmSync(folder, { recursive: true });
