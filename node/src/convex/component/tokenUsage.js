// The functions of the table `token_usage`.
import { ConvexError, v } from 'convex/values';
import { internal } from './_generated/api.js';
import { internalMutation, mutation, query } from './_generated/server.js';
import { row } from './schema.js';
import { DAY_MS, HOUR_MS, added, daysBetween, empty, hoursBetween, keep, startOf, sumsBetween, usd } from './sums.js';

const MAX_ROWS = 1000;
const CLEANUP_ROWS = 500;
const HOURS = 24;
/** After every instant that a row may have. */
const FOREVER = 8.64e15;

const refuse = (message) => {
  throw new ConvexError({ code: 'invalid_argument', message });
};

const COUNTS = ['input_tokens', 'output_tokens', 'total_tokens', 'tool_definitions_tokens', 'tool_results_tokens'];

function checked(given) {
  for (const field of COUNTS) {
    const count = given[field];
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0)) refuse(`${field}: expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, got ${count}`);
  }
  if (!(Number.isFinite(given.estimated_cost) && given.estimated_cost >= 0)) refuse(`estimated_cost: expected an amount of at least 0, got ${given.estimated_cost}`);
  if (given.duration !== undefined && !(given.duration >= 0)) refuse(`duration: expected milliseconds of at least 0, got ${given.duration}`);
  if (!(Number.isFinite(given.timestamp) && given.timestamp >= 0 && given.timestamp <= FOREVER)) refuse(`timestamp: expected milliseconds since 1970, got ${given.timestamp}`);
  for (const field of ['request_id', 'model', 'action', 'request_type']) if (given[field] === '') refuse(`${field}: expected a text that is not empty`);
}

/** Inserts a row, once: the same request again is the same row, and other content under its id is refused. */
async function insert(ctx, given) {
  checked(given);
  const before = await ctx.db
    .query('token_usage')
    .withIndex('by_request_id', (q) => q.eq('request_id', given.request_id))
    .unique();
  if (before !== null) {
    const differs = Object.keys(row).find((field) => before[field] !== given[field]);
    if (differs !== undefined) throw new ConvexError({ code: 'conflict', message: `request_id: ${given.request_id} is recorded with another ${differs}` });
    return { id: before._id, isNew: false };
  }
  const id = await ctx.db.insert('token_usage', given);
  await keep(ctx, given);
  return { id, isNew: true };
}

/** Records a request. */
export const recordTokenUsage = mutation({
  args: row,
  handler: async (ctx, given) => (await insert(ctx, given)).id,
});

/** Records many rows, such as those of an old table; tells how many were new. */
export const importTokenUsage = mutation({
  args: { rows: v.array(v.object({ ...row, _id: v.optional(v.string()), _creationTime: v.optional(v.number()) })) },
  handler: async (ctx, { rows }) => {
    let imported = 0;
    for (const { _id, _creationTime, ...given } of rows) if ((await insert(ctx, given)).isNew) imported += 1;
    return { imported, duplicates: rows.length - imported };
  },
});

const filters = {
  model: v.optional(v.string()),
  action: v.optional(v.string()),
  request_type: v.optional(v.string()),
  success: v.optional(v.boolean()),
  session_id: v.optional(v.string()),
  source_post_id: v.optional(v.string()),
  has_tools: v.optional(v.boolean()),
};
const range = { startTime: v.optional(v.number()), endTime: v.optional(v.number()) };

/** The index of a filter, the most telling one first; the other fields are looked at row by row. */
const INDEXES = ['session_id', 'source_post_id', 'model', 'request_type', 'action', 'has_tools', 'success'];

/** The rows that pass, newest first by their own time: those that `within` lets through of the index. */
function passing(ctx, given, within) {
  const field = INDEXES.find((name) => given[name] !== undefined);
  const table = ctx.db.query('token_usage');
  let rows = (field === undefined ? table.withIndex('by_timestamp', within) : table.withIndex(`by_${field}`, (q) => within(q.eq(field, given[field])))).order('desc');
  for (const name of INDEXES) {
    if (name !== field && given[name] !== undefined) rows = rows.filter((q) => q.eq(q.field(name), given[name]));
  }
  return rows;
}

const newest = (ctx, given) => passing(ctx, given, (q) => q.gte('timestamp', given.startTime ?? 0).lt('timestamp', given.endTime ?? FOREVER));

/** The rows after a cursor. Convex's own pages end at the border of a component. */
async function page(ctx, given, { numItems, cursor }) {
  const wanted = bounded(numItems);
  const rows = [];
  let { endTime } = given;
  if (cursor !== null) {
    const [timestamp, creationTime] = cursorOf(cursor);
    rows.push(...(await passing(ctx, given, (q) => q.eq('timestamp', timestamp).lt('_creationTime', creationTime)).take(wanted + 1)));
    endTime = timestamp;
  }
  if (rows.length <= wanted) rows.push(...(await newest(ctx, { ...given, endTime }).take(wanted + 1 - rows.length)));
  const shown = rows.slice(0, wanted);
  const last = shown.at(-1);
  return { page: shown, isDone: rows.length <= wanted, continueCursor: last === undefined ? (cursor ?? '') : JSON.stringify([last.timestamp, last._creationTime]) };
}

function cursorOf(text) {
  try {
    const [timestamp, creationTime] = JSON.parse(text);
    if (typeof timestamp === 'number' && typeof creationTime === 'number') return [timestamp, creationTime];
  } catch {
    // Told below.
  }
  return refuse('paginationOpts.cursor: expected the cursor of an earlier page');
}

const bounded = (limit) => {
  if (!(Number.isInteger(limit) && limit >= 1)) refuse(`limit: expected a whole number of at least 1, got ${limit}`);
  return Math.min(limit, MAX_ROWS);
};

/** Gives rows, newest first. */
export const getTokenUsageStats = query({
  args: { ...range, ...filters, limit: v.optional(v.number()) },
  handler: (ctx, { limit = MAX_ROWS, ...given }) => newest(ctx, given).take(bounded(limit)),
});

/** Gives rows a page at a time, newest first. */
export const listTokenUsage = query({
  // As Convex's own hook sends them.
  args: {
    ...range,
    ...filters,
    paginationOpts: v.object({
      numItems: v.number(),
      cursor: v.union(v.string(), v.null()),
      id: v.optional(v.number()),
      endCursor: v.optional(v.union(v.string(), v.null())),
      maximumRowsRead: v.optional(v.number()),
      maximumBytesRead: v.optional(v.number()),
    }),
  },
  handler: (ctx, { paginationOpts, ...given }) => page(ctx, given, paginationOpts),
});

/** Gives the rows of an agent, newest first. */
export const getUsageByType = query({
  args: { request_type: v.string(), ...range, limit: v.optional(v.number()) },
  handler: (ctx, { limit = 100, ...given }) => newest(ctx, given).take(bounded(limit)),
});

/** Gives the newest rows. */
export const getRecentUsage = query({
  args: { limit: v.optional(v.number()) },
  handler: (ctx, { limit = 50 }) => newest(ctx, {}).take(bounded(limit)),
});

/** Sums by a name. Convex's records take only names of a kind; others are written so that they pass. */
const nameOf = (name) => (/^[ -~]+$/.test(name) && !/^[$_]/.test(name) ? name : `(${encodeURIComponent(name)})`);

function by(sums, field, value) {
  const found = {};
  for (const part of sums) found[nameOf(part[field])] = (found[nameOf(part[field])] ?? 0) + value(part);
  return found;
}

function costBy(sums, field) {
  const found = {};
  for (const part of sums) found[nameOf(part[field])] = (found[nameOf(part[field])] ?? 0n) + part.cost_pico_usd;
  return Object.fromEntries(Object.entries(found).map(([name, pico]) => [name, usd(pico)]));
}

const hourLabel = (start) => `${new Date(start).toISOString().slice(11, 13)}:00`;

/** Sums up a half-open range of time, out of the kept sums. */
export const getAggregatedStats = query({
  args: { ...range, now: v.optional(v.number()) },
  handler: async (ctx, { startTime = 0, endTime, now }) => {
    const to = endTime ?? FOREVER;
    const sums = await sumsBetween(ctx, startTime, Math.min(to, startOf(FOREVER, DAY_MS)));
    const total = sums.reduce(added, empty());
    const end = Math.ceil(((endTime ?? now ?? Date.now()) + 1) / HOUR_MS) * HOUR_MS;
    const hours = await hoursBetween(ctx, end - HOURS * HOUR_MS, end);
    const hourly_usage = Array.from({ length: HOURS }, (_, at) => {
      const start = end - (HOURS - at) * HOUR_MS;
      const sum = hours.filter((part) => part.start === start).reduce(added, empty());
      return { hour: hourLabel(start), start, requests: sum.requests, tokens: sum.total_tokens, cost: usd(sum.cost_pico_usd) };
    });
    const each = (amount) => (total.requests === 0 ? 0 : amount / total.requests);
    return {
      total_requests: total.requests,
      successful_requests: total.successful,
      failed_requests: total.requests - total.successful,
      unpriced_requests: total.unpriced,
      total_input_tokens: total.input_tokens,
      total_output_tokens: total.output_tokens,
      total_tokens: total.total_tokens,
      total_cost: usd(total.cost_pico_usd),
      total_cost_pico_usd: total.cost_pico_usd,
      average_tokens_per_request: each(total.total_tokens),
      average_cost_per_request: each(usd(total.cost_pico_usd)),
      requests_by_type: by(sums, 'request_type', ({ requests }) => requests),
      requests_by_model: by(sums, 'model', ({ requests }) => requests),
      requests_by_action: by(sums, 'action', ({ requests }) => requests),
      tokens_by_type: by(sums, 'request_type', ({ total_tokens }) => total_tokens),
      tokens_by_model: by(sums, 'model', ({ total_tokens }) => total_tokens),
      cost_by_type: costBy(sums, 'request_type'),
      cost_by_model: costBy(sums, 'model'),
      hourly_usage,
      total_tool_requests: total.tool_requests,
      total_tool_definitions_tokens: total.tool_definitions_tokens,
      total_tool_results_tokens: total.tool_results_tokens,
      tool_usage_by_type: Object.fromEntries(total.tools.map(({ tool, uses }) => [nameOf(tool), uses])),
    };
  },
});

/** Gives the sums of the last days (UTC), today's included, those without any too. */
export const getDailyUsage = query({
  args: { days: v.optional(v.number()), now: v.optional(v.number()) },
  handler: async (ctx, { days = 7, now }) => {
    const wanted = bounded(days);
    const end = startOf(now ?? Date.now(), DAY_MS) + DAY_MS;
    const sums = await daysBetween(ctx, end - wanted * DAY_MS, end);
    return Array.from({ length: wanted }, (_, at) => {
      const start = end - (wanted - at) * DAY_MS;
      const sum = sums.filter((part) => part.start === start).reduce(added, empty());
      return { day: new Date(start).toISOString().slice(0, 10), requests: sum.requests, tokens: sum.total_tokens, cost: usd(sum.cost_pico_usd) };
    });
  },
});

async function cleanUp(ctx, before) {
  const rows = await ctx.db
    .query('token_usage')
    .withIndex('by_timestamp', (q) => q.lt('timestamp', before))
    .take(CLEANUP_ROWS);
  for (const { _id } of rows) await ctx.db.delete(_id);
  const isDone = rows.length < CLEANUP_ROWS;
  if (!isDone) await ctx.scheduler.runAfter(0, internal.tokenUsage.cleanupBefore, { before });
  return { deleted: rows.length, isDone };
}

/** Deletes rows of whole days, some hundreds at a time, until none is left; their sums stay. */
export const cleanupOldRecords = mutation({
  args: { daysToKeep: v.number(), now: v.optional(v.number()) },
  handler: (ctx, { daysToKeep, now }) => {
    if (!(Number.isFinite(daysToKeep) && daysToKeep >= 0)) refuse(`daysToKeep: expected a number of at least 0, got ${daysToKeep}`);
    // The border of an hour, so that no range of whole hours needs a row that is gone.
    return cleanUp(ctx, startOf((now ?? Date.now()) - daysToKeep * DAY_MS, HOUR_MS));
  },
});

export const cleanupBefore = internalMutation({
  args: { before: v.number() },
  handler: async (ctx, { before }) => {
    await cleanUp(ctx, before);
  },
});

