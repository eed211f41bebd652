import { useState } from "preact/hooks";
import { part, post } from "../api";
import { ask } from "../dialog";
import { bytes, count } from "../format";
import { useLoad } from "../load";
import type { QueueState } from "../model";
import { Action, Card, Empty, Num, Page, Scroll, Waiting } from "../parts";
import { href } from "../route";
import { plain, Text } from "../text";
import { useRows } from "../rows";

/** The list that an answer has under a name. */
export const listOf = <T,>(body: unknown, name: string): T[] => ((body as Record<string, T[]> | null)?.[name] ?? []);

export function QueuesPage() {
  const loaded = useLoad<unknown>("v1/queues?types=false", "slow");
  const [search, setSearch] = useState("");
  if (!loaded.data.value) return <Waiting error={loaded.error.value} what="queues" />;
  const all = listOf<QueueState>(loaded.data.value, "queues").filter((q) => !q.task_type);
  const found = all.filter((q) => q.queue.toLowerCase().includes(search.toLowerCase()));
  return (
    <Page title="Queues" sub={`${count(all.length)} in all`}>
      <div class="bar-line">
        <input
          type="text"
          aria-label="Find a queue by name"
          placeholder="Find by name"
          value={search}
          onInput={(e) => setSearch(e.currentTarget.value)}
        />
      </div>
      <Card flush>
        {found.length === 0 ? (
          <Empty title={all.length ? "No queue has this in its name" : "No queues yet"}>
            {all.length ? null : "A queue is there as soon as a task is submitted to it."}
          </Empty>
        ) : (
          <QueueTable queues={found.slice(0, 500)} onChange={loaded.reload} />
        )}
        {found.length > 500 && <p class="more">{count(found.length - 500)} more: find them by name.</p>}
      </Card>
    </Page>
  );
}

export function QueueTable({ queues, brief, onChange }: { queues: QueueState[]; brief?: boolean; onChange?: () => unknown }) {
  const rows = useRows(brief ? [] : queues.map((q) => href(["queue", q.queue])), !brief);
  return (
    <Scroll label="Queues">
      <table>
        <thead>
          <tr>
            <th>Queue</th>
            <th class="num">Ready</th>
            <th class="num hide-narrow">Scheduled</th>
            {!brief && <th class="num hide-narrow">Blocked</th>}
            <th class="num">Running</th>
            <th class="num hide-narrow">Retrying</th>
            <th class="num">Dead</th>
            {!brief && <th class="num hide-narrow">Completed</th>}
            {!brief && <th class="num hide-narrow">Payload</th>}
            {!brief && <th />}
          </tr>
        </thead>
        <tbody>
          {queues.map((q, i) => (
            <tr key={q.queue} class={rows.at === i ? "at" : undefined}>
              <td>
                <a href={href(["queue", q.queue])}>
                  <Text v={q.queue} max={60} />
                </a>
                {q.paused && (
                  <span class="tag warn" title={plain(q.reason ?? "")}>
                    paused
                  </span>
                )}
              </td>
              <Num n={q.counts.ready} />
              <Num n={q.counts.scheduled} class="hide-narrow" />
              {!brief && <Num n={q.counts.blocked} class="hide-narrow" />}
              <Num n={q.counts.in_progress} />
              <Num n={q.counts.failed} class="hide-narrow" />
              <Num n={q.counts.dead_letter} bad />
              {!brief && <Num n={q.counts.completed} class="hide-narrow" />}
              {!brief && <td class="num hide-narrow">{bytes(q.waiting_bytes)}</td>}
              {!brief && (
                <td class="row-actions">
                  <PauseButton q={q} onChange={onChange} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function PauseButton({ q, onChange, big }: { q: QueueState; onChange?: () => unknown; big?: boolean }) {
  return (
    <Action need="operator" kind={big ? undefined : "small"} onClick={() => pauseOrResume(q, onChange)}>
      {q.paused ? "Resume" : "Pause"}
    </Action>
  );
}

export function pauseOrResume(q: QueueState, onChange?: () => unknown): void {
  const what = q.task_type ? (
    <>
      type <Text v={q.task_type} /> in queue <Text v={q.queue} />
    </>
  ) : (
    <>
      queue <Text v={q.queue} />
    </>
  );
  const call = async (verb: string, reason?: string) => {
    await post(`v1/queues/${part(q.queue)}/${verb}`, {
      ...(q.task_type ? { task_type: q.task_type } : {}),
      ...(reason ? { reason } : {}),
    });
    await onChange?.();
  };
  if (q.paused) {
    ask({
      title: "Resume",
      body: <p>Workers get tasks of {what} again.</p>,
      button: "Resume",
      run: () => call("resume"),
      done: "Resumed",
    });
    return;
  }
  ask({
    title: "Pause",
    body: (
      <p>
        Workers get no more tasks of {what}. What runs goes on, and tasks can be submitted. {count(q.counts.ready)} are ready now.
      </p>
    ),
    button: "Pause",
    input: { label: "Reason, for others to see", placeholder: "the mail server is down", max: 1000 },
    run: (reason) => call("pause", reason),
    done: "Paused",
  });
}
