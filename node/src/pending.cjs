'use strict';
// What a ledger's questions wait for, so that an answer holds every call that has ended before.

/** The unsettled promises of each ledger. */
const pending = new WeakMap();

/** Lets the questions of a ledger wait for a promise that never rejects. */
function wait(book, promise) {
  let waiting = pending.get(book);
  if (waiting === undefined) pending.set(book, (waiting = new Set()));
  waiting.add(promise);
  void promise.then(() => waiting.delete(promise));
}

/** Resolves when there is nothing to wait for. */
async function settled(book) {
  const waiting = pending.get(book);
  while (waiting?.size > 0) await Promise.all(waiting);
}

module.exports = { settled, wait };
