// One router, service or middleware: where it stands on the way of requests, and all that
// was written of it.
import { html } from "../html.js";
import { useData } from "../store.js";
import { Facts, link, Name, Nothing, Panel, qualified, Servers, Status, Wait, Way } from "../parts.js";
import { Options } from "../options.js";
import { millis, rate } from "../words.js";

const path = (kind, name) => `http/${kind}/${encodeURIComponent(name)}`;

// What is shown apart, and is no option.
const own = ["name", "provider", "status", "error", "using", "usedBy", "type", "source", "load", "servers", "serverStatus", "parts", "priorityStr"];
const written = (object) => Object.fromEntries(Object.entries(object).filter(([name]) => !own.includes(name)));

function Head({ kind, of }) {
  return html`<h1>${of.name} <${Status} of=${of.status} /></h1>
    ${of.error?.map((text) => html`<p class="failure">${text}</p>`)}
    <${Facts} of=${[
      ["Type", of.type],
      ["Provider", of.provider],
      ["Written in", of.source],
      ["Requests", of.load && rate(of.load.rate)],
      ["Failures", of.load?.errors ? rate(of.load.errors) : ""],
      ["Takes", of.load?.millis ? millis(of.load.millis) : ""],
    ]} />`;
}

function ways(router, service) {
  const name = qualified(router.service ?? "", router);
  const steps = [
    { what: "entry points", name: (router.entryPoints ?? []).join(", ") || "none", look: router.entryPoints?.length ? "" : "bad" },
    { what: "router", name: router.name, more: html`<code>${router.rule}</code>`, look: router.status === "disabled" ? "bad" : "here" },
    ...(router.middlewares ?? []).map((m) => ({ what: "middleware", name: m, href: link("middlewares", qualified(m, router)) })),
    { what: "service", name, href: link("services", name), more: service?.type, look: service?.status === "disabled" ? "bad" : "" },
  ];
  for (const s of (service?.servers ?? []).slice(0, 8)) {
    steps.push({ what: "server", name: s.url, more: `${s.up ? "up" : "down"}, ${s.inFlight} under way`, look: s.up ? "good end" : "bad end" });
  }
  if (service?.servers?.length > 8) steps.push({ what: "servers", name: `and ${service.servers.length - 8} more`, look: "end" });
  for (const part of service?.parts ?? []) steps.push({ what: "service", name: part, href: link("services", part), look: "end" });
  return steps;
}

function RouterShown({ of }) {
  const service = useData(of.service && path("services", qualified(of.service, of)), 5);
  return html`<${Head} of=${of} />
    <${Panel} title="The way of a request" wide><${Way} steps=${ways(of, service.data)} /><//>
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="routers" value=${written(of)} /><//>`;
}

export function Router({ name }) {
  return html`<${Wait} title=${name} answer=${useData(path("routers", name), 5)}>${(of) => html`<${RouterShown} of=${of} />`}<//>`;
}

function UsedBy({ of }) {
  return html`<${Panel} title="Used by">
    ${of.usedBy?.length ? html`<ul class="rows">${of.usedBy.slice(0, 200).map((r) => html`<li key=${r}><${Name} kind="routers" name=${r} /></li>`)}</ul>` : html`<${Nothing}>No router uses it.<//>`}
    ${of.usedBy?.length > 200 && html`<p class="note">and ${of.usedBy.length - 200} more</p>`}
  <//>`;
}

export function Service({ name }) {
  return html`<${Wait} title=${name} answer=${useData(path("services", name), 5)}>${(of) => html`<${Head} of=${of} />
    ${of.servers?.length > 0 && html`<${Panel} title="Servers" wide><${Servers} of=${of.servers} /><//>`}
    ${of.parts?.length > 0 && html`<${Panel} title="Made of"><ul class="rows">${of.parts.map((p) => html`<li key=${p}><${Name} kind="services" name=${p} /></li>`)}</ul><//>`}
    <${UsedBy} of=${of} />
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="services" value=${written(of)} /><//>`}<//>`;
}

export function Middleware({ name }) {
  return html`<${Wait} title=${name} answer=${useData(path("middlewares", name))}>${(of) => html`<${Head} of=${of} />
    <${UsedBy} of=${of} />
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="middlewares" value=${written(of)} /><//>`}<//>`;
}
