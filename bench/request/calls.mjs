// Counts the same requests from Node; prints each time as JSON lines.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [root, file] = process.argv.slice(2);
const { countRequest } = await import(pathToFileURL(path.join(root, 'node', 'index.js')));
for (const args of JSON.parse(readFileSync(file, 'utf8'))) {
  const times = [];
  for (let call = 0; call < 3000; call += 1) {
    const start = process.hrtime.bigint();
    countRequest(args);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  const after = times.slice(500).sort((a, b) => a - b);
  const bytes = Buffer.byteLength(JSON.stringify(args.body));
  const at = (share) => after[Math.floor(after.length * share)];
  console.log(JSON.stringify({ face: 'Node', model: args.body.model, bytes, median: at(0.5), p90: at(0.9) }));
}
