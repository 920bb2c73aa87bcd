// The package's functions and classes. What they take and give is in types.d.ts, which is generated.
import type {
  AlertNotice,
  AlertNotices,
  AlertRule,
  AlertRules,
  AlertSinks,
  Alerts,
  Api,
  Attribution,
  BatchCost,
  Budget,
  BudgetStatus,
  Budgets,
  Call,
  Cost,
  Comparison,
  Exported,
  Extraction,
  Findings,
  Forecast,
  Group,
  Hold,
  ImportedFile,
  Live,
  MeterProgress,
  Metered,
  Outcome,
  Overview,
  Page,
  PricesChanged,
  PricesFound,
  PricesInUse,
  PricesShown,
  Progress,
  Pruned,
  QueryResult,
  Recorded,
  RecordedBatch,
  Report,
  RequestCount,
  CalibratedCount,
  Calibrations,
  Stats,
  TextCount,
  Usage,
  Verification,
  Vocabularies,
  Listed,
  Version,
  Voided,
  WhatIf,
  Written,
} from './types.js';

export type * from './types.js';

/** What the caller can do about an error. */
export type ErrorCode =
  | 'invalid_argument'
  | 'unknown_model'
  | 'not_found'
  | 'conflict'
  | 'budget_exceeded'
  | 'unavailable'
  | 'corrupt_data'
  | 'internal';

/** The one error class. `code` and the keys of `details` are stable; messages may change. */
export declare class TokenbookError extends Error {
  constructor(code: ErrorCode, message: string, details?: Record<string, string>);
  readonly name: 'TokenbookError';
  readonly code: ErrorCode;
  readonly details: Record<string, string>;
}

/** An instant: RFC 3339 text with a zone, or a `Date`. */
export type Instant = string | Date;

/** Which vocabulary: that of an encoding, or of a model whose vocabulary is public. `o200k_base` without either. */
export interface CountOptions {
  encoding?: string;
  model?: string;
}

/** Token counts as they are given: a kind that is left out is 0. */
export type UsageInput = Partial<Usage>;

/** A JSON body: text, or the decoded object. */
export type Body = string | object;

/**
 * Counts the tokens of a text exactly. Text that looks like a special token is counted as ordinary text.
 * @throws {TokenbookError} `unknown_model` when no public vocabulary is known for the model.
 */
export declare function count(text: string, options?: CountOptions): number;

/** Counts the tokens of many texts exactly, on all cores and off the event loop. */
export declare function countBatch(texts: readonly string[], options?: CountOptions): Promise<number[]>;

/** Counts the tokens of a text, or gives `undefined` as soon as there are more than `limit`. */
export declare function countUpTo(text: string, limit: number, options?: CountOptions): number | undefined;

/** Gives the token ids of a text. */
export declare function encode(text: string, options?: CountOptions): number[];

/** Gives the text of token ids; bytes that are no UTF-8 become U+FFFD. */
export declare function decode(tokens: readonly number[], options?: CountOptions): string;

/** Counts the tokens of a text for any model, and says how sure the number is. */
export declare function estimate(args: { text: string; model: string }): TextCount;

/** Counts a request before it is made: in all, and part by part. */
export declare function countRequest(args: { api: Api; body: Body; model?: string }): RequestCount;

/** Splits the billed input tokens over the parts of a counted request; the parts sum exactly to the billed number. */
export declare function attribute(args: { request: RequestCount; usage: UsageInput }): Attribution;

/**
 * Reads what a response body, or the decoded events of a stream, say was used.
 * @throws {TokenbookError} `invalid_argument` when the body is not of that wire format, or its numbers contradict each other.
 */
export declare function extract(args: { api: Api; body?: Body; events?: readonly unknown[]; max_tokens?: number }): Extraction;

/** A call to be priced. */
export interface CostArgs {
  model: string;
  provider?: string;
  usage: UsageInput;
  /** When the call was made; now without it. */
  at?: Instant;
  service_tier?: string;
  batch?: boolean;
  region?: string;
  /** What the provider says it charged; it goes before any computed cost. */
  stated_cost_usd?: string;
}

/**
 * Prices a usage exactly. An unknown model, and a kind of tokens without a price, give the status `unpriced` with the
 * reason, never 0.
 * @throws {TokenbookError} `invalid_argument` for a misspelt service tier or region.
 */
export declare function cost(args: CostArgs): Cost;

/** Many calls as columns, all of one length. */
export interface CostBatchArgs extends Omit<CostArgs, 'model' | 'usage' | 'stated_cost_usd'> {
  /** The distinct models. */
  models: readonly string[];
  /** The index of each call's model; all 0 without it. */
  model?: readonly number[];
  /** The instant of each call, in milliseconds since 1970; `at` is that of all of them. */
  at_ms?: readonly number[];
  /** A column for each kind of tokens, such as `{ input_tokens: […], output_tokens: […] }`. */
  tokens: Record<string, readonly number[]>;
}

/** Prices many calls at once, off the event loop. */
export declare function costBatch(args: CostBatchArgs): Promise<BatchCost>;

/** Finds models of the price catalog by a part of their name. */
export declare function pricesSearch(args: { query: string; limit?: number }): PricesFound;

/**
 * Shows every price that a model ever had.
 * @throws {TokenbookError} `unknown_model` when the catalog has no such model.
 */
export declare function pricesShow(args: { model: string; provider?: string }): PricesShown;

/** Lays prices of your own (JSON or TOML text of the catalog's form) over the catalog, for this process; none to take them away. */
export declare function pricesOverride(args?: { prices?: string }): PricesInUse;

/** Replaces the whole catalog by a newer file's text, for this process; none to go back to the built-in one. */
export declare function pricesReplace(args?: { catalog?: string }): PricesInUse;

/** Tells how another catalog file's text differs from the one in use. */
export declare function pricesDiff(args: { catalog: string }): PricesChanged;

/**
 * Tells which encodings can be counted in, and takes a folder with more vocabularies. Those of the package
 * `tokenbook-vocabularies` are found by themselves where it is installed.
 * @throws {TokenbookError} `invalid_argument` when there is no such folder.
 */
export declare function vocabularies(args?: { folder?: string }): Vocabularies;

/** Names the versions of the library and of its price catalog. */
export declare function version(): Version;

/** Lists every operation, and says which need an open ledger. */
export declare function ops(): Listed;

/** Reads one streamed response as its bytes or events arrive. */
export declare class UsageStream {
  constructor(args: { api: Api; max_tokens?: number });
  /** Takes the next bytes as they came from the network, cut anywhere. */
  push(chunk: Uint8Array | string): void;
  /** Takes the next event, already decoded. */
  pushEvent(event: unknown): void;
  /** What the stream has told so far. */
  soFar(): Progress;
  /** Ends the stream and tells what it used. */
  finish(): Extraction;
}

/** How a ledger is opened. */
export interface LedgerOptions {
  /** `full`: a recorded call survives a power cut. `process`: it survives the end of the process. */
  durability?: 'full' | 'process';
  /** The zone of the ledger's days, such as `Europe/Berlin`; set when the file is made. */
  time_zone?: string;
}

/** A call as it is given: without `at` it is made now, without `cost` it is priced at its instant. */
export type CallInput = Omit<Partial<Call>, 'at' | 'usage'> & { model: string; at?: Instant; usage?: UsageInput };

/** What may be said of a response beside what it says itself. */
export type ResponseInput = Omit<CallInput, 'model'> & {
  api: Api;
  body?: Body;
  events?: readonly unknown[];
  /** The request's body: tells the model and `max_tokens` as sent, the tools offered, and what each tool's tokens were. */
  request?: Body;
  model?: string;
};

/** What is known of a call when it ends, beside the fields of a call that are known only then. */
export type MeterEnd = Omit<CallInput, 'model'> & {
  /** The whole response, where it was no stream. */
  body?: Body;
  /** The provider answered with an error: nothing is billed. */
  refused?: boolean;
};

/** One call, from before it is sent until it is recorded. Made by `Ledger.meter`. */
export interface Meter {
  /** Takes the next bytes of the stream, cut anywhere; what can't be read is passed over. */
  push(chunk: Uint8Array | string): void;
  /** Takes the next event of the stream, already decoded; one that can't be read is passed over. */
  pushEvent(event: unknown): void;
  /** What is known so far. */
  progress(): MeterProgress;
  /**
   * Puts the call's worst case aside in the budgets that it falls under.
   * @throws {TokenbookError} `budget_exceeded` when a budget refuses it: the request must not be sent.
   */
  reserve(): Promise<Hold>;
  /** Gives up a call that was not sent: nothing is recorded, and what was put aside for it is let go. */
  void(): void;
  /** Ends the call and records it, once. A stream without its final usage is recorded as partial. */
  finish(args?: MeterEnd): Promise<Metered>;
  /** Ends the call and records it before returning, for the end of a process. */
  finishSync(args?: MeterEnd): Metered;
}

/** Which calls: for each field that is given, those with that value or one of those values. */
export interface Filter {
  agent?: string | readonly string[];
  action?: string | readonly string[];
  model?: string | readonly string[];
  provider?: string | readonly string[];
  session?: string | readonly string[];
  tag?: string | readonly string[];
  tool?: string | readonly string[];
  outcome?: Outcome | readonly Outcome[];
}

/** Which calls: those of a half-open range of time that a filter lets through. */
export interface Selection {
  from?: Instant;
  to?: Instant;
  filter?: Filter;
}

/** A budget as it is given: everything but its name, its period and one of the limits may be left out. */
export type BudgetInput = Pick<Budget, 'name' | 'period'> &
  Partial<Omit<Budget, 'scope'>> & {
    scope?: Pick<Filter, 'agent' | 'action' | 'model' | 'provider' | 'session' | 'tag'>;
    /** Which period's standing the answer tells; that of now without it. */
    at?: Instant;
  };

/** An alert rule as it is given: what is left out is as in the built-in rule of its kind. */
export type AlertRuleInput = Pick<AlertRule, 'kind'> &
  Partial<Omit<AlertRule, 'scope' | 'fire_percent'>> & {
    scope?: BudgetInput['scope'];
    fire_percent?: number | readonly number[];
  };

/** To whom this process tells alerts; nothing of it is stored. */
export type AlertSink =
  | { kind: 'log' }
  | { kind: 'file'; path: string }
  | {
      kind: 'webhook';
      url: string;
      /** `json`: the notice. `slack`: a text. */
      form?: 'json' | 'slack';
      /** Signs `<timestamp>.<body>` by HMAC-SHA256 in the header `X-Tokenbook-Signature`. */
      secret?: string;
    };

/** A call that asks whether it may be made. */
export interface ReserveArgs {
  /** When it is made; now without it. */
  at?: Instant;
  agent?: string;
  action?: string;
  model?: string;
  provider?: string;
  session?: string;
  tags?: readonly string[];
  /** The most that it can cost. */
  cost_usd?: string;
  /** The most tokens that it can take, input and output together. */
  tokens?: number;
  /** The input as counted: with `max_tokens` and a model that has a price, it gives the most that the call can cost. */
  input_tokens?: number;
  max_tokens?: number;
  /** Who holds; the process without it. */
  owner?: string;
  /** How long the hold lasts unless it is extended; 15 minutes without it. */
  ttl_ms?: number;
}

/** A durable ledger of calls in one file; any number of processes may use it at once. */
export declare class Ledger {
  /**
   * Opens the ledger at `path`, making it where there is none; `:memory:` keeps it in memory.
   * @throws {TokenbookError} `unavailable` when the file is on a network file system, `corrupt_data` when it is no ledger.
   */
  constructor(path: string, options?: LedgerOptions);
  /** Records one call; resolves when it is durable. The same id again with the same content changes nothing. */
  record(call: CallInput): Promise<Recorded>;
  /** Records many calls in one durable step; the answer tells of each what became of it. */
  recordBatch(calls: readonly CallInput[]): Promise<RecordedBatch>;
  /** Reads a provider's response, prices it and records the call. Neither request nor response is stored. */
  recordResponse(response: ResponseInput): Promise<Recorded>;
  /** Starts metering one call: give what is known before it is sent. */
  meter(call: Omit<ResponseInput, 'body' | 'events'>): Meter;
  /** Gives a recorded call. */
  get(id: string, args?: { provider?: string }): Promise<Call>;
  /** Lists recorded calls, newest first, a page at a time. */
  list(args?: Selection & { limit?: number; cursor?: string }): Promise<Page>;
  /** Sums up calls by any dimensions. */
  report(args?: Selection & { group_by?: readonly Group[]; time_zone?: string; order?: 'key' | 'cost' | 'calls' | 'tokens'; limit?: number }): Promise<Report>;
  /** Tells everything that a dashboard shows of a range: totals, shares, tools, caching, limits, pace, series. */
  overview(args?: Selection & { time_zone?: string; now?: Instant }): Promise<Overview>;
  /** Tells what could be saved, the most money first, and which tools are called together at what cost. */
  findings(args?: Selection): Promise<Findings>;
  /** Prices the same calls on another model, exactly: the same tokens at its price at the instant of each call. */
  whatIf(args: Selection & { model: string; provider?: string }): Promise<WhatIf>;
  /** Tells why period `b` cost more or less than `a`: volume, mix, tokens a call and price add up to the difference. */
  compare(args: { a: { from?: Instant; to?: Instant }; b: { from?: Instant; to?: Instant }; filter?: Filter }): Promise<Comparison>;
  /** Foretells cost and tokens of the next days, with bands of 90 %; with a limit, the day on which it is used up. */
  forecast(args?: { days?: number; filter?: Filter; time_zone?: string; now?: Instant; limit_usd?: string }): Promise<Forecast>;
  /** Checks that nothing was lost or changed: the file, every record, and every sum. */
  verify(): Promise<Verification>;
  /** Drops calls before an instant; their sums stay in the reports. */
  prune(args: { before: Instant }): Promise<Pruned>;
  /** Writes a consistent copy of the ledger to a new file. */
  snapshot(path: string): Promise<Written>;
  /** Asks the ledger in SQL, read-only and for a bounded time. */
  query(sql: string, args?: { limit?: number }): Promise<QueryResult>;
  /** Writes the recorded calls to a new file. */
  export(path: string, args?: Selection & { format?: 'jsonl' | 'csv' }): Promise<Exported>;
  /** Records the calls of a file that `export` wrote; calls already there are not recorded twice. */
  import(path: string, args?: { format?: 'jsonl' | 'csv' }): Promise<ImportedFile>;
  /** Gives figures about the ledger's file. */
  stats(): Promise<Stats>;
  /** Counts a request before it is made, corrected by what past calls of its model were billed. */
  countRequest(args: { api: Api; body: Body; model?: string }): Promise<CalibratedCount>;
  /** Tells what estimates are corrected by, for each model with estimated past calls. */
  calibrations(): Promise<Calibrations>;
  /** Sets a budget, or changes the one of that name, and tells how it stands. What was spent before counts. */
  budgetSet(budget: BudgetInput): Promise<BudgetStatus>;
  /**
   * Removes a budget.
   * @throws {TokenbookError} `not_found` when there is none of that name.
   */
  budgetRemove(name: string): Promise<void>;
  /** Tells how all budgets stand: limit, spent, held, left, and the period. */
  budgets(args?: { at?: Instant }): Promise<Budgets>;
  /**
   * Puts aside what a call may take, in every budget that is for it. Without such a budget the hold has no id.
   * @throws {TokenbookError} `budget_exceeded` when a hard budget has not enough left; `details` name the budget, its limit and what is left.
   */
  reserve(args?: ReserveArgs): Promise<Hold>;
  /**
   * Puts aside more for a running call, or keeps its hold for longer.
   * @throws {TokenbookError} `budget_exceeded` when the call should be stopped, `conflict` when the hold is gone.
   */
  extend(holdId: number, args?: { cost_usd?: string; tokens?: number; ttl_ms?: number; at?: Instant }): Promise<Hold>;
  /** Records a call and lets its hold go, in one step. The call is recorded whatever became of the hold. */
  settle(holdId: number, call: CallInput): Promise<Recorded>;
  /** Lets the hold of a call go that was not made; tells whether it was still there. */
  void(holdId: number): Promise<Voided>;
  /** Tells which calls are running now, in all processes on the ledger. */
  live(): Promise<Live>;
  /** Gives the alert rules in use. */
  alertRules(): Promise<AlertRules>;
  /** Sets the alert rules, all at once: a list, or the text of a file in JSON or TOML; without any the built-in ones come back. */
  alertRulesSet(rules?: readonly AlertRuleInput[] | string): Promise<AlertRules>;
  /** Judges the rules now and tells what has started and ended. It also happens by itself, once a minute while the ledger is used. */
  alertsCheck(args?: { at?: Instant }): Promise<AlertNotices>;
  /** Lists alerts, newest first. */
  alerts(args?: { open?: boolean; from?: Instant; to?: Instant; limit?: number }): Promise<Alerts>;
  /** Gives what has started and ended after the number `after`; without one, only the number to go on from. */
  alertNotices(args?: { after?: number }): Promise<AlertNotices>;
  /** Keeps a rule, or one subject of it, quiet until an instant. */
  alertSilence(args: { rule: string; subject?: string; until: Instant }): Promise<void>;
  /** Says to whom this process tells alerts: the log, a file, a webhook. */
  alertSinks(sinks: readonly AlertSink[]): Promise<AlertSinks>;
  /**
   * Calls a function with each alert that starts or ends from now on, in whichever process; the answer stops it, and its
   * `started` resolves once it listens.
   */
  onAlert(listener: (notice: AlertNotice) => void, options?: { every_ms?: number }): (() => void) & { started: Promise<void> };
  /** Makes everything durable and closes the file. */
  close(): Promise<void>;
}
