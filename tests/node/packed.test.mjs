// Requests on their way into the core: packed where they are plain, as JSON where they aren't, and counted alike.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { countRequest } from '../../node/index.js';
import { files } from './support.mjs';

const require = createRequire(import.meta.url);
const native = require('../../node/native.cjs');
const { fromFault } = require('../../node/errors.cjs');
const { stringify } = require('../../node/json.cjs');
const { packed } = require('../../node/packed.cjs');

const countPacked = (args) => packed(args, native.countRequestPacked);
const outcome = (work) => {
  try {
    return work();
  } catch (thrown) {
    const { code, message } = fromFault(thrown);
    return { code, message };
  }
};
const byJson = (args) => outcome(() => JSON.parse(native.call('count_request', stringify(args))));
const chat = (content, more = {}) => ({ api: 'openai.chat', body: { model: 'gpt-4o', messages: [{ role: 'user', content }], ...more } });
/** A request with a tool whose schema holds the value, which is counted as it is written. */
const holding = (value) => chat('hi', { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { a: { enum: [value, 'x'], default: value } } } } }] });

test('the vectors are counted packed', () => {
  const { cases } = files.find(({ op }) => op === 'count_request');
  for (const { name, args, want } of cases) {
    if (want) assert.deepEqual(JSON.parse(countPacked(args)), want, name);
  }
});

test('plain values are packed and mean what they mean as JSON', () => {
  const texts = ['', 'a', 'x'.repeat(39), 'x'.repeat(40), 'é', 'é'.repeat(39), '漢字 and "quotes" \\ \n \u0000', '😀', '\ud83d', 'a\udc00b', 'words '.repeat(9000)];
  const numbers = [0, -0, 1, 127, 128, -1, 255, 2 ** 31, 2 ** 32, 2 ** 32 + 5, -(2 ** 31), -(2 ** 40), 2 ** 53 - 1, 1 - 2 ** 53, 0.5, -13.5, 1e-7, 1.5e-300];
  const others = [true, false, null, undefined, () => 1, Symbol('s'), [], [1, [2, undefined, () => 1]], {}, { a: undefined, b: null }, Object.create(null), { ['__proto__']: 1 }, [, 1]];
  for (const value of [...texts, ...numbers, ...others]) {
    const args = holding(value);
    assert.ok(countPacked(args), `not packed: ${typeof value} ${String(JSON.stringify(value)).slice(0, 60)}`);
    assert.deepEqual(JSON.parse(countPacked(args)), byJson(args), String(typeof value === 'object' ? JSON.stringify(value) : value?.toString()));
    if (typeof value === 'string') assert.deepEqual(countRequest(chat(value)), byJson(chat(value)), value);
  }
  const named = Object.fromEntries(texts.map((text) => [text, 1]));
  assert.deepEqual(JSON.parse(countPacked(holding(named))), byJson(holding(named)));
  const body = JSON.stringify(chat('a body as text, long enough to matter').body);
  assert.deepEqual(JSON.parse(countPacked({ api: 'openai.chat', body })), byJson({ api: 'openai.chat', body }));
});

test('what is out of the ordinary is left to JSON', () => {
  class Point {
    x = 1;
  }
  const cycle = {};
  cycle.again = cycle;
  let deep = 'x';
  for (let level = 0; level < 70; level += 1) deep = [deep];
  let deeper = 'x';
  for (let level = 0; level < 200; level += 1) deeper = [deeper];
  const refusing = { get x() { throw new Error('not now'); } };
  const odd = [NaN, Infinity, 5n, 2 ** 53, -(2 ** 60), 1e21, 1.5e300, new Date(0), new Point(), { toJSON: () => 'json' }, new Map([[1, 2]]), cycle, deep, deeper, refusing, 'x'.repeat(200_000), Array.from({ length: 200_000 }, () => 1), new Array(1e5).fill('many short texts')];
  for (const value of odd) {
    const args = holding(value);
    assert.equal(countPacked(args), undefined);
    assert.deepEqual(outcome(() => countRequest(args)), byJson(args));
  }
  assert.ok(countPacked(holding(1)), 'the next one is packed again');
});

test('what is refused is refused in the same words', () => {
  for (const args of [undefined, null, 1, 'x', [], {}, { api: 'no.such', body: {} }, { api: 'openai.chat' }, { api: 'openai.chat', body: null }, { api: 'openai.chat', body: 1 }, { api: 'openai.chat', body: {} }, { api: 'ai_sdk', body: { model: 'gpt-4o' } }, { ...chat('hi'), more: 1 }, { ...chat('hi'), model: 1 }, { api: 'openai.chat', body: '{"model": ' }]) {
    assert.deepEqual(outcome(() => countRequest(args)), byJson(args));
    assert.ok(byJson(args).code);
  }
  assert.deepEqual(countRequest({ ...chat('hi'), model: null }), byJson(chat('hi')));
});

test('a request that counts another while it is read is counted right', () => {
  const inner = chat('an inner question, of a length of its own');
  let counted;
  const outer = chat('an outer question');
  Object.defineProperty(outer.body.messages[0], 'name', { enumerable: true, get: () => { counted = countRequest(inner); return 'ada'; } });
  const plain = chat('an outer question');
  plain.body.messages[0].name = 'ada';
  assert.deepEqual(countRequest(outer), byJson(plain));
  assert.deepEqual(counted, byJson(inner));
});
