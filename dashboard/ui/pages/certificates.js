// Certificates: for which names, from whom, until when, and what went wrong.
import { html } from "../html.js";
import { useData } from "../store.js";
import { Facts, Nothing, Status, Wait } from "../parts.js";
import { date, runsOutSoon, until } from "../words.js";

function state(c) {
  if (c.error) return c.notAfter && new Date(c.notAfter) > Date.now() ? "warning" : "error";
  if (!c.notAfter) return c.ordering ? "being ordered" : "waiting";
  if (new Date(c.notAfter) < Date.now()) return "error";
  return runsOutSoon(c) ? "warning" : "good";
}

const words = { good: "enabled", warning: "warning", error: "error" };

function Certificate({ of: c }) {
  const is = state(c);
  return html`<li class="certificate">
    <h2>${c.names?.join(", ") || "the default certificate"} ${words[is] ? html`<${Status} of=${words[is]} />` : html`<span class="status info">${is}</span>`}</h2>
    ${c.error && html`<p class="failure">${c.error}${c.since && ` (since ${date(c.since)})`}</p>`}
    <${Facts} of=${[
      ["Runs out", c.notAfter && `${date(c.notAfter)}, ${until(c.notAfter)}`],
      ["Issued", c.notBefore && date(c.notBefore)],
      ["Issuer", c.issuer],
      ["Resolver", c.resolver],
      ["File", c.file],
      ["Renewed", c.renewAt && until(c.renewAt)],
      ["Next attempt", c.nextTry && until(c.nextTry)],
      ["Failures", c.failures],
      ["Routers", c.routers?.join(", ")],
      ["Serial", c.serial && html`<code>${c.serial}</code>`],
    ]} />
  </li>`;
}

export function Certificates() {
  return html`<h1>Certificates</h1>
    <${Wait} answer=${useData("certificates", 5)}>${(list) =>
      list.length ? html`<ul class="cards">${list.map((c) => html`<${Certificate} of=${c} />`)}</ul>` : html`<${Nothing}>There are none: no file and no resolver has any.<//>`}<//>`;
}
