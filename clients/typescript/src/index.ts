export { TodoClient, type Options } from "./client.js";
export { idempotent, ifMatch, ifNoneMatch, items, onConflict, type Cursor } from "./helpers.js";
export { ProblemError, unwrap } from "./problems.js";
export type * from "./generated/schema.js";
