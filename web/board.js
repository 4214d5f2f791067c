/** The order board: the figures, the diagram and the table of a status. Rows do not move while they are being read. */

import { showHours, showItems } from "./charts.js";
import { element, make, mark, show, write } from "./dom.js";
import { fitFigures, fitRows } from "./fit.js";
import { ageText, dayText, locale, now, numberText, timeText } from "./formats.js";
import { comparedWords, rdsWords, syncWords, verdict } from "./status.js";

const HOLD = 8_000; // milliseconds after the last movement of a pointer over the table in which its rows do not move
const LONGEST_HOLD = 60_000; // milliseconds, also while a text stays selected

/** @type {Record<string, string>} */
const CHIPS = { busy: "on the way", stuck: "stuck here", unknown: "cannot be read" };

/** @type {NodeListOf<HTMLElement>} */
const targets = document.querySelectorAll("[data-figure]");
/** @type {NodeListOf<HTMLElement>} */
const openFigures = document.querySelectorAll(".open");

/** @param {Status} status */
function showFigures({ figures }) {
  for (const target of targets) {
    const figure = figures[/** @type {FigureName} */ (target.dataset.figure)];
    write(target, numberText(figure.value));
    mark(target, "data-old", String(figure.old));
  }
  for (const group of openFigures) show(group, figures.received.value !== null); // null: an older API
  fitFigures();
  document.title = figures.today.value === null ? "Cafe orders" : `${numberText(figures.today.value)} today · Cafe orders`;
}

/** Show how orders travel; those that do not move become stuck after a while. @param {Status} status */
export function showFlow(status) {
  const { level, words, hops } = verdict(status, now());
  mark(element("verdict"), "data-level", level);
  write(element("verdict"), words);
  for (const hop of element("hops").children) {
    const hopLevel = hops[hop.getAttribute("data-hop") ?? ""] ?? "";
    mark(hop, "data-level", hopLevel);
    const chip = hop.querySelector(".chip");
    if (chip) write(chip, (hopLevel === "busy" && chip.getAttribute("data-busy")) || (CHIPS[hopLevel] ?? ""));
  }
  const sync = syncWords(status, now());
  mark(element("sync-words"), "data-agree", sync.agree);
  write(element("sync-words"), sync.words);
  write(element("rds-as-of"), rdsWords(status));
  return { level, words };
}

/** Rows by the order's id. @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();
const body = element("rows");

function createRow() {
  const time = make("time");
  time.lang = locale;
  const age = make("small", "age");
  age.lang = locale;
  const item = make("th", "item");
  item.setAttribute("scope", "row");
  const row = make("tr", "", make("td", "quantity"), item, make("td", "customer"), make("td", "when", time, " ", age));
  // With `display: grid` some browsers no longer expose a table to screen readers: state the roles.
  row.setAttribute("role", "row");
  for (const cell of row.cells) cell.setAttribute("role", cell === item ? "rowheader" : "cell");
  row.addEventListener("animationend", () => row.classList.remove("new"));
  return row;
}

/** @param {HTMLTableRowElement} row @param {StatusOrder} order */
function fillRow(row, { item, quantity, customer, createdAt }) {
  for (const [index, text] of [quantity, item, customer].entries()) write(row.cells[index], text);
  const [time] = row.cells[3].children;
  write(time, createdAt ? `${dayText(createdAt)}, ${timeText(createdAt)}` : "time unknown");
  if (createdAt) mark(time, "datetime", createdAt.toISOString());
}

export function showAges() {
  for (const time of body.getElementsByTagName("time")) {
    if (time.dateTime && time.nextElementSibling) write(time.nextElementSibling, ageText(new Date(time.dateTime)));
  }
}

/** The orders whose words have been fitted, as JSON. */
let fitted = "";

/** Update the table; the row of an order that is still listed keeps its place in the DOM. @param {StatusOrder[]} orders */
function arrange(orders) {
  const first = element("orders").getAttribute("aria-busy") === "true";
  const listed = new Map(orders.map((order) => [order.id, order]));
  for (const [id, row] of rows) {
    if (listed.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  // Highlight new rows only among older ones, or as the first orders of an empty cafe.
  const highlight = !first && (body.childElementCount > 0 || displayed?.length === 0);
  let next = body.firstElementChild;
  for (const [id, order] of listed) {
    let row = rows.get(id);
    if (!row) {
      row = createRow();
      row.classList.toggle("new", highlight);
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

let holdUntil = 0;
/** @type {number | null} */
let heldSince = null;

/** Return whether the rows stay where they are: a pointer has moved over them, or a text in them is selected. */
export function isHeld() {
  const selection = document.getSelection();
  const isSelected = selection !== null && !selection.isCollapsed && body.contains(selection.anchorNode);
  if (!isSelected && now() >= holdUntil) heldSince = null;
  else heldSince ??= now();
  return heldSince !== null && now() - heldSince < LONGEST_HOLD;
}

/** The orders of the latest status. @type {StatusOrder[] | null} */
let latest = null;
/** The orders in the table. @type {StatusOrder[] | null} */
let displayed = null;

/** Show or hold back the orders; return how many are new. @param {StatusOrder[] | null} orders */
function showOrders(orders) {
  if (orders === null) return 0;
  const known = new Set((latest ?? orders).map(({ id }) => id));
  const arrived = orders.filter(({ id }) => !known.has(id)).length;
  latest = orders;
  const waiting = displayed === null ? 0 : orders.filter(({ id }) => !rows.has(id)).length;
  const held = waiting > 0 && rows.size > 0 && isHeld();
  if (held) write(element("newer"), `Show ${numberText(waiting)}${waiting === orders.length ? " or more" : ""} newer`);
  else showLatest();
  show(element("newer"), held);
  return arrived;
}

function showLatest() {
  show(element("newer"), false);
  if (latest === null || latest === displayed) return;
  arrange(latest);
  displayed = latest;
}

/** Return how many orders are new, and how orders travel. @param {Status} status */
export function showBoard(status) {
  showFigures(status);
  const { trend, words } = comparedWords(status);
  mark(element("compared"), "data-trend", trend);
  write(element("compared"), words);
  showHours(status.hours);
  showItems(status.items, !status.degraded.includes("rds"));
  const arrived = showOrders(status.orders);
  showAges();
  return { arrived, ...showFlow(status) };
}

/** Show orders that were held back once the hold has ended. */
export function settle() {
  if (latest !== displayed && !isHeld()) showLatest();
}

/** Remove all names. */
export function clearBoard() {
  for (const row of rows.values()) row.remove();
  rows.clear();
  latest = displayed = null;
  element("orders").setAttribute("aria-busy", "true");
}

body.addEventListener("pointermove", () => {
  holdUntil = now() + HOLD;
}, { passive: true });
element("newer").addEventListener("click", () => {
  holdUntil = 0;
  document.getSelection()?.removeAllRanges();
  showLatest();
});
