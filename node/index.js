// The same module for ESM: one instance, whichever way it is loaded.
import tokenbook from './index.cjs';

export const {
  Ledger,
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
  vocabularies,
  ops,
} = tokenbook;
