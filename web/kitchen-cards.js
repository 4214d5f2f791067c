/** The kitchen's cards: none moves under a finger, and focus stays on its card. */

import { element, find, make, mark, show, targetOf, write } from "./dom.js";
import { dayText, now, numberText, stopwatchText, timeText } from "./formats.js";
import { lateness, notes, OPEN, placedAt, STATE_WORDS, title, waitsSince } from "./kitchen-orders.js";

/** @typedef {Api.StaffOrder} Order @typedef {ReturnType<typeof createCard>} Parts */

const HOLD = 1_500; // milliseconds after the last touch in which every card stays where it is
const LONGEST_HOLD = 15_000; // milliseconds, also while somebody keeps tapping
const SETTLE = 400; // milliseconds after a card has moved in which a touch was meant for another card
const GLIDE = 180; // milliseconds
const LONGEST_ITEM = 24; // letters of an item in the summary of what is still to make

/** @type {Partial<Record<Api.State, string>>} */
const NEXT_WORDS = { received: "Start", preparing: "Ready", ready: "Collected", cancelled: "Seen" };

const board = element("board");
const columns = OPEN.map((state) => {
  const section = find(`section[data-column="${state}"]`, HTMLElement);
  const part = (/** @type {string} */ selector) => find(selector, HTMLElement, section);
  const [list, count, nothing, rest] = [".cards", ".count", ".nothing", ".rest"].map(part);
  return { state, section, list, count, nothing, rest, tab: find(`.tabs [data-column="${state}"]`, HTMLElement) };
});
const delayed = element("delayed");
const delayedList = element("delayed-cards");
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** @param {string} id */
function createCard(id) {
  const parts = {
    number: make("b", "number"), name: make("span", "name"), late: make("span", "late"), clock: make("span", "clock"),
    pieces: make("b", "pieces"), item: make("span", "item"), notes: make("dl", "notes"), reason: make("p", "reason"),
    next: make("button", "next"), more: make("button", "more"), card: make("li", "card"),
  };
  const { card, next, more } = parts;
  next.type = more.type = "button";
  card.dataset.id = id;
  card.append(
    make("h3", "", parts.number, " ", parts.name), make("p", "age", parts.clock, " ", parts.late),
    make("p", "what", parts.pieces, " ", parts.item), parts.notes, parts.reason, make("div", "foot", next, more),
  );
  return parts;
}

export class Board {
  #kitchen;
  #pending;
  #limits;
  /** Cards by the order's id. @type {Map<string, Parts>} */
  #cards = new Map();
  /** When each card arrived at its place. @type {WeakMap<Element, number>} */
  #placedAt = new WeakMap();
  /** True once the first cards are shown, which are not highlighted. */
  #isFilled = false;
  #pressed = false;
  #pressedAt = -Infinity;
  #touchedAt = -Infinity;
  /** @type {number | null} */
  #heldSince = null;
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {import("./kitchen-orders.js").Kitchen} kitchen
   * @param {Set<string>} pending ids of the orders with an unconfirmed move
   * @param {Limits} limits
   * @param {Record<"next" | "more" | "acknowledge", (order: Order) => void>} actions
   */
  constructor(kitchen, pending, limits, actions) {
    this.#kitchen = kitchen;
    this.#pending = pending;
    this.#limits = limits;
    board.addEventListener("pointerdown", () => {
      this.#pressed = true;
      this.#pressedAt = this.#touchedAt = performance.now();
    });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => this.#release());
    board.addEventListener("click", (event) => this.#tap(event, actions));
    board.addEventListener("animationend", (event) => targetOf(event).classList.remove("new"));
    for (const { state, tab, list, rest } of columns) {
      tab.addEventListener("click", () => this.#showColumn(state));
      list.addEventListener("scroll", () => this.#countRest(), { passive: true });
      rest.addEventListener("click", () =>
        list.scrollBy({ top: list.clientHeight * 0.8, behavior: reducedMotion.matches ? "auto" : "smooth" }));
    }
    window.addEventListener("resize", () => this.#showRest());
  }

  /** True while the cards stay where they are, because somebody touches them. */
  get #isHeld() {
    const time = performance.now();
    if (this.#pressed) return true;
    if (time - this.#touchedAt >= HOLD) this.#heldSince = null;
    else this.#heldSince ??= time;
    return this.#heldSince !== null && time - this.#heldSince < LONGEST_HOLD;
  }

  /** Show the orders; while cards are held, only changes that move none of them. */
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

  /** Update the ages. */
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

  /** Remove all cards, and so all names. */
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

  /** @param {MouseEvent} event @param {Record<"next" | "more" | "acknowledge", (order: Order) => void>} actions */
  #tap(event, actions) {
    const button = targetOf(event).closest("button");
    const card = button?.closest(".card");
    if (!button || !card) return;
    const byPointer = event.detail > 0;
    if (byPointer && this.#pressedAt - (this.#placedAt.get(card) ?? -Infinity) < SETTLE) return;
    const order = this.#kitchen.order(card.getAttribute("data-id") ?? "");
    if (order === undefined) return;
    if (button.classList.contains("more")) actions.more(order);
    else if (order.state === "cancelled") actions.acknowledge(order);
    else if (button.getAttribute("aria-disabled") !== "true") actions.next(order);
  }

  /**
   * Show whether a card's move is pending, or confirmed while the card still is in its old place.
   * @param {Parts} parts
   * @param {Order} order
   */
  #flag({ card, next }, order) {
    const pending = this.#pending.has(order.order_id);
    const moved = !pending && card.dataset.state !== order.state;
    mark(card, "data-pending", String(pending));
    mark(card, "data-moved", String(moved));
    mark(next, "aria-disabled", String(pending || moved));
    const move = card.dataset.delayed ? "Make it" : NEXT_WORDS[order.state];
    const words = pending ? "Sending …" : moved ? STATE_WORDS[order.state] : (move ?? "");
    write(next, words);
    mark(next, "aria-label", `${words}: ${title(order)}`);
  }

  /** @param {Parts} parts @param {Order} order @param {boolean} isDelayed */
  #fill(parts, order, isDelayed) {
    const { card } = parts;
    mark(card, "data-state", order.state);
    if (order.state !== "received") card.classList.remove("new");
    if (isDelayed) card.dataset.delayed = "true";
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
    write(parts.reason, cancelled ? `Cancelled${order.reason ? `: ${order.reason}` : ""}` : "");
    show(parts.more, !cancelled);
    mark(parts.more, "aria-label", `More for ${title(order)}`);
    if (!isDelayed) return;
    const placed = new Date(placedAt(order));
    write(parts.clock, `${dayText(placed)}, ${timeText(placed)}`);
  }

  /** @returns {{ section: HTMLElement, list: HTMLElement, orders: Order[] }[]} */
  #lists() {
    const lists = columns.map(({ state, section, list }) => ({ section, list, orders: this.#kitchen.column(state) }));
    return [{ section: delayed, list: delayedList, orders: this.#kitchen.delayed }, ...lists];
  }

  /** @param {Order} order @param {HTMLElement} list @param {Element | null} next */
  #place(order, list, next) {
    let parts = this.#cards.get(order.order_id);
    if (parts === undefined) {
      parts = createCard(order.order_id);
      parts.card.classList.toggle("new", this.#isFilled);
      this.#cards.set(order.order_id, parts);
    }
    this.#fill(parts, order, list === delayedList);
    if (parts.card.parentElement !== list || parts.card.nextElementSibling !== next) list.insertBefore(parts.card, next);
    return parts.card;
  }

  /** Add new cards below those that are there, which moves none. */
  #append() {
    for (const { section, list, orders } of this.#lists()) {
      if (section.hidden) continue;
      const last = orders.findLastIndex(({ order_id: id }) => this.#cards.get(id)?.card.parentElement === list);
      const end = list.lastElementChild;
      if (end !== null && orders[last]?.order_id !== end.getAttribute("data-id")) continue; // its last card will leave
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
    const index = focused && column ? [...column.children].indexOf(focused) : -1;
    const kept = new Set();
    for (const { list, orders } of this.#lists()) {
      /** @type {HTMLElement | null} */
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
    if (focused && column && document.activeElement !== focus) {
      const near = column.children[Math.min(index, column.childElementCount - 1)]?.querySelector(".next");
      const target = focused.isConnected ? focus : (near ?? column.closest("section")?.querySelector("h2"));
      if (target instanceof HTMLElement) target.focus({ preventScroll: true });
    }
    if (this.#isFilled) this.#glide(places); // the first cards are not animated
    this.#isFilled = this.#kitchen.known;
  }

  /** Let cards glide to their places, and remember when they arrived. @param {Map<Element, DOMRect>} places */
  #glide(places) {
    for (const { card } of this.#cards.values()) {
      const [before, after] = [places.get(card), card.getBoundingClientRect()];
      const [x, y] = before ? [before.x - after.x, before.y - after.y] : [0, 0];
      if (before && Math.abs(x) < 1 && Math.abs(y) < 1) continue;
      this.#placedAt.set(card, performance.now());
      const visible = after.top < innerHeight && after.bottom > 0 && after.width > 0;
      if (reducedMotion.matches || !visible) continue;
      if (before?.width) card.animate([{ transform: `translate(${x}px, ${y}px)` }, {}], { duration: GLIDE, easing: "ease-out" });
      else card.animate([{ opacity: 0 }, {}], { duration: GLIDE });
    }
  }

  #showCounts() {
    const count = this.#kitchen.delayed.length;
    show(delayed, count > 0);
    write(find(".count", HTMLElement, delayed), numberText(count + this.#kitchen.more("delayed")));
    for (const column of columns) {
      const total = this.#kitchen.known ? numberText(this.#kitchen.total(column.state)) : "–";
      write(column.count, total);
      write(find("b", HTMLElement, column.tab), total);
      show(column.nothing, this.#kitchen.known && this.#kitchen.column(column.state).length === 0);
    }
    const items = this.#kitchen.toMake;
    const words = items.slice(0, 6).map(([item, quantity]) => `${shorten(item)} ${numberText(quantity)}`);
    if (items.length > words.length) words.push(`${numberText(items.length - words.length)} other items`);
    const atLeast = this.#kitchen.more("received") + this.#kitchen.more("preparing") > 0 ? "At least " : "";
    write(element("to-make"), words.length ? `${atLeast}${words.join(", ")} still to make` : "");
  }

  /** Show the button for the other cards where a column scrolls, or where the API left orders out. */
  #showRest() {
    for (const { state, list, rest } of columns) {
      show(rest, false);
      show(rest, scrolls(list) || this.#kitchen.more(state) > 0);
    }
    this.#countRest();
  }

  /** Count the cards below the edge of each column, and those that the API left out. */
  #countRest() {
    for (const { state, list, rest } of columns) {
      const edge = list.getBoundingClientRect().bottom;
      const isBelow = (/** @type {DOMRect} */ { top, bottom }) => (top + bottom) / 2 > edge;
      const below = scrolls(list) ? [...list.children].filter((card) => isBelow(card.getBoundingClientRect())).length : 0;
      const more = below + this.#kitchen.more(state);
      write(rest, `+ ${numberText(more)} more`);
      rest.classList.toggle("none", more === 0);
    }
  }

  /** @param {Api.OpenState} state */
  #showColumn(state) {
    mark(board, "data-tab", state);
    for (const { tab } of columns) mark(tab, "aria-pressed", String(tab.dataset.column === state));
    this.#showRest();
  }
}

/** @param {Element} list */
const scrolls = (list) => list.scrollHeight > list.clientHeight + 1;

/** @param {string} item */
const shorten = (item) => ([...item].length > LONGEST_ITEM ? `${[...item].slice(0, LONGEST_ITEM - 1).join("")}…` : item);
