/** Placing an order: the menu, what is wrong next to its field, and the order's number at the end. */

import { element, make, mark, show, write } from "./dom.js";
import { fitWords } from "./fit.js";
import { numberText } from "./formats.js";
import { settings } from "./settings.js";

const TIME_LIMIT = 15_000; // milliseconds for one answer
const MOST = 1000; // pieces in one order
const FIELDS = ["item", "quantity", "customer_name", "key"];
const OTHER = "other"; // the value of the choice that is not on the menu

const prices = new Map();

/** Whether an order needs the API key; config.js may not say so, the API does. */
let keyed = settings.ordersApiKey;

/** Makes a repeated try the same order; the next order gets another. */
let idempotencyKey = newKey();

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const call = (path, options) => fetch(`${settings.apiBase}${path}`, { ...options, signal: AbortSignal.timeout(TIME_LIMIT) });

// --- The menu ---

function choice(value, words, price) {
  const input = make("input");
  input.type = "radio";
  input.name = "item";
  input.value = value;
  input.dataset.other = String(price === OTHER);
  const label = make("span", "words", make("span", "item", words), make("span", "price", price === OTHER ? "" : price));
  return make("label", "option", input, label);
}

const fitMenu = () => fitWords(element("menu"), [...element("menu").children], 1, 3, 2);

function showMenu(menu) {
  const choices = menu
    .filter((entry) => typeof entry?.item === "string")
    .map(({ item, price }) => {
      if (Number.isFinite(price)) prices.set(item, price);
      return choice(item, item, Number.isFinite(price) ? numberText(price) : "");
    });
  if (choices.length) choices.push(choice("", "Something else", OTHER));
  element("menu").replaceChildren(...choices);
  fitMenu();
  write(element("menu-words"), choices.length ? "" : "There is no menu yet: type what you would like.");
}

async function readMenu() {
  try {
    const response = await call("/menu");
    if (!response.ok) throw new Error();
    const { menu } = await response.json();
    // Nothing changes under the fingers of somebody who chooses already.
    if (element("form").hidden || element("menu").childElementCount === 0) showMenu(menu);
  } catch {
    // An older menu stays.
    if (element("menu").childElementCount === 0) {
      write(element("menu-words"), "The menu cannot be read just now: type what you would like.");
    }
  }
  showOther();
  mark(element("form"), "aria-busy", "false");
}

const chosen = () => element("menu").querySelector(":checked");

function showOther() {
  const none = element("menu").childElementCount === 0;
  show(element("other-label"), none || chosen()?.dataset.other === "true");
}

// --- The order ---

const item = () => (element("other-label").hidden ? (chosen()?.value ?? "") : element("other").value.trim());

/** Not a number: it is none. */
const quantity = () => (/^\d{1,9}$/.test(element("quantity").value.trim()) ? Number(element("quantity").value) : NaN);

function showSum() {
  const price = prices.get(item());
  const sum = price === undefined || !(quantity() >= 1 && quantity() <= MOST) ? "" : numberText(price * quantity());
  write(element("sum"), sum && `Together ${sum}`);
}

/** A sentence for each wrong field. */
function check() {
  const wrong = {};
  if (item() === "") wrong.item = element("other-label").hidden ? "Please choose something." : "Please say what you would like.";
  if (!(quantity() >= 1 && quantity() <= MOST)) wrong.quantity = `Please give a number from 1 to ${numberText(MOST)}.`;
  if (keyed && element("key").value === "") wrong.key = "Please give the cafe’s API key.";
  return wrong;
}

function inputOf(field) {
  if (field !== "item") return element(field);
  return element("other-label").hidden ? element("menu").querySelector("input") : element("other");
}

/** Say what is wrong with a field, or that nothing is. */
function tell(field, words = "") {
  write(element(`${field}-wrong`), words);
  const inputs = field === "item" ? element("item-field").querySelectorAll("input") : [element(field)];
  for (const input of inputs) mark(input, "aria-invalid", String(words !== ""));
}

/** Say what is wrong next to each field, and go to the first. */
function showWrong(wrong) {
  for (const field of FIELDS) tell(field, wrong[field]);
  const others = Object.entries(wrong).filter(([field]) => !FIELDS.includes(field));
  write(element("trouble"), others.map(([, words]) => words).join(" "));
  const first = FIELDS.find((field) => field in wrong);
  if (first) inputOf(first)?.focus();
}

/** What an answer that is no acceptance says, by field. */
function refusal(status, answer) {
  if (answer?.errors && Object.keys(answer.errors).length) return answer.errors;
  if (status === 403 && keyed) return { key: "This key is not the cafe’s." };
  if (status === 403) {
    askForKey();
    return { key: "Please give the cafe’s API key." };
  }
  if (status === 422) {
    // The answer to an order got lost, and then the form was changed: only a person can say whether both are wanted.
    idempotencyKey = newKey();
    return { all: "The order that you sent before may have been placed. To place this one as well, please send it again." };
  }
  if (status === 429) return { all: "Too many orders at once: please try again in a moment." };
  const said = status < 500 && typeof answer?.message === "string" ? answer.message : "";
  return { all: said || `The order could not be taken just now (${status}). Please send it again: it is counted once.` };
}

function askForKey() {
  keyed = true;
  show(element("key-field"), true);
}

/** Lead to the customer's own page; without its address, to the order status. */
function showWhereToFollow(address) {
  // Only the token is taken from the address: the page is this site's.
  const token = typeof address === "string" ? address.split("#")[1] : undefined;
  mark(element("follow"), "href", token ? `/track#${token}` : "/order-status");
  write(element("follow"), token ? "Follow your order" : "See it come in");
}

async function send() {
  const order = { item: item(), quantity: quantity(), customer_name: element("customer_name").value.trim() || undefined };
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  if (keyed) headers["x-api-key"] = element("key").value;
  let response;
  try {
    response = await call("/orders", { method: "POST", headers, body: JSON.stringify(order) });
  } catch {
    const why = navigator.onLine ? "The cafe cannot be reached" : "This device is offline";
    return showWrong({ all: `${why}. Please send the order again: it is counted once.` });
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || typeof answer?.orderId !== "string") return showWrong(refusal(response.status, answer));
  idempotencyKey = newKey();
  write(element("placed-words"), `${numberText(order.quantity)} × ${order.item}`);
  write(element("number"), answer.orderId);
  showWhereToFollow(answer.track_url);
  show(element("form"), false);
  show(element("placed"), true);
  element("placed-title").focus();
  readMenu(); // for the next order: a tablet on the counter is not loaded anew for months
}

// --- What a person may do ---

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = check();
  showWrong(wrong);
  if (Object.keys(wrong).length || element("send").disabled) return;
  element("send").disabled = true;
  write(element("send"), "On its way …");
  await send();
  element("send").disabled = false;
  write(element("send"), "Place the order");
});

element("form").addEventListener("input", ({ target }) => {
  const shown = !element("other-label").hidden;
  tell(target.name === OTHER ? "item" : target.name); // what was wrong is being corrected
  showOther();
  showSum();
  if (!shown && !element("other-label").hidden) element("other").focus();
});

function step(by) {
  const next = (Number.isNaN(quantity()) ? 0 : quantity()) + by;
  element("quantity").value = String(Math.min(MOST, Math.max(1, next)));
  tell("quantity");
  showSum();
}
element("fewer").addEventListener("click", () => step(-1));
element("more").addEventListener("click", () => step(1));

element("again").addEventListener("click", () => {
  const [name, key] = [element("customer_name").value, element("key").value];
  element("form").reset();
  [element("customer_name").value, element("key").value] = [name, key];
  showWrong({});
  showOther();
  showSum();
  show(element("placed"), false);
  show(element("form"), true);
  (element("menu").querySelector("input") ?? element("other")).focus();
});

if (keyed) askForKey();
new ResizeObserver(fitMenu).observe(element("menu"));
document.fonts.addEventListener("loadingdone", fitMenu);
readMenu();
