// The token stands after the #, which a browser sends to nobody; it goes into the body of one request.
const page = location.pathname.split("/").pop();
const token = location.hash.slice(1);
const PAGES = {
  verify: { title: "Confirm your e-mail address", fields: [], button: "Confirm", path: "/api/auth/email/verify",
            body: () => ({ token }), done: "Your address is confirmed. You can sign in now." },
  change: { title: "Confirm your new e-mail address", fields: [], button: "Confirm",
            path: "/api/auth/email/change/confirm", body: () => ({ token }),
            done: "Your e-mail address is changed. Sign in with it from now on; other devices were signed out." },
  reset: { title: "Choose a new password", fields: ["password"], button: "Set the password",
           path: "/api/auth/password/reset", body: (given) => ({ token, password: given.password }),
           done: "Your password was changed, and every device is signed out. Sign in with the new one." },
  register: { title: "Create your account", fields: ["email", "name", "password"], button: "Create the account",
              path: "/api/auth/register",
              body: (given) => ({ ...given, invitation: token, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
              done: "Your account was created. You can sign in now." },
};
const here = PAGES[page];
const byId = (id) => document.getElementById(id);

function say(text) { byId("message").textContent = text; }

async function send(event) {
  event.preventDefault();
  const form = byId("form");
  const given = Object.fromEntries(here.fields.map((name) => [name, form.elements[name].value]));
  byId("button").disabled = true;
  const answer = await fetch(here.path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(here.body(given)),
  }).catch(() => null);
  byId("button").disabled = false;
  if (answer && answer.ok) { form.hidden = true; say(here.done); return; }
  const problem = answer ? await answer.json() : { detail: "The service cannot be reached." };
  say([problem.detail, ...(problem.errors || []).map((error) => error.message)].join(" "));
}

byId("title").textContent = here.title;
byId("button").textContent = here.button;
for (const name of here.fields) {
  byId(`${name}-field`).hidden = false;
  byId("form").elements[name].required = name !== "name";
}
if (token) { byId("form").hidden = false; } else { say("The link is incomplete. Open it from the e-mail."); }
byId("form").addEventListener("submit", send);
