// Rows of the table out of records and calls, and back.
import rows from '../../services/smnb-row.cjs';

const DIGITS = 12;

/** Dollars as whole 1e-12 dollars. */
function picoOf(usd) {
  const [, whole, fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(usd) ?? [];
  if (whole === undefined || fraction.length > DIGITS) throw new RangeError(`usd: expected dollars with up to ${DIGITS} decimals, got ${usd}`);
  return BigInt(whole + fraction.padEnd(DIGITS, '0'));
}

/** Gives the row of a record, with its exact cost. */
export function toTokenUsageRow(metrics) {
  const { costUsd, unpriced } = metrics;
  return { ...rows.toTokenUsageRow(metrics), ...(costUsd === undefined ? {} : { cost_pico_usd: picoOf(costUsd) }), ...(unpriced === undefined ? {} : { unpriced: true }) };
}

/** Gives the record of a row, of the old schema too. */
export const fromTokenUsageRow = (row) => rows.fromTokenUsageRow(row);

const sum = (tools, field) => tools.reduce((tokens, tool) => tokens + (tool[field] ?? 0), 0);

/** Gives the row of a recorded call. */
export function rowOfCall(call) {
  const { cost, tool_tokens = [], tools_called = [], tools_offered = [], usage } = call;
  const input = usage?.total_input_tokens ?? 0;
  const output = usage?.total_output_tokens ?? 0;
  const isPriced = cost.status !== 'unpriced';
  const extra = {};
  for (const field of ['answered_model', 'max_tokens', 'stop_reason', 'truncated', 'partial', 'exactness', 'operation_id', 'attempt', 'provider']) {
    if (call[field] !== undefined) extra[field] = call[field];
  }
  return {
    request_id: call.id,
    timestamp: Date.parse(call.at),
    model: call.model,
    action: call.action ?? 'generate',
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    estimated_cost: isPriced ? Number(cost.total_usd) : 0,
    ...(isPriced ? { cost_pico_usd: picoOf(cost.total_usd) } : { unpriced: true }),
    request_type: call.agent ?? 'unknown',
    ...(call.duration_ms === undefined ? {} : { duration: call.duration_ms }),
    success: call.outcome === 'success',
    ...(call.error_class === undefined ? {} : { error_message: call.error_class }),
    ...(call.session === undefined ? {} : { session_id: call.session }),
    ...(Object.keys(extra).length === 0 ? {} : { metadata: JSON.stringify(extra) }),
    ...(tools_called.length === 0 ? {} : { tools_used: tools_called.join(',') }),
    ...(tool_tokens.length === 0 ? {} : { tool_definitions_tokens: sum(tool_tokens, 'definition_tokens'), tool_results_tokens: sum(tool_tokens, 'result_tokens') }),
    has_tools: tools_called.length > 0 || tools_offered.length > 0,
  };
}
