'use strict';
// A `fetch` that records what it carries. Both SDKs send every try of every call through their client's `fetch`, so that
// nothing else of them has to be touched: what they give back is theirs.

const { contextNow, merged } = require('./context.cjs');
const { endpointOf } = require('./endpoints.cjs');
const { classOf, classOfStatus, recorderOf } = require('./recorder.cjs');

/** The `fetch` under an instrumented one. */
const RAW = Symbol.for('tokenbook.rawFetch');
/** The header by which a refusal goes through an SDK that would try again. */
const REFUSED = 'x-tokenbook-refused';

const decoder = new TextDecoder();

const textOf = (body) => (typeof body === 'string' ? body : ArrayBuffer.isView(body) || body instanceof ArrayBuffer ? decoder.decode(body) : undefined);

/** Bodies that were dropped without a word: whoever does so has enough, and the connection is not left waiting. */
const dropped = new FinalizationRegistry(({ call, reader }) => {
  call.cut('cancelled');
  void reader?.cancel().catch(() => {});
});

/** Passes each chunk on at once and shows it to the call. Nothing is read before it is asked for. */
function passing(response, bodyOf, held) {
  const { call } = held;
  const readerOf = () => (held.reader ??= bodyOf.call(response).getReader());
  return new ReadableStream(
    {
      type: 'bytes',
      async pull(controller) {
        try {
          const { value, done } = await readerOf().read();
          if (done) {
            call.end({});
            controller.close();
            // A reader that brought its own buffer waits for this.
            controller.byobRequest?.respond(0);
            return;
          }
          if (value.byteLength === 0) return this.pull(controller);
          // It is looked at before it is handed on: the stream takes the memory away.
          call.push(value);
          controller.enqueue(value);
        } catch (error) {
          if (error?.code === 'budget_exceeded') void held.reader?.cancel(error).catch(() => {});
          call.cut(classOf(error));
          throw error;
        }
      },
      async cancel(reason) {
        call.cut('cancelled');
        await readerOf().cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The body of a response that is no web stream, such as that of node-fetch. */
function passingIterable(body, call) {
  return new Proxy(body, {
    get(target, name) {
      if (name !== Symbol.asyncIterator) {
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async function* chunks() {
        let how = 'cancelled';
        try {
          for await (const chunk of target) {
            call.push(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk);
            yield chunk;
          }
          how = undefined;
        } catch (error) {
          how = classOf(error);
          throw error;
        } finally {
          if (how === undefined) call.end({});
          else call.cut(how);
        }
      };
    },
  });
}

/** Where a property of an object comes from. */
function inherited(object, name) {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Watches the response's body however it is read; the response stays the same object. */
function watch(response, call, isStream) {
  const held = { call, reader: undefined };
  dropped.register(response, held);
  const bodyOf = inherited(response, 'body')?.get ?? (() => response.body);
  let watched;
  const body = () => {
    if (watched === undefined) {
      const raw = bodyOf.call(response);
      if (raw === null || raw === undefined) return raw;
      watched = typeof raw.getReader === 'function' ? passing(response, bodyOf, held) : passingIterable(raw, call);
    }
    return watched;
  };
  // A body that is read whole is taken whole; it is recorded after the caller has it.
  const whole = (read, toText, fromRead = (value) => value) => ({
    configurable: true,
    writable: true,
    value: async () => {
      let value;
      try {
        value = await read.call(response);
      } catch (error) {
        call.cut(classOf(error));
        throw error;
      }
      const text = toText(value);
      finishWhole(call, text, isStream);
      return fromRead(value);
    },
  });
  const { text, arrayBuffer, bytes } = response;
  Object.defineProperties(response, {
    body: { configurable: true, get: body },
    text: whole(text, (value) => value),
    json: whole(text, (value) => value, (value) => JSON.parse(value)),
    arrayBuffer: whole(arrayBuffer, (value) => decoder.decode(value)),
    ...(bytes === undefined ? {} : { bytes: whole(bytes, (value) => decoder.decode(value)) }),
  });
}

function finishWhole(call, text, isStream) {
  if (!isStream) return call.endLater({}, text);
  try {
    call.push(Buffer.from(text));
  } catch {
    // It has come whole: there is nothing left to stop.
  }
  return call.endLater({});
}

/** Records each answer of a batch when its results are read. */
function watchBatch(response, recorder, labels, options) {
  let rest = '';
  const lines = new TextDecoder();
  const record = (line) => {
    if (line.trim() === '') return;
    let result;
    try {
      ({ result } = JSON.parse(line));
    } catch {
      return;
    }
    if (result?.type !== 'succeeded') return;
    // They may be read again, also by another agent: the first reader's record stays.
    void recorder.recordResponse({ ...labels, api: 'anthropic.messages', body: result.message, batch: true }, options, true);
  };
  const call = {
    push(bytes) {
      const [last, ...found] = (rest + lines.decode(bytes, { stream: true })).split('\n').reverse();
      rest = last;
      for (const line of found.reverse()) record(line);
    },
    end(_known, body) {
      record(rest);
      rest = '';
      for (const line of body?.split('\n') ?? []) record(line);
    },
    endLater(known, body) {
      this.end(known, body);
    },
    cut() {},
  };
  watch(response, call, false);
}

/**
 * A `fetch` over `raw` that records what is asked of models. Where an SDK asks, a refusal is an answer that the SDK does
 * not try again; else it is thrown.
 */
function instrumentedFetch(raw, options, Ledger, answersRefusals = false) {
  const under = raw[RAW] ?? raw;
  const recorder = recorderOf(options.book, Ledger);
  const own = merged(undefined, options);

  async function fetch(url, init = {}) {
    const context = contextNow();
    const endpoint = context?.isMetered === true ? undefined : endpointOf(url, init.method ?? url?.method);
    if (endpoint === undefined) return under.call(undefined, url, init);
    const { api, kind, model, provider } = endpoint;
    const labels = merged({ provider, ...own }, context?.labels);
    if (kind === 'batch_results') {
      const response = await under.call(undefined, url, init);
      if (response.ok) watchBatch(response, recorder, labels, options);
      return response;
    }
    const request = textOf(init.body);
    const call = recorder.open({ ...labels, ...context?.operation?.next(), api, ...(model === undefined ? {} : { model }), ...(request === undefined ? {} : { request }) }, options);
    if (options.enforce !== false && call.hasBudget) {
      try {
        await call.reserve();
      } catch (error) {
        if (!answersRefusals) throw error;
        return refusal(error);
      }
    }
    let response;
    try {
      const sent = under.call(undefined, url, init);
      call.sent();
      response = await sent;
    } catch (error) {
      const name = classOf(error);
      // The SDKs' own clock aborts as their caller may; the caller's signal tells who it was.
      const isTimeout = name === 'aborted' && context?.sent !== undefined && (await context.sent)?.signal?.aborted !== true;
      call.end({ outcome: 'error', error_class: isTimeout ? 'timeout' : name });
      throw error;
    }
    if (!response.ok) {
      call.end({ refused: true, error_class: classOfStatus(response.status) });
      return response;
    }
    // A stream that is aborted and never read again tells nobody else.
    if (init.signal) call.endsWith(init.signal);
    watch(response, call, /event-stream|ndjson|eventstream/.test(response.headers.get('content-type') ?? ''));
    return response;
  }

  Object.defineProperty(fetch, RAW, { value: under });
  return fetch;
}

const refusals = new Map();
let refused = 0;

/** The answer that stands for a refusal. */
function refusal(error) {
  refused += 1;
  const key = String(refused);
  refusals.set(key, error);
  return new Response(null, { status: 403, headers: { [REFUSED]: key, 'x-should-retry': 'false' } });
}

/** The error behind an answer that stands for a refusal. */
function refusalOf(headers) {
  const key = headers?.get?.(REFUSED);
  const error = refusals.get(key);
  refusals.delete(key);
  return error;
}

module.exports = { RAW, instrumentedFetch, refusalOf };
