// tokenbook in browsers and edge runtimes: the pure core as WebAssembly, the vocabularies as files of their own that are
// fetched when they are first needed. What is decided here is only how JavaScript writes and reads it.
import { TokenbookError, fromFault } from './errors.js';
import { stringify } from './json.js';

const DEFAULT_ENCODING = 'o200k_base';
/** The file of each encoding, by the number that the module asks with. */
const FILES = { 0: 'r50k_base', 1: 'cl100k_base', 2: 'o200k_base', 9: 'gemini' };
const FILE_OF = { r50k_base: 0, p50k_base: 0, cl100k_base: 1, o200k_base: 2, o200k_harmony: 2, gemini: 9 };

const invalid = (message) => new TokenbookError('invalid_argument', message);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Fetches a file of this folder; Node, which fetches no files, reads it. */
async function fetched(name) {
  const url = new URL(name, base ?? import.meta.url);
  if (url.protocol === 'file:') {
    const { readFile } = await import(/* webpackIgnore: true */ /* @vite-ignore */ 'node:fs/promises');
    return new Uint8Array(await readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) throw new TokenbookError('unavailable', `can't fetch ${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

let base;
let module;
let exports;
/** Streams and texts of an older instance are void. */
let generation = 0;
const vocabularies = [];
const waiting = new Map();

const bytesOf = (at, length) => new Uint8Array(exports.memory.buffer, at, length);

const imports = {
  tokenbook: {
    now: () => Date.now(),
    vocabulary_length(number) {
      const held = vocabularies[number];
      if (held) return held.length;
      const message = `the vocabulary ${FILES[number]} is not loaded: await load('${FILES[number]}') before`;
      throw new TokenbookError('unavailable', message, { encoding: FILES[number] });
    },
    vocabulary_read: (number, into) => bytesOf(into, vocabularies[number].length).set(vocabularies[number]),
    throw(at, length) {
      throw fromFault(new Error(decoder.decode(bytesOf(at, length))));
    },
  },
};

function instantiate() {
  exports = new WebAssembly.Instance(module, imports).exports;
  exports.start();
  generation += 1;
}

/** Enters the module; what throws inside leaves its stack where it was, and a bug begins anew. */
function enter(work) {
  if (exports === undefined) throw new TokenbookError('unavailable', 'tokenbook is not loaded: await load() before');
  const stack = exports.__stack_pointer.value;
  try {
    return work();
  } catch (error) {
    const known = fromFault(error);
    if (known.code === 'internal') instantiate();
    else exports.__stack_pointer.value = stack;
    throw known;
  }
}

/** Puts bytes into the module's memory. */
function put(bytes) {
  const at = exports.take(bytes.length);
  bytesOf(at, bytes.length).set(bytes);
  return [at, bytes.length];
}

const putText = (text) => put(encoder.encode(text));
const answer = (length) => JSON.parse(decoder.decode(bytesOf(exports.answer(), length)));

/** Runs an operation that needs no ledger. */
export function call(op, args) {
  const text = stringify(args);
  return enter(() => answer(exports.call(...putText(op), ...putText(text))));
}

function once(key, work) {
  if (!waiting.has(key)) {
    const promise = work();
    waiting.set(key, promise);
    promise.catch(() => waiting.delete(key));
  }
  return waiting.get(key);
}

const loadModule = () =>
  once('module', async () => {
    module = await WebAssembly.compile(await fetched('tokenbook.wasm'));
    instantiate();
  });

/** The number of the file that an encoding or a model needs. */
function fileOf(name) {
  if (Object.hasOwn(FILE_OF, name)) return FILE_OF[name];
  try {
    call('count', { text: 'a', model: name });
  } catch (error) {
    if (error.code === 'unavailable' && error.details.encoding) return FILE_OF[error.details.encoding];
    throw error;
  }
  return undefined;
}

/** Makes the module ready, and the vocabularies of these encodings or models. */
export async function load(...names) {
  await loadModule();
  const files = names.map(fileOf).filter((number) => number !== undefined);
  await Promise.all(files.map((number) => once(FILES[number], async () => (vocabularies[number] = await fetched(`${FILES[number]}.merges`)))));
}

/** Runs `work`, loading what it turns out to need. */
export async function lazily(work) {
  await loadModule();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const needed = error instanceof TokenbookError && error.code === 'unavailable' && error.details.encoding;
      if (!needed || vocabularies[FILE_OF[needed]]) throw error;
      await load(needed);
    }
  }
}

/** Says where the module and the vocabularies are, if not beside this file. */
export function setBase(url) {
  base = url;
}

/** The encoding that the options name, directly or by a model. */
function encodingOf(options) {
  if (options === undefined || options === null) return DEFAULT_ENCODING;
  if (typeof options === 'object') {
    const { encoding, model } = options;
    if (encoding != null && model != null) throw invalid('expected an encoding or a model, got both');
    const name = encoding ?? model ?? DEFAULT_ENCODING;
    if (typeof name === 'string') return name;
  }
  throw invalid('expected options such as { model: "gpt-4o" } or { encoding: "o200k_base" }');
}

const textOf = (text) => {
  if (typeof text !== 'string') throw invalid(`text: expected a string, got ${text === null ? 'null' : typeof text}`);
  return text;
};

export function count(text, options) {
  const encoding = encodingOf(options);
  textOf(text);
  return enter(() => exports.count(...putText(text), ...putText(encoding)));
}

export function countUpTo(text, limit, options) {
  if (typeof limit !== 'number') throw invalid(`limit: expected a whole number from 0 to 9007199254740991, got ${String(limit)}`);
  const encoding = encodingOf(options);
  textOf(text);
  const tokens = enter(() => exports.count_up_to(...putText(text), limit, ...putText(encoding)));
  return tokens < 0 ? undefined : tokens;
}

export async function countBatch(texts, options) {
  if (!Array.isArray(texts)) throw invalid('texts: expected an array of strings');
  texts.forEach((text, at) => {
    if (typeof text !== 'string') throw invalid(`texts[${at}]: expected a string, got ${text === null ? 'null' : typeof text}`);
  });
  return texts.map((text) => count(text, options));
}

export const encode = (text, options) => call('encode', { text: textOf(text), encoding: encodingOf(options) }).tokens;
export const decode = (tokens, options) => call('decode', { tokens, encoding: encodingOf(options) }).text;
export const estimate = (args) => call('estimate', args);
export const countRequest = (args) => call('count_request', args);
export const attribute = (args) => call('attribute', args);
export const extract = (args) => call('extract', args);
export const cost = (args) => call('cost', args);
export const costBatch = async (args) => call('cost_batch', args);
export const pricesSearch = (args) => call('prices_search', args);
export const pricesShow = (args) => call('prices_show', args);
export const pricesOverride = (args = {}) => call('prices_override', args);
export const pricesReplace = (args = {}) => call('prices_replace', args);
export const pricesDiff = (args) => call('prices_diff', args);
export const version = () => call('version', {});

const freed = new FinalizationRegistry(({ at, born }) => {
  if (born === generation) exports.stream_free(at);
});

/** Reads one streamed response as its bytes or events arrive. */
export class UsageStream {
  #at;
  #born;

  constructor(args) {
    const text = stringify(args);
    this.#at = enter(() => exports.stream_open(...putText(text)));
    this.#born = generation;
    freed.register(this, { at: this.#at, born: this.#born });
  }

  #run(work) {
    if (this.#born !== generation) throw new TokenbookError('internal', 'a bug in tokenbook ended this stream');
    return enter(work);
  }

  /** Takes the next bytes as they came from the network, cut anywhere. */
  push(chunk) {
    const bytes = typeof chunk === 'string' ? encoder.encode(chunk) : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#run(() => exports.stream_push(this.#at, ...put(bytes)));
  }

  /** Takes the next event, already decoded. */
  pushEvent(event) {
    const text = stringify(event);
    this.#run(() => exports.stream_push_event(this.#at, ...putText(text)));
  }

  /** What is known so far. */
  soFar() {
    return this.#run(() => answer(exports.stream_so_far(this.#at)));
  }

  /** Ends the stream and tells what it used. */
  finish() {
    return this.#run(() => answer(exports.stream_finish(this.#at)));
  }
}

export { TokenbookError };
