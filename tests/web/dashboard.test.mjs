// The page of `tokenbook serve` on a ledger whose figures are computed by hand, clicked through in a headless Chromium.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = process.env.TOKENBOOK_BIN ?? join(root, 'target/release/tokenbook');
const DAY = 86_400_000;
const noon = Math.floor(Date.now() / DAY) * DAY - DAY + 12 * 3_600_000;
const at = (daysBack, minute = 0) => new Date(noon - daysBack * DAY + minute * 60_000).toISOString();

/** Runs operations on a ledger. */
function ops(ledger, calls) {
  const input = calls.map((args) => JSON.stringify({ op: 'record', args })).join('\n');
  const out = execFileSync(bin, ['--ledger', ledger, 'ops'], { input, encoding: 'utf8' });
  for (const line of out.trim().split('\n')) assert.match(line, /"ok"/);
}

/** Starts the server and gives its address. */
async function serve(ledger, args = [], env = {}) {
  const server = spawn(bin, ['--ledger', ledger, 'serve', '--listen', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } });
  const url = await new Promise((resolve, reject) => {
    let text = '';
    server.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.trim());
    });
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { url, pid: server.pid, stop: () => server.kill() };
}

// gpt-4o costs $2.50 and $10.00 a million tokens.
const three = [
  { id: 'a', at: at(6), model: 'gpt-4o', agent: 'editor', action: 'stream', usage: { input_tokens: 1000, output_tokens: 500 }, max_tokens: 1000, duration_ms: 2000, tools_offered: ['search', 'fetch'], tools_called: ['search', 'search'] },
  { id: 'b', at: at(2), model: 'gpt-4o', agent: 'host', action: 'generate', usage: { input_tokens: 2000, output_tokens: 500 }, duration_ms: 4000 },
  { id: 'c', at: at(2, 30), model: 'our-own', agent: 'host', action: 'generate', outcome: 'error', error_class: 'overloaded' },
];

let folder;
let browser;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tokenbook-page-'));
  browser = await launch();
});
after(async () => {
  if (typeof browser === 'object') await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A page that fails the test on any error in its console. */
async function open(url, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(url);
  await page.waitForSelector('html[data-ready]');
  return { page, faults };
}

const cards = (page) => page.$$eval('.cards li', (items) => Object.fromEntries(items.map((item) => [item.children[0].textContent, [item.children[1].textContent, item.children[2].textContent]])));
const cells = (page, title) => page.$$eval(`section[aria-labelledby] table`, (tables, title) => {
  const table = tables.find((table) => table.closest('section').querySelector('h2').textContent === title);
  return [...table.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));
}, title);

test('the figures of the page are those computed by hand', async (context) => {
  if (typeof browser === 'string') return context.skip(browser);
  const ledger = join(folder, 'hand.db');
  ops(ledger, three);
  const server = await serve(ledger);
  try {
    const { page, faults } = await open(server.url);
    const figures = await cards(page);
    assert.deepEqual(figures.Calls, ['3', '1 failed (33.3 %)']);
    // 1000 × 2.5 + 500 × 10 = 7,500 and 2000 × 2.5 + 500 × 10 = 10,000 millionths.
    assert.deepEqual(figures.Cost, ['$0.0175', '1 calls without a price']);
    assert.deepEqual(figures['Cost per call'], ['$0.008750', '$0.008750 per successful call']);
    assert.deepEqual(figures.Tokens, ['4.0K', '2,000 a call']);
    assert.deepEqual(figures['Input tokens'], ['3.0K', '75.0 % of all tokens']);
    assert.deepEqual(figures['Output tokens'], ['1.0K', '25.0 % of all tokens']);
    assert.deepEqual(figures['Calls with tools'], ['1', '33.3 % offer, 33.3 % call']);
    assert.deepEqual(figures.Utilization[0], '50.0 %');
    assert.deepEqual(figures.Duration, ['3.00 s', 'mean of 2 calls']);
    assert.doesNotMatch(await page.textContent('main'), /NaN|undefined|Infinity/);

    // Days without calls are there, and shares add up.
    const days = await page.$$eval('details tbody tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
    assert.ok(days.length >= 5);
    assert.ok(days.some(([, calls]) => calls === '0'));
    assert.equal(days.reduce((sum, [, calls]) => sum + Number(calls), 0), 3);
    const agents = await cells(page, 'By agent');
    assert.deepEqual(agents.map((row) => [row[0], row[1], row[3], row[4]]), [['host', '2', '$0.0100', '57.1 %'], ['editor', '1', '$0.007500', '42.9 %']]);
    const endpoints = await cells(page, 'By action, agent and model');
    assert.deepEqual(endpoints.find((row) => row[2] === 'our-own').slice(3, 6), ['1', '1', '0.0 %']);
    assert.equal(endpoints.find((row) => row[2] === 'our-own')[8], 'unknown');
    const tools = await cells(page, 'Tools');
    assert.deepEqual(tools.map((row) => row.slice(0, 5)).sort(), [['fetch', '1', '0', '0.0 %', '0.0 %'], ['search', '1', '2', '100.0 %', '100.0 %']]);
    assert.deepEqual(tools.map((row) => row.slice(7)), [['0.0 %', '$0.007500'], ['0.0 %', '$0.007500']]);
    // Percentiles are the middle of a step of 1/16: 2,000 lies in 1,984 to 2,047, and 4,000 in 3,968 to 4,095.
    const times = await cells(page, 'Times and sizes');
    assert.deepEqual(times[0], ['duration', '2', '2.02 s', '4.03 s', '4.03 s']);
    assert.deepEqual(times.map(([what]) => what), ['duration', 'input tokens', 'output tokens']);
    // 500 of 1,000 is the upper edge of its step; no other call has a limit.
    const used = await cells(page, 'Output of max_tokens');
    assert.deepEqual(used.filter(([, calls]) => calls !== '0'), [['40 to 50 %', '1', '100.0 %']]);
    assert.equal(used.length, 11);
    assert.deepEqual(figures['Cost a minute'], ['–', 'no call in the last 10 minutes']);
    assert.deepEqual(figures['Saved by caching'], ['–', 'nothing was cached']);

    // The same calls on gpt-4o-mini, at $0.15 and $0.60: 3,000 × 0.15 + 1,000 × 0.60 = 1,050 millionths.
    await page.fill('input[name=model]', 'gpt-4o-mini');
    await page.keyboard.press('Enter');
    await page.waitForSelector('text=would have cost $0.001050 on gpt-4o-mini: −$0.0165');
    await page.fill('input[name=model]', 'no-such-model');
    await page.keyboard.press('Enter');
    await page.waitForSelector('section .error[role=alert]');
    // What was refused is shown, and is an error of the console as well.
    assert.match(faults.splice(0).join(), /404/);
    // All calls are of this time, none of the one before: all of the change is volume.
    await page.click('button:text-is("Compare")');
    await page.waitForSelector('text=$0.00 before, $0.0175 now: +$0.0175.');
    const why = await page.$$eval('section section', (all) => [...all.find((one) => one.querySelector('h2').textContent === 'Why').querySelectorAll('tbody tr')].map((row) => row.cells[1].textContent));
    assert.deepEqual(why, ['+$0.0175', '$0.00', '$0.00', '$0.00']);

    // One agent, by the table's button; then all again, by the filter.
    await page.click('section:has(h2:text-is("By agent")) button.link:text-is("editor")');
    await page.waitForFunction(() => document.querySelector('.cards .value').textContent === '1');
    assert.deepEqual((await cards(page)).Cost, ['$0.007500', 'every call has a price']);
    assert.match(page.url(), /agent=editor/);
    await page.selectOption('select[name=agent]', '');
    await page.waitForFunction(() => document.querySelector('.cards .value').textContent === '3');

    // Down to a call, by the keyboard.
    await page.focus('section:has(h2:text-is("Calls")) tbody tr:last-child button.link');
    await page.keyboard.press('Enter');
    assert.match(await page.textContent('dialog[open]'), /max_tokens.*1000/);
    await page.keyboard.press('Escape');
    assert.equal(await page.$('dialog[open]'), null);

    const [download] = await Promise.all([page.waitForEvent('download'), page.click('button[aria-label="CSV of By model"]')]);
    assert.equal(readFileSync(await download.path(), 'utf8').split('\r\n')[1], 'gpt-4o,2,4000,0.0175,100.0 %');

    // What another process records shows by itself.
    ops(ledger, [{ id: 'd', at: at(0), model: 'gpt-4o', agent: 'producer', usage: { input_tokens: 10, output_tokens: 1 } }]);
    await page.waitForFunction(() => document.querySelector('.cards .value').textContent === '4', undefined, { timeout: 10_000 });
    assert.deepEqual(faults, []);
  } finally {
    server.stop();
  }
});

test('a ledger without calls says so', async (context) => {
  if (typeof browser === 'string') return context.skip(browser);
  const server = await serve(join(folder, 'empty.db'));
  try {
    const { page, faults } = await open(server.url);
    assert.match(await page.textContent('main'), /The ledger is empty/);
    assert.deepEqual(faults, []);
  } finally {
    server.stop();
  }
});

test('a name that is markup stays a name', async (context) => {
  if (typeof browser === 'string') return context.skip(browser);
  const ledger = join(folder, 'markup.db');
  ops(ledger, [{ id: 'a', at: at(0), model: 'gpt-4o', agent: '</script><img src=x onerror=document.title="owned">', usage: { input_tokens: 1 } }]);
  const file = join(folder, 'markup.html');
  execFileSync(bin, ['--ledger', ledger, 'report', '--html', file]);
  const server = await serve(ledger);
  try {
    for (const url of [server.url, `file://${file}`]) {
      const { page } = await open(url);
      assert.match(await page.textContent('main'), /<img src=x/);
      assert.equal(await page.title(), 'tokenbook');
    }
  } finally {
    server.stop();
  }
});

test('a report is one file with the same figures', async (context) => {
  if (typeof browser === 'string') return context.skip(browser);
  const file = join(folder, 'report.html');
  execFileSync(bin, ['--ledger', join(folder, 'hand.db'), 'report', '--html', file]);
  const { page, faults } = await open(`file://${file}`);
  assert.deepEqual((await cards(page)).Calls, ['4', '1 failed (25.0 %)']);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /(src|href)="(?!data:|#)/);
  assert.deepEqual(faults, []);
});

test('the server lets in only who may', async () => {
  const ledger = join(folder, 'door.db');
  const server = await serve(ledger);
  try {
    const ask = (path, init) => fetch(new URL(path, server.url), init);
    const home = await ask('/');
    assert.match(home.headers.get('content-security-policy'), /default-src 'none'; script-src 'self'/);
    assert.equal((await ask('/api/openapi.json').then((answer) => answer.json())).openapi, '3.1.0');
    for (const op of ['record', 'prune', 'export', 'query', 'close', 'nothing']) assert.equal((await ask(`/api/${op}`, { method: 'POST', body: '{}' })).status, 404, op);
    const wrong = await ask('/api/report', { method: 'POST', body: '{"limit": 0}' });
    assert.deepEqual([wrong.status, (await wrong.json()).code], [400, 'invalid_argument']);
    const port = new URL(server.url).port;
    const foreign = execFileSync(process.execPath, ['-e', `require('http').get({ host: '127.0.0.1', port: ${port}, headers: { host: 'evil.example' } }, (r) => { console.log(r.statusCode); process.exit(); })`], { encoding: 'utf8' });
    assert.equal(foreign.trim(), '403');
  } finally {
    server.stop();
  }
  const token = 'a-token-of-some-length';
  const closed = await serve(ledger, [], { TOKENBOOK_TOKEN: token });
  try {
    assert.equal((await fetch(closed.url)).status, 401);
    assert.equal((await fetch(closed.url, { headers: { authorization: `Bearer ${token}` } })).status, 200);
    assert.equal((await fetch(`${closed.url}?token=wrong-token-of-length`, { redirect: 'manual' })).status, 401);
    const entered = await fetch(`${closed.url}?token=${token}`, { redirect: 'manual' });
    assert.match(entered.headers.get('set-cookie'), /HttpOnly; SameSite=Strict/);
  } finally {
    closed.stop();
  }
  assert.throws(() => execFileSync(bin, ['--ledger', ledger, 'serve', '--listen', '0.0.0.0:0'], { stdio: 'pipe' }), (error) => error.status === 2 && /needs a token/.test(error.stderr));
});

test('the page is readable light, dark and narrow', async (context) => {
  if (typeof browser === 'string') return context.skip(browser);
  const ledger = join(folder, 'full.db');
  const models = ['gpt-4o', 'claude-sonnet-4-5', 'gpt-4o-mini'];
  const agents = ['host', 'editor', 'producer'];
  const calls = [];
  for (let day = 0; day < 28; day += 1) {
    for (let number = 0; number < 3 + ((day * 7) % 9); number += 1) {
      const seed = day * 31 + number * 17;
      calls.push({
        id: `${day}-${number}`, at: at(day, number), model: models[seed % 3], agent: agents[(seed >> 1) % 3], action: seed % 4 ? 'generate' : 'stream', max_tokens: 4000,
        usage: { input_tokens: 800 + ((seed * 97) % 5000), cache_read_tokens: (seed % 5) * 400, output_tokens: 100 + ((seed * 53) % 1900) },
        duration_ms: 900 + ((seed * 41) % 5000), ...(seed % 13 === 0 ? { outcome: 'error', error_class: 'overloaded' } : { stop_reason: 'end_turn', truncated: seed % 11 === 0 }),
        tools_offered: ['search', 'fetch', 'publish'], tools_called: seed % 2 ? ['search'] : [],
        tool_tokens: [{ tool: 'search', definition_tokens: 120, result_tokens: seed % 2 ? 300 : 0 }, { tool: 'fetch', definition_tokens: 180 }, { tool: 'publish', definition_tokens: 90 }],
      });
    }
  }
  ops(ledger, calls);
  execFileSync(bin, ['--ledger', ledger, 'ops'], { input: JSON.stringify({ op: 'budget_set', args: { name: 'editor a month', limit_usd: '20', scope: { agent: 'editor' }, period: 'month' } }) });
  const server = await serve(ledger);
  const shots = process.env.TOKENBOOK_SHOTS ?? folder;
  try {
    for (const [name, options] of Object.entries({ light: {}, dark: { colorScheme: 'dark' }, narrow: { viewport: { width: 390, height: 844 } } })) {
      const { page, faults } = await open(server.url, options);
      await page.waitForSelector('.u-over');
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: nothing sticks out`);
      const file = join(shots, `page-${name}.png`);
      await page.screenshot({ path: file, fullPage: name === 'narrow' || Boolean(process.env.TOKENBOOK_SHOTS_FULL) });
      assert.ok(statSync(file).size > 20_000);
      assert.ok(existsSync(file));
      assert.deepEqual(faults, []);
    }
  } finally {
    server.stop();
  }
});
