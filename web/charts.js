/** The two charts, drawn with the DOM: elements are made once and then only changed. */

import { make, mark, show, write, element } from "./dom.js";
import { hourText, numberText } from "./formats.js";
import { hoursWords } from "./status.js";

const SVG = "http://www.w3.org/2000/svg";
const TOP = 14; // percent of the height above the highest bar, for its number
const BOTTOM = 14; // percent below the bars, for the hours
const LABEL_EVERY = 4; // hours

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

const percent = (value) => `${value.toFixed(2)}%`;

/** What is drawn now, to draw nothing twice. */
let drawn = "";

/** Bars, one an hour, the oldest first; the last one is the hour that is not over yet. */
export function showHours(hours) {
  const key = JSON.stringify(hours);
  if (key === drawn) return;
  drawn = key;
  write(element("hours-words"), hoursWords(hours));
  drawHours(element("hours"), hours);
  listHours(element("hours-rows"), hours);
}

function drawHours(chart, hours) {
  const most = Math.max(1, ...hours.map(({ count }) => count));
  const step = 100 / Math.max(1, hours.length);
  const today = hours.at(-1)?.name.slice(0, 10);
  const latest = hours.length - 1;
  const peak = hours.findIndex(({ count }) => count === most);
  const floor = 100 - BOTTOM;
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
      shapes.push(label(hourText(name, "short"), middle, "100%", "hour", index, latest));
    }
    if (count > 0 && (index === peak || (index === latest && latest - peak > 2))) {
      shapes.push(label(numberText(count), middle, percent(floor - height - 2.5), "count", index, latest));
    }
  });
  chart.replaceChildren(...shapes);
}

function label(words, x, y, className, index, latest) {
  // At the edges a label leans inwards, so that none is cut off.
  const edge = index === latest ? "end" : index === 0 ? "start" : "middle";
  const at = edge === "end" ? "100%" : edge === "start" ? "0" : x;
  const text = shape("text", { x: at, y, class: className, "text-anchor": edge });
  text.textContent = words;
  return text;
}

/** The same as a table, the latest hour first. */
function listHours(body, hours) {
  while (body.childElementCount > hours.length) body.lastElementChild?.remove();
  while (body.childElementCount < hours.length) {
    const hour = make("th");
    hour.setAttribute("scope", "row");
    body.append(make("tr", "", hour, make("td", "number")));
  }
  [...hours].reverse().forEach(({ name, count }, index) => {
    const [hour, number] = body.children[index].children;
    write(hour, hourText(name, "full"));
    write(number, numberText(count));
  });
}

/** What is ordered most: a list that is its own text, with a bar to each line. */
export function showItems(items, known) {
  const list = element("items");
  const most = Math.max(1, ...items.map(({ quantity }) => quantity));
  while (list.childElementCount > items.length) list.lastElementChild?.remove();
  while (list.childElementCount < items.length) {
    const bar = shape("svg", { "aria-hidden": "true" });
    bar.append(shape("rect", { height: "100%", rx: 2 }));
    list.append(make("li", "", make("span", "item"), bar, make("b")));
  }
  items.forEach(({ item, quantity }, index) => {
    const [name, bar, number] = list.children[index].children;
    write(name, item);
    mark(bar.firstElementChild, "width", percent((quantity / most) * 100));
    write(number, numberText(quantity));
  });
  show(element("no-items"), known && items.length === 0);
}
