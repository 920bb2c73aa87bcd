import type { GenericSchema, SchemaDefinition } from 'convex/server';

declare const schema: SchemaDefinition<GenericSchema, true>;
export default schema;
