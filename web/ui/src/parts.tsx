// What pages are made of.
import type { ComponentChildren } from "preact";
import { may, restricted, type Problem } from "./api";
import { clock } from "./live";
import { ago, count, moment, type Whole } from "./format";
import { visible } from "./text";

export function Page({ title, sub, actions, children }: {
  title: ComponentChildren;
  sub?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <>
      <header class="page-head">
        <div class="grow">
          <h1 tabIndex={-1}>{title}</h1>
          {sub && <p class="sub">{sub}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

export function Card({ title, aside, children, flush }: {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  children: ComponentChildren;
  flush?: boolean;
}) {
  return (
    <section class={flush ? "card flush" : "card"}>
      {title && (
        <header class="card-head">
          <h2>{title}</h2>
          {aside && <div class="aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** A button that is greyed out, and says why, for those who may not use it. */
export function Action({ need, all, onClick, children, kind, disabled, why, label }: {
  need: "worker" | "operator" | "admin";
  /** It concerns all queues, so it is not for tokens of some. */
  all?: boolean;
  onClick: () => void;
  children: ComponentChildren;
  kind?: "primary" | "danger" | "small";
  disabled?: boolean;
  why?: string;
  label?: string;
}) {
  let refused = may(need) ? undefined : `This needs the role ${need}`;
  if (!refused && all && restricted()) refused = "This concerns all queues, your token is for some";
  return (
    <button
      type="button"
      class={kind}
      disabled={!!refused || disabled}
      title={refused ?? (disabled ? why : undefined)}
      aria-label={label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}

const words: Record<string, string> = {
  in_progress: "running", dead_letter: "dead letter", failed: "retrying", dry_run: "dry run",
};

export const statusWord = (s: string) => words[s] ?? s;

/** A status as a dot and a word; the dot's form differs too. */
export function Badge({ status }: { status: string }) {
  return <span class={`badge s-${status.replace(/[^a-z_]/g, "")}`}>{statusWord(status)}</span>;
}

/** A count in a table; none is pale, so that the others stand out. */
export function Num({ n, bad, class: more = "" }: { n: Whole | undefined | null; bad?: boolean; class?: string }) {
  const zero = n === 0 || n === undefined || n === null;
  return <td class={`num ${zero ? "zero" : bad ? "bad" : ""} ${more}`}>{count(n)}</td>;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <svg viewBox="0 0 48 32" aria-hidden="true">
        <rect x="4" y="4" width="18" height="5" rx="2.5" />
        <rect x="4" y="13.5" width="40" height="5" rx="2.5" />
        <rect x="4" y="23" width="18" height="5" rx="2.5" />
      </svg>
      <p class="empty-title">{title}</p>
      {children && <p class="faint">{children}</p>}
    </div>
  );
}

/** What stands where data would: an error, or that it is on its way. */
export function Waiting({ error, what }: { error: Problem | null; what: string }) {
  if (!error) {
    return (
      <p class="loading" role="status">
        Loading {what}…
      </p>
    );
  }
  return (
    <div class="empty" role="alert">
      <p class="empty-title">{error.status === 404 ? "Not found" : `Could not load ${what}`}</p>
      <p class="faint">{visible(error.message)}</p>
    </div>
  );
}

/** A moment as an age, with the moment itself in its title. */
export function Age({ at }: { at: string | null | undefined }) {
  if (!at || at.startsWith("0001-")) return <span class="faint">–</span>;
  return (
    <time dateTime={at} title={moment(at, true)} class="nowrap">
      {ago(at, clock.value)}
    </time>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Wide content scrolls inside of its own box; the box can be reached by keyboard. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

export function Bar({ value, of, label }: { value: number; of: number; label: string }) {
  const percent = of > 0 ? Math.min(100, (value / of) * 100) : 0;
  return (
    <span class="bar" role="img" aria-label={label}>
      <span style={{ width: `${percent}%` }} />
    </span>
  );
}

export function Select<T extends string>({ label, value, options, onChange }: {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (v: T) => void;
}) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([v, text]) => (
        <button key={v} type="button" aria-pressed={v === value} onClick={() => onChange(v)}>
          {text}
        </button>
      ))}
    </div>
  );
}
