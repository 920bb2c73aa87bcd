// What `tokenbook serve` takes on a large ledger: `node run.mjs <ledger>` opens the page in Chromium and asks for its memory.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from '../../tests/web/chromium.mjs';

const bin = process.env.TOKENBOOK_BIN ?? fileURLToPath(new URL('../../target/release/tokenbook', import.meta.url));
const server = spawn(bin, ['--ledger', process.argv[2], 'serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((resolve) => server.stdout.once('data', (text) => resolve(String(text).trim())));
const memory = () => `${Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024)} MB, at most ${Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024)} MB`;
const browser = await launch();
if (typeof browser === 'string') throw new Error(browser);
for (const range of ['all time', '90 days', '30 days', '7 days', '24 hours']) {
  const times = [];
  for (let run = 0; run < 5; run += 1) {
    const page = await browser.newPage();
    const start = performance.now();
    await page.goto(`${url}#range=${encodeURIComponent(range)}`);
    await page.waitForSelector('html[data-ready]');
    times.push(performance.now() - start);
    await page.close();
  }
  times.sort((a, b) => a - b);
  console.log(`${range.padEnd(10)} figures after ${times[2].toFixed(0)} ms (median of 5, ${times[0].toFixed(0)} to ${times[4].toFixed(0)})`);
}
console.log(`memory of the server: ${memory()}`);
await browser.close();
server.kill();
