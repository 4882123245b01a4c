// Comfort on top of pages that work without it: nothing in here is needed to do anything.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Every request that htmx sends proves that it comes from this page.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Form-Token"] = one('meta[name="form-token"]').content;
});

// Menus close when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of all("details.pop[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of all("details.pop[open]")) {
    menu.open = false;
    one("summary", menu).focus();
  }
});

// Passkeys.
const passkeyForm = one("#passkey");
if (passkeyForm && window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  passkeyForm.hidden = false;
  passkeyForm.addEventListener("submit", signInByPasskey);
}

async function signInByPasskey(event) {
  event.preventDefault();
  const form = event.target;
  const message = one(".error", form);
  message.hidden = true;
  try {
    const asked = await postForm(form.dataset.passkeyOptions, { form_token: form.elements.form_token.value });
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.options);
    const credential = await navigator.credentials.get({ publicKey });
    form.elements.state.value = asked.state;
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    message.textContent = error.name === "NotAllowedError" ? "No passkey was chosen." : "That did not work; try again or use your password.";
    message.hidden = false;
  }
}

async function postForm(address, fields) {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}
