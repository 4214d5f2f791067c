/** What the API's answers mean, and how the page says it: no DOM and no network in here. */

/**
 * A number, as far as it is known: `old` when the latest answer did not have it and an earlier one had.
 * @typedef {{ value: number | null, old: boolean }} Figure
 *
 * @typedef {object} Order
 * @property {string} id
 * @property {string} item
 * @property {string} quantity
 * @property {string} customer
 * @property {Date | null} createdAt null: kept before orders had a time
 *
 * @typedef {"total" | "today" | "waiting" | "inFlight" | "deadLettered" | "inRds" | "counted"} FigureName
 *
 * @typedef {object} Status
 * @property {Record<FigureName, Figure>} figures
 * @property {Order[] | null} orders null: not known yet
 * @property {Date | null} rdsAsOf when the rows in RDS were counted
 * @property {boolean | null} inSync null: cannot be told now
 * @property {string[]} degraded sources that could not be read, as the API names them
 * @property {string | null} generatedAt
 */

/** @type {Record<string, string>} */
const SOURCES = {
  rds: "the order history (RDS)",
  dynamodb: "the counters (DynamoDB)",
  sqs: "the queue (SQS)",
};

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/**
 * What the page knows after an answer. What the answer leaves out is kept from before, and marked as old.
 * @param {any} answer parsed JSON, from a server that may be newer or older than this page
 * @param {Status | null} before
 * @returns {Status}
 * @throws {TypeError} when the answer is no order status at all
 */
export function learn(answer, before) {
  if (answer === null || typeof answer !== "object" || !("recent_orders" in answer)) {
    throw new TypeError("not an order status");
  }
  /** @param {string} name */
  const metric = (name) => list(answer.metrics)?.find((entry) => entry?.metric === name)?.count;
  const sync = answer.sync ?? {};
  const numbers = {
    total: metric("TOTAL_ORDERS"),
    today: metric("TODAY_ORDERS"),
    waiting: sync.waiting,
    inFlight: sync.in_flight,
    deadLettered: sync.dead_lettered,
    inRds: sync.rds_orders?.count,
    counted: sync.dynamodb_orders,
  };
  const degraded = list(answer.degraded)?.map(String) ?? [];
  const told = list(answer.recent_orders);
  // Without its database the API may list no orders; that does not mean that there are none.
  const orders = told && (told.length > 0 || !degraded.includes("rds")) ? told.map(readOrder) : before?.orders;
  const figures = Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => {
      const known = before?.figures[/** @type {FigureName} */ (name)].value ?? null;
      const now = Number.isFinite(value) ? value : null;
      return [name, { value: now ?? known, old: now === null && known !== null }];
    }),
  );
  return {
    figures: /** @type {Record<FigureName, Figure>} */ (figures),
    orders: orders ?? null,
    rdsAsOf: moment(sync.rds_orders?.as_of) ?? before?.rdsAsOf ?? null,
    inSync: typeof sync.in_sync === "boolean" ? sync.in_sync : null,
    degraded,
    generatedAt: answer.generated_at ?? null,
  };
}

/**
 * @param {any} order
 * @returns {Order}
 */
function readOrder(order) {
  const createdAt = moment(order?.created_at);
  const [item, customer] = [order?.item ?? "–", order?.customer_name ?? "–"].map(String);
  const quantity = Number.isFinite(order?.quantity) ? number.format(order.quantity) : "–";
  const id = order?.order_id ?? [order?.created_at, customer, item, quantity].join();
  return { id: String(id), item, quantity, customer, createdAt };
}

/**
 * @param {unknown} value
 * @returns {any[] | null}
 */
const list = (value) => (Array.isArray(value) ? value : null);

/**
 * @param {unknown} text
 * @returns {Date | null}
 */
function moment(text) {
  const date = new Date(typeof text === "string" ? text : NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** @param {number | null} value */
export const figureText = (value) => (value === null ? "–" : number.format(value));

/** @param {Date} date */
export const timeText = (date) => clock.format(date);

/** @param {Date} date */
export const exactTimeText = (date) => clockWithSeconds.format(date);

/**
 * The day, with its year when that is not the current one.
 * @param {Date} date
 */
export const dayText = (date) => (date.getFullYear() === new Date().getFullYear() ? day : dayAndYear).format(date);

/**
 * The line under "In RDS".
 * @param {Status} status
 */
export function rdsHint({ rdsAsOf }) {
  return rdsAsOf ? `as of ${timeText(rdsAsOf)}` : "not counted yet";
}

/**
 * Whether both stores hold the same orders: a word for the style, an answer, and a line of explanation.
 * @param {Status} status
 * @returns {{ agree: "yes" | "no" | "unknown", answer: string, hint: string }}
 */
export function syncWords({ inSync, figures, degraded }) {
  if (inSync === null) {
    return { agree: "unknown", answer: "–", hint: degraded.length ? "cannot be told now" : "not compared yet" };
  }
  if (inSync) return { agree: "yes", answer: "Yes", hint: "both stores agree" };
  const apart = Math.abs((figures.inRds.value ?? 0) - (figures.counted.value ?? 0));
  const hint = apart ? `${number.format(apart)} apart` : "they differ";
  // An order is in one store a moment before the other: while some are under way, a difference is no alarm.
  if (figures.waiting.value || figures.inFlight.value) return { agree: "unknown", answer: "Not yet", hint };
  return { agree: "no", answer: "No", hint };
}

/**
 * The sentence about sources that could not be read; empty when all could.
 * @param {string[]} degraded
 */
export function degradedWords(degraded) {
  if (degraded.length === 0) return "";
  const names = new Intl.ListFormat("en").format(degraded.map((name) => SOURCES[name] ?? name));
  const sentence = `${names} cannot be read right now. What was known before stays here.`;
  return sentence[0].toUpperCase() + sentence.slice(1);
}

/**
 * The sentence for a page that gets no news.
 * @param {string} reason such as "The order service cannot be reached"
 * @param {Date | null} lastNews null: there were none yet
 */
export function staleWords(reason, lastNews) {
  const seen = lastNews ? ` What you see is from ${exactTimeText(lastNews)}.` : "";
  return `${reason}.${seen} This page keeps trying by itself.`;
}
