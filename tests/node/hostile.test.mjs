// Input that no careful caller would give: each is refused with a named error, and the next call works.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Ledger, TokenbookError, UsageStream, cost, count, countBatch, countUpTo, extract } from '../../node/index.js';

const native = createRequire(import.meta.url)('../../node/native.cjs');
const at = '2026-11-20T00:00:00Z';
const { cases } = JSON.parse(readFileSync(new URL('../hostile.json', import.meta.url), 'utf8'));

function fault(work) {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof TokenbookError, `${error}`);
    return { code: error.code, message: error.message };
  }
  return assert.fail('nothing was thrown');
}

/** Values that JSON can't write, by the name that the shared cases give them. */
const special = { NaN, Infinity, '-Infinity': -Infinity, 'lone surrogate': '\ud800', '100 MB': 'a'.repeat(1e8), 'a million keys': Object.fromEntries(Array.from({ length: 1e6 }, (_, at) => [`k${at}`, 0])) };
let deep = {};
for (let level = 0; level < 100_000; level += 1) deep = { deep };
special['100,000 levels'] = deep;
/** A written value with what it names in place of the names. */
const value = (written) => {
  if (written === null || typeof written !== 'object' || Array.isArray(written)) return written;
  return '$special' in written ? special[written.$special] : values(written);
};
const values = (written) => Object.fromEntries(Object.entries(written).map(([key, item]) => [key, value(item)]));

for (const { name, usage, code, message, ...rest } of cases) {
  test(`a cost of ${name}`, () => {
    const args = { model: 'gpt-4o', at, usage: value({ input_tokens: 1, ...usage }), ...values(rest) };
    assert.deepEqual(fault(() => cost(args)), { code, message });
    assert.equal(cost({ model: 'gpt-4o', at, usage: { input_tokens: 1 } }).total_usd, '0.0000025');
  });
}

test('a BigInt is refused, not rounded', () => {
  const { code, message } = fault(() => cost({ model: 'gpt-4o', at, usage: { input_tokens: 5n } }));
  assert.equal(code, 'invalid_argument');
  assert.match(message, /usage\.input_tokens: .*5n/);
});

test('counting takes text only', async () => {
  for (const text of [1, null, undefined, {}, true]) assert.equal(fault(() => count(text)).code, 'invalid_argument');
  await assert.rejects(countBatch(['a', 1]), { code: 'invalid_argument', message: 'texts[1]: expected a string, got number' });
  for (const limit of [-1, 1.5, NaN, Infinity, 2 ** 53, '1', null]) assert.equal(fault(() => countUpTo('a', limit)).code, 'invalid_argument');
  assert.equal(count('a'), 1);
});

test('a lone surrogate counts as the replacement character', () => {
  assert.equal(count('\ud800'), count('\ufffd'));
  assert.equal(count('a\udc00b'), count('a\ufffdb'));
});

test('a hundred megabytes are counted and a null byte is text', () => {
  assert.equal(count('\0'), 1);
  assert.ok(count('a '.repeat(5e7)) > 1e6);
});

test('a panic inside becomes an error and the next call works', () => {
  assert.throws(() => native.call('panic', '{}'), /"code":"internal"/);
  assert.equal(count('a'), 1);
});

test('a ledger refuses names that no file should hold', async () => {
  const book = new Ledger(':memory:');
  for (const agent of ['a\0b', 'a'.repeat(1e6), '']) {
    await assert.rejects(book.record({ model: 'gpt-4o', at, agent }), { code: 'invalid_argument' });
  }
  for (const wrong of ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', 'yesterday', 5]) {
    await assert.rejects(book.record({ model: 'gpt-4o', at: wrong }), { code: 'invalid_argument' });
  }
  assert.equal((await book.record({ model: 'gpt-4o', at })).status, 'recorded');
});

test('bytes that are no UTF-8 do not end a stream', () => {
  const stream = new UsageStream({ api: 'openai.chat' });
  stream.push(new Uint8Array([0xff, 0xfe, 0x00, 0x0a, 0x0a]));
  assert.equal(stream.finish().partial, true);
  assert.throws(() => stream.finish(), { code: 'invalid_argument' });
});

test('an object that refers to itself is refused', () => {
  const loop = {};
  loop.loop = loop;
  assert.equal(fault(() => extract({ api: 'openai.chat', body: loop })).code, 'invalid_argument');
});
