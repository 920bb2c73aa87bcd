// What a page pays for tokenbook/web: bytes raw and as gzip sends them, and the time until the first count in Chromium.
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { launch } from '../../tests/web/chromium.mjs';

const web = fileURLToPath(new URL('../../node/web/', import.meta.url));
const kB = (bytes) => `${Math.round(bytes / 1000)} kB`.padStart(9);
for (const name of readdirSync(web).filter((name) => !name.endsWith('.d.ts'))) {
  const bytes = readFileSync(join(web, name));
  console.log(`${name.padEnd(20)} ${kB(bytes.length)} raw ${kB(gzipSync(bytes, { level: 9 }).length)} gzip`);
}

const server = createServer((request, response) => {
  if (request.url === '/favicon.ico') return response.writeHead(404).end();
  if (request.url === '/') return response.setHeader('content-type', 'text/html').end('<!doctype html>');
  response.setHeader('content-type', request.url.endsWith('.js') ? 'text/javascript' : request.url.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream');
  return response.end(readFileSync(join(web, request.url)));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await launch();
if (typeof browser === 'string') {
  console.log(browser);
} else {
  const runs = [];
  for (let run = 0; run < 5; run += 1) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    runs.push(
      await page.evaluate(async () => {
        const start = performance.now();
        const tokenbook = await import('/index.js');
        await tokenbook.load();
        const loaded = performance.now();
        await tokenbook.load('o200k_base');
        const fetched = performance.now();
        tokenbook.count('Hello, world');
        const first = performance.now();
        const text = 'The quick brown fox jumps over the lazy dog. '.repeat(20_000);
        tokenbook.count(text);
        const many = performance.now();
        return { module_ms: loaded - start, vocabulary_ms: fetched - loaded, first_count_ms: first - fetched, in_all_ms: first - start, mb_per_s: text.length / 1000 / (many - first) };
      }),
    );
    await page.close();
  }
  for (const key of Object.keys(runs[0])) {
    const sorted = runs.map((run) => run[key]).sort((a, b) => a - b);
    console.log(`${key.padEnd(20)} ${sorted[2].toFixed(1)} (median of 5, ${sorted[0].toFixed(1)} to ${sorted[4].toFixed(1)})`);
  }
  await browser.close();
}
server.close();
