// Measures one counter of npm on one corpus in a fresh process: `peer.mjs PEER ENCODING CORPUS` prints one JSON line.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";

const [peer, encoding, corpus] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const raw = readFileSync(corpus, "utf8");
const texts = corpus.endsWith(".jsonl") ? raw.trim().split("\n").map((line) => JSON.parse(line)) : [raw];
const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
const seconds = () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6;
const before = process.memoryUsage().rss;
const start = seconds();
let count;
if (peer === "gpt-tokenizer") {
  const own = require(`gpt-tokenizer/encoding/${encoding}`);
  count = (text) => own.encode(text, { disallowedSpecial: new Set() }).length;
} else {
  const own = require("js-tiktoken").getEncoding(encoding);
  count = (text) => own.encode(text, [], []).length;
}
count("Hello, world!");
const first = seconds() - start;
const memory = (process.memoryUsage().rss - before) / 1e6;
const times = [];
let tokens = 0;
for (let pass = 0; pass < 3; pass += 1) {
  const began = seconds();
  tokens = texts.reduce((sum, text) => sum + count(text), 0);
  times.push(seconds() - began);
}
console.log(
  JSON.stringify({
    peer,
    encoding,
    corpus: basename(corpus).split(".")[0],
    tokens,
    cold: size / times[0] / 1e6,
    warm: size / Math.min(...times.slice(1)) / 1e6,
    first_ms: first * 1e3,
    memory_mb: memory,
  }),
);
