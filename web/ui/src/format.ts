// Numbers, sizes, durations and moments for people.

const whole = new Intl.NumberFormat("en-US");

export type Whole = number | string;

/** 12,345; what came as text because it is too large stays exact. */
export function count(n: Whole | undefined | null): string {
  if (n === undefined || n === null) return "–";
  return typeof n === "string" ? (/^-?\d+$/.test(n) ? n.replace(/\B(?=(\d{3})+$)/g, ",") : n) : whole.format(n);
}

/** 1.2k, 3.4M: for tiles. */
export function short(n: number | undefined): string {
  if (n === undefined || Number.isNaN(n)) return "–";
  const a = Math.abs(n);
  if (a >= 1e9) return trim(n / 1e9) + "G";
  if (a >= 1e6) return trim(n / 1e6) + "M";
  if (a >= 1e4) return trim(n / 1e3) + "k";
  if (a >= 100 || Number.isInteger(n)) return whole.format(Math.round(n));
  return a === 0 ? "0" : a < 0.1 ? "<0.1" : n.toFixed(1);
}

const trim = (n: number) => (Math.abs(n) >= 100 ? n.toFixed(0) : n.toFixed(1));

export function bytes(n: number | undefined | null): string {
  if (n === undefined || n === null) return "–";
  if (n < 1024) return `${n} B`;
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (n >= size) return (n / size >= 100 ? (n / size).toFixed(0) : (n / size).toFixed(1)) + " " + unit;
  }
  return `${n} B`;
}

/** A duration in seconds. */
export function seconds(s: number | undefined | null): string {
  if (s === undefined || s === null || Number.isNaN(s)) return "–";
  if (s < 0) return "-" + seconds(-s);
  if (s === 0) return "0 s";
  if (s < 0.001) return (s * 1e6).toFixed(0) + " µs";
  if (s < 0.1) return (s * 1e3).toFixed(1) + " ms";
  if (s < 1) return (s * 1e3).toFixed(0) + " ms";
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 60) return s.toFixed(0) + " s";
  const m = Math.floor(s / 60);
  if (m < 60) return `${m} min ${Math.floor(s % 60)} s`;
  const h = Math.floor(m / 60);
  if (h < 48) return `${h} h ${m % 60} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

export const micros = (us: number | undefined) => (us === undefined ? "–" : seconds(us / 1e6));

const pad = (n: number) => String(n).padStart(2, "0");

/** 2030-01-02 15:04:05 in the zone of the browser. */
export function moment(at: string | number | Date | undefined | null, withMillis = false): string {
  if (at === undefined || at === null || at === "") return "–";
  const d = new Date(at);
  if (Number.isNaN(d.getTime())) return String(at);
  const base = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return withMillis ? `${base}.${String(d.getMilliseconds()).padStart(3, "0")}` : base;
}

/** How long ago, or in how long. */
export function ago(at: string | undefined | null, now: number): string {
  if (!at) return "–";
  const s = (now - Date.parse(at)) / 1000;
  if (Number.isNaN(s)) return "–";
  if (Math.abs(s) < 1) return "now";
  return s > 0 ? `${age(Math.floor(s))} ago` : `in ${age(Math.ceil(-s))}`;
}

// Whole seconds, so that a column of ages does not flicker.
const age = (s: number) => (s < 60 ? `${s} s` : s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : s < 3600 ? `${Math.floor(s / 60)} min` : seconds(s));

/** What is between two moments. */
export function between(from: string | undefined | null, to: string | undefined | null): string {
  if (!from || !to) return "–";
  return seconds(Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000));
}

export const plural = (n: number, one: string, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;
