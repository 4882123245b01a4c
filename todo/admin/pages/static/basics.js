// What all scripts use.

export const one = (selector, root = document) => root.querySelector(selector);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Texts in the language of the page; a text that it does not have stays as it is.
const texts = JSON.parse(one('meta[name="texts"]').content);
export const translate = (text) => texts[text] ?? text;

// Show a message at the head of the page.
export function say(text, kind = "refused", href = "") {
  const line = document.createElement("p");
  line.className = `flash flash-${kind}`;
  line.append(document.createElement(href ? "a" : "span"));
  line.firstChild.textContent = text;
  if (href) line.firstChild.href = href;
  one("#flash")?.replaceChildren(line);
}
