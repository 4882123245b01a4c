export { TodoClient, type Options } from "./client.js";
export { idempotent, ifMatch, ifNoneMatch, items, retryOnConflict, type Cursor } from "./helpers.js";
export { ProblemError, unwrap } from "./problems.js";
export type * from "./generated/schema.js";
