// Compiled, never run: every export of `tokenbook/web`. It is a module of its own kind, which CommonJS gets by `import()`.
import type {
  Body,
  CostArgs,
  CostBatchArgs,
  CountOptions,
  ErrorCode,
  Instant,
  UsageInput,
} from 'tokenbook/web' with { 'resolution-mode': 'import' };
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
} from 'tokenbook/web' with { 'resolution-mode': 'import' };

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

export async function all(): Promise<unknown> {
  const web = await import('tokenbook/web');
  web.setBase(new URL('https://example.com/'));
  await web.load('gpt-4o', 'o200k_base');
  const options: CountOptions = { model: 'gpt-4o' };
  const tokens: number = await web.lazily(() => web.count('text', options));
  const usage: UsageInput = { input_tokens: tokens };
  const at: Instant = new Date();
  const args: CostArgs = { model: 'gpt-4o', usage, at };
  const cost: Cost = web.cost(args);
  const columns: CostBatchArgs = { models: ['gpt-4o'], tokens: { input_tokens: [tokens] } };
  const costs: BatchCost = await web.costBatch(columns);
  const body: Body = { model: 'gpt-4o', messages: [] };
  const request: RequestCount = web.countRequest({ api: 'openai.chat', body });
  const split: Attribution = web.attribute({ request, usage });
  const read: Extraction = web.extract({ api: 'openai.chat', body });
  const about: TextCount = web.estimate({ text: 'text', model: 'claude-opus-4-8' });
  const text: string = web.decode(web.encode('text'));
  const few: number | undefined = web.countUpTo('text', 5);
  const many: number[] = await web.countBatch(['text']);
  const stream = new web.UsageStream({ api: 'openai.chat' });
  const prices = [web.pricesSearch({ query: 'gpt' }), web.pricesShow({ model: 'gpt-4o' }), web.pricesOverride(), web.pricesReplace(), web.pricesDiff({ catalog: '{}' })];
  const codeOf = (error: unknown): ErrorCode | undefined => (error instanceof web.TokenbookError ? error.code : undefined);
  web.call('version', {}) satisfies unknown;
  // @ts-expect-error a browser has no ledger
  web.Ledger;
  return [cost, costs, split, read, about, text, few, many, stream, prices, codeOf, web.version().version];
}
