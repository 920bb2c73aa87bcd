// Written by hand, as the generator would: `npx convex dev` writes it anew.
import { mutationGeneric, queryGeneric, type MutationBuilder, type QueryBuilder } from 'convex/server';
import type { DataModel } from './dataModel.js';

export const mutation: MutationBuilder<DataModel, 'public'> = mutationGeneric;
export const query: QueryBuilder<DataModel, 'public'> = queryGeneric;
