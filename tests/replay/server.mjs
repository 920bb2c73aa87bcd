#!/usr/bin/env node
// Speaks the wire formats of Anthropic and OpenAI on loopback from scripts, so that the real SDKs run without a provider.
// As a module: `await start()`. As a process: prints one line of JSON with its url, and ends when its stdin does.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { batch, batchId, batchResults, events, formatOf, plain } from './wire.mjs';

/** Statuses that have a name of their own in scripts' `error.type`. */
const ERROR_TYPES = { 400: 'invalid_request_error', 401: 'authentication_error', 404: 'not_found_error', 408: 'timeout_error', 413: 'request_too_large', 429: 'rate_limit_error', 500: 'api_error', 503: 'api_error', 529: 'overloaded_error' };

/** Sizes from 1 to 40 bytes, the same ones for the same seed. */
function* awkwardSizes(seed = 1) {
  for (let state = seed >>> 0 || 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield 1 + ((state >>> 16) % 40);
  }
}

/** Cuts the bytes of the events as the script wants them on the wire. */
function* slices(parts, chunking = 'event', seed) {
  if (chunking === 'event') {
    for (const part of parts) yield Buffer.from(part);
    return;
  }
  const bytes = Buffer.from(parts.join(''));
  if (chunking === 'whole') return yield bytes;
  const sizes = chunking === 'awkward' ? awkwardSizes(seed) : undefined;
  if (sizes === undefined && !(Number.isInteger(chunking) && chunking > 0)) throw new Error(`chunking: expected event, whole, awkward or a number of bytes, got ${chunking}`);
  for (let at = 0; at < bytes.length; ) {
    const size = sizes ? sizes.next().value : chunking;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function sendStream(response, format, step, request, entry) {
  const { stream = {} } = step;
  let parts = step.events ? step.events.map((event) => (typeof event === 'string' ? event : `data: ${JSON.stringify(event)}\n\n`)) : events(format, step.reply, request);
  if (stream.line_end) parts = parts.map((part) => part.replaceAll('\n', stream.line_end));
  const end = ['cut', 'error', 'hang', 'end'].find((how) => stream[`${how}_after`] !== undefined);
  if (end !== undefined) parts = parts.slice(0, stream[`${end}_after`]);
  if (end === 'error') parts.push(format.errorEvent({ type: 'overloaded_error', message: 'Overloaded', ...step.error }));
  entry.events = parts.length;

  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...format.headers(), ...step.headers });
  response.flushHeaders();
  for (const slice of slices(parts, stream.chunking, stream.seed)) {
    if (response.destroyed) return;
    if (!response.write(slice)) await Promise.race([new Promise((done) => response.once('drain', done)), new Promise((done) => response.once('close', done))]);
    await (stream.delay_ms ? sleep(stream.delay_ms) : turn());
  }
  if (end === 'hang') return;
  // What was written has to reach the client before the reset, or the kernel throws it away on the client's side too.
  if (end === 'cut') return void (await sleep(stream.delay_ms ?? 5), response.socket?.resetAndDestroy());
  response.end();
}

async function answer(response, path, step, request, entry) {
  const format = formatOf(path);
  if (format === undefined) return sendJson(response, 404, { type: 'error', error: { type: 'not_found_error', message: `no such endpoint: ${path}` } });
  if (step.delay_ms) await sleep(step.delay_ms);
  if (step.reset) return response.socket?.resetAndDestroy();
  if (step.hang) return undefined;
  const status = step.status ?? 200;
  if (status >= 400) {
    const error = { type: ERROR_TYPES[status] ?? 'api_error', message: `scripted status ${status}`, ...step.error };
    const headers = { ...format.headers(), ...(step.retry_after === undefined ? {} : { 'retry-after': String(step.retry_after) }), ...step.headers };
    return sendJson(response, status, step.body ?? format.error(error), headers);
  }
  if (request.stream === true) return sendStream(response, format, step, request, entry);
  return sendJson(response, status, step.body ?? plain(format, step.reply, request), { ...format.headers(), ...step.headers });
}

function sendJson(response, status, body, headers = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(text);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : JSON.parse(text);
}

/** Starts a server on a free port of loopback. `scripts` maps a name to its steps: see README.md. */
export async function start({ scripts = {}, port = 0 } = {}) {
  const known = new Map(Object.entries(scripts));
  const taken = new Map();
  const batches = new Map();
  let requests = [];

  const nextStep = (name) => {
    const steps = known.get(name);
    if (steps === undefined) return undefined;
    const at = taken.get(name) ?? 0;
    taken.set(name, at + 1);
    const list = Array.isArray(steps) ? steps : [steps];
    return list[Math.min(at, list.length - 1)] ?? {};
  };

  const control = async (request, response, path) => {
    if (path === '/replay/requests') return sendJson(response, 200, requests);
    if (path === '/replay/scripts' && request.method === 'POST') {
      for (const [name, steps] of Object.entries(await bodyOf(request))) load(name, steps);
      return sendJson(response, 200, { scripts: [...known.keys()] });
    }
    if (path === '/replay/reset' && request.method === 'POST') {
      requests = [];
      taken.clear();
      return sendJson(response, 200, {});
    }
    return sendJson(response, 404, { error: `no such control: ${path}` });
  };

  const batchEndpoint = (request, response, path, body, step, url) => {
    if (request.method === 'POST') {
      const id = batchId();
      batches.set(id, { ...body, reply: step.reply });
      return sendJson(response, 200, batch(id, body, false, url));
    }
    const [, id, results] = path.match(/\/batches\/([^/]+)(\/results)?$/) ?? [];
    const found = batches.get(id);
    if (found === undefined) return sendJson(response, 404, { type: 'error', error: { type: 'not_found_error', message: 'no such batch' } });
    if (!results) return sendJson(response, 200, batch(id, found, true, url));
    response.writeHead(200, { 'content-type': 'application/x-jsonl' });
    return response.end(batchResults(found, found.reply));
  };

  const handle = async (request, response) => {
    const { pathname } = new URL(request.url, 'http://loopback');
    if (pathname.startsWith('/replay/')) return control(request, response, pathname);
    const [, named, path] = pathname.match(/^\/s\/([^/]+)(\/.*)$/) ?? [undefined, undefined, pathname];
    const body = await bodyOf(request);
    const entry = { method: request.method, path, script: named, body, headers: request.headers, closed_early: false };
    requests.push(entry);
    response.on('close', () => {
      entry.closed_early = !response.writableFinished;
    });
    const step = named === undefined ? {} : nextStep(named);
    if (step === undefined) return sendJson(response, 404, { type: 'error', error: { type: 'not_found_error', message: `no script is named ${named}` } });
    if (path.endsWith('/count_tokens')) return sendJson(response, 200, { input_tokens: step.reply?.usage?.input_tokens ?? 25 });
    if (path.includes('/messages/batches')) return batchEndpoint(request, response, path, body, step, url + (named === undefined ? '' : `/s/${named}`));
    return answer(response, path, step, body, entry);
  };

  const server = createServer((request, response) => {
    response.socket?.setNoDelay(true);
    handle(request, response).catch((error) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: String(error) });
    });
  });
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  await new Promise((done, failed) => server.once('error', failed).listen({ port, host: '127.0.0.1', backlog: 4096 }, done));
  const url = `http://127.0.0.1:${server.address().port}`;

  const load = (name, steps) => {
    known.set(name, steps);
    taken.delete(name);
    return `${url}/s/${name}`;
  };

  return {
    url,
    /** Sets the steps of a script and gives its base address (append `/v1` for OpenAI). */
    load,
    /** The requests so far, oldest first. */
    get requests() {
      return requests;
    },
    /** How many connections are open. */
    get connections() {
      return sockets.size;
    },
    async close() {
      const closed = new Promise((done) => server.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  const [file] = process.argv.slice(2);
  const server = await start({ scripts: file === undefined ? {} : JSON.parse(readFileSync(file, 'utf8')) });
  process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
  // The process that started us holds the other end: when it is gone, so are we.
  process.stdin.resume().on('end', () => void server.close().then(() => process.exit(0)));
}
