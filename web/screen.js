/** What a screen needs that stays on for months: it does not go dark, and it loads a new version of the page. */

import { deployed } from "./settings.js";

const TIME_LIMIT = 10_000; // milliseconds for one answer
const EVERY = 10 * 60_000; // how often the page looks for a deploy after its own

/** Keep the screen on: a wake lock ends when the page is hidden, so it is asked for again when it is shown. */
export function stayAwake() {
  const ask = async () => {
    try {
      if (!document.hidden) await navigator.wakeLock.request("screen");
    } catch {
      // Without it the screen does what its owner told it.
    }
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}

/** Load the page anew after a deploy, as soon as `isBusy` says that nobody uses it. */
export function renewWhenIdle(isBusy = () => false) {
  setInterval(async () => {
    if (document.hidden || isBusy()) return;
    try {
      const response = await fetch("/config.js", { cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT) });
      const [latest] = /{.*}/s.exec(await response.text());
      if (response.ok && JSON.stringify(JSON.parse(latest)) !== deployed) location.reload();
    } catch {
      // What cannot be read is no deploy.
    }
  }, EVERY);
}
