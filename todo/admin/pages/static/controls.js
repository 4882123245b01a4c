// Controls that do more than the fields they begin as. Each is added to what is on the page, and not twice.

import { all, one, say, translate } from "./basics.js";

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
    const answer = await fetch("/admin/preview", {
      method: "POST",
      headers: { "X-Form-Token": one('meta[name="form-token"]').content },
      body: new URLSearchParams({ text: field.value }),
    }).catch(() => null);
    if (!answer?.ok || answer.redirected) return say(translate("This failed. Reload the page and try again."));
    shown.innerHTML = await answer.text();
    shown.style.minHeight = `${field.offsetHeight}px`;
  }
  field.hidden = isWanted;
  shown.hidden = !isWanted;
  button.ariaPressed = String(isWanted);
}
