/** What the API's answers mean, and how the page says it: no DOM and no network in here. */

import { dayText, exactTimeText, hourText, numberText, timeText } from "./formats.js";

/**
 * A number, as far as it is known: `old` when the latest answer did not have it and an earlier one had.
 * @typedef {{ value: number | null, old: boolean }} Figure
 *
 * @typedef {object} Order
 * @property {string} id
 * @property {string} item
 * @property {string} quantity
 * @property {string} customer empty: not told
 * @property {Date | null} createdAt null: kept before orders had a time
 *
 * @typedef {object} Status
 * @property {Record<string, Figure>} figures by their names: see readFigures
 * @property {Order[] | null} orders null: not known yet
 * @property {{ name: string, count: number }[]} hours the oldest first
 * @property {{ item: string, quantity: number }[]} items what is ordered most, first
 * @property {Date | null} rdsAsOf when the rows in RDS were counted
 * @property {boolean | null} inSync null: unknown
 * @property {Date | null} driftSince
 * @property {Date | null} unknownSince since when RDS and DynamoDB could not be compared
 * @property {string} unknownReason empty: none is known
 * @property {{ rejected: number, conflicting: number, waiting: number, asOf: Date } | null} deadLetters how many hold
 *   no valid order, an order with the id of another one, and an order that waits; null: nobody looked
 * @property {string[]} degraded sources that could not be read, as the API names them
 * @property {string | null} generatedAt
 * @property {number} movedAt milliseconds: when an order last got through, or none was under way
 *
 * @typedef {"good" | "busy" | "stuck" | "unknown"} Level
 */

/** After so long without an order getting through, those under way are stuck; SQS's figures lag by less. */
const PATIENCE = 60_000; // milliseconds
/** The stores are compared every minute; after so long without, nobody does. */
const LATE = 5 * 60_000; // milliseconds

const SOURCES = {
  rds: "the order history (RDS)",
  dynamodb: "the counters (DynamoDB)",
  sqs: "the queue (SQS)",
};

/**
 * What the page knows after an answer. What the answer leaves out is kept from before, and marked as old.
 * @param {any} answer parsed JSON, from a server that may be newer or older than this page
 * @param {Status | null} before
 * @returns {Status}
 * @throws {TypeError} when the answer is no order status at all
 */
export function learn(answer, before, now) {
  if (answer === null || typeof answer !== "object" || !("recent_orders" in answer)) {
    throw new TypeError("not an order status");
  }
  const degraded = list(answer.degraded)?.map(String) ?? [];
  const hours = list(answer.hourly)?.filter((entry) => Number.isFinite(entry?.count)) ?? [];
  const items = list(answer.top_items)?.filter((entry) => Number.isFinite(entry?.quantity)) ?? [];
  // Without its source the API lists nothing; that does not mean that there is nothing.
  const told = list(answer.recent_orders);
  const orders = told && (told.length > 0 || !degraded.includes("rds")) ? told.map(readOrder) : before?.orders;
  const keepHours = hours.length === 0 && degraded.includes("dynamodb") && before;
  const keepItems = items.length === 0 && degraded.includes("rds") && before;
  const figures = readFigures(answer, hours.at(-1)?.count, before);
  const still = before !== null && underWay(before.figures) > 0 && underWay(figures) > 0
    && before.figures.total.value === figures.total.value;
  return {
    figures,
    orders: orders ?? null,
    hours: keepHours ? before.hours : hours.map(({ hour, count }) => ({ name: String(hour), count })),
    items: keepItems ? before.items : items.map(({ item, quantity }) => ({ item: String(item), quantity })),
    rdsAsOf: moment(answer.sync?.rds_orders?.as_of) ?? before?.rdsAsOf ?? null,
    inSync: typeof answer.sync?.in_sync === "boolean" ? answer.sync.in_sync : null,
    driftSince: moment(answer.sync?.drift_since),
    unknownSince: moment(answer.sync?.unknown_since),
    unknownReason: String(answer.sync?.unknown_reason ?? ""),
    deadLetters: readDeadLetters(answer.sync?.dead_letters),
    degraded,
    generatedAt: answer.generated_at ?? null,
    movedAt: still ? before.movedAt : now,
  };
}

const underWay = ({ waiting, inFlight }) => (waiting.value ?? 0) + (inFlight.value ?? 0);

function readFigures(answer, thisHour, before) {
  const metric = (name) => list(answer.metrics)?.find((entry) => entry?.metric === name)?.count;
  const sync = answer.sync ?? {};
  const numbers = {
    total: metric("TOTAL_ORDERS"),
    today: answer.today?.count ?? metric("TODAY_ORDERS"),
    yesterday: answer.today?.same_time_yesterday,
    thisHour,
    waiting: sync.waiting,
    inFlight: sync.in_flight,
    deadLettered: sync.dead_lettered,
    inRds: sync.rds_orders?.count,
    counted: sync.dynamodb_orders,
    drift: sync.drift,
    received: answer.open_orders?.received,
    preparing: answer.open_orders?.preparing,
    ready: answer.open_orders?.ready,
  };
  const figures = Object.entries(numbers).map(([name, value]) => {
    const known = before?.figures[name].value ?? null;
    const now = Number.isFinite(value) ? value : null;
    return [name, { value: now ?? known, old: now === null && known !== null }];
  });
  return Object.fromEntries(figures);
}

function readDeadLetters(found) {
  const asOf = moment(found?.as_of);
  const { rejected, conflicting = 0, waiting } = found ?? {};
  return asOf && [rejected, conflicting, waiting].every(Number.isFinite) ? { rejected, conflicting, waiting, asOf } : null;
}

/** @returns {Order} */
function readOrder(order) {
  const createdAt = moment(order?.created_at);
  const [item, customer] = [order?.item ?? "–", order?.customer_name ?? "–"].map(String);
  const quantity = Number.isFinite(order?.quantity) ? numberText(order.quantity) : "–";
  const id = order?.order_id ?? [order?.created_at, customer, item, quantity].join();
  return { id: String(id), item, quantity, customer, createdAt };
}

const list = (value) => (Array.isArray(value) ? value : null);

/** @returns {Date | null} */
function moment(text) {
  const date = new Date(typeof text === "string" ? text : NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** A number with its noun. */
const counted = (count, one, many) => `${numberText(count)} ${count === 1 ? one : many}`;

/**
 * Today against yesterday up to the same time.
 * @returns {{ trend: "up" | "down" | "same" | "unknown", words: string }}
 */
export function comparedWords({ figures: { today, yesterday } }) {
  if (today.value === null || yesterday.value === null) return { trend: "unknown", words: "yesterday is not known" };
  const more = today.value - yesterday.value;
  const then = `than yesterday at this time (${numberText(yesterday.value)})`;
  if (more > 0) return { trend: "up", words: `${numberText(more)} more ${then}` };
  if (more < 0) return { trend: "down", words: `${numberText(-more)} fewer ${then}` };
  return { trend: "same", words: "as many as yesterday at this time" };
}

/** The line under the figure of RDS. */
export const rdsWords = ({ rdsAsOf }) => (rdsAsOf ? `rows at ${timeText(rdsAsOf)}` : "not counted yet");

/**
 * Whether both stores hold the same orders.
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
  // An order is in one store a moment before the other: while some are under way, a difference is no alarm.
  if (underWay(figures) && !driftSince) return { agree: "soon", words };
  return { agree: "no", words: driftSince ? `${words} since ${sinceText(driftSince, now)}` : words };
}

/**
 * Since when RDS and DynamoDB were not compared, null if they were lately; a known difference stays one.
 * @returns {Date | null}
 */
function notComparedSince({ inSync, unknownSince, rdsAsOf }, now) {
  if (inSync === false) return null;
  return unknownSince ?? (inSync && rdsAsOf && now - rdsAsOf > LATE ? rdsAsOf : null);
}

function sinceText(date, now) {
  const today = dayText(date) === dayText(new Date(now));
  return today ? timeText(date) : `${dayText(date)}, ${timeText(date)}`;
}

/**
 * Describe the dead-letter queue: messages that need a person, orders that will be recorded automatically, and
 * messages that came after the last sweep, of which nothing is known yet.
 * @returns {{ stuck: string[], waiting: string, unseen: string }} each empty if there are no such messages
 */
function deadWords({ figures, deadLetters }, now) {
  const dead = figures.deadLettered.value ?? 0; // known before or now: no alarm ends because nobody can look
  const failed = (number) => (number ? `${counted(number, "message", "messages")} failed three times` : "");
  if (!deadLetters || now - deadLetters.asOf > LATE) return { stuck: dead ? [failed(dead)] : [], waiting: "", unseen: "" };
  const rejected = Math.min(deadLetters.rejected, dead);
  const conflicting = Math.min(deadLetters.conflicting, dead - rejected);
  const waiting = Math.min(deadLetters.waiting, dead - rejected - conflicting);
  const stuck = [];
  if (rejected) stuck.push(`${counted(rejected, "message holds", "messages hold")} no valid order`);
  if (conflicting) stuck.push(`${counted(conflicting, "order has", "orders have")} an id that belongs to another order`);
  return {
    stuck,
    waiting: waiting ? `${counted(waiting, "order waits", "orders wait")} for a store` : "",
    unseen: failed(dead - rejected - conflicting - waiting),
  };
}

/**
 * Where orders are, and where they are stuck: a sentence, and a level for each hop that has one.
 * @returns {{ level: Level, words: string, hops: Record<string, Level> }} hops by their names
 */
export function verdict(status, now) {
  const { figures, degraded } = status;
  const dead = deadWords(status, now);
  const [waiting, inFlight] = [figures.waiting, figures.inFlight].map(({ value, old }) => (old ? 0 : (value ?? 0)));
  const stalled = now - status.movedAt >= PATIENCE;
  const sync = syncWords(status, now);
  const hops = Object.fromEntries(degraded.map((source) => [source, "unknown"]));
  if (degraded.includes("sqs")) hops.lambda = hops.dlq = "unknown";
  const stuck = [...dead.stuck];
  if (dead.waiting) hops.dlq = "busy";
  if (stuck.length) hops.dlq = "stuck";
  if (inFlight > 0) hops.lambda = stalled ? "stuck" : "busy";
  if (waiting > 0) hops.sqs = stalled && inFlight === 0 ? "stuck" : "busy";
  if (hops.sqs === "stuck") stuck.push(`about ${counted(waiting, "order waits", "orders wait")}, and no worker takes them`);
  if (hops.lambda === "stuck") stuck.push(`the worker has ${counted(inFlight, "order", "orders")} and gets none through`);
  if (sync.agree === "no") {
    hops.sync = "stuck";
    stuck.push(`RDS and DynamoDB are ${sync.words.replace("they differ", "not the same")}`);
  }
  if (stuck.length) {
    return { level: "stuck", words: clauses([...stuck, dead.waiting, dead.unseen]), hops };
  }
  if (dead.waiting || dead.unseen) {
    const waiting = dead.waiting && `${dead.waiting} and will be recorded automatically`;
    const unseen = dead.unseen && `${dead.unseen}; why is known within a minute`;
    return { level: "busy", words: clauses([waiting, unseen]), hops };
  }
  if (degraded.includes("sqs") || figures.waiting.value === null) {
    return { level: "unknown", words: "It cannot be told now whether orders are waiting.", hops };
  }
  if (waiting + inFlight > 0) {
    return { level: "busy", words: `About ${counted(waiting + inFlight, "order is", "orders are")} on the way.`, hops };
  }
  const since = notComparedSince(status, now);
  const reason = status.unknownReason && `: ${status.unknownReason}`;
  const notCompared = since && `RDS and DynamoDB were not compared since ${sinceText(since, now)}${reason}`;
  if (degraded.length) {
    return { level: "unknown", words: clauses(["no order is waiting, as far as is known", notCompared]), hops };
  }
  if (notCompared) return { level: "unknown", words: sentence(notCompared), hops };
  return { level: "good", words: figures.total.value === 0 ? "Ready for the first order." : "Every order is through.", hops };
}

const clauses = (parts) => sentence(parts.filter(Boolean).join("; "));
const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;

/** The sentence about sources that could not be read. */
export function degradedWords(degraded) {
  const names = new Intl.ListFormat("en").format(degraded.map((name) => SOURCES[name] ?? name));
  return `${sentence(`${names} cannot be read right now`)} What was known before stays here.`;
}

/** The sentence for a page that gets no news, with the reason, and when there were some. */
export function staleWords(reason, lastNews) {
  const seen = lastNews ? ` What you see is from ${exactTimeText(lastNews)}.` : "";
  return `${reason}.${seen} This page keeps trying by itself.`;
}

/** What the chart of hours says, in words. */
export function hoursWords(hours) {
  if (hours.length === 0) return "not known yet";
  const total = hours.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "none in the last 24 hours";
  const most = hours.reduce((best, entry) => (entry.count > best.count ? entry : best));
  return `${numberText(total)} in the last 24 hours, most at ${hourText(most.name, "clock")} (${numberText(most.count)})`;
}
