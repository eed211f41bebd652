import { useEffect, useRef, useState } from "preact/hooks";
import { post, Problem, withQuery } from "../api";
import { ask, notify } from "../dialog";
import { isID, withWord, wordOf } from "../filter";
import { bytes, count, plural } from "../format";
import { useKeys } from "../keys";
import { useLoad } from "../load";
import type { Operation, Task } from "../model";
import { Action, Age, Badge, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { go, href, route, setQuery } from "../route";
import { useRows } from "../rows";
import { Text, visible } from "../text";
import { listOf } from "./queues";
import { submitTask } from "./submit";

const pageSize = 50;
const statuses = ["", "pending", "in_progress", "failed", "completed", "dead_letter", "cancelled"];
const newest = "newest";
const orders = [
  [newest, "Newest first"],
  ["id", "Oldest first"],
  ["priority", "Ready, as claimed"],
  ["scheduled", "Due next"],
] as const;

interface Receipt {
  id: string;
  error?: string;
}

export function TasksPage() {
  const query = route.value.query;
  const filter = query.get("filter") ?? "";
  const order = query.get("order") ?? newest;
  const [text, setText] = useState(filter);
  const [cursors, setCursors] = useState<string[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const asked = useRef(filter + order);
  useEffect(() => {
    // Not at first: who came by the key for search may have typed by now.
    if (asked.current === filter + order) return;
    asked.current = filter + order;
    setText(filter);
    setCursors([]);
    setChosen(new Set());
  }, [filter, order]);

  const loaded = useLoad<{ tasks: Task[]; next?: string }>(
    withQuery("v1/tasks", { filter, order, limit: pageSize, cursor: cursors.at(-1) }),
    "tasks",
  );
  const page = loaded.data.value;
  const tasks = page ? listOf<Task>(page, "tasks") : [];
  const rows = useRows(tasks.map((t) => href(["task", t.id])));
  const current = tasks[rows.at];
  const targets = chosen.size > 0 ? tasks.filter((t) => chosen.has(t.id)) : current ? [current] : [];

  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const search = (next: string, nextOrder = order) => {
    if (isID(next)) {
      go(href(["task", next.trim().toLowerCase()]));
      return;
    }
    setQuery({ filter: next, order: nextOrder === newest ? "" : nextOrder });
  };
  const act = (verb: Verb) => {
    if (targets.length > 0) changeNamed(verb, targets, () => (setChosen(new Set()), loaded.reload()));
    else notify("Move to a row with j and k, or choose rows with x.", { bad: true });
  };
  useKeys(
    [
      { key: "x", what: "Choose the row", run: () => current && toggle(current.id) },
      { key: "c", what: "Cancel the chosen tasks", run: () => act("cancel") },
      { key: "y", what: "Run the chosen tasks again", run: () => act("retry") },
      { key: "d", what: "Delete the chosen tasks", run: () => act("delete") },
    ],
  );
  const error = loaded.error.value;
  const wrongFilter = error?.status === 400 || error?.status === 422;
  return (
    <Page
      title="Tasks"
      actions={
        <Action need="worker" kind="primary" onClick={submitTask}>
          Submit a task
        </Action>
      }
    >
      <div class="bar-line">
        <form
          role="search"
          onSubmit={(e) => {
            e.preventDefault();
            search(text);
          }}
        >
          <input
            type="search"
            aria-label="Filter"
            aria-describedby="filter-help"
            aria-invalid={wrongFilter}
            placeholder='queue:mail status:failed error:"timed out", or an id'
            value={text}
            onInput={(e) => setText(e.currentTarget.value)}
          />
          <button>Search</button>
        </form>
        <select aria-label="Status" value={wordOf(filter, "status")} onChange={(e) => search(withWord(filter, "status", e.currentTarget.value))}>
          {statuses.map((s) => (
            <option key={s} value={s}>
              {s === "" ? "Every status" : s.replace("_", " ")}
            </option>
          ))}
        </select>
        <select aria-label="Order" value={order} onChange={(e) => search(filter, e.currentTarget.value)}>
          {orders.map(([v, label]) => (
            <option key={v} value={v}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <p class="hint" id="filter-help">
        Words: queue: type: status: priority:100..199 error:"text" older-than:36h scheduled:2030-01-01..2030-01-02 depends-on:ID
      </p>
      {wrongFilter && (
        <p class="wrong inset" role="alert">
          {visible(error!.message)}
        </p>
      )}
      <Card
        flush
        title={
          chosen.size > 0 ? (
            plural(chosen.size, "task") + " chosen"
          ) : (
            <>
              {cursors.length > 0 ? `Page ${cursors.length + 1}` : "Tasks"} <span class="faint">{tasks.length ? `${tasks.length}${page?.next ? "+" : ""}` : ""}</span>
            </>
          )
        }
        aside={
          <>
            {chosen.size > 0 ? (
              <>
                {verbs.map(([verb, label]) => (
                  <Action key={verb} need={verb === "cancel" ? "worker" : "operator"} kind={verb === "retry" ? "small" : "danger"} onClick={() => act(verb)}>
                    {label}
                  </Action>
                ))}
              </>
            ) : (
              <Action need="operator" kind="small" disabled={tasks.length === 0} onClick={() => changeAll(filter, order)}>
                Change all that match…
              </Action>
            )}
          </>
        }
      >
        {!page ? (
          wrongFilter ? (
            <Empty title="The filter is not understood" />
          ) : (
            <Waiting error={error} what="tasks" />
          )
        ) : tasks.length === 0 ? (
          <Empty title={filter ? "No task matches" : "No tasks"}>{filter ? "Take words out of the filter to see more." : "Submitted tasks appear here."}</Empty>
        ) : (
          <TaskTable tasks={tasks} at={rows.at} chosen={chosen} toggle={toggle} setAll={setChosen} />
        )}
        {(page?.next || cursors.length > 0) && (
          <div class="pager">
            <button disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
              Before
            </button>
            <button disabled={!page?.next} onClick={() => setCursors([...cursors, page!.next!])}>
              Next
            </button>
          </div>
        )}
      </Card>
    </Page>
  );
}

function TaskTable({ tasks, at, chosen, toggle, setAll }: {
  tasks: Task[];
  at: number;
  chosen: ReadonlySet<string>;
  toggle: (id: string) => void;
  setAll: (s: ReadonlySet<string>) => void;
}) {
  return (
    <Scroll label="Tasks">
      <table>
        <thead>
          <tr>
            <th>
              <input
                type="checkbox"
                aria-label="Choose all on this page"
                checked={tasks.every((t) => chosen.has(t.id))}
                onChange={(e) => setAll(new Set(e.currentTarget.checked ? tasks.map((t) => t.id) : []))}
              />
            </th>
            <th>Task</th>
            <th>Type</th>
            <th class="hide-narrow">Queue</th>
            <th>Status</th>
            <th class="num hide-narrow">Priority</th>
            <th class="num hide-narrow">Attempt</th>
            <th class="num hide-narrow">Payload</th>
            <th class="hide-narrow">Error</th>
            <th class="num hide-narrow">Changed</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((t, i) => (
            <tr key={t.id} class={i === at ? "at" : undefined}>
              <td>
                <input type="checkbox" aria-label={`Choose ${t.id}`} checked={chosen.has(t.id)} onChange={() => toggle(t.id)} />
              </td>
              <td>
                <a class="mono nowrap" href={href(["task", t.id])} title={t.id}>
                  {t.id.slice(-12)}
                </a>
              </td>
              <td>
                <Text v={t.task_type} max={48} />
              </td>
              <td class="hide-narrow">
                <a href={href(["queue", t.queue])}>
                  <Text v={t.queue} max={48} />
                </a>
              </td>
              <td>
                <Badge status={t.phase} />
              </td>
              <td class="num hide-narrow">{t.priority}</td>
              <td class="num hide-narrow">{t.attempt}</td>
              <td class="num hide-narrow">{bytes(t.payload_size)}</td>
              <td class="hide-narrow">
                <span class="clip">
                  <Text v={t.error} max={160} />
                </span>
              </td>
              <td class="num hide-narrow">
                <Age at={t.updated_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export type Verb = "cancel" | "retry" | "delete";

const verbs: [Verb, string][] = [
  ["retry", "Run again"],
  ["cancel", "Cancel"],
  ["delete", "Delete"],
];

const saidOf: Record<Verb, { title: string; done: string; what: string }> = {
  cancel: { title: "Cancel", done: "cancelled", what: "Waiting tasks are cancelled at once; running ones are asked to end. What depends on them may be cancelled too." },
  retry: { title: "Run again", done: "put back", what: "They run again with all of their retries. Tasks that were cancelled because of them wait for them again." },
  delete: { title: "Delete", done: "deleted", what: "They are gone for good, with payload and result. Running tasks cannot be deleted." },
};

// Which statuses a verb can change.
const changes: Record<Verb, (t: Task) => boolean> = {
  cancel: (t) => ["pending", "in_progress", "failed"].includes(t.status),
  retry: (t) => ["failed", "dead_letter", "cancelled"].includes(t.status),
  delete: (t) => t.status !== "in_progress",
};

export const canChange = (verb: Verb, t: Task) => changes[verb](t);

/** Asks, then changes tasks by their ids. */
export function changeNamed(verb: Verb, tasks: Task[], after: () => unknown): void {
  const fit = tasks.filter((t) => canChange(verb, t));
  const said = saidOf[verb];
  ask({
    title: `${said.title}: ${plural(tasks.length, "task")}`,
    body: <p>{said.what}</p>,
    button: said.title,
    danger: verb !== "retry",
    preview: async () => {
      if (fit.length === 0) throw new Problem(0, "", "Nothing to do: none of them has a status that this changes.");
      return `${plural(fit.length, "task")} of ${count(tasks.length)} would be changed.`;
    },
    run: async () => {
      const { receipts } = await post<{ receipts: Receipt[] }>(`v1/tasks/${verb}`, { ids: fit.map((t) => t.id) });
      const refused = receipts.filter((r) => r.error);
      const done = receipts.length - refused.length;
      notify(`${plural(done, "task")} ${said.done}` + (refused[0] ? `; ${count(refused.length)} refused: ${refused[0].error}` : ""), {
        bad: refused.length > 0,
      });
      await after();
    },
  });
}

/** Asks what to do with all that a filter selects; an operation does it. */
function changeAll(filter: string, order: string): void {
  if (order !== newest && order !== "id") notify("The operation is about all tasks of the filter, not only those that this order lists.");
  ask({
    title: "Change all that match",
    body: (
      <>
        <p>
          {filter ? (
            <>
              All tasks of <code class="mono">{visible(filter)}</code>
            </>
          ) : (
            <b>All tasks of the cluster</b>
          )}
          . What is to become of them?
        </p>
      </>
    ),
    button: "Go on",
    choice: verbs.map(([verb, label]) => [verb, label]),
    run: async (verb) => {
      setTimeout(() => operate(verb as Verb, filter));
    },
  });
}

// The largest rate that the API takes.
const maxRate = 1_048_576;

function rateOf(text: string): { rate?: number } {
  if (text === "") return {};
  const rate = /^\d+$/.test(text) ? Number(text) : 0;
  if (rate < 1 || rate > maxRate) throw new Problem(0, "", `So many a second is a whole number from 1 to ${count(maxRate)}, or nothing for no limit.`);
  return { rate };
}

/** Starts an operation on a filter, after a count of what it would change. */
export function operate(action: Verb, filter: string, more: { title?: string; expected?: number; after?: () => unknown } = {}): void {
  const order = filter.trim() ? { action, filter } : { action, all: true };
  const { expected, after } = more;
  ask({
    title: more.title ?? saidOf[action].title,
    body: (
      <>
        <p>{saidOf[action].what}</p>
        <p class="faint">
          Filter: <code class="mono">{filter ? visible(filter) : "none"}</code>
        </p>
      </>
    ),
    button: more.title ?? saidOf[action].title,
    danger: action !== "retry",
    input: { label: "At most so many a second", placeholder: "No limit", max: 7, optional: true },
    preview: async () => {
      const would = await post<Operation>("v1/operations", { ...order, dry_run: true });
      if (would.changed === 0) throw new Problem(0, "", "Nothing to do: no task of the filter has a status that this changes.");
      const said = `${plural(would.changed, "task")} would be changed.`;
      if (expected === undefined || would.changed === expected) return said;
      return (
        <>
          {said} <span class="bad">The group has {count(expected)}: the filter takes all whose error contains that text.</span>
        </>
      );
    },
    run: async (limit) => {
      await post<Operation>("v1/operations", { ...order, ...rateOf(limit) });
      notify("The operation has begun", { to: { href: "#/operations", label: "Show it" } });
      await after?.();
    },
  });
}

