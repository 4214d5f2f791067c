/** A customer's own order. The token after the # identifies it; it is sent in a header, which no log contains. */

import { read } from "./api.js";
import { element, mark, write } from "./dom.js";
import { exactTimeText, now, numberText, setClock, timeText } from "./formats.js";
import { about, poll } from "./polling.js";
import { SignInNeeded } from "./sign-in.js";

const ACTIVE_POLL = 5_000; // milliseconds to the next request
const IDLE_POLL = 15_000; // the same for an order that has not changed for `IDLE_AFTER`, and in a hidden tab
const IDLE_AFTER = 10 * 60_000;
const UNRECORDED_AFTER = 3 * 60_000; // a customer without a number is then sent to the counter
const GONE = 410;

const STEPS = ["received", "preparing", "ready", "collected"];
const HEADLINES = {
  received: "We have your order",
  preparing: "Your order is being made",
  ready: "Your order is ready",
  collected: "Enjoy!",
  cancelled: "Your order was cancelled",
};

const token = location.hash.slice(1);

/** @type {string | null} */
let etag = null;
/** @type {Api.Track | null} */
let order = null;
let changedAt = now();
/** When this page was first opened; a reload does not change it. */
const openedAt = history.state?.openedAt ?? Date.now();
history.replaceState({ openedAt }, "");

async function request() {
  const parse = (/** @type {Api.Track} */ body) => {
    if (!(body.state in HEADLINES)) throw new TypeError("not an order");
    return body;
  };
  const response = await read("/track", { etag: order && etag, headers: { "Track-Token": token }, parse });
  if (response.data) setClock(Date.parse(response.data.now));
  return response;
}

/** @param {number} seconds */
const minutes = (seconds) => {
  const count = Math.max(1, Math.round(seconds / 60));
  return `${numberText(count)} ${count === 1 ? "minute" : "minutes"}`;
};

/** @param {Api.Track} progress */
function details({ number, state, state_at: since, orders_before: before, usual_seconds: usual }) {
  if (number === null && Date.now() - openedAt > UNRECORDED_AFTER) return "It takes longer than usual. Please ask at the counter.";
  if (number === null) return "Your number will appear in a moment.";
  const at = since === null ? "" : timeText(new Date(since));
  if (state === "ready") return `Please collect it at the counter.${at && ` Ready since ${at}.`}`;
  if (state === "collected") return at && `Collected at ${at}.`;
  if (state === "cancelled") return "Please ask at the counter.";
  const count = before === null ? "" : `${numberText(before)} ${before === 1 ? "order" : "orders"} before yours.`;
  const place = before === 0 ? "Yours is next." : count;
  return `${place} ${usual === null ? "" : `Orders usually take about ${minutes(usual)}.`}`.trim();
}

/** @param {Api.Track} progress */
function showOrder(progress) {
  const { number, state } = progress;
  mark(document.body, "data-order", state);
  write(element("number"), number ?? "…");
  write(element("headline"), HEADLINES[state]);
  for (const [index, step] of STEPS.entries()) {
    const line = element("steps").children[index];
    const current = STEPS.indexOf(state);
    mark(line, "data-done", String(index < current || (step === "collected" && state === step)));
    if (index === current && state !== "collected") line.setAttribute("aria-current", "step");
    else line.removeAttribute("aria-current");
  }
  const words = state === "ready" ? "Ready: " : state === "cancelled" ? "Cancelled: " : "";
  document.title = `${words}${number ?? "Your order"} · Cafe orders`;
  if (order !== null && (order.state !== state || order.number !== number)) {
    changedAt = now();
    write(element("announcement"), `${number ?? ""} ${HEADLINES[state]}. ${details(progress)}`.trim());
  }
}

/** @param {Awaited<ReturnType<typeof request>>} response */
function showResponse({ data, etag: tag }) {
  mark(document.body, "data-state", "live");
  write(element("notice"), "");
  if (data !== null && !(order && data.now < order.now)) {
    showOrder(data);
    [order, etag] = [data, tag];
  }
  if (order === null) return;
  write(element("details"), details(order));
  const closed = ["collected", "cancelled"].includes(order.state);
  write(element("updated"), closed ? "" : `updated ${exactTimeText(new Date(now()))}`);
  if (closed) polling.stop();
}

/** Show that the order cannot be followed. @param {string} headline @param {string} words */
function showGone(headline, words) {
  mark(document.body, "data-state", "live");
  mark(document.body, "data-order", "gone");
  write(element("headline"), headline);
  write(element("details"), words);
  write(element("updated"), "");
  write(element("notice"), "");
}

/** @param {Error} error @param {number} failures */
function showFailure(error, failures) {
  if (error instanceof SignInNeeded || error.cause === GONE) {
    polling.stop();
    if (error.cause === GONE) showGone("This order is closed", "It was collected or cancelled a while ago.");
    else showUnknown();
    return;
  }
  if (failures === 1 && order !== null && navigator.onLine) return;
  mark(document.body, "data-state", "stale");
  write(element("notice"), `${error.message}. This page keeps trying automatically.`);
}

const showUnknown = () => showGone("No order at this address", "Please open the link from the order form again.");

const every = () => about(document.hidden || now() - changedAt > IDLE_AFTER ? IDLE_POLL : ACTIVE_POLL);
let polling = { stop() {} };
if (token === "") showUnknown();
// Poll in a hidden tab, too: its title changes when the order is ready.
else polling = poll(request, showResponse, showFailure, { every, whileHidden: true });
window.addEventListener("hashchange", () => location.reload());
