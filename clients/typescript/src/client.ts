import createClient, { type Client } from "openapi-fetch";

import type { paths, Tokens } from "./generated/schema.js";
import { isProblem, ProblemError, unwrap } from "./problems.js";

export interface Options {
  /** The address of the service, such as `https://todo.example.com`. */
  baseUrl: string;
  /** Those of an earlier session, or a personal access token. */
  tokens?: Tokens | string;
  /** Called with new tokens, and with undefined once the session has ended: store them here. */
  onTokens?: (tokens: Tokens | undefined) => Promise<void> | void;
  /** Instead of the global `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
}

/**
 * A client of one account. `api` has every operation, typed by the OpenAPI document; it sends the access token, gets
 * a new one when that has expired, and repeats the request. Pass `paths` of `todo-client/admin` for the administration.
 */
export class TodoClient<Paths extends {} = paths> {
  readonly api: Client<Paths>;
  readonly #plain: Client<paths>; // without a token
  readonly #onTokens: Options["onTokens"];
  readonly #fetch: (request: Request) => Promise<Response>;
  #tokens: Tokens | string | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: Options) {
    const { baseUrl } = options;
    this.#onTokens = options.onTokens;
    this.#tokens = options.tokens;
    this.#fetch = options.fetch ?? ((request) => fetch(request));
    this.#plain = createClient<paths>({ baseUrl, fetch: this.#fetch });
    this.api = createClient<Paths>({ baseUrl, fetch: (request) => this.#send(request) });
  }

  /** Sign in. `code` is asked for the second factor of an account that has one. */
  async signIn(email: string, password: string, code?: () => Promise<string> | string): Promise<void> {
    let answer = await unwrap(this.#plain.POST("/api/auth/login", { body: { email, password } }));
    if ("mfa_token" in answer) {
      if (!code) throw new Error("The account has a second factor: pass `code` to signIn.");
      const body = { mfa_token: answer.mfa_token, code: await code() };
      answer = await unwrap(this.#plain.POST("/api/auth/login/mfa", { body }));
    }
    await this.#keep(answer);
  }

  /** End the session. */
  async signOut(): Promise<void> {
    await unwrap((this.api as unknown as Client<paths>).POST("/api/auth/logout"));
    await this.#keep(undefined);
  }

  async #send(request: Request): Promise<Response> {
    const used = this.#tokens;
    const response = await this.#fetch(authorized(request.clone(), used));
    if (typeof used !== "object" || !(await isExpired(response))) return response;
    await this.#renew(used);
    return this.#fetch(authorized(request, this.#tokens));
  }

  /** Exchange the refresh token, which works once, so all requests wait for the same exchange. */
  async #renew(used: Tokens): Promise<void> {
    if (this.#tokens !== used) return; // another request has done it
    this.#refreshing ??= this.#exchange(used).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async #exchange({ refresh_token }: Tokens): Promise<void> {
    try {
      await this.#keep(await unwrap(this.#plain.POST("/api/auth/refresh", { body: { refresh_token } })));
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) await this.#keep(undefined); // the session has ended
      throw error;
    }
  }

  async #keep(tokens: Tokens | undefined): Promise<void> {
    this.#tokens = tokens;
    await this.#onTokens?.(tokens);
  }
}

function authorized(request: Request, tokens: Tokens | string | undefined): Request {
  const token = typeof tokens === "object" ? tokens.access_token : tokens;
  if (token) request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

/** Other refusals with 401, such as a wrong password or a sign-in that is too old, need the user, not a new token. */
async function isExpired(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const problem: unknown = await response.clone().json().catch(() => undefined);
  return isProblem(problem) && ["token-expired", "invalid-token"].includes(problem.code);
}
