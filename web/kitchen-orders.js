/** The orders that the kitchen's screen knows: an older version never replaces a newer one. No DOM and no network. */

/** @typedef {Api.StaffOrder} Order */

/** The columns of the screen, which are the open states. @type {Api.OpenState[]} */
export const OPEN = ["received", "preparing", "ready"];
/** @type {Partial<Record<Api.State, Api.State>>} */
export const NEXT = { received: "preparing", preparing: "ready", ready: "collected" };
export const STATE_WORDS = {
  received: "To make", preparing: "Making", ready: "Ready", collected: "Collected", cancelled: "Cancelled",
};

/** Return the number and the name by which staff call an order. @param {Order} order */
export const title = ({ number, customer_name: name }) => `${number} ${name}`;

/** Return when an order was placed; an earlier system recorded orders without that time. @param {Order} order */
export const placedAt = (order) => order.created_at ?? order.state_at;

const MINUTE = 60_000;

/** @param {Order | undefined} order */
const isOpen = (order) => order !== undefined && order.state in NEXT;

/** @param {Order} order */
const age = (order) => `${placedAt(order)} ${order.order_id}`;
/** @param {Order} one @param {Order} other */
const byAge = (one, other) => (age(one) < age(other) ? -1 : 1);

export class Kitchen {
  /** The newest known version of each order. @type {Map<string, Order>} */
  #orders = new Map();
  /** Ids of open orders that are not delayed. @type {Set<string>} */
  #listed = new Set();
  /** @type {Set<string>} */
  #delayed = new Set();
  /**
   * When this screen received the response to its own move: requests sent before may still return the earlier state.
   * @type {Map<string, number>}
   */
  #movedAt = new Map();
  /** Orders that another screen cancelled, by the column in which they stay until acknowledged. @type {Map<string, Api.State>} */
  #unseen = new Map();
  /** Orders for which the overdue alarm has sounded. @type {Set<string>} */
  #alarmed = new Set();
  /** @type {string[]} */
  #recent = [];
  /** @type {Record<string, number>} */
  #more = {};
  /** The API's time of the latest response; 0: none yet. */
  #time = 0;

  /** @param {string[]} remembered ids of the orders that this screen showed before a reload */
  constructor(remembered = []) {
    this.remembered = new Set(remembered);
  }

  /** True after the first response. */
  get known() {
    return this.#time > 0;
  }

  /** @param {string} id */
  order(id) {
    return this.#orders.get(id);
  }

  /** Return the known orders with these ids. @param {Iterable<string>} ids */
  #all(ids) {
    return [...ids].flatMap((id) => this.order(id) ?? []);
  }

  /**
   * Take a response of `GET /kitchen`.
   * @param {Api.Kitchen} response
   * @param {number} sentAt when the request was sent, by `performance.now()`
   * @returns {{ arrived: Order[], cancelled: Order[] } | null} what is new; null: the response is older than an earlier one
   */
  take(response, sentAt) {
    const time = Date.parse(response.now);
    if (!Number.isFinite(time)) throw new TypeError("not a kitchen");
    if (time < this.#time) return null;
    const first = !this.known;
    const before = this.#listed;
    const columns = new Map(this.#all(before).map(({ order_id: id, state }) => [id, state]));
    for (const order of [...response.orders, ...response.delayed, ...response.recent]) this.#learn(order);
    this.#listed = this.#openAmong(response.orders, before, sentAt);
    this.#delayed = this.#openAmong(response.delayed, this.#delayed, sentAt);
    for (const [id, at] of this.#movedAt) if (at <= sentAt) this.#movedAt.delete(id);
    this.#recent = response.recent.map(({ order_id: id }) => id);
    this.#more = { delayed: (response.totals?.delayed ?? 0) - response.delayed.length };
    for (const state of OPEN) {
      this.#more[state] = (response.totals?.[state] ?? 0) - response.orders.filter((order) => order.state === state).length;
    }
    this.#time = time;
    const cancelled = this.#noticeCancelled(first ? this.remembered : before, columns);
    this.#forget();
    if (first) return { arrived: [], cancelled: [] };
    const arrived = this.#all(this.#listed).filter(({ order_id: id, state }) => !before.has(id) && state === "received");
    return { arrived, cancelled };
  }

  /** Take the response to a move of this screen. @param {Order} order @param {number} at when it arrived, by `performance.now()` */
  confirm(order, at) {
    this.#learn(order);
    const id = order.order_id;
    this.#movedAt.set(id, at);
    this.#delayed.delete(id);
    if (isOpen(this.order(id))) this.#listed.add(id);
    else this.#listed.delete(id);
    this.#recent = [id, ...this.#recent.filter((other) => other !== id)];
  }

  /** Return the orders of a column, oldest first, with cancelled ones until they are acknowledged. @param {Api.OpenState} state */
  column(state) {
    const open = this.#all(this.#listed).filter((order) => order.state === state);
    const cancelled = this.#all(this.#unseen.keys()).filter(({ order_id: id }) => this.#unseen.get(id) === state);
    return [...open, ...cancelled].sort(byAge);
  }

  /** Count the orders of a column, with those that the response left out. @param {Api.OpenState} state */
  total(state) {
    return this.column(state).filter(isOpen).length + this.more(state);
  }

  /** Count the orders that the response left out. @param {Api.OpenState | "delayed"} name */
  more(name) {
    return Math.max(0, this.#more[name] ?? 0);
  }

  get delayed() {
    return this.#all(this.#delayed).sort(byAge);
  }

  /** Orders that were moved in the last half hour, latest first. */
  get recent() {
    return this.#all(this.#recent);
  }

  /** The ids of the cards. */
  get ids() {
    return [...this.#listed, ...this.#unseen.keys()];
  }

  /** Remove the card of a cancelled order. @param {string} id */
  acknowledge(id) {
    this.#unseen.delete(id);
  }

  /** The items to make with their quantities, largest first. */
  get toMake() {
    const counts = new Map();
    for (const { item, quantity } of [...this.column("received"), ...this.column("preparing")].filter(isOpen)) {
      counts.set(item, (counts.get(item) ?? 0) + quantity);
    }
    return [...counts].sort(([, one], [, other]) => other - one);
  }

  /** Return the orders that have become overdue since the last call. @param {number} now milliseconds @param {Limits} limits */
  newlyOverdue(now, limits) {
    const late = [...this.column("received"), ...this.column("preparing")]
      .filter((order) => !this.#alarmed.has(order.order_id) && lateness(order, now, limits) === "overdue");
    for (const { order_id: id } of late) this.#alarmed.add(id);
    return late;
  }

  /** @param {Order} order */
  #learn(order) {
    const known = this.#orders.get(order.order_id);
    if (known === undefined || known.version < order.version) this.#orders.set(order.order_id, order);
  }

  /**
   * Return the ids of open orders. Those that this screen moved after the request stay where they were: that state is newer.
   * @param {Order[]} orders
   * @param {Set<string>} before
   * @param {number} sentAt
   */
  #openAmong(orders, before, sentAt) {
    const movedHere = (/** @type {string} */ id) => (this.#movedAt.get(id) ?? -Infinity) > sentAt;
    const ids = orders.map(({ order_id: id }) => id).filter((id) => !movedHere(id) && isOpen(this.order(id)));
    return new Set([...ids, ...[...before].filter(movedHere)]);
  }

  /** @param {Set<string>} ids @param {Map<string, Api.State>} columns */
  #noticeCancelled(ids, columns) {
    const cancelled = this.#all(ids).filter(({ state }) => state === "cancelled");
    for (const { order_id: id } of cancelled) this.#unseen.set(id, columns.get(id) ?? "received");
    // A cancellation may have been undone.
    for (const id of this.#unseen.keys()) if (isOpen(this.order(id))) this.#unseen.delete(id);
    return cancelled;
  }

  #forget() {
    const kept = new Set([...this.#listed, ...this.#delayed, ...this.#recent, ...this.#unseen.keys(), ...this.#movedAt.keys()]);
    for (const id of this.#orders.keys()) if (!kept.has(id)) this.#orders.delete(id);
    for (const id of this.#alarmed) if (!this.#listed.has(id)) this.#alarmed.delete(id);
  }
}

/** Return the time from which an order's wait counts: a ready order waits for its customer. @param {Order} order */
export const waitsSince = (order) => Date.parse((order.state === "ready" && order.ready_at) || placedAt(order));

/**
 * Return whether an order that is to be made has waited for long.
 * @param {Order} order
 * @param {number} now milliseconds
 * @param {Limits} limits
 * @returns {"" | "due" | "overdue"}
 */
export function lateness(order, now, { warnMinutes, overdueMinutes }) {
  if (!["received", "preparing"].includes(order.state)) return "";
  const minutes = (now - waitsSince(order)) / MINUTE;
  return minutes >= overdueMinutes ? "overdue" : minutes >= warnMinutes ? "due" : "";
}

/** Return the attributes that a card shows, as texts. @param {Order} order */
export function notes({ attributes }) {
  return Object.entries(attributes ?? {}).filter(([, value]) => value !== null && value !== "").map(([name, value]) => [
    name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
}
