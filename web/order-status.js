/** The order board: asks the API every second and shows what it says. */

import { clearBoard, settle, showAges, showBoard, showWay } from "./board.js";
import { settings } from "./config.js";
import { element, mark, show, write } from "./dom.js";
import { ageText, exactTimeText, numberText, timeZone } from "./formats.js";
import { poll } from "./polling.js";
import { SignIn, SignInNeeded } from "./sign-in.js";
import { degradedWords, learn, staleWords } from "./status.js";

const TIME_LIMIT = 10_000; // milliseconds for one answer
const OLD_NEWS = 15_000; // a cache on the way may repeat an answer; after this long the page says so
const QUIET = 20_000; // at least this long between two announcements to a screen reader
const WELCOME = 6_000; // how long the page says that it is back
const TICK = 1_000;

/** @typedef {import("./status.js").Status} Status */

/** The service answers, and says no. */
class Refused extends Error {}

const signIn = settings.signIn ? new SignIn(settings.signIn) : null;

/** @type {Status | null} */
let status = null;
/** What the status was read from, for the next question. @type {string | null} */
let etag = null;
/** When the figures were last true, by this device's clock. @type {Date | null} */
let lastNews = null;
/** How far the server's clock is ahead of this device's, in milliseconds. */
let ahead = 0;
let paused = false;

const serverNow = () => Date.now() + ahead;

function request(token) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (etag !== null && status !== null) headers["If-None-Match"] = etag;
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  // The page compares by itself, so that it hears of "not modified"; the browser's cache would hide that.
  return fetch(`${settings.apiBase}/order-status`, {
    headers, cache: "no-store", signal: AbortSignal.timeout(TIME_LIMIT),
  });
}

/** @returns {Promise<Response>} */
async function signedInRequest() {
  if (signIn === null) return request(null);
  const response = await request(await signIn.token());
  return response.status === 401 ? request(await signIn.renew()) : response;
}

/**
 * @typedef {{ status: Status, etag: string | null, repeated: boolean }} News
 * @returns {Promise<News>}
 */
async function ask() {
  let response;
  try {
    response = await signedInRequest();
  } catch (error) {
    if (error instanceof SignInNeeded) throw error;
    throw new Error(navigator.onLine ? "The order service cannot be reached" : "This device is offline");
  }
  // A cache that is cut off from the service may go on repeating what it has.
  const tooOld = Number(response.headers.get("Age")) * 1000 > OLD_NEWS;
  if (response.status === 304 && status !== null) return { status, etag, repeated: tooOld };
  if (response.status === 401) {
    signIn?.forget();
    throw new SignInNeeded();
  }
  if (response.status === 403) throw new Refused();
  if (!response.ok) throw new Error(`The order service reports an error (${response.status})`);
  try {
    const news = learn(await response.json(), status, Date.now());
    const same = status !== null && news.generatedAt !== null && news.generatedAt === status.generatedAt;
    return { status: news, etag: response.headers.get("ETag"), repeated: tooOld || same };
  } catch {
    throw new Error("The order service gave an answer that this page cannot read");
  }
}

// --- What the page says of itself ---

let unannounced = 0;
let announcedAt = 0;
let announcedLevel = "good";

/**
 * Tell a screen reader about new orders, several at once when they come fast, and about trouble.
 */
function announce(arrived, level, words) {
  unannounced += arrived;
  const trouble = level !== announcedLevel && (level === "stuck" || announcedLevel === "stuck");
  if (!trouble && (unannounced === 0 || Date.now() - announcedAt < QUIET)) return;
  const orders = unannounced === 1 ? "A new order." : unannounced ? `${numberText(unannounced)} new orders.` : "";
  write(element("announcement"), `${orders} ${trouble ? words : ""}`.trim());
  if (trouble) announcedLevel = level;
  unannounced = 0;
  announcedAt = Date.now();
}

/**
 * @param {"live" | "partial" | "stale" | "offline" | "paused" | "door"} state for the style
 * @param {string} notice empty: nothing to say
 */
function showState(state, words, notice) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("notice"), notice);
  showUpdated();
}

function showUpdated() {
  const old = lastNews !== null && Date.now() - lastNews.getTime() > OLD_NEWS && !paused;
  const age = lastNews && old ? `, ${ageText(lastNews, Date.now())}` : "";
  write(element("updated"), lastNews ? `updated ${exactTimeText(lastNews)}${age}` : "no figures yet");
}

/**
 * Show the board, or the door before it.
 * @param {string | null} title null: the board
 * @param {boolean} mayTry whether signing in may help
 */
function showDoor(title, words = "", mayTry = false) {
  const closed = title !== null;
  if (closed) {
    clearBoard();
    [status, etag, lastNews] = [null, null, null];
    document.title = "Cafe orders";
    write(element("door-title"), title);
    write(element("door-words"), words);
    showState("door", mayTry ? "Signed out" : "No access", "");
    write(element("updated"), "");
    write(element("announcement"), `${title}. ${words}`);
  }
  show(element("door"), closed);
  show(element("board"), !closed);
  show(element("sign-in"), mayTry);
  show(element("pause"), !closed);
  show(element("sign-out"), signIn?.session != null);
}

/** @type {number | undefined} */
let welcome;

/** @returns {string} a word after a time without news, until it was seen for a while */
function backAgain() {
  if (["stale", "offline"].includes(document.body.dataset.state ?? "") && lastNews !== null) {
    clearTimeout(welcome);
    welcome = setTimeout(() => {
      welcome = undefined;
      if (document.body.dataset.state === "live") write(element("notice"), "");
    }, WELCOME);
  }
  return welcome === undefined ? "" : "Back again: what you see is up to date.";
}

function showNews(news) {
  const first = !element("door").hidden || lastNews === null;
  const changed = news.status !== status;
  const words = backAgain();
  if (!news.repeated || lastNews === null) lastNews = new Date();
  ({ status, etag } = news);
  if (changed && !news.repeated && status.generatedAt !== null) {
    const told = Date.parse(status.generatedAt);
    if (!Number.isNaN(told)) ahead = told - Date.now();
  }
  if (first) showDoor(null);
  if (changed) {
    const { arrived, level, words: way } = showBoard(status, serverNow());
    announce(arrived, level, way);
  } else {
    const { level, words: way } = showWay(status, Date.now());
    announce(0, level, way);
  }
  if (Date.now() - lastNews.getTime() > OLD_NEWS) {
    showState("stale", "Old news", staleWords("The order service repeats an old answer", lastNews));
  } else if (status.degraded.length) {
    showState("partial", "Live, in part", degradedWords(status.degraded));
  } else {
    showState("live", "Live", words);
  }
}

function showFailure(error, failures, pause) {
  if (error instanceof SignInNeeded) {
    polling.stop();
    showDoor("Sign in to see the orders", signInWords, signIn !== null);
    signInWords = "";
    return;
  }
  if (error instanceof Refused) {
    if (signIn) showDoor("No access", "Your account may not see the orders. Ask whoever runs the cafe’s system.");
    else showDoor("No access from here", "The orders are shown in the cafe’s own networks only. This page keeps trying by itself.");
    return;
  }
  if (!element("door").hidden) return;
  const nextTry = exactTimeText(new Date(Date.now() + pause));
  // One failure is no news: most are over at the next try. With nothing to show, it is.
  const notice = failures > 1 || !lastNews || !navigator.onLine ? staleWords(error.message, lastNews) : "";
  if (!navigator.onLine) showState("offline", "Offline", notice);
  else showState("stale", `Next try ${nextTry}`, notice);
}

// --- What a person may do ---

function togglePause() {
  paused = !paused;
  write(element("pause"), paused ? "Go on" : "Pause");
  if (paused) {
    polling.stop();
    showState("paused", "Paused", "");
  } else {
    showState("live", "Going on", "");
    polling.start();
  }
}

function tick() {
  if (document.hidden || paused || status === null) return;
  settle();
  showAges(serverNow());
  showUpdated();
}

async function stayAwake() {
  try {
    // A screen on the wall must not go dark; it lasts until the page is hidden.
    if (!document.hidden) await navigator.wakeLock.request("screen");
  } catch {
    // Without it the screen does what its owner told it.
  }
}

if (new URLSearchParams(location.search).has("kiosk")) {
  document.documentElement.classList.add("kiosk");
  stayAwake();
  document.addEventListener("visibilitychange", stayAwake);
}
write(element("zone"), `Times are those of ${timeZone.replaceAll("_", " ")}.`);
element("pause").addEventListener("click", togglePause);
element("sign-in").addEventListener("click", () => signIn?.start());
element("sign-out").addEventListener("click", () => {
  polling.stop();
  showDoor("Signed out", "", false);
  signIn?.end();
});
window.addEventListener("offline", () => {
  if (!paused && element("door").hidden) showState("offline", "Offline", staleWords("This device is offline", lastNews));
});

/** Why the last try to sign in did not succeed. */
let signInWords = "";
try {
  await signIn?.finish();
} catch (error) {
  signInWords = /** @type {Error} */ (error).message;
}
const polling = poll(ask, showNews, showFailure);
setInterval(tick, TICK);
