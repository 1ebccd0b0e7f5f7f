// What the page knows: the stream of events has all that changes, everything else is asked
// for when a page is shown, and again when the stream tells that it is another.
import { useEffect, useReducer, useState } from "./lib/hooks.js";

const history = 15 * 60; // seconds
const tail = 500; // requests

export const store = {
  connected: null, // null: not yet known
  lost: "", // why there is no connection, where somebody has said it
  state: { problems: {}, change: 0, down: 0 },
  seconds: [],
  requests: [],
  missed: 0, // requests that were left out since they are shown
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

// useBeat renders again every so many seconds of the stream.
export function useBeat(every) {
  const [beat, set] = useState(0);
  useEffect(() => {
    const listener = (changed) => changed === "seconds" && set(Math.floor((store.seconds.at(-1)?.t ?? 0) / every));
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return beat;
}

let source;
let readers = 0; // pages that show requests
let counted = null; // requests left out before they were shown; null: not yet known
let retry;

function connected(is, lost = "") {
  if (store.connected !== is || store.lost !== lost) {
    store.connected = is;
    store.lost = lost;
    tell("connected");
  }
}

const stream = () => `../api/events?since=${store.seconds.at(-1)?.t ?? 0}${readers ? "&requests=1" : ""}`;

// connect opens the stream, behind the last second that is known. A page that nobody sees has
// none: by HTTP/1.1 browsers have six connections to a host, for all tabs together.
export function connect() {
  clearTimeout(retry);
  source?.close();
  source = undefined;
  if (document.hidden) return connected(null);
  const mine = (source = new EventSource(stream()));
  mine.onopen = () => connected(true);
  mine.onerror = async () => {
    connected(false, store.lost);
    if (mine.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const lost = await refusal();
    if (mine !== source) return;
    connected(false, lost);
    retry = setTimeout(connect, 3000);
  };
  mine.addEventListener("state", (e) => took(JSON.parse(e.data)));
  mine.addEventListener("seconds", (e) => {
    const last = store.seconds.at(-1)?.t ?? 0;
    store.seconds = [...store.seconds, ...JSON.parse(e.data).filter((s) => s.t > last)].slice(-history);
    tell("seconds");
  });
  mine.addEventListener("requests", (e) => {
    const { list, missed } = JSON.parse(e.data);
    const last = store.requests[0]?.id ?? 0;
    store.requests = [...list.filter((r) => r.id > last).reverse(), ...store.requests].slice(0, tail);
    counted ??= missed;
    store.missed = missed - counted;
    tell("requests");
  });
}

document.addEventListener("visibilitychange", connect);

// took takes a state. That of another process means that requests are counted anew.
function took(state) {
  if (store.state.started && store.state.started !== state.started) {
    store.requests = [];
    store.missed = counted = 0;
    tell("requests");
  }
  store.state = state;
  tell("state");
}

// refusal is why there is no stream, in the words of who refuses it; browsers keep them to
// themselves. Empty: nobody is there to say anything.
async function refusal() {
  const enough = new AbortController();
  try {
    const res = await fetch(stream(), { redirect: "manual", signal: enough.signal });
    if (!(res.headers.get("Content-Type") ?? "").includes("event-stream")) await read(res);
    return "";
  } catch (error) {
    return error instanceof Refused ? error.message : "";
  } finally {
    enough.abort();
  }
}

// useRequests has the stream bring requests as well, as long as somebody shows them.
export function useRequests() {
  useEffect(() => {
    readers++;
    store.requests = [];
    store.missed = 0;
    counted = null;
    connect();
    return () => {
      readers--;
      connect();
    };
  }, []);
  return useStore("requests");
}

class Refused extends Error {}

// read is what an answer of the API has, or an error in its words. What is no JSON, and what
// leads elsewhere, comes from a login in front that has run out.
async function read(res) {
  const json = (res.headers.get("Content-Type") ?? "").includes("json");
  if (res.type === "opaqueredirect" || (!json && (res.ok || res.status === 401))) {
    throw new Refused("Log in again: load the page anew.");
  }
  const body = json ? await res.json() : {};
  if (!res.ok) throw new Refused(body.message ?? `${res.status} ${res.statusText}`);
  return body;
}

// get asks the API. Errors have its words.
export async function get(path) {
  const res = await fetch("../api/" + path, { headers: { Accept: "application/json" }, redirect: "manual" });
  const body = await read(res);
  return { body, next: Number(res.headers.get("X-Next-Page") ?? 1), total: Number(res.headers.get("X-Total-Count") ?? 0) };
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
