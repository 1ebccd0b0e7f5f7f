// The page: a menu, and what the part of the address behind the # names.
import { render } from "./lib/preact.js";
import { useEffect, useErrorBoundary, useRef, useState } from "./lib/hooks.js";
import { html } from "./html.js";
import { connect, store, useStore } from "./store.js";
import { Overview } from "./pages/overview.js";
import { Problems } from "./pages/problems.js";
import { Routers, Services, Middlewares } from "./pages/lists.js";
import { Router, Service, Middleware } from "./pages/details.js";
import { Explain } from "./pages/explain.js";
import { Live } from "./pages/live.js";
import { Certificates } from "./pages/certificates.js";
import { Configuration } from "./pages/configuration.js";
import { Streams } from "./pages/streams.js";

const pages = [
  { path: "", title: "Overview", list: Overview },
  { path: "problems", title: "Problems", list: Problems },
  { path: "routers", title: "Routers", list: Routers, one: Router },
  { path: "services", title: "Services", list: Services, one: Service },
  { path: "middlewares", title: "Middlewares", list: Middlewares, one: Middleware },
  { path: "streams", title: "TCP, UDP", list: Streams },
  { path: "explain", title: "Explain", list: Explain },
  { path: "live", title: "Requests", list: Live },
  { path: "certificates", title: "Certificates", list: Certificates },
  { path: "configuration", title: "Configuration", list: Configuration },
];

// where reads the address: #/routers/shop%40docker?search=x
function where() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [kind, name] = path.split("/");
  let decoded;
  try {
    decoded = name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    decoded = name;
  }
  return { kind, name: decoded, query: Object.fromEntries(new URLSearchParams(query)), hash: location.hash };
}

function Menu({ kind }) {
  const { state } = useStore("state");
  const wrong = (state.problems.error ?? 0) + (state.problems.warning ?? 0);
  const order = wrong ? [pages[1], pages[0], ...pages.slice(2)] : pages;
  return html`<nav aria-label="Pages">
    ${order.map(
      (p) => html`<a key=${p.path} href=${"#/" + p.path} aria-current=${p.path === kind ? "page" : undefined}>
        ${p.title}${p.path === "problems" && wrong > 0 && html`<span class="count ${state.problems.error ? "bad" : "warn"}">${wrong}</span>`}
      </a>`,
    )}
  </nav>`;
}

const looks = ["auto", "light", "dark"];

function Look() {
  const [look, set] = useState(() => localStorage.getItem("look") ?? "auto");
  useEffect(() => {
    document.documentElement.dataset.look = look;
    localStorage.setItem("look", look);
  }, [look]);
  return html`<button class="look" type="button" onClick=${() => set(looks[(looks.indexOf(look) + 1) % looks.length])}>${look}<span class="hidden"> colours: change</span></button>`;
}

function Connection() {
  const { connected, lost } = useStore("connected");
  return html`<p class="connection ${connected ? "on" : "off"}" role="status">
    ${connected === null ? "connecting …" : connected ? "live" : lost ? `${lost.replace(/[.:]$/, "")}. What is shown may be old; trying again …` : "connection lost: what is shown may be old; trying again …"}
  </p>`;
}

// Guarded keeps a page that is broken from taking the others with it.
function Guarded({ children }) {
  const [error] = useErrorBoundary();
  if (!error) return children;
  return html`<h1>This page is broken</h1><p class="failure" role="alert">${String(error.message ?? error)}</p><p>The others are not. If it stays so, it is a mistake in fairway.</p>`;
}

function App() {
  const [at, go] = useState(where);
  const main = useRef();
  useEffect(() => {
    const follow = () => {
      const next = where();
      go((before) => {
        if (before.kind !== next.kind || before.name !== next.name) {
          scrollTo(0, 0);
          main.current?.focus({ preventScroll: true });
        }
        return next;
      });
    };
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const page = pages.find((p) => p.path === at.kind);
  useEffect(() => {
    document.title = `${at.name ?? page?.title ?? "Not found"} · fairway`;
  }, [at.kind, at.name]);
  const Shown = at.name === undefined ? page?.list : page?.one;
  return html`
    <a class="skip" href=${at.hash || "#/"} onClick=${(e) => (e.preventDefault(), main.current.focus())}>To the content</a>
    <header>
      <a class="brand" href="#/"><img src="icon.svg" alt="" width="24" height="24" />fairway</a>
      <${Menu} kind=${at.kind} />
      <${Look} />
    </header>
    <${Connection} />
    <main ref=${main} tabindex="-1">
      ${Shown ? html`<${Guarded} key=${at.hash}><${Shown} name=${at.name} query=${at.query} /><//>` : html`<h1>Not found</h1><p>There is no page of this name.</p>`}
    </main>
  `;
}

document.documentElement.dataset.look = localStorage.getItem("look") ?? "auto";
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
connect();
addEventListener("pagehide", () => (store.connected = null));
