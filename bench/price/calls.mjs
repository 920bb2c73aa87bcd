// Prices a million calls in one batch from Node; prints the time a call in the form that calls.py compares.
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const root = process.argv[2];
const { costBatch } = await import(pathToFileURL(path.join(root, 'node', 'index.js')));
const models = [
  'openai/gpt-4o', 'openai/gpt-5', 'openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5', 'anthropic/claude-haiku-4-5',
  'anthropic/claude-opus-4-8', 'google/gemini-2.5-pro', 'google/gemini-2.5-flash', 'openai/o3', 'openai/gpt-5.4',
];
const calls = 1_000_000;
let seed = 1;
const draw = (below) => {
  seed = (seed * 48271) % 2147483647;
  return seed % below;
};
const column = (below) => Array.from({ length: calls }, () => draw(below));
const args = {
  models,
  model: Array.from({ length: calls }, (_, call) => call % 10),
  tokens: { input_tokens: column(20_000), cache_read_tokens: column(50_000), output_tokens: column(4_000) },
};
await costBatch({ models, model: [0], tokens: { input_tokens: [1] } });
const before = process.cpuUsage();
const costs = await costBatch(args);
const used = process.cpuUsage(before);
if (costs.unpriced !== 0) throw new Error(`unpriced: ${costs.unpriced_models}`);
console.log(JSON.stringify({ name: 'tokenbook.costBatch (Node)', microseconds: (used.user + used.system) / calls }));
