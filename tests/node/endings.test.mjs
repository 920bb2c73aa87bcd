// Every way a stream can end, at every chunk, with both SDKs: exactly one record, right tokens, nothing left open.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Ledger } from '../../node/index.js';
import { flush, health, withCall } from '../../node/src/instrument/index.js';
import { start } from '../replay/server.mjs';
import { CHUNKS, INPUT, OUTPUT, SDKS } from './streams.mjs';

setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc');

let replay;
let folder;
before(async () => {
  replay = await start();
  folder = mkdtempSync(join(tmpdir(), 'tokenbook-endings-'));
});
after(async () => {
  await replay.close();
  rmSync(folder, { recursive: true });
});

/** Reads to the end, counting what comes. */
async function readAll(stream, came) {
  for await (const _ of stream) came.events += 1;
}

/** The ways a stream ends, each at the k-th event that the caller sees: `script` is the server's part of it. */
const WAYS = {
  finish: { read: readAll },
  break: {
    read: async (stream, came, at) => {
      for await (const _ of stream) if ((came.events += 1) === at) break;
    },
  },
  throw: {
    read: async (stream, came, at) => {
      for await (const _ of stream) if ((came.events += 1) === at) throw new Error('the caller failed');
    },
    fails: /the caller failed/,
  },
  abort: {
    read: async (stream, came, at, controller) => {
      for await (const _ of stream) if ((came.events += 1) === at) controller.abort();
    },
    mayFail: /abort/i,
  },
  cancel: {
    // Another task ends it while the next event is waited for.
    script: (at) => ({ hang_after: at }),
    read: async (stream, came) => {
      let task;
      for await (const _ of stream) {
        came.events += 1;
        task ??= setTimeout(() => stream.controller.abort(), 30);
      }
    },
    mayFail: /abort/i,
  },
  close: {
    read: async (stream, came, at) => {
      const iterator = stream[Symbol.asyncIterator]();
      for (; came.events < at; came.events += 1) await iterator.next();
      await iterator.return();
    },
  },
  leave: {
    // Aborted and never read again.
    script: (at) => ({ hang_after: at }),
    read: async (stream, came) => {
      const iterator = stream[Symbol.asyncIterator]();
      await iterator.next();
      came.events += 1;
      stream.controller.abort();
    },
  },
  abandon: {
    // Dropped without a word; the garbage collection finds it.
    script: (at) => ({ hang_after: at + 2 }),
    read: async (stream, came, at) => {
      const iterator = stream[Symbol.asyncIterator]();
      for (; came.events < at; came.events += 1) await iterator.next();
    },
    after: async (book) => {
      while (health(book).open > 0) {
        gc();
        await new Promise((done) => setTimeout(done, 5));
      }
    },
  },
  reset: { script: (at) => ({ cut_after: at }), read: readAll, fails: /terminated|reset/ },
  server_error: { script: (at) => ({ error_after: at }), read: readAll, fails: /Overloaded/i },
  silent_end: { script: (at) => ({ end_after: at }), read: readAll, mayFail: /ended|without/ },
};

/** The ways a process ends, and how one sees it. */
const LEAVING = {
  exit: {},
  throw: { code: 1, said: /nobody catches this/ },
  reject: { code: 1, said: /nobody catches this/ },
  signal: {},
  abandon: {},
  close: {},
  kill: { signal: 'SIGKILL' },
};

for (const [name, sdk] of Object.entries(SDKS)) {
  for (const [way, { script, read, fails, mayFail, after: settle }] of Object.entries(WAYS)) {
    test(`${name}: ${way} at every chunk leaves one record`, async () => {
      const book = new Ledger(':memory:');
      const errors = [];
      const at = Array.from({ length: CHUNKS }, (_, chunk) => chunk + 1);
      const seen = new Map(at.map((chunk) => [chunk, { events: 0 }]));
      await Promise.all(
        at.map(async (chunk) => {
          const base = replay.load(`${name}-${way}-${chunk}`, { reply: sdk.reply, stream: { ...script?.(chunk), chunking: chunk % 5 === 0 ? 'awkward' : 'event', seed: chunk } });
          const controller = new AbortController();
          const client = sdk.client(base, { book, agent: 'reader', onError: (error) => errors.push(error) });
          const run = withCall({ session: String(chunk) }, async () => read(await sdk.stream(client, controller.signal), seen.get(chunk), chunk, controller));
          const message = await run.then(() => undefined, (error) => String(error?.message ?? error));
          if (fails !== undefined && !(way === 'server_error' && sdk.givesErrors)) assert.match(message ?? 'no error', fails, `chunk ${chunk}`);
          else if (message !== undefined) assert.match(message, mayFail ?? fails ?? /^$/, `chunk ${chunk}`);
        }),
      );
      await settle?.(book);
      await flush(book);
      assert.deepEqual(errors, []);
      assert.deepEqual(health(book), { open: 0, recorded: CHUNKS, failed: 0 });

      const { calls } = await book.list({ limit: 1000 });
      assert.deepEqual(calls.map(({ session }) => Number(session)).sort((one, other) => one - other), at);
      for (const call of calls) {
        const chunk = Number(call.session);
        const where = `chunk ${chunk}: ${JSON.stringify(call)}`;
        const isWhole = way === 'finish' || call.usage?.total_output_tokens === OUTPUT;
        if (way === 'server_error' && chunk <= sdk.opening) {
          assert.deepEqual([call.outcome, call.cost.total_usd], ['error', '0'], where);
          continue;
        }
        assert.equal(call.partial ?? false, !isWhole, where);
        if (isWhole) {
          assert.deepEqual([call.usage.total_input_tokens, call.usage.total_output_tokens], [INPUT, OUTPUT], where);
          continue;
        }
        sdk.checkPartial(call, seen.get(chunk).events, where);
        if (way === 'reset') assert.deepEqual([call.outcome, call.error_class], ['error', 'connection_error'], where);
        if (way === 'server_error') assert.equal(call.outcome, 'error', where);
      }
      assert.ok((await book.verify()).ok);
      await book.close();
    });
  }

  for (const [way, { code = 0, signal = null, said = /^$/ }] of Object.entries(LEAVING)) {
    test(`${name}: the end of the process at every chunk leaves one record: ${way}`, async () => {
      const path = join(folder, `${name}-${way}.db`);
      // What is abandoned or closed has not come to its end.
      const base = replay.load(`${name}-exit`, { reply: sdk.reply, ...(['abandon', 'close', 'kill'].includes(way) ? { stream: { hang_after: CHUNKS + 1 } } : {}) });
      const script = fileURLToPath(new URL('exit.mjs', import.meta.url));
      const ended = await promisify(execFile)(process.execPath, ['--expose-gc', script, way, name, base, path], { timeout: 60_000 }).catch((error) => error);
      assert.deepEqual([ended.stdout, ended.code ?? 0, ended.signal ?? null], ['leaving\n', code, signal], ended.stderr);
      assert.match(ended.stderr, said);
      const book = new Ledger(path);
      const { calls } = await book.list({ limit: 1000 });
      const wanted = Array.from({ length: way === 'kill' ? CHUNKS / 2 : CHUNKS }, (_, chunk) => chunk + 1);
      assert.deepEqual(calls.map(({ session }) => Number(session)).sort((one, other) => one - other), wanted);
      for (const call of calls) {
        const where = JSON.stringify(call);
        if (call.usage?.total_output_tokens !== OUTPUT) sdk.checkPartial(call, Number(call.session), where);
        // Whoever has enough, or leaves, has not failed.
        if (way === 'abandon' || way === 'close') assert.deepEqual([call.outcome, call.error_class], ['success', undefined], where);
      }
      assert.deepEqual([(await book.verify()).ok, (await book.live()).calls], [true, []]);
      await book.close();
    });
  }
}

test('no timer, socket or listener is left when all streams have ended', async () => {
  const left = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate' || /FSReq|GetAddrInfo/.test(kind));
  assert.deepEqual(left, []);
});
