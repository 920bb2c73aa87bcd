// The contexts of an app's functions.
import type { DataModelFromSchemaDefinition, GenericActionCtx, GenericMutationCtx, SchemaDefinition } from 'convex/server';

type DataModel = DataModelFromSchemaDefinition<SchemaDefinition<{}, true>>;
export type MutationCtx = GenericMutationCtx<DataModel>;
export type ActionCtx = GenericActionCtx<DataModel>;
