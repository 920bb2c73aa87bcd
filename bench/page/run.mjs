// What `tokenbook serve` takes on the large ledger that `bench/ledger/run.sh 10_000_000 0 FILE` keeps: `node run.mjs FILE` opens
// the page in Chromium and asks for the memory of the server.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from '../../tests/web/chromium.mjs';

const bin = process.env.TOKENBOOK_BIN ?? fileURLToPath(new URL('../../target/release/tokenbook', import.meta.url));
const server = spawn(bin, ['--ledger', process.argv[2], 'serve', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const url = await new Promise((resolve) => server.stdout.once('data', (text) => resolve(String(text).trim())));
const browser = await launch();
if (typeof browser === 'string') throw new Error(browser);
const bar = (name, figure, limit, met) => console.log(`${name.padEnd(58)} ${figure.padStart(16)}   ${limit.padEnd(12)} ${met ? 'met' : 'MISSED'}`);
for (const range of ['all time', '90 days', '30 days', '7 days', '24 hours']) {
  const [paints, times] = [[], []];
  for (let run = 0; run < 5; run += 1) {
    const page = await browser.newPage();
    // The ledger of bench/ledger ends with 2025: the page is told that it is then, in the midst of a day and an hour.
    await page.addInitScript(() => {
      const [opened, now] = [Date.now(), Date.now];
      Date.now = () => now() - opened + Date.parse('2025-12-31T17:20:00Z');
    });
    const start = performance.now();
    await page.goto(`${url}#range=${encodeURIComponent(range)}&zone=Europe/Berlin`);
    await page.waitForSelector('html[data-ready]');
    times.push(performance.now() - start);
    paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await page.close();
  }
  const [paint, time] = [paints, times].map((all) => all.sort((a, b) => a - b)[2]);
  bar(`page, ${range}: first paint, median of 5`, `${paint.toFixed(0)} ms`, '≤ 1 s', paint <= 1000);
  bar(`page, ${range}: all figures shown`, `${time.toFixed(0)} ms`, '≤ 1 s', time <= 1000);
}
const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
const megabytes = (field) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]) / 1024;
bar('resident memory of the server, at most', `${megabytes('VmHWM').toFixed(0)} MB`, '≤ 150 MB', megabytes('VmHWM') <= 150);
await browser.close();
server.kill();
