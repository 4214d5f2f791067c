/** The screen at the counter: which numbers are made, and which are ready. It runs for weeks without anybody. */

import { read } from "./api.js";
import { element, make, mark, show, write } from "./dom.js";
import { exactTimeText, locale, now, numberText, setClock, timeText } from "./formats.js";
import { about, poll } from "./polling.js";
import { renewWhenIdle, stayAwake } from "./screen.js";
import { Sound } from "./sound.js";

const BUSY = 2_000; // milliseconds to the next request
const QUIET = 5_000; // the same while no order is open
const TICK = 1_000;
const PAGE = 8_000; // for how long a page is shown where not all numbers fit
const OLD = 15_000; // after so long without a response the screen shows that it is not current
// The sizes of a number, in hundredths of the window's height: the last one is read from the end of a queue.
const PREPARING_SIZES = [20, 17, 14, 12];
const READY_SIZES = [34, 28, 24, 20, 17, 14, 12];

const sound = new Sound(() => {});

let etag = null;
/** What the screen shows. */
let shown = null;
let lastResponse = null;
let isOpen = false;

async function ask() {
  const response = await read("/ready", { etag: shown && etag, parse: ({ now: time, preparing, ready }) => {
    if (![preparing, ready].every(Array.isArray)) throw new TypeError("not the ready numbers");
    isOpen = preparing.length + ready.length > 0;
    return { time: Date.parse(time), preparing: preparing.map(String), ready: ready.map(({ number }) => String(number)) };
  } });
  if (response.data) setClock(response.data.time);
  return response;
}

// --- Numbers ---

/** A list of numbers: as large as they all fit, and at the smallest size in pages that take turns. */
class Numbers {
  #list;
  #counter;
  #sizes;
  #numbers = [];
  #perPage = Infinity;
  #page = 0;

  constructor(name, sizes) {
    this.#sizes = sizes;
    this.#list = element(name);
    this.#counter = element(`${name}-page`);
    this.#list.addEventListener("animationend", ({ target }) => target.classList.remove("new"));
  }

  /** Show these numbers; `fresh` ones are highlighted for a while. */
  show(numbers, fresh = []) {
    const there = new Map([...this.#list.children].map((entry) => [entry.textContent, entry]));
    this.#list.replaceChildren(...numbers.map((number) => there.get(number) ?? make("li", "", number)));
    for (const number of fresh) this.#list.children[numbers.indexOf(number)]?.classList.add("new");
    if (fresh.length) this.#page = 0;
    this.#numbers = numbers;
    this.fit();
  }

  /** Find the largest size at which all fit; where none is small enough, how many make a page. */
  fit() {
    const entries = [...this.#list.children];
    for (const entry of entries) show(entry, true);
    const overflows = () => this.#list.scrollHeight > this.#list.clientHeight + 1 || this.#list.scrollWidth > this.#list.clientWidth + 1;
    for (const size of this.#sizes) {
      this.#list.style.setProperty("--size", String(size));
      if (!overflows()) break;
    }
    this.#perPage = Math.max(1, entries.length);
    while (this.#perPage > 1 && overflows()) {
      this.#perPage -= 1;
      show(entries[this.#perPage], false);
    }
    this.#showPage();
  }

  turn() {
    this.#page += 1;
    this.#showPage();
  }

  #showPage() {
    const pages = Math.max(1, Math.ceil(this.#numbers.length / this.#perPage));
    this.#page %= pages;
    for (const [index, entry] of [...this.#list.children].entries()) {
      show(entry, Math.floor(index / this.#perPage) === this.#page);
    }
    write(this.#counter, pages > 1 ? `${numberText(this.#page + 1)} of ${numberText(pages)}` : "");
  }
}

const preparing = new Numbers("preparing", PREPARING_SIZES);
const ready = new Numbers("ready", READY_SIZES);

function showResponse({ data, etag: tag }) {
  lastResponse = new Date(now());
  if (data !== null && !(shown && data.time < shown.time)) {
    const fresh = shown ? data.ready.filter((number) => !shown.ready.includes(number)) : [];
    preparing.show(data.preparing);
    ready.show(data.ready, fresh);
    show(element("nothing"), data.ready.length === 0);
    if (fresh.length) {
      sound.play("ready");
      write(element("announcement"), `Ready: ${fresh.join(", ")}`);
    }
    [shown, etag] = [data, tag];
  }
  tick();
}

function tick() {
  const date = new Date(now());
  mark(element("clock"), "lang", locale);
  write(element("clock"), timeText(date));
  if (lastResponse === null) return;
  const old = now() - lastResponse > OLD || !navigator.onLine;
  mark(document.body, "data-state", old ? "stale" : "live");
  write(element("updated"), old ? `not current since ${exactTimeText(lastResponse)}` : `updated ${exactTimeText(lastResponse)}`);
}

function showFailure(error, failures) {
  if (lastResponse !== null) return tick();
  if (failures > 1) write(element("updated"), `${error.message}. This screen keeps trying by itself.`);
}

function fit() {
  preparing.fit();
  ready.fit();
}

stayAwake();
renewWhenIdle();
poll(ask, showResponse, showFailure, { every: () => about(isOpen ? BUSY : QUIET) });
setInterval(tick, TICK);
setInterval(() => {
  preparing.turn();
  ready.turn();
}, PAGE);
window.addEventListener("resize", fit);
window.addEventListener("offline", tick);
document.fonts.addEventListener("loadingdone", fit);
