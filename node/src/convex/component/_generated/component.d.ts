// Written by hand: the generator wants a deployment. What an app sees of the component: `components.tokenbook`.
import type { FunctionReference } from 'convex/server';
import type { TokenUsageMutations, TokenUsageQueries } from '../functions.js';

/** The component's functions, as references of an app that mounts it under a name. */
export type ComponentApi<Name extends string | undefined = string | undefined> = {
  tokenUsage: {
    [Function in keyof TokenUsageQueries]: FunctionReference<'query', 'internal', TokenUsageQueries[Function]['args'], TokenUsageQueries[Function]['returns'], Name>;
  } & {
    [Function in keyof TokenUsageMutations]: FunctionReference<'mutation', 'internal', TokenUsageMutations[Function]['args'], TokenUsageMutations[Function]['returns'], Name>;
  };
};
