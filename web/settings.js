/** The settings from config.js: an unusable value is replaced by a default, and reported in the console. */

const TIMEOUT = 10_000; // milliseconds; after that the page starts without config.js

/** @param {unknown} value @returns {value is string} */
const isText = (value) => typeof value === "string" && value !== "";

/** @param {unknown} value @returns {value is string} */
const isPath = (value) => isText(value) && /^\/[\w-]+$/.test(value);

/** @param {unknown} value @returns {value is string} */
const isTimeZone = (value) => isText(value) && Boolean(new Intl.DateTimeFormat("en", { timeZone: value }));

/** @param {unknown} value @returns {value is string} */
const isLocale = (value) => isText(value) && Boolean(new Intl.NumberFormat(value));

/** @param {unknown} value @returns {value is number} */
const isMinutes = (value) => typeof value === "number" && Number.isInteger(value) && value > 0;

/** @param {unknown} value @returns {value is boolean} */
const isBoolean = (value) => typeof value === "boolean";

/** @param {unknown} value @returns {value is SignInSettings | null} */
function isSignIn(value) {
  if (value === null) return true;
  const { domain, clientId, scope } = /** @type {Record<string, unknown>} */ (value);
  return isText(domain) && ["https:", "http:"].includes(new URL(domain).protocol) && isText(clientId) && isText(scope);
}

/**
 * @template T
 * @param {string} name
 * @param {(value: unknown) => value is T} isUsable an exception means no
 * @param {T} otherwise
 * @returns {T}
 */
function use(name, isUsable, otherwise) {
  let value;
  try {
    value = config?.[name];
    if (isUsable(value)) return value;
  } catch {
    // Reported below.
  }
  if (config !== null) console.error(`config.js: ${name} cannot be used; this page uses`, otherwise, "instead of", value);
  return otherwise;
}

/** The exports of config.js; null if it cannot be used. @type {Record<string, unknown> | null} */
let config = null;
/** The same as JSON, to compare it with that of a later deploy. */
export let deployed = "null";
const late = new Promise((_, reject) => {
  setTimeout(reject, TIMEOUT, new Error(`no response within ${TIMEOUT / 1000} s`));
});
try {
  const exports = await Promise.race([import("./config.js"), late]);
  if (exports.settings === null || typeof exports.settings !== "object") throw new TypeError("it exports no settings");
  config = exports.settings;
  deployed = JSON.stringify(config);
} catch (error) {
  console.error("config.js cannot be used:", error);
}

export const settings = {
  apiBase: use("apiBase", isPath, "/prod"),
  timeZone: use("timeZone", isTimeZone, "UTC"),
  locale: use("locale", isLocale, "en-US"),
  signIn: use("signIn", isSignIn, null),
  staffSignIn: use("staffSignIn", isSignIn, null),
  warnMinutes: use("warnMinutes", isMinutes, 3),
  overdueMinutes: use("overdueMinutes", isMinutes, 6),
  ordersApiKey: use("ordersApiKey", isBoolean, false),
};
