// Requests: the last ones, as they are answered.
import { html } from "../html.js";
import { useState } from "../lib/hooks.js";
import { useRequests } from "../store.js";
import { Name, Nothing } from "../parts.js";
import { bytes, clock, millis } from "../words.js";

const shown = 200;
const look = (status) => (status >= 500 || status === 499 ? "bad" : status >= 400 ? "warn" : "good");

function Request({ of: r }) {
  return html`<tr>
    <td data-title="Time" class="n">${clock(r.time)}</td>
    <td data-title="Status"><span class="status ${look(r.status)}">${r.status}</span></td>
    <td data-title="Method">${r.method}</td>
    <td data-title="Address" class="address"><span class="note">${r.host}</span>${r.path}${r.cause && html`<p class="cause">${r.cause}</p>`}</td>
    <td data-title="Took" class="n">${millis(r.millis)}</td>
    <td data-title="Size" class="n">${bytes(r.bytes)}</td>
    <td data-title="Router">${r.router ? html`<${Name} kind="routers" name=${r.router} />` : "–"}</td>
    <td data-title="Server">${r.server}</td>
    <td data-title="Client">${r.client}${r.user && html` <span class="note">${r.user}</span>`}</td>
  </tr>`;
}

export function Live() {
  const { requests, missed } = useRequests();
  const [search, find] = useState("");
  const [kind, choose] = useState("");
  const [held, hold] = useState(null);
  const list = (held ?? requests)
    .filter((r) => !kind || (kind === "failed" ? r.status >= 500 || r.status === 499 : Math.floor(r.status / 100) === Number(kind)))
    .filter((r) => !search || `${r.method} ${r.host}${r.path} ${r.router} ${r.server} ${r.client} ${r.user} ${r.cause} ${r.status}`.toLowerCase().includes(search))
    .slice(0, shown);
  return html`<h1>Requests</h1>
    <form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
      <label>Search <input type="search" value=${search} onInput=${(e) => find(e.target.value.toLowerCase())} /></label>
      <label>Show <select value=${kind} onChange=${(e) => choose(e.target.value)}><option value="">all</option><option value="failed">failures</option><option value="2">2xx</option><option value="3">3xx</option><option value="4">4xx</option><option value="5">5xx</option></select></label>
      <button type="button" aria-pressed=${held !== null} onClick=${() => hold(held ? null : requests)}>${held ? "Go on" : "Pause"}</button>
    </form>
    ${missed > 0 && html`<p class="note">There are too many to show all: ${missed} were left out.</p>`}
    ${list.length === 0
      ? html`<${Nothing}>${requests.length ? "Nothing that fits." : "Waiting for requests. Those that fail are kept also while nobody looks."}<//>`
      : html`<div class="scroll" tabindex="0" role="group" aria-label="Requests"><table class="list requests">
          <thead><tr><th>Time</th><th>Status</th><th>Method</th><th>Address</th><th class="n">Took</th><th class="n">Size</th><th>Router</th><th>Server</th><th>Client</th></tr></thead>
          <tbody>${list.map((r) => html`<${Request} key=${r.id} of=${r} />`)}</tbody>
        </table></div>`}`;
}
