/** The order board: polls the API, every second while orders arrive, and shows the response. */

import { read, Refused } from "./api.js";
import { clearBoard, isHeld, settle, showAges, showBoard, showFlow } from "./board.js";
import { arrangeLabels } from "./charts.js";
import { element, mark, show, write } from "./dom.js";
import { fitWall, keepFitting } from "./fit.js";
import { ageText, exactTimeText, now, numberText, timeZone } from "./formats.js";
import { about, poll } from "./polling.js";
import { renewWhenIdle, stayAwake } from "./screen.js";
import { settings } from "./settings.js";
import { SignIn, SignInNeeded } from "./sign-in.js";
import { degradedWords, readStatus, staleWords } from "./status.js";

const ACTIVE_POLL = 1_000; // milliseconds to the next poll
const IDLE_POLL = 3_000; // the same when nothing has changed for `IDLE_AFTER`
const IDLE_AFTER = 25_000;
const STALE_AFTER = 15_000; // caches may repeat a response for so long
const ANNOUNCE_EVERY = 20_000; // the least time between two announcements to a screen reader
const RECOVERY_NOTICE = 6_000; // for how long it is shown
const TICK = 1_000;

const NO_SIGN_IN = "Sign-in is not set up for this page. Ask the cafe’s administrator to check config.js.";

const signIn = settings.signIn ? new SignIn(settings.signIn) : null;

/** The status on the page. @type {Status | null} */
let status = null;
/** @type {string | null} */
let etag = null;
/** When the figures were last confirmed. @type {Date | null} */
let updatedAt = null;
/** When a figure or an order last changed. */
let changedAt = 0;
let paused = false;

async function request() {
  const response = await read("/order-status", {
    etag: status && etag, signIn,
    parse: (/** @type {Untrusted<Api.OrderStatus>} */ body) => readStatus(body, status, now()),
  });
  const latest = response.data ?? status;
  if (latest === null) throw new Error("The order service sent an invalid response");
  // A cache that cannot reach the service may keep returning an old response.
  const same = response.data !== null && latest.generatedAt !== null && latest.generatedAt === status?.generatedAt;
  return { status: latest, etag: response.etag, repeated: response.age > STALE_AFTER || same };
}

// --- The page itself ---

let unannounced = 0;
let announcedAt = 0;
let announcedLevel = "good";

/** Announce new orders in groups, and trouble at once. @param {number} arrived @param {Level} level @param {string} words */
function announce(arrived, level, words) {
  unannounced += arrived;
  const trouble = level !== announcedLevel && (level === "stuck" || announcedLevel === "stuck");
  const since = now() - announcedAt;
  if (!trouble && (unannounced === 0 || since < ANNOUNCE_EVERY)) {
    // Equal words are announced again only if the element was empty in between.
    if (since > ANNOUNCE_EVERY / 2) write(element("announcement"), "");
    return;
  }
  const orders = unannounced === 1 ? "A new order." : unannounced ? `${numberText(unannounced)} new orders.` : "";
  write(element("announcement"), `${orders} ${trouble ? words : ""}`.trim());
  if (trouble) announcedLevel = level;
  unannounced = 0;
  announcedAt = now();
}

/** @param {string} state @param {string} words @param {string} notice */
function showState(state, words, notice) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("notice"), notice);
  showUpdated();
}

function showUpdated() {
  const age = updatedAt && isStale(updatedAt) && !paused ? `, ${ageText(updatedAt)}` : "";
  write(element("updated"), updatedAt ? `updated ${exactTimeText(updatedAt)}${age}` : "no figures yet");
}

/** @param {Date} time */
const isStale = (time) => now() - time.getTime() > STALE_AFTER;

/** Show why the board is not available; without a title, the board. @param {string | null} title */
function showAccess(title, words = "", canSignIn = false) {
  const denied = title !== null;
  if (denied) {
    clearBoard();
    [status, etag, updatedAt] = [null, null, null];
    document.title = "Cafe orders";
    write(element("access-title"), title);
    write(element("access-words"), words);
    showState("no-access", canSignIn ? "Signed out" : "No access", "");
    write(element("updated"), "");
    write(element("announcement"), `${title}. ${words}`);
  }
  show(element("access"), denied);
  show(element("board"), !denied);
  show(element("sign-in"), canSignIn);
  show(element("pause"), !denied);
  show(element("sign-out"), signIn?.session != null);
}

/** @type {number | undefined} */
let recovery;

/** Return the notice for a while after an outage. */
function recoveryNotice() {
  if (["stale", "offline"].includes(document.body.dataset.state ?? "") && updatedAt !== null) {
    clearTimeout(recovery);
    recovery = setTimeout(() => {
      recovery = undefined;
      if (document.body.dataset.state === "live") write(element("notice"), "");
    }, RECOVERY_NOTICE);
  }
  return recovery === undefined ? "" : "Connected again: this page is up to date.";
}

/** Return what changes with an order: the other fields change every minute. @param {Status | null} status */
const content = (status) => JSON.stringify([status?.figures, status?.orders]);

/** @param {Awaited<ReturnType<typeof request>>} response */
function showResponse(response) {
  const first = !element("access").hidden || updatedAt === null;
  const changed = response.status !== status;
  const notice = recoveryNotice();
  if (!response.repeated || updatedAt === null) updatedAt = new Date(now());
  if (changed && content(response.status) !== content(status)) changedAt = now();
  ({ status, etag } = response);
  if (first) showAccess(null);
  const { arrived, level, words } = changed ? showBoard(status) : { arrived: 0, ...showFlow(status) };
  announce(arrived, level, words);
  if (isStale(updatedAt)) {
    showState("stale", "Out of date", staleWords("The order service returns an old response", updatedAt));
  } else if (status.degraded.length) {
    showState("partial", "Partly live", degradedWords(status.degraded));
  } else {
    showState("live", "Live", notice);
  }
  fitWall(first);
}

/** @param {Error} error @param {number} failures @param {number} pause milliseconds */
function showFailure(error, failures, pause) {
  if (error instanceof SignInNeeded) {
    polling.stop();
    showAccess("Sign in to see the orders", signIn ? signInWords : NO_SIGN_IN, signIn !== null);
    signInWords = "";
    return;
  }
  if (error instanceof Refused) {
    if (signIn) showAccess("No access", "Your account may not see the orders. Ask the cafe’s administrator.");
    else showAccess("No access from this network", "Only the cafe’s own networks have access. This page keeps trying automatically.");
    return;
  }
  if (!element("access").hidden) return;
  const nextTry = `Next try ${exactTimeText(new Date(now() + pause))}`;
  if (!navigator.onLine) showState("offline", "Offline", staleWords(error.message, updatedAt));
  // Most failures are over at the next try.
  else if (failures === 1 && updatedAt) write(element("state"), nextTry);
  else showState("stale", nextTry, staleWords(error.message, updatedAt));
}

// --- Controls ---

function togglePause() {
  paused = !paused;
  write(element("pause"), paused ? "Resume" : "Pause");
  if (paused) {
    polling.stop();
    showState("paused", "Paused", "");
  } else {
    showState("live", "Resuming", "");
    polling.start();
  }
}

function tick() {
  if (document.hidden || paused || status === null) return;
  settle();
  showAges();
  showUpdated();
}

if (document.documentElement.classList.contains("kiosk")) stayAwake();
keepFitting(arrangeLabels);
write(element("zone"), `Times are in the time zone ${timeZone.replaceAll("_", " ")}.`);
element("pause").addEventListener("click", togglePause);
element("sign-in").addEventListener("click", () => signIn?.start());
element("sign-out").addEventListener("click", () => {
  polling.stop();
  showAccess("Signed out");
  signIn?.end();
});
window.addEventListener("offline", () => {
  if (!paused && element("access").hidden) showState("offline", "Offline", staleWords("This device is offline", updatedAt));
});

/** The reason why the last sign-in failed. */
let signInWords = (await signIn?.finish().catch((/** @type {Error} */ error) => error.message)) || "";
const polling = poll(request, showResponse, showFailure, {
  every: (failures) => (failures > 0 || now() - changedAt < IDLE_AFTER ? ACTIVE_POLL : about(IDLE_POLL)),
});
setInterval(tick, TICK);
renewWhenIdle(() => paused || isHeld() || document.querySelector("[open]") !== null);
