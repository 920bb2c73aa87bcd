// The functions of the component, as functions of an app: an app that had them under these names keeps its names.
import { mutationGeneric, paginationOptsValidator, queryGeneric } from 'convex/server';
import { v } from 'convex/values';
import { row } from '../component/schema.js';

export { fromTokenUsageRow, rowOfCall, toTokenUsageRow } from './rows.js';

const optional = {
  number: v.optional(v.number()),
  string: v.optional(v.string()),
  boolean: v.optional(v.boolean()),
};
const range = { startTime: optional.number, endTime: optional.number };
const filters = {
  model: optional.string,
  action: optional.string,
  request_type: optional.string,
  success: optional.boolean,
  session_id: optional.string,
  source_post_id: optional.string,
  has_tools: optional.boolean,
};

/** What each function takes. */
const QUERIES = {
  getTokenUsageStats: { ...range, ...filters, limit: optional.number },
  listTokenUsage: { ...range, ...filters, paginationOpts: paginationOptsValidator },
  getAggregatedStats: { ...range, now: optional.number },
  getUsageByType: { request_type: v.string(), ...range, limit: optional.number },
  getRecentUsage: { limit: optional.number },
  getDailyUsage: { days: optional.number, now: optional.number },
};
const MUTATIONS = {
  recordTokenUsage: row,
  importTokenUsage: { rows: v.array(v.object({ ...row, _id: optional.string, _creationTime: optional.number })) },
  cleanupOldRecords: { daysToKeep: v.number(), now: optional.number },
};

/** The component from inside an app's functions. */
export class TokenUsage {
  #component;

  constructor(component) {
    this.#component = component;
    for (const name of Object.keys(QUERIES)) this[name] = (ctx, args = {}) => ctx.runQuery(this.#component.tokenUsage[name], args);
    for (const name of Object.keys(MUTATIONS)) this[name] = (ctx, args) => ctx.runMutation(this.#component.tokenUsage[name], args);
  }

  /**
   * The functions for an app's `convex/tokenUsage.ts`. `authorize` runs before each: it throws where the caller may not.
   */
  functions({ authorize } = {}) {
    const functions = {};
    for (const [make, kinds] of [[queryGeneric, QUERIES], [mutationGeneric, MUTATIONS]]) {
      for (const [name, args] of Object.entries(kinds)) {
        functions[name] = make({
          args,
          handler: async (ctx, given) => {
            await authorize?.(ctx, name);
            return this[name](ctx, given);
          },
        });
      }
    }
    return functions;
  }
}
