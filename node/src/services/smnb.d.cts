// The names of the first service's token counting service, and what was added to them.

/** Who calls, in the first service's words; `TokenUsageMetrics<string>` is that of any other agents. */
export type AgentType = 'host' | 'producer' | 'editor';

/** What for, in the first service's words. */
export type ActionType = 'generate' | 'stream' | 'analyze' | 'test';

/** A request to be counted: the body of Anthropic's count_tokens. */
export interface TokenCountRequest {
  model: string;
  system?: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the first service has it
  messages: Array<{ role: 'user' | 'assistant'; content: string | any[] }>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the first service has it
  tools?: any[];
  thinking?: { type: 'enabled'; budget_tokens: number };
}

/** The endpoint's answer. */
export interface TokenCountResponse {
  input_tokens: number;
}

/** One recorded request. */
export interface TokenUsageMetrics<Agent extends string = AgentType, Action extends string = ActionType> {
  requestId: string;
  timestamp: Date;
  model: string;
  action: Action;
  inputTokens: number;
  outputTokens: number;
  /** Input and output; tools are a part of the input. In compatible mode the tools' tokens once more. */
  totalTokens: number;
  /** The cost in dollars as a number; 0 where `unpriced` says why there is none. */
  estimatedCost: number;
  requestType: Agent;
  /** Milliseconds. */
  duration?: number;
  success: boolean;
  error?: string;
  toolsUsed?: string[];
  /** The part of the input that the tools' definitions took. */
  toolDefinitionsTokens?: number;
  /** The part of the input that the tools' results took. */
  toolResultsTokens?: number;
  /** Whether tools were offered or called. In compatible mode only whether they were called. */
  hasTools?: boolean;
  /** The exact cost in dollars. */
  costUsd?: string;
  /** Why there is no cost. */
  unpriced?: string;
  toolsOffered?: string[];
  messageId?: string;
  maxTokens?: number;
  stopReason?: string;
  exactness?: string;
  cacheReadTokens?: number;
  cacheWriteTokens?: number;
  sessionId?: string;
  sourcePostId?: string;
  metadata?: unknown;
}

/** The sums of all recorded requests. */
export interface TokenUsageStats {
  totalRequests: number;
  totalInputTokens: number;
  totalOutputTokens: number;
  totalTokens: number;
  totalCost: number;
  averageTokensPerRequest: number;
  requestsByType: Record<string, number>;
  tokensByModel: Record<string, number>;
  hourlyUsage: Array<{ hour: string; tokens: number; cost: number }>;
  totalToolRequests: number;
  totalToolDefinitionsTokens: number;
  totalToolResultsTokens: number;
  requestsByAgent: Record<string, number>;
  toolUsageByType: Record<string, number>;
  /** Not in compatible mode. */
  successfulRequests?: number;
  /** Not in compatible mode. */
  failedRequests?: number;
  /** Requests that `totalCost` leaves out. Not in compatible mode. */
  unpricedRequests?: number;
}

/** Prices as tokens per dollar. */
export interface ModelPricing {
  [model: string]: { inputTokensPerDollar: number; outputTokensPerDollar: number; description: string };
}

/** A row of the table `token_usage`. */
export interface TokenUsageRow {
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
  duration?: number;
  success: boolean;
  error_message?: string;
  session_id?: string;
  source_post_id?: string;
  metadata?: string;
  tools_used?: string;
  tool_definitions_tokens?: number;
  tool_results_tokens?: number;
  has_tools?: boolean;
}

/** The part of a Convex client that is used. */
export interface ConvexClientLike {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Convex's clients differ in this type
  mutation(mutation: any, args: any): Promise<unknown>;
}

/** How the service works. */
export interface ServiceOptions {
  /** The old formulas to the last digit, for comparison. */
  compatible?: boolean;
  /** Where rows go instead of to the Convex client. */
  store?: { save(row: TokenUsageRow): Promise<unknown> };
  /** The Convex mutation that takes a row: a reference or a name; `tokenUsage:recordTokenUsage` without it. */
  mutation?: unknown;
  /** Counts without asking the endpoint. */
  countLocally?: boolean;
  /** The user's own key, passed on to the endpoint. */
  apiKey?: string;
  fetch?: typeof fetch;
  /** How many records `usageHistory` keeps; 1000 without it. Sums are of all records. */
  historyLimit?: number;
  /** Is told what went wrong beside the work; `console.warn` without it. */
  onError?: (error: unknown) => void;
}

/** How a count was made. */
export interface CountMade {
  tokens: number;
  low?: number;
  high?: number;
  exactness: 'exact' | 'measured' | 'estimated' | 'lower_bound';
}

/** What may be said of a request beside its tokens. */
export type UsageRecordOptions = Partial<
  Omit<TokenUsageMetrics, 'timestamp' | 'model' | 'action' | 'inputTokens' | 'outputTokens' | 'totalTokens' | 'estimatedCost' | 'requestType' | 'hasTools' | 'costUsd' | 'unpriced'>
>;

/** Prices of today, out of the catalog. */
export declare const ANTHROPIC_PRICING: ModelPricing;

/** The first service's own table, which compatible mode computes with. */
export declare const COMPATIBLE_PRICING: ModelPricing;

/** Counts, prices and records what requests use. */
export declare class TokenCountingService {
  constructor(apiEndpoint?: string, convexClient?: ConvexClientLike, options?: ServiceOptions);
  /** The last records, oldest first. */
  readonly usageHistory: TokenUsageMetrics[];
  /** How the last count was made. */
  readonly lastCount?: CountMade;
  /** How many records were not counted: the same id with other content. */
  readonly conflicts: number;
  /** How many rows were dropped because the store kept failing. */
  readonly droppedRows: number;
  readonly compatible: boolean;
  /** Changes options; those that are not named stay. */
  configure(options: ServiceOptions): this;
  /** Counts a request: by the endpoint where it can be asked, else here. Never throws. */
  countInputTokens(request: TokenCountRequest): Promise<number>;
  /** Counts a request and what its tools take of that. */
  countTokensWithTools(request: TokenCountRequest): Promise<{ inputTokens: number; toolDefinitionsTokens: number; estimatedToolResultsTokens: number }>;
  /** Records a request of an agent. */
  createAgentUsageRecord<Agent extends string, Action extends string>(
    agentType: Agent,
    action: Action,
    model: string,
    inputTokens: number,
    outputTokens: number,
    options?: UsageRecordOptions,
  ): TokenUsageMetrics<Agent, Action>;
  /**
   * Records a request. The same id again with the same content is not counted twice.
   * @throws {TokenbookError} `invalid_argument` for tokens that are no whole number.
   */
  recordUsage<Agent extends string, Action extends string>(
    metrics: Omit<TokenUsageMetrics<Agent, Action>, 'timestamp' | 'totalTokens' | 'estimatedCost'>,
  ): TokenUsageMetrics<Agent, Action>;
  /** Counts the tokens of an answer's text. Prefer what the provider says. */
  estimateOutputTokens(text: string, model?: string): number;
  /** Counts the tokens of a text. */
  estimateTokens(text: string, model?: string): number;
  /** Prices tokens; 0 and a report to `onError` for a model without a price. */
  calculateCost(model: string, inputTokens: number, outputTokens: number, toolDefinitionsTokens?: number, toolResultsTokens?: number): number;
  /** Sets the client that rows are sent by; rows that waited are sent now. */
  setConvexClient(client: ConvexClientLike): void;
  /** Writes the rows that wait for the store; tells how many still do. */
  flush(): Promise<number>;
  /** Sums up all records. */
  getUsageStats(): TokenUsageStats;
  /** Records from `start` on and before `end`; in compatible mode up to `end`. */
  getUsageByTimeRange(start: Date, end: Date): TokenUsageMetrics[];
  /** Records of an agent. */
  getUsageByType(requestType: string): TokenUsageMetrics[];
  /** Starts a new session now. */
  startSession(): void;
  /** Sums up the session: from its start, or the start of the first request. The rate is that of a minute at least. */
  getCurrentSessionStats(): { duration: number; requests: number; tokens: number; cost: number; tokensPerMinute: number };
  /** Gives all of it as JSON text. */
  exportUsageData(): string;
  /** Takes back what `exportUsageData` gave; tells how many records were new. */
  importUsageData(text: string): number;
  /** Forgets all records. */
  clearHistory(): void;
}

/** The service that a whole program shares. */
export declare const tokenCountingService: TokenCountingService;

/** Gives the row of a record; what is absent is left out, as Convex wants it. */
export declare function toTokenUsageRow(metrics: TokenUsageMetrics<string, string>): TokenUsageRow;

/** Gives the record of a row, of the old schema too. */
export declare function fromTokenUsageRow(row: TokenUsageRow): TokenUsageMetrics<string, string>;
