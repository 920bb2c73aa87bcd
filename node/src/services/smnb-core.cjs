'use strict';
// The token counting service, with the core that counts and prices handed in, so that it also runs where no addon can be loaded.

const { MINUTE_MS, addToStats, emptyStats, hourlyUsage } = require('./smnb-stats.cjs');
const { toTokenUsageRow } = require('./smnb-row.cjs');

/** The first service's own table: tokens per dollar, which no exact price has. Only compatible mode reads it. */
const COMPATIBLE_PRICING = Object.freeze({
  'claude-3-5-sonnet-20241022': { inputTokensPerDollar: 333333, outputTokensPerDollar: 66667, description: 'Claude 3.5 Sonnet' },
  'claude-3-5-haiku-20241022': { inputTokensPerDollar: 1000000, outputTokensPerDollar: 200000, description: 'Claude 3.5 Haiku' },
  'claude-3-opus-20240229': { inputTokensPerDollar: 66667, outputTokensPerDollar: 13333, description: 'Claude 3 Opus' },
});

/** The model whose tokens a text is counted in when no model is named. */
const DEFAULT_MODEL = 'claude-3-5-haiku-20241022';
const DEFAULT_MUTATION = 'tokenUsage:recordTokenUsage';
const HISTORY_LIMIT = 1000;
/** Old formula: invented tokens for each tool's definition and result. */
const COMPATIBLE_DEFINITION_TOKENS = 200;
const COMPATIBLE_RESULT_TOKENS = 300;
const MAX_TOKENS = Number.MAX_SAFE_INTEGER;
/** Rows that wait for a store that fails; beyond that the oldest are dropped, and counted. */
const QUEUE_LIMIT = 10_000;

const charactersByFour = (text) => Math.ceil(text.length / 4);

/** All text of a request, as the first service put it together. */
function textOfRequest({ system, messages = [] }) {
  let text = system ?? '';
  for (const { content } of messages) {
    if (typeof content === 'string') text += ` ${content}`;
    else if (Array.isArray(content)) for (const block of content) if (block?.type === 'text') text += ` ${block.text}`;
  }
  return text;
}

const sum = (parts, kind) => parts.filter((part) => part.kind === kind).reduce((tokens, part) => tokens + part.tokens, 0);

/** What is the same about two records of one request. */
const contentOf = ({ timestamp: _at, totalTokens: _total, estimatedCost: _cost, ...content }) => JSON.stringify(content, Object.keys(content).sort());

/** Makes the class and the price table over a core: `cost`, `estimate`, `countRequest`, `pricesSearch`, `TokenbookError`. */
function smnb({ TokenbookError, cost, countRequest, estimate, pricesSearch }) {
  const invalid = (message) => new TokenbookError('invalid_argument', message);

  const perDollar = (pricePerMtok) => 1e6 / Number(pricePerMtok);

  /** Every Anthropic model with a price today, and the dated ids that the first service used. */
  function anthropicPricing() {
    const names = pricesSearch({ query: 'claude', limit: 10_000 }).models.filter(({ provider }) => provider === 'anthropic');
    const table = {};
    for (const model of [...Object.keys(COMPATIBLE_PRICING), ...names.map((name) => name.model)]) {
      const priced = cost({ model, provider: 'anthropic', usage: { input_tokens: 1, output_tokens: 1 } });
      if (priced.status !== 'priced') continue;
      const rate = (kind) => perDollar(priced.lines.find((line) => line.kind === kind).price_per_mtok);
      table[model] = {
        inputTokensPerDollar: rate('input_tokens'),
        outputTokensPerDollar: rate('output_tokens'),
        description: COMPATIBLE_PRICING[model]?.description ?? model,
      };
    }
    return Object.freeze(table);
  }

  class TokenCountingService {
    #apiEndpoint;
    #convexClient;
    #options = {};
    #startedAt;
    #queue = [];
    #storing;
    #byId = new Map();
    #totals = emptyStats();
    /** The last records, oldest first. */
    usageHistory = [];
    /** How the last count was made. */
    lastCount;
    /** How many records were not counted: the same id with other content. */
    conflicts = 0;
    /** How many rows were dropped because the store kept failing. */
    droppedRows = 0;

    constructor(apiEndpoint = '/api/claude', convexClient = undefined, options = {}) {
      this.#apiEndpoint = apiEndpoint;
      this.#convexClient = convexClient;
      this.configure(options);
    }

    /** Changes options; those that are not named stay. */
    configure(options = {}) {
      this.#options = { ...this.#options, ...options };
      return this;
    }

    get compatible() {
      return this.#options.compatible === true;
    }

    /** Asks the endpoint for the exact count; gives `undefined` where it can't be asked. */
    async #askEndpoint({ model, system, messages, tools, thinking }) {
      // A path alone has an origin only in a browser.
      const isReachable = /^https?:/.test(this.#apiEndpoint) || typeof globalThis.location?.origin === 'string' || this.#options.fetch !== undefined || this.compatible;
      if (!isReachable || this.#options.countLocally === true) return undefined;
      try {
        const response = await (this.#options.fetch ?? fetch)(this.#apiEndpoint, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ action: 'count-tokens', model, system, messages, tools, thinking, ...(this.#options.apiKey === undefined ? {} : { apiKey: this.#options.apiKey }) }),
        });
        if (!response.ok) throw new Error(`the endpoint answered ${response.status}`);
        const { input_tokens } = await response.json();
        if (!Number.isSafeInteger(input_tokens) || input_tokens < 0) throw new Error('the endpoint answered without a count');
        return input_tokens;
      } catch (error) {
        this.#report(error);
        return undefined;
      }
    }

    #report(error) {
      const { onError = (error) => console.warn(`tokenbook: ${error.message ?? error}`) } = this.#options;
      try {
        onError(error);
      } catch {
        // A reporter that fails must not fail the service.
      }
    }

    async #count(request) {
      const asked = await this.#askEndpoint(request);
      if (asked !== undefined) return { tokens: asked, exactness: 'measured' };
      if (this.compatible) return { tokens: charactersByFour(textOfRequest(request)), exactness: 'estimated' };
      return this.#countLocally(request);
    }

    #countLocally({ model, system, messages, tools, thinking }) {
      try {
        const body = { model, messages, ...(system === undefined ? {} : { system }), ...(tools === undefined ? {} : { tools }), ...(thinking === undefined ? {} : { thinking }) };
        const { input_tokens, low, high, exactness, parts } = countRequest({ api: 'anthropic.messages', body, model });
        return { tokens: input_tokens, low, high, exactness, resultTokens: sum(parts, 'tool_result') };
      } catch (error) {
        this.#report(error);
        return { tokens: charactersByFour(textOfRequest({ system, messages })), exactness: 'estimated' };
      }
    }

    async countInputTokens(request) {
      const { resultTokens: _, ...count } = await this.#count(request);
      this.lastCount = count;
      return count.tokens;
    }

    async countTokensWithTools(request) {
      const tools = request.tools ?? [];
      const whole = await this.#count(request);
      this.lastCount = { tokens: whole.tokens, exactness: whole.exactness };
      if (this.compatible) {
        return {
          inputTokens: whole.tokens,
          toolDefinitionsTokens: tools.length * COMPATIBLE_DEFINITION_TOKENS,
          estimatedToolResultsTokens: tools.length * COMPATIBLE_RESULT_TOKENS,
        };
      }
      // What the tools take is the difference that they make, the provider's own prompt for them included.
      const { tools: _, ...without } = request;
      const bare = tools.length === 0 ? whole : whole.exactness === 'measured' ? await this.#count(without) : this.#countLocally(without);
      const comparable = bare.exactness === whole.exactness ? whole : this.#countLocally(request);
      const resultTokens = whole.resultTokens ?? this.#countLocally(request).resultTokens ?? 0;
      return {
        inputTokens: whole.tokens,
        toolDefinitionsTokens: Math.min(whole.tokens, Math.max(0, comparable.tokens - bare.tokens)),
        estimatedToolResultsTokens: Math.min(whole.tokens, resultTokens),
      };
    }

    createAgentUsageRecord(agentType, action, model, inputTokens, outputTokens, options = {}) {
      const { requestId, success = true, toolsUsed, ...rest } = options;
      const called = toolsUsed !== undefined && toolsUsed.length > 0;
      const offered = !this.compatible && (options.toolDefinitionsTokens > 0 || options.toolsOffered?.length > 0);
      return this.recordUsage({
        requestId: requestId ?? `${agentType}-${action}-${Date.now()}-${Math.random().toString(36).slice(2, 11)}`,
        model,
        action,
        inputTokens,
        outputTokens,
        requestType: agentType,
        success,
        ...(toolsUsed === undefined ? {} : { toolsUsed }),
        ...rest,
        hasTools: called || offered,
      });
    }

    recordUsage(given) {
      if (!this.compatible) {
        for (const field of ['inputTokens', 'outputTokens', 'toolDefinitionsTokens', 'toolResultsTokens']) {
          const tokens = given[field];
          const isMissing = tokens === undefined && field.startsWith('tool');
          if (!isMissing && !(Number.isSafeInteger(tokens) && tokens >= 0)) {
            throw invalid(`${field}: expected a whole number from 0 to ${MAX_TOKENS}, got ${String(tokens)}`);
          }
        }
      }
      const { inputTokens, outputTokens, toolDefinitionsTokens = 0, toolResultsTokens = 0 } = given;
      const before = this.compatible ? undefined : this.#byId.get(given.requestId);
      if (before !== undefined) {
        if (contentOf(before.given) === contentOf(given)) return before.metrics;
        this.conflicts += 1;
        this.#report(new TokenbookError('conflict', `requestId: ${given.requestId} is recorded with other content; this one is not counted`));
      }
      const timestamp = new Date();
      const metrics = {
        ...given,
        timestamp,
        // Definitions and results are a part of the input: the old formula counts them twice.
        totalTokens: inputTokens + outputTokens + (this.compatible ? toolDefinitionsTokens + toolResultsTokens : 0),
        ...this.#price(given.model, inputTokens, outputTokens, toolDefinitionsTokens, toolResultsTokens),
      };
      if (before !== undefined) return metrics;
      this.#startedAt ??= timestamp.getTime() - (given.duration ?? 0);
      this.#byId.set(given.requestId, { given, metrics });
      this.usageHistory.push(metrics);
      addToStats(this.#totals, metrics);
      const limit = this.compatible ? HISTORY_LIMIT : (this.#options.historyLimit ?? HISTORY_LIMIT);
      while (this.usageHistory.length > limit) this.#byId.delete(this.usageHistory.shift().requestId);
      this.#store(metrics);
      return metrics;
    }

    /** The cost as fields of a record. */
    #price(model, inputTokens, outputTokens, definitionTokens, resultTokens) {
      if (this.compatible) return { estimatedCost: this.calculateCost(model, inputTokens, outputTokens, definitionTokens, resultTokens) };
      const priced = cost({ model, usage: { input_tokens: inputTokens, output_tokens: outputTokens } });
      if (priced.status !== 'unpriced') return { estimatedCost: Number(priced.total_usd), costUsd: priced.total_usd };
      this.#report(new TokenbookError('unknown_model', priced.message));
      return { estimatedCost: 0, unpriced: priced.message };
    }

    estimateOutputTokens(text, model = DEFAULT_MODEL) {
      return this.estimateTokens(text, model);
    }

    estimateTokens(text, model = DEFAULT_MODEL) {
      return this.compatible ? charactersByFour(text) : estimate({ text, model }).tokens;
    }

    calculateCost(model, inputTokens, outputTokens, toolDefinitionsTokens = 0, toolResultsTokens = 0) {
      if (!this.compatible) return this.#price(model, inputTokens, outputTokens).estimatedCost;
      const price = Object.hasOwn(COMPATIBLE_PRICING, model) ? COMPATIBLE_PRICING[model] : undefined;
      if (price === undefined) {
        this.#report(new TokenbookError('unknown_model', `model: no price is known for ${model}`));
        return 0;
      }
      return (inputTokens + toolDefinitionsTokens) / price.inputTokensPerDollar + (outputTokens + toolResultsTokens) / price.outputTokensPerDollar;
    }

    setConvexClient(client) {
      this.#convexClient = client;
      // Records that were made before there was a client are owed to it.
      if (!this.compatible) void this.flush();
    }

    #store(metrics) {
      if (this.compatible && !this.#convexClient && !this.#options.store) return;
      this.#queue.push(toTokenUsageRow(metrics));
      if (this.#queue.length > QUEUE_LIMIT) {
        this.#queue.shift();
        this.droppedRows += 1;
      }
      void this.flush();
    }

    /** Writes the rows that wait for the store; tells how many still do. */
    async flush() {
      this.#storing ??= this.#drain().finally(() => {
        this.#storing = undefined;
      });
      await this.#storing;
      return this.#queue.length;
    }

    async #drain() {
      const store = this.#options.store ?? (this.#convexClient && { save: (row) => this.#convexClient.mutation(this.#options.mutation ?? DEFAULT_MUTATION, row) });
      if (!store) return;
      while (this.#queue.length > 0) {
        const row = this.#queue.shift();
        try {
          await store.save(row);
        } catch (error) {
          this.#report(error);
          // It is tried again with the next record, behind the others, so that a row that is refused for good holds up none.
          if (!this.compatible) this.#queue.push(row);
          return;
        }
      }
    }

    getUsageStats() {
      const { usageHistory } = this;
      if (!this.compatible) return { ...structuredClone(this.#totals), hourlyUsage: hourlyUsage(usageHistory) };
      const stats = emptyStats();
      for (const metrics of usageHistory) addToStats(stats, metrics, true);
      const { successfulRequests: _ok, failedRequests: _failed, unpricedRequests: _unpriced, ...old } = stats;
      return { ...old, hourlyUsage: usageHistory.length === 0 ? [] : hourlyUsage(usageHistory, true) };
    }

    getUsageByTimeRange(start, end) {
      return this.usageHistory.filter(({ timestamp }) => timestamp >= start && (this.compatible ? timestamp <= end : timestamp < end));
    }

    getUsageByType(requestType) {
      return this.usageHistory.filter((metrics) => metrics.requestType === requestType);
    }

    /** Starts a new session now. */
    startSession() {
      this.#startedAt = Date.now();
    }

    getCurrentSessionStats() {
      const started = this.compatible ? this.usageHistory[0]?.timestamp.getTime() : this.#startedAt;
      const now = Date.now();
      const ours = this.compatible ? this.usageHistory : this.usageHistory.filter(({ timestamp }) => timestamp.getTime() >= started);
      const duration = started === undefined ? 0 : now - started;
      const tokens = ours.reduce((total, metrics) => total + metrics.totalTokens, 0);
      // A rate out of less than a minute is no rate.
      const minutes = this.compatible ? duration / MINUTE_MS : Math.max(duration, MINUTE_MS) / MINUTE_MS;
      return {
        duration,
        requests: ours.length,
        tokens,
        cost: ours.reduce((total, metrics) => total + metrics.estimatedCost, 0),
        tokensPerMinute: minutes > 0 ? tokens / minutes : 0,
      };
    }

    exportUsageData() {
      return JSON.stringify(
        { exportDate: new Date().toISOString(), totalRecords: this.usageHistory.length, summary: this.getUsageStats(), detailedUsage: this.usageHistory },
        null,
        2,
      );
    }

    /** Takes back what `exportUsageData` gave; records that are there already are not counted twice. Tells how many were new. */
    importUsageData(text) {
      const { detailedUsage } = JSON.parse(text);
      if (!Array.isArray(detailedUsage)) throw invalid('detailedUsage: expected a list of records');
      let imported = 0;
      for (const record of detailedUsage) {
        const metrics = { ...record, timestamp: new Date(record.timestamp) };
        if (Number.isNaN(metrics.timestamp.getTime())) throw invalid(`timestamp: expected an instant, got ${String(record.timestamp)}`);
        if (this.#byId.has(metrics.requestId)) continue;
        const { timestamp: _at, totalTokens: _total, estimatedCost: _cost, costUsd: _usd, unpriced: _unpriced, ...given } = metrics;
        this.#byId.set(metrics.requestId, { given, metrics });
        this.usageHistory.push(metrics);
        addToStats(this.#totals, metrics);
        imported += 1;
      }
      this.usageHistory.sort((one, other) => one.timestamp - other.timestamp);
      return imported;
    }

    clearHistory() {
      this.usageHistory.length = 0;
      this.#byId.clear();
      this.#totals = emptyStats();
      this.#startedAt = undefined;
    }
  }

  return { ANTHROPIC_PRICING: anthropicPricing(), COMPATIBLE_PRICING, TokenCountingService };
}

module.exports = { smnb };
