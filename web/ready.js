/** The screen at the counter: which orders are being made, and which are ready. It runs unattended for weeks. */

import { read } from "./api.js";
import { element, make, mark, show, targetOf, write } from "./dom.js";
import { exactTimeText, locale, now, numberText, setClock, timeText } from "./formats.js";
import { about, poll } from "./polling.js";
import { renewWhenIdle, stayAwake } from "./screen.js";
import { Sound } from "./sound.js";

const ACTIVE_POLL = 2_000; // milliseconds to the next request
const IDLE_POLL = 5_000; // the same while no order is open
const TICK = 1_000;
const PAGE_TIME = 8_000; // for how long a page is shown where not all numbers fit
const STALE_AFTER = 15_000; // without a response the screen shows then that it is out of date
// The sizes of a number, in hundredths of the window's height; the smallest can be read from the end of a queue.
const PREPARING_SIZES = [20, 17, 14, 12];
const READY_SIZES = [34, 28, 24, 20, 17, 14, 12];

const sound = new Sound(() => {});

/** @type {string | null} */
let etag = null;
/** The numbers on the screen. @type {ReturnType<typeof readNumbers> | null} */
let displayed = null;
/** @type {Date | null} */
let updatedAt = null;

/** @param {Api.Ready} body */
function readNumbers({ now: time, preparing, ready }) {
  if (![preparing, ready].every(Array.isArray)) throw new TypeError("not the ready numbers");
  return { time: Date.parse(time), preparing: preparing.map(String), ready: ready.map(({ number }) => String(number)) };
}

async function request() {
  const response = await read("/ready", { etag: displayed && etag, parse: readNumbers });
  if (response.data) setClock(response.data.time);
  return response;
}

// --- Numbers ---

/** A list of numbers, at the largest size at which all fit; if they do not fit at the smallest size, in pages. */
class Numbers {
  #list;
  #counter;
  #sizes;
  /** @type {string[]} */
  #numbers = [];
  #perPage = Infinity;
  #page = 0;

  /** @param {string} name @param {number[]} sizes */
  constructor(name, sizes) {
    this.#sizes = sizes;
    this.#list = element(name);
    this.#counter = element(`${name}-page`);
    this.#list.addEventListener("animationend", (event) => targetOf(event).classList.remove("new"));
  }

  get #entries() {
    return this.#list.querySelectorAll("li");
  }

  /** Show these numbers; highlight `fresh` ones for a while. @param {string[]} numbers @param {string[]} fresh */
  show(numbers, fresh = []) {
    const known = new Map([...this.#entries].map((entry) => [entry.textContent, entry]));
    this.#list.replaceChildren(...numbers.map((number) => known.get(number) ?? make("li", "", number)));
    for (const number of fresh) this.#list.children[numbers.indexOf(number)]?.classList.add("new");
    if (fresh.length) this.#page = 0;
    this.#numbers = numbers;
    this.fit();
  }

  /** Find the largest size at which all fit; if no size is small enough, how many fit on a page. */
  fit() {
    const entries = this.#entries;
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
    for (const [index, entry] of this.#entries.entries()) {
      show(entry, Math.floor(index / this.#perPage) === this.#page);
    }
    write(this.#counter, pages > 1 ? `${numberText(this.#page + 1)} of ${numberText(pages)}` : "");
  }
}

const preparing = new Numbers("preparing", PREPARING_SIZES);
const ready = new Numbers("ready", READY_SIZES);

/** @param {Awaited<ReturnType<typeof request>>} response */
function showResponse({ data, etag: tag }) {
  updatedAt = new Date(now());
  if (data !== null && !(displayed && data.time < displayed.time)) {
    const before = displayed?.ready ?? data.ready;
    const fresh = data.ready.filter((number) => !before.includes(number));
    preparing.show(data.preparing);
    ready.show(data.ready, fresh);
    show(element("nothing"), data.ready.length === 0);
    if (fresh.length) {
      sound.play("ready");
      write(element("announcement"), `Ready: ${fresh.join(", ")}`);
    }
    [displayed, etag] = [data, tag];
  }
  tick();
}

function tick() {
  const date = new Date(now());
  mark(element("clock"), "lang", locale);
  write(element("clock"), timeText(date));
  if (updatedAt === null) return;
  const isStale = now() - updatedAt.getTime() > STALE_AFTER || !navigator.onLine;
  mark(document.body, "data-state", isStale ? "stale" : "live");
  write(element("updated"), `${isStale ? "out of date since" : "updated"} ${exactTimeText(updatedAt)}`);
}

/** @param {Error} error @param {number} failures */
function showFailure(error, failures) {
  if (updatedAt !== null) return tick();
  if (failures > 1) write(element("updated"), `${error.message}. This screen keeps trying automatically.`);
}

function fit() {
  preparing.fit();
  ready.fit();
}

stayAwake();
renewWhenIdle();
const isOpen = () => displayed !== null && displayed.preparing.length + displayed.ready.length > 0;
poll(request, showResponse, showFailure, { every: () => about(isOpen() ? ACTIVE_POLL : IDLE_POLL) });
setInterval(tick, TICK);
setInterval(() => {
  preparing.turn();
  ready.turn();
}, PAGE_TIME);
window.addEventListener("resize", fit);
window.addEventListener("offline", tick);
document.fonts.addEventListener("loadingdone", fit);
