/** Asking the API: with a time limit, the sign-in where there is one, and the server's clock from each answer. */

import { setClock } from "./formats.js";
import { settings } from "./settings.js";
import { SignInNeeded } from "./sign-in.js";

const TIME_LIMIT = 10_000; // milliseconds for one answer

/** The service answers, and says no. */
export class Refused extends Error {}

/**
 * Send one request; a refused access token is renewed once.
 * @throws {SignInNeeded} when nobody is signed in
 * @throws {Error} with a sentence, when there is no answer
 */
export async function send(path, { signIn = null, headers = {}, ...options } = {}) {
  // The page compares by itself, so that it hears of "not modified"; the browser's cache would hide that.
  const request = (token) => fetch(`${settings.apiBase}${path}`, {
    cache: "no-store",
    ...options,
    headers: token === null ? headers : { ...headers, Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIME_LIMIT),
  });
  let response;
  try {
    response = await request(signIn && (await signIn.token()));
    if (response.status === 401 && signIn) response = await request(await signIn.renew());
  } catch (error) {
    if (error instanceof SignInNeeded) throw error;
    throw new Error(navigator.onLine ? "The order service cannot be reached" : "This device is offline");
  }
  if (response.status === 401 && signIn) {
    signIn.forget();
    throw new SignInNeeded();
  }
  return response;
}

/**
 * Read a document, which `learn` takes from the parsed JSON; null when it has not changed since `etag`.
 * `age` is for how many milliseconds a cache on the way has kept the answer.
 * @throws {SignInNeeded | Refused | Error} the last with a sentence for the page
 */
export async function read(path, { etag = null, headers = {}, learn, ...options }) {
  const response = await send(path, { ...options, headers: etag === null ? headers : { ...headers, "If-None-Match": etag } });
  const age = Number(response.headers.get("Age")) * 1000;
  setClock(Date.parse(response.headers.get("Date")) + age);
  if (response.status === 304 && etag !== null) return { news: null, etag, age };
  if (response.status === 401) throw new SignInNeeded();
  if (response.status === 403) throw new Refused();
  if (!response.ok) {
    throw Object.assign(new Error(`The order service reports an error (${response.status})`), { status: response.status });
  }
  try {
    return { news: learn(await response.json()), etag: response.headers.get("ETag"), age };
  } catch {
    throw new Error("The order service gave an answer that this page cannot read");
  }
}
