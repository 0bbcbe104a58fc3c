/**
 * Times: the server learns the person's zone, and "2 s ago" goes on counting.
 */

const YEAR_SECONDS = 365 * 24 * 3600;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const cookie = `zone=${encodeURIComponent(zone)}`;

// A cookie and not a change of the page: the next one has the second time from the server, and nothing moves.
if (!document.cookie.split("; ").includes(cookie)) {
  document.cookie = `${cookie}; path=/; max-age=${YEAR_SECONDS}; samesite=lax`;
}

/** How far this clock is from the server's, in milliseconds. */
const skew = Date.parse(document.documentElement.dataset.now) - Date.now();

/**
 * The same words as the server's filter `ago`.
 * @param {number} milliseconds
 * @returns {string}
 */
function ago(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}\u00a0s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}\u00a0min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}\u00a0h ago`;
  return `${Math.floor(seconds / 86_400)}\u00a0d ago`;
}

/** Count on, unless the page is old: then its numbers stand still, and the bar says since when. */
function count() {
  if (document.hidden || document.body.classList.contains("off")) return;
  for (const one of document.querySelectorAll("time[data-ago]")) {
    const text = ago(Date.now() + skew - Date.parse(one.dateTime));
    if (one.textContent !== text) one.textContent = text;
  }
}

setInterval(count, 1000);
