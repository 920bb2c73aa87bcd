'use strict';
// The sums of the token counting service.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HOURS = 24;

const emptyStats = () => ({
  totalRequests: 0,
  totalInputTokens: 0,
  totalOutputTokens: 0,
  totalTokens: 0,
  totalCost: 0,
  averageTokensPerRequest: 0,
  requestsByType: {},
  tokensByModel: {},
  totalToolRequests: 0,
  totalToolDefinitionsTokens: 0,
  totalToolResultsTokens: 0,
  requestsByAgent: {},
  toolUsageByType: {},
  successfulRequests: 0,
  failedRequests: 0,
  unpricedRequests: 0,
});

/** Adds to a plain object whose keys are anybody's names, `__proto__` too. */
const add = (sums, name, amount) => {
  const value = (Object.hasOwn(sums, name) ? sums[name] : 0) + amount;
  Object.defineProperty(sums, name, { value, writable: true, enumerable: true, configurable: true });
};

/** Adds a record to the sums. */
function addToStats(stats, metrics) {
  stats.totalRequests += 1;
  stats.totalInputTokens += metrics.inputTokens;
  stats.totalOutputTokens += metrics.outputTokens;
  stats.totalTokens += metrics.totalTokens;
  stats.totalCost += metrics.estimatedCost;
  stats.averageTokensPerRequest = stats.totalTokens / stats.totalRequests;
  stats[metrics.success ? 'successfulRequests' : 'failedRequests'] += 1;
  if (metrics.unpriced !== undefined) stats.unpricedRequests += 1;
  add(stats.requestsByType, metrics.requestType, 1);
  add(stats.requestsByAgent, metrics.requestType, 1);
  add(stats.tokensByModel, metrics.model, metrics.totalTokens);
  if (metrics.hasTools) stats.totalToolRequests += 1;
  stats.totalToolDefinitionsTokens += metrics.toolDefinitionsTokens ?? 0;
  stats.totalToolResultsTokens += metrics.toolResultsTokens ?? 0;
  for (const tool of metrics.toolsUsed ?? []) add(stats.toolUsageByType, tool, 1);
}

const label = (at) => `${String(at.getHours()).padStart(2, '0')}:00`;

/** The tokens and cost of the last 24 hours, oldest first: each an hour of the clock, or, as the first service did, an hour of any day. */
function hourlyUsage(history, byHourOfDay = false, now = new Date()) {
  const current = new Date(now).setMinutes(0, 0, 0);
  const hours = Array.from({ length: HOURS }, (_, at) => {
    const start = current - (HOURS - 1 - at) * HOUR_MS;
    return { start, row: { hour: label(new Date(start)), tokens: 0, cost: 0 } };
  });
  const from = byHourOfDay ? now.getTime() - HOURS * HOUR_MS : hours[0].start;
  for (const { timestamp, totalTokens, estimatedCost } of history) {
    const at = timestamp.getTime();
    if (at < from || at >= current + HOUR_MS) continue;
    const found = byHourOfDay ? hours.find(({ row }) => row.hour === label(timestamp)) : hours[Math.floor((at - from) / HOUR_MS)];
    if (found === undefined) continue;
    found.row.tokens += totalTokens;
    found.row.cost += estimatedCost;
  }
  return hours.map(({ row }) => row);
}

module.exports = { MINUTE_MS, addToStats, emptyStats, hourlyUsage };
