/**
 * Signing in at the user pool's own page: OAuth 2's authorization code with PKCE (RFC 7636).
 *
 * The tokens live in this tab's session storage: they are gone when it is closed, and no other site sees them.
 * A staff page keeps them in the device's local storage instead: a wall tablet is signed in once.
 */

const SESSION = "cafe.session";
const PENDING = "cafe.pending";
const EARLY = 60_000; // milliseconds before its end at which an access token is renewed
const TIME_LIMIT = 10_000; // milliseconds for one answer

/** Nobody is signed in, or not any more. */
export class SignInNeeded extends Error {}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

const secret = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

const digest = async (text) =>
  base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));

/** This page's address, which the user pool must know as one to come back to. */
const here = () => location.origin + location.pathname;

export class SignIn {
  /** Take `signIn` or `staffSignIn` of config.js, and where the tokens are kept. */
  constructor({ domain, clientId, scope }, storage = sessionStorage) {
    this.domain = domain;
    this.clientId = clientId;
    this.scope = scope;
    this.storage = storage;
    this.session = JSON.parse(storage.getItem(SESSION) ?? "null");
  }

  /** Leave for the sign-in page; it comes back here with a code. */
  async start() {
    const pending = { state: secret(), verifier: secret(), search: location.search };
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    const question = new URLSearchParams({
      response_type: "code",
      client_id: this.clientId,
      redirect_uri: here(),
      scope: this.scope,
      state: pending.state,
      code_challenge: await digest(pending.verifier),
      code_challenge_method: "S256",
    });
    location.assign(`${this.domain}/oauth2/authorize?${question}`);
  }

  /**
   * Take the code with which the sign-in page came back, if it did.
   * @throws {Error} with a sentence for the person who tried to sign in
   */
  async finish() {
    const answer = new URLSearchParams(location.search);
    if (!answer.has("state") || !(answer.has("code") || answer.has("error"))) return;
    const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? "null");
    sessionStorage.removeItem(PENDING);
    // The code is of no use twice: out of the address, and so out of the history and of bookmarks.
    history.replaceState(null, "", here() + (pending?.search ?? ""));
    if (pending === null || answer.get("state") !== pending.state) {
      throw new Error("That sign-in was not begun here. Please sign in again.");
    }
    const code = answer.get("code");
    if (code === null) {
      throw new Error(`The sign-in did not succeed: ${answer.get("error_description") ?? answer.get("error")}.`);
    }
    const tokens = await this.#tokens({
      grant_type: "authorization_code", code, redirect_uri: here(), code_verifier: pending.verifier,
    });
    if (tokens === null) throw new Error("The sign-in did not succeed. Please sign in again.");
    this.#keep(tokens, null);
  }

  /**
   * An access token that is good for the next question.
   * @throws {SignInNeeded} when nobody is signed in
   */
  async token() {
    if (this.session === null) throw new SignInNeeded();
    if (Date.now() < this.session.until - EARLY) return this.session.access;
    return this.renew();
  }

  /**
   * Another access token, because the one there is was refused or is about to end.
   * @throws {SignInNeeded} when the sign-in itself has ended
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

  /** The groups that the access token names, null: unknown. They only say what to offer; the API decides. */
  get groups() {
    try {
      const payload = this.session.access.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
      return JSON.parse(atob(payload))["cognito:groups"] ?? [];
    } catch {
      return null;
    }
  }

  forget() {
    this.session = null;
    this.storage.removeItem(SESSION);
  }

  /** Sign out here and at the sign-in page, so that the next person has to sign in. */
  async end() {
    const refresh = this.session?.refresh;
    this.forget();
    try {
      if (refresh) await this.#post("revoke", { token: refresh });
    } catch {
      // It ends by itself; signing out must not fail for want of a network.
    }
    location.assign(`${this.domain}/logout?${new URLSearchParams({ client_id: this.clientId, logout_uri: here() })}`);
  }

  /** Keep tokens, and the refresh token so far: a new one comes only where they rotate. */
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
   * Tokens, or null: refused.
   * @throws {Error} when the user pool does not answer, which says nothing of the sign-in
   */
  async #tokens(question) {
    const response = await this.#post("token", question);
    if (response.ok) return response.json();
    if (response.status >= 500 || response.status === 429) throw new Error("The sign-in service does not answer");
    return null;
  }

  #post(path, question) {
    return fetch(`${this.domain}/oauth2/${path}`, {
      method: "POST",
      body: new URLSearchParams({ client_id: this.clientId, ...question }),
      signal: AbortSignal.timeout(TIME_LIMIT),
    });
  }
}
