/** The stack's settings, from config.js: a value that the page cannot use is replaced, and reported in the console. */

const TIME_LIMIT = 10_000; // milliseconds; after that the page starts without config.js

const isText = (value) => typeof value === "string" && value !== "";

const isMinutes = (value) => Number.isInteger(value) && value > 0;

function isSignIn(value) {
  if (value === null) return true;
  const { protocol } = new URL(value.domain);
  return ["https:", "http:"].includes(protocol) && isText(value.clientId) && isText(value.scope);
}

/** For each setting that the pages use: whether a value can be used (an error: no), and what takes its place. */
const USED = {
  apiBase: [(value) => isText(value) && /^\/[\w-]+$/.test(value), "/prod"],
  timeZone: [(value) => isText(value) && new Intl.DateTimeFormat("en", { timeZone: value }), "UTC"],
  locale: [(value) => isText(value) && new Intl.NumberFormat(value), "en-US"],
  signIn: [isSignIn, null],
  staffSignIn: [isSignIn, null],
  warnMinutes: [isMinutes, 3],
  overdueMinutes: [isMinutes, 6],
  ordersApiKey: [(value) => typeof value === "boolean", false],
};

function use(name) {
  const [isUsable, substitute] = USED[name];
  let value;
  try {
    value = config?.[name];
    if (isUsable(value)) return value;
  } catch {
    // Reported below.
  }
  if (config !== null) console.error(`config.js: ${name} cannot be used; this page uses`, substitute, "instead of", value);
  return substitute;
}

function written() {
  try {
    return JSON.stringify(config);
  } catch {
    return null;
  }
}

/** The settings that config.js exports; null where it cannot be used. */
let config = null;
const late = new Promise((_, reject) => {
  setTimeout(reject, TIME_LIMIT, new Error(`no answer within ${TIME_LIMIT / 1000} s`));
});
try {
  const module = await Promise.race([import("./config.js"), late]);
  if (module.settings === null || typeof module.settings !== "object") throw new TypeError("it exports no settings");
  config = module.settings;
} catch (error) {
  console.error("config.js cannot be used:", error);
}

/** The settings that the pages use. */
export const settings = Object.fromEntries(Object.keys(USED).map((name) => [name, use(name)]));

/** The settings of config.js as JSON, to compare with those of a later deploy. */
export const deployed = written();
