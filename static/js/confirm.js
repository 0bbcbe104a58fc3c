/**
 * Forms that change something: one press is sent once, a press without a connection is not sent, and typed text
 * survives a session that ended. The server checks all of it again; this only helps.
 */

const PROBE_MS = 5_000;
const DRAFT = "lkt:draft:";
const SENT = "lkt:sent";

/** @param {HTMLFormElement} form @returns {(HTMLInputElement | HTMLTextAreaElement)[]} What a person writes. The typed name is written anew each time. */
const typed = (form) =>
  [...form.querySelectorAll("input:not([type]), input[type=text], textarea")].filter((field) => field.name && field.name !== "confirm");

/** @param {HTMLFormElement} form @returns {string} Where drafts are kept: of this person, for what the form is about. */
const drawer = (form) => {
  const { pathname, search } = new URL(form.action);
  return `${DRAFT}${document.querySelector(".menu .name")?.textContent}@${pathname}${search}#${form.id}.`;
};

/** @param {HTMLFormElement} form @param {Element} field @returns {string} */
const place = (form, field) => drawer(form) + field.getAttribute("name");

/** @param {HTMLFormElement} form Put back what was typed before the page was left. */
function recall(form) {
  for (const field of typed(form)) {
    const draft = sessionStorage.getItem(place(form, field));
    if (draft !== null && field.value === "") field.value = draft;
    field.addEventListener("input", () => sessionStorage.setItem(place(form, field), field.value));
  }
}

/** Forget the drafts of a form that was answered. A sign-in page is no answer: the person comes back to the form. */
function forget() {
  const sent = sessionStorage.getItem(SENT);
  sessionStorage.removeItem(SENT);
  if (sent === null || document.querySelector("[data-sign-in]")) return;
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(sent)) sessionStorage.removeItem(key);
}

/** @param {HTMLFormElement} form @param {boolean} isSending */
function lock(form, isSending) {
  form.toggleAttribute("data-sending", isSending);
  form.setAttribute("aria-busy", String(isSending));
}

/** @param {HTMLFormElement} form Say that nothing was sent. */
function tellUnsent(form) {
  const said = form.querySelector("[data-unsent]");
  said.textContent = `Not sent at ${new Date().toISOString().slice(11, 19)} UTC: no connection. Nothing was started.`;
  said.hidden = false;
  lock(form, false);
}

/** @param {SubmitEvent} event */
async function press(event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("[data-confirm]")) return;
  if (form.hasAttribute("data-sending")) {
    event.preventDefault();
    return;
  }
  lock(form, true);
  sessionStorage.setItem(SENT, drawer(form));
  if (!document.body.classList.contains("off")) return;
  event.preventDefault();
  try {
    await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    form.removeAttribute("data-sending");
    document.body.classList.remove("off");
    form.requestSubmit(event.submitter);
  } catch {
    tellUnsent(form);
  }
}

document.addEventListener("submit", press);
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sending]")) lock(form, false);
});
forget();
for (const form of document.querySelectorAll("form[data-confirm]")) recall(form);
