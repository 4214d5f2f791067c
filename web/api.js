/** Requests to the API: with a timeout, the access token where needed, and the server's clock from each response. */

import { setClock } from "./formats.js";
import { settings } from "./settings.js";
import { SignInNeeded } from "./sign-in.js";

const TIMEOUT = 10_000; // milliseconds

/** The API responds with 403. */
export class Refused extends Error {}

/**
 * Send one request; renew a refused access token once.
 * @param {string} path
 * @param {ApiOptions} options
 * @throws {SignInNeeded | Error} the latter with a sentence for the page
 */
export async function send(path, { signIn = null, headers = {}, ...options } = {}) {
  // The page sends the ETag itself and sees the 304, which the browser's cache would hide.
  const request = (/** @type {string | null} */ token) => fetch(`${settings.apiBase}${path}`, {
    cache: "no-store",
    ...options,
    headers: token === null ? headers : { ...headers, Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(TIMEOUT),
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
 * Read a resource. `data` is what `parse` returns for the body, null if nothing has changed since `etag`;
 * `age` is for how many milliseconds a cache has kept the response.
 * @template Body, Data
 * @param {string} path
 * @param {ApiOptions & { etag?: string | null, parse: (body: Body) => Data }} options
 * @returns {Promise<{ data: Data | null, etag: string | null, age: number }>}
 * @throws {SignInNeeded | Refused | Error} the latter with a sentence for the page, and the status as `cause`
 */
export async function read(path, { etag = null, headers = {}, parse, ...options }) {
  const response = await send(path, { ...options, headers: etag === null ? headers : { ...headers, "If-None-Match": etag } });
  const age = Number(response.headers.get("Age")) * 1000;
  setClock(Date.parse(response.headers.get("Date") ?? "") + age);
  if (response.status === 304 && etag !== null) return { data: null, etag, age };
  if (response.status === 401) throw new SignInNeeded();
  if (response.status === 403) throw new Refused();
  if (!response.ok) throw new Error(`The order service reports an error (${response.status})`, { cause: response.status });
  try {
    return { data: parse(await response.json()), etag: response.headers.get("ETag"), age };
  } catch {
    throw new Error("The order service sent an invalid response");
  }
}
