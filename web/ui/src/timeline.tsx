// What became of a task, from its submit to now.
import type { ComponentChildren } from "preact";
import { between, count, moment, plural, seconds } from "./format";
import { clock } from "./live";
import type { Task } from "./model";
import { Text } from "./text";

interface Step {
  kind: "wait" | "run" | "ok" | "bad" | "warn" | "next";
  at: string;
  title: ComponentChildren;
  why?: ComponentChildren;
}

const outcomes: Record<string, [Step["kind"], string]> = {
  success: ["ok", "completed"],
  failure: ["warn", "failed"],
  snooze: ["wait", "put off by its handler"],
  cancel: ["bad", "cancelled by its handler"],
  dead: ["bad", "rejected by its handler"],
  interrupted: ["wait", "given back: the worker shut down"],
  lease_expired: ["warn", "lost: the worker was not heard of in time"],
  session_lost: ["warn", "lost: the worker is gone"],
  lease_unheard: ["wait", "never reached the worker"],
  requeued: ["wait", "put back by a recovery"],
  revoked: ["bad", "cancelled while it ran"],
  timed_out: ["warn", "ran longer than it may"],
};

const ended: Record<string, [Step["kind"], string]> = {
  completed: ["ok", "Completed"],
  dead_letter: ["bad", "Dead letter"],
  cancelled: ["bad", "Cancelled"],
};

export function stepsOf(t: Task): Step[] {
  const steps: Step[] = [{ kind: "wait", at: t.created_at, title: "Submitted" }];
  const history = t.history ?? [];
  if (t.attempt > history.length + (t.status === "in_progress" ? 1 : 0)) {
    const left = t.attempt - history.length - (t.status === "in_progress" ? 1 : 0);
    if (left > 0 && history.length >= 20) steps.push({ kind: "wait", at: "", title: `${count(left)} attempts that are not kept` });
  }
  for (const a of history) {
    const [kind, word] = outcomes[a.outcome] ?? ["wait", a.outcome];
    steps.push({ kind: "run", at: a.started_at, title: <>Attempt {count(a.attempt)} on <Text v={a.worker_id} max={60} /></> });
    steps.push({
      kind,
      at: a.ended_at,
      title: `Attempt ${count(a.attempt)} ${word}, after ${between(a.started_at, a.ended_at)}`,
      why: a.error ? <Text v={a.error} max={240} /> : undefined,
    });
  }
  if (t.status === "in_progress" && t.started_at) {
    steps.push({ kind: "run", at: t.started_at, title: <>Attempt {count(t.attempt)} runs on <Text v={t.worker_id} max={60} /></> });
  }
  const end = ended[t.status];
  if (end) {
    steps.push({ kind: end[0], at: t.updated_at, title: end[1], why: t.reason && t.status !== "completed" ? t.reason.replaceAll("_", " ") : undefined });
    if (t.delete_at) steps.push({ kind: "next", at: t.delete_at, title: "Will be deleted" });
  } else if (t.status === "failed") {
    steps.push({ kind: "next", at: t.scheduled_at, title: "Next attempt" });
  } else if (t.phase === "scheduled") {
    steps.push({ kind: "next", at: t.scheduled_at, title: "Can be claimed from then on" });
  } else if (t.phase === "blocked") {
    steps.push({ kind: "next", at: "", title: `Waits for ${plural(t.waiting_for ?? 0, "other task")}` });
  } else if (t.phase === "ready") {
    steps.push({ kind: "next", at: "", title: "Waits for a worker" });
  }
  return steps;
}

const colours: Record<Step["kind"], string> = { wait: "c-off", run: "c-run", ok: "c-ok", bad: "c-bad", warn: "c-warn", next: "c-off" };

export function TimeLine({ task }: { task: Task }) {
  const steps = stepsOf(task);
  return (
    <>
      <Track task={task} />
      <ol class="timeline">
        {steps.map((s, i) => (
          <li key={i} class={`t-${s.kind}`}>
            {s.title}
            {s.at && <time dateTime={s.at}>{moment(s.at, true)}</time>}
            {s.why && <div class="why">{s.why}</div>}
          </li>
        ))}
      </ol>
    </>
  );
}

/** The life of a task as one bar: where it waited and where it ran. */
function Track({ task: t }: { task: Task }) {
  const begin = Date.parse(t.created_at);
  const terminal = t.status in ended;
  const end = Math.max(terminal ? Date.parse(t.updated_at) : clock.value, begin + 1);
  const parts: { from: number; to: number; colour: string; what: string }[] = [];
  let at = begin;
  const add = (to: number, colour: string, what: string) => {
    if (to > at) parts.push({ from: at, to, colour, what });
    at = Math.max(at, to);
  };
  for (const a of t.history ?? []) {
    add(Date.parse(a.started_at), "c-off", "waited");
    const kind = outcomes[a.outcome]?.[0] ?? "wait";
    add(Date.parse(a.ended_at), kind === "ok" ? "c-ok" : kind === "wait" ? "c-run" : colours[kind], `attempt ${a.attempt}`);
  }
  if (t.status === "in_progress" && t.started_at) {
    add(Date.parse(t.started_at), "c-off", "waited");
    add(end, "c-run", "runs");
  } else if (t.status === "completed" && t.started_at && !(t.history ?? []).some((a) => a.outcome === "success")) {
    add(Date.parse(t.started_at), "c-off", "waited");
    add(end, "c-ok", "ran");
  } else add(end, "c-off", terminal ? "until its end" : "waits");
  const words = parts.map((p) => `${p.what} ${seconds((p.to - p.from) / 1000)}`).join(", ");
  return (
    <div class="track" role="img" aria-label={words} title={words}>
      {parts.map((p, i) => (
        <span key={i} class={p.colour} style={{ flexGrow: (p.to - p.from) / (end - begin) }} />
      ))}
    </div>
  );
}
