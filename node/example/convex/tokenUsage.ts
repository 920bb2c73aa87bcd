// What the page of the app asks.
import { TokenUsage } from 'tokenbook/convex';
import { components } from './_generated/api.js';
import type { DataModel } from './_generated/dataModel.js';

export const usage = new TokenUsage(components.tokenbook);

export const {
  recordTokenUsage,
  importTokenUsage,
  getTokenUsageStats,
  listTokenUsage,
  getAggregatedStats,
  getUsageByType,
  getRecentUsage,
  getDailyUsage,
  cleanupOldRecords,
} = usage.functions<DataModel>({
  authorize: async (ctx) => {
    if ((await ctx.auth.getUserIdentity()) === null) throw new Error('not signed in');
  },
});
