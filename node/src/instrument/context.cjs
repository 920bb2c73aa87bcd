'use strict';
// Who makes a call and what for, carried along the asynchronous flow.

const { AsyncLocalStorage } = require('node:async_hooks');
const { randomUUID } = require('node:crypto');

const storage = new AsyncLocalStorage();

/** The labels that a context or an instrumentation may give. */
const LABELS = ['agent', 'action', 'session', 'tags', 'metadata', 'provider', 'region', 'service_tier', 'parent_id'];

/** One piece of work, whose requests (tries again, fallbacks) are linked calls. */
class Operation {
  #id;
  #attempts = 0;

  constructor(id) {
    this.#id = id;
  }

  /** The fields that link the next request. */
  next() {
    this.#id ??= randomUUID();
    this.#attempts += 1;
    return { operation_id: this.#id, attempt: this.#attempts };
  }
}

/** Labels over labels: the inner value counts, tags and metadata are joined. */
function merged(outer, inner) {
  const labels = { ...outer };
  for (const name of LABELS) {
    const value = inner?.[name];
    if (value === undefined || value === null) continue;
    if (name === 'tags' && outer?.tags !== undefined) labels.tags = [...new Set([...outer.tags, ...value])];
    else if (name === 'metadata' && outer?.metadata !== undefined) labels.metadata = { ...outer.metadata, ...value };
    else labels[name] = value;
  }
  return labels;
}

/** Runs `fn` so that every call in it, however deep, carries these labels. */
function withCall(labels, fn) {
  const outer = storage.getStore();
  const { operation } = labels;
  return storage.run(
    {
      labels: merged(outer?.labels, labels),
      operation: operation === undefined || operation === false ? outer?.operation : new Operation(operation === true ? undefined : operation),
      isMetered: outer?.isMetered ?? false,
    },
    fn,
  );
}

/** The labels of the context. */
const currentCall = () => ({ ...storage.getStore()?.labels });

/** The whole context, for the instrumentations themselves. */
const contextNow = () => storage.getStore();

/** Runs `fn` as one operation, unless it is already part of one. `sent` is what the SDK's caller asked for. */
function asOperation(fn, sent) {
  const outer = storage.getStore();
  return storage.run({ labels: outer?.labels, operation: outer?.operation ?? new Operation(), isMetered: outer?.isMetered ?? false, sent }, fn);
}

/** Runs `fn` so that an instrumentation inside it leaves its calls alone: they are recorded already. */
const asMetered = (fn) => storage.run({ ...storage.getStore(), isMetered: true }, fn);

module.exports = { LABELS, Operation, asMetered, asOperation, contextNow, currentCall, merged, withCall };
