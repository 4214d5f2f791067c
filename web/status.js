/** The order status: what an API response means, and its sentences on the page. No DOM and no network. */

import { dayText, exactTimeText, hourText, numberText, timeText } from "./formats.js";

const STUCK_AFTER = 60_000; // milliseconds without progress; SQS's figures lag by less
const COMPARED_WITHIN = 5 * 60_000; // milliseconds; the stores are compared every minute

/** @type {Record<string, string>} */
const SOURCES = {
  rds: "the order history (RDS)",
  dynamodb: "the counters (DynamoDB)",
  sqs: "the queue (SQS)",
};

/**
 * Return the status after a response. What the response lacks is kept from before, and marked as old.
 * @param {Untrusted<Api.OrderStatus>} response
 * @param {Status | null} before
 * @param {number} now milliseconds
 * @returns {Status}
 * @throws {TypeError} when the response is not an order status
 */
export function readStatus(response, before, now) {
  if (response === null || typeof response !== "object" || !("recent_orders" in response)) {
    throw new TypeError("not an order status");
  }
  const degraded = list(response.degraded).map(String);
  const hours = list(response.hourly).flatMap((entry) =>
    isNumber(entry?.count) ? [{ name: String(entry.hour), count: entry.count }] : []);
  const items = list(response.top_items).flatMap((entry) =>
    isNumber(entry?.quantity) ? [{ item: String(entry.item), quantity: entry.quantity }] : []);
  // While a source is unavailable, the API returns its lists empty.
  const orders = list(response.recent_orders).map(readOrder);
  const hasOrders = Array.isArray(response.recent_orders) && (orders.length > 0 || !degraded.includes("rds"));
  const keepHours = hours.length === 0 && degraded.includes("dynamodb");
  const keepItems = items.length === 0 && degraded.includes("rds");
  const figures = readFigures(readNumbers(response, hours.at(-1)?.count), before);
  const isStill = before !== null && inTransit(before.figures) > 0 && inTransit(figures) > 0
    && before.figures.total.value === figures.total.value;
  const sync = response.sync;
  return {
    figures,
    orders: hasOrders ? orders : (before?.orders ?? null),
    hours: (keepHours && before?.hours) || hours,
    items: (keepItems && before?.items) || items,
    rdsAsOf: readTime(sync?.rds_orders?.as_of) ?? before?.rdsAsOf ?? null,
    inSync: typeof sync?.in_sync === "boolean" ? sync.in_sync : null,
    driftSince: readTime(sync?.drift_since),
    unknownSince: readTime(sync?.unknown_since),
    unknownReason: String(sync?.unknown_reason ?? ""),
    deadLetters: readDeadLetters(sync?.dead_letters),
    degraded,
    generatedAt: response.generated_at ?? null,
    movedAt: isStill ? before.movedAt : now,
  };
}

/** @param {Status["figures"]} figures */
const inTransit = ({ waiting, inFlight }) => (waiting.value ?? 0) + (inFlight.value ?? 0);

/**
 * @param {NonNullable<Untrusted<Api.OrderStatus>>} response
 * @param {number | undefined} thisHour
 * @returns {Record<FigureName, unknown>}
 */
function readNumbers({ metrics, today, sync, open_orders: open }, thisHour) {
  const total = (/** @type {string} */ name) => list(metrics).find((entry) => entry?.metric === name)?.count;
  return {
    total: total("TOTAL_ORDERS"),
    today: today?.count ?? total("TODAY_ORDERS"),
    yesterday: today?.same_time_yesterday,
    thisHour,
    waiting: sync?.waiting,
    inFlight: sync?.in_flight,
    deadLettered: sync?.dead_lettered,
    inRds: sync?.rds_orders?.count,
    counted: sync?.dynamodb_orders,
    drift: sync?.drift,
    received: open?.received,
    preparing: open?.preparing,
    ready: open?.ready,
  };
}

/** @param {Record<FigureName, unknown>} numbers @param {Status | null} before */
function readFigures(numbers, before) {
  const names = /** @type {FigureName[]} */ (Object.keys(numbers));
  const figures = names.map((name) => {
    const known = before?.figures[name].value ?? null;
    const value = numbers[name];
    return [name, isNumber(value) ? { value, old: false } : { value: known, old: known !== null }];
  });
  return /** @type {Record<FigureName, Figure>} */ (Object.fromEntries(figures));
}

/** @param {Untrusted<Api.Sync["dead_letters"]> | undefined} found */
function readDeadLetters(found) {
  const asOf = readTime(found?.as_of);
  const [rejected, conflicting, waiting] = [found?.rejected, found?.conflicting ?? 0, found?.waiting];
  const isComplete = isNumber(rejected) && isNumber(conflicting) && isNumber(waiting);
  return asOf && isComplete ? { rejected, conflicting, waiting, asOf } : null;
}

/** @param {Untrusted<Api.RecentOrder> | undefined} order */
function readOrder(order) {
  const createdAt = readTime(order?.created_at);
  const [item, customer] = [order?.item ?? "–", order?.customer_name ?? "–"].map(String);
  const quantity = isNumber(order?.quantity) ? numberText(order.quantity) : "–";
  const id = order?.order_id ?? [order?.created_at, customer, item, quantity].join();
  return { id: String(id), item, quantity, customer, createdAt };
}

/**
 * @template T
 * @param {T[] | null | undefined} value
 */
const list = (value) => (Array.isArray(value) ? value : []);

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => Number.isFinite(value);

/** @param {unknown} text */
function readTime(text) {
  const date = new Date(typeof text === "string" ? text : NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** @param {number} count @param {string} one @param {string} many */
const counted = (count, one, many) => `${numberText(count)} ${count === 1 ? one : many}`;

/**
 * Compare today with yesterday up to the same time.
 * @param {Status} status
 * @returns {{ trend: "up" | "down" | "same" | "unknown", words: string }}
 */
export function comparedWords({ figures: { today, yesterday } }) {
  if (today.value === null || yesterday.value === null) return { trend: "unknown", words: "yesterday is unknown" };
  const more = today.value - yesterday.value;
  const then = `than yesterday at this time (${numberText(yesterday.value)})`;
  if (more > 0) return { trend: "up", words: `${numberText(more)} more ${then}` };
  if (more < 0) return { trend: "down", words: `${numberText(-more)} fewer ${then}` };
  return { trend: "same", words: "as many as yesterday at this time" };
}

/** @param {Status} status */
export const rdsWords = ({ rdsAsOf }) => (rdsAsOf ? `rows at ${timeText(rdsAsOf)}` : "not counted yet");

/**
 * Describe whether both stores hold the same orders.
 * @param {Status} status
 * @param {number} now milliseconds
 * @returns {{ agree: "yes" | "no" | "soon" | "unknown", words: string }}
 */
export function syncWords(status, now) {
  const { inSync, driftSince, figures, degraded, rdsAsOf } = status;
  const unknownSince = notComparedSince(status, now);
  if (unknownSince) return { agree: "unknown", words: `unknown since ${sinceText(unknownSince, now)}` };
  if (inSync === null) return { agree: "unknown", words: degraded.length ? "unknown" : "not compared yet" };
  if (inSync) return { agree: "yes", words: rdsAsOf ? `in sync at ${timeText(rdsAsOf)}` : "in sync" };
  const drift = figures.drift.value || (figures.inRds.value ?? 0) - (figures.counted.value ?? 0);
  const words = drift ? `${numberText(Math.abs(drift))} apart` : "they differ";
  // An order is in one store a moment before the other: while some are in transit, a difference is normal.
  if (inTransit(figures) && !driftSince) return { agree: "soon", words };
  return { agree: "no", words: driftSince ? `${words} since ${sinceText(driftSince, now)}` : words };
}

/**
 * Return since when RDS and DynamoDB have not been compared, null if they recently were; a known difference stays one.
 * @param {Status} status
 * @param {number} now milliseconds
 * @returns {Date | null}
 */
function notComparedSince({ inSync, unknownSince, rdsAsOf }, now) {
  if (inSync === false) return null;
  return unknownSince ?? (inSync && rdsAsOf && now - rdsAsOf.getTime() > COMPARED_WITHIN ? rdsAsOf : null);
}

/** @param {Date} date @param {number} now milliseconds */
function sinceText(date, now) {
  const today = dayText(date) === dayText(new Date(now));
  return today ? timeText(date) : `${dayText(date)}, ${timeText(date)}`;
}

/**
 * Describe the dead-letter queue: messages that need an operator, orders that will be recorded automatically, and
 * messages that arrived after the last sweep, which are not checked yet.
 * @param {Status} status
 * @param {number} now milliseconds
 * @returns {{ stuck: string[], waiting: string, unseen: string }} each empty without such messages
 */
function deadWords({ figures, deadLetters }, now) {
  const dead = figures.deadLettered.value ?? 0; // last known value: the alert stays while SQS cannot be read
  const failed = (/** @type {number} */ number) => (number ? `${counted(number, "message", "messages")} failed three times` : "");
  const isChecked = deadLetters && now - deadLetters.asOf.getTime() <= COMPARED_WITHIN;
  if (!isChecked) return { stuck: dead ? [failed(dead)] : [], waiting: "", unseen: "" };
  const rejected = Math.min(deadLetters.rejected, dead);
  const conflicting = Math.min(deadLetters.conflicting, dead - rejected);
  const waiting = Math.min(deadLetters.waiting, dead - rejected - conflicting);
  const stuck = [];
  if (rejected) stuck.push(counted(rejected, "message is not a valid order", "messages are not valid orders"));
  if (conflicting) stuck.push(`${counted(conflicting, "order has", "orders have")} an id that belongs to another order`);
  return {
    stuck,
    waiting: waiting ? `${counted(waiting, "order waits", "orders wait")} for a store` : "",
    unseen: failed(dead - rejected - conflicting - waiting),
  };
}

/**
 * Describe where orders are, and where they are stuck: a sentence, and a level for each hop that has one.
 * @param {Status} status
 * @param {number} now milliseconds
 * @returns {{ level: Level, words: string, hops: Record<string, Level> }} hops by their names
 */
export function verdict(status, now) {
  const { figures, degraded } = status;
  const dead = deadWords(status, now);
  const [waiting, inFlight] = [figures.waiting, figures.inFlight].map(({ value, old }) => (old ? 0 : (value ?? 0)));
  const stalled = now - status.movedAt >= STUCK_AFTER;
  const sync = syncWords(status, now);
  /** @type {Record<string, Level>} */
  const hops = Object.fromEntries(degraded.map((source) => [source, "unknown"]));
  if (degraded.includes("sqs")) hops.lambda = hops.dlq = "unknown";
  const stuck = [...dead.stuck];
  if (dead.waiting) hops.dlq = "busy";
  if (stuck.length) hops.dlq = "stuck";
  if (inFlight > 0) hops.lambda = stalled ? "stuck" : "busy";
  if (waiting > 0) hops.sqs = stalled && inFlight === 0 ? "stuck" : "busy";
  if (hops.sqs === "stuck") stuck.push(`about ${counted(waiting, "order is", "orders are")} waiting, and no worker receives them`);
  if (hops.lambda === "stuck") stuck.push(`the worker has ${counted(inFlight, "order", "orders")} and finishes none`);
  if (sync.agree === "no") {
    hops.sync = "stuck";
    stuck.push(`RDS and DynamoDB are ${sync.words.replace("they differ", "not the same")}`);
  }
  if (stuck.length) return { level: "stuck", words: clauses([...stuck, dead.waiting, dead.unseen]), hops };
  if (dead.waiting || dead.unseen) {
    const waiting = dead.waiting && `${dead.waiting} and will be recorded automatically`;
    const unseen = dead.unseen && `${dead.unseen}; the reason will be known within a minute`;
    return { level: "busy", words: clauses([waiting, unseen]), hops };
  }
  const isUnread = degraded.includes("sqs") || figures.waiting.value === null;
  if (isUnread) return { level: "unknown", words: "It is unknown whether orders are waiting.", hops };
  const moving = waiting + inFlight;
  if (moving > 0) return { level: "busy", words: `About ${counted(moving, "order is", "orders are")} on the way.`, hops };
  const since = notComparedSince(status, now);
  const reason = status.unknownReason && `: ${status.unknownReason}`;
  const notCompared = since && `RDS and DynamoDB have not been compared since ${sinceText(since, now)}${reason}`;
  const known = degraded.length ? "no orders are known to be waiting" : null;
  if (known || notCompared) return { level: "unknown", words: clauses([known, notCompared]), hops };
  return { level: "good", words: figures.total.value === 0 ? "Ready for the first order." : "All orders are recorded.", hops };
}

/** @param {(string | null)[]} parts */
const clauses = (parts) => sentence(parts.filter(Boolean).join("; "));
/** @param {string} words */
const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

/** @param {string[]} degraded */
export function degradedWords(degraded) {
  const names = new Intl.ListFormat("en").format(degraded.map((name) => SOURCES[name] ?? name));
  return `${sentence(`${names} cannot be read now`)} The page keeps the last known figures.`;
}

/** @param {string} reason @param {Date | null} updatedAt */
export function staleWords(reason, updatedAt) {
  const since = updatedAt ? ` The figures are from ${exactTimeText(updatedAt)}.` : "";
  return `${reason}.${since} This page keeps trying automatically.`;
}

/** @param {Status["hours"]} hours */
export function hoursWords(hours) {
  if (hours.length === 0) return "not known yet";
  const total = hours.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "none in the last 24 hours";
  const most = hours.reduce((best, entry) => (entry.count > best.count ? entry : best));
  return `${numberText(total)} in the last 24 hours, most at ${hourText(most.name, "clock")} (${numberText(most.count)})`;
}
