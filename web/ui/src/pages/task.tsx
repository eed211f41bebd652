import { useEffect } from "preact/hooks";
import { part } from "../api";
import { copy, shellWord } from "../copy";
import { show } from "../dialog";
import { count, seconds } from "../format";
import { Graph } from "../graph";
import { useKeys } from "../keys";
import { changes } from "../live";
import { useLoad } from "../load";
import type { Task } from "../model";
import { Action, Age, Badge, Bar, Card, Facts, Page, Scroll, Waiting } from "../parts";
import { go, href } from "../route";
import { Text, visible } from "../text";
import { TimeLine } from "../timeline";
import { Content } from "../content";
import { listOf } from "./queues";
import { canChange, changeNamed, type Verb } from "./tasks";

const shownError = 8192;
const countedChildren = 200;

export function TaskPage({ id }: { id: string }) {
  const loaded = useLoad<Task>(`v1/tasks/${part(id)}`, "slow");
  const t = loaded.data.value;
  const children = useLoad<{ tasks: Task[]; next?: string }>(`v1/tasks?depends_on=${part(id)}&limit=${countedChildren}`, "slow").data.value;
  // Events of this task bring it at once.
  const last = changes.value.find((c) => c.id === id);
  useEffect(() => {
    if (last) void loaded.reload();
  }, [last?.at, last?.status]);

  const act = (verb: Verb) => t && changeNamed(verb, [t], verb === "delete" ? () => go("#/tasks") : loaded.reload);
  useKeys(
    t
      ? [
          { key: "c", what: "Cancel the task", run: () => act("cancel") },
          { key: "y", what: "Run the task again", run: () => act("retry") },
          { key: "d", what: "Delete the task", run: () => act("delete") },
          { key: "i", what: "Copy its id", run: () => void copy(id, "the id") },
        ]
      : [],
  );
  if (!t) return <Waiting error={loaded.error.value} what="the task" />;
  const kids = children ? listOf<Task>(children, "tasks") : [];
  const gone = loaded.error.value?.status === 404;
  return (
    <Page
      title={<Text v={t.task_type} />}
      sub={
        <>
          <span class="mono">{t.id}</span>{" "}
          <button class="link" onClick={() => void copy(t.id, "the id")}>
            copy
          </button>
        </>
      }
      actions={
        <>
          <button onClick={() => copyAs(t)}>Copy as…</button>
          <Action need="operator" onClick={() => act("retry")} disabled={!canChange("retry", t)} why={`It is ${t.status}`}>
            Run again
          </Action>
          <Action need="worker" kind="danger" onClick={() => act("cancel")} disabled={!canChange("cancel", t)} why={`It is ${t.status}`}>
            Cancel
          </Action>
          <Action need="operator" kind="danger" onClick={() => act("delete")} disabled={!canChange("delete", t)} why="It runs: cancel it first">
            Delete
          </Action>
        </>
      }
    >
      {gone && (
        <div class="banner warn inset" role="status">
          This task is not there any more: it was deleted, or its retention is over. This is what it was.
        </div>
      )}
      <Card>
        <Facts rows={facts(t)} />
        {t.progress && (
          <p class="progress">
            <Bar value={t.progress.percent} of={100} label={`${t.progress.percent} %`} /> {t.progress.percent} %{" "}
            {t.progress.message && <Text v={t.progress.message} max={400} />}
          </p>
        )}
      </Card>
      {t.error && (
        <Card title={t.status === "dead_letter" || t.status === "failed" ? "Error" : "Last error"} aside={t.reason && <Reason v={t.reason} />}>
          <pre class="error" dir="auto" tabIndex={0} aria-label="Error">
            {visible(t.error.slice(0, shownError), true)}
            {t.error.length > shownError ? "…" : ""}
          </pre>
        </Card>
      )}
      <div class="grid two">
        <Card title="Time line">
          <TimeLine task={t} />
        </Card>
        <div class="cards">
          <Content title="Payload" path={`v1/tasks/${part(t.id)}/payload`} size={t.payload_size} download={`${t.id}.payload`} />
          {(t.result_size ?? 0) > 0 && (
            <Content title="Result" path={`v1/tasks/${part(t.id)}/result`} size={t.result_size!} download={`${t.id}.result`} />
          )}
        </div>
      </div>
      {(t.dependencies.length > 0 || kids.length > 0) && (
        <Card
          title={linked(t.dependencies.length, kids.length, !!children?.next)}
          aside={t.waiting_for ? `waits for ${count(t.waiting_for)}; if one ends without success: ${t.on_dependency_failure ?? "cancel"}` : undefined}
        >
          <Graph task={t} children={kids} more={!!children?.next} />
        </Card>
      )}
      {t.headers && t.headers.length > 0 && (
        <Card title="Headers" flush>
          <Scroll label="Headers">
            <table>
              <tbody>
                {t.headers.map((h) => (
                  <tr key={h.name}>
                    <td class="mono">
                      <Text v={h.name} max={128} />
                    </td>
                    <td class="mono">
                      <Text v={h.value} max={2000} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </Card>
      )}
    </Page>
  );
}

function linked(parents: number, children: number, more: boolean): string {
  const below = `${count(children)}${more ? "+" : ""} depend${children === 1 && !more ? "s" : ""} on it`;
  return [parents > 0 && `Depends on ${count(parents)}`, children > 0 && below].filter(Boolean).join("; ");
}

const Reason = ({ v }: { v: string }) => <span class="tag warn">{v.replaceAll("_", " ")}</span>;

function facts(t: Task): [string, preact.ComponentChildren][] {
  const rows: [string, preact.ComponentChildren][] = [
    ["Status", <><Badge status={t.phase} />{t.cancel_requested && <span class="tag warn">asked to end</span>}</>],
    ["Queue", <a href={href(["queue", t.queue])}><Text v={t.queue} /></a>],
    ["Priority", count(t.priority)],
    ["Attempt", `${count(t.attempt)}; ${count(t.retry_count)} of ${count(t.max_retries)} retries used`],
    ["Submitted", <Age at={t.created_at} />],
    ["Changed", <Age at={t.updated_at} />],
  ];
  const more = (name: string, there: unknown, value: () => preact.ComponentChildren) => there && rows.push([name, value()]);
  more("Not before", t.phase === "scheduled" || t.status === "failed", () => <Age at={t.scheduled_at} />);
  more("Worker", t.worker_id, () => <Text v={t.worker_id} />);
  more("Lease", t.status === "in_progress" && t.lease_expires_at, () => <>ends <Age at={t.lease_expires_at} /></>);
  more("Lease number", t.lease_id, () => count(t.lease_id));
  more("Crashes", t.crash_count, () => `${count(t.crash_count)} of ${count(t.max_crashes)}`);
  more("Longest run", Number(t.timeout_seconds), () => seconds(Number(t.timeout_seconds)));
  more("Unique key", t.unique_key, () => <><Text v={t.unique_key} max={200} /> <span class="faint">{t.unique_scope}{t.unique_held ? ", held" : ""}</span></>);
  more("Expires", t.expires_at, () => <Age at={t.expires_at} />);
  more("Deleted", t.delete_at, () => <Age at={t.delete_at} />);
  more("Replaced by", t.replaced_by, () => <a class="mono" href={href(["task", t.replaced_by!])}>{t.replaced_by!.slice(-12)}</a>);
  more("Backoff", t.backoff, () => `${seconds(t.backoff!.initial_seconds ?? 0)} × ${(t.backoff!.factor_percent ?? 0) / 100}, at most ${seconds(t.backoff!.max_seconds ?? 0)}`);
  more("Why", t.reason && !t.error, () => <Reason v={t.reason!} />);
  return rows;
}

/** Offers commands that submit the same task again. */
function copyAs(t: Task): void {
  const base = document.baseURI.replace(/#.*/, "").replace(/\/[^/]*$/, "");
  const file = `${t.id}.payload`;
  const payload = t.payload_size > 0;
  const options = [
    t.queue !== "default" ? `--queue ${shellWord(t.queue)}` : "",
    t.priority !== 100 ? `--priority ${t.priority}` : "",
    t.max_retries !== 3 ? `--max-retries ${t.max_retries}` : "",
    Number(t.timeout_seconds) > 0 ? `--timeout ${t.timeout_seconds}s` : "",
    payload ? `--payload-file ${file}` : "",
  ].filter(Boolean);
  const body = {
    task_type: t.task_type,
    queue: t.queue,
    priority: t.priority,
    max_retries: t.max_retries,
    ...(Number(t.timeout_seconds) > 0 ? { timeout_seconds: Number(t.timeout_seconds) } : {}),
  };
  const fetchPayload = `curl -s -o ${file} ${shellWord(`${base}/v1/tasks/${t.id}/payload`)}`;
  // jq would be one more thing to have: base64 and printf are everywhere.
  const send = payload
    ? `printf '{"payload": "%s", ${JSON.stringify(body).slice(1).replaceAll("%", "%%").replaceAll("\\", "\\\\").replaceAll("'", "'\\''")}' "$(base64 < ${file} | tr -d '\\n')" |\n  curl -s --json @- ${shellWord(`${base}/v1/tasks`)}`
    : `curl -s --json ${shellWord(JSON.stringify(body))} ${shellWord(`${base}/v1/tasks`)}`;
  const list: [string, string][] = [
    ["Show it", `haiku task get ${t.id} -o json`],
    ["Show it, by curl", `curl -s ${shellWord(`${base}/v1/tasks/${t.id}`)}`],
    ["Submit the same again", [payload ? `${fetchPayload}\n` : "", `haiku task submit ${shellWord(t.task_type)} ${options.join(" ")}`].join("").trim()],
    ["Submit the same again, by curl", [payload ? `${fetchPayload}\n` : "", send].join("")],
  ];
  show(
    "Copy as",
    <div class="copies">
      {list.map(([name, command]) => (
        <div key={name}>
          <h3>
            {name}{" "}
            <button class="small" aria-label={`Copy: ${name}`} onClick={() => void copy(command, name.toLowerCase())}>
              Copy
            </button>
          </h3>
          <pre tabIndex={0} aria-label={name}>
            {command}
          </pre>
        </div>
      ))}
      <p class="faint">Where the node wants a token: --token-file FILE for haiku, -H "Authorization: Bearer TOKEN" for curl.</p>
    </div>,
    true,
  );
}

