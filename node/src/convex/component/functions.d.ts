// What the component's functions take and give.
import type { PaginationOptions } from 'convex/server';

/** A row of the table `token_usage` as it is recorded: a row of the old schema, and what was added to it. */
export type ExactTokenUsageRow = {
  request_id: string;
  /** Milliseconds since 1970. */
  timestamp: number;
  model: string;
  action: string;
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  estimated_cost: number;
  request_type: string;
  success: boolean;
  duration?: number;
  error_message?: string;
  session_id?: string;
  source_post_id?: string;
  /** JSON. */
  metadata?: string;
  /** Names with commas between them. */
  tools_used?: string;
  tool_definitions_tokens?: number;
  tool_results_tokens?: number;
  has_tools?: boolean;
  /** The exact cost in 1e-12 dollars: sums of it are exact, those of floats are not. */
  cost_pico_usd?: bigint;
  /** Whether there is no price: then the cost is 0 and in no sum. */
  unpriced?: boolean;
};

/** A row as it is stored. */
export type StoredTokenUsageRow = ExactTokenUsageRow & { _id: string; _creationTime: number };

/** A row of an old table, as it was exported. */
export type OldTokenUsageRow = ExactTokenUsageRow & { _id?: string; _creationTime?: number };

/** A half-open range of time, in milliseconds since 1970. */
export type TimeRange = { startTime?: number; endTime?: number };

/** Which rows. */
export type TokenUsageFilter = TimeRange & {
  model?: string;
  action?: string;
  request_type?: string;
  success?: boolean;
  session_id?: string;
  source_post_id?: string;
  has_tools?: boolean;
};

/** The sums of an hour (UTC). */
export type HourlyUsage = { hour: string; start: number; requests: number; tokens: number; cost: number };

/** The sums of a day (UTC). */
export type DailyUsage = { /** As `2026-11-20`. */ day: string; requests: number; tokens: number; cost: number };

/** The sums of a range of time. */
export type AggregatedStats = {
  total_requests: number;
  successful_requests: number;
  failed_requests: number;
  /** Requests without a price; they are in no cost. */
  unpriced_requests: number;
  total_input_tokens: number;
  total_output_tokens: number;
  total_tokens: number;
  total_cost: number;
  /** The exact cost in 1e-12 dollars. */
  total_cost_pico_usd: bigint;
  average_tokens_per_request: number;
  average_cost_per_request: number;
  requests_by_type: Record<string, number>;
  requests_by_model: Record<string, number>;
  requests_by_action: Record<string, number>;
  tokens_by_type: Record<string, number>;
  tokens_by_model: Record<string, number>;
  cost_by_type: Record<string, number>;
  cost_by_model: Record<string, number>;
  /** The last 24 hours, oldest first. */
  hourly_usage: HourlyUsage[];
  total_tool_requests: number;
  total_tool_definitions_tokens: number;
  total_tool_results_tokens: number;
  tool_usage_by_type: Record<string, number>;
};

/** A page of rows. */
export type TokenUsagePage = { page: StoredTokenUsageRow[]; isDone: boolean; continueCursor: string };

/** The component's queries. */
export type TokenUsageQueries = {
  getTokenUsageStats: { args: TokenUsageFilter & { limit?: number }; returns: StoredTokenUsageRow[] };
  listTokenUsage: { args: TokenUsageFilter & { paginationOpts: PaginationOptions }; returns: TokenUsagePage };
  getAggregatedStats: { args: TimeRange & { now?: number }; returns: AggregatedStats };
  getUsageByType: { args: TimeRange & { request_type: string; limit?: number }; returns: StoredTokenUsageRow[] };
  getRecentUsage: { args: { limit?: number }; returns: StoredTokenUsageRow[] };
  getDailyUsage: { args: { days?: number; now?: number }; returns: DailyUsage[] };
};

/** The component's mutations. */
export type TokenUsageMutations = {
  recordTokenUsage: { args: ExactTokenUsageRow; returns: string };
  importTokenUsage: { args: { rows: OldTokenUsageRow[] }; returns: { imported: number; duplicates: number } };
  cleanupOldRecords: { args: { daysToKeep: number; now?: number }; returns: { deleted: number; isDone: boolean } };
};
