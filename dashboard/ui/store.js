// What the page knows: the stream of events has all that changes, everything else is asked
// for when a page is shown, and again when the stream tells that it is another.
import { useEffect, useReducer, useState } from "./lib/hooks.js";

const history = 15 * 60; // seconds
const tail = 500; // requests

export const store = {
  connected: null, // null: not yet known
  state: { problems: {}, change: 0, down: 0 },
  seconds: [],
  requests: [],
  missed: 0,
};

const listeners = new Set();
const tell = (what) => listeners.forEach((listener) => listener(what));

// useStore renders again when one of these has changed: connected, state, seconds, requests.
export function useStore(...what) {
  const [, again] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    const listener = (changed) => what.includes(changed) && again();
    listeners.add(listener);
    again(); // effects come late: something may have changed since this was drawn
    return () => listeners.delete(listener);
  }, []);
  return store;
}

let source;
let readers = 0; // pages that show requests
let retry;

function connected(is) {
  if (store.connected !== is) {
    store.connected = is;
    tell("connected");
  }
}

// connect opens the stream, behind the last second that is known.
export function connect() {
  clearTimeout(retry);
  source?.close();
  const last = store.seconds.at(-1)?.t ?? 0;
  source = new EventSource(`../api/events?since=${last}${readers ? "&requests=1" : ""}`);
  source.onopen = () => connected(true);
  source.onerror = () => {
    connected(false);
    if (source.readyState === EventSource.CLOSED) {
      retry = setTimeout(connect, 3000);
    }
  };
  source.addEventListener("state", (e) => {
    store.state = JSON.parse(e.data);
    tell("state");
  });
  source.addEventListener("seconds", (e) => {
    const last = store.seconds.at(-1)?.t ?? 0;
    store.seconds = [...store.seconds, ...JSON.parse(e.data).filter((s) => s.t > last)].slice(-history);
    tell("seconds");
  });
  source.addEventListener("requests", (e) => {
    const { list, missed } = JSON.parse(e.data);
    const last = store.requests[0]?.id ?? 0;
    store.requests = [...list.filter((r) => r.id > last).reverse(), ...store.requests].slice(0, tail);
    store.missed = missed;
    tell("requests");
  });
}

// useRequests has the stream bring requests as well, as long as somebody shows them.
export function useRequests() {
  useEffect(() => {
    readers++;
    store.requests = [];
    connect();
    return () => {
      readers--;
      connect();
    };
  }, []);
  return useStore("requests");
}

// get asks the API. Errors have its words.
export async function get(path) {
  const res = await fetch("../api/" + path, { headers: { Accept: "application/json" } });
  const type = res.headers.get("Content-Type") ?? "";
  const body = type.includes("json") ? await res.json() : await res.text();
  if (!res.ok) {
    throw new Error(body.message ?? `${res.status} ${res.statusText}`);
  }
  return { body, next: Number(res.headers.get("X-Next-Page") ?? 1) };
}

// useData asks for something, and again whenever the configuration or the health of servers
// is another, and every few seconds if so often is said: along with the stream, never faster.
export function useData(path, every = 0) {
  const [answer, set] = useState({});
  useEffect(() => {
    if (!path) return undefined;
    let shown = true;
    let seconds = 0;
    const ask = () =>
      get(path).then(
        ({ body }) => shown && set({ path, data: body }),
        (error) => shown && set({ path, error }),
      );
    const listener = (what) => {
      if (what === "state" || (what === "seconds" && every && ++seconds % every === 0)) ask();
    };
    ask();
    listeners.add(listener);
    return () => {
      shown = false;
      listeners.delete(listener);
    };
  }, [path]);
  return answer.path === path ? answer : {};
}
