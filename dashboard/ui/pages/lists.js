// Routers, services and middlewares: lists that the server searches, sorts and pages, so that
// ten thousand are no more to the browser than the hundred that are looked at.
import { html } from "../html.js";
import { useEffect, useRef, useState } from "../lib/hooks.js";
import { get, useData, useStore } from "../store.js";
import { link, Name, Nothing, qualified, Status } from "../parts.js";
import { millis, rate } from "../words.js";

const perPage = 100;
const refreshed = 3; // pages; those further down are as they were

const plain = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value));

// usePages has the pages of a list that have been scrolled to.
function usePages(kind, filter) {
  const [list, set] = useState({ rows: null });
  const { state, seconds } = useStore("state", "seconds");
  const latest = useRef();
  const key = JSON.stringify(filter);
  const path = (page, per = perPage) => `http/${kind}?` + new URLSearchParams({ ...plain(filter), page, per_page: per });

  const ask = async (page, per, take) => {
    const mine = (latest.current = Symbol());
    try {
      const { body, next } = await get(path(page, per));
      if (latest.current === mine) set((before) => take(before, body, next));
    } catch (error) {
      if (latest.current === mine) set((before) => ({ ...before, error }));
    }
  };
  useEffect(() => {
    ask(1, perPage, (_, rows, next) => ({ rows, next }));
  }, [key]);
  // The load of rows is others every five seconds.
  const beat = Math.floor((seconds.at(-1)?.t ?? 0) / 5);
  useEffect(() => {
    if (!list.rows) return;
    const per = Math.min(Math.max(list.rows.length, perPage), refreshed * perPage);
    ask(1, per, (before, rows, next) => (before.rows.length > per ? { ...before, rows: [...rows, ...before.rows.slice(per)] } : { rows, next: next === 1 ? 1 : Math.ceil(per / perPage) + 1 }));
  }, [beat, state.change, state.down]);
  const more = () => {
    if (list.next > 1) ask(list.next, perPage, (before, rows, next) => ({ rows: [...before.rows, ...rows], next }));
  };
  return { ...list, more };
}

function End({ more }) {
  const mark = useRef();
  useEffect(() => {
    const seen = new IntersectionObserver(([e]) => e.isIntersecting && more(), { rootMargin: "600px" });
    seen.observe(mark.current);
    return () => seen.disconnect();
  });
  return html`<p ref=${mark}><button type="button" onClick=${more}>More</button></p>`;
}

function Filters({ filter, set, byEntryPoint }) {
  const providers = useData("providers");
  const points = useData("entrypoints");
  const choose = (name) => (e) => set({ ...filter, [name]: e.target.value });
  return html`<form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
    <label>Search <input type="search" value=${filter.search} onInput=${choose("search")} /></label>
    <label>Status <select value=${filter.status} onChange=${choose("status")}><option value="">all</option><option>enabled</option><option>warning</option><option>disabled</option></select></label>
    <label>Provider <select value=${filter.provider} onChange=${choose("provider")}><option value="">all</option>${(providers.data ?? []).map((p) => html`<option key=${p.name}>${p.name}</option>`)}<option>internal</option></select></label>
    ${byEntryPoint && html`<label>Entry point <select value=${filter.entryPoint} onChange=${choose("entryPoint")}><option value="">all</option>${(points.data ?? []).map((p) => html`<option key=${p.name}>${p.name}</option>`)}</select></label>`}
    <label>Order <select value=${filter.sortBy} onChange=${choose("sortBy")}><option value="">name</option><option value="rate">rate</option><option>status</option><option>provider</option></select></label>
  </form>`;
}

function List({ title, kind, query, columns, byEntryPoint }) {
  const [filter, set] = useState({ search: query.search ?? "", status: query.status ?? "", provider: query.provider ?? "", entryPoint: query.entryPoint ?? "", sortBy: query.sortBy ?? "" });
  const change = (next) => {
    set(next);
    window.history.replaceState(null, "", `#/${kind}?` + new URLSearchParams(plain(next)));
  };
  const { rows, next, error, more } = usePages(kind, filter);
  return html`<h1>${title}</h1>
    <${Filters} filter=${filter} set=${change} byEntryPoint=${byEntryPoint} />
    ${error && html`<p class="failure" role="alert">${error.message}</p>`}
    ${rows?.length === 0 && html`<${Nothing}>Nothing that fits.<//>`}
    ${rows?.length > 0 &&
    html`<div class="scroll" tabindex="0" role="group" aria-label=${title}><table class="list">
      <thead><tr>${columns.map((c) => html`<th key=${c.title} class=${c.look}>${c.title}</th>`)}</tr></thead>
      <tbody>${rows.map((r) => html`<tr key=${r.name}>${columns.map((c) => html`<td key=${c.title} class=${c.look} data-title=${c.title}>${c.of(r)}</td>`)}</tr>`)}</tbody>
    </table></div>`}
    ${next > 1 && html`<${End} more=${more} />`}`;
}

const name = (kind) => ({ title: "Name", of: (r) => html`<${Name} kind=${kind} name=${r.name} />` });
const status = { title: "Status", of: (r) => html`<${Status} of=${r.status} />` };
const loads = [
  { title: "Rate", look: "n", of: (r) => (r.load ? rate(r.load.rate) : "") },
  { title: "5xx", look: "n", of: (r) => (r.load?.errors ? html`<span class="bad">${rate(r.load.errors)}</span>` : "–") },
  { title: "Takes", look: "n", of: (r) => millis(r.load?.millis) },
];

export const Routers = ({ query }) => html`<${List} title="Routers" kind="routers" query=${query} byEntryPoint columns=${[
  name("routers"),
  status,
  { title: "Rule", look: "rule", of: (r) => html`<code>${r.rule}</code>${r.tls && html` <span class="note">TLS</span>`}` },
  { title: "Entry points", of: (r) => r.entryPoints?.join(", ") },
  { title: "Service", of: (r) => r.service && html`<a class="plain" href=${link("services", qualified(r.service, r))}>${r.service}</a>` },
  ...loads,
]} />`;

const upOf = (r) => {
  const states = Object.values(r.serverStatus ?? {});
  const up = states.filter((s) => s === "UP").length;
  if (!states.length) return r.parts?.length ? `${r.parts.length} services` : "–";
  return html`<span class=${up === states.length ? "" : up ? "warn" : "bad"}>${up} of ${states.length} up</span>`;
};

export const Services = ({ query }) => html`<${List} title="Services" kind="services" query=${query} columns=${[
  name("services"),
  status,
  { title: "Type", of: (r) => r.type },
  { title: "Servers", of: upOf },
  { title: "Used by", look: "n", of: (r) => r.usedBy?.length ?? 0 },
  ...loads,
]} />`;

export const Middlewares = ({ query }) => html`<${List} title="Middlewares" kind="middlewares" query=${query} columns=${[
  name("middlewares"),
  status,
  { title: "Type", of: (r) => r.type },
  { title: "Used by", look: "n", of: (r) => r.usedBy?.length ?? 0 },
  { title: "Written in", of: (r) => r.source },
]} />`;
