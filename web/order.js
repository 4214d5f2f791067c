/** The order form: the menu, errors next to their fields, and the order's id at the end. */

import { element, find, input, make, mark, show, targetOf, write } from "./dom.js";
import { fitWords } from "./fit.js";
import { numberText } from "./formats.js";
import { settings } from "./settings.js";

const TIMEOUT = 15_000; // milliseconds
const MOST = 1000; // pieces in one order
const FIELDS = ["item", "quantity", "customer_name", "key"];
const OTHER = "other"; // the price of the choice that is not on the menu, and the name of its input

/** Prices by item. @type {Map<string, number>} */
const prices = new Map();

/** An order needs the API key, by config.js or by a response of the API. */
let needsKey = settings.ordersApiKey;

/** Identifies the order over all tries; the next order gets another key. */
let idempotencyKey = newKey();

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} path @param {RequestInit} [options] */
const call = (path, options) => fetch(`${settings.apiBase}${path}`, { ...options, signal: AbortSignal.timeout(TIMEOUT) });

// --- The menu ---

/** @param {string} value @param {string} words @param {string} price */
function choice(value, words, price) {
  const radio = make("input");
  Object.assign(radio, { type: "radio", name: "item", value });
  radio.dataset.other = String(price === OTHER);
  const label = make("span", "words", make("span", "item", words), make("span", "price", price === OTHER ? "" : price));
  return make("label", "option", radio, label);
}

const fitMenu = () => fitWords(element("menu"), [...element("menu").children], 1, 3, 2);

/** @param {Api.Menu["menu"]} menu */
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
    // A menu that somebody is choosing from does not change.
    if (element("form").hidden || element("menu").childElementCount === 0) showMenu(menu);
  } catch {
    // The earlier menu stays.
    if (element("menu").childElementCount === 0) {
      write(element("menu-words"), "The menu is not available: type what you would like.");
    }
  }
  showOther();
  mark(element("form"), "aria-busy", "false");
}

/** @returns {HTMLInputElement | null} */
const chosen = () => element("menu").querySelector(":checked");

function showOther() {
  const none = element("menu").childElementCount === 0;
  show(element("other-label"), none || chosen()?.dataset.other === "true");
}

// --- The order ---

const item = () => (element("other-label").hidden ? (chosen()?.value ?? "") : input("other").value.trim());

/** Return the quantity, or NaN for another text. */
const quantity = () => (/^\d{1,9}$/.test(input("quantity").value.trim()) ? Number(input("quantity").value) : NaN);

const isQuantity = () => quantity() >= 1 && quantity() <= MOST;

function showSum() {
  const price = prices.get(item());
  write(element("sum"), price !== undefined && isQuantity() ? `Total ${numberText(price * quantity())}` : "");
}

/** Return a sentence for each wrong field. */
function check() {
  /** @type {Record<string, string>} */
  const wrong = {};
  if (item() === "") wrong.item = element("other-label").hidden ? "Please choose something." : "Please type what you would like.";
  if (!isQuantity()) wrong.quantity = `Please enter a number from 1 to ${numberText(MOST)}.`;
  if (needsKey && input("key").value === "") wrong.key = "Please enter the cafe’s API key.";
  return wrong;
}

/** @param {string} field */
function inputOf(field) {
  if (field !== "item") return input(field);
  return element("other-label").hidden ? element("menu").querySelector("input") : input("other");
}

/** Show or remove the error of a field. @param {string} field */
function showError(field, words = "") {
  write(element(`${field}-wrong`), words);
  const inputs = field === "item" ? element("item-field").querySelectorAll("input") : [element(field)];
  for (const each of inputs) mark(each, "aria-invalid", String(words !== ""));
}

/** Show each error next to its field, and focus the first wrong field. @param {Record<string, string>} wrong */
function showErrors(wrong) {
  for (const field of FIELDS) showError(field, wrong[field]);
  const others = Object.entries(wrong).filter(([field]) => !FIELDS.includes(field));
  write(element("trouble"), others.map(([, words]) => words).join(" "));
  const first = FIELDS.find((field) => field in wrong);
  if (first) inputOf(first)?.focus();
}

/**
 * Return why an order was refused, by field.
 * @param {number} status
 * @param {Api.OrderRefused | null} body
 * @returns {Record<string, string>}
 */
function refusal(status, body) {
  if (body?.errors && Object.keys(body.errors).length) return body.errors;
  if (status === 403 && needsKey) return { key: "This API key is not valid." };
  if (status === 403) {
    requireKey();
    return { key: "Please enter the cafe’s API key." };
  }
  if (status === 422) {
    // The response to an order was lost, and then the form was changed: only the customer knows whether both are wanted.
    idempotencyKey = newKey();
    return { all: "The order that you sent before may have been placed. To place this one as well, please send it again." };
  }
  if (status === 429) return { all: "Too many orders at once: please try again in a moment." };
  const reason = status < 500 && typeof body?.message === "string" ? body.message : "";
  return { all: reason || `The order could not be placed (${status}). Please send it again: it is counted once.` };
}

function requireKey() {
  needsKey = true;
  show(element("key-field"), true);
}

/** Link to the customer's own page; without its address, to the order status. @param {string | undefined} address */
function showLink(address) {
  // Use only the token of the address: the page is on this site.
  const token = typeof address === "string" ? address.split("#")[1] : undefined;
  mark(element("follow"), "href", token ? `/track#${token}` : "/order-status");
  write(element("follow"), token ? "Follow your order" : "See all orders");
}

async function send() {
  const order = { item: item(), quantity: quantity(), customer_name: input("customer_name").value.trim() || undefined };
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey };
  if (needsKey) headers["x-api-key"] = input("key").value;
  let response;
  try {
    response = await call("/orders", { method: "POST", headers, body: JSON.stringify(order) });
  } catch {
    const why = navigator.onLine ? "The cafe cannot be reached" : "This device is offline";
    return showErrors({ all: `${why}. Please send the order again: it is counted once.` });
  }
  const accepted = await response.json().catch(() => null);
  if (!response.ok || typeof accepted?.orderId !== "string") return showErrors(refusal(response.status, accepted));
  idempotencyKey = newKey();
  write(element("placed-words"), `${numberText(order.quantity)} × ${order.item}`);
  write(element("number"), accepted.orderId);
  showLink(accepted.track_url);
  show(element("form"), false);
  show(element("placed"), true);
  element("placed-title").focus();
  readMenu(); // for the next order: a tablet on the counter does not reload the page for months
}

// --- Controls ---

const form = find("#form", HTMLFormElement);
const submit = find("#send", HTMLButtonElement);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = check();
  showErrors(wrong);
  if (Object.keys(wrong).length || submit.disabled) return;
  submit.disabled = true;
  write(submit, "Sending …");
  await send();
  submit.disabled = false;
  write(submit, "Place the order");
});

form.addEventListener("input", (event) => {
  const hadOther = !element("other-label").hidden;
  const name = targetOf(event).getAttribute("name") ?? "";
  showError(name === OTHER ? "item" : name); // it is being corrected
  showOther();
  showSum();
  if (!hadOther && !element("other-label").hidden) element("other").focus();
});

/** @param {number} by */
function step(by) {
  const next = (Number.isNaN(quantity()) ? 0 : quantity()) + by;
  input("quantity").value = String(Math.min(MOST, Math.max(1, next)));
  showError("quantity");
  showSum();
}
element("fewer").addEventListener("click", () => step(-1));
element("more").addEventListener("click", () => step(1));

element("again").addEventListener("click", () => {
  const [name, key] = [input("customer_name").value, input("key").value];
  form.reset();
  [input("customer_name").value, input("key").value] = [name, key];
  showErrors({});
  showOther();
  showSum();
  show(element("placed"), false);
  show(form, true);
  (element("menu").querySelector("input") ?? element("other")).focus();
});

if (needsKey) requireKey();
new ResizeObserver(fitMenu).observe(element("menu"));
document.fonts.addEventListener("loadingdone", fitMenu);
readMenu();
