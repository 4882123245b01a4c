// What all scripts use.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Texts in the language of the page; a text that it does not have stays as it is.
const texts = JSON.parse(one('meta[name="texts"]').content);
export const translate = (text) => texts[text] ?? text;

// A request of a script. Without a session its answer is 401, as that of htmx, and not the page to sign in on.
export const request = (address, options = {}) =>
  fetch(address, { ...options, headers: { "HX-Request": "true", ...options.headers } }).catch(() => null);

// Show a message at the head of the page, or of the dialog that is open.
export function say(text, kind = "refused", href = "") {
  const line = document.createElement("p");
  line.className = `flash flash-${kind}`;
  line.append(document.createElement(href ? "a" : "span"));
  line.firstChild.textContent = text;
  if (href) line.firstChild.href = href;
  const place = one("dialog[open] [data-said]") ?? one("#flash");
  if (place && place.textContent.trim() !== text) place.replaceChildren(line); // not again for each key
  return line;
}

// A request of a script found no session: what is typed stays on the page.
export function sayEnded() {
  const line = say(translate("Your session has ended. Sign in again in a new tab: what is typed here stays."), "refused", "/admin/login");
  line.firstChild.target = "_blank";
}
