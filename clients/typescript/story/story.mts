// Everything that docs/clients.md shows, against a running service: node story.mjs URL ADMIN_EMAIL ADMIN_PASSWORD LOG,
// where the log has the e-mails of the service (console://).
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { argv } from "node:process";
import { setTimeout } from "node:timers/promises";
import { idempotent, ifMatch, ifNoneMatch, items, ProblemError, retryOnConflict, TodoClient, unwrap } from "todo-client";
import type { Cursor, TaskIn, TaskOut, Tokens } from "todo-client";
import type { paths as AdminPaths } from "todo-client/admin";

const [baseUrl = "", adminEmail = "", adminPassword = "", log = ""] = argv.slice(2);
const email = `ada-${crypto.randomUUID()}@example.com`;
const password = "seven tall ships at sea";

const stored: (Tokens | undefined)[] = [];
const onTokens = (tokens: Tokens | undefined) => void stored.push(tokens);
const ada = new TodoClient({ baseUrl, onTokens });
const { api } = ada;

async function problem(call: Promise<unknown>): Promise<ProblemError> {
  const error = await call.then(() => undefined, (error: unknown) => error);
  assert.ok(error instanceof ProblemError, `Not a problem: ${error}`);
  return error;
}

const add = (body: TaskIn) => unwrap(api.POST("/api/tasks", { body }));
const list = (at: Cursor = {}) => unwrap(api.GET("/api/tasks", { params: { query: { limit: 2, ...at } } }));

async function signUp() {
  assert.equal((await problem(list())).code, "sign-in-required");
  await unwrap(api.POST("/api/auth/register", { body: { email, password, name: "Ada", timezone: "Europe/Berlin" } }));
  assert.equal((await problem(ada.signIn(email, "wrong"))).code, "wrong-credentials");
  await ada.signIn(email, password);
  assert.equal((await unwrap(api.GET("/api/auth/me"))).timezone, "Europe/Berlin");
  await confirm(email);
}

async function confirm(email: string) {
  for (let tries = 0; tries < 300; tries++) {
    const mail = (await readFile(log, "utf8")).split("\n").find((line) => line.includes(`mail to ${email}: Please confirm`));
    const token = mail?.match(/verify#([\w-]+)/)?.[1];
    if (token) return unwrap(api.POST("/api/auth/email/verify", { body: { token } }));
    await setTimeout(100);
  }
  throw new Error("No e-mail was sent.");
}

async function refresh() {
  const kept: (Tokens | undefined)[] = [];
  const tokens = { ...stored.at(-1)!, access_token: "expired" };
  const later = new TodoClient({ baseUrl, tokens, onTokens: (tokens) => void kept.push(tokens) });
  const mes = await Promise.all(Array.from({ length: 10 }, () => unwrap(later.api.GET("/api/auth/me"))));
  assert.deepEqual(new Set(mes.map((me) => me.email)), new Set([email]));
  assert.equal(kept.length, 1); // one exchange for all ten
  await later.signOut();
  assert.equal(kept.at(-1), undefined);
  const ended = new TodoClient({ baseUrl, tokens });
  assert.equal((await problem(unwrap(ended.api.GET("/api/auth/me")))).status, 401);
  await ada.signIn(email, password);
}

async function dues() {
  const due = { kind: "day", date: "2036-12-31" } as const;
  const day = await add({ title: "Pay", due });
  assert.deepEqual(day.due, due);
  assert.equal(day.due_at, "2036-12-30T23:00:00Z");
  const floating = await add({ title: "Run", due: { kind: "floating", at: "2036-12-31T09:00" } });
  assert.equal(floating.due_at, "2036-12-31T08:00:00Z");
  const zoned = await add({ title: "Call", due: { kind: "zoned", at: "2036-12-31T09:00", timezone: "Asia/Tokyo" } });
  assert.ok(zoned.due?.kind === "zoned" && zoned.due.timezone === "Asia/Tokyo");
  assert.equal((await add({ title: "Some day" })).due, null);
}

async function pages() {
  const titles: string[] = [];
  for await (const task of items(list)) titles.push(task.title);
  assert.deepEqual(titles.sort(), ["Call", "Pay", "Run", "Some day"]);
}

async function conflicts() {
  const added = await add({ title: "Letter" });
  const path = { task_id: added.id };
  const same = await api.GET("/api/tasks/{task_id}", { params: { path, header: ifNoneMatch(added) } });
  assert.equal(same.response.status, 304);

  const read = () => unwrap(api.GET("/api/tasks/{task_id}", { params: { path } }));
  const write = (row: TaskOut, title: string) =>
    unwrap(api.PATCH("/api/tasks/{task_id}", { params: { path, header: ifMatch(row) }, body: { title } }));
  const old = await read();
  await write(old, "Letter to Ada");
  const stale = await problem(write(old, "Lost"));
  assert.equal(stale.status, 412);
  assert.equal((stale.current as TaskOut).title, "Letter to Ada");

  const rows = [await read(), old];
  const oldFirst = async () => rows.pop()!;
  const saved = await retryOnConflict(oldFirst, (row) => write(row, `${row.title}!`));
  assert.equal(saved.title, "Letter to Ada!");
  assert.equal(rows.length, 0);
}

async function idempotency() {
  const header = idempotent();
  const send = () => api.POST("/api/tasks", { params: { header }, body: { title: "Once" } });
  const first = await send();
  const again = await send();
  assert.equal(again.data?.id, first.data?.id);
  assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
  const other = unwrap(api.POST("/api/tasks", { params: { header }, body: { title: "Twice" } }));
  assert.equal((await problem(other)).code, "idempotency-key-reused");
}

async function errors() {
  const wrong = await problem(add({ title: "", priority: 9 }));
  assert.equal(wrong.code, "invalid-values");
  assert.deepEqual(wrong.errors.map(({ field, code }) => [field, code]).sort(), [
    ["body.priority", "too_large"],
    ["body.title", "too_short"],
  ]);
  const path = { task_id: crypto.randomUUID() };
  assert.equal((await problem(unwrap(api.GET("/api/tasks/{task_id}", { params: { path } })))).code, "not-found");
}

async function recurrence() {
  const rent = await add({
    title: "Rent",
    due: { kind: "day", date: "2036-01-31" },
    recurrence: { rrule: "FREQ=MONTHLY;BYMONTHDAY=31", on_invalid_date: "backward" },
  });
  const path = { task_id: rent.id };
  const done = await unwrap(api.POST("/api/tasks/{task_id}/complete", { params: { path } }));
  assert.equal(done.status, "done");
  assert.deepEqual(done.next_task?.due, { kind: "day", date: "2036-02-29" });
  const twice = unwrap(api.POST("/api/tasks/{task_id}/complete", { params: { path } }));
  assert.equal((await problem(twice)).code, "already-done");

  const series = await unwrap(api.GET("/api/series/{series_id}", { params: { path: { series_id: rent.series_id! } } }));
  assert.equal(series.status, "active");
  const body = { rrule: "FREQ=WEEKLY", start: "2036-01-01", count: 2 };
  const preview = await unwrap(api.POST("/api/recurrences/preview", { body }));
  assert.deepEqual(preview.occurrences.map((one) => one.original_start), ["2036-01-01", "2036-01-08"]);
}

async function upcoming() {
  const today = new Date().toISOString().slice(0, 10);
  await add({ title: "Water", due: { kind: "day", date: today }, recurrence: { rrule: "FREQ=DAILY" } });
  const until = new Date(Date.now() + 7 * 86_400_000).toISOString();
  const query = { include: ["upcoming" as const], until };
  const page = await unwrap(api.GET("/api/tasks", { params: { query } }));
  assert.ok(page.upcoming?.some((one) => one.title === "Water"));
}

async function reminders() {
  const task = await add({ title: "Dentist", due: { kind: "floating", at: "2036-05-05T10:00" } });
  const path = { task_id: task.id };
  const body = { timing: { kind: "relative", minutes: -30 } } as const;
  const reminder = await unwrap(api.POST("/api/tasks/{task_id}/reminders", { params: { path }, body }));
  assert.equal(reminder.remind_at, "2036-05-05T07:30:00Z");
  const snooze = { params: { path: { reminder_id: reminder.id } }, body: { minutes: 10 } };
  const snoozed = await unwrap(api.POST("/api/reminders/{reminder_id}/snooze", snooze));
  assert.ok(snoozed.snoozed_until);
}

async function tokens() {
  const body = { name: "Script", scopes: ["tasks.view"] };
  const { token } = await unwrap(api.POST("/api/auth/tokens", { body }));
  const script = new TodoClient({ baseUrl, tokens: token });
  await unwrap(script.api.GET("/api/tasks"));
  const denied = unwrap(script.api.POST("/api/tasks", { body: { title: "No" } }));
  assert.equal((await problem(denied)).code, "permission-required");
}

async function sharing() {
  const bob = new TodoClient({ baseUrl });
  const bobs = email.replace("ada", "bob");
  await unwrap(bob.api.POST("/api/auth/register", { body: { email: bobs, password, timezone: "Europe/Berlin" } }));
  await bob.signIn(bobs, password);
  await confirm(bobs);
  const house = await unwrap(api.POST("/api/projects", { body: { name: "House" } }));
  const path = { project_id: house.id };
  const invited = { params: { path }, body: { email: bobs, role: "editor" } } as const;
  const { id } = await unwrap(api.POST("/api/projects/{project_id}/invitations", invited));
  const mine = await unwrap(bob.api.GET("/api/project-invitations"));
  assert.ok(mine.items.some((one) => one.id === id && one.project_name === "House"));
  await unwrap(bob.api.POST("/api/project-invitations/{invitation_id}/accept", { params: { path: { invitation_id: id } } }));
  const members = await unwrap(api.GET("/api/projects/{project_id}/members", { params: { path } }));
  const me = members.items.find((one) => one.role === "owner")!;
  const other = members.items.find((one) => one.role === "editor")!;

  const wall = await add({ title: "Paint the wall", project_id: house.id, labels: ["paint"], assignee_ids: [other.user_id] });
  const comments = { params: { path: { task_id: wall.id } }, body: { text: `@${me.name} which color?` } };
  const comment = await unwrap(bob.api.POST("/api/tasks/{task_id}/comments", comments));
  assert.deepEqual(comment.mentions.map((one) => one.user_id), [me.user_id]);
  const titles = async (client: TodoClient, query: { q?: string; filter?: string; view?: string }) =>
    (await unwrap(client.api.GET("/api/tasks", { params: { query } }))).items.map((task) => task.title);
  assert.deepEqual(await titles(ada, { q: "paint wal" }), ["Paint the wall"]);
  assert.ok((await titles(bob, { filter: "assignee = me and label = paint" })).includes("Paint the wall"));
  const wrong = await problem(titles(bob, { filter: "assignee = " }));
  assert.equal(wrong.errors[0]?.field, "query.filter");

  const view = { name: "To paint", filter: "label = paint and not closed", project_id: house.id };
  const added = await unwrap(bob.api.POST("/api/views", { body: view }));
  assert.deepEqual(await titles(ada, { view: added.id }), ["Paint the wall"]);
  const transfer = { params: { path }, body: { user_id: other.user_id } };
  assert.equal((await unwrap(api.POST("/api/projects/{project_id}/transfer", transfer))).role, "manager");
  await unwrap(api.DELETE("/api/projects/{project_id}/members/{user_id}", { params: { path: { ...path, user_id: me.user_id } } }));
  const gone = unwrap(api.GET("/api/tasks/{task_id}", { params: { path: { task_id: wall.id } } }));
  assert.equal((await problem(gone)).code, "not-found");
  await bob.signOut();
}

/** The code of an authenticator app (RFC 6238). */
function codeNow(secret: string): string {
  const bits = [...secret].map((one) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(one).toString(2).padStart(5, "0"));
  const key = Buffer.from((bits.join("").match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1)! & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

async function secondFactor() {
  const { secret } = await unwrap(api.POST("/api/auth/mfa/totp", { body: { password } }));
  const body = { code: codeNow(secret) };
  const { recovery_codes } = await unwrap(api.POST("/api/auth/mfa/totp/confirm", { body }));
  const later = new TodoClient({ baseUrl });
  await later.signIn(email, password, () => recovery_codes[0]!);
  assert.equal((await unwrap(later.api.GET("/api/auth/me"))).email, email);
  await later.signOut();
}

async function administration() {
  const admin = new TodoClient<AdminPaths>({ baseUrl });
  await admin.signIn(adminEmail, adminPassword);
  const { items } = await unwrap(admin.api.GET("/api/admin/users", { params: { query: { q: email } } }));
  assert.deepEqual(items.map((user) => user.email), [email]);
  const mine = new TodoClient<AdminPaths>({ baseUrl, tokens: stored.at(-1)! });
  assert.equal((await problem(unwrap(mine.api.GET("/api/admin/users")))).status, 403);
}

const chapters = [
  signUp, refresh, dues, pages, conflicts, idempotency, errors, recurrence, upcoming, reminders, sharing, tokens, secondFactor,
  administration,
]; // prettier-ignore
for (const chapter of chapters) {
  await chapter();
  console.log(`typescript: ${chapter.name}`);
}
await ada.signOut();
