/** The kitchen's cards: none moves under a finger, and focus stays on its card. */

import { element, make, mark, show, write } from "./dom.js";
import { dayText, now, numberText, stopwatchText, timeText } from "./formats.js";
import { lateness, notes, OPEN, STATE_WORDS, title, waitsSince } from "./kitchen-orders.js";

const HOLD = 1_500; // milliseconds after the last touch in which every card stays where it is
const HOLD_AT_MOST = 15_000; // somebody who taps without a pause sees the others' moves after so long
const SETTLE = 400; // a card that has moved or come within this time was not meant by a touch
const GLIDE = 180;
const LONGEST = 24; // letters of an item in the line of what is still to make

const NEXT_WORDS = { received: "Start", preparing: "Ready", ready: "Collected", cancelled: "Seen" };

const board = element("board");
const columns = Object.fromEntries(OPEN.map((state) => [state, document.querySelector(`section[data-column="${state}"]`)]));
const tabs = [...document.querySelectorAll(".tabs button")];
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

function createCard(id) {
  const parts = {
    number: make("b", "number"), name: make("span", "name"), late: make("span", "late"), clock: make("span", "clock"),
    pieces: make("b", "pieces"), item: make("span", "item"), notes: make("dl", "notes"), said: make("p", "said"),
    next: make("button", "next"), more: make("button", "more"), card: make("li", "card"),
  };
  const { card, next, more } = parts;
  next.type = more.type = "button";
  card.dataset.id = id;
  card.append(
    make("h3", "", parts.number, " ", parts.name), make("p", "age", parts.clock, " ", parts.late),
    make("p", "what", parts.pieces, " ", parts.item), parts.notes, parts.said, make("div", "foot", next, more),
  );
  return parts;
}

export class Board {
  #kitchen;
  #pending;
  #limits;
  #cards = new Map();
  /** When each card came to where it is. */
  #placedAt = new WeakMap();
  /** Whether the first cards are there, of which none is new. */
  #isFilled = false;
  #pressed = false;
  #pressedAt = -Infinity;
  #touchedAt = -Infinity;
  #heldSince = null;
  #timer;

  /**
   * @param {Map<string, string>} pending the targets of moves that are not confirmed yet, by the order's id
   * @param {{ next: (order) => void, more: (order) => void, seen: (order) => void }} actions
   */
  constructor(kitchen, pending, limits, actions) {
    [this.#kitchen, this.#pending, this.#limits] = [kitchen, pending, limits];
    board.addEventListener("pointerdown", () => {
      this.#pressed = true;
      this.#pressedAt = this.#touchedAt = performance.now();
    });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => this.#release());
    board.addEventListener("click", (event) => this.#tap(event, actions));
    board.addEventListener("animationend", ({ target }) => target.classList.remove("new"));
    for (const tab of tabs) tab.addEventListener("click", () => this.#showColumn(tab.dataset.column));
    const count = () => this.#countRest();
    for (const column of Object.values(columns)) column.querySelector(".cards").addEventListener("scroll", count, { passive: true });
    window.addEventListener("resize", () => this.#showRest());
  }

  /** Whether the cards stay where they are, because somebody touches them. */
  get #isHeld() {
    const time = performance.now();
    if (this.#pressed) return true;
    if (time - this.#touchedAt >= HOLD) this.#heldSince = null;
    else this.#heldSince ??= time;
    return this.#heldSince !== null && time - this.#heldSince < HOLD_AT_MOST;
  }

  /** Show what is known; where cards are held, only what moves none of them. */
  show() {
    if (this.#isHeld) this.#append();
    else this.#arrange();
    for (const [id, parts] of this.#cards) {
      const order = this.#kitchen.order(id);
      if (order !== undefined) this.#flag(parts, order);
    }
    this.tick();
    this.#showRest();
  }

  /** Advance the ages. */
  tick() {
    for (const [id, parts] of this.#cards) {
      const order = this.#kitchen.order(id);
      if (order === undefined || parts.card.dataset.delayed) continue;
      write(parts.clock, stopwatchText(now() - waitsSince(order)));
      const late = lateness(order, now(), this.#limits);
      mark(parts.card, "data-late", late);
      write(parts.late, order.state === "ready" ? "waiting" : late);
    }
  }

  /** Take all names off the page. */
  clear() {
    for (const { card } of this.#cards.values()) card.remove();
    this.#cards.clear();
    this.#isFilled = false;
  }

  #release() {
    if (!this.#pressed) return;
    this.#pressed = false;
    this.#touchedAt = performance.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.show(), HOLD);
  }

  #tap(event, actions) {
    const button = event.target.closest("button");
    if (button?.classList.contains("rest")) this.#scroll(button.closest(".column"));
    const card = button?.closest(".card");
    if (!card) return;
    const byPointer = event.detail > 0;
    if (byPointer && this.#pressedAt - (this.#placedAt.get(card) ?? -Infinity) < SETTLE) return;
    const order = this.#kitchen.order(card.dataset.id);
    if (order === undefined) return;
    if (button.classList.contains("more")) actions.more(order);
    else if (order.state === "cancelled") actions.seen(order);
    else if (button.getAttribute("aria-disabled") !== "true") actions.next(order);
  }

  /** Show whether a card's move is pending, or confirmed while the card still is in its old place. */
  #flag({ card, next }, order) {
    const pending = this.#pending.has(order.order_id);
    const moved = !pending && card.dataset.state !== order.state;
    mark(card, "data-pending", String(pending));
    mark(card, "data-moved", String(moved));
    mark(next, "aria-disabled", String(pending || moved));
    const words = pending ? "Sending …" : moved ? STATE_WORDS[order.state] : this.#nextWords(card, order);
    write(next, words);
    mark(next, "aria-label", `${words}: ${title(order)}`);
  }

  #nextWords(card, order) {
    return card.dataset.delayed ? "Make it" : NEXT_WORDS[order.state];
  }

  #fill(parts, order, delayed) {
    const { card } = parts;
    mark(card, "data-state", order.state);
    if (order.state !== "received") card.classList.remove("new");
    if (delayed) card.dataset.delayed = "true";
    else delete card.dataset.delayed;
    write(parts.number, order.number);
    write(parts.name, order.customer_name);
    write(parts.pieces, `${numberText(order.quantity)} ×`);
    mark(parts.pieces, "data-many", String(order.quantity > 1));
    write(parts.item, order.item);
    const texts = notes(order);
    if (JSON.stringify(texts) !== parts.notes.dataset.texts) {
      parts.notes.dataset.texts = JSON.stringify(texts);
      parts.notes.replaceChildren(...texts.map(([name, value]) => make("div", "", make("dt", "", name), " ", make("dd", "", value))));
    }
    const cancelled = order.state === "cancelled";
    write(parts.said, cancelled ? `Cancelled${order.reason ? `: ${order.reason}` : ""}` : "");
    show(parts.more, !cancelled);
    mark(parts.more, "aria-label", `More for ${title(order)}`);
    if (!delayed) return;
    const created = new Date(order.created_at);
    write(parts.clock, `${dayText(created)}, ${timeText(created)}`);
  }

  #lists() {
    const lists = OPEN.map((state) => [columns[state].querySelector(".cards"), this.#kitchen.column(state)]);
    return [[element("delayed-cards"), this.#kitchen.delayed], ...lists];
  }

  #place(order, list, next) {
    let parts = this.#cards.get(order.order_id);
    if (parts === undefined) {
      parts = createCard(order.order_id);
      parts.card.classList.toggle("new", this.#isFilled);
      this.#cards.set(order.order_id, parts);
    }
    this.#fill(parts, order, list.id === "delayed-cards");
    if (parts.card.parentElement !== list || parts.card.nextElementSibling !== next) list.insertBefore(parts.card, next);
    return parts.card;
  }

  /** Add new cards below those that are there, which moves none. */
  #append() {
    for (const [list, orders] of this.#lists()) {
      if (list.closest("section").hidden) continue;
      const last = orders.findLastIndex(({ order_id: id }) => this.#cards.get(id)?.card.parentElement === list);
      const end = list.lastElementChild;
      if (end !== null && orders[last]?.order_id !== end.dataset.id) continue; // its last card will leave
      for (const order of orders.slice(last + 1)) {
        if (!this.#cards.has(order.order_id)) this.#placedAt.set(this.#place(order, list, null), performance.now());
      }
    }
  }

  #arrange() {
    const places = new Map([...this.#cards.values()].map(({ card }) => [card, card.getBoundingClientRect()]));
    const focus = document.activeElement;
    const focused = focus?.closest(".card");
    const column = focused?.parentElement;
    const index = focused ? [...column.children].indexOf(focused) : -1;
    const kept = new Set();
    for (const [list, orders] of this.#lists()) {
      let next = null;
      for (const order of orders.toReversed()) {
        next = this.#place(order, list, next);
        kept.add(order.order_id);
      }
    }
    for (const [id, { card }] of this.#cards) {
      if (kept.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    this.#showCounts();
    if (focused && document.activeElement !== focus) {
      const target = focused.isConnected ? focus : column.children[Math.min(index, column.childElementCount - 1)]?.querySelector(".next");
      (target ?? column.closest("section").querySelector("h2")).focus({ preventScroll: true });
    }
    if (this.#isFilled) this.#glide(places); // the first cards come into an empty page, and no finger waits there
    this.#isFilled = this.#kitchen.known;
  }

  /** Let cards glide to where they belong, and remember when they came there. */
  #glide(places) {
    for (const { card } of this.#cards.values()) {
      const [before, after] = [places.get(card), card.getBoundingClientRect()];
      const [x, y] = before ? [before.x - after.x, before.y - after.y] : [0, 0];
      if (before && Math.abs(x) < 1 && Math.abs(y) < 1) continue;
      this.#placedAt.set(card, performance.now());
      const visible = after.top < innerHeight && after.bottom > 0 && after.width > 0;
      if (stillness.matches || !visible) continue;
      if (before?.width) card.animate([{ transform: `translate(${x}px, ${y}px)` }, {}], { duration: GLIDE, easing: "ease-out" });
      else card.animate([{ opacity: 0 }, {}], { duration: GLIDE });
    }
  }

  #showCounts() {
    const delayed = this.#kitchen.delayed.length;
    show(element("delayed"), delayed > 0);
    write(element("delayed").querySelector(".count"), numberText(delayed + this.#kitchen.more("delayed")));
    for (const state of OPEN) {
      const total = this.#kitchen.known ? numberText(this.#kitchen.total(state)) : "–";
      write(columns[state].querySelector(".count"), total);
      write(tabs.find((tab) => tab.dataset.column === state).querySelector("b"), total);
      show(columns[state].querySelector(".nothing"), this.#kitchen.known && this.#kitchen.column(state).length === 0);
    }
    const items = this.#kitchen.toMake;
    const short = (item) => ([...item].length > LONGEST ? `${[...item].slice(0, LONGEST - 1).join("")}…` : item);
    const shown = items.slice(0, 6).map(([item, quantity]) => `${short(item)} ${numberText(quantity)}`);
    if (items.length > shown.length) shown.push(`${numberText(items.length - shown.length)} other items`);
    const atLeast = this.#kitchen.more("received") + this.#kitchen.more("preparing") > 0 ? "At least " : "";
    write(element("to-make"), shown.length ? `${atLeast}${shown.join(", ")} still to make` : "");
  }

  /** Give the count of the other cards its place where a column scrolls, or where the API left orders out. */
  #showRest() {
    for (const state of OPEN) {
      const [list, button] = [".cards", ".rest"].map((name) => columns[state].querySelector(name));
      show(button, false);
      show(button, list.scrollHeight > list.clientHeight + 1 || this.#kitchen.more(state) > 0);
    }
    this.#countRest();
  }

  /** Count the cards below the edge of each column, and those that the API left out. */
  #countRest() {
    for (const state of OPEN) {
      const [list, button] = [".cards", ".rest"].map((name) => columns[state].querySelector(name));
      const edge = list.getBoundingClientRect().bottom;
      const isBelow = ({ top, bottom }) => (top + bottom) / 2 > edge;
      const scrolls = list.scrollHeight > list.clientHeight + 1;
      const below = scrolls ? [...list.children].filter((card) => isBelow(card.getBoundingClientRect())).length : 0;
      const more = below + this.#kitchen.more(state);
      write(button, `+ ${numberText(more)} more`);
      button.classList.toggle("none", more === 0);
    }
  }

  #scroll(column) {
    const list = column.querySelector(".cards");
    list.scrollBy({ top: list.clientHeight * 0.8, behavior: stillness.matches ? "auto" : "smooth" });
  }

  #showColumn(state) {
    mark(board, "data-shown", state);
    for (const tab of tabs) mark(tab, "aria-pressed", String(tab.dataset.column === state));
    this.#showRest();
  }
}
