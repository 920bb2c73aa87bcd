// The build for browsers: the vectors that every language shares, in Node and in a headless Chromium.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import { LEDGER_OPS, files } from '../node/support.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const isBuilt = existsSync(join(root, 'node/web/tokenbook.wasm'));
const skip = isBuilt || process.env.TOKENBOOK_NEEDS_WEB ? false : 'node/web is not built: `make web` says what it needs';
const pure = files.filter(({ op }) => !LEDGER_OPS.has(op));

/** Runs every vector; also read as text by the page. */
async function runVectors(tokenbook, pure) {
  const differences = [];
  let ran = 0;
  for (const { op, cases } of pure) {
    for (const { name, args, want, error } of cases) {
      let got;
      try {
        got = { want: await tokenbook.lazily(() => tokenbook.call(op, args)) };
      } catch (thrown) {
        got = { error: { code: thrown.code, message: thrown.message } };
      }
      ran += 1;
      const sorted = (value) => JSON.stringify(value, (_, inner) => (inner && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner));
      if (sorted(got) !== sorted(want === undefined ? { error } : { want })) differences.push(`${op} ${name}: ${JSON.stringify(got).slice(0, 300)}`);
    }
  }
  return { ran, differences };
}

const held = pure.reduce((sum, { cases }) => sum + cases.length, 0);

test('the vectors hold in Node', { skip }, async () => {
  const tokenbook = await import('../../node/web/index.js');
  assert.throws(() => tokenbook.count('a'), { code: 'unavailable', message: /await load\(\)/ });
  await tokenbook.load();
  assert.throws(() => tokenbook.count('a'), { code: 'unavailable', message: /load\('o200k_base'\)/ });
  assert.equal(tokenbook.version().version, JSON.parse(readFileSync(join(root, 'node/package.json'), 'utf8')).version);
  const { ran, differences } = await runVectors(tokenbook, pure);
  assert.deepEqual(differences, []);
  assert.equal(ran, held);
  assert.ok(ran > 100);

  assert.equal(tokenbook.count('Hello, world'), 3);
  assert.equal(tokenbook.countUpTo('Hello, world', 2), undefined);
  assert.deepEqual(await tokenbook.countBatch(['a', 'Hello, world']), [1, 3]);
  assert.throws(() => tokenbook.call('report', {}), { code: 'invalid_argument', message: /needs an open ledger/ });
});

test('a bug ends no page', { skip }, async () => {
  const tokenbook = await import('../../node/web/index.js');
  await tokenbook.load('gpt-4o');
  const stream = new tokenbook.UsageStream({ api: 'openai.chat' });
  assert.throws(() => tokenbook.call('panic', {}), { code: 'internal', message: /asked to/ });
  assert.throws(() => stream.soFar(), { code: 'internal' });
  assert.equal(tokenbook.count('Hello, world'), 3);
  for (let at = 0; at < 20_000; at += 1) assert.throws(() => tokenbook.count('a', { encoding: 'none' }), { code: 'unknown_model' });
});

test('a stream is read in pieces', { skip }, async () => {
  const tokenbook = await import('../../node/web/index.js');
  await tokenbook.load();
  const { args, want } = files.find(({ op }) => op === 'extract_stream').cases.find(({ args, want }) => args.text && want?.usage);
  const stream = new tokenbook.UsageStream({ api: args.api });
  for (const byte of Buffer.from(args.text)) stream.push(new Uint8Array([byte]));
  assert.deepEqual(stream.finish().usage, want.usage);
});

/** Serves the repository's web folder. */
async function serve() {
  const types = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://a').pathname));
    if (path === '/') return response.setHeader('content-type', 'text/html').end('<!doctype html><title>tokenbook</title>');
    const file = join(root, 'node/web', path);
    if (!existsSync(file)) return response.writeHead(404).end();
    return response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream').end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

test('the vectors hold in Chromium', async (context) => {
  if (skip) return context.skip(skip);
  const browser = await launch();
  if (typeof browser === 'string') return context.skip(browser);
  const server = await serve();
  try {
    const page = await browser.newPage();
    const fetched = [];
    page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    await page.goto(server.url);
    const cost = await page.evaluate(async () => {
      const tokenbook = await import('/index.js');
      await tokenbook.load();
      return tokenbook.cost({ model: 'gpt-4o', usage: { input_tokens: 1000 }, at: '2026-11-20T00:00:00Z' }).total_usd;
    });
    assert.equal(cost, '0.0025');
    assert.ok(!fetched.some((path) => path.endsWith('.merges')), 'a vocabulary is fetched when it is needed');
    const { ran, differences } = await page.evaluate(
      async ([code, vectors]) => new Function(`return ${code}`)()(await import('/index.js'), vectors),
      [String(runVectors), pure],
    );
    assert.deepEqual(differences, []);
    assert.equal(ran, held);
    assert.equal(fetched.filter((path) => path.endsWith('o200k_base.merges')).length, 1);
  } finally {
    await browser.close();
    server.close();
  }
});
