'use strict';
// The log line and the metadata of a service that writes scripts: tokens against the limit that was sent, the warnings,
// the fragment for metadata files and its sums.

const { TokenbookError, extract } = require('../../index.cjs');

const NEAR_LIMIT = 0.9;
const UNKNOWN = 'unknown';

const invalid = (message) => new TokenbookError('invalid_argument', message);

const countOf = (value, field) => {
  if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${field}: expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, got ${String(value)}`);
  return value;
};

/** Output as a percentage of the limit, as JavaScript's `toFixed(1)` words it: 5 of 2000 is "0.3". */
const utilizationPercent = (outputTokens, maxTokens) => ((outputTokens / maxTokens) * 100).toFixed(1);

/** The input tokens of all kinds, as the provider's own object or as tokenbook says them. */
function tokensOf(usage) {
  if (usage.total_input_tokens !== undefined || usage.total_output_tokens !== undefined) {
    return [countOf(usage.total_input_tokens ?? 0, 'usage.total_input_tokens'), countOf(usage.total_output_tokens ?? 0, 'usage.total_output_tokens')];
  }
  return [countOf(usage.input_tokens, 'usage.input_tokens'), countOf(usage.output_tokens, 'usage.output_tokens')];
}

/**
 * The usage of a response: of the provider's body, of what `extract` gave, of a recorded call, or of bare numbers.
 * `max_tokens` is the limit as sent.
 */
function tokenUsage(response, { max_tokens, api, compatible = false } = {}) {
  if (response === null || typeof response !== 'object') throw invalid('response: expected a response, an extraction or a call');
  const isOurs = response.tools_called !== undefined || response.cost !== undefined;
  const read = api !== undefined && !isOurs ? extract({ api, body: response }) : response;
  const [input_tokens, output_tokens] = tokensOf(read.usage ?? read);
  const limit = max_tokens ?? read.max_tokens;
  const stop_reason = read.stop_reason ?? (compatible ? 'end_turn' : UNKNOWN);
  return {
    input_tokens,
    output_tokens,
    total_tokens: input_tokens + output_tokens,
    max_tokens: limit,
    utilization_percent: utilizationPercent(output_tokens, limit),
    stop_reason,
  };
}

/** The stop reasons by which providers say that a limit cut the answer off. */
const TRUNCATED = new Set(['max_tokens', 'model_context_window_exceeded', 'length', 'MAX_TOKENS', 'max_output_tokens', 'incomplete', 'error_limit', 'max_length']);

const isTruncated = ({ stop_reason, truncated }) => truncated ?? TRUNCATED.has(stop_reason);

/** What contradicts itself: each as a word. */
function contradictions({ output_tokens, max_tokens, stop_reason }) {
  const found = [];
  if (typeof max_tokens !== 'number' || !Number.isSafeInteger(max_tokens) || max_tokens <= 0) return ['no_max_tokens'];
  // Other limits than `max_tokens` may lie below it.
  if ((stop_reason === 'max_tokens' || stop_reason === 'length' || stop_reason === 'MAX_TOKENS') && output_tokens < max_tokens) found.push('stopped_below_max_tokens');
  if (output_tokens > max_tokens) found.push('output_above_max_tokens');
  return found;
}

/** How near to its limit a usage came: `truncated`, `near_limit` or `none`. */
function warningLevel(usage, { threshold = NEAR_LIMIT } = {}) {
  if (typeof threshold !== 'number' || !(threshold > 0 && threshold <= 1)) throw invalid(`threshold: expected a number above 0 and up to 1, got ${String(threshold)}`);
  if (isTruncated(usage)) return 'truncated';
  return usage.output_tokens > usage.max_tokens * threshold ? 'near_limit' : 'none';
}

/** The warnings of a usage, as lines for a log. */
function usageWarnings(usage, { threshold = NEAR_LIMIT, subject = 'Script generation', advice = 'Consider simplifying the request or raising max_tokens' } = {}) {
  const lines = [];
  const level = warningLevel(usage, { threshold });
  if (level === 'truncated') lines.push(`⚠️  ${subject} truncated due to token limit!`, `   ${advice}`);
  if (level === 'near_limit') lines.push(`⚠️  WARNING: Using ${usage.utilization_percent}% of max_tokens (close to limit)`);
  for (const odd of contradictions(usage)) {
    if (odd === 'stopped_below_max_tokens') lines.push(`⚠️  stop_reason ${usage.stop_reason} with ${usage.output_tokens} of ${usage.max_tokens} tokens: max_tokens is not what was sent`);
    if (odd === 'output_above_max_tokens') lines.push(`⚠️  ${usage.output_tokens} output tokens are above max_tokens ${usage.max_tokens}: max_tokens is not what was sent`);
  }
  return lines;
}

/** The usage as the log shows it: JSON in this key order, indented by two. */
function formatUsage({ input_tokens, output_tokens, total_tokens, max_tokens, utilization_percent, stop_reason }) {
  return JSON.stringify({ input_tokens, output_tokens, total_tokens, max_tokens, utilization_percent, stop_reason }, null, 2);
}

/** Logs the usage and its warnings. */
function logUsage(usage, { label = 'Token Usage', log = console.log, warn = console.warn, ...options } = {}) {
  log(`📊 ${label}: ${formatUsage(usage)}`);
  for (const line of usageWarnings(usage, options)) warn(line);
}

/** The fragment for a metadata file: the usage with `truncated`, and the response's id, against counting it twice. */
function tokenUsageMetadata(usage, { response_id, model, cost_usd } = {}) {
  return {
    ...usage,
    truncated: isTruncated(usage),
    ...(response_id === undefined ? {} : { response_id }),
    ...(model === undefined ? {} : { model }),
    ...(cost_usd === undefined ? {} : { cost_usd }),
  };
}

/** The same tokens under camelCase names. */
const camelCaseUsage = ({ input_tokens, output_tokens, total_tokens = input_tokens + output_tokens }) => ({
  inputTokens: input_tokens,
  outputTokens: output_tokens,
  totalTokens: total_tokens,
});

/** Either of the two shapes as snake_case tokens. */
const snakeCaseUsage = (usage) =>
  usage.input_tokens !== undefined
    ? usage
    : { input_tokens: usage.inputTokens, output_tokens: usage.outputTokens, total_tokens: usage.totalTokens ?? usage.inputTokens + usage.outputTokens };

/** Sums tokens by phase (`scanner`, `execution`, `analysis`), input and output apart. An absent phase is absent, not 0. */
function phaseTokens(phases) {
  const sums = {};
  let input_tokens = 0;
  let output_tokens = 0;
  for (const [phase, given] of Object.entries(phases)) {
    const usages = (Array.isArray(given) ? given : [given]).filter((usage) => usage !== undefined && usage !== null).map(snakeCaseUsage);
    if (usages.length === 0) continue;
    const input = usages.reduce((sum, usage) => sum + countOf(usage.input_tokens, `${phase}.input_tokens`), 0);
    const output = usages.reduce((sum, usage) => sum + countOf(usage.output_tokens, `${phase}.output_tokens`), 0);
    const name = phase === 'analysis' ? phase : `${phase}_generation`;
    sums[`${name}_input_tokens`] = input;
    sums[`${name}_output_tokens`] = output;
    sums[`${name}_tokens`] = input + output;
    input_tokens += input;
    output_tokens += output;
  }
  return { ...sums, input_tokens, output_tokens, total_tokens: input_tokens + output_tokens };
}

/** A median that needs no interpolation to be the same everywhere. */
function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  return sorted.length === 0 ? undefined : sorted[Math.floor((sorted.length - 1) / 2)];
}

/** The responses behind many metadata fragments: one counts once, however many files carry it. */
function responsesOf(fragments) {
  const seen = new Map();
  for (const { tokenUsage: usage, ...file } of fragments) {
    if (usage === undefined || usage === null) continue;
    // Fragments without an id are the same response when all their numbers and their run are.
    const key = usage.response_id ?? JSON.stringify([usage.input_tokens, usage.output_tokens, usage.max_tokens, usage.stop_reason, file.scriptType]);
    if (!seen.has(key)) seen.set(key, { usage, lines: file.lines, timestamp: file.timestamp });
  }
  return [...seen.values()];
}

/** What responses say of their limit. */
function figuresOf(responses) {
  const limited = responses.filter(({ usage }) => usage.max_tokens > 0);
  const utilizations = limited.map(({ usage }) => usage.output_tokens / usage.max_tokens);
  const truncated = responses.filter(({ usage }) => isTruncated(usage)).length;
  const withLines = responses.filter(({ lines }) => lines > 0);
  return {
    responses: responses.length,
    truncated,
    truncation_rate: responses.length === 0 ? undefined : truncated / responses.length,
    median_utilization: median(utilizations),
    peak_utilization: utilizations.length === 0 ? undefined : utilizations.reduce((one, other) => Math.max(one, other)),
    tokens_per_line:
      withLines.length === 0 ? undefined : withLines.reduce((sum, { usage }) => sum + usage.output_tokens, 0) / withLines.reduce((sum, { lines }) => sum + lines, 0),
  };
}

/** What many metadata fragments say of the limit, and what to do about it. */
function headroom(fragments, { threshold = NEAR_LIMIT, comfortable = 0.7 } = {}) {
  const figures = figuresOf(responsesOf(fragments));
  const { peak_utilization: peak, truncated } = figures;
  const decision =
    peak === undefined ? 'unknown' : truncated > 0 || peak > threshold ? 'raise_limit_or_shrink_prompt' : peak >= comfortable ? 'watch' : 'leave';
  return { ...figures, decision };
}

/** The same figures day by day (UTC), oldest first; fragments without a timestamp are of no day. */
function utilizationTrend(fragments) {
  const days = new Map();
  for (const response of responsesOf(fragments)) {
    const { timestamp } = response;
    // One without an offset is of UTC, which the service writes.
    const at = new Date(typeof timestamp === 'string' && /T[\d:.]+$/.test(timestamp) ? `${timestamp}Z` : (timestamp ?? Number.NaN));
    if (Number.isNaN(at.getTime())) continue;
    const day = at.toISOString().slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), response]);
  }
  return [...days.keys()].sort().map((day) => ({ day, ...figuresOf(days.get(day)) }));
}

module.exports = { camelCaseUsage, contradictions, formatUsage, headroom, isTruncated, logUsage, phaseTokens, tokenUsage, tokenUsageMetadata, usageWarnings, utilizationPercent, utilizationTrend, warningLevel };
