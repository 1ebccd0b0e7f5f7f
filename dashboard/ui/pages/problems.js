// Problems: what is wrong, where, and what was probably meant.
import { html } from "../html.js";
import { useState } from "../lib/hooks.js";
import { useData } from "../store.js";
import { Name, Nothing, Status, Wait } from "../parts.js";
import { ago, date } from "../words.js";

const kinds = { router: "routers", service: "services", middleware: "middlewares" };
const order = { error: 0, warning: 1, notice: 2 };

function Problem({ of: p }) {
  const kind = kinds[p.kind];
  return html`<li class="problem ${p.severity}">
    <p class="head"><${Status} of=${p.severity} />
      ${p.source && html`<span class="source">${p.source}${p.line ? ":" + p.line : ""}</span>`}
      ${p.provider && html`<span class="note">${p.provider}</span>`}
      <span class="note" title=${date(p.since)}>since ${ago(p.since)}</span></p>
    ${p.key && html`<p><code class="key">${p.key}</code></p>`}
    <p class="reason">${p.reason}${p.nearest && html` <span class="meant">Did you mean <code>${p.nearest}</code>?</span>`}</p>
    ${p.name && html`<p>${p.kind} ${kind ? html`<${Name} kind=${kind} name=${p.name} />` : html`<code>${p.name}</code>`}${p.disables && html` <span class="bad">is out of use until that is mended</span>`}</p>`}
  </li>`;
}

export function Problems() {
  const answer = useData("problems", 10);
  const [search, look] = useState("");
  const [severity, choose] = useState("");
  return html`<h1>Problems</h1>
    <form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
      <label>Search <input type="search" value=${search} onInput=${(e) => look(e.target.value.toLowerCase())} /></label>
      <label>Severity <select value=${severity} onChange=${(e) => choose(e.target.value)}><option value="">all</option><option>error</option><option>warning</option><option>notice</option></select></label>
    </form>
    <${Wait} answer=${answer}>${(all) => {
      const list = all
        .filter((p) => !severity || p.severity === severity)
        .filter((p) => !search || JSON.stringify(p).toLowerCase().includes(search))
        .sort((a, b) => order[a.severity] - order[b.severity]);
      return list.length
        ? html`<ul class="problems">${list.map((p) => html`<${Problem} of=${p} />`)}</ul>`
        : html`<${Nothing}>${all.length ? "Nothing that fits." : "Nothing is wrong."}<//>`;
    }}<//>`;
}
