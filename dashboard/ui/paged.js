// Lists that the server searches, sorts and pages, so that ten thousand are no more to the
// browser than the hundred that are looked at.
import { html } from "./html.js";
import { useEffect, useRef, useState } from "./lib/hooks.js";
import { get, useBeat, useStore } from "./store.js";

const perPage = 100;
const refreshed = 3; // pages; those further down are as they were

export const plain = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value));

// usePages has the pages of a list that have been scrolled to.
export function usePages(list, filter) {
  const [shown, set] = useState({ rows: null });
  const { state } = useStore("state");
  const beat = useBeat(5); // the load of rows is others every five seconds
  const latest = useRef();
  const growing = useRef(false); // what is asked for by hand is not overtaken
  const path = (page, per = perPage) => `${list}?` + new URLSearchParams({ ...plain(filter), page, per_page: per });

  const ask = async (page, per, take) => {
    const mine = (latest.current = Symbol());
    try {
      const { body, next, total } = await get(path(page, per));
      if (latest.current === mine) set((before) => ({ ...take(before, body, next), total }));
    } catch (error) {
      if (latest.current === mine) set((before) => ({ ...before, error }));
    }
  };
  useEffect(() => {
    ask(1, perPage, (_, rows, next) => ({ rows, next }));
  }, [JSON.stringify(filter)]);
  useEffect(() => {
    if (!shown.rows || growing.current) return;
    const per = Math.min(Math.max(shown.rows.length, perPage), refreshed * perPage);
    ask(1, per, (before, rows, next) => (before.rows.length > per ? { rows: [...rows, ...before.rows.slice(per)], next: before.next } : { rows, next: next === 1 ? 1 : Math.ceil(per / perPage) + 1 }));
  }, [beat, state.change, state.down, JSON.stringify(state.problems)]);
  const more = async () => {
    if (shown.next <= 1 || growing.current) return;
    growing.current = true;
    await ask(shown.next, perPage, (before, rows, next) => ({ rows: [...before.rows, ...rows], next }));
    growing.current = false;
  };
  return { ...shown, more };
}

const count = (n) => n.toLocaleString("en");

export function Total({ rows, total }) {
  return html`<p class="note total" role="status">${rows && (rows.length < total ? `${count(rows.length)} of ${count(total)}` : count(total) + " in all")}</p>`;
}

// End asks for more as soon as it is nearly seen, or by a button alone.
export function End({ more, byItself }) {
  const mark = useRef();
  useEffect(() => {
    if (!byItself) return undefined;
    const seen = new IntersectionObserver(([e]) => e.isIntersecting && more(), { rootMargin: "600px" });
    seen.observe(mark.current);
    return () => seen.disconnect();
  });
  return html`<p ref=${mark}><button type="button" onClick=${more}>More</button></p>`;
}
