import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';

export default defineSchema({
  drafts: defineTable({ writer: v.string(), headline: v.string(), text: v.string(), request_id: v.string() }).index('by_writer', ['writer']),
});
