/** The kitchen's screen: polls every two seconds, sends each tap as a change to a named state, plays sounds. */

import { read, Refused, send } from "./api.js";
import { element, mark, show, write } from "./dom.js";
import { exactTimeText, now, numberText, setClock } from "./formats.js";
import { Board } from "./kitchen-cards.js";
import { openOrder, showRecent } from "./kitchen-dialogs.js";
import { Kitchen, NEXT, OPEN, STATE_WORDS, title } from "./kitchen-orders.js";
import { about, poll } from "./polling.js";
import { renewWhenIdle, stayAwake } from "./screen.js";
import { settings } from "./settings.js";
import { SignIn, SignInNeeded } from "./sign-in.js";
import { Sound } from "./sound.js";

const BUSY = 2_000; // milliseconds to the next request
const QUIET = 5_000; // the same while nothing is open
const TICK = 1_000;
const UNDO = 12_000; // for how long the bar offers to undo a move; the drawer offers it for half an hour
const TROUBLE = 10_000; // for how long the bar shows why a move failed
const RETRIES = [500, 1_500]; // pauses before a move without a response is sent again
const REMEMBERED = "cafe.kitchen";

const NO_SIGN_IN = "This page does not know where to sign in. Ask whoever runs the cafe’s system to check config.js.";

// A tablet on the wall is signed in once, so the tokens are the device's and not the tab's.
const signIn = settings.staffSignIn ? new SignIn(settings.staffSignIn, localStorage) : null;
const kitchen = new Kitchen(remembered());
/** The targets of moves that are not confirmed yet, by the order's id. */
const pending = new Map();
const board = new Board(kitchen, pending, settings, { next: (order) => move(order, NEXT[order.state]), more, seen });
const sound = new Sound(showSound);

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");
  } catch {
    return [];
  }
}

let etag = null;
/** When the orders were last true. */
let lastNews = null;

async function ask() {
  const sentAt = performance.now();
  let isOld = false;
  const response = await read("/kitchen", { etag, signIn, parse: (body) => {
    if (![body.orders, body.delayed, body.recent].every(Array.isArray)) throw new TypeError("not a kitchen");
    const changes = kitchen.take(body, sentAt);
    isOld = changes === null;
    if (!isOld) setClock(Date.parse(body.now));
    return changes;
  } });
  // With the ETag of an old response, the next one would look unchanged.
  return isOld ? { data: null, etag } : response;
}

// --- What the page shows ---

function showState(state, words) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("updated"), lastNews ? `updated ${exactTimeText(lastNews)}` : "no orders yet");
}

/** What the bar shows for a while: a move that can be undone, or one that failed. */
let message = null;

function showMessage(kind, words, duration, undo = null) {
  message = { kind, words, until: performance.now() + duration, undo };
  showBar();
}

/** Since when there is no network, in words; empty: there is one. */
let outage = "";

function showBar() {
  if (message !== null && performance.now() >= message.until) message = null;
  const isTrouble = message?.kind === "trouble";
  const shown = outage ? { kind: isTrouble ? "trouble" : "outage", words: `${isTrouble ? `${message.words} ` : ""}${outage}` } : message;
  const focused = document.activeElement === element("undo");
  mark(element("bar"), "data-kind", shown?.kind ?? "");
  write(element("bar-words"), shown?.words ?? "");
  show(element("undo"), Boolean(shown?.undo));
  if (shown?.undo) write(element("undo"), `Undo: back to “${STATE_WORDS[shown.undo.target]}”`);
  else if (focused) element("recent-open").focus();
}

/** Announce to screen readers, in one sentence, all that came at once. */
function announce(arrived, cancelled) {
  const parts = [];
  if (arrived.length === 1) parts.push(`New order ${arrived[0].number}: ${numberText(arrived[0].quantity)} ${arrived[0].item}.`);
  if (arrived.length > 1) parts.push(`${numberText(arrived.length)} new orders: ${arrived.map(({ number }) => number).join(", ")}.`);
  for (const order of cancelled) parts.push(`Order ${order.number} was cancelled.`);
  if (parts.length) write(element("announcement"), parts.join(" "));
}

function showSound() {
  show(element("sound"), !sound.isOn);
}

function showDoor(words, heading = "Sign in to see the kitchen", mayTry = false) {
  const closed = words !== null;
  if (closed) {
    board.clear();
    etag = lastNews = null;
    for (const sheet of document.querySelectorAll("dialog[open]")) sheet.close();
    write(element("door-title"), heading);
    write(element("door-words"), words);
    showState("door", mayTry ? "Signed out" : "No access");
    write(element("updated"), "");
    write(element("to-make"), "");
    document.title = "Kitchen · Cafe orders";
  }
  show(element("door"), closed);
  show(element("board"), !closed);
  show(element("bar"), !closed);
  show(element("sign-in"), mayTry);
  show(element("sign-out"), signIn?.session != null);
}

function showResponse({ data, etag: tag }) {
  if (lastNews === null) showDoor(null);
  etag = tag;
  lastNews = new Date(now());
  outage = "";
  if (data !== null) showOrders(data);
  showState("live", "Live");
  tick();
}

function showOrders({ arrived, cancelled }) {
  board.show();
  showRecent(kitchen.recent, recall);
  announce(arrived, cancelled);
  if (cancelled.length) sound.play("cancelled");
  else if (arrived.length) sound.play("new");
  remember();
  document.title = `${numberText(kitchen.total("received"))} to make · Kitchen`;
}

/** Keep the ids of the cards, so that a cancellation during a reload is not missed. */
function remember() {
  const ids = JSON.stringify(kitchen.shown);
  if (localStorage.getItem(REMEMBERED) !== ids) localStorage.setItem(REMEMBERED, ids);
}

function showFailure(error, failures) {
  if (error instanceof SignInNeeded) {
    polling.stop();
    showDoor(signIn ? signInWords : NO_SIGN_IN, undefined, signIn !== null);
    signInWords = "";
  } else if (error instanceof Refused) {
    showDoor("Your account may not see the kitchen. Ask whoever runs the cafe’s system.", "No access");
  } else if (element("door").hidden && (failures > 1 || !navigator.onLine || lastNews === null)) {
    showOutage(error.message);
  }
}

/** Show since when there is no response; the cards stay, and moves are refused until there is one. */
function showOutage(reason) {
  const since = lastNews ? ` What you see is from ${exactTimeText(lastNews)}, and no move is taken until the screen is back.` : "";
  outage = `${reason}.${since}`;
  showState(navigator.onLine ? "stale" : "offline", navigator.onLine ? "Not current" : "Offline");
  showBar();
}

function tick() {
  if (!kitchen.known || !element("door").hidden) return;
  board.tick();
  showBar();
  const late = kitchen.newlyOverdue(now(), settings);
  if (late.length && settled) sound.play("overdue");
  settled = true;
}

/** Whether the first orders have been shown, which are overdue silently. */
let settled = false;

// --- Moves ---

const later = (pause) => new Promise((resolve) => setTimeout(resolve, pause));

/** An id as a part of a path. Browsers remove `.` and `..` unless they are escaped twice. */
const escaped = (id) => (/^\.{1,2}$/.test(id) ? id.replaceAll(".", "%252E") : encodeURIComponent(id));

/** Send a move; without a response, or with a 5xx, send the same request again. */
async function request(order, body) {
  const path = `/orders/${escaped(order.order_id)}`;
  const options = {
    signIn, method: "PATCH", body: JSON.stringify(body),
    headers: {
      "Content-Type": "application/json", "If-Match": `"${order.version}"`, "Idempotency-Key": crypto.randomUUID(),
    },
  };
  for (const pause of RETRIES) {
    try {
      const response = await send(path, options);
      if (response.status < 500 && response.status !== 429) return response;
    } catch (error) {
      if (error instanceof SignInNeeded || !navigator.onLine) throw error;
    }
    await later(pause);
  }
  return send(path, options);
}

/** Return why a move failed. */
function refusal(status, body) {
  const current = body?.order;
  if (status === 412 && current) return `another screen has moved it: ${STATE_WORDS[current.state]}`;
  if (status === 403) return "your account may not do this; ask a manager";
  if (status === 404) return "it is not recorded yet, or no longer there";
  const words = Object.values(body?.errors ?? {})[0] ?? body?.message;
  return status < 500 && typeof words === "string" ? words.replace(/\.$/, "") : `the order service reports an error (${status})`;
}

/** Move an order to a state; its card stays where it is, as pending, until the response comes. */
async function move(order, target, reason = undefined) {
  const id = order.order_id;
  if (pending.has(id)) return;
  const name = title(order);
  if (outage || !navigator.onLine) {
    if (!outage) showOutage("This device is offline");
    return showMessage("trouble", `${name} was not moved.`, TROUBLE);
  }
  pending.set(id, target);
  board.show();
  let trouble = "";
  try {
    const response = await request(order, { state: target, reason });
    const body = await response.json().catch(() => null);
    const current = response.ok ? body : body?.order;
    if (current?.order_id === id) kitchen.confirm(current, performance.now());
    if (!response.ok) trouble = refusal(response.status, body);
  } catch (error) {
    if (error instanceof SignInNeeded) showFailure(error, 1);
    trouble = error.message;
  }
  pending.delete(id);
  if (trouble) showMessage("trouble", `${name} was not moved: ${trouble}.`, TROUBLE);
  // A cancelled order that was brought back is not cancelled again without a reason.
  else showMessage("undo", `${name}: ${STATE_WORDS[target]}`, UNDO, order.state !== "cancelled" && { order: kitchen.order(id), target: order.state });
  write(element("announcement"), element("bar-words").textContent);
  if (element("door").hidden) showOrders({ arrived: [], cancelled: [] });
}

const recall = (order) => move(order, order.recall_to);

function more(order) {
  const mayCancel = order.state !== "ready" || (signIn?.groups ?? ["manager"]).includes("manager");
  openOrder(order, mayCancel, (target, reason) => move(order, target, reason));
}

function seen(order) {
  kitchen.see(order.order_id);
  remember();
  board.show();
}

// --- What a person may do ---

element("undo").addEventListener("click", () => {
  const { order, target } = message.undo;
  message = null;
  showBar();
  move(order, target);
});
element("recent-open").addEventListener("click", () => showRecent(kitchen.recent, recall, true));
element("sound").addEventListener("click", () => later(100).then(() => sound.play("new")));
element("sign-in").addEventListener("click", () => signIn?.start());
element("sign-out").addEventListener("click", () => {
  polling.stop();
  showDoor("", "Signed out");
  localStorage.removeItem(REMEMBERED);
  signIn?.end();
});
window.addEventListener("offline", () => {
  if (element("door").hidden) showOutage("This device is offline");
});

/** Why the last try to sign in did not succeed. */
let signInWords = "";
try {
  await signIn?.finish();
} catch (error) {
  signInWords = error.message;
}
showSound();
stayAwake();
const isOpen = () => OPEN.some((state) => kitchen.column(state).length > 0);
// A page that is loaded anew may be silent until somebody touches it, so that waits until nothing is open.
renewWhenIdle(isOpen);
const polling = poll(ask, showResponse, showFailure, { every: () => about(isOpen() ? BUSY : QUIET) });
setInterval(tick, TICK);
