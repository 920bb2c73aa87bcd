// Compiled, never run: what the types promise, and what they refuse.
import {
  Ledger,
  TokenbookError,
  UsageStream,
  attribute,
  cost,
  costBatch,
  count,
  countBatch,
  countRequest,
  countUpTo,
  decode,
  encode,
  estimate,
  extract,
  pricesDiff,
  pricesOverride,
  pricesReplace,
  pricesSearch,
  pricesShow,
  version,
} from '../../node/index.js';
import type { Attribution, Call, Cost, Extraction, Page, Report, RequestCount, Usage } from '../../node/index.js';

const tokens: number = count('text', { model: 'gpt-4o' });
const many: Promise<number[]> = countBatch(['a', 'b'] as const);
const few: number | undefined = countUpTo('text', 5, { encoding: 'cl100k_base' });
const ids: number[] = encode('text');
const back: string = decode(ids);
const about: { tokens: number; low: number; high: number } = estimate({ text: 'text', model: 'claude-opus-4-8' });

const body = { model: 'claude-opus-4-8', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
const request: RequestCount = countRequest({ api: 'anthropic.messages', body });
const split: Attribution = attribute({ request, usage: { input_tokens: 10 } });
const read: Extraction = extract({ api: 'openai.chat', body: '{}', max_tokens: 5 });
const usage: Usage | undefined = read.usage;

const price: Cost = cost({ model: 'gpt-4o', usage: usage ?? {}, at: new Date() });
switch (price.status) {
  case 'priced':
    price.total_usd satisfies string;
    price.price.model satisfies string;
    break;
  case 'stated':
    price.total_usd satisfies string;
    break;
  case 'unpriced':
    price.reason satisfies string;
    // @ts-expect-error what is unpriced has no amount
    price.total_usd;
    break;
}
const batch: Promise<Array<string | null>> = costBatch({ models: ['gpt-4o'], tokens: { input_tokens: [1, 2] } }).then((all) => all.totals_usd);

pricesSearch({ query: 'sonnet' }).models.map((model) => model.provider);
pricesShow({ model: 'gpt-4o' }).models.length;
pricesOverride({ prices: '{}' }).overridden satisfies boolean;
pricesReplace().catalog_version satisfies string;
pricesDiff({ catalog: '{}' }).changes.length;
version().version satisfies string;

const stream = new UsageStream({ api: 'anthropic.messages', max_tokens: 5 });
stream.push(new Uint8Array());
stream.push('text');
stream.pushEvent({ type: 'message_stop' });
stream.soFar().is_final satisfies boolean;
stream.finish().tools_called satisfies string[];

const book = new Ledger('ledger.db', { durability: 'process', time_zone: 'Europe/Berlin' });
await book.record({ model: 'gpt-4o', agent: 'editor', usage: { input_tokens: 1 }, at: new Date() });
await book.recordBatch([{ model: 'gpt-4o' }]);
await book.recordResponse({ api: 'openai.chat', body: {}, request: {}, agent: 'host' });
const call: Call = await book.get('id');
const page: Page = await book.list({ from: '2026-11-01T00:00:00Z', filter: { agent: ['editor', 'host'] }, limit: 5 });
const report: Report = await book.report({ group_by: ['agent', 'day'], time_zone: 'UTC' });
await book.verify();
await book.prune({ before: new Date() });
await book.snapshot('copy.db');
await book.query('SELECT 1', { limit: 5 });
await book.export('calls.csv', { format: 'csv' });
await book.import('calls.csv', { format: 'csv' });
await book.close();

// @ts-expect-error an encoding is named by text
count('text', { encoding: 5 });
// @ts-expect-error a wire format is one of the known ones
extract({ api: 'anthropic.message', body: {} });
// @ts-expect-error a usage has no such kind
cost({ model: 'gpt-4o', usage: { prompt_tokens: 5 } });
// @ts-expect-error money is text, never a float
cost({ model: 'gpt-4o', usage: {}, stated_cost_usd: 0.5 });
// @ts-expect-error a report has no such dimension
await book.report({ group_by: ['colour'] });

const isOurs = (error: unknown): boolean => error instanceof TokenbookError && error.code === 'conflict';
export { about, back, batch, call, few, isOurs, many, page, report, split, tokens };
