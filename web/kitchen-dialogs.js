/** The kitchen's dialogs: an order with its other moves and its cancellation, and the recently moved orders. */

import { element, find, input, make, mark, show, targetOf, write } from "./dom.js";
import { dayText, now, numberText, timeText } from "./formats.js";
import { STATE_WORDS, title } from "./kitchen-orders.js";

/** @typedef {Api.StaffOrder} Order */

const REASONS = ["Sold out", "Customer changed their mind", "Ordered twice", "Not collected"];
/** The moves that a card itself does not offer. @type {Partial<Record<Api.State, Api.State[]>>} */
const SKIPS = { received: ["ready", "collected"], preparing: ["collected"] };

const orderSheet = find("#order", HTMLDialogElement);
const recentSheet = find("#recent", HTMLDialogElement);

for (const sheet of [orderSheet, recentSheet]) {
  sheet.addEventListener("click", (event) => {
    const { clientX: x, clientY: y } = event;
    const { left, right, top, bottom } = sheet.getBoundingClientRect();
    const beside = event.target === sheet && (x < left || x > right || y < top || y > bottom);
    if (beside || targetOf(event).closest(".close")) sheet.close();
  });
}

/** @param {string} words @param {string} label @param {() => void} action */
function choice(words, label, action) {
  const button = make("button", "", words);
  button.type = "button";
  mark(button, "aria-label", label);
  button.addEventListener("click", action);
  return button;
}

/** @param {Api.State} state */
const backTo = (state) => `Back to “${STATE_WORDS[state]}”`;
/** @param {Order} order */
const contents = ({ quantity, item }) => `${numberText(quantity)} × ${item}`;

// --- One order ---

/**
 * Open the sheet of an order.
 * @param {Order} order
 * @param {boolean} mayCancel whether the sheet offers the cancellation
 * @param {(target: Api.State, reason?: string) => void} move
 */
export function openOrder(order, mayCancel, move) {
  const act = (/** @type {Api.State} */ target, /** @type {string | undefined} */ reason) => {
    orderSheet.close();
    move(target, reason);
  };
  const button = (/** @type {string} */ words, /** @type {Api.State} */ target) =>
    choice(words, `${words}: ${title(order)}`, () => act(target, undefined));
  write(element("order-title"), title(order));
  write(element("order-words"), contents(order));
  write(element("order-latest"), `${STATE_WORDS[order.state]} since ${timeText(new Date(order.state_at))}`);
  const moves = (SKIPS[order.state] ?? []).map((target) => button(`Straight to “${STATE_WORDS[target]}”`, target));
  if (order.recall_to) moves.push(button(backTo(order.recall_to), order.recall_to));
  element("order-moves").replaceChildren(...moves);
  for (const part of cancelParts) show(part, mayCancel);
  prepareCancel(order, (reason) => act("cancelled", reason));
  orderSheet.showModal();
  element("order-title").focus();
}

/** @param {string} reason @param {string} value */
function reasonChoice(reason, value) {
  const radio = make("input");
  Object.assign(radio, { type: "radio", name: "reason", value });
  return make("label", "option", radio, make("span", "", reason));
}

const form = find("#cancel", HTMLFormElement);
/** @type {NodeListOf<HTMLElement>} */
const cancelParts = form.querySelectorAll(".for-cancel");

/** Return the chosen reason; empty: another one, which is typed. */
const chosen = () => element("reasons").querySelector("input:checked")?.getAttribute("value") ?? undefined;

/** @param {Order} order @param {(reason?: string) => void} cancel */
function prepareCancel(order, cancel) {
  element("reasons").replaceChildren(...REASONS.map((reason) => reasonChoice(reason, reason)), reasonChoice("Another reason", ""));
  input("other-reason").value = "";
  show(element("other-label"), false);
  write(element("reason-wrong"), "");
  write(element("cancel-words"), {
    received: "It is not started yet: a reason is optional.",
    preparing: "It is being made: please give a reason.",
    ready: "It is ready: only a manager may cancel it, with a reason.",
    collected: "It is collected, so it cannot be cancelled.",
    cancelled: "It is cancelled already.",
  }[order.state]);
  form.onsubmit = (event) => {
    event.preventDefault();
    const reason = chosen() === "" ? input("other-reason").value.trim() : chosen();
    if (!reason && (order.state !== "received" || chosen() === "")) {
      write(element("reason-wrong"), "Please give a reason.");
      (chosen() === "" ? input("other-reason") : find("#reasons input", HTMLInputElement)).focus();
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

/** @param {Order} order @param {(order: Order) => void} recall */
function row(order, recall) {
  const at = new Date(order.state_at);
  const when = dayText(at) === dayText(new Date(now())) ? timeText(at) : `${dayText(at)}, ${timeText(at)}`;
  const summary = make("p", "", make("b", "number", order.number), " ", make("span", "name", order.customer_name), " ",
    make("span", "what", contents(order)), " ",
    make("small", "", `${STATE_WORDS[order.state]} ${when}${order.reason ? `: ${order.reason}` : ""}`));
  const line = make("li", "", summary);
  line.dataset.state = order.state;
  const words = order.recall_to && backTo(order.recall_to);
  if (words) line.append(choice(words, `${words}: ${title(order)}`, () => recall(order)));
  return line;
}

/** Open the drawer, or update an open one. @param {Order[]} orders @param {(order: Order) => void} recall */
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
