// The pure part of the package in browsers and edge runtimes: the same functions and types, once `load` is done.
export type * from '../types.js';
export type { Body, CostArgs, CostBatchArgs, CountOptions, ErrorCode, Instant, UsageInput } from '../index.js';
export {
  TokenbookError,
  UsageStream,
  attribute,
  cost,
  costBatch,
  count,
  countBatch,
  countRequest,
  countUpTo,
  decode,
  encode,
  estimate,
  extract,
  pricesDiff,
  pricesOverride,
  pricesReplace,
  pricesSearch,
  pricesShow,
  version,
} from '../index.js';

/**
 * Makes the module ready, and the vocabularies of these encodings or models, each fetched once.
 *
 * What only prices or reads responses needs none. Without its vocabulary a count throws `unavailable`, whose
 * `details.encoding` says what to load.
 */
export declare function load(...encodingsOrModels: string[]): Promise<void>;

/** Runs `work`, and runs it again whenever a vocabulary that it turned out to need has been fetched. */
export declare function lazily<T>(work: () => T | Promise<T>): Promise<T>;

/** Says where `tokenbook.wasm` and the vocabularies are, where a bundler doesn't keep them beside this file. */
export declare function setBase(url: string | URL): void;

/** Runs an operation by its name. */
export declare function call(op: string, args: object): unknown;
