// How numbers and times are written.

export function number(n, digits = n < 10 ? 1 : 0) {
  if (n >= 1e6) return (n / 1e6).toFixed(1) + " M";
  if (n >= 1e4) return (n / 1e3).toFixed(1) + " k";
  return n === 0 ? "0" : n.toFixed(digits);
}

export const rate = (n) => (n > 0 && n < 0.1 ? "< 0.1" : number(n)) + "/s";

export function millis(ms) {
  if (!ms) return "–";
  if (ms >= 10000) return (ms / 1000).toFixed(1) + " s";
  if (ms >= 100) return Math.round(ms) + " ms";
  return (ms < 1 ? ms.toFixed(2) : ms.toFixed(1)) + " ms";
}

export function bytes(n) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (n < 1024 || unit === "GiB") return (unit === "B" || n >= 100 ? Math.round(n) : n.toFixed(1)) + " " + unit;
    n /= 1024;
  }
  return "";
}

const units = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

export function span(seconds) {
  const abs = Math.abs(seconds);
  for (const [name, size] of units) {
    if (abs >= size) {
      const n = Math.floor(abs / size);
      return `${n} ${name}${n === 1 ? "" : "s"}`;
    }
  }
  return `${Math.round(abs)} s`;
}

export const ago = (time) => span((Date.now() - new Date(time)) / 1000) + " ago";

export const until = (time) => {
  const seconds = (new Date(time) - Date.now()) / 1000;
  return seconds < 0 ? `${span(seconds)} ago` : `in ${span(seconds)}`;
};

export const date = (time) => new Date(time).toLocaleString();
export const clock = (time) => new Date(time).toLocaleTimeString();

// priority: routes of fairway's own come before all others.
export const priority = (n) => (n > Number.MAX_SAFE_INTEGER ? "above all" : n);

// runsOutSoon tells whether a certificate has two weeks left at most.
export const runsOutSoon = (c) => c.notAfter && new Date(c.notAfter) - Date.now() < 14 * 86400e3;
