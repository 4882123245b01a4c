// Progressive enhancement: all pages work without this script.

import { all, one, request, say, sayEnded, translate } from "./basics.js";
import { addItems, addPreviews } from "./controls.js";

// Send the CSRF token with every htmx request.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Form-Token"] = one('meta[name="form-token"]').content;
});

// Close menus on a click or focus outside.
document.addEventListener("click", (event) => {
  for (const menu of all("details.pop[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("focusin", (event) => {
  for (const menu of all("details.pop[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of all("details.pop[open]")) {
    menu.open = false;
    one("summary", menu).focus();
  }
});

// A form that was sent says so, until the next page comes.
document.addEventListener("submit", (event) => event.submitter?.setAttribute("aria-busy", "true"));
window.addEventListener("pageshow", () => all('[aria-busy="true"]').forEach((button) => button.removeAttribute("aria-busy")));
document.addEventListener("htmx:afterRequest", () => all('[aria-busy="true"]').forEach((button) => button.removeAttribute("aria-busy")));

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
    message.textContent = error.name === "NotAllowedError" ? translate("No passkey was chosen.") : translate("The sign-in failed. Try again, or use your password.");
    message.hidden = false;
  }
}

const newPasskey = one("[data-new-passkey]");
if (newPasskey && window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
  newPasskey.hidden = false;
  newPasskey.addEventListener("submit", makePasskey);
}

async function makePasskey(event) {
  event.preventDefault();
  const form = event.target;
  const message = one(".error", form);
  message.hidden = true;
  try {
    const asked = await postForm(form.dataset.newPasskey, { form_token: form.elements.form_token.value });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(asked.options);
    const credential = await navigator.credentials.create({ publicKey });
    form.elements.state.value = asked.state;
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    message.textContent = { NotAllowedError: translate("No passkey was created."), 403: translate("Sign in again first: this requires a recent sign-in.") }[error.name === "Error" ? error.message : error.name] ?? translate("This failed. Try again.");
    message.hidden = false;
  }
}

async function postForm(address, fields) {
  const answer = await fetch(address, { method: "POST", body: new URLSearchParams(fields) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

// The command palette (Ctrl-K).
const palette = one("#palette");
const found = one("#palette-found");

function openPalette(text) {
  if (!palette || palette.open) return;
  one("[data-said]", palette).replaceChildren();
  palette.showModal();
  const field = one("#palette-q");
  if (text) field.value = text;
  else field.select();
  htmx.trigger(field, "palette");
}

function choose(option) {
  for (const other of all('[aria-selected="true"]', found)) other.setAttribute("aria-selected", "false");
  one("#palette-q").setAttribute("aria-activedescendant", option?.id ?? "");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const options = all('[role="option"]', found);
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  choose(options[(at + by + options.length) % options.length]);
}

if (palette) {
  // Opened by a click or by typing, never by focus alone. When it closes, the focus returns to the field.
  const opener = one("[data-palette] input");
  opener?.addEventListener("click", () => openPalette());
  opener?.addEventListener("input", () => {
    openPalette(opener.value);
    opener.value = "";
  });
  palette.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { // which a search field would take for itself
      event.preventDefault();
      palette.close();
    }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      event.preventDefault();
      step(by);
    }
  });
  one("form", palette).addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = one('[aria-selected="true"]', found);
    const q = one("#palette-q").value.trim();
    if (chosen) window.location.assign(chosen.href);
    else if (q) window.location.assign(`/admin/search?q=${encodeURIComponent(q)}`);
  });
  palette.addEventListener("click", (event) => {
    if (event.target === palette) palette.close();
  });
  found.addEventListener("htmx:afterSwap", () => choose(one('[role="option"]', found)));
}

// Show or hide the filters at once; the request keeps it for the next page.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-filters]");
  if (!form) return;
  event.preventDefault();
  const button = one("button", form);
  fetch(form.action, { method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(form, button)) });
  const hide = button.value === "hidden";
  one("#list").classList.toggle("is-wide", hide);
  button.value = hide ? "shown" : "hidden";
  button.ariaExpanded = String(!hide);
  button.removeAttribute("aria-busy");
});

// Tabs: one is shown at a time, the one that the address names, that has an error, or that was open on such a page before.
const tabs = all("[data-tabs] a");
const openTabs = `tab ${window.location.pathname.split("/")[2]}`;
function openTab(name) {
  const link = tabs.find((tab) => tab.hash === `#${name}`);
  if (!link) return;
  for (const part of all("[data-tab]")) part.hidden = part.dataset.tab !== name;
  for (const tab of tabs) tab.ariaCurrent = tab === link ? "true" : null;
  sessionStorage.setItem(openTabs, name);
}
function openTabOf(element) {
  const tab = element?.closest("[data-tab]");
  if (!tab) return;
  openTab(tab.dataset.tab);
  element.scrollIntoView({ block: "nearest" });
}
if (tabs.length) {
  const named = () => document.getElementById(window.location.hash.slice(1));
  const before = sessionStorage.getItem(openTabs);
  openTab(tabs[0].hash.slice(1));
  if (before && !window.location.pathname.endsWith("/add")) openTab(before);
  openTabOf(one('[data-tab] [aria-invalid="true"]') ?? named());
  window.addEventListener("hashchange", () => openTabOf(named()));
  document.addEventListener("invalid", (event) => openTabOf(event.target), true);
  for (const tab of tabs) {
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      openTab(tab.hash.slice(1));
    });
  }
}

// Fields that apply only while another has one of some values. What is hidden is not sent.
function applyConditions() {
  for (const field of all("form:not(:has([name=_set])) [data-shown-if]")) {
    const { shownIf, shownFor } = field.dataset;
    const form = field.closest("form");
    if (!form.elements[shownIf]) continue;
    const applies = shownFor.split("|").includes(new FormData(form).getAll(shownIf).at(-1));
    field.hidden = !applies && !one('[aria-invalid="true"]', field);
    for (const control of all("input, select, textarea", field)) control.disabled = field.hidden;
  }
}
applyConditions();
document.addEventListener("change", applyConditions);

// Selecting rows.
function countSelected() {
  const bar = one("[data-bulk]");
  if (!bar) return;
  const boxes = all('input[name="id"][form="rows"]');
  const chosen = boxes.filter((box) => box.checked).length;
  const matching = one('[name="matching"]', bar)?.checked;
  bar.classList.toggle("waiting", !chosen && !matching);
  bar.classList.toggle("ready", chosen > 0 || Boolean(matching));
  one("[data-count]", bar).textContent = matching ? translate("All that match") : translate("%(number)s selected").replace("%(number)s", chosen);
  const every = one("[data-all]");
  if (!every) return;
  every.hidden = false;
  every.checked = chosen > 0 && chosen === boxes.length;
  every.indeterminate = chosen > 0 && chosen < boxes.length;
}

let lastBox = null;
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches?.('input[name="id"][form="rows"]')) return;
  const boxes = all('input[name="id"][form="rows"]');
  if (event.shiftKey && lastBox?.isConnected) {
    const [from, to] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
    for (const between of boxes.slice(from, to + 1)) between.checked = box.checked;
  }
  lastBox = box;
  countSelected();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of all('input[name="id"][form="rows"]')) box.checked = event.target.checked;
  }
  if (event.target.matches("[data-all], [name=matching]")) countSelected();
  // Filling in a field of a bulk edit also ticks it.
  const row = event.target.closest(".set-field");
  if (row && !event.target.matches('[name="_set"]')) one('[name="_set"]', row).checked = true;
});

// Keyboard shortcuts of lists: j and k move, x selects, Enter opens, / searches.
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (event.key === "Escape" && event.target.closest?.("[data-cell]")) {
    one("[data-cancel]", event.target.closest("[data-cell]")).click();
    return;
  }
  if (event.key === "Enter" && event.target.matches?.("[data-cell] select")) {
    event.preventDefault();
    event.target.form.requestSubmit();
    return;
  }
  const busy = event.target.matches?.("input:not([type=checkbox]), select, textarea") || palette?.open;
  if (busy || one("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "?") one("#keys")?.showModal();
  if (localStorage.getItem("shortcuts") === "off") return;
  if (event.key === "/" && one("#q")) {
    event.preventDefault();
    one("#q").focus();
  }
  if (event.key === "j" || event.key === "k") walk(event.key === "j" ? 1 : -1) || one(`[aria-keyshortcuts="${event.key}"]`)?.click();
  if (event.key === "x") one('tr.here input[name="id"]')?.click();
});

function walk(by) {
  const rows = all("tr[data-row]");
  if (!rows.length) return false;
  const at = rows.findIndex((row) => row.classList.contains("here"));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  rows[at]?.classList.remove("here");
  next.classList.add("here");
  one(".row-link", next).focus();
  return true;
}

// Save and go to the next row.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (one("dialog[open]")) one("#related form.form")?.requestSubmit();
  else one('[name="_then"][value="next"]')?.click();
});

// Back in a list: the row one comes from, and the scroll position there was.
const scrolled = `scrolled ${window.location.pathname}${window.location.search}`;
window.addEventListener("pagehide", () => {
  if (one("tr[data-row]")) sessionStorage.setItem(scrolled, window.scrollY);
});
window.addEventListener("load", () => requestAnimationFrame(() => { // the browser itself moves to the anchor before
  if (!window.location.hash.startsWith("#row-")) return;
  const row = document.getElementById(window.location.hash.slice(1));
  row?.classList.add("here");
  one(".row-link", row ?? document)?.focus({ preventScroll: true });
  const top = sessionStorage.getItem(scrolled);
  if (top !== null) window.scrollTo(0, Number(top));
}));

// Warn before leaving a changed form.
let unsaved = Boolean(one("[data-edit]") && one("#problem, [data-unsaved]"));
document.addEventListener("input", (event) => {
  if (event.target.closest("[data-edit]")) unsaved = true;
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-edit]")) unsaved = false;
});
window.addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

// After every change of the page by htmx.
document.addEventListener("htmx:afterSettle", (event) => {
  countSelected();
  const control = one("[data-cell] :is(select, textarea, input:not([type=hidden]))", event.target);
  control?.focus();
  control?.select?.();
  if (!control && event.target.matches("td")) one(".cell-edit", event.target)?.focus();
});

// The list of shortcuts, where those of a single key are turned off, as speech input needs it.
const keys = one("#keys");
if (keys) {
  const box = one("input", keys);
  box.checked = localStorage.getItem("shortcuts") !== "off";
  box.addEventListener("change", () => localStorage.setItem("shortcuts", box.checked ? "on" : "off"));
  const opener = one("[data-keys]");
  opener.hidden = false;
  opener.addEventListener("click", () => keys.showModal());
}

// A picker: search its choices, and count those selected.
for (const picker of all("[data-picker]")) {
  const search = one("[data-search]", picker);
  search.hidden = false;
  search.addEventListener("input", () => {
    const text = search.value.trim().toLowerCase();
    for (const label of all(".check", picker)) label.hidden = !`${label.textContent} ${label.title}`.toLowerCase().includes(text);
    for (const group of all("fieldset", picker)) group.hidden = !one(".check:not([hidden])", group);
  });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  picker.addEventListener("change", () => {
    one("[data-chosen]", picker).textContent = translate("%(number)s selected").replace("%(number)s", all("input:checked", picker).length);
  });
}

// Each name that is added to a list of references becomes a checked box, so that another one can be added.
for (const list of all("[data-references]")) {
  const added = one("input[list]", list);
  const add = () => {
    const name = added.value.trim();
    if (!name) return;
    const box = Object.assign(document.createElement("input"), { type: "checkbox", name: added.name, value: name, checked: true });
    const label = Object.assign(document.createElement("label"), { className: "check" });
    label.append(box, " ", Object.assign(document.createElement("span"), { textContent: name }));
    added.before(label);
    added.value = "";
  };
  added.addEventListener("change", add);
  added.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || !added.value.trim()) return;
    event.preventDefault();
    add();
  });
}

// Dates are typed in ISO order; the calendar of the browser stands beside the field, for those who point.
function addCalendars() {
  for (const field of all("[data-date]:not(.has-calendar)")) {
    const calendar = document.createElement("input");
    Object.assign(calendar, { type: "date", className: "calendar", tabIndex: -1, ariaHidden: "true" });
    calendar.addEventListener("change", () => { field.value = calendar.value; });
    calendar.addEventListener("pointerdown", () => { calendar.value = /^\d{4}-\d{2}-\d{2}$/.test(field.value) ? field.value : ""; });
    field.classList.add("has-calendar");
    field.after(calendar);
  }
}
// A color is typed, or picked beside the field.
function addColors() {
  for (const field of all("[data-color]:not(.has-calendar)")) {
    const picker = document.createElement("input");
    Object.assign(picker, { type: "color", className: "color", tabIndex: -1, ariaHidden: "true" });
    const show = () => { picker.value = /^#[0-9a-f]{6}$/i.test(field.value) ? field.value : "#888888"; };
    show();
    field.addEventListener("input", show);
    picker.addEventListener("input", () => {
      field.value = picker.value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    field.classList.add("has-calendar");
    field.after(picker);
  }
}
function addPickers() {
  addCalendars();
  addColors();
  addPreviews();
  addItems();
}
addPickers();
document.addEventListener("htmx:afterSettle", addPickers);

// A day, a time and its zone are picked beside the field that takes them as text.
for (const group of all("[data-moment]")) {
  const field = document.getElementById(group.dataset.moment);
  const [day, time, place] = group.children;
  const read = () => {
    const [, date, clock, name] = /^(\d{4}-\d{2}-\d{2})?(?:[T ](\d{2}:\d{2}))?(?: (\S+))?$/.exec(field.value.trim()) ?? [];
    if (name && ![...place.options].some((option) => option.value === name)) place.add(new Option(name));
    [day.value, time.value, place.value] = [date ?? "", clock ?? "", name ?? ""];
  };
  group.hidden = false;
  read();
  field.addEventListener("input", read);
  group.addEventListener("change", (event) => {
    event.stopPropagation();
    field.value = day.value ? [day.value, time.value, time.value && place.value].filter(Boolean).join(" ") : "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// Groups of the menu stay as they were left.
for (const group of all(".nav-group")) {
  const stored = localStorage.getItem(`menu ${group.dataset.group}`);
  if (stored !== null && !one("[aria-current]", group)) group.open = stored === "open";
  one("summary", group).addEventListener("click", () => localStorage.setItem(`menu ${group.dataset.group}`, group.open ? "closed" : "open"));
}

// What is refused is said, and leaves the page as it is.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { status, responseText } = event.detail.xhr;
  if (status === 422) return sayProblem(event.detail, responseText);
  if (status < 400) return;
  event.detail.shouldSwap = false;
  const { elt, verb } = event.detail.requestConfig;
  const cell = verb === "post" && elt.closest("[data-cell]");
  if (cell && (status === 401 || isKept(responseText))) signInWith(cell);
  else if (status === 401) onSessionEnd(event.detail);
  else return say(translate("This failed. Reload the page and try again."));
  event.detail.isError = false;
});
// A whole page instead of a part says what is wrong.
function sayProblem(detail, text) {
  const problem = one(".problem", parsed(text));
  if (!problem) return;
  detail.shouldSwap = false;
  say((one("li", problem) ?? one("h1 + p", problem)).textContent);
}
// Only what leads to another page leads to the sign-in; a picker or the palette must not take the page away.
function onSessionEnd({ boosted, pathInfo, requestConfig }) {
  if (boosted || requestConfig.elt.matches('[hx-push-url="true"], #run')) window.location.assign(pathInfo.finalRequestPath);
  else sayEnded();
}
// Whether an answer asks to send the form once more: it was loaded before the session that there is now.
const isKept = (text) => text.includes(" data-kept>");
// Send the cell as a form of its row, which the sign-in keeps.
function signInWith(form) {
  const list = window.location.search.slice(1); // with its filters, to return to
  form.action = form.getAttribute("action").replace(/\/cell\/[^/]+$/, "") + (list && `?_list=${encodeURIComponent(list)}`);
  form.submit();
}

document.addEventListener("htmx:sendError", () => say(translate("The service cannot be reached.")));

// A background job that was seen running is looked after on every page, until it ends.
function followRun() {
  const run = one("#run");
  if (!run) return;
  if (["waiting", "running"].includes(run.dataset.status)) localStorage.setItem("run", run.dataset.run);
  else if (localStorage.getItem("run") === run.dataset.run) localStorage.removeItem("run");
}
async function lookAfterRun() {
  const id = localStorage.getItem("run");
  if (!id || one("#run") || document.hidden) return;
  const answer = await fetch(`/admin/runs/${id}`).catch(() => null);
  const run = answer?.ok && one("#run", new DOMParser().parseFromString(await answer.text(), "text/html"));
  if (answer && !run) localStorage.removeItem("run");
  if (!run || ["waiting", "running"].includes(run.dataset.status)) return;
  localStorage.removeItem("run");
  say(`${translate("A background job has ended:")} ${one("h2", run).textContent}`, run.dataset.status === "done" ? "done" : "refused", `/admin/runs/${id}`);
}
followRun();
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "run") return;
  followRun();
  if (!localStorage.getItem("run")) say(`${translate("A background job has ended:")} ${one("#run h2").textContent}`, one("#run").dataset.status === "done" ? "done" : "refused");
});
lookAfterRun();
setInterval(lookAfterRun, 5000);

// Rows that a field refers to, and rows below this one, are added, changed and deleted in a dialog. `data-related` names the field, or
// the section of the rows. Within the dialog, links lead to tabs of their own.
const related = one("#related");
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-related]");
  if (!link || !related || related.contains(link) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openRelated(link, link, request(link.href), () => window.open(link.href, link.target || "_self"));
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-related]");
  if (!form || !related) return;
  event.preventDefault();
  event.submitter?.removeAttribute("aria-busy");
  const asked = request(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  openRelated(form, one("button", form), asked, () => form.submit());
});
async function openRelated(source, opener, asked, otherwise) {
  const answer = await asked;
  if (answer?.status === 401) return sayEnded();
  if (!answer?.ok || !showRelated(await answer.text(), source, opener)) otherwise();
}
// Show the form of a page; its ids are made different from those of the form behind it. Return whether there is one.
function showRelated(text, source, opener) {
  const page = parsed(text);
  const form = one("#main form.form", page);
  if (!form) return false;
  for (const name of ["id", "for", "list", "aria-describedby", "aria-labelledby", "data-moment", "data-preview", "hx-target"]) {
    for (const box of all(`[${name}]`, form)) box.setAttribute(name, box.getAttribute(name).replace(/(^|[ #])(field|cell|rows|inline|line)-/g, "$1related-$2-"));
  }
  for (const box of all('[name="_then"], [name="_more"], .form-foot a', form)) box.remove();
  form.removeAttribute("data-edit");
  const cancel = Object.assign(document.createElement("button"), { type: "button", textContent: translate("Cancel"), className: "quiet" });
  cancel.addEventListener("click", () => related.close());
  one(".form-foot", form).append(cancel);
  const problem = one("#problem", page);
  problem?.removeAttribute("id");
  const said = document.createElement("div");
  said.role = "status";
  said.dataset.said = "";
  related.replaceChildren(...[one(".page-head > div", page), said, problem, form].filter(Boolean));
  related.setAttribute("aria-label", opener.textContent.trim());
  htmx.process(related);
  form.addEventListener("submit", (event) => sendRelated(event, form, source, opener));
  applyConditions();
  addPickers();
  if (!related.open) related.showModal();
  one("input:not([type=hidden]), select, textarea", form)?.focus();
  return true;
}
async function sendRelated(event, form, source, opener) {
  event.preventDefault();
  const target = document.getElementById(source.dataset.related);
  const isSection = target.matches("section");
  const fields = new URLSearchParams(new FormData(form, event.submitter));
  if (!isSection) fields.set("_then", "stay"); // leads to the page of the row
  const answer = await request(form.getAttribute("action"), { method: "POST", body: fields });
  const text = (await answer?.text()) ?? "";
  if ([404, 409, 422].includes(answer?.status) && showRelated(text, source, opener)) return;
  if (answer?.status === 401) return sayEnded();
  if (isKept(text)) return sendAgain(form, parsed(text));
  if (isSection && answer && !answer.redirected) return form.submit(); // it says more than a form
  if (!answer?.ok || !answer.redirected) return say(translate("This failed. Try again."));
  related.close();
  if (isSection) showRows(answer.url, parsed(text), target, opener);
  else await refer(target, answer.url, parsed(text), source);
}
// The user has signed in again meanwhile, and sends the form once more.
function sendAgain(form, page) {
  form.elements.form_token.value = one("[data-kept] [name=form_token]", page).value;
  say(one("#main > .muted", page).textContent);
}
// Show the rows below as they are now; what was typed into the form of this page stays.
function showRows(address, page, section, opener) {
  if (!one(`#${section.id}`, page)) return window.location.assign(address);
  for (const part of all("[data-rows]")) part.replaceWith(one(`#${part.id}`, page) ?? "");
  one("#flash").replaceChildren(...one("#flash", page).childNodes);
  const place = document.getElementById(opener.id) ?? one("a", document.getElementById(section.id));
  place.focus();
}
// Rows below are moved by buttons, or dragged. Between which rows one was seen is sent along, so that nobody's move is lost.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-move]");
  if (!form) return;
  event.preventDefault();
  moveRow(form, event.submitter.value, event.submitter);
});
document.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest("[data-grip]");
  if (grip && event.button === 0) dragItem(grip.closest("[data-item]"), event.pointerId);
});
async function moveRow(form, value, opener) {
  const section = document.getElementById(form.dataset.move);
  if (section.ariaBusy) return; // one move after the other
  section.ariaBusy = "true";
  const fields = new URLSearchParams(new FormData(form));
  fields.set("move", value);
  const answer = await fetch(form.action, { method: "POST", body: fields }).catch(() => null);
  if (answer?.ok && answer.redirected) return showRows(answer.url, parsed(await answer.text()), section, opener);
  form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "move", value }));
  form.submit(); // it asks for a sign-in, or says what went wrong
}
function dragItem(item, pointer) {
  const [list, form] = [item.parentElement, one("form[data-move]", item.closest("section"))];
  const items = all(":scope > [data-item]", list);
  const ended = new AbortController();
  const on = (name, act) => document.addEventListener(name, act, { signal: ended.signal });
  const end = (isDropped) => {
    ended.abort();
    item.classList.remove("dragged");
    const by = isDropped ? all(":scope > [data-item]", list).indexOf(item) - items.indexOf(item) : 0;
    list.append(...(isDropped ? [] : items));
    if (!by) return;
    if (!form) return lineMoved(item);
    const [step, past] = by < 0 ? ["up", item.nextElementSibling] : ["down", item.previousElementSibling];
    const seen = [-1, 1].map((side) => items[items.indexOf(item) + side]?.dataset.id ?? "-");
    moveRow(form, [item.dataset.id, ...seen, step, past.dataset.id].join(" "), one("button", item));
  };
  const isBelow = (other, y) => y < other.getBoundingClientRect().top + other.offsetHeight / 2;
  list.setPointerCapture(pointer);
  item.classList.add("dragged");
  on("pointermove", ({ clientY }) => {
    const others = all(":scope > [data-item]", list).filter((other) => other !== item);
    const next = others.find((other) => isBelow(other, clientY)) ?? null;
    if (next !== item.nextElementSibling) list.insertBefore(item, next);
    if (clientY < 60 || clientY > window.innerHeight - 60) window.scrollBy(0, clientY < 60 ? -12 : 12);
  });
  on("pointerup", () => end(true));
  on("pointercancel", () => end(false));
  on("keydown", (event) => { if (event.key === "Escape") end(false); });
}
// Lines of a form are moved in it, and saved with it.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (!button) return;
  event.preventDefault();
  const item = button.closest("[data-item]");
  const other = button.dataset.step === "up" ? item.previousElementSibling : item.nextElementSibling;
  if (!other?.matches("[data-item]")) return;
  button.dataset.step === "up" ? other.before(item) : other.after(item);
  lineMoved(item);
  button.focus();
});
function lineMoved(item) {
  all(":scope > [data-item]", item.parentElement).forEach((line, place) => all("[data-number]", line).forEach((number) => { number.textContent = place + 1; }));
  item.dispatchEvent(new Event("input", { bubbles: true }));
  say(translate("Now line %(number)s. Save to keep this order.").replace("%(number)s", one("[data-number]", item).textContent), "done");
}
// Let a field refer to a row that was added, or call by its new name the one that it refers to.
async function refer(field, address, page, link) {
  const name = one("h1", page).textContent.trim();
  const found = await request(`${field.getAttribute("hx-get")}?${field.name}=${encodeURIComponent(name)}`);
  const options = found?.ok ? await found.text() : "";
  const isOnly = all("option", parsed(options)).some((option) => option.value === name);
  const value = isOnly ? name : new URL(address).pathname.split("/").pop(); // a name that several rows have says nothing
  const was = field.form.elements[`_was.${field.name}`];
  const isSame = link.pathname.endsWith(`/${address.split("?")[0].split("/").pop()}`);
  if (!isSame || field.value === was.value) field.value = value;
  if (isSame && field.value === value) was.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}
related?.addEventListener("close", () => related.replaceChildren());

countSelected();
const problem = one("#problem");
if (problem) problem.focus();
