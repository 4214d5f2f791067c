"""A foreign web site on this machine, whose page sends every kind of request that a page can send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A public name, which the tests' browser resolves to this machine.
SITE = "evil.example"

PAGE = """<!DOCTYPE html>
<meta charset="utf-8"><title>A foreign page</title>
<body><script src="/attack.js"></script>"""

# The frame's origin is `null`.
SANDBOX = """<!DOCTYPE html>
<meta charset="utf-8"><title>A foreign page</title>
<iframe name="sandboxed" src="/page" sandbox="allow-scripts allow-forms allow-popups"></iframe>"""

ATTACK = r"""
"use strict";
const FORM = "application/x-www-form-urlencoded";
const ENCODINGS = [FORM, "multipart/form-data", "text/plain"];
const got = [];  // responses that a page must not be able to read

const settled = (promise) => promise.catch(() => null);
const events = (target, ...names) =>
  new Promise((resolve) => names.forEach((name) => target.addEventListener(name, resolve, { once: true })));

function added(name, properties, ...happens) {
  const element = Object.assign(document.createElement(name), properties);
  const done = events(element, ...happens);
  document.body.append(element);
  return done;
}

async function read(what, promise) {
  const response = await settled(promise);
  if (response !== null && response.type !== "opaque") got.push(`${what}: ${response.status}`);
}

function fetches({ url, body, headers }) {
  const options = { credentials: "include", referrerPolicy: "no-referrer" };
  const data = new FormData();
  data.append("body", body);
  return ["no-cors", "cors"].flatMap((mode) => [
    ...["GET", "HEAD"].map((method) => read(`${mode} ${method}`, fetch(url, { ...options, mode, method }))),
    ...[body, new URLSearchParams(body), data, new Blob([body])].map((body) =>
      read(`${mode} POST`, fetch(url, { ...options, mode, method: "POST", body })),
    ),
    read(`${mode} with keepalive`, fetch(url, { ...options, mode, method: "POST", body, keepalive: true })),
    ...headers.map((headers) => read(`${mode} with headers`, fetch(url, { ...options, mode, headers }))),
    ...headers.map((headers) =>
      read(`${mode} POST with headers`, fetch(url, { ...options, mode, method: "POST", headers, body })),
    ),
  ]).concat(
    ["PUT", "DELETE", "OPTIONS"].map((method) => read(method, fetch(url, { ...options, method }))),
  );
}

function elements({ url }) {
  const policy = { referrerPolicy: "no-referrer" };
  return [
    added("img", { ...policy, src: url }, "load", "error"),
    added("img", { crossOrigin: "use-credentials", src: url }, "load", "error"),
    added("script", { ...policy, src: url }, "load", "error"),
    added("script", { type: "module", src: url }, "load", "error"),
    added("link", { ...policy, rel: "stylesheet", href: url }, "load", "error"),
    added("link", { ...policy, rel: "prefetch", href: url }, "load", "error"),
    added("link", { rel: "preload", as: "fetch", href: url }, "load", "error"),
    added("iframe", { ...policy, src: url }, "load", "error"),
    added("object", { data: url }, "load", "error"),
    added("embed", { src: url }, "load", "error"),
    added("video", { src: url }, "loadeddata", "error"),
  ];
}

function forms({ url, body }) {
  // GET has no body, and so no encoding.
  const kinds = [["GET", FORM], ...ENCODINGS.map((enctype) => ["POST", enctype])];
  return kinds.map(([method, enctype]) => {
    const name = `form-${Math.random()}`;
    const done = added("iframe", { name }, "load").then(() => {
      const loaded = events(document.getElementsByName(name)[0], "load", "error");
      const properties = { action: url, method, enctype, target: name };
      const form = Object.assign(document.createElement("form"), properties);
      for (const [key, value] of new URLSearchParams(body)) {
        form.append(Object.assign(document.createElement("input"), { name: key, value }));
      }
      document.body.append(form);
      form.submit();
      return loaded;
    });
    return done;
  });
}

function streams({ url }) {
  const source = new EventSource(url, { withCredentials: true });
  const sourceDone = events(source, "open", "error").then((event) => {
    if (event.type === "open") got.push("event source");
    source.close();
  });
  const socket = new WebSocket(url.replace("http:", "ws:"), ["mqtt"]);
  socket.onopen = () => got.push("web socket");
  return [sourceDone, events(socket, "close")];
}

async function fromWorkers({ url, body }) {
  const source = `onmessage = async ({ data: { url, body } }) => {
    try { importScripts(url); } catch {}
    await fetch(url, { method: "POST", mode: "no-cors", body }).catch(() => 0);
    postMessage("done");
  };`;
  const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  worker.postMessage({ url, body });
  await events(worker, "message", "error");
  // A service worker may fetch anything for its pages.
  const registration = await settled((async () => navigator.serviceWorker.register("/service-worker.js"))());
  if (!registration) return;
  await navigator.serviceWorker.ready;
  const channel = new MessageChannel();
  registration.active.postMessage({ url, body }, [channel.port2]);
  await new Promise((resolve) => { channel.port1.onmessage = resolve; });
}

/** Try every request on every target, and return what could be read. */
async function attack(targets) {
  await Promise.all(targets.map(async (target) => {
    navigator.sendBeacon(target.url, target.body);
    const link = Object.assign(document.createElement("a"), { href: "#", ping: target.url });
    document.body.append(link);
    link.click();
    await Promise.all([...fetches(target), ...elements(target), ...forms(target), ...streams(target)]);
    await fromWorkers(target);
  }));
  return got;
}
"""

SERVICE_WORKER = """
oninstall = () => skipWaiting();
onactivate = (event) => event.waitUntil(clients.claim());
onmessage = (event) => {
  const { url, body } = event.data;
  const options = { method: "POST", mode: "no-cors", credentials: "include", body };
  const fetched = fetch(url, options).catch(() => 0);
  event.waitUntil(fetched.then(() => event.ports[0].postMessage("done")));
};
"""

FILES = {
    "/page": ("text/html", PAGE),
    "/sandbox": ("text/html", SANDBOX),
    "/attack.js": ("text/javascript", ATTACK),
    "/service-worker.js": ("text/javascript", SERVICE_WORKER),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind, content = FILES.get(self.path, ("text/plain", ""))
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def served() -> Iterator[int]:
    """Serve the site on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
