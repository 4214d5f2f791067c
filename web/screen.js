/** For screens that stay on for months: keep them awake, and reload the page after a deploy. */

import { deployed } from "./settings.js";

const TIMEOUT = 10_000; // milliseconds
const CHECK_EVERY = 10 * 60_000; // milliseconds between two checks for a deploy

/** Keep the screen on. A wake lock ends when the page is hidden, so request it again when the page is visible. */
export function stayAwake() {
  const request = async () => {
    try {
      if (!document.hidden) await navigator.wakeLock.request("screen");
    } catch {
      // The device's own settings decide then.
    }
  };
  document.addEventListener("visibilitychange", request);
  request();
}

/** Reload the page after a deploy, as soon as `isBusy` returns false. */
export function renewWhenIdle(isBusy = () => false) {
  setInterval(async () => {
    if (document.hidden || isBusy()) return;
    try {
      const response = await fetch("/config.js", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
      const latest = /{.*}/s.exec(await response.text())?.[0];
      if (response.ok && latest && JSON.stringify(JSON.parse(latest)) !== deployed) location.reload();
    } catch {
      // Without a readable config.js there is nothing to compare: check again later.
    }
  }, CHECK_EVERY);
}
