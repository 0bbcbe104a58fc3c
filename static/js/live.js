/**
 * Live parts of a page: their ticks, and the one state that says whether they are answered.
 *
 * A live part is an element with `data-live` (the component `c-live`), whose request HTMX makes at each `lkt:tick` of the
 * body. One beat a second decides whether a tick is due. The same state feeds the sign in the frame, the bar below it,
 * the grey of old numbers and the age of the verdict, so they never disagree.
 */

const LATE_MS = 10_000; // without an answer for so long, what is shown is old
const HIDDEN_MS = 30_000; // between two ticks of a page nobody looks at
const SLOWEST_MS = 30_000; // between two tries when nothing answers
const FRESH_MS = 3_000; // for so long the bar says that all is well again
const HELD_MS = 30_000; // for so long news wait for somebody who has selected text
const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";

/** @type {{ answeredAt: number, askedAt: number, waitingSince: number, failures: number, isOff: boolean }} */
const state = { answeredAt: Date.now(), askedAt: Date.now(), waitingSince: 0, failures: 0, isOff: false };

/** @returns {HTMLElement[]} The parts of this page that are still live. */
const parts = () => [...document.querySelectorAll("[data-live][hx-get]")];

/** @returns {number} Milliseconds between two ticks. */
function pace() {
  if (document.hidden) return HIDDEN_MS;
  const wanted = parts().map((part) => Number(part.dataset.live) * 1000 || 5000);
  return Math.min(SLOWEST_MS, Math.min(...wanted) * 2 ** Math.min(state.failures, 5));
}

/** Ask all parts for news. */
function tick() {
  state.askedAt = Date.now();
  state.waitingSince ||= state.askedAt;
  document.body.dispatchEvent(new CustomEvent("lkt:tick"));
}

/** Once a second: tick if one is due, and show how it stands. */
function beat() {
  if (parts().length === 0) {
    if (state.isOff) show(false);
    return;
  }
  if (Date.now() - state.askedAt >= pace()) tick();
  const isLate = state.waitingSince > 0 && Date.now() - state.waitingSince > LATE_MS;
  if (isLate !== state.isOff) show(isLate);
  else if (isLate) tellAge();
}

/**
 * Something answered, or nothing did.
 * @param {boolean} isAnswer
 */
function note(isAnswer) {
  if (!isAnswer) {
    state.failures += 1;
    return;
  }
  Object.assign(state, { answeredAt: Date.now(), waitingSince: 0, failures: 0 });
  if (state.isOff) show(false);
}

/**
 * Show in every place at once whether the page is old.
 * @param {boolean} isOff
 */
function show(isOff) {
  const wasOff = state.isOff;
  state.isOff = isOff;
  document.body.classList.toggle("off", isOff);
  const sign = isOff ? "off" : parts().length > 0 ? "on" : "still";
  for (const part of document.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== sign;
  for (const part of document.querySelectorAll("[data-when-off]")) part.hidden = !isOff;
  const bar = document.querySelector("[data-stale]");
  bar.classList.toggle("fresh", !isOff);
  bar.querySelector("[data-stale-text]").textContent = isOff ? "No answer. Trying again." : "Up to date.";
  bar.hidden = !isOff && !wasOff;
  if (wasOff && !isOff) setTimeout(() => (bar.hidden = !state.isOff), FRESH_MS);
  tellAge();
}

/** Say how old the page is: in the bar, which is not announced each second, and before the verdict. */
function tellAge() {
  const seconds = Math.round((Date.now() - state.answeredAt) / 1000);
  const at = new Date(state.answeredAt).toISOString().slice(11, 19);
  const bar = document.querySelector("[data-stale-age]");
  bar.textContent = state.isOff ? `Last answer ${at} UTC, ${seconds} s ago.` : "";
  for (const age of document.querySelectorAll("[data-verdict-age]")) {
    age.textContent = state.isOff ? `As of ${at} UTC, ${seconds} s ago: ` : "";
  }
}

/** A fragment may carry what the tab says: title and icon follow the state. */
function dressTab() {
  const tab = document.querySelector("[data-tab-title]");
  if (!(tab instanceof HTMLElement)) return;
  document.title = tab.dataset.tabTitle;
  const icon = document.querySelector("link[rel=icon]");
  if (icon.getAttribute("href") !== tab.dataset.tabIcon) icon.setAttribute("href", tab.dataset.tabIcon);
  const said = document.querySelector("[data-tab-said]"); // it stays while its part is swapped, so a change is announced
  if (said && said.textContent !== tab.dataset.tabTitle) said.textContent = tab.dataset.tabTitle;
}

/** @type {Map<string, { open: boolean | undefined, top: number, left: number }>} */
const kept = new Map();

/** @typedef {{ part: string, id: string, index: number, tag: string, name: string }} Focus Index -1: on the id itself. */
/** @type {Focus | null} */
let focused = null;

/** @type {WeakMap<Element, number>} Since when the news of a part wait. */
const held = new WeakMap();

/**
 * What makes a link or a button this one and no other. The text of anything else may change, as that of a summary does.
 * @param {HTMLElement} one
 * @returns {string}
 */
function nameOf(one) {
  const { copy, text } = one.dataset;
  return one.getAttribute("href") ?? copy ?? text ?? (one.matches("button") ? one.textContent.trim() : "");
}

/**
 * Remember what a swap would lose: open details and scroll places, of elements with an id, and the focus.
 * @param {Element} target
 */
function keep(target) {
  kept.clear();
  for (const one of target.querySelectorAll("[id]")) {
    const isOpen = one instanceof HTMLDetailsElement ? one.open : undefined;
    if (isOpen !== undefined || one.scrollTop || one.scrollLeft) {
      kept.set(one.id, { open: isOpen, top: one.scrollTop, left: one.scrollLeft });
    }
  }
  const one = document.activeElement;
  const around = target.contains(one) ? one.closest("[id]") : null;
  focused = around && {
    part: target.id,
    id: around.id,
    index: [...around.querySelectorAll(STOPS)].indexOf(one),
    tag: one.tagName,
    name: nameOf(one),
  };
}

/**
 * Have the next Tab go on from a place, which shows no focus itself.
 * @param {HTMLElement | null} place
 */
function startAt(place) {
  if (!place) return;
  const isStop = place.hasAttribute("tabindex");
  if (!isStop) place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.blur();
  if (!isStop) place.removeAttribute("tabindex");
}

/** Put back what was remembered. */
function restore() {
  for (const [id, was] of kept) {
    const one = document.getElementById(id);
    if (!one) continue;
    if (one instanceof HTMLDetailsElement && was.open !== undefined) one.open = was.open;
    one.scrollTo(was.left, was.top);
  }
  kept.clear();
  if (focused) refocus(focused);
  focused = null;
}

/**
 * Give the focus back to the same thing: at its old place, else where it moved to. If it is gone, nothing else gets it.
 * @param {Focus} was
 */
function refocus(was) {
  const around = document.getElementById(was.id);
  const stops = around ? [...around.querySelectorAll(STOPS)] : [];
  const isIt = (one) => one?.tagName === was.tag && nameOf(one) === was.name;
  const one = was.index < 0 ? around : isIt(stops[was.index]) ? stops[was.index] : stops.find(isIt);
  if (one) one.focus({ preventScroll: true });
  else startAt(around ?? document.getElementById(was.part));
}

/**
 * Whether the news of a part wait because text in it is selected. They come with a later tick, as the part still says
 * which version it shows.
 * @param {Element} part
 * @returns {boolean}
 */
function isHeld(part) {
  const selection = document.getSelection();
  if (selection.isCollapsed || !selection.getRangeAt(0).intersectsNode(part)) return false;
  if (!held.has(part)) held.set(part, Date.now());
  return Date.now() - held.get(part) < HELD_MS;
}

/**
 * Whether this is about the request of a live part. A part that was replaced is no longer in the page, and HTMX then tells
 * the news to what was around it: who asked stands in the request alone.
 * @param {CustomEvent} event
 * @returns {boolean}
 */
const isOurs = (event) => event.detail.requestConfig?.elt.matches("[data-live]") ?? false;

document.body.addEventListener("htmx:afterRequest", (event) => {
  const { status } = event.detail.xhr;
  if (isOurs(event)) note(status > 0 && status < 500);
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (isOurs(event) && xhr.status >= 500) event.detail.shouldSwap = false; // keep what is shown, and try again
  if (isOurs(event) && event.detail.shouldSwap && isHeld(target)) event.detail.shouldSwap = false;
  if (event.detail.shouldSwap) keep(target);
});
document.body.addEventListener("htmx:afterSwap", restore); // before anything is painted
document.body.addEventListener("htmx:afterSettle", () => {
  dressTab();
  if (state.isOff || parts().length === 0) show(state.isOff);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && parts().length > 0) tick();
});
window.addEventListener("online", () => parts().length > 0 && tick());
window.addEventListener("pageshow", (event) => event.persisted && parts().length > 0 && tick());

dressTab();
show(false);
setInterval(beat, 1000);
