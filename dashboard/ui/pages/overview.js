// Overview: what passes now, and whether all is well.
import { html } from "../html.js";
import { useData, useStore } from "../store.js";
import { Facts, Nothing, Panel, Spark, Status, Wait } from "../parts.js";
import { ago, bytes, date, millis, number, rate, runsOutSoon, span, until } from "../words.js";

const all = (s) => s.classes.reduce((sum, n) => sum + n, 0);
const mean = (list) => (list.length ? list.reduce((sum, n) => sum + n, 0) / list.length : 0);

// coarse puts seconds together, so that a quarter of an hour is 90 points.
function coarse(seconds, value, by = 10) {
  const points = [];
  for (let i = 0; i < seconds.length; i += by) points.push(mean(seconds.slice(i, i + by).map(value)));
  return points;
}

function Number({ title, value, note, values, label, look }) {
  return html`<div class="figure"><h3>${title}</h3><p class="big">${value}${note && html`<span class="note">${note}</span>`}</p><${Spark} values=${values} label=${label} look=${look} /></div>`;
}

function Traffic() {
  const { seconds } = useStore("seconds");
  const last = seconds.slice(-10);
  const now = mean(last.map(all));
  const failing = mean(last.map((s) => s.classes[5]));
  const busy = seconds.filter((s) => s.p50 > 0);
  const recent = busy.slice(-10);
  const classes = last.reduce((sum, s) => sum.map((n, i) => n + s.classes[i]), [0, 0, 0, 0, 0, 0]);
  return html`<${Panel} title="Requests" note="last 15 minutes" wide>
    <div class="figures">
      <${Number} title="Rate" value=${rate(now)} values=${coarse(seconds, all)} label="Requests a second, last 15 minutes" />
      <${Number} title="Failures (5xx)" value=${now ? number((failing / now) * 100) + " %" : "–"} note=${rate(failing)} look="bad" values=${coarse(seconds, (s) => s.classes[5])} label="Failed requests a second, last 15 minutes" />
      <${Number} title="Median" value=${millis(mean(recent.map((s) => s.p50)))} values=${coarse(busy, (s) => s.p50)} label="Median duration, last 15 minutes" />
      <${Number} title="95 %" value=${millis(mean(recent.map((s) => s.p95)))} values=${coarse(busy, (s) => s.p95)} label="Duration of the 95th percentile, last 15 minutes" />
      <${Number} title="99 %" value=${millis(mean(recent.map((s) => s.p99)))} values=${coarse(busy, (s) => s.p99)} label="Duration of the 99th percentile, last 15 minutes" />
    </div>
    <p class="classes">${["without status", "1xx", "2xx", "3xx", "4xx", "5xx"].map((name, i) => classes[i] > 0 && html`<span class="class c${i}">${name} <b>${number(classes[i] / last.length)}/s</b></span>`)}</p>
  <//>`;
}

function Counts({ title, href, count }) {
  return html`<a class="counts" href=${href}>
    <span class="title">${title}</span><b>${count.total}</b>
    <span class="of">${count.errors > 0 && html`<span class="bad">${count.errors} disabled</span>`}${count.warnings > 0 && html`<span class="warn">${count.warnings} with warnings</span>`}${!count.errors && !count.warnings && html`<span class="good">all well</span>`}</span>
  </a>`;
}

function Providers() {
  const answer = useData("providers", 5);
  return html`<${Panel} title="Providers">
    <${Wait} answer=${answer}>${(list) =>
      list.length === 0
        ? html`<${Nothing}>No provider is configured.<//>`
        : html`<ul class="rows">${list.map((p) => html`<li key=${p.name}><b>${p.name}</b> <${Status} of=${p.up ? "up" : "down"} /> <span class="note">${p.updated ? `${p.updates} update${p.updates === 1 ? "" : "s"}, last ${ago(p.updated)}` : "has told nothing yet"}</span>${p.error && html`<p class="failure">${p.error}</p>`}</li>`)}</ul>`}<//>
  <//>`;
}

function Expiring() {
  const answer = useData("certificates", 60);
  const soon = (c) => c.error || runsOutSoon(c);
  return html`<${Panel} title="Certificates" note=${html`<a href="#/certificates">all</a>`}>
    <${Wait} answer=${answer}>${(list) =>
      list.filter(soon).length === 0
        ? html`<p class=${list.length ? "good" : "nothing"}>${list.length ? "None runs out within 14 days." : "There are none."}</p>`
        : html`<ul class="rows">${list.filter(soon).map((c) => html`<li><b>${c.names?.join(", ")}</b> <span class=${c.error ? "bad" : "warn"}>${c.error ? c.error : "runs out " + until(c.notAfter)}</span></li>`)}</ul>`}<//>
  <//>`;
}

export function Overview() {
  const overview = useData("overview");
  const points = useData("entrypoints");
  const version = useData("version", 10);
  const routed = overview.data;
  const other = routed && routed.tcp.routers.total + routed.udp.routers.total > 0 && routed;
  return html`<h1 class="hidden">Overview</h1>
    <${Traffic} />
    <div class="panels">
      <${Panel} title="HTTP">
        <${Wait} answer=${overview}>${(o) => html`<div class="tiles">
          <${Counts} title="Routers" href="#/routers" count=${o.http.routers} />
          <${Counts} title="Services" href="#/services" count=${o.http.services} />
          <${Counts} title="Middlewares" href="#/middlewares" count=${o.http.middlewares} />
        </div>`}<//>
      <//>
      ${other && html`<${Panel} title="TCP and UDP"><div class="tiles">
        ${other.tcp.routers.total > 0 && html`<${Counts} title="TCP routers" href="#/streams" count=${other.tcp.routers} />`}
        ${other.udp.routers.total > 0 && html`<${Counts} title="UDP routers" href="#/streams" count=${other.udp.routers} />`}
      </div><//>`}
      <${Providers} />
      <${Panel} title="Entry points">
        <${Wait} answer=${points}>${(list) => html`<ul class="rows">${list.map((e) => html`<li key=${e.name}><b>${e.name}</b> <code>${e.address}</code>${e.http?.tls && html` <span class="note">TLS</span>`}${e.http3 && html` <span class="note">HTTP/3</span>`}</li>`)}</ul>`}<//>
      <//>
      <${Expiring} />
      <${Panel} title="This fairway">
        <${Wait} answer=${version}>${(v) => html`<${Facts} of=${[
          ["Version", v.Version],
          ["Up for", html`<span title=${date(v.startDate)}>${span((Date.now() - new Date(v.startDate)) / 1000)}</span>`],
          ["Memory", v.memory && bytes(v.memory)],
          ["Goroutines", v.goroutines],
        ]} />`}<//>
        <${Wait} answer=${overview}>${(o) => html`<${Facts} of=${[
          ["Metrics", o.features.metrics || "off"],
          ["Access log", o.features.accessLog ? "on" : "off"],
          ["Traces", o.features.tracing || "off"],
        ]} />`}<//>
      <//>
    </div>`;
}
