'use strict';
// Records of the token counting service as rows of the table `token_usage`, and back.

/** Columns that both have, as `[row, record]`. */
const COLUMNS = [
  ['request_id', 'requestId'],
  ['model', 'model'],
  ['action', 'action'],
  ['input_tokens', 'inputTokens'],
  ['output_tokens', 'outputTokens'],
  ['total_tokens', 'totalTokens'],
  ['estimated_cost', 'estimatedCost'],
  ['request_type', 'requestType'],
  ['duration', 'duration'],
  ['success', 'success'],
  ['error_message', 'error'],
  ['session_id', 'sessionId'],
  ['source_post_id', 'sourcePostId'],
  ['tool_definitions_tokens', 'toolDefinitionsTokens'],
  ['tool_results_tokens', 'toolResultsTokens'],
];

/** Fields of a record that have no column of their own: they travel in the column `metadata`, as JSON. */
const EXTRA = ['costUsd', 'unpriced', 'toolsOffered', 'messageId', 'maxTokens', 'stopReason', 'exactness', 'cacheReadTokens', 'cacheWriteTokens', 'metadata'];

/** Gives the row of a record; what is absent is left out, as Convex wants it. */
function toTokenUsageRow(metrics) {
  const row = { timestamp: metrics.timestamp.getTime(), has_tools: metrics.hasTools ?? (metrics.toolsUsed?.length ?? 0) > 0 };
  for (const [column, field] of COLUMNS) if (metrics[field] !== undefined && metrics[field] !== null) row[column] = metrics[field];
  const extra = {};
  for (const field of EXTRA) if (metrics[field] !== undefined && metrics[field] !== null) extra[field] = metrics[field];
  if (metrics.toolsUsed?.length > 0) {
    row.tools_used = metrics.toolsUsed.join(',');
    // The column can't tell a comma in a name from one between names.
    if (metrics.toolsUsed.some((tool) => tool.includes(','))) extra.toolsUsed = metrics.toolsUsed;
  }
  if (Object.keys(extra).length > 0) row.metadata = JSON.stringify(extra);
  return row;
}

/** Gives the record of a row, of the old schema too. */
function fromTokenUsageRow(row) {
  const metrics = { timestamp: new Date(row.timestamp) };
  for (const [column, field] of COLUMNS) if (row[column] !== undefined && row[column] !== null) metrics[field] = row[column];
  if (row.has_tools !== undefined) metrics.hasTools = row.has_tools;
  if (typeof row.tools_used === 'string' && row.tools_used !== '') metrics.toolsUsed = row.tools_used.split(',');
  if (typeof row.metadata === 'string') {
    let extra;
    try {
      extra = JSON.parse(row.metadata);
    } catch {
      extra = undefined;
    }
    const isOurs = extra !== null && typeof extra === 'object' && Object.keys(extra).every((field) => field === 'toolsUsed' || EXTRA.includes(field));
    // Another writer's metadata stays as it is.
    if (isOurs) Object.assign(metrics, extra);
    else metrics.metadata = row.metadata;
  }
  return metrics;
}

module.exports = { fromTokenUsageRow, toTokenUsageRow };
