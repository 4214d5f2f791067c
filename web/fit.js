/** Layout that needs measuring, because CSS does not know the width of a text: figures, rows and a wall screen. */

import { element, mark } from "./dom.js";

const ONE_LINE = 31; // rem: a table at least this wide has one line for each order
const TWO_LINES = 15;
const STACKED = 16; // rem: a narrower list has each bar under its item
const MIN_SCALE = 0.7; // of the text size on a wall: where even this is too large, the page scrolls
const STEP = 0.05;

/** @typedef {() => Generator<void, void, void>} Measurement */

const root = document.documentElement;
/** @type {HTMLElement[]} */
const figures = [...document.querySelectorAll("[data-figure]")].filter((figure) => figure instanceof HTMLElement);
/** @param {Element} figure */
const parentOf = (figure) => figure.parentElement ?? root;

const isWall = () => root.classList.contains("wall");

const remSize = () => parseFloat(getComputedStyle(root).fontSize);
/** @param {Element} element */
const remWidth = (element) => element.clientWidth / remSize();

/** @param {HTMLElement} element @param {string} name */
const scaleOf = (element, name) => Number(element.style.getPropertyValue(name) || 1);

/** @param {HTMLElement} element @param {string} name @param {number} scale */
function setScale(element, name, scale) {
  if (scaleOf(element, name) !== scale) element.style.setProperty(name, String(scale));
}

/** @param {Element} element */
function textWidth(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getBoundingClientRect().width;
}

/**
 * Run measurements side by side. Each is a generator that alternates between writes and reads, writes first, with a
 * `yield` in between: so all of them share one layout in each step.
 * @param {Measurement[]} measurements
 */
function run(measurements) {
  let running = measurements.map((measurement) => measurement());
  while (running.length > 0) running = running.filter((measurement) => !measurement.next().done);
}

/** Make each figure as large as the style allows, and as its parent has room for. */
function* measureFigures() {
  yield;
  const scales = figures.map((figure) => {
    const room = parentOf(figure).clientWidth;
    const natural = textWidth(figure) / scaleOf(figure, "--fit");
    return natural > room && room > 0 ? Math.floor((room / natural) * 990) / 1000 : 1;
  });
  yield;
  for (const [index, figure] of figures.entries()) setScale(figure, "--fit", scales[index]);
}

/**
 * Return whether a text is wider than its cell, as only a long word is while the list is `unbroken`.
 * @param {Element} cell
 */
function sticksOut(cell) {
  const { paddingLeft, paddingRight } = getComputedStyle(cell);
  const room = cell.getBoundingClientRect().width - parseFloat(paddingLeft) - parseFloat(paddingRight);
  return textWidth(cell) > room + 0.05;
}

/** @param {Element} part */
const countBroken = (part) => [...part.querySelectorAll(".item, .customer, .price")].filter(sticksOut).length;

/**
 * Give each part of a list the first layout (`data-fit`, from `first` to `last`) in which no word breaks. Where words
 * break in every layout, choose the one with the fewest; among those, prefer `usual`.
 * @param {Element} list @param {Element[]} parts @param {number} first @param {number} last @param {number} usual
 */
function* measureWords(list, parts, first, last, usual) {
  const results = parts.map((part) => ({ part, layout: usual, broken: Infinity }));
  list.classList.add("unbroken");
  let rest = results;
  for (let layout = first; layout <= last && rest.length > 0; layout++) {
    for (const { part } of rest) mark(part, "data-fit", String(layout));
    yield;
    rest = rest.filter((result) => {
      const broken = countBroken(result.part);
      if (broken < result.broken || (broken === result.broken && layout === usual)) Object.assign(result, { layout, broken });
      return broken > 0;
    });
    yield;
  }
  list.classList.remove("unbroken");
  for (const { part, layout } of results) mark(part, "data-fit", String(layout));
}

/** Give each order one to three lines; on a wall one, which the style cuts off. */
function* measureRows() {
  const table = element("table");
  yield;
  const width = remWidth(table);
  yield;
  const least = isWall() || width >= ONE_LINE ? 1 : width >= TWO_LINES ? 2 : 3;
  mark(table, "data-fit", String(least));
  yield* measureWords(table, [...element("rows").children], least, isWall() ? 0 : 3, isWall() ? 1 : Math.max(2, least));
}

/** Put each bar beside its item (1), or below it where a word would break (2), and the number, too (3). */
function* measureItems() {
  const list = element("items");
  const items = [...list.children];
  mark(list, "data-fit", "1");
  list.classList.add("unbroken");
  yield;
  const hasRoom = remWidth(list) >= STACKED && items.every((item) => countBroken(item) === 0);
  yield;
  list.classList.remove("unbroken");
  if (hasRoom) return;
  mark(list, "data-fit", "2");
  yield* measureWords(list, items, 2, 3, 3);
}

/** @type {Set<Measurement>} the parts of the order board whose contents changed in this task */
const changed = new Set();

function fitChanged() {
  const measurements = [...changed];
  changed.clear();
  run(measurements);
}

/**
 * Fit a part at the end of this task, together with the others that change in it.
 * @param {Measurement} measurement
 */
function fitSoon(measurement) {
  if (changed.size === 0) queueMicrotask(fitChanged);
  changed.add(measurement);
}

export const fitFigures = () => fitSoon(measureFigures);
export const fitRows = () => fitSoon(measureRows);
export const fitItems = () => fitSoon(measureItems);

function fitParts() {
  for (const measurement of [measureFigures, measureRows, measureItems]) changed.add(measurement);
  fitChanged();
}

/**
 * Fit the words in the parts of a list: see `measureWords`.
 * @param {Element} list @param {Element[]} parts @param {number} first @param {number} last @param {number} usual
 */
export function fitWords(list, parts, first, last, usual) {
  run([() => measureWords(list, parts, first, last, usual)]);
}

/** @param {Element} element */
const overflows = (element) =>
  element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1;

/** Return whether everything is visible at once. */
const fitsWall = () => ![document.body, ...document.querySelectorAll("main, section:not([hidden])")].some(overflows);

/** On a wall, show everything at once, in smaller text if necessary; where that is not enough, let the page scroll. */
export function fitWall(afresh = false) {
  if (!afresh) {
    if (!isWall()) return;
    fitChanged();
    if (fitsWall()) return;
  }
  const wanted = root.classList.contains("kiosk") && matchMedia("(min-width: 40em)").matches;
  root.classList.toggle("wall", wanted);
  for (let scale = afresh ? 1 : scaleOf(root, "--scale"); wanted && scale >= MIN_SCALE; scale -= STEP) {
    setScale(root, "--scale", scale);
    fitParts();
    if (fitsWall()) return;
  }
  root.classList.remove("wall");
  root.style.removeProperty("--scale");
  fitParts();
}

/**
 * Fit the board, and call `afterwards`, when the window, the text size, a font or the width of a part changes.
 * @param {() => void} afterwards
 */
export function keepFitting(afterwards) {
  let known = "";
  const widths = new Map();
  const surroundings = () => [innerWidth, innerHeight, remSize() / scaleOf(root, "--scale")].join();
  const fitAll = () => {
    fitWall(true);
    afterwards();
    known = surroundings();
  };
  const observer = new ResizeObserver((entries) => {
    const hasNewWidth = entries.some(({ target, contentRect }) => contentRect.width !== widths.get(target));
    for (const { target, contentRect } of entries) widths.set(target, contentRect.width);
    if (surroundings() !== known) return fitAll();
    if (hasNewWidth) fitParts();
    afterwards();
  });
  // It reports each of them once at the beginning.
  for (const part of [element("table"), ...figures.map(parentOf)]) observer.observe(part);
  window.addEventListener("resize", fitAll);
  document.fonts.addEventListener("loadingdone", fitAll);
}
