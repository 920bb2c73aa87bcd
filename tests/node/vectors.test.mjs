// Runs the vectors that every language shares.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as tokenbook from '../../node/index.js';
import { LEDGER_OPS, files } from './support.mjs';

const require = createRequire(import.meta.url);
const native = require('../../node/native.cjs');
const { fromFault } = require('../../node/errors.cjs');
const { stringify } = require('../../node/json.cjs');

async function run(op, { args, setup = [] }) {
  if (!LEDGER_OPS.has(op)) return JSON.parse(native.call(op, stringify(args)));
  const book = new native.Ledger('{"path": ":memory:"}');
  for (const step of setup) await book.call(step.op, stringify(step.args));
  return JSON.parse(await book.call(op, stringify(args)));
}

let ran = 0;
for (const { op, cases } of files) {
  test(op, async () => {
    for (const { name, want, error, ...rest } of cases) {
      ran += 1;
      let answer;
      try {
        answer = await run(op, rest);
      } catch (thrown) {
        const { code, message } = fromFault(thrown);
        assert.deepEqual({ code, message }, error, name);
        continue;
      }
      assert.deepEqual(answer, want, name);
    }
  });
}

test('no case is missing', () => {
  const held = files.reduce((sum, { cases }) => sum + cases.length, 0);
  assert.ok(held > 0);
  assert.equal(ran, held);
});

const camel = (op) => op.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

test('the functions of the package say the same', async () => {
  for (const op of ['extract', 'cost', 'count_request', 'estimate']) {
    for (const { name, args, want } of files.find((file) => file.op === op)?.cases ?? []) {
      if (want) assert.deepEqual(await tokenbook[camel(op)](args), want, `${op} ${name}`);
    }
  }
});

test('the hot paths say the same', async () => {
  for (const { args, want, name } of files.find(({ op }) => op === 'count').cases) {
    if (want) assert.equal(tokenbook.count(args.text, args), want.tokens, name);
  }
  for (const { args, want, name } of files.find(({ op }) => op === 'count_batch').cases) {
    if (want) assert.deepEqual(await tokenbook.countBatch(args.texts, args), want.tokens, name);
  }
});
