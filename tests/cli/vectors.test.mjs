// Runs the vectors that every language shares through `tokenbook ops`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LEDGER_OPS, files } from '../node/support.mjs';

const bin = process.env.TOKENBOOK_BIN;
assert.ok(bin, 'TOKENBOOK_BIN names the built command line');

function ops(lines, ...more) {
  const input = lines.map((line) => JSON.stringify(line)).join('\n') + '\n';
  const { status, stdout, stderr } = spawnSync(bin, ['--ledger', ':memory:', ...more, 'ops'], { input, maxBuffer: 1 << 28 });
  assert.equal(status, 0, String(stderr));
  const answers = String(stdout).split('\n');
  assert.equal(answers.pop(), '');
  assert.equal(answers.length, lines.length);
  return answers.map((answer) => JSON.parse(answer));
}

function check(answer, { name, want, error }) {
  if (!error) return assert.deepEqual(answer, { ok: want }, name);
  assert.deepEqual({ code: answer.error?.code, message: answer.error?.message }, error, name);
}

let ran = 0;
for (const { op, cases } of files) {
  test(op, () => {
    if (LEDGER_OPS.has(op)) {
      for (const item of cases) {
        const steps = item.setup ?? [];
        check(ops([...steps, { op, args: item.args }]).at(-1), item);
        ran += 1;
      }
      return;
    }
    const answers = ops(cases.map(({ args }) => ({ op, args })));
    cases.forEach((item, at) => check(answers[at], item));
    ran += cases.length;
  });
}

test('the vectors of families, whose vocabularies are in a folder', () => {
  const root = new URL('../../', import.meta.url);
  for (const name of readdirSync(new URL('tests/vectors/families/', root))) {
    const { op, cases } = JSON.parse(readFileSync(new URL(`tests/vectors/families/${name}`, root), 'utf8'));
    const folder = fileURLToPath(new URL('vocabularies/data', root));
    const answers = ops(cases.map(({ args }) => ({ op, args })), '--vocabularies', folder);
    cases.forEach((item, at) => check(answers[at], item));
    assert.ok(cases.length > 20);
  }
});

test('no case is missing', () => {
  assert.equal(ran, files.reduce((sum, { cases }) => sum + cases.length, 0));
  assert.ok(ran > 0);
});
