let loaded;
const ready = new Promise((resolve) => { loaded = resolve; });
const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: loaded,
});

// Signs in at the API and gives Swagger UI the access token. Tokens stay in this page; closing it forgets them.
const byId = (id) => document.getElementById(id);
const form = byId("sign-in");
let tokens = null;
let pending = "";  // the token between password and second factor
let renewal = 0;

async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  if (tokens) { headers.Authorization = `Bearer ${tokens.access_token}`; }
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })
    .catch(() => { throw { detail: "The service cannot be reached." }; });
  const found = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) { throw found; }
  return found;
}

function show(step) {
  form.hidden = step === "done";
  byId("signed-in").hidden = step !== "done";
  byId("code-field").hidden = step !== "code";
  form.elements.code.required = step === "code";
  form.elements.email.disabled = form.elements.password.disabled = step === "code";
}

function signedOut(message = "") {
  clearTimeout(renewal);
  tokens = null;
  pending = "";
  ui.authActions.logout(["bearer"]);
  byId("message").textContent = message;
  show("password");
}

async function signedIn(given) {
  tokens = given;
  await ready;
  ui.preauthorizeApiKey("bearer", given.access_token);
  renewal = setTimeout(renew, Math.max(given.expires_in - 30, 5) * 1000);
  byId("who").textContent = `Signed in as ${form.elements.email.value}: requests on this page are yours.`;
  byId("message").textContent = "";
  form.elements.password.value = form.elements.code.value = "";
  show("done");
}

async function renew() {
  try {
    const refresh_token = tokens.refresh_token;
    tokens = null;
    await signedIn(await post("/api/auth/refresh", { refresh_token }));
  } catch (problem) { signedOut("You were signed out. Sign in again."); }
}

async function signIn(event) {
  event.preventDefault();
  const { email, password, code } = form.elements;
  byId("button").disabled = true;
  try {
    const answer = pending
      ? await post("/api/auth/login/mfa", { mfa_token: pending, code: code.value })
      : await post("/api/auth/login", { email: email.value, password: password.value });
    pending = answer.mfa_token || "";
    if (pending) { show("code"); code.focus(); } else { await signedIn(answer); }
  } catch (problem) {
    byId("message").textContent = problem.detail;
    if (problem.code === "sign-in-expired") { signedOut(problem.detail); }
  } finally { byId("button").disabled = false; }
}

async function signOut() {
  await post("/api/auth/logout").catch(() => null);
  signedOut();
}

show("password");
form.addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", signOut);
