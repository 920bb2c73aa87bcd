// The vocabularies of other families, which are a package of their own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as tokenbook from '../../node/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'tests/vectors/families');
const vocabularies = join(root, 'vocabularies');

test('the vectors of families hold once their folder is named', async () => {
  assert.throws(() => tokenbook.count('a', { model: 'qwen3-32b' }), { code: 'unavailable', message: /tokenbook-vocabularies/ });
  assert.throws(() => tokenbook.vocabularies({ folder: '/nowhere' }), { code: 'invalid_argument' });
  assert.ok(tokenbook.vocabularies().missing.includes('qwen'));
  assert.deepEqual(tokenbook.vocabularies({ folder: join(vocabularies, 'data') }).missing, []);
  let ran = 0;
  for (const name of readdirSync(folder)) {
    const { op, cases } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    for (const { name: label, args, want } of cases) {
      if (op === 'count') assert.equal(tokenbook.count(args.text, { encoding: args.encoding, model: args.model }), want.tokens, label);
      else assert.deepEqual(tokenbook.countRequest(args), want, label);
      ran += 1;
    }
  }
  assert.ok(ran > 100);
  assert.deepEqual(await tokenbook.countBatch(['Hello, world!', ''], { encoding: 'kimi_k2' }), [4, 0]);
});

test('an installed package is found by itself', () => {
  const place = mkdtempSync(join(tmpdir(), 'tokenbook-vocabularies-'));
  try {
    mkdirSync(join(place, 'node_modules'));
    // Copied, for a link leads back to where it is not installed.
    cpSync(join(root, 'node'), join(place, 'node_modules/tokenbook'), {
      recursive: true,
      filter: (path) => !/node\/(node_modules|example|web)(\/|$)/.test(path),
    });
    symlinkSync(vocabularies, join(place, 'node_modules/tokenbook-vocabularies'));
    const script = "const t = require('tokenbook'); console.log(t.count('Hello, world! 123', { model: 'deepseek-chat' }), t.vocabularies().missing.length)";
    assert.equal(execFileSync(process.execPath, ['-e', script], { cwd: place, encoding: 'utf8' }), '6 0\n');
  } finally {
    rmSync(place, { recursive: true });
  }
});
