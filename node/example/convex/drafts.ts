// A draft and what it took are stored together or not at all.
import { v } from 'convex/values';
import { mutation, query } from './_generated/server.js';
import { usage } from './tokenUsage.js';

/** Stores a draft with what its request took, as the action that asked the model read it in the answer. */
export const store = mutation({
  args: {
    writer: v.string(),
    headline: v.string(),
    text: v.string(),
    response: v.object({ id: v.string(), model: v.string(), input_tokens: v.number(), output_tokens: v.number(), cost_usd: v.string() }),
  },
  handler: async (ctx, { response, ...draft }) => {
    const { id, model, input_tokens, output_tokens, cost_usd } = response;
    const drafted = await ctx.db.insert('drafts', { ...draft, request_id: id });
    await usage.recordTokenUsage(ctx, {
      request_id: id,
      timestamp: Date.now(),
      model,
      action: 'generate',
      input_tokens,
      output_tokens,
      total_tokens: input_tokens + output_tokens,
      estimated_cost: Number(cost_usd),
      request_type: 'editor',
      session_id: draft.writer,
      source_post_id: drafted,
      success: true,
    });
    return drafted;
  },
});

/** Gives the drafts of a writer with the tokens that each took. */
export const ofWriter = query({
  args: { writer: v.string() },
  handler: async (ctx, { writer }) => {
    const drafts = await ctx.db
      .query('drafts')
      .withIndex('by_writer', (q) => q.eq('writer', writer))
      .collect();
    const rows = await usage.getTokenUsageStats(ctx, { session_id: writer });
    const taken = new Map(rows.map((row) => [row.source_post_id, row.total_tokens]));
    return drafts.map(({ _id, headline }) => ({ headline, tokens: taken.get(_id) ?? null }));
  },
});
