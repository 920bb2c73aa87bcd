// Reads fifty streams, each up to another chunk, and leaves: `node exit.mjs SDK BASE LEDGER`.
import { Ledger } from '../../node/index.js';
import { withCall } from '../../node/src/instrument/index.js';
import { CHUNKS, SDKS } from './streams.mjs';

const [name, base, path] = process.argv.slice(2);
const book = new Ledger(path);
const sdk = SDKS[name];
const client = sdk.client(base, { book, agent: 'leaver' });
await Promise.all(
  Array.from({ length: CHUNKS }, (_, chunk) =>
    withCall({ session: String(chunk + 1) }, async () => {
      const iterator = (await sdk.stream(client))[Symbol.asyncIterator]();
      for (let seen = 0; seen <= chunk; seen += 1) await iterator.next();
    }),
  ),
);
process.stdout.write('leaving\n');
process.exit(0);
