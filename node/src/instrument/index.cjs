'use strict';
// Records the calls that a program makes, without a line at the call itself.

const { Ledger, TokenbookError } = require('../../index.cjs');
const { languageModelMiddleware } = require('./ai-sdk.cjs');
const { ATTACHED, another, attach, isClient } = require('./client.cjs');
const { contextNow, currentCall, merged, withCall } = require('./context.cjs');
const { instrumentedFetch } = require('./fetch.cjs');
const { recorderOf } = require('./recorder.cjs');

const invalid = (message) => new TokenbookError('invalid_argument', message);

function checked(options) {
  const { book } = options ?? {};
  if (typeof book !== 'string' && typeof book?.meter !== 'function') throw invalid('book: expected a Ledger, or the path of one');
  return options;
}

/** Instruments a client of an SDK, or a `fetch`. */
function instrument(client, options) {
  checked(options);
  if (typeof client === 'function') return instrumentedFetch(client, options, Ledger);
  if (!isClient(client)) throw invalid('client: expected a client of @anthropic-ai/sdk or openai, or a fetch');
  if (client[ATTACHED] === undefined) return attach(client, options, Ledger);
  // The client that is instrumented already keeps its labels.
  const copy = another(client);
  if (copy === undefined) throw invalid('client: it is instrumented already, and can make no other like it');
  return attach(copy, options, Ledger);
}

const middleware = (options) => languageModelMiddleware(checked(options), Ledger);

/** Records a response that came by another way, with the labels of the context. */
function recordResponse(response, options) {
  const recorder = recorderOf(checked(options).book, Ledger);
  const { book: _, onError: _onError, ...labels } = options;
  const context = contextNow();
  return recorder.recordResponse({ ...merged(merged(undefined, labels), context?.labels), ...context?.operation?.next(), ...response }, options);
}

/** Resolves when every call that has ended is recorded. */
const flush = (book) => recorderOf(book, Ledger).flush();

/** How many calls of a ledger are open, recorded, and could not be recorded. */
function health(book) {
  const { counts, lastError } = recorderOf(book, Ledger);
  return { ...counts, ...(lastError === undefined ? {} : { last_error: String(lastError?.message ?? lastError) }) };
}

module.exports = { currentCall, flush, health, instrument, languageModelMiddleware: middleware, recordResponse, withCall };
