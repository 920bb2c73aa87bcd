// The example app of the Convex component: it compiles under `strict`, and does what it says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { consumer, modules } from './consumer.mjs';

const folder = consumer(['convex', 'convex-test']);
after(() => rmSync(folder, { recursive: true }));

let t;
before(async () => {
  cpSync(fileURLToPath(new URL('../../node/example', import.meta.url)), folder, { recursive: true });
  try {
    execFileSync(join(modules, '.bin', 'tsc'), ['--project', folder, '--rootDir', folder, '--outDir', join(folder, 'built')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    assert.fail(`${error.stdout}`);
  }
  writeFileSync(join(folder, 'built', 'package.json'), '{"type": "module"}');
  const load = (path) => import(pathToFileURL(join(folder, path)).href);
  const [{ convexTest }, { default: schema }, { register }] = await Promise.all([
    import('convex-test'),
    load('built/convex/schema.js'),
    load('node_modules/tokenbook/src/convex/test.js'),
  ]);
  const modulesOf = (names) => Object.fromEntries(names.map((name) => [`./${name}.js`, () => load(`built/convex/${name}.js`)]));
  t = convexTest(schema, modulesOf(['_generated/api', '_generated/server', 'drafts', 'tokenUsage']));
  register(t);
});

const response = { id: 'msg_1', model: 'claude-haiku-4-5', input_tokens: 1200, output_tokens: 800, cost_usd: '0.0052' };
const draft = { writer: 'ada', headline: 'Sea', text: 'Blue.', response };

test('a draft is stored with what it took, or not at all', async () => {
  const id = await t.mutation('drafts:store', draft);
  assert.deepEqual(await t.query('drafts:ofWriter', { writer: 'ada' }), [{ headline: 'Sea', tokens: 2000 }]);
  // The same response with other content is refused, and takes its draft along.
  await assert.rejects(t.mutation('drafts:store', { ...draft, headline: 'Sky', response: { ...response, output_tokens: 1 } }));
  await assert.rejects(t.mutation('drafts:store', { ...draft, headline: 'Sky', response: { ...response, id: 'msg_2', input_tokens: -1 } }));
  assert.deepEqual((await t.query('drafts:ofWriter', { writer: 'ada' })).map(({ headline }) => headline), ['Sea']);
  const [row] = await t.withIdentity({ name: 'Ada' }).query('tokenUsage:getRecentUsage', {});
  assert.deepEqual([row.source_post_id, row.session_id, row.total_tokens], [id, 'ada', 2000]);
});

test('its page asks only for those who are signed in', async () => {
  await assert.rejects(t.query('tokenUsage:getAggregatedStats', {}), /not signed in/);
  const stats = await t.withIdentity({ name: 'Ada' }).query('tokenUsage:getAggregatedStats', {});
  assert.deepEqual([stats.total_requests, stats.total_tokens, stats.total_cost], [1, 2000, 0.0052]);
});
