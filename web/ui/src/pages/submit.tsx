import { useState } from "preact/hooks";
import { may, post, Problem } from "../api";
import { closeDialog, notify, saying, show } from "../dialog";
import { href } from "../route";
import { visible } from "../text";

const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };

/** Seconds of a duration such as 1h30m, 90s or 90. */
export function secondsOf(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|$)/g)];
  if (parts.map((p) => p[0]).join("") !== text.trim()) throw new Problem(0, "", `"${text}" is no duration such as 90s or 1h30m.`);
  return parts.reduce((sum, p) => sum + Number(p[1]) * (units[p[2] || "s"] ?? 1), 0);
}

export function submitTask(): void {
  if (!may("worker")) {
    notify("Submitting needs the role worker.", { bad: true });
    return;
  }
  show("Submit a task", <SubmitForm />);
}

function SubmitForm() {
  const [f, setF] = useState({ type: "", queue: "", payload: "", priority: "", delay: "", retries: "", depends: "" });
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  const set = (name: keyof typeof f) => (e: { currentTarget: { value: string } }) => setF({ ...f, [name]: e.currentTarget.value });
  const submit = async (e: Event) => {
    e.preventDefault();
    setBusy(true);
    setWrong("");
    try {
      const depends = f.depends.split(/[\s,]+/).filter((d) => d !== "");
      const receipt = await post<{ id: string }>("v1/tasks", {
        task_type: f.type,
        ...(f.queue ? { queue: f.queue } : {}),
        ...(f.payload ? { payload_text: f.payload } : {}),
        ...(f.priority ? { priority: Number(f.priority) } : {}),
        ...(f.delay ? { delay_seconds: secondsOf(f.delay) } : {}),
        ...(f.retries ? { max_retries: Number(f.retries) } : {}),
        ...(depends.length ? { dependencies: depends } : {}),
      });
      closeDialog();
      notify("Submitted", { to: { href: href(["task", receipt.id]), label: "Show it" } });
    } catch (err) {
      setWrong(saying(err));
    }
    setBusy(false);
  };
  return (
    <form onSubmit={submit}>
      <div class="fields">
        <label class="field">
          <span>Type</span>
          <input name="type" required value={f.type} onInput={set("type")} placeholder="send_email" autofocus />
        </label>
        <label class="field">
          <span>Queue</span>
          <input name="queue" value={f.queue} onInput={set("queue")} placeholder="default" />
        </label>
        <label class="field wide">
          <span>Payload</span>
          <textarea name="payload" class="mono" rows={5} value={f.payload} onInput={set("payload")} placeholder={'{"to": "someone"}'} />
        </label>
        <label class="field">
          <span>Priority, 0 to 255</span>
          <input name="priority" type="number" min={0} max={255} value={f.priority} onInput={set("priority")} placeholder="100" />
        </label>
        <label class="field">
          <span>Not before, from now</span>
          <input name="delay" value={f.delay} onInput={set("delay")} placeholder="90s, 1h30m" />
        </label>
        <label class="field">
          <span>Retries at most</span>
          <input name="retries" type="number" min={0} max={10000} value={f.retries} onInput={set("retries")} placeholder="3" />
        </label>
        <label class="field">
          <span>Only after these tasks</span>
          <input name="depends" value={f.depends} onInput={set("depends")} placeholder="ids" />
        </label>
      </div>
      {wrong && (
        <p class="wrong" role="alert">
          {visible(wrong)}
        </p>
      )}
      <div class="buttons">
        <button type="button" onClick={closeDialog}>
          Back
        </button>
        <button class="primary" disabled={busy}>
          {busy ? "Working…" : "Submit"}
        </button>
      </div>
    </form>
  );
}
