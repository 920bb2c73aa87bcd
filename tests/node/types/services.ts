// Compiled, never run: every export of `tokenbook/services/smnb`, as a file of the first service has them with only the import path
// altered, and of `tokenbook/services/usage-log`.
import {
  ANTHROPIC_PRICING,
  COMPATIBLE_PRICING,
  TokenCountingService,
  fromTokenUsageRow,
  toTokenUsageRow,
  tokenCountingService,
  type ActionType,
  type AgentType,
  type ConvexClientLike,
  type CountMade,
  type ModelPricing,
  type ServiceOptions,
  type TokenCountRequest,
  type TokenCountResponse,
  type TokenUsageMetrics,
  type TokenUsageRow,
  type TokenUsageStats,
  type UsageRecordOptions,
} from 'tokenbook/services/smnb';
import * as usageLog from 'tokenbook/services/usage-log';
import type { AnyUsage, CamelCaseUsage, Contradiction, Headroom, TokenUsage, TokenUsageMetadata, UtilizationDay, WarningLevel, WarningOptions, LimitFigures, MetadataFile } from 'tokenbook/services/usage-log';

export async function asBefore(): Promise<void> {
  const request: TokenCountRequest = { model: 'claude-3-5-haiku-20241022', system: 's', messages: [{ role: 'user', content: 'Hi' }] };
  const tokens: number = await tokenCountingService.countInputTokens(request);
  const { inputTokens, toolDefinitionsTokens, estimatedToolResultsTokens } = await tokenCountingService.countTokensWithTools(request);
  const record: TokenUsageMetrics = tokenCountingService.createAgentUsageRecord('editor', 'stream', request.model, tokens, 5, {
    duration: 12,
    success: true,
    toolsUsed: ['search'],
    toolDefinitionsTokens,
    toolResultsTokens: estimatedToolResultsTokens,
  });
  const other: TokenUsageMetrics = tokenCountingService.recordUsage({
    requestId: 'r',
    model: request.model,
    action: 'generate',
    inputTokens,
    outputTokens: tokenCountingService.estimateOutputTokens('text'),
    requestType: 'host',
    success: true,
  });
  const agents: Record<'host' | 'producer' | 'editor', number> = { host: 0, producer: 0, editor: 0 };
  tokenCountingService['usageHistory'].forEach((metrics) => {
    agents[metrics.requestType] += metrics.timestamp.getTime();
  });
  const stats: TokenUsageStats = tokenCountingService.getUsageStats();
  stats.hourlyUsage.map(({ hour, tokens, cost }) => `${hour} ${tokens} ${cost}`);
  const session = tokenCountingService.getCurrentSessionStats();
  session.tokensPerMinute.toFixed(0);
  tokenCountingService.getUsageByTimeRange(new Date(0), new Date()).concat(tokenCountingService.getUsageByType('host'), record, other);
  tokenCountingService.calculateCost(request.model, 1, 2, 3, 4).toFixed(4);
  tokenCountingService.estimateTokens('text').toFixed(0);
  const client: ConvexClientLike = { mutation: async (_name: string, _row: object) => 'id' };
  tokenCountingService.setConvexClient(client);
  const text: string = tokenCountingService.exportUsageData();
  tokenCountingService.clearHistory();
  Object.entries(ANTHROPIC_PRICING).map(([model, price]) => `${model} ${1e6 / price.inputTokensPerDollar} ${price.outputTokensPerDollar} ${price.description} ${text}`);
  (COMPATIBLE_PRICING satisfies ModelPricing, { input_tokens: 1 } satisfies TokenCountResponse);
}

export async function added(): Promise<void> {
  const options: ServiceOptions = { compatible: true, store: { save: async (_row: TokenUsageRow) => {} }, onError: (_error: unknown) => {} };
  const service = new TokenCountingService('https://example.org/api/claude', undefined, options);
  const about: UsageRecordOptions = { messageId: 'm', sessionId: 's' };
  const record = service.configure({ historyLimit: 10 }).createAgentUsageRecord('translator', 'draft', 'gpt-4o', 1, 2, about);
  record.requestType satisfies 'translator';
  const exact: string | undefined = record.costUsd;
  const row: TokenUsageRow = toTokenUsageRow(record);
  const back: TokenUsageMetrics<string, string> = fromTokenUsageRow(row);
  const made: CountMade | undefined = service.lastCount;
  service.startSession();
  const waiting: number = (await service.flush()) + service.importUsageData('') + service.conflicts + service.droppedRows;
  const names: [AgentType, ActionType] = ['host', 'test'];
  void [exact, back, made, waiting, names, service.compatible];
  // @ts-expect-error: a count is a number
  service.calculateCost('gpt-4o', '1', 2);

  const usage: TokenUsage = usageLog.tokenUsage({ usage: { input_tokens: 1, output_tokens: 2 } }, { max_tokens: 10, api: 'anthropic.messages', compatible: true });
  const level: WarningLevel = usageLog.warningLevel(usage, { threshold: 0.8 });
  const odd: Contradiction[] = usageLog.contradictions(usage);
  const metadata: TokenUsageMetadata = usageLog.tokenUsageMetadata(usage, { response_id: 'r', model: 'm', cost_usd: '0.1' });
  const alias: CamelCaseUsage = usageLog.camelCaseUsage(usage);
  const either: AnyUsage[] = [usage, alias];
  const total: number = usageLog.phaseTokens({ scanner: either, analysis: undefined }).total_tokens;
  const files: MetadataFile[] = [{ tokenUsage: metadata, scriptType: 'scanner', lines: 10, timestamp: '2026-11-20T00:00:00Z' }];
  const told: Headroom = usageLog.headroom(files, { comfortable: 0.6 });
  const days: UtilizationDay[] = usageLog.utilizationTrend(files);
  const figures: LimitFigures[] = [told, ...days];
  usageLog.logUsage(usage, { label: 'Scanner Token Usage', log: console.log, warn: console.warn, threshold: 0.8 });
  const warnings: WarningOptions = { subject: 'Scanner script' };
  const lines: string[] = [...usageLog.usageWarnings(usage, warnings), usageLog.formatUsage(usage), usageLog.utilizationPercent(1, 2)];
  void [level, odd, total, figures, lines, usageLog.isTruncated(usage)];
}
