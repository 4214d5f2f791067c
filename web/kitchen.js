/** The kitchen's screen: polls every two seconds, sends each tap as a change of state, and plays sounds. */

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

/** @typedef {Api.StaffOrder} Order */

const ACTIVE_POLL = 2_000; // milliseconds to the next request
const IDLE_POLL = 5_000; // the same while no order is open
const TICK = 1_000;
const UNDO_TIME = 12_000; // for how long the bar offers to undo a move; the drawer offers it for half an hour
const TROUBLE_TIME = 10_000; // for how long the bar shows why a move failed
const RETRIES = [500, 1_500]; // pauses before a move without a response is sent again
const REMEMBERED = "cafe.kitchen";

const NO_SIGN_IN = "Sign-in is not set up for this page. Ask the cafe’s administrator to check config.js.";

// A wall tablet is signed in once: the tokens belong to the device, not to the tab.
const signIn = settings.staffSignIn ? new SignIn(settings.staffSignIn, localStorage) : null;
const kitchen = new Kitchen(remembered());
/** Ids of the orders with an unconfirmed move. @type {Set<string>} */
const pending = new Set();
const board = new Board(kitchen, pending, settings, { next: (order) => move(order, NEXT[order.state]), more, acknowledge });
const sound = new Sound(showSound);

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED) ?? "[]");
  } catch {
    return [];
  }
}

/** @type {string | null} */
let etag = null;
/** When the orders were last confirmed. @type {Date | null} */
let updatedAt = null;

async function request() {
  const sentAt = performance.now();
  const parse = (/** @type {Api.Kitchen} */ body) => {
    if (![body.orders, body.delayed, body.recent].every(Array.isArray)) throw new TypeError("not a kitchen");
    const changes = kitchen.take(body, sentAt);
    if (changes !== null) setClock(Date.parse(body.now));
    return { changes };
  };
  const { data, etag: latest } = await read("/kitchen", { etag, signIn, parse });
  // Keep the ETag when the response is old: with its own, the next one would look unchanged.
  return data?.changes === null ? { changes: null, etag } : { changes: data?.changes ?? null, etag: latest };
}

// --- Display ---

/** @param {string} state @param {string} words */
function showState(state, words) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("updated"), updatedAt ? `updated ${exactTimeText(updatedAt)}` : "no orders yet");
}

/**
 * The bar's message: a move that can be undone, or one that failed.
 * @type {{ kind: "undo" | "trouble", words: string, until: number, undo: { order: Order, target: Api.State } | null } | null}
 */
let message = null;

/**
 * @param {"undo" | "trouble"} kind
 * @param {string} words
 * @param {number} duration milliseconds
 * @param {{ order: Order, target: Api.State } | null} undo
 */
function showMessage(kind, words, duration, undo = null) {
  message = { kind, words, until: performance.now() + duration, undo };
  showBar();
}

/** A sentence about the current outage; empty: none. */
let outage = "";

function showBar() {
  if (message !== null && performance.now() >= message.until) message = null;
  const isTrouble = message?.kind === "trouble";
  const undo = outage ? null : message?.undo;
  const isFocused = document.activeElement === element("undo");
  mark(element("bar"), "data-kind", outage && !isTrouble ? "outage" : (message?.kind ?? ""));
  write(element("bar-words"), `${outage && !isTrouble ? "" : (message?.words ?? "")} ${outage}`.trim());
  show(element("undo"), Boolean(undo));
  if (undo) write(element("undo"), `Undo: back to “${STATE_WORDS[undo.target]}”`);
  else if (isFocused) element("recent-open").focus();
}

/** Announce all changes of a response to screen readers at once. @param {Order[]} arrived @param {Order[]} cancelled */
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

/**
 * Show the board, or why it is not available.
 * @param {string | null} words null: the board
 * @param {string} heading
 * @param {boolean} canSignIn
 */
function showAccess(words, heading = "Sign in to see the kitchen", canSignIn = false) {
  const denied = words !== null;
  if (denied) {
    board.clear();
    [etag, updatedAt] = [null, null];
    for (const sheet of document.querySelectorAll("dialog")) sheet.close();
    write(element("access-title"), heading);
    write(element("access-words"), words);
    showState("no-access", canSignIn ? "Signed out" : "No access");
    write(element("updated"), "");
    write(element("to-make"), "");
    document.title = "Kitchen · Cafe orders";
  }
  show(element("access"), denied);
  show(element("board"), !denied);
  show(element("bar"), !denied);
  show(element("sign-in"), canSignIn);
  show(element("sign-out"), signIn?.session != null);
}

/** @param {Awaited<ReturnType<typeof request>>} response */
function showResponse({ changes, etag: tag }) {
  if (updatedAt === null) showAccess(null);
  etag = tag;
  updatedAt = new Date(now());
  outage = "";
  if (changes !== null) showOrders(changes);
  showState("live", "Live");
  tick();
}

/** @param {{ arrived: Order[], cancelled: Order[] }} changes */
function showOrders({ arrived, cancelled }) {
  board.show();
  showRecent(kitchen.recent, recall);
  announce(arrived, cancelled);
  if (cancelled.length) sound.play("cancelled");
  else if (arrived.length) sound.play("new");
  remember();
  document.title = `${numberText(kitchen.total("received"))} to make · Kitchen`;
}

/** Store the ids of the cards, so that a cancellation during a reload is not missed. */
function remember() {
  const ids = JSON.stringify(kitchen.ids);
  if (localStorage.getItem(REMEMBERED) !== ids) localStorage.setItem(REMEMBERED, ids);
}

/** @param {unknown} error @param {number} failures */
function showFailure(error, failures) {
  if (error instanceof SignInNeeded) {
    polling.stop();
    showAccess(signIn ? signInWords : NO_SIGN_IN, undefined, signIn !== null);
    signInWords = "";
  } else if (error instanceof Refused) {
    showAccess("Your account may not see the kitchen. Ask the cafe’s administrator.", "No access");
  } else if (element("access").hidden && (failures > 1 || !navigator.onLine || updatedAt === null)) {
    showOutage(messageOf(error));
  }
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Show why and since when responses are missing; the cards stay, and moves are refused. @param {string} reason */
function showOutage(reason) {
  outage = `${reason}.`;
  if (updatedAt) outage += ` The orders are as of ${exactTimeText(updatedAt)}, and cannot be moved until the screen is connected again.`;
  showState(navigator.onLine ? "stale" : "offline", navigator.onLine ? "Out of date" : "Offline");
  showBar();
}

function tick() {
  if (!kitchen.known || !element("access").hidden) return;
  board.tick();
  showBar();
  const late = kitchen.newlyOverdue(now(), settings);
  if (late.length && hasTicked) sound.play("overdue");
  hasTicked = true;
}

/** False at the first orders: those that are overdue then make no sound. */
let hasTicked = false;

// --- Moves ---

/** @param {number} pause milliseconds */
const later = (pause) => new Promise((resolve) => setTimeout(resolve, pause));

/** Escape an id as a part of a path. Browsers remove `.` and `..` unless they are escaped twice. @param {string} id */
const escaped = (id) => (/^\.{1,2}$/.test(id) ? id.replaceAll(".", "%252E") : encodeURIComponent(id));

/**
 * Send a move; without a response, or after a 5xx or 429, send the same request again.
 * @param {Order} order
 * @param {{ state: Api.State, reason: string | undefined }} body
 */
async function sendMove(order, body) {
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

/** Return why a move failed. @param {number} status @param {Partial<Api.ChangeRefused & { order: Api.StaffOrder }> | null} body */
function refusal(status, body) {
  const current = body?.order;
  if (status === 412 && current) return `another screen moved it: ${STATE_WORDS[current.state]}`;
  if (status === 403) return "your account may not do this; ask a manager";
  if (status === 404) return "it is not recorded yet, or no longer exists";
  const words = Object.values(body?.errors ?? {})[0] ?? body?.message;
  return status < 500 && typeof words === "string" ? words.replace(/\.$/, "") : `the order service reports an error (${status})`;
}

/**
 * Move an order to a state; its card stays where it is, as pending, until the response arrives.
 * @param {Order} order
 * @param {Api.State | null | undefined} target none: the order has no next state
 * @param {string} [reason]
 */
async function move(order, target, reason) {
  const id = order.order_id;
  if (!target || pending.has(id)) return;
  const name = title(order);
  if (outage || !navigator.onLine) {
    if (!outage) showOutage("This device is offline");
    return showMessage("trouble", `${name} was not moved.`, TROUBLE_TIME);
  }
  pending.add(id);
  board.show();
  let trouble = "";
  try {
    const response = await sendMove(order, { state: target, reason });
    const body = await response.json().catch(() => null);
    const current = response.ok ? body : body?.order;
    if (current?.order_id === id) kitchen.confirm(current, performance.now());
    if (!response.ok) trouble = refusal(response.status, body);
  } catch (error) {
    if (error instanceof SignInNeeded) showFailure(error, 1);
    trouble = messageOf(error) || "please sign in again";
  }
  pending.delete(id);
  if (trouble) showMessage("trouble", `${name} was not moved: ${trouble}.`, TROUBLE_TIME);
  else {
    const moved = kitchen.order(id);
    // Undoing a recall of a cancelled order would cancel it again, for which a reason is needed.
    const undo = moved && order.state !== "cancelled" ? { order: moved, target: order.state } : null;
    showMessage("undo", `${name}: ${STATE_WORDS[target]}`, UNDO_TIME, undo);
  }
  write(element("announcement"), element("bar-words").textContent);
  if (element("access").hidden) showOrders({ arrived: [], cancelled: [] });
}

/** @param {Order} order */
const recall = (order) => move(order, order.recall_to);

/** @param {Order} order */
function more(order) {
  const isManager = (signIn?.groups ?? ["manager"]).includes("manager");
  const mayCancel = order.state in NEXT && (order.state !== "ready" || isManager);
  openOrder(order, mayCancel, (target, reason) => move(order, target, reason));
}

/** @param {Order} order */
function acknowledge(order) {
  kitchen.acknowledge(order.order_id);
  remember();
  board.show();
}

// --- Controls ---

element("undo").addEventListener("click", () => {
  if (!message?.undo) return;
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
  showAccess("", "Signed out");
  localStorage.removeItem(REMEMBERED);
  signIn?.end();
});
window.addEventListener("offline", () => {
  if (element("access").hidden) showOutage("This device is offline");
});

/** The reason why the last sign-in failed. */
let signInWords = (await signIn?.finish().catch((/** @type {Error} */ error) => error.message)) || "";
showSound();
stayAwake();
const isOpen = () => OPEN.some((state) => kitchen.column(state).length > 0);
// A reloaded page may be silent until it is touched, so wait until no order is open.
renewWhenIdle(isOpen);
const polling = poll(request, showResponse, showFailure, { every: () => about(isOpen() ? ACTIVE_POLL : IDLE_POLL) });
setInterval(tick, TICK);
