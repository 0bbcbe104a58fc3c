/**
 * Copy buttons: what stands in an element (`data-copy` is its selector; of several, all of it in order), or a text of
 * their own (`data-text`). Without JavaScript they are not there.
 */

const SAID_MS = 2_000;

/** @param {HTMLElement} button */
async function copy(button) {
  const sources = button.dataset.copy ? [...document.querySelectorAll(button.dataset.copy)] : [];
  const [source] = sources;
  const word = button.querySelector("[data-word]");
  const before = word.textContent;
  try {
    await navigator.clipboard.writeText(source ? sources.map((one) => one.textContent).join("") : button.dataset.text);
    word.textContent = "Copied";
  } catch {
    if (source) getSelection().selectAllChildren(source); // the person presses the keys for it
    word.textContent = source ? "Selected" : "Not possible here";
  }
  setTimeout(() => (word.textContent = before), SAID_MS);
}

/** Show the buttons, which are hidden until now. */
function uncover() {
  for (const button of document.querySelectorAll("button:is([data-copy], [data-text])[hidden]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button:is([data-copy], [data-text])") : null;
  if (button instanceof HTMLElement) copy(button);
});
document.body.addEventListener("htmx:afterSwap", uncover, true); // early, as what is hidden takes no focus back
uncover();
