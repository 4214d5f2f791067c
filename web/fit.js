// @ts-nocheck
/** Layout that needs measuring, because CSS does not know the width of a text: figures, rows and a wall screen. */

import { element, mark } from "./dom.js";

const ONE_LINE = 31; // rem: as wide is a table whose orders have a line each
const TWO_LINES = 15;
const STACKED = 16; // rem: a narrower list has each bar under its item
const SMALLEST = 0.7; // of the text on a wall: where it takes less, the page is scrolled
const STEP = 0.05;

const figures = [...document.querySelectorAll("[data-figure]")];
const root = document.documentElement;

const scaleOf = (element, name) => Number(element.style.getPropertyValue(name) || 1);

function setScale(element, name, scale) {
  if (scaleOf(element, name) !== scale) element.style.setProperty(name, String(scale));
}

/** Return the width of an element's text. */
function textWidth(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getBoundingClientRect().width;
}

/** Make each figure as large as the style wants it, or as its place allows. */
export function fitFigures() {
  const fits = figures.map((figure) => {
    const room = figure.parentElement.clientWidth;
    const natural = textWidth(figure) / scaleOf(figure, "--fit");
    return natural > room && room > 0 ? Math.floor((room / natural) * 990) / 1000 : 1;
  });
  figures.forEach((figure, index) => setScale(figure, "--fit", fits[index]));
}

const remSize = () => parseFloat(getComputedStyle(root).fontSize);
const remOf = (element) => element.clientWidth / remSize();

/** Return whether a place is narrower than its text, which happens only while words do not break. */
function sticksOut(place) {
  const { paddingLeft, paddingRight } = getComputedStyle(place);
  const room = place.getBoundingClientRect().width - parseFloat(paddingLeft) - parseFloat(paddingRight);
  return textWidth(place) > room + 0.05;
}

/** Count the texts in each part that have a word wider than their place. */
function countBroken(list, parts) {
  list.classList.add("unbroken");
  const counts = parts.map((part) => [...part.querySelectorAll(".item, .customer, .price")].filter(sticksOut).length);
  list.classList.remove("unbroken");
  return counts;
}

/**
 * Give each of these parts of a list the least room in which no word breaks: data-fit, for which the style has a layout.
 * Where a word is longer than any room, it is the room in which the fewest words break, `usual` if others are no better.
 */
export function fitWords(list, parts, least, most, usual) {
  const best = new Map(parts.map((part) => [part, { room: usual, broken: Infinity }]));
  let rest = parts;
  for (let room = least; room <= most && rest.length > 0; room++) {
    for (const part of rest) mark(part, "data-fit", String(room));
    const counts = countBroken(list, rest);
    rest = rest.filter((part, index) => {
      const { broken } = best.get(part);
      if (counts[index] < broken || (counts[index] === broken && room === usual)) best.set(part, { room, broken: counts[index] });
      return counts[index] > 0;
    });
  }
  for (const [part, { room }] of best) mark(part, "data-fit", String(room));
}

/** Give each order a line, two or three; on a wall one, and what is too long is cut off there. */
export function fitRows() {
  const table = element("table");
  const width = remOf(table);
  const least = isWall() || width >= ONE_LINE ? 1 : width >= TWO_LINES ? 2 : 3;
  mark(table, "data-fit", String(least));
  fitWords(table, [...element("rows").rows], least, isWall() ? 0 : 3, isWall() ? 1 : Math.max(2, least));
}

/** Put each bar beside its item (1), or under it where a word would break (2), and the number, too (3). */
export function fitItems() {
  const list = element("items");
  const items = [...list.children];
  const room = (fit) => mark(list, "data-fit", String(fit));
  room(1);
  if (remOf(list) >= STACKED && countBroken(list, items).every((count) => count === 0)) return;
  room(2);
  fitWords(list, items, 2, 3, 3);
}

const overflows = (element) =>
  element.scrollHeight > element.clientHeight + 1 || element.scrollWidth > element.clientWidth + 1;

const isWall = () => root.classList.contains("wall");

/** Return whether everything can be seen at once. */
const fitsWall = () => ![document.body, ...document.querySelectorAll("main, section:not([hidden])")].some(overflows);

/** On a wall: show everything at once, in smaller text if need be; where even that is not enough, a page to scroll. */
export function fitWall(afresh = false) {
  const wanted = root.classList.contains("kiosk") && matchMedia("(min-width: 40em)").matches;
  if (!afresh && (!isWall() || fitsWall())) return;
  root.classList.toggle("wall", wanted);
  for (let scale = afresh ? 1 : scaleOf(root, "--scale"); wanted && scale >= SMALLEST; scale -= STEP) {
    setScale(root, "--scale", scale);
    fitParts();
    if (fitsWall()) return;
  }
  root.classList.remove("wall");
  root.style.removeProperty("--scale");
  fitParts();
}

function fitParts() {
  fitFigures();
  fitRows();
  fitItems();
}

/** Measure again, and call `more`, when the screen, the size of text or a font is another. */
export function keepFitting(more) {
  let known = "";
  const surroundings = () => [innerWidth, innerHeight, remSize() / scaleOf(root, "--scale")].join();
  const fitAll = () => {
    fitWall(true);
    more();
    known = surroundings();
  };
  const observer = new ResizeObserver(() => {
    if (surroundings() !== known) return fitAll();
    fitParts();
    more();
  });
  for (const place of [element("table"), ...figures.map((figure) => figure.parentElement)]) observer.observe(place);
  window.addEventListener("resize", fitAll);
  document.fonts.addEventListener("loadingdone", fitAll);
  fitAll();
}
