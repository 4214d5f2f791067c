/** What opens over the kitchen's cards: the other moves of an order with its cancellation, and what was done lately. */

import { element, make, mark, show, write } from "./dom.js";
import { dayText, now, numberText, timeText } from "./formats.js";
import { STATE_WORDS, title } from "./kitchen-orders.js";

const REASONS = ["Sold out", "Customer changed their mind", "Ordered twice", "Not collected"];
/** The moves that a card itself does not offer. */
const SKIPS = { received: ["ready", "collected"], preparing: ["collected"], ready: [] };

const orderSheet = element("order");
const recentSheet = element("recent");

for (const sheet of [orderSheet, recentSheet]) {
  sheet.addEventListener("click", ({ target, clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = sheet.getBoundingClientRect();
    const beside = target === sheet && (x < left || x > right || y < top || y > bottom);
    if (beside || target.closest(".close")) sheet.close();
  });
}

function choice(words, label, action) {
  const button = make("button", "", words);
  button.type = "button";
  mark(button, "aria-label", label);
  button.addEventListener("click", action);
  return button;
}

const backTo = ({ recall_to: state }) => `Back to “${STATE_WORDS[state]}”`;
const what = ({ quantity, item }) => `${numberText(quantity)} × ${item}`;

// --- One order ---

/**
 * Open the sheet of an order; `move` is called with a target, and a reason where it is cancelled.
 * Who may not cancel it reads who may.
 */
export function openOrder(order, mayCancel, move) {
  const act = (target, reason) => {
    orderSheet.close();
    move(target, reason);
  };
  const button = (words, target) => choice(words, `${words}: ${title(order)}`, () => act(target));
  write(element("order-title"), title(order));
  write(element("order-words"), what(order));
  write(element("order-latest"), `${STATE_WORDS[order.state]} since ${timeText(new Date(order.state_at))}`);
  const moves = SKIPS[order.state].map((target) => button(`${STATE_WORDS[target]} at once`, target));
  if (order.recall_to) moves.push(button(backTo(order), order.recall_to));
  element("order-moves").replaceChildren(...moves);
  for (const part of element("cancel").querySelectorAll(".for-cancel")) show(part, mayCancel);
  prepareCancel(order, (reason) => act("cancelled", reason));
  orderSheet.showModal();
  element("order-title").focus();
}

function reasonChoice(reason, value) {
  const input = make("input");
  Object.assign(input, { type: "radio", name: "reason", value });
  return make("label", "option", input, make("span", "", reason));
}

const chosen = () => element("reasons").querySelector(":checked")?.value;

function prepareCancel(order, cancel) {
  const form = element("cancel");
  element("reasons").replaceChildren(...REASONS.map((reason) => reasonChoice(reason, reason)), reasonChoice("Another reason", ""));
  element("other-reason").value = "";
  show(element("other-label"), false);
  write(element("reason-wrong"), "");
  write(element("cancel-words"), {
    received: "Nobody has begun it: a reason helps, but is not needed.",
    preparing: "It is being made, so please give a reason.",
    ready: "It is ready: only a manager cancels it, with a reason.",
  }[order.state]);
  form.onsubmit = (event) => {
    event.preventDefault();
    const reason = chosen() === "" ? element("other-reason").value.trim() : chosen();
    if (!reason && (order.state !== "received" || chosen() === "")) {
      write(element("reason-wrong"), "Please give a reason.");
      (chosen() === "" ? element("other-reason") : element("reasons").querySelector("input")).focus();
      return;
    }
    cancel(reason);
  };
}

element("reasons").addEventListener("change", () => {
  write(element("reason-wrong"), "");
  show(element("other-label"), chosen() === "");
  if (chosen() === "") element("other-reason").focus();
});

// --- Recently done ---

function row(order, recall) {
  const at = new Date(order.state_at);
  const when = dayText(at) === dayText(new Date(now())) ? timeText(at) : `${dayText(at)}, ${timeText(at)}`;
  const words = make("p", "", make("b", "number", order.number), " ", make("span", "name", order.customer_name), " ",
    make("span", "what", what(order)), " ",
    make("small", "", `${STATE_WORDS[order.state]} ${when}${order.reason ? `: ${order.reason}` : ""}`));
  const line = make("li", "", words);
  line.dataset.state = order.state;
  if (order.recall_to) line.append(choice(backTo(order), `${backTo(order)}: ${title(order)}`, () => recall(order)));
  return line;
}

/** Open the drawer, or bring an open one up to date. */
export function showRecent(orders, recall, open = false) {
  if (!open && !recentSheet.open) return;
  const texts = JSON.stringify(orders);
  if (open || element("recent-rows").dataset.texts !== texts) {
    element("recent-rows").replaceChildren(...orders.map((order) => row(order, recall)));
    element("recent-rows").dataset.texts = texts;
  }
  show(element("recent-none"), orders.length === 0);
  if (open) {
    recentSheet.showModal();
    element("recent-title").focus();
  }
}
