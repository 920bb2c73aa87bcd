// Measures one counter of npm in a fresh process and prints one JSON line: `peer.mjs PEER ENCODING CORPUS` on a corpus, and
// `peer.mjs PEER ENCODING calls CORPUS` what calls cost: the first one, one of 20 bytes, a million of 20 to 100 bytes.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";

const [peer, encoding, corpus, rest] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);

/** How it counts one text, and many. */
function load() {
  const each = (one) => ({ one, many: (texts) => texts.map(one) });
  if (peer === "tokenbook") {
    const { count, countBatch } = require("tokenbook");
    const options = encoding === "o200k_base" ? undefined : { encoding };
    return { one: (text) => count(text, options), many: (texts) => countBatch(texts, options) };
  }
  if (peer === "gpt-tokenizer") {
    const own = require(`gpt-tokenizer/encoding/${encoding}`);
    return each((text) => own.encode(text, { disallowedSpecial: new Set() }).length);
  }
  const own = require("js-tiktoken").getEncoding(encoding);
  return each((text) => own.encode(text, [], []).length);
}

async function calls() {
  // The others need more than an import, and that counts.
  if (peer === "tokenbook") require("tokenbook");
  const start = performance.now();
  const { one, many } = load();
  const short = "The quick brown fox.";
  one(short);
  const first = performance.now() - start;
  const times = [];
  for (let round = 0; round < 15; round += 1) {
    const began = performance.now();
    for (let call = 0; call < 20_000; call += 1) one(short);
    times.push((performance.now() - began) / 20_000);
  }
  const text = readFileSync(rest, "utf8");
  const texts = [];
  for (let at = 0, state = 1; texts.length < 1e6; ) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const size = 20 + ((state >>> 8) % 81);
    if (at + size > text.length) at = state % 50;
    texts.push(text.slice(at, at + size));
    at += size;
  }
  const batch = [];
  let [tokens, blocked] = [0, Infinity];
  for (let round = 0; round < (peer === "tokenbook" ? 3 : 1); round += 1) {
    const began = performance.now();
    // The longest time for which nothing else could run.
    let [last, longest] = [began, 0];
    const timer = setInterval(() => ([longest, last] = [Math.max(longest, performance.now() - last), performance.now()]), 1);
    const counts = await many(texts);
    batch.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 2));
    clearInterval(timer);
    tokens = counts.reduce((sum, count) => sum + count, 0);
    blocked = Math.min(blocked, longest);
  }
  return { first_ms: first, call_ns: Math.min(...times) * 1e6, batch_ms: Math.min(...batch), blocked_ms: blocked, tokens };
}

function onCorpus() {
  const raw = readFileSync(corpus, "utf8");
  const texts = corpus.endsWith(".jsonl") ? raw.trim().split("\n").map((line) => JSON.parse(line)) : [raw];
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const seconds = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
  const before = process.memoryUsage().rss;
  const start = seconds();
  const { one } = load();
  one("Hello, world!");
  const first = seconds() - start;
  const memory = (process.memoryUsage().rss - before) / 1e6;
  const times = [];
  let tokens = 0;
  for (let pass = 0; pass < 3; pass += 1) {
    const began = seconds();
    tokens = texts.reduce((sum, text) => sum + one(text), 0);
    times.push(seconds() - began);
  }
  return {
    corpus: basename(corpus).split(".")[0],
    tokens,
    cold: size / times[0] / 1e6,
    warm: size / Math.min(...times.slice(1)) / 1e6,
    first_ms: first * 1e3,
    memory_mb: memory,
  };
}

console.log(JSON.stringify({ peer, encoding, ...(corpus === "calls" ? await calls() : onCorpus()) }));
