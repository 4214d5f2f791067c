/**
 * What the kitchen's screen knows of the orders: never an older version over a newer one. No DOM and no network.
 * An order is a `StaffOrder` of docs/openapi.yaml.
 */

/** The columns of the screen, which are the open states. */
export const OPEN = ["received", "preparing", "ready"];
export const NEXT = { received: "preparing", preparing: "ready", ready: "collected" };
export const STATE_WORDS = {
  received: "To make", preparing: "Making", ready: "Ready", collected: "Collected", cancelled: "Cancelled",
};

/** The number and the name by which staff call an order. */
export const title = ({ number, customer_name: name }) => `${number} ${name}`;

const MINUTE = 60_000;

const isOpen = ({ state }) => OPEN.includes(state);
const byAge = (one, other) =>
  one.created_at < other.created_at ? -1 : one.created_at > other.created_at ? 1 : one.order_id < other.order_id ? -1 : 1;

export class Kitchen {
  /** The newest version that is known of each order. */
  #orders = new Map();
  /** What is open, but for delayed orders. */
  #listed = new Set();
  #delayed = new Set();
  /** When this screen got the response to a move of its own: earlier requests may return the order as it was before. */
  #movedAt = new Map();
  /** Orders that somebody else cancelled, by the column in which they stay until they are seen. */
  #unseen = new Map();
  /** Orders whose alarm for being overdue has been given. */
  #rung = new Set();
  #recent = [];
  #more = {};
  /** The API's time of the latest response; 0: none yet. */
  #time = 0;

  /** @param {string[]} remembered ids of the orders that this screen showed before it was loaded anew */
  constructor(remembered = []) {
    this.remembered = new Set(remembered);
  }

  /** Whether there is a response yet. */
  get known() {
    return this.#time > 0;
  }

  order(id) {
    return this.#orders.get(id);
  }

  /**
   * Take a response of `GET /kitchen` to the request that was sent at `sentAt`.
   * @returns {{ arrived: object[], cancelled: object[] } | null} what is new to this screen; null: the response is older than the last one
   */
  take(response, sentAt) {
    const time = Date.parse(response.now);
    if (!Number.isFinite(time)) throw new TypeError("not a kitchen");
    if (time < this.#time) return null;
    const first = !this.known;
    const before = this.#listed;
    const columns = new Map([...before].map((id) => [id, this.order(id).state]));
    for (const order of [...response.orders, ...response.delayed, ...response.recent]) this.#learn(order);
    this.#listed = this.#openAmong(response.orders, before, sentAt);
    this.#delayed = this.#openAmong(response.delayed, this.#delayed, sentAt);
    for (const [id, at] of this.#movedAt) if (at <= sentAt) this.#movedAt.delete(id);
    this.#recent = response.recent.map(({ order_id: id }) => id);
    const listed = (state) => response.orders.filter((order) => order.state === state).length;
    const leftOut = (name, count) => [name, Math.max(0, (response.totals?.[name] ?? 0) - count)];
    this.#more = Object.fromEntries([...OPEN.map((state) => leftOut(state, listed(state))), leftOut("delayed", response.delayed.length)]);
    this.#time = time;
    const cancelled = this.#noticeCancelled(first ? this.remembered : before, columns);
    this.#forget();
    const arrived = [...this.#listed].filter((id) => !before.has(id)).map((id) => this.order(id));
    return { arrived: first ? [] : arrived.filter(({ state }) => state === "received"), cancelled: first ? [] : cancelled };
  }

  /** Take the order that a move of this screen returned at the time `at`. */
  confirm(order, at) {
    this.#learn(order);
    const id = order.order_id;
    this.#movedAt.set(id, at);
    this.#delayed.delete(id);
    if (isOpen(this.order(id))) this.#listed.add(id);
    else this.#listed.delete(id);
    this.#recent = [id, ...this.#recent.filter((other) => other !== id)];
  }

  /** The orders of a column, oldest first, with those that were cancelled and not seen yet. */
  column(state) {
    const open = [...this.#listed].map((id) => this.order(id)).filter((order) => order.state === state);
    const cancelled = [...this.#unseen].filter(([, column]) => column === state).map(([id]) => this.order(id));
    return [...open, ...cancelled].sort(byAge);
  }

  /** How many orders of a column there are, with those that the response left out. */
  total(state) {
    return this.column(state).filter(isOpen).length + this.more(state);
  }

  /** How many orders of a column, or delayed ones, the response left out. */
  more(name) {
    return this.#more[name] ?? 0;
  }

  get delayed() {
    return [...this.#delayed].map((id) => this.order(id)).sort(byAge);
  }

  /** Orders that were moved in the last half hour, latest first. */
  get recent() {
    return this.#recent.map((id) => this.order(id)).filter(Boolean);
  }

  /** The ids to remember over a reload, so that nobody misses that one of them is cancelled. */
  get shown() {
    return [...this.#listed, ...this.#unseen.keys()];
  }

  /** Take a cancelled order off the screen. */
  see(id) {
    this.#unseen.delete(id);
  }

  /** How many pieces of each item are still to make, most first. */
  get toMake() {
    const counts = new Map();
    for (const { item, quantity } of [...this.column("received"), ...this.column("preparing")].filter(isOpen)) {
      counts.set(item, (counts.get(item) ?? 0) + quantity);
    }
    return [...counts].sort(([, one], [, other]) => other - one);
  }

  /** Return the orders that have become overdue since the last call. */
  newlyOverdue(now, limits) {
    const late = ["received", "preparing"].flatMap((state) => this.column(state))
      .filter((order) => !this.#rung.has(order.order_id) && lateness(order, now, limits) === "overdue");
    for (const { order_id: id } of late) this.#rung.add(id);
    return late;
  }

  #learn(order) {
    const known = this.#orders.get(order.order_id);
    if (known === undefined || known.version < order.version) this.#orders.set(order.order_id, order);
  }

  /** Return the ids of what is open, except for what was moved here after the request: the known state is newer. */
  #openAmong(orders, before, sentAt) {
    const movedHere = (id) => (this.#movedAt.get(id) ?? -Infinity) > sentAt;
    const ids = orders.map(({ order_id: id }) => id).filter((id) => !movedHere(id) && isOpen(this.order(id)));
    return new Set([...ids, ...[...before].filter(movedHere)]);
  }

  #noticeCancelled(ids, columns) {
    const cancelled = [...ids].map((id) => this.order(id)).filter((order) => order?.state === "cancelled");
    for (const { order_id: id } of cancelled) this.#unseen.set(id, columns.get(id) ?? "received");
    // An order that somebody brought back is no longer cancelled.
    for (const id of this.#unseen.keys()) if (isOpen(this.order(id))) this.#unseen.delete(id);
    return cancelled;
  }

  #forget() {
    const kept = new Set([...this.#listed, ...this.#delayed, ...this.#recent, ...this.#unseen.keys(), ...this.#movedAt.keys()]);
    for (const id of this.#orders.keys()) if (!kept.has(id)) this.#orders.delete(id);
    for (const id of this.#rung) if (!this.#listed.has(id)) this.#rung.delete(id);
  }
}

/** The time from which an order's wait counts: ready orders wait for their customer. */
export const waitsSince = (order) => Date.parse((order.state === "ready" && order.ready_at) || order.created_at);

/** Whether an order that is to be made waits for long. @returns {"" | "due" | "overdue"} */
export function lateness(order, now, { warnMinutes, overdueMinutes }) {
  if (!["received", "preparing"].includes(order.state)) return "";
  const minutes = (now - waitsSince(order)) / MINUTE;
  return minutes >= overdueMinutes ? "overdue" : minutes >= warnMinutes ? "due" : "";
}

/** The attributes that a card shows, as texts. */
export function notes({ attributes }) {
  return Object.entries(attributes ?? {}).filter(([, value]) => value !== null && value !== "").map(([name, value]) => [
    name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
}
