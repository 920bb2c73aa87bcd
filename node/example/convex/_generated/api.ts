// Written by hand, as the generator would: `npx convex dev` writes it anew.
import { anyApi, componentsGeneric, type ApiFromModules, type FilterApi, type FunctionReference } from 'convex/server';
import type * as drafts from '../drafts.js';
import type * as tokenUsage from '../tokenUsage.js';

type Full = ApiFromModules<{ drafts: typeof drafts; tokenUsage: typeof tokenUsage }>;

export const api: FilterApi<Full, FunctionReference<any, 'public'>> = anyApi as never;
export const components = componentsGeneric() as unknown as {
  tokenbook: import('tokenbook/convex/_generated/component.js').ComponentApi<'tokenbook'>;
};
