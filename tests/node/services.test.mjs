// The drop-ins for two services: the old figures in compatible mode, the right ones without it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANTHROPIC_PRICING,
  COMPATIBLE_PRICING,
  TokenCountingService,
  fromTokenUsageRow,
  toTokenUsageRow,
  tokenCountingService,
} from '../../node/src/services/smnb.js';
import * as usageLog from '../../node/src/services/usage-log.js';

const HAIKU = 'claude-3-5-haiku-20241022';
const SONNET = 'claude-3-5-sonnet-20241022';
const OPUS = 'claude-3-opus-20240229';
const quiet = { onError: () => {} };
const compatible = (options) => new TokenCountingService(undefined, undefined, { ...quiet, compatible: true, ...options });
const service = (options) => new TokenCountingService(undefined, undefined, { ...quiet, ...options });
const weather = {
  model: HAIKU,
  messages: [{ role: 'user', content: "What's the weather like in San Francisco?" }],
  tools: [{ name: 'get_weather', description: 'Get the current weather in a given location', input_schema: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] } }],
};
const answering = (tokens) => async (_url, { body }) => Response.json({ input_tokens: JSON.parse(body).tools === undefined ? tokens - 390 : tokens });

test('compatible mode computes the old costs to the last digit', () => {
  const cost = (...args) => compatible().calculateCost(...args);
  assert.equal(cost(HAIKU, 1000, 500), 0.0035);
  assert.equal(cost(HAIKU, 1000, 500, 400, 150), 0.00465);
  assert.equal(cost(HAIKU, 1e6, 1e6), 6);
  assert.equal(cost(SONNET, 1e6, 1e6), 17.999928000378);
  assert.equal(cost(OPUS, 1e6, 1e6), 90.00180004725117);
  assert.equal(cost(SONNET, 5234, 18456), 0.29254063150893667);
  assert.equal(cost('no-such-model', 1000, 500), 0);
  assert.equal(cost('toString', 1000, 500), 0);
});

test('compatible mode estimates a token for every four UTF-16 units', () => {
  for (const [text, tokens] of [['', 0], ['a', 1], ['abcd', 1], ['abcde', 2], ['😀', 1], ['日本語', 1], ['héllo wörld', 3]]) {
    assert.equal(compatible().estimateTokens(text), tokens, text);
    assert.equal(compatible().estimateOutputTokens(text), tokens, text);
  }
});

test('compatible mode counts tools by the invented constants', async () => {
  const asked = await compatible({ fetch: answering(403) }).countTokensWithTools(weather);
  assert.deepEqual(asked, { inputTokens: 403, toolDefinitionsTokens: 200, estimatedToolResultsTokens: 300 });
  const offline = await compatible({ fetch: async () => new Response('', { status: 500 }) }).countTokensWithTools(weather);
  assert.deepEqual(offline, { inputTokens: 11, toolDefinitionsTokens: 200, estimatedToolResultsTokens: 300 });
});

test('compatible mode keeps the old records and sums', () => {
  const old = compatible();
  const editor = old.createAgentUsageRecord('editor', 'stream', HAIKU, 1200, 800, { toolsUsed: ['search', 'fetch'], toolDefinitionsTokens: 400, toolResultsTokens: 150 });
  assert.deepEqual([editor.totalTokens, editor.estimatedCost, editor.hasTools], [2550, 0.00635, true]);
  assert.match(editor.requestId, /^editor-stream-\d+-[0-9a-z]{1,9}$/);
  const offered = compatible().createAgentUsageRecord('editor', 'stream', HAIKU, 10, 5, { toolDefinitionsTokens: 200 });
  assert.deepEqual([offered.hasTools, offered.totalTokens], [false, 215]);

  old.createAgentUsageRecord('host', 'generate', HAIKU, 10, 5);
  old.createAgentUsageRecord('producer', 'analyze', 'unknown', 10, 5, { toolDefinitionsTokens: 200, success: false });
  const stats = old.getUsageStats();
  assert.equal(stats.totalRequests, 3);
  assert.deepEqual([stats.totalInputTokens, stats.totalOutputTokens, stats.totalTokens], [1220, 810, 2780]);
  assert.equal(stats.totalCost, 0.006385);
  assert.equal(stats.averageTokensPerRequest, 2780 / 3);
  assert.deepEqual([stats.totalToolRequests, stats.totalToolDefinitionsTokens, stats.totalToolResultsTokens], [1, 600, 150]);
  assert.deepEqual(stats.tokensByModel, { [HAIKU]: 2565, unknown: 215 });
  assert.deepEqual(stats.requestsByType, { editor: 1, host: 1, producer: 1 });
  assert.deepEqual(stats.toolUsageByType, { search: 1, fetch: 1 });
  assert.equal(stats.hourlyUsage.length, 24);
  assert.deepEqual(compatible().getUsageStats().hourlyUsage, []);

  const many = compatible();
  for (let at = 0; at < 1500; at += 1) many.createAgentUsageRecord('host', 'generate', HAIKU, 1, 1);
  assert.equal(many.getUsageStats().totalRequests, 1000);
});

test('tool tokens are a part of the input, and the price is that of the day', () => {
  const record = service().createAgentUsageRecord('editor', 'stream', HAIKU, 1200, 800, { toolsUsed: ['search'], toolDefinitionsTokens: 400, toolResultsTokens: 150 });
  assert.deepEqual([record.totalTokens, record.estimatedCost, record.costUsd], [2000, 0.00416, '0.00416']);
  assert.equal(service().calculateCost(SONNET, 5234, 18456), 0.292542);
  assert.equal(service().calculateCost(HAIKU, 1200, 800, 400, 150), 0.00416);
  assert.equal(service().createAgentUsageRecord('editor', 'stream', HAIKU, 10, 5, { toolDefinitionsTokens: 8 }).hasTools, true);
});

test('an unknown model is unpriced, said and counted', () => {
  const errors = [];
  const ours = service({ onError: (error) => errors.push(error.code) });
  const record = ours.createAgentUsageRecord('host', 'generate', 'no-such-model', 10, 5);
  assert.equal(record.estimatedCost, 0);
  assert.match(record.unpriced, /no-such-model/);
  assert.equal(ours.getUsageStats().unpricedRequests, 1);
  assert.deepEqual(errors, ['unknown_model']);
});

test('sums are of all records, not of the last thousand', () => {
  const ours = service();
  for (let at = 0; at < 1500; at += 1) ours.createAgentUsageRecord('writer', 'draft', HAIKU, 1, 1, { requestId: `r${at}` });
  const stats = ours.getUsageStats();
  assert.deepEqual([stats.totalRequests, stats.totalTokens, ours.usageHistory.length], [1500, 3000, 1000]);
  assert.deepEqual(stats.requestsByAgent, { writer: 1500 });
});

test('the same request is counted once, and other content under its id is reported', () => {
  const errors = [];
  const ours = service({ onError: (error) => errors.push(error.code) });
  const first = ours.createAgentUsageRecord('editor', 'stream', HAIKU, 100, 50, { requestId: 'msg_1' });
  assert.equal(ours.createAgentUsageRecord('editor', 'stream', HAIKU, 100, 50, { requestId: 'msg_1' }), first);
  assert.deepEqual(errors, []);
  ours.createAgentUsageRecord('host', 'stream', HAIKU, 100, 50, { requestId: 'msg_1' });
  assert.deepEqual(errors, ['conflict']);
  assert.equal(ours.getUsageStats().totalTokens, 150);
  assert.equal(ours.conflicts, 1);
});

test('counts that are no counts are refused by name', () => {
  for (const bad of [Number.NaN, -1, 1.5, Infinity, undefined, '5']) {
    assert.throws(() => service().createAgentUsageRecord('host', 'generate', HAIKU, bad, 1), { code: 'invalid_argument', message: /^inputTokens: / }, String(bad));
  }
});

test('without the endpoint a request is counted here, tools and all, and the caller can tell', async () => {
  const ours = service();
  const { inputTokens, toolDefinitionsTokens, estimatedToolResultsTokens } = await ours.countTokensWithTools(weather);
  assert.ok(inputTokens > 250 && inputTokens < 550, `about 403, got ${inputTokens}`);
  assert.ok(toolDefinitionsTokens > 200 && toolDefinitionsTokens < inputTokens, `the definition and its prompt, got ${toolDefinitionsTokens}`);
  assert.equal(estimatedToolResultsTokens, 0);
  assert.equal(ours.lastCount.exactness, 'estimated');
  const result = [...weather.messages, { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'get_weather', input: {} }] }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'Sunny, 21 degrees. '.repeat(20) }] }];
  assert.ok((await ours.countTokensWithTools({ ...weather, messages: result })).estimatedToolResultsTokens > 50);
});

test('where the endpoint answers, its count is taken, and tools are what they add to it', async () => {
  const ours = service({ fetch: answering(403) });
  assert.deepEqual(await ours.countTokensWithTools(weather), { inputTokens: 403, toolDefinitionsTokens: 390, estimatedToolResultsTokens: 0 });
  assert.equal(await ours.countInputTokens(weather), 403);
  assert.deepEqual(ours.lastCount, { tokens: 403, exactness: 'measured' });
});

test('rows go to the Convex client, also those from before it was there, and again after a failure', async () => {
  const rows = [];
  let fails = true;
  const client = {
    mutation: async (name, row) => {
      if (fails) throw new Error('down');
      rows.push([name, row]);
    },
  };
  const ours = service();
  ours.createAgentUsageRecord('host', 'generate', HAIKU, 10, 5, { requestId: 'before' });
  ours.setConvexClient(client);
  await new Promise((done) => setImmediate(done));
  fails = false;
  ours.createAgentUsageRecord('editor', 'stream', HAIKU, 20, 6, { requestId: 'after', toolsUsed: ['a', 'b,c'] });
  assert.equal(await ours.flush(), 0);
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(rows.map(([name, row]) => [name, row.request_id]), [['tokenUsage:recordTokenUsage', 'before'], ['tokenUsage:recordTokenUsage', 'after']]);
  assert.equal(Object.values(rows[0][1]).some((value) => value === null || value === undefined), false);
  assert.equal('tools_used' in rows[0][1], false);
  assert.equal(rows[1][1].tools_used, 'a,b,c');
});

test('a record survives the way into a row and back', () => {
  const record = service().createAgentUsageRecord('editor', 'stream', HAIKU, 1200, 800, {
    duration: 812,
    toolsUsed: ['a', 'b,c'],
    toolDefinitionsTokens: 400,
    sessionId: 's1',
    messageId: 'msg_1',
    metadata: { post: 7 },
  });
  assert.deepEqual(fromTokenUsageRow(toTokenUsageRow(record)), record);
  const old = { _id: 'x', _creationTime: 1, request_id: 'r', timestamp: 5, model: HAIKU, action: 'test', input_tokens: 1, output_tokens: 2, total_tokens: 3, estimated_cost: 0.1, request_type: 'host', success: true, tools_used: 'a,b', metadata: '{"post":1}' };
  const read = fromTokenUsageRow(old);
  assert.deepEqual([read.toolsUsed, read.metadata, read.timestamp.getTime(), 'hasTools' in read], [['a', 'b'], '{"post":1}', 5, false]);
});

test('an export is taken back by import, once', () => {
  const ours = service();
  ours.createAgentUsageRecord('host', 'generate', HAIKU, 10, 5, { requestId: 'one' });
  ours.createAgentUsageRecord('editor', 'stream', HAIKU, 20, 6, { requestId: 'two' });
  const text = ours.exportUsageData();
  const other = service();
  assert.equal(other.importUsageData(text), 2);
  assert.equal(other.importUsageData(text), 0);
  assert.deepEqual(other.usageHistory, ours.usageHistory);
  assert.deepEqual(other.getUsageStats(), ours.getUsageStats());
});

test('the hour of a day ago is not added to this hour', () => {
  const ours = service();
  const record = ours.createAgentUsageRecord('host', 'generate', HAIKU, 10, 5);
  record.timestamp.setTime(Date.now() - 23 * 3600_000 - 60 * 60_000 + 1000);
  const { hourlyUsage } = ours.getUsageStats();
  assert.equal(hourlyUsage.length, 24);
  assert.equal(hourlyUsage.at(-1).tokens, 0);
  record.timestamp.setTime(Date.now());
  assert.equal(ours.getUsageStats().hourlyUsage.at(-1).tokens, 15);
});

test('a session has a start, and a rate of a minute at least', () => {
  const ours = service();
  assert.deepEqual(ours.getCurrentSessionStats(), { duration: 0, requests: 0, tokens: 0, cost: 0, tokensPerMinute: 0 });
  ours.createAgentUsageRecord('host', 'generate', HAIKU, 1000, 500, { duration: 2000 });
  const session = ours.getCurrentSessionStats();
  assert.ok(session.duration >= 2000);
  assert.deepEqual([session.requests, session.tokens, session.tokensPerMinute], [1, 1500, 1500]);
  ours.clearHistory();
  assert.equal(ours.getUsageStats().totalRequests, 0);
});

test('ranges of time are half-open, and inclusive in compatible mode', () => {
  for (const [ours, found] of [[service(), 0], [compatible(), 1]]) {
    const { timestamp } = ours.createAgentUsageRecord('host', 'generate', HAIKU, 1, 1);
    assert.equal(ours.getUsageByTimeRange(new Date(0), timestamp).length, found);
    assert.equal(ours.getUsageByTimeRange(timestamp, new Date(timestamp.getTime() + 1)).length, 1);
  }
});

test('the price table has the names of the first service and the prices of today', () => {
  for (const model of Object.keys(COMPATIBLE_PRICING)) assert.ok(ANTHROPIC_PRICING[model], model);
  assert.equal((1e6 / ANTHROPIC_PRICING[HAIKU].inputTokensPerDollar).toFixed(2), '0.80');
  assert.equal((1e6 / ANTHROPIC_PRICING[SONNET].outputTokensPerDollar).toFixed(2), '15.00');
  assert.ok(Object.keys(ANTHROPIC_PRICING).length > 20);
  assert.equal(tokenCountingService['usageHistory'].length, 0);
});

// The second service.
const { utilizationPercent, tokenUsage, formatUsage, usageWarnings, warningLevel, contradictions, tokenUsageMetadata, camelCaseUsage, phaseTokens, headroom, logUsage, utilizationTrend } = usageLog;

test('percentages are worded as JavaScript words them', () => {
  const figures = [[18456, 20000, '92.3'], [18234, 20000, '91.2'], [4788, 20000, '23.9'], [3262, 4000, '81.5'], [3262, 20000, '16.3'], [4000, 4000, '100.0'], [5, 2000, '0.3'], [1, 0, 'Infinity'], [0, 0, 'NaN'], [1, Number.NaN, 'NaN']];
  for (const [output, limit, want] of figures) assert.equal(utilizationPercent(output, limit), want);
});

test('the log line is the JSON of the second service, key by key', () => {
  const body = { type: 'message', usage: { input_tokens: 3616, output_tokens: 4788 }, stop_reason: 'end_turn' };
  const usage = tokenUsage(body, { max_tokens: 20000 });
  assert.equal(
    formatUsage(usage),
    '{\n  "input_tokens": 3616,\n  "output_tokens": 4788,\n  "total_tokens": 8404,\n  "max_tokens": 20000,\n  "utilization_percent": "23.9",\n  "stop_reason": "end_turn"\n}',
  );
  const lines = [];
  logUsage(usage, { label: 'Scanner Token Usage', log: (line) => lines.push(line), warn: (line) => lines.push(line) });
  assert.equal(lines.length, 1);
  assert.match(lines[0], /^📊 Scanner Token Usage: \{\n/);
});

test('a missing stop reason is unknown, and end_turn only in compatible mode', () => {
  const body = { usage: { input_tokens: 1, output_tokens: 2 }, stop_reason: null };
  assert.equal(tokenUsage(body, { max_tokens: 10 }).stop_reason, 'unknown');
  assert.equal(tokenUsage(body, { max_tokens: 10, compatible: true }).stop_reason, 'end_turn');
});

test('warnings tell truncated from near, and flag what cannot be', () => {
  const of = (output_tokens, max_tokens, stop_reason = 'end_turn') => tokenUsage({ usage: { input_tokens: 5234, output_tokens }, stop_reason }, { max_tokens });
  assert.deepEqual(usageWarnings(of(4000, 4000, 'max_tokens')).length, 2);
  assert.deepEqual(usageWarnings(of(18456, 20000)), ['⚠️  WARNING: Using 92.3% of max_tokens (close to limit)']);
  assert.equal(warningLevel(of(9000, 10000)), 'none');
  assert.equal(warningLevel(of(9001, 10000)), 'near_limit');
  assert.equal(warningLevel(of(7001, 10000), { threshold: 0.7 }), 'near_limit');
  assert.equal(warningLevel(of(5, 10000, 'length')), 'truncated');
  assert.throws(() => warningLevel(of(1, 2), { threshold: 90 }), { code: 'invalid_argument' });
  assert.deepEqual(contradictions(of(18456, 20000, 'max_tokens')), ['stopped_below_max_tokens']);
  assert.deepEqual(contradictions(of(3262, 3000)), ['output_above_max_tokens']);
  assert.deepEqual(contradictions(of(1, 0)), ['no_max_tokens']);
  assert.equal(usageWarnings(of(18456, 20000, 'max_tokens')).length, 3);
});

test('cached input is input, whichever form the usage has', () => {
  const body = { id: 'msg_1', type: 'message', role: 'assistant', model: HAIKU, content: [], stop_reason: 'end_turn', usage: { input_tokens: 100, cache_read_input_tokens: 900, output_tokens: 50 } };
  assert.deepEqual(tokenUsage(body, { api: 'anthropic.messages', max_tokens: 1000 }).input_tokens, 1000);
});

test('metadata, aliases and sums by phase', () => {
  const usage = tokenUsage({ usage: { input_tokens: 3616, output_tokens: 4000 }, stop_reason: 'max_tokens' }, { max_tokens: 4000 });
  assert.deepEqual(tokenUsageMetadata(usage, { response_id: 'msg_1' }), { ...usage, truncated: true, response_id: 'msg_1' });
  assert.deepEqual(camelCaseUsage(usage), { inputTokens: 3616, outputTokens: 4000, totalTokens: 7616 });
  assert.deepEqual(phaseTokens({ scanner: { input_tokens: 4812, output_tokens: 3262 }, execution: [usage, camelCaseUsage(usage)], analysis: undefined }), {
    scanner_generation_input_tokens: 4812,
    scanner_generation_output_tokens: 3262,
    scanner_generation_tokens: 8074,
    execution_generation_input_tokens: 7232,
    execution_generation_output_tokens: 8000,
    execution_generation_tokens: 15232,
    input_tokens: 12044,
    output_tokens: 11262,
    total_tokens: 23306,
  });
});

test('one response counts once, however many files carry it', () => {
  const truncated = { input_tokens: 3616, output_tokens: 4000, max_tokens: 4000, stop_reason: 'max_tokens', truncated: true };
  const scanner = { input_tokens: 4812, output_tokens: 3262, max_tokens: 20000, stop_reason: 'end_turn', truncated: false };
  const files = [{ tokenUsage: scanner, scriptType: 'scanner', lines: 120 }, ...Array.from({ length: 3 }, () => ({ tokenUsage: truncated, scriptType: 'execution', lines: 200 })), {}];
  const told = headroom(files);
  assert.deepEqual([told.responses, told.truncated, told.truncation_rate, told.decision], [2, 1, 0.5, 'raise_limit_or_shrink_prompt']);
  assert.equal(told.tokens_per_line, 7262 / 320);
  assert.equal(headroom([{ tokenUsage: scanner }]).decision, 'leave');
  assert.deepEqual(headroom([]), { responses: 0, truncated: 0, truncation_rate: undefined, median_utilization: undefined, peak_utilization: undefined, tokens_per_line: undefined, decision: 'unknown' });
});

test('the trend tells each day of its own responses', () => {
  const told = (output_tokens, id, timestamp, lines) => ({ tokenUsage: { response_id: id, input_tokens: 5, output_tokens, max_tokens: 100, stop_reason: output_tokens === 100 ? 'max_tokens' : 'end_turn' }, timestamp, ...(lines === undefined ? {} : { lines }) });
  const files = [
    told(100, 'c', '2026-11-21T00:00:00.000Z'),
    told(40, 'a', '2026-11-20T00:00:00Z', 20),
    told(80, 'b', '2026-11-21T01:30:00+02:00', 10),
    // The same response in another file, of another day, counts at its first.
    told(80, 'b', '2026-11-25T00:00:00Z'),
    told(60, 'd', '2026-11-21T23:59:59.999'),
    told(60, 'e', undefined),
    told(60, 'f', 'no day'),
    {},
  ];
  assert.deepEqual(utilizationTrend(files), [
    { day: '2026-11-20', responses: 2, truncated: 0, truncation_rate: 0, median_utilization: 0.4, peak_utilization: 0.8, tokens_per_line: 4 },
    { day: '2026-11-21', responses: 2, truncated: 1, truncation_rate: 0.5, median_utilization: 0.6, peak_utilization: 1, tokens_per_line: undefined },
  ]);
  assert.deepEqual(utilizationTrend([]), []);
});
