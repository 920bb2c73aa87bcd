// The demo prints what it is there to show.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The rows of a table, without its frame, each as an object by its headings. */
function table(lines, first) {
  const start = lines.findIndex((line) => line.startsWith(`│ ${first} `));
  assert.ok(start >= 0, `a table by ${first}`);
  const cells = (line) => line.slice(1, -1).split('┆').map((cell) => cell.trim());
  const headings = cells(lines[start]);
  const end = lines.findIndex((line, at) => at > start && line.startsWith('└'));
  return lines.slice(start + 2, end).map((line) => Object.fromEntries(cells(line).map((cell, at) => [headings[at], cell])));
}

test('a service and a script, into one ledger, and its report', () => {
  const PATH = [dirname(process.env.TOKENBOOK_BIN), join(root, '.venv', 'bin'), process.env.PATH].join(delimiter);
  const said = execFileSync('bash', [join(root, 'tests', 'demo', 'run.sh')], { encoding: 'utf8', env: { ...process.env, PATH }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  assert.match(said, /The shell, Node and Python agree to the last digit/);
  // The log lines of both, and what was cut off.
  const [, node, python] = said.split(/== A service.*/);
  for (const [part, subject] of [[node, 'Story'], [python, 'Piece']]) {
    assert.match(part, /📊 Token Usage: \{\n {2}"input_tokens": \d+,\n {2}"output_tokens": \d+,\n {2}"total_tokens": \d+,\n {2}"max_tokens": \d+,\n {2}"utilization_percent": "100\.0",\n {2}"stop_reason": "max_tokens"\n\}/);
    assert.match(part, new RegExp(`⚠️ {2}${subject} truncated due to token limit!`));
  }
  assert.match(node, /While the editor wrote: \d+ tokens, \$0\.\d+ … 400 tokens, \$0\.\d+/);

  const lines = said.split('== What they took together')[1].split('\n');
  const agents = table(lines, 'agent');
  assert.deepEqual(agents.map(({ agent, calls, failed, truncated }) => [agent, calls, failed, truncated]), [
    ['editor', '2', '0', '2'],
    ['producer', '4', '0', '0'],
    ['host', '4', '2', '0'],
    ['total', '10', '2', '2'],
  ]);
  for (const { USD, unpriced } of agents) assert.ok(Number(USD) > 0 && unpriced === '0');
  const tools = Object.fromEntries(table(lines, 'tool').map((row) => [row.tool, row]));
  for (const name of ['search_news', 'search_archive']) {
    assert.equal(tools[name].called, '1', name);
    assert.ok(Number(tools[name].definitions) > 0 && Number(tools[name].results) > 0, JSON.stringify(tools[name]));
  }
  // Offered in both calls and never called.
  assert.deepEqual([tools.get_weather.called, tools.get_weather.results], ['0', '0']);
  assert.ok(Number(tools.get_weather.definitions) > 0);
});
