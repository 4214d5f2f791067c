/**
 * Sign-in at the user pool's managed login: OAuth 2's authorization code with PKCE (RFC 7636).
 *
 * The tokens are in this tab's session storage, so they end with the tab. A staff page keeps them in local storage
 * instead: a wall tablet is signed in once.
 */

const SESSION = "cafe.session";
const PENDING = "cafe.pending";
const EARLY = 60_000; // milliseconds before its end at which an access token is renewed
const TIMEOUT = 10_000; // milliseconds

/** The session is missing or has ended. */
export class SignInNeeded extends Error {}

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** @param {string} text */
const digest = async (text) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));

/** Return this page's address, which is one of the user pool's callback URLs. */
const here = () => location.origin + location.pathname;

export class SignIn {
  /** @param {SignInSettings} settings @param {Storage} storage */
  constructor({ domain, clientId, scope }, storage = sessionStorage) {
    this.domain = domain;
    this.clientId = clientId;
    this.scope = scope;
    this.storage = storage;
    /** @type {Session | null} */
    this.session = JSON.parse(storage.getItem(SESSION) ?? "null");
  }

  async start() {
    const pending = { state: secret(), verifier: secret(), search: location.search };
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    const parameters = new URLSearchParams({
      response_type: "code",
      client_id: this.clientId,
      redirect_uri: here(),
      scope: this.scope,
      state: pending.state,
      code_challenge: await digest(pending.verifier),
      code_challenge_method: "S256",
    });
    location.assign(`${this.domain}/oauth2/authorize?${parameters}`);
  }

  /**
   * Exchange the code for tokens if the sign-in page has just redirected here.
   * @throws {Error} with a sentence for the user
   */
  async finish() {
    const callback = new URLSearchParams(location.search);
    if (!callback.has("state") || !(callback.has("code") || callback.has("error"))) return;
    const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
    sessionStorage.removeItem(PENDING);
    // A code is valid once: keep it out of the address, the history and bookmarks.
    history.replaceState(null, "", here() + (pending?.search ?? ""));
    if (pending === null || callback.get("state") !== pending.state) {
      throw new Error("That sign-in was not started here. Please sign in again.");
    }
    const code = callback.get("code");
    if (code === null) {
      throw new Error(`The sign-in did not succeed: ${callback.get("error_description") ?? callback.get("error")}.`);
    }
    const tokens = await this.#tokens({
      grant_type: "authorization_code", code, redirect_uri: here(), code_verifier: pending.verifier,
    });
    if (tokens === null) throw new Error("The sign-in did not succeed. Please sign in again.");
    this.#keep(tokens, null);
  }

  /**
   * Return an access token that is valid for the next request.
   * @throws {SignInNeeded} without a session
   */
  async token() {
    if (this.session === null) throw new SignInNeeded();
    if (Date.now() < this.session.until - EARLY) return this.session.access;
    return this.renew();
  }

  /**
   * Replace the access token, which was refused or is about to expire.
   * @throws {SignInNeeded} when the session has ended
   */
  async renew() {
    const refresh = this.session?.refresh;
    const tokens = refresh ? await this.#tokens({ grant_type: "refresh_token", refresh_token: refresh }) : null;
    if (tokens === null) {
      this.forget();
      throw new SignInNeeded();
    }
    return this.#keep(tokens, refresh ?? null);
  }

  /** The groups in the access token. They decide only what the page offers. @returns {string[] | null} null: unknown */
  get groups() {
    try {
      const payload = (this.session?.access ?? "").split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(atob(payload))["cognito:groups"] ?? [];
    } catch {
      return null;
    }
  }

  forget() {
    this.session = null;
    this.storage.removeItem(SESSION);
  }

  /** Sign out here and at the user pool. */
  async end() {
    const refresh = this.session?.refresh;
    this.forget();
    try {
      if (refresh) await this.#post("revoke", { token: refresh });
    } catch {
      // The token expires anyway, and signing out must work without a network.
    }
    location.assign(`${this.domain}/logout?${new URLSearchParams({ client_id: this.clientId, logout_uri: here() })}`);
  }

  /** Store tokens; there is a new refresh token only where they rotate. @param {Tokens} tokens @param {string | null} refresh */
  #keep(tokens, refresh) {
    this.session = {
      access: tokens.access_token,
      refresh: tokens.refresh_token ?? refresh,
      until: Date.now() + tokens.expires_in * 1000,
    };
    this.storage.setItem(SESSION, JSON.stringify(this.session));
    return this.session.access;
  }

  /**
   * Request tokens; null: refused.
   * @param {Record<string, string>} parameters
   * @returns {Promise<Tokens | null>}
   * @throws {Error} when the user pool is unavailable
   */
  async #tokens(parameters) {
    const response = await this.#post("token", parameters);
    if (response.ok) return response.json();
    if (response.status >= 500 || response.status === 429) throw new Error("The sign-in service is unavailable");
    return null;
  }

  /** @param {string} path @param {Record<string, string>} parameters */
  #post(path, parameters) {
    return fetch(`${this.domain}/oauth2/${path}`, {
      method: "POST",
      body: new URLSearchParams({ client_id: this.clientId, ...parameters }),
      signal: AbortSignal.timeout(TIMEOUT),
    });
  }
}
