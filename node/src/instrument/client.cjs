'use strict';
// Instruments the clients of SDKs: all their requests go through `request`, and each try of one through `fetch`.

const { asOperation } = require('./context.cjs');
const { instrumentedFetch, refusalOf } = require('./fetch.cjs');

/** What is known of an instrumented client. */
const ATTACHED = Symbol.for('tokenbook.instrumented');

const own = (target, name, value) => Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

function attach(client, options, Ledger) {
  const { makeStatusError, request, withOptions } = client;
  const canRefuse = typeof makeStatusError === 'function';
  client.fetch = instrumentedFetch(client.fetch, options, Ledger, canRefuse);
  // The tries of a request run inside it.
  if (typeof request === 'function') own(client, 'request', (...args) => asOperation(() => request.apply(client, args), args[0]));
  if (canRefuse) own(client, 'makeStatusError', (status, error, message, headers) => refusalOf(headers) ?? makeStatusError.call(client, status, error, message, headers));
  if (typeof withOptions === 'function') own(client, 'withOptions', (changes) => attach(withOptions.call(client, changes), options, Ledger));
  own(client, ATTACHED, { withOptions });
  return client;
}

const isClient = (client) => client !== null && typeof client === 'object' && typeof client.fetch === 'function';

/** A client like an instrumented one, for other labels. */
function another(client) {
  const { withOptions } = client[ATTACHED];
  return typeof withOptions === 'function' ? withOptions.call(client, {}) : undefined;
}

module.exports = { ATTACHED, another, attach, isClient };
