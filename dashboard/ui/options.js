// Options of an object, as they are written in files, each with its sentence of the manual.
// They are drawn from the schema of the configuration: nothing here knows a middleware.
import { html } from "./html.js";
import { useEffect, useState } from "./lib/hooks.js";

let asked;
const schema = () => (asked ??= fetch("generated/schema.json").then((res) => res.json()));

// below finds the part of the schema for an option.
function below(part, name) {
  if (!part) return undefined;
  const found = Object.keys(part.properties ?? {}).find((key) => key.toLowerCase() === name.toLowerCase());
  if (found) return part.properties[found];
  if (part.items) return part.items;
  return typeof part.additionalProperties === "object" ? part.additionalProperties : undefined;
}

function Value({ value, part }) {
  if (Array.isArray(value)) {
    if (isPlain(value)) {
      return html`<ul class="values">${value.map((v) => html`<li><code>${String(v)}</code></li>`)}</ul>`;
    }
    return html`<ol class="entries">${value.map((v) => html`<li><${Tree} value=${v} part=${part?.items} /></li>`)}</ol>`;
  }
  if (value !== null && typeof value === "object") return html`<${Tree} value=${value} part=${part} />`;
  return html`<code>${String(value)}</code>`;
}

const isPlain = (value) => typeof value !== "object" || (Array.isArray(value) && value.every((v) => typeof v !== "object"));

const isDefault = (value, part) => part?.default !== undefined && JSON.stringify(value) === JSON.stringify(part.default);

function Tree({ value, part }) {
  const names = Object.keys(value).filter((name) => value[name] !== null && value[name] !== undefined);
  if (names.length === 0) return html`<span class="nothing">all by default</span>`;
  return html`<dl class="options">
    ${names.map((name) => {
      const its = below(part, name);
      return html`<div key=${name}>
        <dt title=${its?.description ?? ""}>${name}</dt>
        <dd><${Value} value=${value[name]} part=${its} />${isDefault(value[name], its) && html`<span class="note">as by default</span>`}${its?.description && isPlain(value[name]) && html`<p class="hint">${its.description}</p>`}</dd>
      </div>`;
    })}
  </dl>`;
}

// Options shows an object of a kind: routers, services, middlewares.
export function Options({ kind, value }) {
  const [whole, set] = useState();
  useEffect(() => {
    let shown = true;
    schema().then((s) => shown && set(s), () => {});
    return () => (shown = false);
  }, []);
  const part = whole?.properties?.http?.properties?.[kind]?.additionalProperties;
  return html`<${Tree} value=${value} part=${part} />`;
}
