// The functions of the component, as functions of an app.
import type { GenericActionCtx, GenericDataModel, GenericMutationCtx, GenericQueryCtx, RegisteredMutation, RegisteredQuery } from 'convex/server';
import type { Call } from '../../../index.js';
import type { TokenUsageMetrics, TokenUsageRow } from '../../services/smnb.js';
import type { ComponentApi } from '../component/_generated/component.js';
import type { ExactTokenUsageRow, TokenUsageMutations, TokenUsageQueries } from '../component/functions.js';

export type { ComponentApi } from '../component/_generated/component.js';
export type {
  AggregatedStats,
  DailyUsage,
  ExactTokenUsageRow,
  HourlyUsage,
  OldTokenUsageRow,
  StoredTokenUsageRow,
  TimeRange,
  TokenUsageFilter,
  TokenUsageMutations,
  TokenUsagePage,
  TokenUsageQueries,
} from '../component/functions.js';

/** The arguments of a function, which may be left out where all of them may. */
type Arguments<Args> = {} extends Args ? [args?: Args] : [args: Args];

type Queries = {
  [Name in keyof TokenUsageQueries]: (
    ctx: Pick<GenericQueryCtx<GenericDataModel>, 'runQuery'> | Pick<GenericActionCtx<GenericDataModel>, 'runQuery'>,
    ...args: Arguments<TokenUsageQueries[Name]['args']>
  ) => Promise<TokenUsageQueries[Name]['returns']>;
};
type Mutations = {
  [Name in keyof TokenUsageMutations]: (
    ctx: Pick<GenericMutationCtx<GenericDataModel>, 'runMutation'> | Pick<GenericActionCtx<GenericDataModel>, 'runMutation'>,
    ...args: Arguments<TokenUsageMutations[Name]['args']>
  ) => Promise<TokenUsageMutations[Name]['returns']>;
};

/** The functions of an app. */
export type TokenUsageFunctions = {
  [Name in keyof TokenUsageQueries]: RegisteredQuery<'public', TokenUsageQueries[Name]['args'], Promise<TokenUsageQueries[Name]['returns']>>;
} & {
  [Name in keyof TokenUsageMutations]: RegisteredMutation<'public', TokenUsageMutations[Name]['args'], Promise<TokenUsageMutations[Name]['returns']>>;
};

/** The component from inside an app's functions. */
export declare class TokenUsage {
  constructor(component: ComponentApi);
  /** Gives the functions for an app's `convex/tokenUsage.ts`; `authorize` throws where the caller may not. */
  functions<DataModel extends GenericDataModel = GenericDataModel>(options?: {
    authorize?: (
      ctx: GenericQueryCtx<DataModel> | GenericMutationCtx<DataModel>,
      name: keyof TokenUsageQueries | keyof TokenUsageMutations,
    ) => void | Promise<void>;
  }): TokenUsageFunctions;
}
export interface TokenUsage extends Queries, Mutations {}

/** Gives the row of a record, with its exact cost. */
export declare function toTokenUsageRow(metrics: TokenUsageMetrics<string, string>): ExactTokenUsageRow;

/** Gives the record of a row, of the old schema too. */
export declare function fromTokenUsageRow(row: TokenUsageRow): TokenUsageMetrics<string, string>;

/** Gives the row of a recorded call. */
export declare function rowOfCall(call: Call): ExactTokenUsageRow;
