// Controls that do more than the fields they begin as. Each is added to what is on the page, and not twice.

import { all, one, request, say, sayEnded, translate } from "./basics.js";

// Markdown: "Preview" shows what the server makes of a text.
export function addPreviews() {
  for (const button of all("[data-preview][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", () => showPreview(button, button.ariaPressed !== "true"));
    document.getElementById(button.dataset.preview).addEventListener("invalid", () => showPreview(button, false));
  }
}
async function showPreview(button, isWanted) {
  const field = document.getElementById(button.dataset.preview);
  const shown = one(".preview", button.parentElement);
  if (isWanted) {
    const answer = await request("/admin/preview", {
      method: "POST",
      headers: { "X-Form-Token": one('meta[name="form-token"]').content },
      body: new URLSearchParams({ text: field.value }),
    });
    if (answer?.status === 401) return sayEnded();
    if (!answer?.ok || answer.redirected) return say(translate("This failed. Reload the page and try again."));
    shown.innerHTML = await answer.text();
    shown.style.minHeight = `${field.offsetHeight}px`;
  }
  field.hidden = isWanted;
  shown.hidden = !isWanted;
  button.ariaPressed = String(isWanted);
}

// Lists of texts: a line for each, with its own field, in place of one field of lines.
export function addItems() {
  for (const field of all("textarea[data-items]")) {
    const list = make("div", { className: "items", role: "group", ariaLabel: field.dataset.items });
    const more = make("button", { type: "button", className: "quiet tight", textContent: translate("Add an entry") });
    more.addEventListener("click", () => addItem(field, list).focus());
    list.append(more);
    for (const text of field.value.split("\n")) addItem(field, list, more, text);
    one("[data-lines]", field.parentElement)?.remove();
    field.replaceWith(list);
  }
}
const make = (name, values) => Object.assign(document.createElement(name), values);
function addItem(field, list, before = list.lastElementChild, text = "") {
  const line = make("div", { className: "item" });
  const input = make("input", { name: field.name, value: text, autocomplete: "off", ariaInvalid: field.ariaInvalid });
  if (field.hasAttribute("aria-describedby")) input.setAttribute("aria-describedby", field.getAttribute("aria-describedby"));
  const remove = make("button", { type: "button", className: "quiet square", textContent: "×" });
  remove.addEventListener("click", () => removeItem(field, list, line));
  input.addEventListener("keydown", (event) => onItemKey(event, field, list));
  input.addEventListener("paste", (event) => onItemPaste(event, field, list));
  line.append(input, remove);
  before.before(line);
  nameItems(field, list);
  return input;
}
function removeItem(field, list, line) {
  const next = line.nextElementSibling.matches(".item") ? line.nextElementSibling : line.previousElementSibling;
  line.remove();
  const input = next ? one("input", next) : addItem(field, list);
  nameItems(field, list);
  input.focus();
  for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
}
function nameItems(field, list) {
  for (const [at, line] of all(".item", list).entries()) {
    const [input, remove] = line.children;
    input.id = at ? "" : field.id;
    input.ariaLabel = `${field.dataset.items} ${at + 1}`;
    remove.ariaLabel = remove.title = `${translate("Remove")} (${input.ariaLabel})`;
  }
}
function onItemKey(event, field, list) {
  const line = event.target.parentElement;
  if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) addItem(field, list, line.nextElementSibling).focus();
  else if (event.key === "Backspace" && !event.target.value && all(".item", list).length > 1) removeItem(field, list, line);
  else return;
  event.preventDefault();
}
function onItemPaste(event, field, list) {
  const [first, ...others] = event.clipboardData.getData("text").split("\n").map((text) => text.trim()).filter(Boolean);
  if (!others.length) return;
  event.preventDefault();
  event.target.setRangeText(first, event.target.selectionStart, event.target.selectionEnd, "end");
  const after = event.target.parentElement.nextElementSibling;
  for (const text of others) addItem(field, list, after, text).focus();
  event.target.dispatchEvent(new Event("input", { bubbles: true }));
}
