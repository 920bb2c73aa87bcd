// The functions of the component, as functions of an app.
import type { GenericMutationCtx, GenericQueryCtx, RegisteredMutation, RegisteredQuery } from 'convex/server';
import type { Call } from '../../../index.js';
import type { TokenUsageMetrics, TokenUsageRow } from '../../services/smnb.js';

type QueryName = 'getTokenUsageStats' | 'listTokenUsage' | 'getAggregatedStats' | 'getUsageByType' | 'getRecentUsage' | 'getDailyUsage';
type MutationName = 'recordTokenUsage' | 'importTokenUsage' | 'cleanupOldRecords';

/** A row with its exact cost in 1e-12 dollars. */
export type ExactTokenUsageRow = TokenUsageRow & { cost_pico_usd?: bigint; unpriced?: boolean };

type Queries = { [Name in QueryName]: (ctx: Pick<GenericQueryCtx<any>, 'runQuery'>, args?: Record<string, unknown>) => Promise<any> };
type Mutations = { [Name in MutationName]: (ctx: Pick<GenericMutationCtx<any>, 'runMutation'>, args: any) => Promise<any> };

/** The component from inside an app's functions. */
export declare class TokenUsage {
  constructor(component: object);
  /** Gives the functions for an app's `convex/tokenUsage.ts`; `authorize` throws where the caller may not. */
  functions(options?: {
    authorize?: (ctx: any, name: QueryName | MutationName) => unknown;
  }): { [Name in QueryName]: RegisteredQuery<'public', any, any> } & { [Name in MutationName]: RegisteredMutation<'public', any, any> };
}
export interface TokenUsage extends Queries, Mutations {}

/** Gives the row of a record, with its exact cost. */
export declare function toTokenUsageRow(metrics: TokenUsageMetrics<string, string>): ExactTokenUsageRow;

/** Gives the record of a row, of the old schema too. */
export declare function fromTokenUsageRow(row: TokenUsageRow): TokenUsageMetrics<string, string>;

/** Gives the row of a recorded call. */
export declare function rowOfCall(call: Call): ExactTokenUsageRow;
