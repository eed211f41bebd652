// What the charts show: the history that the node keeps, gone on with by what the event stream tells.
import { signal } from "@preact/signals";
import { get } from "./api";
import type { History, Overview } from "./model";

export type Range = "1h" | "24h";

export interface Shown {
  times: number[];
  series: Record<string, (number | null)[]>;
}

// A young node's charts begin with its first sample, but show at least so many points.
const fewest = 60;
// Points of the hour are means of so many seconds: as many as a chart has pixels.
const bucket = 5;

export const range = signal<Range>("1h");
export const shown = signal<Shown>({ times: [], series: {} });

let loaded: { range: Range; at: number } | null = null;
let current: { at: number; samples: Record<string, number[]> } | null = null;

/** Loads the history if it is not there, or has a gap. */
export async function load(wanted: Range, force = false): Promise<void> {
  const now = Date.now() / 1000;
  const last = shown.peek().times.at(-1) ?? 0;
  const limit = wanted === "1h" ? 20 : 90;
  if (!force && loaded?.range === wanted && (now - last < limit || now - loaded.at < 5)) return;
  loaded = { range: wanted, at: now };
  const h = await get<History>(`v1/history?range=${wanted}`);
  if (loaded.range !== wanted) return;
  current = null;
  shown.value = thin(h, wanted === "1h" ? Math.max(1, Math.round(bucket / h.step_s)) : 1);
}

function thin(h: History, by: number): Shown {
  const length = Math.max(0, ...Object.values(h.series).map((s) => s.length));
  const times: number[] = [];
  const series: Record<string, (number | null)[]> = {};
  for (let i = 0; i + by <= length; i += by) times.push(h.from + (i + by - 1) * h.step_s);
  for (const [name, values] of Object.entries(h.series)) {
    series[name] = times.map((_, i) => mean(values.slice(i * by, (i + 1) * by)));
  }
  const lists = Object.values(series);
  const first = times.findIndex((_, i) => lists.some((l) => l[i] !== null));
  const from = first < 0 ? times.length : Math.max(0, Math.min(first, times.length - fewest));
  return { times: times.slice(from), series: Object.fromEntries(Object.entries(series).map(([name, l]) => [name, l.slice(from)])) };
}

function mean(values: (number | null)[]): number | null {
  let sum = 0;
  let n = 0;
  for (const v of values) {
    if (v !== null && v !== undefined) {
      sum += v;
      n++;
    }
  }
  return n ? sum / n : null;
}

/** Goes on with what the stream told. */
export function append(o: Overview): void {
  if (range.peek() !== "1h" || shown.peek().times.length === 0) return;
  const at = Math.floor(Date.parse(o.at) / 1000 / bucket) * bucket;
  const sample: Record<string, number> = {
    ...o.rates,
    depth: o.counts.pending + o.counts.failed,
    in_progress: o.counts.in_progress,
    oldest_ready_age_s: o.oldest_ready_age_s,
    ...o.latency,
  };
  if (!current || current.at !== at) {
    if (current) push(current.at, current.samples);
    current = { at, samples: {} };
  }
  for (const [name, v] of Object.entries(sample)) if (typeof v === "number") (current.samples[name] ??= []).push(v);
}

function push(at: number, samples: Record<string, number[]>): void {
  const s = shown.peek();
  if (at <= (s.times.at(-1) ?? 0)) return;
  const keep = (3600 / bucket) | 0;
  const cut = <V>(list: V[]) => list.slice(-keep);
  const series: Shown["series"] = {};
  for (const name of Object.keys(s.series)) series[name] = cut([...s.series[name]!, mean(samples[name] ?? [])]);
  shown.value = { times: cut([...s.times, at]), series };
}
