// Dialogs, one at a time, and short notices.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./api";
import { visible } from "./text";

interface Shown {
  title: string;
  body: ComponentChildren;
  wide?: boolean;
  close: () => void;
}

const shown = signal<Shown | null>(null);

export interface Notice {
  id: number;
  text: string;
  bad: boolean;
  to?: { href: string; label: string };
}
export const notices = signal<Notice[]>([]);
let lastNotice = 0;

export function notify(text: string, options: { bad?: boolean; to?: Notice["to"] } = {}): void {
  const id = ++lastNotice;
  notices.value = [...notices.value, { id, text, bad: !!options.bad, to: options.to }].slice(-4);
  setTimeout(() => dismiss(id), options.bad || options.to ? 15_000 : 5_000);
}

const dismiss = (id: number) => (notices.value = notices.value.filter((n) => n.id !== id));

export const saying = (e: unknown) => (e instanceof Problem ? e.message : String(e));

/** Runs what a control does, and says what came of it. */
export async function attempt(run: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await run();
    if (done) notify(done);
    return true;
  } catch (e) {
    notify(saying(e), { bad: true });
    return false;
  }
}

export function show(title: string, body: ComponentChildren, wide = false): void {
  const before = document.activeElement;
  shown.value = {
    title,
    body,
    wide,
    close: () => {
      shown.value = null;
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    },
  };
}

export const closeDialog = () => shown.value?.close();
addEventListener("hashchange", closeDialog);

export interface Question {
  title: string;
  body: ComponentChildren;
  button: string;
  danger?: boolean;
  /** How many it would be, for actions on many. The button waits for it. */
  preview?: () => Promise<ComponentChildren>;
  /** A text that goes with the action, such as a reason. */
  input?: { label: string; placeholder?: string; max?: number; optional?: boolean };
  /** What there is to choose from: values and labels. */
  choice?: [string, string][];
  run: (input: string) => Promise<unknown>;
  done?: string;
}

/** Asks before something is done. */
export function ask(q: Question): void {
  show(q.title, <Asking q={q} />);
}

function Asking({ q }: { q: Question }) {
  const [preview, setPreview] = useState<ComponentChildren>(null);
  const [state, setState] = useState<"counting" | "ready" | "running" | "refused">(q.preview ? "counting" : "ready");
  const [wrong, setWrong] = useState("");
  const [input, setInput] = useState(q.choice?.[0]?.[0] ?? "");
  useEffect(() => {
    q.preview?.().then(
      (p) => {
        setPreview(p);
        setState("ready");
      },
      (e) => {
        setWrong(saying(e));
        setState("refused");
      },
    );
  }, []);
  // A button cannot have the focus while it waits for the count.
  const inputFirst = !!q.input && !q.input.optional;
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (state === "ready" && q.preview && !inputFirst) button.current?.focus();
  }, [state]);
  const run = async () => {
    if (state !== "ready") return;
    setState("running");
    setWrong("");
    try {
      await q.run(input.trim());
      closeDialog();
      if (q.done) notify(q.done);
    } catch (e) {
      setWrong(saying(e));
      setState("ready");
    }
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void run();
      }}
    >
      <div class="stack">{q.body}</div>
      {q.preview && (
        <p class="preview" role="status">
          {state === "counting" ? "Counting what this would change…" : preview}
        </p>
      )}
      {q.input && (
        <label class="field">
          <span>{q.input.label}</span>
          <input
            name="input"
            value={input}
            placeholder={q.input.placeholder}
            maxLength={q.input.max}
            onInput={(e) => setInput(e.currentTarget.value)}
            autofocus={inputFirst}
          />
        </label>
      )}
      {q.choice?.map(([value, label]) => (
        <label key={value} class="choice">
          <input type="radio" name="choice" value={value} checked={input === value} onChange={() => setInput(value)} /> {label}
        </label>
      ))}
      {wrong && (
        <p class="wrong" role="alert">
          {visible(wrong)}
        </p>
      )}
      <div class="buttons">
        <button type="button" onClick={closeDialog}>
          Back
        </button>
        <button ref={button} type="submit" class={q.danger ? "danger solid" : "primary"} disabled={state !== "ready"} autofocus={!inputFirst}>
          {state === "running" ? "Working…" : q.button}
        </button>
      </div>
    </form>
  );
}

export function Dialogs() {
  const ref = useRef<HTMLDialogElement>(null);
  const now = shown.value;
  useLayoutEffect(() => {
    const d = ref.current;
    if (!d) return;
    if (now && !d.open) {
      d.showModal();
      d.querySelector<HTMLElement>("[autofocus]")?.focus();
    }
  }, [now]);
  if (!now) return null;
  return (
    <dialog
      ref={ref}
      class={now.wide ? "wide" : undefined}
      aria-labelledby="dialog-title"
      onClose={now.close}
      onClick={(e) => e.target === ref.current && now.close()}
    >
      <div class="dialog">
        <header>
          <h2 id="dialog-title">{now.title}</h2>
          <button type="button" class="icon" aria-label="Close" onClick={now.close}>
            ✕
          </button>
        </header>
        {now.body}
      </div>
    </dialog>
  );
}

export function Notices() {
  return (
    <div class="notices" aria-live="polite">
      {notices.value.map((n) => (
        <div key={n.id} class={n.bad ? "notice bad" : "notice"} role={n.bad ? "alert" : undefined}>
          <span>{visible(n.text)}</span>
          {n.to && <a href={n.to.href}>{n.to.label}</a>}
          <button class="icon" aria-label="Dismiss" onClick={() => dismiss(n.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
