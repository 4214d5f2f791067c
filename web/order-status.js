/** The order board: polls the API, every second while orders move, and shows what it says. */

import { read, Refused } from "./api.js";
import { clearBoard, isRead, settle, showAges, showBoard, showWay } from "./board.js";
import { arrangeLabels } from "./charts.js";
import { element, mark, show, write } from "./dom.js";
import { fitWall, keepFitting } from "./fit.js";
import { ageText, exactTimeText, now, numberText, timeZone } from "./formats.js";
import { about, poll } from "./polling.js";
import { renewWhenIdle, stayAwake } from "./screen.js";
import { settings } from "./settings.js";
import { SignIn, SignInNeeded } from "./sign-in.js";
import { degradedWords, learn, staleWords } from "./status.js";

const OFTEN = 1_000; // milliseconds to the next poll
const SELDOM = 3_000; // the same after `LIVELY` without a change: most polls of a day, and what a screen costs
const LIVELY = 25_000;
const OLD_NEWS = 15_000; // a cache on the way may repeat an answer; after this long the page says so
const QUIET = 20_000; // at least this long between two announcements to a screen reader
const WELCOME = 6_000; // how long the page says that it is back
const TICK = 1_000;

const NO_SIGN_IN = "This page does not know where to sign in. Ask whoever runs the cafe’s system to check config.js.";

const signIn = settings.signIn ? new SignIn(settings.signIn) : null;

/** What the board shows. */
let status = null;
/** What the status was read from, for the next question. */
let etag = null;
/** When the figures were last true. */
let lastNews = null;
/** When a figure or an order last changed. */
let changedAt = 0;
let paused = false;

/** Ask for news: the status, its tag, and whether this was only said again by a cache. */
async function ask() {
  const response = await read("/order-status", {
    etag: status && etag, signIn, parse: (body) => learn(body, status, now()),
  });
  // A cache that cannot reach the service may go on repeating what it has.
  const tooOld = response.age > OLD_NEWS;
  const news = response.data ?? status;
  const same = response.data !== null && status !== null && news.generatedAt !== null && news.generatedAt === status.generatedAt;
  return { status: news, etag: response.etag, repeated: tooOld || same };
}

// --- What the page says of itself ---

let unannounced = 0;
let announcedAt = 0;
let announcedLevel = "good";

/** Tell a screen reader about new orders, several at once when they come fast, and about trouble. */
function announce(arrived, level, words) {
  unannounced += arrived;
  const trouble = level !== announcedLevel && (level === "stuck" || announcedLevel === "stuck");
  const since = now() - announcedAt;
  if (!trouble && (unannounced === 0 || since < QUIET)) {
    // The same words again are heard only where there were none in between.
    if (since > QUIET / 2) write(element("announcement"), "");
    return;
  }
  const orders = unannounced === 1 ? "A new order." : unannounced ? `${numberText(unannounced)} new orders.` : "";
  write(element("announcement"), `${orders} ${trouble ? words : ""}`.trim());
  if (trouble) announcedLevel = level;
  unannounced = 0;
  announcedAt = now();
}

/** Say how the page is: by its style, by a word, and by a sentence where there is something to say. */
function showState(state, words, notice) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("notice"), notice);
  showUpdated();
}

function showUpdated() {
  const old = lastNews !== null && now() - lastNews > OLD_NEWS && !paused;
  const age = old ? `, ${ageText(lastNews)}` : "";
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

let welcome;

/** A word after a time without news, until it was seen for a while. */
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

/** Return the part of a status that shows a change; the time of the last comparison moves every minute. */
const content = (status) => JSON.stringify([status?.figures, status?.orders]);

function showNews(news) {
  const first = !element("door").hidden || lastNews === null;
  const changed = news.status !== status;
  const words = backAgain();
  if (!news.repeated || lastNews === null) lastNews = new Date(now());
  if (changed && content(news.status) !== content(status)) changedAt = now();
  ({ status, etag } = news);
  if (first) showDoor(null);
  if (changed) {
    const { arrived, level, words: way } = showBoard(status);
    announce(arrived, level, way);
  } else {
    const { level, words: way } = showWay(status);
    announce(0, level, way);
  }
  if (now() - lastNews > OLD_NEWS) {
    showState("stale", "Old news", staleWords("The order service repeats an old answer", lastNews));
  } else if (status.degraded.length) {
    showState("partial", "Live, in part", degradedWords(status.degraded));
  } else {
    showState("live", "Live", words);
  }
  fitWall(first);
}

function showFailure(error, failures, pause) {
  if (error instanceof SignInNeeded) {
    polling.stop();
    showDoor("Sign in to see the orders", signIn ? signInWords : NO_SIGN_IN, signIn !== null);
    signInWords = "";
    return;
  }
  if (error instanceof Refused) {
    if (signIn) showDoor("No access", "Your account may not see the orders. Ask whoever runs the cafe’s system.");
    else showDoor("No access from here", "The orders are shown in the cafe’s own networks only. This page keeps trying by itself.");
    return;
  }
  if (!element("door").hidden) return;
  const nextTry = `Next try ${exactTimeText(new Date(now() + pause))}`;
  if (!navigator.onLine) showState("offline", "Offline", staleWords(error.message, lastNews));
  // One failure is no news: most are over at the next try. With nothing to show, it is.
  else if (failures === 1 && lastNews) write(element("state"), nextTry);
  else showState("stale", nextTry, staleWords(error.message, lastNews));
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
  showAges();
  showUpdated();
}

if (document.documentElement.classList.contains("kiosk")) {
  stayAwake();
}
keepFitting(arrangeLabels);
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
  signInWords = error.message;
}
const polling = poll(ask, showNews, showFailure, {
  every: (failures) => (failures > 0 || now() - changedAt < LIVELY ? OFTEN : about(SELDOM)),
});
setInterval(tick, TICK);
renewWhenIdle(() => paused || isRead() || document.querySelector("[open]") !== null);
