/** A customer's own order: the token after the # identifies it, and is sent in a header, so that no log has it. */

import { read } from "./api.js";
import { element, mark, write } from "./dom.js";
import { exactTimeText, now, numberText, setClock, timeText } from "./formats.js";
import { about, poll } from "./polling.js";
import { SignInNeeded } from "./sign-in.js";

const EVERY = 5_000; // milliseconds to the next request
const CALM = 15_000; // the same for an order that has not changed for long, and in a hidden tab
const LONG = 10 * 60_000; // after so long without a change the page polls less often
const UNRECORDED = 3 * 60_000; // after so long without a number somebody has to look why the order is not recorded
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

let etag = null;
let order = null;
let changedAt = now();
/** When this page was opened first, also where it was loaded anew since then. */
const openedAt = history.state?.openedAt ?? Date.now();
history.replaceState({ openedAt }, "");

async function ask() {
  const response = await read("/track", { etag: order && etag, headers: { "Track-Token": token }, parse: (body) => {
    if (!(body.state in HEADLINES)) throw new TypeError("not an order");
    return body;
  } });
  if (response.data) setClock(Date.parse(response.data.now));
  return response;
}

const minutes = (seconds) => {
  const count = Math.max(1, Math.round(seconds / 60));
  return `${numberText(count)} ${count === 1 ? "minute" : "minutes"}`;
};

function details({ number, state, state_at: since, orders_before: before, usual_seconds: usual }) {
  if (number === null && Date.now() - openedAt > UNRECORDED) return "It takes longer than usual. Please ask at the counter.";
  if (number === null) return "Your number comes in a moment.";
  if (state === "ready") return `Please collect it at the counter. Ready since ${timeText(new Date(since))}.`;
  if (state === "collected") return `Collected at ${timeText(new Date(since))}.`;
  if (state === "cancelled") return "Please ask at the counter.";
  const place = before === null ? "" : before === 0 ? "Yours is next." : `${numberText(before)} ${before === 1 ? "order" : "orders"} before yours.`;
  return `${place} ${usual === null ? "" : `Orders usually take about ${minutes(usual)}.`}`.trim();
}

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
  const words = { ready: "Ready: ", cancelled: "Cancelled: " }[state] ?? "";
  document.title = `${words}${number ?? "Your order"} · Cafe orders`;
  if (order !== null && (order.state !== state || order.number !== number)) {
    changedAt = now();
    write(element("announcement"), `${number ?? ""} ${HEADLINES[state]}. ${details(progress)}`.trim());
  }
}

function showResponse({ data, etag: tag }) {
  mark(document.body, "data-state", "live");
  write(element("notice"), "");
  if (data !== null && !(order && data.now < order.now)) {
    showOrder(data);
    [order, etag] = [data, tag];
  }
  write(element("details"), details(order));
  const closed = ["collected", "cancelled"].includes(order.state);
  write(element("updated"), closed ? "" : `updated ${exactTimeText(new Date(now()))}`);
  if (closed) polling.stop();
}

/** Show that there is nothing to follow here. */
function showGone(headline, words) {
  mark(document.body, "data-state", "live");
  mark(document.body, "data-order", "gone");
  write(element("headline"), headline);
  write(element("details"), words);
  write(element("updated"), "");
  write(element("notice"), "");
}

function showFailure(error, failures) {
  if (error instanceof SignInNeeded || error.status === GONE) {
    polling.stop();
    if (error.status === GONE) showGone("This order is done", "It was closed a while ago.");
    else showGone("This address leads to no order", "Please open the link from the order form once more.");
    return;
  }
  if (failures === 1 && order !== null && navigator.onLine) return;
  mark(document.body, "data-state", "stale");
  write(element("notice"), `${error.message}. This page keeps trying by itself.`);
}

const pause = () => about(document.hidden || now() - changedAt > LONG ? CALM : EVERY);
let polling = { stop() {} };
if (token === "") showGone("This address leads to no order", "Please open the link from the order form once more.");
// In a hidden tab, too: its title changes when the order is ready.
else polling = poll(ask, showResponse, showFailure, { every: pause, whileHidden: true });
window.addEventListener("hashchange", () => location.reload());
