// Compiled, never run: every export of `tokenbook/convex` and of what is beside it.
import type {
  AggregatedStats,
  ComponentApi,
  DailyUsage,
  ExactTokenUsageRow,
  HourlyUsage,
  OldTokenUsageRow,
  StoredTokenUsageRow,
  TimeRange,
  TokenUsage,
  TokenUsageFilter,
  TokenUsageFunctions,
  TokenUsageMutations,
  TokenUsagePage,
  TokenUsageQueries,
} from 'tokenbook/convex' with { 'resolution-mode': 'import' };
import type { ComponentApi as Generated } from 'tokenbook/convex/_generated/component.js' with { 'resolution-mode': 'import' };
import type { ActionCtx, MutationCtx } from './convex-app.js';

export async function mounted(): Promise<unknown> {
  const { defineApp } = await import('convex/server');
  const app = defineApp();
  app.use((await import('tokenbook/convex/convex.config')).default);
  app.use((await import('tokenbook/convex/convex.config.js')).default, { name: 'other' });
  const test = await import('tokenbook/convex/test');
  return [app, test.default.schema, test.default.modules, test.default.register, test.register];
}

export async function used(ctx: MutationCtx, action: ActionCtx, components: { tokenbook: Generated<'tokenbook'> }): Promise<unknown> {
  const convex = await import('tokenbook/convex');
  const component: ComponentApi = components.tokenbook;
  const usage: TokenUsage = new convex.TokenUsage(component);
  const functions: TokenUsageFunctions = usage.functions({
    authorize: async ({ auth }, name) => {
      if ((await auth.getUserIdentity()) === null) throw new Error(name satisfies keyof TokenUsageQueries | keyof TokenUsageMutations);
    },
  });
  const { smnb, tokenbook } = { smnb: await import('tokenbook/services/smnb'), tokenbook: await import('tokenbook') };
  const metrics = smnb.tokenCountingService.createAgentUsageRecord('editor', 'stream', 'gpt-4o', 1, 2);
  const row: ExactTokenUsageRow = convex.toTokenUsageRow(metrics);
  const called: ExactTokenUsageRow = convex.rowOfCall(await new tokenbook.Ledger(':memory:').get('id'));
  const id: string = await usage.recordTokenUsage(ctx, { ...row, cost_pico_usd: 5n });
  const old: OldTokenUsageRow[] = [{ ...called, _id: id }];
  const { imported, duplicates }: { imported: number; duplicates: number } = await usage.importTokenUsage(action, { rows: old });
  const range: TimeRange = { startTime: 0, endTime: 5 };
  const filter: TokenUsageFilter = { ...range, model: 'gpt-4o', has_tools: true };
  const rows: StoredTokenUsageRow[] = await usage.getTokenUsageStats(ctx, { ...filter, limit: 5 });
  const back = convex.fromTokenUsageRow(rows[0]!);
  const page: TokenUsagePage = await usage.listTokenUsage(action, { paginationOpts: { numItems: 5, cursor: null } });
  const stats: AggregatedStats = await usage.getAggregatedStats(ctx);
  const pico: bigint = stats.total_cost_pico_usd;
  const hours: HourlyUsage[] = stats.hourly_usage;
  const days: DailyUsage[] = await usage.getDailyUsage(ctx, { days: 5 });
  const recent = [await usage.getRecentUsage(ctx), await usage.getUsageByType(ctx, { request_type: 'editor' })];
  const { deleted, isDone } = await usage.cleanupOldRecords(ctx, { daysToKeep: 30 });
  // @ts-expect-error a row has all its counts
  await usage.recordTokenUsage(ctx, { request_id: 'r' });
  // @ts-expect-error a count is a number
  await usage.recordTokenUsage(ctx, { ...row, input_tokens: '5' });
  // @ts-expect-error an agent is named
  await usage.getUsageByType(ctx);
  // @ts-expect-error there is no such filter
  await usage.getTokenUsageStats(ctx, { colour: 'red' });
  // @ts-expect-error a query records nothing
  await usage.recordTokenUsage({ runQuery: ctx.runQuery }, row);
  return [functions, imported, duplicates, back.requestId, page.continueCursor, pico, hours, days, recent, deleted, isDone];
}
