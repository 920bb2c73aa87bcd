// What the suites of Node share.
import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('../vectors/', import.meta.url);

/** Every file of vectors. */
export const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

/** The operations that run on an open ledger: as the core's own list says, which the build for browsers has as well. */
const list = readFileSync(new URL('../../crates/tokenbook-wire/src/ops.rs', import.meta.url), 'utf8');
export const LEDGER_OPS = new Set(Array.from(list.matchAll(/^ {4}ledger "(\w+)"/gm), ([, name]) => name));
