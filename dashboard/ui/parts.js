// What several pages are made of.
import { html } from "./html.js";

const states = {
  enabled: ["good", "enabled"],
  warning: ["warn", "warning"],
  disabled: ["bad", "disabled"],
  up: ["good", "up"],
  down: ["bad", "down"],
  error: ["bad", "error"],
  notice: ["info", "notice"],
};

// Status is said in words as well: not everybody sees colours.
export function Status({ of }) {
  const [look, word] = states[of] ?? ["info", of];
  return html`<span class="status ${look}">${word}</span>`;
}

export const link = (kind, name) => `#/${kind}/${encodeURIComponent(name)}`;

// qualified is a name with its provider; without one it belongs to that of the object.
export const qualified = (name, of) => (name.includes("@") ? name : name + "@" + of.provider);

export function Name({ kind, name }) {
  const at = name.lastIndexOf("@");
  return html`<a class="name" href=${link(kind, name)}>${at < 0 ? name : name.slice(0, at)}${at >= 0 && html`<span class="provider">${name.slice(at)}</span>`}</a>`;
}

export function Panel({ title, children, note, wide }) {
  return html`<section class="panel ${wide ? "wide" : ""}">
    <h2>${title}${note && html`<span class="note">${note}</span>`}</h2>
    ${children}
  </section>`;
}

// Wait shows what was asked for, when it is there. A page of one object gives its title, for
// the case that there is none.
export function Wait({ answer, title, children }) {
  if (answer.error) return html`${title && html`<h1>${title}</h1>`}<p class="failure" role="alert">${answer.error.message}</p>`;
  if (answer.data === undefined) return html`<p class="wait">…</p>`;
  return children(answer.data);
}

export const Nothing = ({ children }) => html`<p class="nothing">${children}</p>`;

// Facts is a list of names and values; those without a value are left out.
export function Facts({ of }) {
  return html`<dl class="facts">
    ${of.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false).map(
      ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`,
    )}
  </dl>`;
}

// Spark draws how a number went. Its last value is written beside it by the page.
export function Spark({ values, label, look = "line" }) {
  const width = 300;
  const height = 48;
  const top = Math.max(...values, 0) || 1;
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(height - 2 - (v / top) * (height - 6)).toFixed(1)}`);
  return html`<svg class="spark ${look}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label=${label}>
    ${values.length > 1 && html`<polygon points="0,${height} ${points.join(" ")} ${width},${height}" /><polyline points=${points.join(" ")} />`}
  </svg>`;
}

// Matched shows a rule with what of it is satisfied.
export function Matched({ of }) {
  if (!of.op) return html`<code class="matcher ${of.matched ? "yes" : "no"}">${of.matched ? "✓ " : "✗ "}${of.text}</code>`;
  if (of.op === "!") return html`<span class="not ${of.matched ? "yes" : "no"}">not <${Matched} of=${of.parts[0]} /></span>`;
  return html`<span class="group">${of.parts.map((part, i) => html`${i > 0 && html`<b class="op">${of.op === "&&" ? "and" : "or"}</b>`}<${Matched} of=${part} />`)}</span>`;
}

// Way draws where a request goes: steps from left to right, below each other on a phone.
export function Way({ steps }) {
  return html`<ol class="way">
    ${steps.map(
      (s) => html`<li class="step ${s.look ?? ""}">
        <span class="what">${s.what}</span>
        <span class="which">${s.href ? html`<a href=${s.href}>${s.name}</a>` : s.name}</span>
        ${s.more && html`<span class="more">${s.more}</span>`}
      </li>`,
    )}
  </ol>`;
}

// mostSteps bounds a picture: a service may be made of very many.
const mostSteps = 40;

const share = (p) => (p.weight !== undefined ? `weight ${p.weight}` : p.percent !== undefined ? `mirror of ${p.percent} %` : p.role);

const told = (...words) => words.filter(Boolean).join(", ");

const serverStep = (s) => ({
  what: "server",
  name: s.url,
  more: told(s.up ? "up" : "down", `weight ${s.weight ?? 1}`, `${s.inFlight} under way`, s.check && `check ${s.check}`, s.reason),
  look: s.up ? "good end" : "bad end",
});

export const middlewareStep = (m) => ({ what: m.type || "middleware", name: m.name, href: link("middlewares", m.name), look: m.status === "disabled" ? "bad" : "", more: m.in && `of ${m.in}` });

// reached are the steps from a service on: what stands in front of it, its servers, and the
// services that it is made of with theirs.
export function reached(pool) {
  const steps = [];
  const add = (p, part) => {
    const end = p.servers?.length || p.parts?.length ? "" : " end";
    steps.push({ what: "service", name: p.name, href: link("services", p.name), more: told(p.type, share(p)), look: (p.status === "disabled" ? "bad" : part ? "part" : "") + end });
    steps.push(...(p.middlewares ?? []).map(middlewareStep), ...(p.servers ?? []).map(serverStep));
    for (const its of p.parts ?? []) add(its, true);
  };
  add(pool, false);
  return steps.length > mostSteps ? [...steps.slice(0, mostSteps), { what: "servers", name: `and ${steps.length - mostSteps} more`, look: "end" }] : steps;
}

export function Servers({ of }) {
  if (!of?.length) return null;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Servers"><table>
    <thead><tr><th>Server</th><th>State</th><th class="n">Weight</th><th class="n">Under way</th><th>Check</th></tr></thead>
    <tbody>
      ${of.map(
        (s) => html`<tr key=${s.url}>
          <td><code>${s.url}</code></td>
          <td><${Status} of=${s.up ? "up" : "down"} /></td>
          <td class="n">${s.weight ?? 1}</td>
          <td class="n">${s.inFlight}</td>
          <td>${s.check ?? "none"}${s.reason && html`: ${s.reason}`}</td>
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}
