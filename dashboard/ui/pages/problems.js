// Problems: what is wrong, where, and what was probably meant.
import { html } from "../html.js";
import { useState } from "../lib/hooks.js";
import { useBeat } from "../store.js";
import { End, plain, Total, usePages } from "../paged.js";
import { Name, Nothing, Status } from "../parts.js";
import { ago, date } from "../words.js";

const kinds = { router: "routers", service: "services", middleware: "middlewares" };

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

export function Problems({ query }) {
  const [filter, set] = useState({ search: query.search ?? "", severity: query.severity ?? "", sortBy: "severity" });
  const choose = (name) => (e) => {
    const next = { ...filter, [name]: e.target.value };
    set(next);
    window.history.replaceState(null, "", "#/problems?" + new URLSearchParams(plain({ ...next, sortBy: "" })));
  };
  const { rows, next, total, error, more } = usePages("problems", filter);
  useBeat(10); // for how long they have been there
  const chosen = filter.search || filter.severity;
  return html`<h1>Problems</h1>
    <form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
      <label>Search <input type="search" value=${filter.search} onInput=${choose("search")} /></label>
      <label>Severity <select value=${filter.severity} onChange=${choose("severity")}><option value="">all</option><option>error</option><option>warning</option><option>notice</option></select></label>
    </form>
    ${error && html`<p class="failure" role="alert">${error.message}</p>`}
    <${Total} rows=${rows} total=${total} />
    ${!rows && !error && html`<p class="wait">…</p>`}
    ${rows?.length === 0 && html`<${Nothing}>${chosen ? "Nothing that fits." : "Nothing is wrong."}<//>`}
    ${rows?.length > 0 && html`<ul class="problems">${rows.map((p) => html`<${Problem} of=${p} />`)}</ul>`}
    ${next > 1 && html`<${End} more=${more} />`}`;
}
