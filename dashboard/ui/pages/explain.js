// Explain: which router gets a request, and why others do not. Nothing is sent.
import { html } from "../html.js";
import { useEffect, useState } from "../lib/hooks.js";
import { get, useData } from "../store.js";
import { priority } from "../words.js";
import { link, Matched, middlewareStep, Name, Nothing, Panel, reached, Servers, Way } from "../parts.js";

function Considered({ of }) {
  return html`<li class="considered">
    <p><${Name} kind="routers" name=${of.router} /> <span class="note">priority ${priority(of.priority)}${of.source && ", " + of.source}</span></p>
    <p><${Matched} of=${of.match} /></p>
    <p class="why">${of.why}</p>
  </li>`;
}

function Answer({ of }) {
  const w = of.winner;
  return html`
    <${Panel} title=${w ? "It goes here" : "Nobody gets it"} wide>
      ${of.refused && html`<p class="failure">The entry point ${of.entryPoint} refuses it: ${of.refused}</p>`}
      ${!w && !of.refused && html`<p class="failure">No router at the entry point ${of.entryPoint} matches: the answer is 404.</p>`}
      ${w && html`
        ${w.why && html`<p class="failure">It ${w.why}</p>`}
        <${Way} steps=${[
          { what: "entry point", name: of.entryPoint },
          { what: "router", name: w.router, href: link("routers", w.router), look: "here", more: `priority ${priority(w.priority)}` },
          ...(w.middlewares ?? []).map(middlewareStep),
          ...(w.service ? reached(w.service) : []),
        ]} />
        <p><${Matched} of=${w.match} /></p>
        <${Servers} of=${w.servers} />`}
    <//>
    ${of.lost.length > 0 && html`<${Panel} title="These match as well" wide><ul class="rows">${of.lost.map((c) => html`<${Considered} key=${c.router} of=${c} />`)}</ul><//>`}
    ${of.near.length > 0 && html`<${Panel} title="These nearly match" wide><ul class="rows">${of.near.map((c) => html`<${Considered} key=${c.router} of=${c} />`)}</ul><//>`}
    ${!w && !of.lost.length && !of.near.length && html`<${Nothing}>No router has a host like this.<//>`}`;
}

// whole is an address with its scheme: without one, that which an entry point has.
async function whole(address) {
  if (/^https?:\/\//i.test(address)) return address;
  const { body } = await get("entrypoints");
  return (body.some((p) => p.speaksTLS) ? "https://" : "http://") + address;
}

export function Explain({ query }) {
  const [asked, set] = useState({ url: query.url ?? "", method: query.method ?? "GET", entryPoint: query.entryPoint ?? "", client: query.client ?? "", headers: query.headers ?? "" });
  const [answer, take] = useState({});
  const points = useData("entrypoints");
  const change = (name) => (e) => set({ ...asked, [name]: e.target.value });
  const ask = (e) => {
    e?.preventDefault();
    const params = new URLSearchParams({ method: asked.method });
    if (asked.entryPoint) params.set("entryPoint", asked.entryPoint);
    if (asked.client) params.set("client", asked.client);
    for (const line of asked.headers.split("\n").filter((l) => l.trim())) params.append("header", line);
    window.history.replaceState(null, "", "#/explain?" + new URLSearchParams(Object.fromEntries(Object.entries(asked).filter(([, v]) => v))));
    whole(asked.url)
      .then((url) => (params.set("url", url), get("explain?" + params)))
      .then(({ body }) => take({ data: body }), (error) => take({ error }));
  };
  useEffect(() => {
    if (asked.url) ask();
  }, []);
  return html`<h1>Explain a request</h1>
    <p>Which router gets it, what it passes, and why others do not get it. Nothing is sent.</p>
    <form class="filters" onSubmit=${ask}>
      <label>Method <select value=${asked.method} onChange=${change("method")}>${["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map((m) => html`<option>${m}</option>`)}</select></label>
      <label class="long">URL <input type="text" inputmode="url" placeholder="https://shop.example/cart" required value=${asked.url} onInput=${change("url")} /></label>
      <label>Entry point <select value=${asked.entryPoint} onChange=${change("entryPoint")}><option value="">by the port</option>${(points.data ?? []).map((p) => html`<option key=${p.name}>${p.name}</option>`)}</select></label>
      <label>Client <input type="text" placeholder="127.0.0.1" value=${asked.client} onInput=${change("client")} /></label>
      <label class="long">Headers <textarea rows="2" placeholder="Name: value" value=${asked.headers} onInput=${change("headers")}></textarea></label>
      <button type="submit">Explain</button>
    </form>
    <div aria-live="polite">
      ${answer.error && html`<p class="failure" role="alert">${answer.error.message}</p>`}
      ${answer.data && html`<${Answer} of=${answer.data} />`}
    </div>`;
}
