import { useState } from "preact/hooks";
import { part, request } from "../api";
import { closeDialog, notify, saying, show } from "../dialog";
import { bytes, count } from "../format";
import { useKeys } from "../keys";
import { useLoad } from "../load";
import type { QueueState } from "../model";
import { Action, Age, Card, Empty, Facts, Num, Page, Scroll, Waiting } from "../parts";
import { href } from "../route";
import { filterWord, type Words } from "../filter";
import { plain, Text, visible } from "../text";
import { PauseButton, pauseOrResume } from "./queues";

interface Detail extends QueueState {
  types: QueueState[];
}

export function QueuePage({ name }: { name: string }) {
  const loaded = useLoad<Detail>(`v1/queues/${part(name)}`, "slow");
  const q = loaded.data.value;
  useKeys(q ? [{ key: "s", what: q.paused ? "Resume the queue" : "Pause the queue", run: () => pauseOrResume(q, loaded.reload) }] : []);
  if (!q) return <Waiting error={loaded.error.value} what="the queue" />;
  const list = (words: Words) => href(["tasks"], { filter: filterWord({ queue: name, ...words }) });
  const c = q.counts;
  return (
    <Page
      title={<Text v={q.queue} />}
      sub="Queue"
      actions={
        <>
          <a class="button" href={list({})}>
            Its tasks
          </a>
          <Action need="operator" onClick={() => change(q, loaded.etag.value, loaded.reload)}>
            Limits and settings
          </Action>
          <PauseButton q={q} onChange={loaded.reload} big />
        </>
      }
    >
      {q.paused && (
        <div class="banner warn inset" role="status">
          <b>Paused.</b> {q.reason ? <Text v={q.reason} max={1000} /> : "No reason was given."}
        </div>
      )}
      <section class="tiles" aria-label="Counts">
        {(
          [
            ["Ready", c.ready, { status: "pending" }],
            ["Scheduled", c.scheduled, { status: "pending" }],
            ["Blocked", c.blocked, { status: "pending" }],
            ["Running", c.in_progress, { status: "in_progress" }],
            ["Retrying", c.failed, { status: "failed" }],
            ["Dead letters", c.dead_letter, { status: "dead_letter" }],
            ["Completed", c.completed, { status: "completed" }],
          ] as [string, number, Words][]
        ).map(([label, n, words]) => (
          <a key={label} class="tile plain" href={list(words)}>
            <span class="tile-name">{label}</span>
            <span class="tile-value">{count(n)}</span>
          </a>
        ))}
      </section>
      <Card title="Limits and settings">
        <Facts
          rows={[
            ["Run at once", q.concurrency ? count(q.concurrency) : <None />],
            ["Rate", q.rate ? `${q.rate}, ${count(q.burst)} at once` : <None />],
            ["Tasks that may wait", q.depth ? count(q.depth) : <None />],
            ["Payload that may wait", q.bytes ? bytes(Number(q.bytes)) : <None />],
            ["Payload that waits", bytes(q.waiting_bytes)],
            ["Gains one priority every", q.aging ?? <span class="faint">never</span>],
          ]}
        />
      </Card>
      <Card title="Types" flush>
        {q.types.length === 0 ? (
          <Empty title="No types">No task has been submitted to this queue.</Empty>
        ) : (
          <Scroll label="Types">
            <table>
              <thead>
                <tr>
                  <th>Type</th>
                  <th class="num">Ready</th>
                  <th class="num hide-narrow">Scheduled</th>
                  <th class="num hide-narrow">Blocked</th>
                  <th class="num">Running</th>
                  <th class="num hide-narrow">Retrying</th>
                  <th class="num">Dead</th>
                  <th class="num hide-narrow">Completed</th>
                  <th class="hide-narrow">Limits</th>
                  <th class="hide-narrow">Next since</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {q.types.map((t) => (
                  <tr key={t.task_type}>
                    <td>
                      <a href={list({ type: t.task_type! })}>
                        <Text v={t.task_type} max={60} />
                      </a>
                      {t.paused && (
                        <span class="tag warn" title={plain(t.reason ?? "")}>
                          paused
                        </span>
                      )}
                    </td>
                    <Num n={t.counts.ready} />
                    <Num n={t.counts.scheduled} class="hide-narrow" />
                    <Num n={t.counts.blocked} class="hide-narrow" />
                    <Num n={t.counts.in_progress} />
                    <Num n={t.counts.failed} class="hide-narrow" />
                    <Num n={t.counts.dead_letter} bad />
                    <Num n={t.counts.completed} class="hide-narrow" />
                    <td class="hide-narrow">{limitsOf(t)}</td>
                    <td class="hide-narrow">
                      <Age at={t.next_since} />
                    </td>
                    <td class="row-actions">
                      <Action need="operator" kind="small" onClick={() => change(t, loaded.etag.value, loaded.reload)}>
                        Limits
                      </Action>
                      <PauseButton q={t} onChange={loaded.reload} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Card>
    </Page>
  );
}

const None = () => <span class="faint">no limit</span>;

function limitsOf(t: QueueState) {
  const parts = [
    t.concurrency && `${count(t.concurrency)} at once`,
    t.rate && t.rate,
    t.depth && `${count(t.depth)} waiting`,
    t.bytes && `${bytes(Number(t.bytes))} waiting`,
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : <span class="faint">–</span>;
}

function change(q: QueueState, etag: string, reload: () => unknown): void {
  show("Limits and settings", <Settings q={q} etag={etag} reload={reload} />);
}

// One field: its name, what it is, an example, and what is sent for its text.
type Field = [keyof QueueState & string, string, string, (text: string) => unknown];
const number = (text: string) => (text === "" ? 0 : Number(text));
const fields: Field[] = [
  ["concurrency", "Tasks that run at once", "no limit", number],
  ["rate", "Rate", "100/1s", (t) => t || "none"],
  ["burst", "At once after a rest", "as the rate", number],
  ["depth", "Tasks that may wait", "no limit", number],
  ["bytes", "Bytes of payload that may wait", "no limit", number],
  ["aging", "Gains one priority every", "1m", (t) => t || "0s"],
];

function Settings({ q, etag, reload }: { q: QueueState; etag: string; reload: () => unknown }) {
  const first = Object.fromEntries(fields.map(([name]) => [name, q[name] ? String(q[name]) : ""])) as Record<string, string>;
  const [f, setF] = useState(first);
  const [wrong, setWrong] = useState("");
  const save = async (e: Event) => {
    e.preventDefault();
    const body: Record<string, unknown> = q.task_type ? { task_type: q.task_type } : {};
    for (const [name, , , read] of fields) if (f[name] !== first[name]) body[name] = read(f[name]!.trim());
    // The burst is part of the rate.
    if ("burst" in body && !("rate" in body)) body["rate"] = f["rate"];
    if ("burst" in body && f["burst"] === "") delete body["burst"];
    try {
      await request("PATCH", `v1/queues/${part(q.queue)}`, body, etag ? { "If-Match": etag } : {});
      closeDialog();
      notify("Saved");
      await reload();
    } catch (err) {
      setWrong(saying(err));
    }
  };
  return (
    <form onSubmit={save}>
      <p class="faint">
        {q.task_type ? (
          <>
            Of type <Text v={q.task_type} /> in queue <Text v={q.queue} />. What is set for the queue counts too.
          </>
        ) : (
          <>
            Of queue <Text v={q.queue} />. An empty field is no limit.
          </>
        )}
      </p>
      <div class="fields">
        {fields
          .filter(([name]) => !(q.task_type && name === "aging"))
          .map(([name, label, example]) => (
            <label key={name} class="field">
              <span>{label}</span>
              <input
                name={name}
                value={f[name]}
                placeholder={example}
                inputMode={name === "rate" || name === "aging" ? undefined : "numeric"}
                onInput={(e) => setF({ ...f, [name]: e.currentTarget.value })}
              />
            </label>
          ))}
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
        <button class="primary">Save</button>
      </div>
    </form>
  );
}
