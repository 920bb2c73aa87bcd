// The Convex component, run by convex-test. It runs mutations one after another, so it can't show how writes conflict.
import './from-here.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';

const { componentsGeneric, defineSchema } = await import('convex/server');
const { convexTest } = await import('convex-test');
const { TokenUsage, fromTokenUsageRow, rowOfCall, toTokenUsageRow } = await import('../../node/src/convex/client/index.js');
const { default: component, register } = await import('../../node/src/convex/test.js');
const { TokenCountingService } = await import('../../node/src/services/smnb.js');
const { Ledger } = await import('../../node/index.js');

const usage = new TokenUsage(componentsGeneric().tokenbook);
const functions = usage.functions();

function app() {
  const t = convexTest(defineSchema({}), { './_generated/api.js': async () => ({}), './tokenUsage.js': async () => functions });
  register(t);
  const ask = (name) => (args = {}) => (name.startsWith('get') || name.startsWith('list') ? t.query : t.mutation)(`tokenUsage:${name}`, args);
  return Object.assign(t, Object.fromEntries(Object.keys(functions).map((name) => [name, ask(name)])));
}

const HAIKU = 'claude-3-5-haiku-20241022';
const HOUR = 3_600_000;
const NOON = Date.parse('2026-11-20T12:30:00Z');
let rows = 0;
/** A row of the old schema. */
const row = (changes = {}) => ({
  request_id: `r${(rows += 1)}`,
  timestamp: NOON,
  model: HAIKU,
  action: 'stream',
  input_tokens: 1200,
  output_tokens: 800,
  total_tokens: 2000,
  estimated_cost: 0.00416,
  request_type: 'editor',
  success: true,
  ...changes,
});

test('a request is recorded once, and other content under its id is refused', async () => {
  const t = app();
  const given = row({ tools_used: 'a,b', has_tools: true });
  const id = await t.recordTokenUsage(given);
  assert.equal(await t.recordTokenUsage(given), id);
  await assert.rejects(t.recordTokenUsage({ ...given, output_tokens: 801 }), /conflict|another output_tokens/);
  const stats = await t.getAggregatedStats({ now: NOON });
  assert.deepEqual([stats.total_requests, stats.total_tokens, stats.total_cost], [1, 2000, 0.00416]);
});

test('rows that are none are refused by the name of the field', async () => {
  const t = app();
  for (const [field, value] of [['input_tokens', -1], ['output_tokens', 1.5], ['total_tokens', Number.NaN], ['estimated_cost', -0.1], ['timestamp', -5], ['model', ''], ['duration', -1]]) {
    await assert.rejects(t.recordTokenUsage(row({ [field]: value })), new RegExp(field), field);
  }
  await assert.rejects(t.recordTokenUsage(row({ surprise: 1 })));
  await assert.rejects(t.getRecentUsage({ limit: 0 }), /limit/);
  assert.equal((await t.getRecentUsage()).length, 0);
});

test('sums come out of what is kept, and are those of the rows', async () => {
  const t = app();
  const of = (hours, changes) => row({ timestamp: NOON + hours * HOUR, ...changes });
  const all = [
    of(-49, { request_type: 'host', action: 'generate', tools_used: 'search,search', has_tools: true, tool_definitions_tokens: 400, tool_results_tokens: 150 }),
    of(-24, { model: 'unknown', estimated_cost: 0, unpriced: true, success: false }),
    of(-1, { request_type: 'producer' }),
    of(0, {}),
    of(0.4, { cost_pico_usd: 4_160_000_001n }),
  ];
  for (const each of all) await t.recordTokenUsage(each);
  for (const [startTime, endTime] of [[undefined, undefined], [NOON - 30 * HOUR, NOON + HOUR], [NOON, NOON + 1], [NOON - 24 * HOUR, NOON], [NOON - 60 * HOUR, NOON - 48 * HOUR], [5, 5]]) {
    const stats = await t.getAggregatedStats({ ...(startTime === undefined ? {} : { startTime, endTime }), now: NOON });
    const within = all.filter(({ timestamp }) => startTime === undefined || (timestamp >= startTime && timestamp < endTime));
    const sum = (field) => within.reduce((total, each) => total + (each[field] ?? 0), 0);
    assert.deepEqual(
      [stats.total_requests, stats.total_input_tokens, stats.total_output_tokens, stats.total_tokens, stats.total_tool_definitions_tokens, stats.unpriced_requests],
      [within.length, sum('input_tokens'), sum('output_tokens'), sum('total_tokens'), sum('tool_definitions_tokens'), within.filter(({ unpriced }) => unpriced).length],
      `${startTime} to ${endTime}`,
    );
  }
  const stats = await t.getAggregatedStats({ now: NOON });
  assert.equal(stats.total_cost_pico_usd, 3n * 4_160_000_000n + 4_160_000_001n);
  assert.deepEqual(stats.requests_by_type, { host: 1, editor: 3, producer: 1 });
  assert.deepEqual(stats.requests_by_model, { [HAIKU]: 4, unknown: 1 });
  assert.deepEqual(stats.tokens_by_type, { host: 2000, editor: 6000, producer: 2000 });
  assert.deepEqual(stats.tool_usage_by_type, { search: 2 });
  assert.deepEqual([stats.successful_requests, stats.failed_requests, stats.total_tool_requests], [4, 1, 1]);
  assert.equal(stats.hourly_usage.length, 24);
  // The hour of a day ago is not in the hour of now.
  assert.deepEqual(stats.hourly_usage.at(-1), { hour: '12:00', start: NOON - HOUR / 2, requests: 2, tokens: 4000, cost: 0.008320000001 });
  assert.equal(stats.hourly_usage.reduce((total, { requests }) => total + requests, 0), 3);
});

test('days are those of UTC, and days without requests are there', async () => {
  const t = app();
  await t.recordTokenUsage(row({ timestamp: Date.parse('2026-11-18T23:59:59.999Z') }));
  await t.recordTokenUsage(row({ timestamp: Date.parse('2026-11-20T00:00:00Z') }));
  const days = await t.getDailyUsage({ days: 3, now: NOON });
  assert.deepEqual(days.map(({ day, requests, tokens }) => [day, requests, tokens]), [['2026-11-18', 1, 2000], ['2026-11-19', 0, 0], ['2026-11-20', 1, 2000]]);
});

test('every index answers, newest first by the time of the request', async () => {
  const t = app();
  const first = row({ timestamp: NOON + 5, session_id: 's1', source_post_id: 'p1', has_tools: true });
  const second = row({ timestamp: NOON, model: 'gpt-4o', action: 'analyze', request_type: 'host', success: false, session_id: 's2', source_post_id: 'p2', has_tools: false });
  // Inserted the other way round than they happened.
  await t.recordTokenUsage(first);
  await t.recordTokenUsage(second);
  const ids = async (args) => (await t.getTokenUsageStats(args)).map(({ request_id }) => request_id);
  assert.deepEqual(await ids({}), [first.request_id, second.request_id]);
  assert.deepEqual(await ids({ startTime: NOON, endTime: NOON + 5 }), [second.request_id]);
  for (const field of ['model', 'action', 'request_type', 'success', 'session_id', 'source_post_id', 'has_tools']) {
    assert.deepEqual(await ids({ [field]: first[field] }), [first.request_id], field);
    assert.deepEqual(await ids({ [field]: second[field] }), [second.request_id], field);
  }
  assert.deepEqual(await ids({ model: 'gpt-4o', session_id: 's1' }), []);
  assert.deepEqual((await t.getUsageByType({ request_type: 'host' })).map(({ request_id }) => request_id), [second.request_id]);
  assert.deepEqual((await t.getRecentUsage({ limit: 1 })).map(({ request_id }) => request_id), [first.request_id]);
});

test('pages hold every row once, also rows of one instant', async () => {
  const t = app();
  for (let at = 0; at < 25; at += 1) await t.recordTokenUsage(row({ request_id: `p${at}`, timestamp: NOON + Math.floor(at / 10), request_type: at % 2 === 0 ? 'host' : 'editor' }));
  for (const [filter, wanted] of [[{}, 25], [{ request_type: 'host' }, 13]]) {
    const seen = [];
    let cursor = null;
    for (let pages = 0; pages < 20; pages += 1) {
      const { page, isDone, continueCursor } = await t.listTokenUsage({ ...filter, paginationOpts: { numItems: 4, cursor } });
      seen.push(...page.map(({ request_id }) => request_id));
      cursor = continueCursor;
      if (isDone) break;
    }
    assert.equal(seen.length, wanted);
    assert.equal(new Set(seen).size, wanted);
  }
  await assert.rejects(t.listTokenUsage({ paginationOpts: { numItems: 4, cursor: 'nonsense' } }), /cursor/);
});

test('old rows are imported as they were exported, once', async () => {
  const t = app();
  const old = [row({ tools_used: 'a,b' }), row({ has_tools: false })].map((each, at) => ({ ...each, _id: `old${at}`, _creationTime: at }));
  assert.deepEqual(await t.importTokenUsage({ rows: old }), { imported: 2, duplicates: 0 });
  assert.deepEqual(await t.importTokenUsage({ rows: old }), { imported: 0, duplicates: 2 });
  assert.equal((await t.getAggregatedStats({ now: NOON })).total_requests, 2);
});

test('old rows are deleted some hundreds at a time, and their sums stay', async () => {
  const t = app();
  const many = Array.from({ length: 1100 }, () => row({ timestamp: NOON - 40 * 24 * HOUR }));
  await t.importTokenUsage({ rows: many });
  await t.recordTokenUsage(row());
  assert.deepEqual(await t.cleanupOldRecords({ daysToKeep: 30, now: NOON }), { deleted: 500, isDone: false });
  await t.finishAllScheduledFunctions(() => {});
  assert.equal((await t.getTokenUsageStats({})).length, 1);
  assert.equal((await t.getAggregatedStats({ now: NOON })).total_requests, 1101);
});

test('an app decides who may ask', async () => {
  const guarded = usage.functions({
    authorize: async (ctx) => {
      if ((await ctx.auth.getUserIdentity()) === null) throw new Error('not signed in');
    },
  });
  const t = convexTest(defineSchema({}), { './_generated/api.js': async () => ({}), './tokenUsage.js': async () => guarded });
  register(t);
  await assert.rejects(t.query('tokenUsage:getRecentUsage', {}), /not signed in/);
  assert.deepEqual(await t.withIdentity({ name: 'Ada' }).query('tokenUsage:getRecentUsage', {}), []);
});

test('records of the service and calls of the ledger are rows of the component, and come back', async () => {
  const t = app();
  const service = new TokenCountingService(undefined, undefined, { onError: () => {} });
  const record = service.createAgentUsageRecord('editor', 'stream', HAIKU, 1200, 800, { toolsUsed: ['search'], toolDefinitionsTokens: 400, duration: 12 });
  await t.recordTokenUsage(toTokenUsageRow(record));
  const book = new Ledger(':memory:');
  await book.record({ id: 'msg_1', model: 'gpt-4o', agent: 'host', action: 'draft', at: new Date(NOON), usage: { input_tokens: 1000, output_tokens: 100 }, tools_called: ['search'], max_tokens: 500 });
  await book.record({ id: 'msg_2', model: 'no-such-model', agent: 'host', at: new Date(NOON), usage: { input_tokens: 1 } });
  for (const id of ['msg_1', 'msg_2']) await t.recordTokenUsage(rowOfCall(await book.get(id)));
  const stats = await t.getAggregatedStats({ now: NOON });
  assert.deepEqual([stats.total_requests, stats.unpriced_requests, stats.total_cost_pico_usd], [3, 1, 4_160_000_000n + 3_500_000_000n]);
  const [found] = await t.getTokenUsageStats({ request_type: 'editor' });
  const { metadata: _, ...back } = fromTokenUsageRow(found);
  assert.deepEqual(back, record);
});

test('the schema has an index on the id of a request, and eight more', () => {
  const indexes = component.schema.tables.token_usage[' indexes']().map(({ indexDescriptor }) => indexDescriptor);
  assert.deepEqual(indexes.sort(), ['by_action', 'by_has_tools', 'by_model', 'by_request_id', 'by_request_type', 'by_session_id', 'by_source_post_id', 'by_success', 'by_timestamp']);
});
