// What is kept of many rows.

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const PICO = 1e12;

/** The exact cost of a row; of one without it, the nearest to its float. */
export const picoUsd = (row) => (row.unpriced === true ? 0n : (row.cost_pico_usd ?? BigInt(Math.round(row.estimated_cost * PICO))));

export const toolsOf = (row) => (row.tools_used ? row.tools_used.split(',') : []);

export const empty = () => ({
  requests: 0,
  successful: 0,
  unpriced: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  cost_pico_usd: 0n,
  tool_requests: 0,
  tool_definitions_tokens: 0,
  tool_results_tokens: 0,
  tools: [],
});

const NUMBERS = ['requests', 'successful', 'unpriced', 'input_tokens', 'output_tokens', 'total_tokens', 'tool_requests', 'tool_definitions_tokens', 'tool_results_tokens'];

/** The sums of two, as a new object. */
export function added(one, other) {
  const sum = { ...one, cost_pico_usd: one.cost_pico_usd + other.cost_pico_usd };
  for (const name of NUMBERS) sum[name] = one[name] + other[name];
  const uses = new Map(one.tools.map(({ tool, uses }) => [tool, uses]));
  for (const { tool, uses: more } of other.tools) uses.set(tool, (uses.get(tool) ?? 0) + more);
  sum.tools = [...uses].map(([tool, uses]) => ({ tool, uses }));
  return sum;
}

/** The sums of one row. */
export function sumsOf(row) {
  const uses = new Map();
  for (const tool of toolsOf(row)) uses.set(tool, (uses.get(tool) ?? 0) + 1);
  return {
    requests: 1,
    successful: row.success ? 1 : 0,
    unpriced: row.unpriced === true ? 1 : 0,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    total_tokens: row.total_tokens,
    cost_pico_usd: picoUsd(row),
    tool_requests: row.has_tools === true ? 1 : 0,
    tool_definitions_tokens: row.tool_definitions_tokens ?? 0,
    tool_results_tokens: row.tool_results_tokens ?? 0,
    tools: [...uses].map(([tool, uses]) => ({ tool, uses })),
  };
}

export const usd = (pico) => Number(pico) / PICO;

export const startOf = (timestamp, length) => Math.floor(timestamp / length) * length;

/** Adds the row to the sums of its hour and its day. */
export async function keep(ctx, row) {
  for (const [span, length] of [['hour', HOUR_MS], ['day', DAY_MS]]) {
    const key = { span, start: startOf(row.timestamp, length), model: row.model, action: row.action, request_type: row.request_type };
    const found = await ctx.db
      .query('token_usage_sums')
      .withIndex('by_key', (q) => q.eq('span', key.span).eq('start', key.start).eq('model', key.model).eq('action', key.action).eq('request_type', key.request_type))
      .unique();
    if (found === null) await ctx.db.insert('token_usage_sums', { ...key, ...sumsOf(row) });
    else await ctx.db.patch(found._id, added(pickSums(found), sumsOf(row)));
  }
}

function pickSums(found) {
  const { cost_pico_usd, tools } = found;
  return { ...Object.fromEntries(NUMBERS.map((name) => [name, found[name]])), cost_pico_usd, tools };
}

const keyed = (sums, name) => ({ ...pickSums(sums), model: sums.model, action: sums.action, request_type: sums.request_type, start: sums.start, ...(name === undefined ? {} : { name }) });

/** The kept sums of a span, from a start on and before an end, both on the span's borders. */
async function kept(ctx, span, from, to) {
  if (from >= to) return [];
  const found = await ctx.db
    .query('token_usage_sums')
    .withIndex('by_key', (q) => q.eq('span', span).gte('start', from).lt('start', to))
    .collect();
  return found.map((sums) => keyed(sums));
}

/** The sums of the rows from an instant on and before another. */
async function ofRows(ctx, from, to) {
  if (from >= to) return [];
  const found = await ctx.db
    .query('token_usage')
    .withIndex('by_timestamp', (q) => q.gte('timestamp', from).lt('timestamp', to))
    .collect();
  return found.map((row) => ({ ...sumsOf(row), model: row.model, action: row.action, request_type: row.request_type, start: row.timestamp }));
}

/**
 * All sums of a half-open range: whole days and hours as they are kept, and rows only for the parts of an hour at its ends.
 */
export async function sumsBetween(ctx, from, to) {
  const hourFrom = Math.min(Math.ceil(from / HOUR_MS) * HOUR_MS, to);
  const hourTo = Math.max(startOf(to, HOUR_MS), hourFrom);
  const dayFrom = Math.min(Math.ceil(hourFrom / DAY_MS) * DAY_MS, hourTo);
  const dayTo = Math.max(startOf(hourTo, DAY_MS), dayFrom);
  const parts = await Promise.all([
    ofRows(ctx, from, hourFrom),
    kept(ctx, 'hour', hourFrom, dayFrom),
    kept(ctx, 'day', dayFrom, dayTo),
    kept(ctx, 'hour', dayTo, hourTo),
    ofRows(ctx, hourTo, to),
  ]);
  return parts.flat();
}

/** The kept hours of a range that lies on borders of hours. */
export const hoursBetween = (ctx, from, to) => kept(ctx, 'hour', from, to);
/** The kept days of a range that lies on borders of days. */
export const daysBetween = (ctx, from, to) => kept(ctx, 'day', from, to);
