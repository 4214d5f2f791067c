/** The order board: asks the API every two seconds and shows what it says. */

import { apiBase } from "./config.js";
import { poll } from "./polling.js";
import {
  dayText, degradedWords, exactTimeText, figureText, learn, rdsHint, staleWords, syncWords, timeText,
} from "./status.js";

const TIME_LIMIT = 10_000; // milliseconds for one answer
const OLD_NEWS = 15_000; // a cache on the way may repeat an answer; after this long the page says so
const QUIET = 20_000; // at least this long between two announcements to a screen reader

/** @typedef {import("./status.js").Status} Status */
/** @typedef {import("./status.js").Order} Order */

/** @type {Status | null} */
let status = null;
/** When the news last changed, by this device's clock. @type {Date | null} */
let lastNews = null;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @returns {Promise<Status>} */
async function ask() {
  let response;
  try {
    response = await fetch(`${apiBase}/order-status`, { cache: "no-cache", signal: AbortSignal.timeout(TIME_LIMIT) });
  } catch {
    throw new Error(navigator.onLine ? "The order service cannot be reached" : "This device is offline");
  }
  if (!response.ok) throw new Error(`The order service reports an error (${response.status})`);
  try {
    return learn(await response.json(), status);
  } catch {
    throw new Error("The order service gave an answer that this page cannot read");
  }
}

/**
 * Write a text only where it differs, so that nothing is drawn, selected or announced anew for no reason.
 * @param {Element} target
 * @param {string} text shown as it is, never as markup
 */
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * The same for an attribute.
 * @param {Element} target
 * @param {string} name
 * @param {string} value
 */
function mark(target, name, value) {
  if (target.getAttribute(name) !== value) target.setAttribute(name, value);
}

/** @param {Status} news */
function showFigures({ figures }) {
  for (const target of document.querySelectorAll("[data-figure]")) {
    const figure = figures[/** @type {import("./status.js").FigureName} */ (target.getAttribute("data-figure"))];
    write(target, figureText(figure.value));
    mark(target, "data-old", String(figure.old));
  }
  mark(element("dead"), "data-alert", String((figures.deadLettered.value ?? 0) > 0));
  document.title = figures.today.value === null ? "Cafe orders" : `${figureText(figures.today.value)} today · Cafe orders`;
}

/** @param {Status} news */
function showSync(news) {
  const { agree, answer, hint } = syncWords(news);
  mark(element("sync"), "data-agree", agree);
  write(element("sync-answer"), answer);
  write(element("sync-hint"), hint);
  write(element("rds-as-of"), rdsHint(news));
}

/** The rows on the page by order. @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();

/** @returns {HTMLTableRowElement} */
function createRow() {
  const row = document.createElement("tr");
  const quantity = document.createElement("td");
  const item = document.createElement("th");
  const customer = document.createElement("td");
  const when = document.createElement("td");
  quantity.className = "quantity";
  item.scope = "row";
  when.className = "when";
  when.append(document.createElement("time"), " ", document.createElement("small"));
  row.append(quantity, item, customer, when);
  row.addEventListener("animationend", () => row.classList.remove("new"));
  return row;
}

/**
 * @param {HTMLTableRowElement} row
 * @param {Order} order
 */
function fillRow(row, { item, quantity, customer, createdAt }) {
  const [quantityCell, itemCell, customerCell, whenCell] = row.cells;
  write(quantityCell, quantity);
  write(itemCell, item);
  write(customerCell, customer);
  const [time, day] = whenCell.children;
  mark(time, "datetime", createdAt?.toISOString() ?? "");
  write(time, createdAt ? timeText(createdAt) : "–");
  write(day, createdAt ? dayText(createdAt) : "time unknown");
}

/**
 * Bring the table to these orders; a row keeps its place in the document as long as its order is listed.
 * @param {Order[] | null} orders
 * @returns {number} how many orders were not there before
 */
function showOrders(orders) {
  if (orders === null) return 0;
  const first = element("orders").getAttribute("aria-busy") === "true";
  const listed = new Map(orders.map((order) => [order.id, order]));
  for (const [id, row] of rows) {
    if (listed.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  const body = element("rows");
  let next = body.firstElementChild;
  let arrived = 0;
  for (const [id, order] of listed) {
    let row = rows.get(id);
    if (!row) {
      row = createRow();
      row.classList.toggle("new", !first);
      rows.set(id, row);
      arrived += 1;
    }
    fillRow(row, order);
    if (row === next) next = row.nextElementSibling;
    else body.insertBefore(row, next);
  }
  const empty = element("empty");
  if (empty.hidden === (listed.size === 0)) empty.hidden = !empty.hidden;
  mark(element("orders"), "aria-busy", "false");
  return first ? 0 : arrived;
}

let unannounced = 0;
let announcedAt = 0;

/**
 * Tell a screen reader about new orders, several at once when they come fast.
 * @param {number} arrived
 */
function announce(arrived) {
  unannounced += arrived;
  if (unannounced === 0 || Date.now() - announcedAt < QUIET) return;
  write(element("announcement"), unannounced === 1 ? "A new order" : `${unannounced} new orders`);
  unannounced = 0;
  announcedAt = Date.now();
}

/**
 * @param {"live" | "partial" | "stale"} state for the style
 * @param {string} words
 * @param {string} notice empty: nothing to say
 */
function showState(state, words, notice) {
  mark(document.body, "data-state", state);
  write(element("state"), words);
  write(element("updated"), lastNews ? `updated ${exactTimeText(lastNews)}` : "no figures yet");
  write(element("notice"), notice);
}

poll(
  ask,
  (news) => {
    if (!lastNews || news.generatedAt === null || news.generatedAt !== status?.generatedAt) lastNews = new Date();
    status = news;
    showFigures(news);
    showSync(news);
    announce(showOrders(news.orders));
    if (Date.now() - lastNews.getTime() > OLD_NEWS) {
      showState("stale", "Old news", staleWords("The order service repeats an old answer", lastNews));
    } else if (news.degraded.length) {
      showState("partial", "Live, in part", degradedWords(news.degraded));
    } else {
      showState("live", "Live", "");
    }
  },
  (error, failures, pause) => {
    const nextTry = exactTimeText(new Date(Date.now() + pause));
    // One failure is no news: most are over at the next try. With nothing to show, it is.
    const notice = failures > 1 || !lastNews ? staleWords(error.message, lastNews) : element("notice").textContent;
    showState("stale", `Next try ${nextTry}`, notice ?? "");
  },
);
