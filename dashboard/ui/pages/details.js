// One router, service or middleware: where it stands on the way of requests, and all that
// was written of it.
import { html } from "../html.js";
import { useData } from "../store.js";
import { Facts, link, Name, Nothing, Panel, qualified, reached, Servers, Status, Wait, Way } from "../parts.js";
import { Options } from "../options.js";
import { millis, rate } from "../words.js";

const path = (kind, name) => `http/${kind}/${encodeURIComponent(name)}`;

// What is shown apart, and is no option.
const own = ["name", "provider", "status", "error", "using", "usedBy", "type", "source", "load", "servers", "serverStatus", "parts", "pool", "priorityStr", "defaults", "addedMiddlewares"];
const written = (object) => Object.fromEntries(Object.entries(object).filter(([name]) => !own.includes(name)));

// apart is what somebody wrote of a router, and what is so by default or by its entry points.
function apart(router) {
  const all = written(router);
  const byDefault = {};
  for (const name of router.defaults ?? []) {
    if (name in all) byDefault[name] = all[name];
    delete all[name];
  }
  const added = router.addedMiddlewares ?? [];
  if (added.length) {
    byDefault.middlewares = added;
    all.middlewares = all.middlewares.slice(added.length);
    if (!all.middlewares.length) delete all.middlewares;
  }
  return [all, byDefault];
}

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
  return [
    { what: "entry points", name: (router.entryPoints ?? []).join(", ") || "none", look: router.entryPoints?.length ? "" : "bad" },
    { what: "router", name: router.name, more: html`<code>${router.rule}</code>`, look: router.status === "disabled" ? "bad" : "here" },
    ...(router.middlewares ?? []).map((m) => ({ what: "middleware", name: m, href: link("middlewares", qualified(m, router)) })),
    ...reached(service?.pool ?? { ...service, name, middlewares: (service?.middlewares ?? []).map((m) => ({ name: qualified(m, service) })), parts: [] }),
  ];
}

function RouterShown({ of }) {
  const service = useData(of.service && path("services", qualified(of.service, of)), 5);
  const [said, byDefault] = apart(of);
  return html`<${Head} of=${of} />
    <${Panel} title="The way of a request" wide><${Way} steps=${ways(of, service.data)} /><//>
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="routers" value=${said} /><//>
    ${Object.keys(byDefault).length > 0 && html`<${Panel} title="In force by default" note="nobody wrote it there" wide><${Options} kind="routers" value=${byDefault} /><//>`}`;
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
    ${of.parts?.length > 0 && html`<${Panel} title="Made of" wide><${Way} steps=${reached(of.pool ?? { ...of, servers: [], parts: of.parts.map((name) => ({ name })) })} /><//>`}
    <${UsedBy} of=${of} />
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="services" value=${written(of)} /><//>`}<//>`;
}

export function Middleware({ name }) {
  return html`<${Wait} title=${name} answer=${useData(path("middlewares", name))}>${(of) => html`<${Head} of=${of} />
    <${UsedBy} of=${of} />
    <${Panel} title="As it was written" note=${of.source} wide><${Options} kind="middlewares" value=${written(of)} /><//>`}<//>`;
}
