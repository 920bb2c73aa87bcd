// Appends calls to a ledger until its time is up and prints what was acknowledged: `append.mjs <ledger> <name> <seconds>`.
import { Ledger } from '../../node/index.js';

const [path, name, seconds] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1000;
const book = new Ledger(path);
let acknowledged = 0;
while (performance.now() < until) {
  await book.record({ id: `${name}-${acknowledged}`, model: 'gpt-4o', agent: name, usage: { input_tokens: 10, output_tokens: 1 } });
  acknowledged += 1;
}
await book.close();
console.log(acknowledged);
