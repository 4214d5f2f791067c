/** The board: a status becomes figures, a picture and a table, and nothing moves under a reader. */

import { showHours, showItems } from "./charts.js";
import { element, make, mark, show, write } from "./dom.js";
import { fitFigures, fitRows } from "./fit.js";
import { ageText, dayText, locale, now, numberText, timeText } from "./formats.js";
import { comparedWords, rdsWords, syncWords, verdict } from "./status.js";

const READING = 8_000; // milliseconds after the last movement over the table in which its rows stay where they are
const READING_AT_MOST = 60_000; // a text that stays selected holds the rows no longer than this

const CHIPS = { busy: "on the way", stuck: "stuck here", unknown: "cannot be read" };

const targets = document.querySelectorAll("[data-figure]");

function showFigures({ figures }) {
  for (const target of targets) {
    const figure = figures[target.dataset.figure];
    write(target, numberText(figure.value));
    mark(target, "data-old", String(figure.old));
  }
  for (const group of document.querySelectorAll(".open")) show(group, figures.received.value !== null); // null: an older API
  fitFigures();
  document.title = figures.today.value === null ? "Cafe orders" : `${numberText(figures.today.value)} today · Cafe orders`;
}

/** The picture of an order's way; it follows from the time, too: what does not move is stuck after a while. */
export function showWay(status) {
  const { level, words, hops } = verdict(status, now());
  mark(element("verdict"), "data-level", level);
  write(element("verdict"), words);
  for (const hop of element("hops").children) {
    const its = hops[hop.dataset.hop] ?? "";
    mark(hop, "data-level", its);
    const chip = hop.querySelector(".chip");
    if (chip) write(chip, (its === "busy" && chip.dataset.busy) || (CHIPS[its] ?? ""));
  }
  const { agree, words: together } = syncWords(status, now());
  mark(element("sync-words"), "data-agree", agree);
  write(element("sync-words"), together);
  write(element("rds-as-of"), rdsWords(status));
  return { level, words };
}

/** The rows on the page, by the order's id. */
const rows = new Map();
/** When each row's order was placed. */
const placed = new WeakMap();
const body = element("rows");

function createRow() {
  const time = make("time");
  time.lang = locale;
  const age = make("small", "age");
  age.lang = locale;
  const item = make("th", "item");
  item.setAttribute("scope", "row");
  const row = make("tr", "", make("td", "quantity"), item, make("td", "customer"), make("td", "when", time, " ", age));
  // The style lays the table out as a grid, which in some browsers is no table for screen readers otherwise.
  row.setAttribute("role", "row");
  for (const cell of row.cells) cell.setAttribute("role", cell === item ? "rowheader" : "cell");
  row.addEventListener("animationend", () => row.classList.remove("new"));
  return row;
}

function fillRow(row, { item, quantity, customer, createdAt }) {
  const [quantityCell, itemCell, customerCell, whenCell] = row.cells;
  write(quantityCell, quantity);
  write(itemCell, item);
  write(customerCell, customer);
  const [time, age] = whenCell.children;
  write(time, createdAt ? `${dayText(createdAt)}, ${timeText(createdAt)}` : "time unknown");
  if (!createdAt) return;
  mark(time, "datetime", createdAt.toISOString());
  placed.set(age, createdAt);
}

/** Write how long ago each order was placed. */
export function showAges() {
  for (const age of body.getElementsByClassName("age")) {
    const date = placed.get(age);
    if (date) write(age, ageText(date));
  }
}

/** The texts whose words are known to fit. */
let fitted = "";

/** Bring the table to these orders; a row keeps its place in the document as long as its order is listed. */
function arrange(orders) {
  const first = element("orders").getAttribute("aria-busy") === "true";
  const listed = new Map(orders.map((order) => [order.id, order]));
  for (const [id, row] of rows) {
    if (listed.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  // Where every row is new, a highlight of all would tell nothing, and be anything but calm.
  const calm = !first && (body.childElementCount > 0 || shown?.length === 0);
  let next = body.firstElementChild;
  for (const [id, order] of listed) {
    let row = rows.get(id);
    if (!row) {
      row = createRow();
      row.classList.toggle("new", calm);
      rows.set(id, row);
    }
    fillRow(row, order);
    if (row === next) next = row.nextElementSibling;
    else body.insertBefore(row, next);
  }
  mark(element("table"), "data-names", String(listed.size === 0 || orders.some(({ customer }) => customer !== "")));
  show(element("empty"), listed.size === 0);
  mark(element("orders"), "aria-busy", "false");
  const texts = JSON.stringify(orders);
  if (texts !== fitted) fitRows();
  fitted = texts;
}

let readUntil = 0;
/** Since when rows are held back for a reader. */
let heldSince = null;

/** A pointer moves over the table: somebody points at a row, and it should not slip away. */
function point() {
  readUntil = now() + READING;
}

/** Whether somebody may be reading the table. */
export function isRead() {
  const selection = document.getSelection();
  const selected = selection !== null && !selection.isCollapsed && body.contains(selection.anchorNode);
  if (!selected && now() >= readUntil) heldSince = null;
  else heldSince ??= now();
  return heldSince !== null && now() - heldSince < READING_AT_MOST;
}

/** The orders to show, maybe not shown yet. */
let latest = null;
/** What the table shows. */
let shown = null;

/** Show the orders, or keep them for later; returns how many were not there before. */
function showOrders(orders) {
  if (orders === null) return 0;
  const known = new Set((latest ?? orders).map(({ id }) => id));
  const arrived = orders.filter(({ id }) => !known.has(id)).length;
  latest = orders;
  const waiting = shown === null ? 0 : orders.filter(({ id }) => !rows.has(id)).length;
  const held = waiting > 0 && rows.size > 0 && isRead();
  if (held) write(element("newer"), `Show ${numberText(waiting)}${waiting === orders.length ? " or more" : ""} newer`);
  else bringUpToDate();
  show(element("newer"), held);
  return arrived;
}

/** Show what was held back. */
function bringUpToDate() {
  show(element("newer"), false);
  if (latest === null || latest === shown) return;
  arrange(latest);
  shown = latest;
}

/** Show a status; returns how many orders are new, and how orders get through. */
export function showBoard(status) {
  showFigures(status);
  const { trend, words } = comparedWords(status);
  mark(element("compared"), "data-trend", trend);
  write(element("compared"), words);
  showHours(status.hours);
  showItems(status.items, !status.degraded.includes("rds"));
  const arrived = showOrders(status.orders);
  showAges();
  return { arrived, ...showWay(status) };
}

/** Once a second, too, while nothing new comes: rows that were held back are shown when the reader is gone. */
export function settle() {
  if (latest !== shown && !isRead()) bringUpToDate();
}

/** Show nobody's name any more. */
export function clearBoard() {
  for (const row of rows.values()) row.remove();
  rows.clear();
  latest = shown = null;
  element("orders").setAttribute("aria-busy", "true");
}

body.addEventListener("pointermove", point, { passive: true });
element("newer").addEventListener("click", () => {
  readUntil = 0;
  document.getSelection()?.removeAllRanges();
  bringUpToDate();
});
