// The log line and the metadata of a service that writes scripts.
import type { Api } from '../../index.cjs';

/** The tokens of a response against its limit, in the order that the log shows. */
export interface TokenUsage {
  /** Input of all kinds. */
  input_tokens: number;
  /** Output of all kinds. */
  output_tokens: number;
  /** Both. It may be above `max_tokens`, which limits the output alone. */
  total_tokens: number;
  /** The limit as sent. */
  max_tokens: number;
  /** Output as a percentage of the limit, with one decimal. */
  utilization_percent: string;
  /** Why the model stopped; `unknown` where the provider didn't say. */
  stop_reason: string;
}

/** The fragment `tokenUsage` of a metadata file. */
export interface TokenUsageMetadata extends TokenUsage {
  truncated: boolean;
  /** The provider's id of the response: several files may carry one response. */
  response_id?: string;
  model?: string;
  cost_usd?: string;
}

/** How near to its limit a usage came. */
export type WarningLevel = 'truncated' | 'near_limit' | 'none';

/** What contradicts itself in a usage. */
export type Contradiction = 'no_max_tokens' | 'stopped_below_max_tokens' | 'output_above_max_tokens';

/** How warnings are made. */
export interface WarningOptions {
  /** The share of the limit above which it is near; 0.9 without it. */
  threshold?: number;
  /** What was truncated. */
  subject?: string;
  /** What to do about it. */
  advice?: string;
}

/**
 * Gives the usage of a response: of the provider's body, of what `extract` gave, of a recorded call, or of bare numbers.
 * @throws {TokenbookError} `invalid_argument` without token counts.
 */
export declare function tokenUsage(
  response: object,
  options?: { /** The limit as sent. */ max_tokens?: number; /** The body's wire format. */ api?: Api; /** A missing stop reason is `end_turn`. */ compatible?: boolean },
): TokenUsage;

/** Gives output as a percentage of the limit, as JavaScript's `toFixed(1)` words it. */
export declare function utilizationPercent(outputTokens: number, maxTokens: number): string;

/** Gives the usage as the log shows it: JSON indented by two. */
export declare function formatUsage(usage: TokenUsage): string;

/** Says how near to its limit a usage came. */
export declare function warningLevel(usage: TokenUsage, options?: Pick<WarningOptions, 'threshold'>): WarningLevel;

/** Says what contradicts itself in a usage. */
export declare function contradictions(usage: TokenUsage): Contradiction[];

/** Says whether a limit cut the answer off. */
export declare function isTruncated(usage: { stop_reason?: string; truncated?: boolean }): boolean;

/** Gives the warnings of a usage, as lines for a log. */
export declare function usageWarnings(usage: TokenUsage, options?: WarningOptions): string[];

/** Logs the usage and its warnings. */
export declare function logUsage(
  usage: TokenUsage,
  options?: WarningOptions & { label?: string; log?: (line: string) => void; warn?: (line: string) => void },
): void;

/** Gives the fragment for a metadata file. */
export declare function tokenUsageMetadata(usage: TokenUsage, options?: { response_id?: string; model?: string; cost_usd?: string }): TokenUsageMetadata;

/** Tokens under camelCase names. */
export interface CamelCaseUsage {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
}

/** Gives the same tokens under camelCase names. */
export declare function camelCaseUsage(usage: { input_tokens: number; output_tokens: number; total_tokens?: number }): CamelCaseUsage;

/** Tokens in either shape. */
export type AnyUsage = CamelCaseUsage | { input_tokens: number; output_tokens: number };

/** Sums tokens by phase, input and output apart: `scanner_generation_tokens`, `scanner_generation_input_tokens` and so on. */
export declare function phaseTokens(
  phases: Record<string, AnyUsage | readonly AnyUsage[] | undefined | null>,
): { input_tokens: number; output_tokens: number; total_tokens: number } & Record<string, number>;

/** What responses say of their limit. */
export interface LimitFigures {
  /** Responses; one that several files carry counts once. */
  responses: number;
  truncated: number;
  truncation_rate?: number;
  median_utilization?: number;
  peak_utilization?: number;
  /** Output tokens a line of what was written. */
  tokens_per_line?: number;
}

/** What many responses say of their limit, and what to do about it. */
export interface Headroom extends LimitFigures {
  decision: 'raise_limit_or_shrink_prompt' | 'watch' | 'leave' | 'unknown';
}

/** A metadata file, as far as it is looked at. */
export interface MetadataFile {
  tokenUsage?: Partial<TokenUsageMetadata> | null;
  scriptType?: string;
  /** The length of what was written. */
  lines?: number;
  timestamp?: string;
}

/** The figures of a day. */
export interface UtilizationDay extends LimitFigures {
  /** As `2026-11-20`, of UTC. */
  day: string;
}

/** Tells day by day how the limit was used, oldest first: utilization, truncation rate, tokens a line. */
export declare function utilizationTrend(files: Iterable<MetadataFile>): UtilizationDay[];

/** Says what many metadata files tell of the limit, and what to do about it. */
export declare function headroom(
  files: Iterable<MetadataFile>,
  options?: { /** Above it the limit is too low; 0.9 without it. */ threshold?: number; /** Below it there is room; 0.7 without it. */ comfortable?: number },
): Headroom;
