// The demo in Node: `node demo.mjs <ledger> <report>`.
import { readFileSync, writeFileSync } from 'node:fs';
import { Ledger, cost, count } from '../../node/index.js';

const [file, out] = process.argv.slice(2);
console.log('How many tokens?', count('tokenbook keeps the book on LLM tokens', { model: 'gpt-4o' }));
const usage = { input_tokens: 612, cache_read_tokens: 4096, output_tokens: 143 };
console.log('What does it cost?', cost({ model: 'claude-sonnet-4-5', usage, at: '2026-11-20T09:00:00Z' }).total_usd, 'USD');

const book = new Ledger(file);
for (const line of readFileSync(new URL('responses.jsonl', import.meta.url), 'utf8').trim().split('\n')) {
  await book.recordResponse(JSON.parse(line));
}
const report = await book.report({ group_by: ['agent', 'model'] });
console.log('Calls', report.total.calls, 'USD', report.total.cost_usd, 'unpriced', report.total.unpriced_calls);
writeFileSync(out, `${JSON.stringify(report)}\n`);
await book.close();
