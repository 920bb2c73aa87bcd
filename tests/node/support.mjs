// What the suites of Node share.
import { readFileSync, readdirSync } from 'node:fs';

const folder = new URL('../vectors/', import.meta.url);

/** Every file of vectors. */
export const files = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')));

/** The operations that run on an open ledger. */
export const LEDGER_OPS = new Set([
  'close', 'live', 'export', 'get', 'import', 'list', 'prune', 'query', 'record', 'record_batch', 'record_response',
  'record_responses', 'budget_set', 'budget_remove', 'budgets', 'reserve', 'extend', 'settle', 'void', 'report', 'snapshot', 'stats', 'verify',
]);
