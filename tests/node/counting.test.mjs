// Batches: cut into parts on their way, and each text counted as it is alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, countBatch } from '../../node/index.js';

test('a batch of several parts counts each text', async () => {
  const texts = ['', 'a', 'caf\u00e9', '\u6f22\u5b57', '\u{1f600}', '\ud83d', '\ude00', 'a\ud800', '\udc00b', 'plain words\n'];
  const many = Array.from({ length: 100_000 }, (_, at) => `${texts[at % texts.length]}${'words and words '.repeat(at % 9)}`);
  // Longer than a part, in the midst of short ones.
  many[50_000] = 'A long text of many words. '.repeat(250_000);
  many[50_001] = '\u041c\u043d\u043e\u0433\u043e \u0441\u043b\u043e\u0432. '.repeat(500_000);
  const counting = countBatch(many);
  const want = many.map((text) => count(text));
  many.fill('changed too late');
  assert.deepEqual(await counting, want);
  const some = await countBatch(texts, { encoding: 'cl100k_base' });
  assert.ok(Array.isArray(some));
  assert.deepEqual(some, texts.map((text) => count(text, { encoding: 'cl100k_base' })));
});

test('an empty batch is empty, and its model must be known all the same', async () => {
  assert.deepEqual(await countBatch([]), []);
  const texts = Array.from({ length: 40 }, () => 'x '.repeat(100_000));
  for (const batch of [[], ['a'], texts]) {
    await assert.rejects(countBatch(batch, { model: 'no-such' }), { code: 'unknown_model', details: { model: 'no-such' } });
  }
  await assert.rejects(countBatch(['a'], { model: 'gpt-4o', encoding: 'o200k_base' }), { code: 'invalid_argument' });
});

test('what is no text is named by its place', async () => {
  const code = 'invalid_argument';
  await assert.rejects(countBatch('ab'), { code, message: 'texts: expected an array of strings' });
  await assert.rejects(countBatch(['a', null]), { code, message: 'texts[1]: expected a string, got null' });
  await assert.rejects(countBatch(['a', , 'b']), { code, message: 'texts[1]: expected a string, got undefined' });
});
