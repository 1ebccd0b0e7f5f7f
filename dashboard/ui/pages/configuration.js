// Configuration: what was decided at the start, and what the last changes altered.
import { html } from "../html.js";
import { useState } from "../lib/hooks.js";
import { useData } from "../store.js";
import { Nothing, Panel, Wait } from "../parts.js";
import { ago, date } from "../words.js";

const kinds = { router: "routers", service: "services", middleware: "middlewares" };

// flat has the options by their full names, as flags have them.
function flat(value, name = "") {
  if (value === null || value === "") return [];
  if (typeof value !== "object") return [[name, String(value)]];
  if (Array.isArray(value) && value.every((v) => typeof v !== "object")) return value.length ? [[name, value.join(", ")]] : [];
  return Object.entries(value).flatMap(([key, v]) => flat(v, Array.isArray(value) ? `${name}[${key}]` : name ? `${name}.${key}` : key));
}

function Install({ value }) {
  const [search, find] = useState("");
  const rows = flat(value).filter(([name]) => !search || name.toLowerCase().includes(search));
  return html`<form class="filters" role="search" onSubmit=${(e) => e.preventDefault()}>
      <label>Search <input type="search" value=${search} onInput=${(e) => find(e.target.value.toLowerCase())} /></label>
    </form>
    <dl class="options flat">${rows.map(([name, text]) => html`<div key=${name}><dt>${name}</dt><dd><code>${text}</code></dd></div>`)}</dl>`;
}

function ObjectChange({ of }) {
  return html`<li><p><span class="status ${of.what === "removed" ? "bad" : of.what === "added" ? "good" : "info"}">${of.what}</span> ${of.kind}${" "}
      ${kinds[of.kind] && of.what !== "removed" ? html`<a href=${`#/${kinds[of.kind]}/${encodeURIComponent(of.name)}`}>${of.name}</a>` : of.name} <span class="note">${of.source}</span></p>
    ${of.options?.length > 0
      ? html`<ul class="diff">${of.options.map((o) => html`<li key=${o.name}><code>${o.name}</code> ${o.before && html`<del>${o.before}</del>`} ${o.after && html`<ins>${o.after}</ins>`}</li>`)}</ul>`
      : of.what === "changed" && html`<p class="note">a secret is another</p>`}</li>`;
}

function Change({ of, open }) {
  const [shown, show] = useState(open);
  const n = of.objects.length + (of.more ?? 0);
  return html`<li class="change">
    <p><button type="button" class="plain" aria-expanded=${shown} onClick=${() => show(!shown)}>${shown ? "▾" : "▸"} ${n} object${n === 1 ? "" : "s"} of ${of.providers?.join(", ")}</button>
      <span class="note" title=${date(of.time)}>${ago(of.time)}, took ${of.took}</span></p>
    ${shown && html`<ul class="rows">${of.objects.map((o) => html`<${ObjectChange} key=${o.kind + o.name} of=${o} />`)}</ul>${of.more > 0 && html`<p class="note">and ${of.more} more</p>`}`}
  </li>`;
}

export function Configuration() {
  return html`<h1>Configuration</h1>
    <${Panel} title="Changes" note="the last 50" wide>
      <${Wait} answer=${useData("changes")}>${(list) =>
        list.length ? html`<ul class="rows">${list.map((c, i) => html`<${Change} key=${c.id} of=${c} open=${i === 0} />`)}</ul>` : html`<${Nothing}>Nothing has changed since the start.<//>`}<//>
    <//>
    <${Panel} title="Install configuration" note="in force since the start; secrets are stars" wide>
      <${Wait} answer=${useData("install")}>${(value) => html`<${Install} value=${value} />`}<//>
    <//>`;
}
