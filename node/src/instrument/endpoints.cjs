'use strict';
// Which requests are calls of a model, by the end of their address, and who is asked, by its host.

const ENDPOINTS = [
  [/\/messages$/, 'anthropic.messages'],
  [/:(stream)?rawPredict$/i, 'vertex.rawPredict.anthropic'],
  [/\/model\/[^/]*(anthropic|claude)[^/]*\/invoke(-with-response-stream)?$/i, 'bedrock.invoke.anthropic'],
  [/\/model\/[^/]+\/converse(-stream)?$/, 'bedrock.converse'],
  [/\/chat\/completions$/, 'openai.chat'],
  [/\/responses$/, 'openai.responses'],
  [/\/completions$/, 'openai.completions'],
  [/\/embeddings$/, 'openai.embeddings'],
  [/:(streamG|g)enerateContent$/, 'google.generateContent'],
  [/\/api\/chat$/, 'ollama.chat'],
];

/** The results of a batch, one answer a line. */
const BATCH_RESULTS = /\/messages\/batches\/[^/]+\/results$/;

/** Ends of host names, in the words of the price catalog. */
const PROVIDERS = [
  ['api.anthropic.com', 'anthropic'],
  ['api.openai.com', 'openai'],
  ['.openai.azure.com', 'azure'],
  ['.services.ai.azure.com', 'azure'],
  ['.cognitiveservices.azure.com', 'azure'],
  ['-aiplatform.googleapis.com', 'vertex'],
  ['aiplatform.googleapis.com', 'vertex'],
  ['generativelanguage.googleapis.com', 'google'],
  ['.amazonaws.com', 'bedrock'],
  ['openrouter.ai', 'openrouter'],
  ['api.groq.com', 'groq'],
  ['api.deepseek.com', 'deepseek'],
  ['api.mistral.ai', 'mistral'],
  ['api.x.ai', 'xai'],
  ['api.together.xyz', 'together'],
  ['api.fireworks.ai', 'fireworks'],
  ['api.perplexity.ai', 'perplexity'],
  ['api.cerebras.ai', 'cerebras'],
  ['api.deepinfra.com', 'deepinfra'],
];

const addressOf = (url) => {
  const text = typeof url === 'string' ? url : (url?.href ?? url?.url);
  return typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
};

/** What kind of call a request is: `undefined` for all that cost nothing. */
function endpointOf(url, method = 'GET') {
  const address = addressOf(url);
  if (address === undefined) return undefined;
  const { hostname, pathname } = address;
  const provider = PROVIDERS.find(([end]) => hostname === end || (/^[.-]/.test(end) && hostname.endsWith(end)))?.[1];
  const wanted = method.toUpperCase();
  if (wanted === 'GET' && BATCH_RESULTS.test(pathname)) return { kind: 'batch_results', api: 'anthropic.messages', provider };
  if (wanted !== 'POST') return undefined;
  const api = ENDPOINTS.find(([end]) => end.test(pathname))?.[1];
  if (api === undefined) return undefined;
  // The model of Bedrock, Vertex and Gemini stands in the address.
  const model = /\/models?\/([^/:]+(?:%3A[^/:]+)?)(?:[/:])/.exec(pathname)?.[1];
  return { kind: 'call', api, provider, ...(model === undefined ? {} : { model: decodeURIComponent(model) }) };
}

module.exports = { endpointOf };
