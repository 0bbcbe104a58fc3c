/**
 * Keys: `?` shows them, `g` and a letter leads to a page, `/` finds, `j` and `k` walk the rows, `.` goes to the actions.
 * They can be switched off in the account. None of them presses a button.
 */

const WAIT_MS = 1_500; // between `g` and its letter
let isLeading = 0;

/** @param {EventTarget | null} target @returns {boolean} Whether a person is typing. */
const isTyping = (target) => target instanceof Element && target.matches("input, select, textarea, [contenteditable]");

/** @param {number} step Move the focus to the link of the next or the previous row. */
function walk(step) {
  const rows = [...document.querySelectorAll("[data-rows] :is(tbody tr, li) a:first-of-type")].filter(
    (link, index, all) => all.findIndex((other) => other.closest("tr, li") === link.closest("tr, li")) === index,
  );
  const here = rows.findIndex((link) => link.closest("tr, li")?.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, here + step))];
  if (next instanceof HTMLElement) next.focus();
}

/** Show the list of keys. */
function showKeys() {
  const list = document.getElementById("keys");
  if (list instanceof HTMLDialogElement && !list.open) list.showModal();
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (document.body.dataset.keys === "off") return;
  const isSecond = Date.now() - isLeading < WAIT_MS;
  isLeading = 0;
  if (isSecond) {
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link instanceof HTMLAnchorElement) location.assign(link.href);
    return;
  }
  switch (event.key) {
    case "?":
      showKeys();
      break;
    case "g":
      isLeading = Date.now();
      return;
    case "/":
      document.querySelector("[role=search] :is(input, select)")?.focus();
      break;
    case "j":
      walk(1);
      break;
    case "k":
      walk(-1);
      break;
    case ".":
      document.querySelector("[data-actions] :is(a, button, input, textarea):not([type=hidden], [tabindex='-1'])")?.focus();
      break;
    default:
      return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  if (event.target.closest("[data-show-keys]")) showKeys();
  if (!event.target.closest(".menu")) for (const menu of document.querySelectorAll(".menu[open]")) menu.open = false;
});
document.addEventListener("keyup", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector(".menu[open]");
  if (menu instanceof HTMLDetailsElement) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
for (const button of document.querySelectorAll("[data-show-keys][hidden]")) button.hidden = false;
