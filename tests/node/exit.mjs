// Reads fifty streams, each up to another chunk, and leaves: `node --expose-gc exit.mjs WAY SDK BASE LEDGER`.
import { Ledger } from '../../node/index.js';
import { flush, health, withCall } from '../../node/src/instrument/index.js';
import { CHUNKS, SDKS } from './streams.mjs';

const [way, name, base, path] = process.argv.slice(2);
const book = new Ledger(path);
const sdk = SDKS[name];
const client = sdk.client(base, { book, agent: 'leaver' });

/** Reads up to a chunk; what it gives is all that holds the stream. */
async function upTo(chunk) {
  const stream = await sdk.stream(client);
  const iterator = stream[Symbol.asyncIterator]();
  for (let seen = 0; seen <= chunk; seen += 1) await iterator.next();
  return [stream, iterator];
}
const open = await Promise.all(Array.from({ length: CHUNKS }, (_, chunk) => withCall({ session: String(chunk + 1) }, () => upTo(chunk))));
process.stdout.write('leaving\n');

const WAYS = {
  exit: () => process.exit(0),
  throw: () => {
    throw new Error('nobody catches this');
  },
  reject: () => void Promise.reject(new Error('nobody catches this')),
  // The user's own handler leaves: without one a signal ends the process at once, as SIGKILL does.
  signal: () => {
    process.on('SIGTERM', () => process.exit(0));
    process.kill(process.pid, 'SIGTERM');
  },
  // Nothing is closed and nobody holds it any more: the end of the program is its end.
  abandon: async () => {
    open.length = 0;
    while (health(book).open > 0) {
      globalThis.gc();
      await new Promise((done) => setTimeout(done, 10));
    }
  },
  close: async () => {
    for (const [, iterator] of open) await iterator.return();
  },
  // What had ended and was waited for is kept; what is under way is lost, and the ledger stays whole.
  kill: async () => {
    for (const [, iterator] of open.slice(0, CHUNKS / 2)) await iterator.return();
    await flush(book);
    process.kill(process.pid, 'SIGKILL');
  },
};
await WAYS[way]();
