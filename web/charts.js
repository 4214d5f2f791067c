/** The two charts of the order board. */

import { element, find, make, mark, show, write } from "./dom.js";
import { fitItems } from "./fit.js";
import { hourText, numberText } from "./formats.js";
import { hoursWords } from "./status.js";

const SVG = "http://www.w3.org/2000/svg";
const TOP = 14; // percent of the height above the highest bar, for its number
const BOTTOM = 14; // percent below the bars, for the hours
const LABEL_EVERY = 4; // hours

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string | number>} attributes
 */
function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** Remove or add children at the end. @param {Element} parent @param {number} count @param {() => Element} create */
function resize(parent, count, create) {
  while (parent.childElementCount > count) parent.lastElementChild?.remove();
  while (parent.childElementCount < count) parent.append(create());
}

/** @param {number} value */
const percent = (value) => `${value.toFixed(2)}%`;

let drawn = "";

/** @param {Status["hours"]} hours */
export function showHours(hours) {
  const key = JSON.stringify(hours);
  if (key === drawn) return;
  drawn = key;
  write(element("hours-words"), hoursWords(hours));
  drawHours(hours);
  listHours(hours);
}

const chart = find("#hours", SVGElement);

/** @param {Status["hours"]} hours */
function drawHours(hours) {
  const most = Math.max(1, ...hours.map(({ count }) => count));
  const step = 100 / Math.max(1, hours.length);
  const today = hours.at(-1)?.name.slice(0, 10);
  const latest = hours.length - 1;
  const peak = hours.findIndex(({ count }) => count === most);
  const floor = 100 - BOTTOM;
  /** @type {SVGElement[]} */
  const shapes = [shape("line", { x1: "0", x2: "100%", y1: percent(floor), y2: percent(floor), class: "axis" })];
  hours.forEach(({ name, count }, index) => {
    const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (floor - TOP));
    const middle = percent((index + 0.5) * step);
    const when = index === latest ? "now" : name.startsWith(today ?? "") ? "today" : "yesterday";
    const bar = shape("rect", {
      x: percent((index + 0.1) * step), y: percent(floor - height), width: percent(0.8 * step), height: percent(height),
      rx: 2, class: when,
    });
    const tip = shape("title", {});
    tip.textContent = `${hourText(name, "full")}: ${numberText(count)}`;
    bar.append(tip);
    shapes.push(bar);
    if ((latest - index) % LABEL_EVERY === 0) {
      shapes.push(label(hourText(name, "short"), middle, "100%", "hour"));
    }
    if (count > 0 && (index === peak || index === latest)) {
      shapes.push(label(numberText(count), middle, percent(floor - height - 2.5), "count"));
    }
  });
  chart.replaceChildren(...shapes);
  arrangeLabels();
}

/** @param {string} words @param {string} x @param {string} y @param {string} className */
function label(words, x, y, className) {
  const text = shape("text", { x, y, class: className, "text-anchor": "middle", "data-x": x });
  text.textContent = words;
  return text;
}

/** Move labels into the chart, and hide those that would touch another. */
export function arrangeLabels() {
  const width = chart.clientWidth;
  if (width === 0) return;
  const measured = [...chart.querySelectorAll("text")].map((text) => {
    const half = (text.getComputedTextLength() / 2 / width) * 100 + 0.01;
    const x = Math.min(Math.max(parseFloat(text.dataset.x ?? ""), half), 100 - half);
    return { text, half, x, y: parseFloat(text.getAttribute("y") ?? ""), hour: text.classList.contains("hour") };
  });
  // The latest hour and the peak come first, then the others as far as there is room.
  /** @type {typeof measured} */
  const placed = [];
  const height = (parseFloat(getComputedStyle(chart).fontSize) / chart.clientHeight) * 100;
  const most = Math.min(...measured.map(({ y }) => y));
  measured.sort((a, b) => Number(a.y !== most) - Number(b.y !== most) || b.x - a.x);
  for (const one of measured) {
    const free = placed.every((other) =>
      Math.abs(one.y - other.y) > height || Math.abs(one.x - other.x) > (one.half + other.half) * (one.hour ? 1.2 : 1.05));
    mark(one.text, "x", percent(one.x));
    mark(one.text, "visibility", free ? "visible" : "hidden");
    if (free) placed.push(one);
  }
}

/** @param {Status["hours"]} hours */
function listHours(hours) {
  const body = element("hours-rows");
  resize(body, hours.length, () => {
    const hour = make("th");
    hour.setAttribute("scope", "row");
    return make("tr", "", hour, make("td", "number"));
  });
  [...hours].reverse().forEach(({ name, count }, index) => {
    const [hour, number] = body.children[index].children;
    write(hour, hourText(name, "full"));
    write(number, numberText(count));
  });
}

let listed = "";

/** @param {Status["items"]} items @param {boolean} isKnown */
export function showItems(items, isKnown) {
  show(element("no-items"), isKnown && items.length === 0);
  const key = JSON.stringify(items);
  if (key === listed) return;
  listed = key;
  const list = element("items");
  const most = Math.max(1, ...items.map(({ quantity }) => quantity));
  resize(list, items.length, () => {
    const bar = shape("svg", { "aria-hidden": "true" });
    bar.append(shape("rect", { height: "100%", rx: 2 }));
    return make("li", "", make("span", "item"), bar, make("b"));
  });
  items.forEach(({ item, quantity }, index) => {
    const [name, bar, number] = list.children[index].children;
    write(name, item);
    mark(find("rect", SVGElement, bar), "width", percent((quantity / most) * 100));
    write(number, numberText(quantity));
  });
  fitItems();
}
