import type { FieldError, ProblemDetails } from "./generated/schema.js";

/** An error response. Match on `code`: docs/problems.md lists them. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  readonly code: string;
  /** The invalid fields of a request, each with a `code` and what is allowed. */
  readonly errors: FieldError[];
  /** With `stale-version`: the row as it is now, as a read returns it. */
  readonly current: unknown;
  /** Seconds to wait before the next try, if the service says so. */
  readonly retryAfter: number | undefined;

  constructor(
    readonly problem: ProblemDetails,
    response: Response,
  ) {
    super(problem.detail);
    this.status = response.status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
    this.current = problem.current;
    this.retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  }
}

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** Return the body of a successful response; throw a `ProblemError` for any other. */
export async function unwrap<Data>(call: Promise<Answer<Data>>): Promise<Exclude<Data, undefined>> {
  const { data, error, response } = await call;
  if (response.ok) return data as Exclude<Data, undefined>;
  throw new ProblemError(problemOf(error, response), response);
}

/** A proxy in between may answer with something else than a problem. */
function problemOf(body: unknown, response: Response): ProblemDetails {
  if (isProblem(body)) return body;
  const title = response.statusText || `Status ${response.status}`;
  return { type: "about:blank", code: "", title, status: response.status, detail: title, instance: "", request_id: "" };
}

export function isProblem(body: unknown): body is ProblemDetails {
  return typeof body === "object" && body !== null && "code" in body;
}
