// Routers, services and middlewares.
import { html } from "../html.js";
import { useState } from "../lib/hooks.js";
import { useData } from "../store.js";
import { End, plain, Total, usePages } from "../paged.js";
import { link, Name, Nothing, qualified, Status } from "../parts.js";
import { millis, rate } from "../words.js";

function Filters({ filter, set, byEntryPoint }) {
  const providers = useData("providers");
  const points = useData("entrypoints");
  const choose = (name) => (e) => set({ ...filter, [name]: e.target.value });
  return html`<form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
    <label>Search <input type="search" value=${filter.search} onInput=${choose("search")} /></label>
    <label>Status <select value=${filter.status} onChange=${choose("status")}><option value="">all</option><option>enabled</option><option>warning</option><option>disabled</option></select></label>
    <label>Provider <select value=${filter.provider} onChange=${choose("provider")}><option value="">all</option>${(providers.data ?? []).map((p) => html`<option key=${p.name}>${p.name}</option>`)}<option>internal</option></select></label>
    ${byEntryPoint && html`<label>Entry point <select value=${filter.entryPoint} onChange=${choose("entryPoint")}><option value="">all</option>${(points.data ?? []).map((p) => html`<option key=${p.name}>${p.name}</option>`)}</select></label>`}
    <label>Order <select value=${filter.sortBy} onChange=${choose("sortBy")}><option value="">name</option><option value="rate">rate</option>${byEntryPoint && html`<option>priority</option>`}<option>status</option><option>provider</option></select></label>
  </form>`;
}

function List({ title, kind, query, columns, byEntryPoint }) {
  const [filter, set] = useState({ search: query.search ?? "", status: query.status ?? "", provider: query.provider ?? "", entryPoint: query.entryPoint ?? "", sortBy: query.sortBy ?? "" });
  const change = (next) => {
    set(next);
    window.history.replaceState(null, "", `#/${kind}?` + new URLSearchParams(plain(next)));
  };
  const { rows, next, total, error, more } = usePages("http/" + kind, filter);
  return html`<h1>${title}</h1>
    <${Filters} filter=${filter} set=${change} byEntryPoint=${byEntryPoint} />
    ${error && html`<p class="failure" role="alert">${error.message}</p>`}
    <${Total} rows=${rows} total=${total} />
    ${rows?.length === 0 && html`<${Nothing}>Nothing that fits.<//>`}
    ${rows?.length > 0 &&
    html`<div class="scroll" tabindex="0" role="group" aria-label=${title}><table class="list">
      <thead><tr>${columns.map((c) => html`<th key=${c.title} class=${c.look}>${c.title}</th>`)}</tr></thead>
      <tbody>${rows.map((r) => html`<tr key=${r.name}>${columns.map((c) => html`<td key=${c.title} class=${c.look} data-title=${c.title}>${c.of(r)}</td>`)}</tr>`)}</tbody>
    </table></div>`}
    ${next > 1 && html`<${End} more=${more} byItself />`}`;
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
