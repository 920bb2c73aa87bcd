// Written by hand, as the generator would: `npx convex dev` writes it anew.
import type { DataModelFromSchemaDefinition } from 'convex/server';
import type schema from '../schema.js';

export type DataModel = DataModelFromSchemaDefinition<typeof schema>;
