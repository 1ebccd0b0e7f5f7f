// Routers and services of TCP and UDP.
import { html } from "../html.js";
import { Nothing, Status, Wait } from "../parts.js";
import { useData } from "../store.js";

const names = (list) => list?.join(", ");
const why = (r) => html`<${Status} of=${r.status} />${r.error?.map((text) => html`<p class="failure">${text}</p>`)}`;

const upOf = (r) => {
  const states = Object.entries(r.serverStatus ?? {});
  if (!states.length) return names(r.loadBalancer?.servers?.map((s) => s.address)) ?? "–";
  return html`<ul class="rows">${states.map(([address, state]) => html`<li key=${address}>${address} <${Status} of=${state.toLowerCase()} /></li>`)}</ul>`;
};

const tlsOf = (r) => r.tls && html` <span class="note">${r.tls.passthrough ? "TLS handed on" : "TLS"}</span>`;

function Table({ title, path, columns }) {
  const answer = useData(path + "?per_page=1000", 5);
  return html`<section class="streams"><h2>${title}</h2>
    <${Wait} answer=${answer}>${(rows) =>
      rows.length === 0
        ? html`<${Nothing}>There are none.<//>`
        : html`<div class="scroll" tabindex="0" role="group" aria-label=${title}><table class="list">
            <thead><tr>${columns.map((c) => html`<th key=${c.title}>${c.title}</th>`)}</tr></thead>
            <tbody>${rows.map((r) => html`<tr key=${r.name}>${columns.map((c) => html`<td key=${c.title} data-title=${c.title}>${c.of(r)}</td>`)}</tr>`)}</tbody>
          </table></div>`}<//>
  </section>`;
}

const name = { title: "Name", of: (r) => r.name };
const status = { title: "Status", of: why };
const source = { title: "Written in", of: (r) => r.source };

export function Streams() {
  return html`<h1>TCP and UDP</h1>
    <${Table} title="Routers of TCP" path="tcp/routers" columns=${[name, status, { title: "Rule", of: (r) => html`<code>${r.rule}</code>${tlsOf(r)}` }, { title: "Entry points", of: (r) => names(r.entryPoints) }, { title: "Service", of: (r) => r.service }, { title: "Middlewares", of: (r) => names(r.middlewares) }, source]} />
    <${Table} title="Services of TCP" path="tcp/services" columns=${[name, status, { title: "Type", of: (r) => r.type }, { title: "Servers", of: upOf }, { title: "Used by", of: (r) => names(r.usedBy) }, source]} />
    <${Table} title="Middlewares of TCP" path="tcp/middlewares" columns=${[name, status, { title: "Type", of: (r) => r.type }, { title: "Used by", of: (r) => names(r.usedBy) }, source]} />
    <${Table} title="Routers of UDP" path="udp/routers" columns=${[name, status, { title: "Entry points", of: (r) => names(r.entryPoints) }, { title: "Service", of: (r) => r.service }, source]} />
    <${Table} title="Services of UDP" path="udp/services" columns=${[name, status, { title: "Type", of: (r) => r.type }, { title: "Servers", of: upOf }, { title: "Used by", of: (r) => names(r.usedBy) }, source]} />`;
}
