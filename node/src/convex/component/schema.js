// The table of requests, as the first service has it, and the sums that are kept beside it.
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';

/** The columns of a request. Rows of the old schema are rows of this one. */
export const row = {
  request_id: v.string(),
  timestamp: v.number(),
  model: v.string(),
  action: v.string(),
  input_tokens: v.number(),
  output_tokens: v.number(),
  total_tokens: v.number(),
  estimated_cost: v.number(),
  request_type: v.string(),
  duration: v.optional(v.number()),
  success: v.boolean(),
  error_message: v.optional(v.string()),
  session_id: v.optional(v.string()),
  source_post_id: v.optional(v.string()),
  metadata: v.optional(v.string()),
  tools_used: v.optional(v.string()),
  tool_definitions_tokens: v.optional(v.number()),
  tool_results_tokens: v.optional(v.number()),
  has_tools: v.optional(v.boolean()),
  /** The exact cost in 1e-12 dollars: sums of it are exact, those of floats are not. */
  cost_pico_usd: v.optional(v.int64()),
  /** Whether there is no price: then the cost is 0 and in no sum. */
  unpriced: v.optional(v.boolean()),
};

export default defineSchema({
  token_usage: defineTable(row)
    .index('by_request_id', ['request_id'])
    .index('by_timestamp', ['timestamp'])
    .index('by_model', ['model', 'timestamp'])
    .index('by_action', ['action', 'timestamp'])
    .index('by_request_type', ['request_type', 'timestamp'])
    .index('by_success', ['success', 'timestamp'])
    .index('by_session_id', ['session_id', 'timestamp'])
    .index('by_source_post_id', ['source_post_id', 'timestamp'])
    .index('by_has_tools', ['has_tools', 'timestamp']),

  /** The sums of an hour or a day (UTC) of one model, action and agent. */
  token_usage_sums: defineTable({
    span: v.union(v.literal('hour'), v.literal('day')),
    start: v.number(),
    model: v.string(),
    action: v.string(),
    request_type: v.string(),
    requests: v.number(),
    successful: v.number(),
    unpriced: v.number(),
    input_tokens: v.number(),
    output_tokens: v.number(),
    total_tokens: v.number(),
    cost_pico_usd: v.int64(),
    tool_requests: v.number(),
    tool_definitions_tokens: v.number(),
    tool_results_tokens: v.number(),
    /** How often each tool was called. Pairs, since names are anybody's. */
    tools: v.array(v.object({ tool: v.string(), uses: v.number() })),
  }).index('by_key', ['span', 'start', 'model', 'action', 'request_type']),
});
