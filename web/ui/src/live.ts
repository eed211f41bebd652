// One event stream for each visible tab, and what it told last.
import { effect, signal } from "@preact/signals";
import { locked, openSession, session, url } from "./api";
import { parseExact } from "./json";
import type { Cluster, Operation, Overview, TaskChange } from "./model";
import { route } from "./route";

/** Switched off by the reader of the page: nothing moves. */
export const paused = signal(false);
export type StreamState = "live" | "paused" | "connecting" | "hidden";
export const stream = signal<StreamState>("connecting");

export const overview = signal<Overview | null>(null);
export const cluster = signal<Cluster | null>(null);
export const operations = signal<Operation[] | null>(null);
/** Raised when what a page shows may have changed: by events of tasks, at most once a second, and every few seconds. */
export const taskBeat = signal(0);
export const slowBeat = signal(0);
/** The last changes of tasks, newest first. */
export const changes = signal<TaskChange[]>([]);
/** Now, for ages; it rests while paused. */
export const clock = signal(Date.now());

const keptChanges = 50;
const slowPeriod = 5_000;
const retryPause = 2_000;
// Pages that show single tasks; only they ask for events of tasks.
const ofTasks = new Set(["tasks", "task", "overview"]);

let source: EventSource | null = null;
let retry: number | undefined;
let pending: TaskChange[] = [];
let flushing: number | undefined;

function topicsOf(page: string): string {
  return ofTasks.has(page) ? "overview,cluster,operations,tasks" : "overview,cluster,operations";
}

function close(state: StreamState): void {
  source?.close();
  source = null;
  clearTimeout(retry);
  stream.value = state;
}

function open(topics: string): void {
  close("connecting");
  const s = new EventSource(url(`v1/events?topics=${encodeURIComponent(topics)}`));
  source = s;
  s.onopen = () => {
    stream.value = "live";
    slowBeat.value++;
  };
  s.onerror = () => {
    if (source !== s) return;
    stream.value = "connecting";
    // The browser goes on by itself unless the node refused; then ask why, and try again later.
    if (s.readyState === EventSource.CLOSED) {
      void openSession();
      clearTimeout(retry);
      retry = setTimeout(() => source === s && !locked.value && open(topics), retryPause);
    }
  };
  s.addEventListener("overview", (e) => (overview.value = parseExact(e.data) as Overview));
  s.addEventListener("cluster", (e) => (cluster.value = parseExact(e.data) as Cluster));
  s.addEventListener("operations", (e) => {
    operations.value = (parseExact(e.data) as { operations: Operation[] }).operations;
  });
  s.addEventListener("task", (e) => changed(parseExact(e.data) as TaskChange));
  // The token is not good any more.
  s.addEventListener("end", () => void openSession());
  s.addEventListener("skipped", () => changed(null));
  s.addEventListener("reset", () => changed(null));
}

function changed(c: TaskChange | null): void {
  if (c) {
    pending.push(c);
    if (pending.length > keptChanges) pending.shift();
  }
  flushing ??= setTimeout(() => {
    flushing = undefined;
    changes.value = [...pending].reverse().concat(changes.value).slice(0, keptChanges);
    pending = [];
    taskBeat.value++;
  }, 500);
}

export function start(): void {
  const visible = signal(!document.hidden);
  document.addEventListener("visibilitychange", () => (visible.value = !document.hidden));
  let now = "";
  effect(() => {
    const topics = topicsOf(route.value.page);
    const wanted = paused.value ? "paused" : !visible.value ? "hidden" : locked.value || !session.value ? "connecting" : topics;
    if (wanted === now) return;
    now = wanted;
    if (wanted === topics) open(topics);
    else close(wanted as StreamState);
  });
  setInterval(() => {
    if (!paused.value && visible.value) slowBeat.value++;
  }, slowPeriod);
  setInterval(() => {
    if (!paused.value && visible.value) clock.value = Date.now();
  }, 1000);
}
