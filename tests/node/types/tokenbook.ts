// Compiled, never run: every export of `tokenbook`, what its types promise, and what they refuse.
import {
  Ledger,
  TokenbookError,
  UsageStream,
  attribute,
  cost,
  costBatch,
  count,
  countBatch,
  countRequest,
  countUpTo,
  decode,
  encode,
  estimate,
  extract,
  ops,
  pricesDiff,
  pricesOverride,
  pricesReplace,
  pricesSearch,
  pricesShow,
  version,
  vocabularies,
} from 'tokenbook';
import type {
  AlertRuleInput,
  AlertSink,
  Body,
  BudgetInput,
  CallInput,
  CostArgs,
  CostBatchArgs,
  CountOptions,
  ErrorCode,
  Filter,
  Instant,
  LedgerOptions,
  Meter,
  MeterEnd,
  ReserveArgs,
  ResponseInput,
  Selection,
  UsageInput,
} from 'tokenbook';
import type {
  Alert, AlertChange, AlertKind, AlertNotice, AlertNotices, AlertRule, AlertRules, AlertSilence, AlertSinks, Alerts, Api, Attribution, BatchCost,
  Bucket, Budget, BudgetState, BudgetStatus, BudgetWarning, Budgets, CacheUse, CalibratedCount, Calibration, Calibrations, Call, CallCost, Change,
  ComparedGroup, Comparison, Cost, CostBand, Counted, CountedBatch, CountedUpTo, Decoded, Done, Encoded, Exactness, Exported, Extraction, Figures,
  Finding, FindingKind, Findings, Forecast, ForecastDay, ForecastMethod, ForecastOf, Group, GroupShare, Hold, ImportedFile, Iteration, LimitUse, Line,
  LineFailure, Listed, Live, LiveCall, Matched, Measures, MeterProgress, Metered, Mode, Model, ModelCalibration, ModelName, Operation, Outcome,
  Overview, Pace, Page, Part, PartKind, Percentiles, Period, PeriodSums, PriceAbove, PriceChange, PriceRow, PriceUsed, Priced, PricesChanged,
  PricesFound, PricesInUse, PricesShown, Problem, ProblemKind, Progress, Projection, Pruned, QueryResult, Reason, Reasons, RecordError, RecordStatus,
  Recorded, RecordedBatch, RecordedOne, Report, RequestCount, Row, Scope, Series, Sizes, Stats, Status, StopKind, TextCount, TokenBand, TokenShares,
  ToolCombination, ToolPart, ToolTokens, ToolUse, Unpriced, Usage, UsedUp, UtilizationStep, Verification, Version, Vocabularies, Voided, Warning, WhatIf,
  WhatIfPart, Written,
} from 'tokenbook';

/** What is generated: each has fields. */
export type Generated = [
  Alert, AlertChange, AlertKind, AlertNotice, AlertNotices, AlertRule, AlertRules, AlertSilence, AlertSinks, Alerts, Api, Attribution, BatchCost,
  Bucket, Budget, BudgetState, BudgetStatus, BudgetWarning, Budgets, CacheUse, CalibratedCount, Calibration, Calibrations, Call, CallCost, Change,
  ComparedGroup, Comparison, Cost, CostBand, Counted, CountedBatch, CountedUpTo, Decoded, Done, Encoded, Exactness, Exported, Extraction, Figures,
  Finding, FindingKind, Findings, Forecast, ForecastDay, ForecastMethod, ForecastOf, Group, GroupShare, Hold, ImportedFile, Iteration, LimitUse, Line,
  LineFailure, Listed, Live, LiveCall, Matched, Measures, MeterProgress, Metered, Mode, Model, ModelCalibration, ModelName, Operation, Outcome,
  Overview, Pace, Page, Part, PartKind, Percentiles, Period, PeriodSums, PriceAbove, PriceChange, PriceRow, PriceUsed, Priced, PricesChanged,
  PricesFound, PricesInUse, PricesShown, Problem, ProblemKind, Progress, Projection, Pruned, QueryResult, Reason, Reasons, RecordError, RecordStatus,
  Recorded, RecordedBatch, RecordedOne, Report, RequestCount, Row, Scope, Series, Sizes, Stats, Status, StopKind, TextCount, TokenBand, TokenShares,
  ToolCombination, ToolPart, ToolTokens, ToolUse, Unpriced, Usage, UsedUp, UtilizationStep, Verification, Version, Vocabularies, Voided, Warning, WhatIf,
  WhatIfPart, Written,
];

const tokens: number = count('text', { model: 'gpt-4o' });
const encoded: CountOptions = { encoding: 'cl100k_base' };
const many: Promise<number[]> = countBatch(['a', 'b'] as const);
const few: number | undefined = countUpTo('text', 5, encoded);
const ids: number[] = encode('text');
const back: string = decode(ids);
const about: TextCount = estimate({ text: 'text', model: 'claude-opus-4-8' });

const body: Body = { model: 'claude-opus-4-8', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };
const request: RequestCount = countRequest({ api: 'anthropic.messages', body });
const split: Attribution = attribute({ request, usage: { input_tokens: 10 } });
const read: Extraction = extract({ api: 'openai.chat', body: '{}', max_tokens: 5 });
const usage: Usage | undefined = read.usage;
const some: UsageInput = usage ?? {};

const priced: CostArgs = { model: 'gpt-4o', usage: some, at: new Date() };
const price: Cost = cost(priced);
switch (price.status) {
  case 'priced':
    price.total_usd satisfies string;
    price.price.model satisfies string;
    break;
  case 'stated':
    price.total_usd satisfies string;
    break;
  case 'unpriced':
    price.reason satisfies string;
    // @ts-expect-error what is unpriced has no amount
    price.total_usd;
    break;
}
const columns: CostBatchArgs = { models: ['gpt-4o'], tokens: { input_tokens: [1, 2] } };
const batch: Promise<Array<string | null>> = costBatch(columns).then((all) => all.totals_usd);

pricesSearch({ query: 'sonnet' }).models.map((model) => model.provider);
pricesShow({ model: 'gpt-4o' }).models.length;
pricesOverride({ prices: '{}' }).overridden satisfies boolean;
pricesReplace().catalog_version satisfies string;
pricesDiff({ catalog: '{}' }).changes.length;
version().version satisfies string;
ops() satisfies Listed;

const stream = new UsageStream({ api: 'anthropic.messages', max_tokens: 5 });
stream.push(new Uint8Array());
stream.push('text');
stream.pushEvent({ type: 'message_stop' });
stream.soFar().is_final satisfies boolean;
stream.finish().tools_called satisfies string[];

export async function ledger(): Promise<void> {
  const options: LedgerOptions = { durability: 'process', time_zone: 'Europe/Berlin' };
  const book = new Ledger('ledger.db', options);
  const given: CallInput = { model: 'gpt-4o', agent: 'editor', usage: { input_tokens: 1 }, at: new Date() };
  const one: Recorded = await book.record(given);
  const batch: RecordedBatch = await book.recordBatch([given]);
  const response: ResponseInput = { api: 'openai.chat', body: {}, request: {}, agent: 'host' };
  const other: Recorded = await book.recordResponse(response);
  const meter: Meter = book.meter({ api: 'anthropic.messages', request: '{}', agent: 'a' });
  const hold: Hold = await meter.reserve();
  const end: MeterEnd = { body: {}, refused: false };
  meter.push('text');
  meter.pushEvent({});
  const progress: MeterProgress = meter.progress();
  const metered: Metered = await meter.finish(end);
  const now: Metered = meter.finishSync(end);
  meter.void();
  const filter: Filter = { agent: ['editor', 'host'], outcome: 'success' };
  const from: Instant = '2026-11-01T00:00:00Z';
  const selection: Selection = { from, to: new Date(), filter };
  const call: Call = await book.get('id', { provider: 'openai' });
  const page: Page = await book.list({ ...selection, limit: 5 });
  const report: Report = await book.report({ ...selection, group_by: ['agent', 'day'], time_zone: 'UTC' });
  const overview: Overview = await book.overview(selection);
  const findings: Findings = await book.findings(selection);
  const whatIf: WhatIf = await book.whatIf({ ...selection, model: 'gpt-4o' });
  const comparison: Comparison = await book.compare({ a: { from }, b: {}, filter });
  const forecast: Forecast = await book.forecast({ days: 5, limit_usd: '5' });
  const verification: Verification = await book.verify();
  const pruned: Pruned = await book.prune({ before: from });
  const written: Written = await book.snapshot('copy.db');
  const result: QueryResult = await book.query('SELECT 1', { limit: 5 });
  const exported: Exported = await book.export('calls.csv', { format: 'csv' });
  const imported: ImportedFile = await book.import('calls.csv', { format: 'csv' });
  const stats: Stats = await book.stats();
  const counted: CalibratedCount = await book.countRequest({ api: 'openai.chat', body: {} });
  const calibrations: Calibrations = await book.calibrations();
  const budget: BudgetInput = { name: 'all', period: 'day', limit_usd: '5' };
  const status: BudgetStatus = await book.budgetSet(budget);
  const budgets: Budgets = await book.budgets();
  const wanted: ReserveArgs = { agent: 'editor', tokens: 5 };
  const reserved: Hold = await book.reserve(wanted);
  const extended: Hold = await book.extend(5, { tokens: 5 });
  const settled: Recorded = await book.settle(5, given);
  const voided: Voided = await book.void(5);
  await book.budgetRemove('all');
  const live: Live = await book.live();
  const rule: AlertRuleInput = { kind: 'tool_use' };
  const rules: AlertRules[] = [await book.alertRules(), await book.alertRulesSet([rule])];
  const notices: AlertNotices[] = [await book.alertsCheck(), await book.alertNotices({ after: 5 })];
  const alerts: Alerts = await book.alerts({ open: true });
  await book.alertSilence({ rule: 'tool_use', until: from });
  const sink: AlertSink = { kind: 'log' };
  const sinks: AlertSinks = await book.alertSinks([sink]);
  const stop = book.onAlert((notice: AlertNotice) => void notice.change);
  await stop.started;
  await book.close();
  void [one, batch, other, hold, progress, metered, now, call, page, report, overview, findings, whatIf, comparison, forecast];
  void [verification, pruned, written, result, exported, imported, stats, counted, calibrations, status, budgets, reserved];
  void [extended, settled, voided, live, rules, notices, alerts, sinks];
  // @ts-expect-error a report has no such dimension
  await book.report({ group_by: ['colour'] });
}

// @ts-expect-error an encoding is named by text
count('text', { encoding: 5 });
// @ts-expect-error a wire format is one of the known ones
extract({ api: 'anthropic.message', body: {} });
// @ts-expect-error a usage has no such kind
cost({ model: 'gpt-4o', usage: { prompt_tokens: 5 } });
// @ts-expect-error money is text, never a float
cost({ model: 'gpt-4o', usage: {}, stated_cost_usd: 0.5 });
const { encodings, missing }: Vocabularies = vocabularies({ folder: 'vocabularies' });
const codeOf = (error: unknown): ErrorCode | undefined => (error instanceof TokenbookError ? error.code : undefined);
export { about, back, batch, codeOf, encodings, few, many, missing, split, tokens };
