// Records the calls that a program makes, without a line at the call itself.
import type { Ledger, MeterProgress, Recorded, ResponseInput } from '../../index.cjs';

/** Who makes a call, and what for. */
export interface CallLabels {
  agent?: string;
  action?: string;
  session?: string;
  tags?: readonly string[];
  metadata?: Readonly<Record<string, string>>;
  /** Who is asked, in the words of the price catalog; known without it for the usual hosts. */
  provider?: string;
  region?: string;
  service_tier?: string;
  parent_id?: string;
}

/** How an instrumentation works; its labels are those of calls whose context has none. */
export interface InstrumentOptions extends CallLabels {
  /** The ledger, or the path of one. */
  book: Ledger | string;
  /** Is told while an answer streams: tokens so far, cost so far, the projected end. */
  onUsage?: (progress: MeterProgress) => void;
  /** The shortest time between two of these; 100 without it. The last one always comes. */
  onUsageIntervalMs?: number;
  /** Is told the first failure of the ledger's, which no call notices; `console.warn` without it. */
  onError?: (error: unknown) => void;
  /** Whether budgets may refuse a call before it is sent; `true` without it. */
  enforce?: boolean;
}

/**
 * Instruments a client of `@anthropic-ai/sdk` or `openai`, or a `fetch`, and gives it back: all it gives and throws stays as it was.
 * A client that is instrumented already stays so, and another one like it is given.
 * @throws {TokenbookError} `invalid_argument` for anything else.
 */
export declare function instrument<Client extends object>(client: Client, options: InstrumentOptions): Client;

/** Runs `fn` so that every call in it, however deep, carries these labels; inner ones count. */
export declare function withCall<Result>(
  labels: CallLabels & { /** The calls in it are tries of one piece of work, by this id or a new one. */ operation?: string | boolean },
  fn: () => Result,
): Result;

/** Gives the labels of the context. */
export declare function currentCall(): CallLabels;

/**
 * Records a response that came by another way, with the labels of the context. It never fails: `undefined` says that it
 * could not be recorded.
 */
export declare function recordResponse(response: ResponseInput, options: Pick<InstrumentOptions, 'book' | 'onError'> & CallLabels): Promise<Recorded | undefined>;

/** What the middleware reads of a model of the Vercel AI SDK. */
export interface LanguageModelLike {
  readonly provider: string;
  readonly modelId: string;
}

/** A middleware for `wrapLanguageModel` of the Vercel AI SDK. */
export interface LanguageModelMiddleware<Version extends string> {
  readonly specificationVersion: Version;
  wrapGenerate<Result>(options: { doGenerate: () => PromiseLike<Result>; params: object; model: LanguageModelLike }): Promise<Result>;
  wrapStream<Result>(options: { doStream: () => PromiseLike<Result>; params: object; model: LanguageModelLike }): Promise<Result>;
}

/** Records the calls of a language model of the Vercel AI SDK. `specificationVersion` is `v3` (AI SDK 6) without it. */
export declare function languageModelMiddleware<Version extends string = 'v3'>(
  options: InstrumentOptions & { specificationVersion?: Version },
): LanguageModelMiddleware<Version>;

/** Resolves when every call that has ended is recorded. */
export declare function flush(book: Ledger | string): Promise<void>;

/** Tells how many calls of a ledger are open, recorded, and could not be recorded. */
export declare function health(book: Ledger | string): { open: number; recorded: number; failed: number; last_error?: string };
