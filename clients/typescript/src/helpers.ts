import { ProblemError } from "./problems.js";

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

interface Row {
  version: number;
}

/** The query of a page: empty for the first. */
export interface Cursor {
  cursor?: string;
}

/** Yield every item of a list. `read` returns the page at a cursor, always with the same filters and order. */
export async function* items<Item>(read: (at: Cursor) => Promise<Page<Item>>): AsyncGenerator<Item, void> {
  let at: Cursor = {};
  for (;;) {
    const page = await read(at);
    yield* page.items;
    if (page.next_cursor === null) return;
    at = { cursor: page.next_cursor };
  }
}

/** Headers of a write that is refused with `stale-version` when somebody has changed the row since it was read. */
export function ifMatch(row: Row): { "If-Match": string } {
  return { "If-Match": `"${row.version}"` };
}

/** Headers of a read that answers 304 while the row still has this version. */
export function ifNoneMatch(row: Row): { "If-None-Match": string } {
  return { "If-None-Match": `"${row.version}"` };
}

/** Headers of a POST that can be repeated safely for a day: keep them for the repetition. */
export function idempotent(key: string = crypto.randomUUID()): { "Idempotency-Key": string } {
  return { "Idempotency-Key": key };
}

/**
 * Write what follows from a row, with its version; read and write again when somebody else was faster.
 * Other errors, and the last conflict, are thrown.
 */
export async function retryOnConflict<Row, Result>(
  read: () => Promise<Row>,
  write: (row: Row) => Promise<Result>,
  tries = 5,
): Promise<Result> {
  for (;;) {
    try {
      return await write(await read());
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== "stale-version" || --tries < 1) throw error;
    }
  }
}
