import { part, post } from "../api";
import { ask } from "../dialog";
import { between, count } from "../format";
import { clock, operations } from "../live";
import { useLoad } from "../load";
import type { Operation } from "../model";
import { Action, Age, Badge, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { Text, visible } from "../text";
import { listOf } from "./queues";

export function OperationsPage() {
  const loaded = useLoad<unknown>("v1/operations", "slow");
  if (!loaded.data.value && !operations.value) return <Waiting error={loaded.error.value} what="operations" />;
  const list = operations.value ?? listOf<Operation>(loaded.data.value, "operations");
  const running = list.filter((o) => o.state === "running");
  const ended = list.filter((o) => o.state !== "running");
  return (
    <Page title="Operations" sub="Changes of many tasks, step by step. They go on without this page.">
      <Card title="Running" flush>
        {running.length === 0 ? (
          <Empty title="None runs">Redrive, purge, cancel or delete many tasks from the lists of tasks and dead letters.</Empty>
        ) : (
          <Table list={running} reload={loaded.reload} />
        )}
      </Card>
      {ended.length > 0 && (
        <Card title="Ended" flush>
          <Table list={ended} reload={loaded.reload} />
        </Card>
      )}
    </Page>
  );
}

const actions: Record<string, string> = { retry: "Run again", cancel: "Cancel", delete: "Delete" };

/** The filter of an operation, as it would be written. */
function selection(o: Operation): string {
  const s = o.selection;
  const words = [
    s.queue && `queue:${s.queue}`,
    s.task_type && `type:${s.task_type}`,
    s.statuses?.length && `status:${s.statuses.join(",")}`,
    (s.min_priority || s.max_priority !== undefined) && `priority:${s.min_priority ?? 0}..${s.max_priority ?? 255}`,
    s.error_contains && `error:"${s.error_contains}"`,
    s.updated_before && `not changed since ${s.updated_before}`,
  ];
  return words.filter(Boolean).join(" ");
}

function Table({ list, reload }: { list: Operation[]; reload: () => unknown }) {
  return (
    <Scroll label="Operations">
      <table>
        <thead>
          <tr>
            <th>Action</th>
            <th>Of</th>
            <th class="num">Changed</th>
            <th class="num hide-narrow">Looked at</th>
            <th class="num">Refused</th>
            <th class="hide-narrow">Begun</th>
            <th class="num hide-narrow">Took</th>
            <th>State</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {list.map((o) => (
            <tr key={o.id}>
              <td class="nowrap">
                {actions[o.action] ?? o.action}
                {o.rate ? <span class="tag">{count(o.rate)}/s</span> : null}
              </td>
              <td class="wide">
                <bdi class="mono">{visible(selection(o))}</bdi>
                {o.error && (
                  <div class="bad small-text">
                    <Text v={o.error} max={300} />
                  </div>
                )}
              </td>
              <td class="num">{count(o.changed)}</td>
              <td class="num hide-narrow">{count(o.examined)}</td>
              <td class={o.failed ? "num bad" : "num"}>{count(o.failed)}</td>
              <td class="hide-narrow">
                <Age at={o.started_at} />
              </td>
              <td class="num hide-narrow">
                {between(o.started_at, o.state === "running" ? new Date(clock.value).toISOString() : o.ended_at)}
              </td>
              <td>
                <Badge status={o.state} />
              </td>
              <td class="row-actions">
                {o.state === "running" && (
                  <Action need="operator" kind="small" onClick={() => cancel(o, reload)}>
                    Cancel
                  </Action>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function cancel(o: Operation, reload: () => unknown): void {
  ask({
    title: "Cancel the operation",
    body: <p>What it has changed stays: {count(o.changed)} tasks so far. The rest is left as it is.</p>,
    button: "Cancel the operation",
    danger: true,
    run: async () => {
      await post(`v1/operations/${part(o.id)}/cancel`);
      await reload();
    },
    done: "Cancelled",
  });
}
