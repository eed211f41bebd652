import { part, post } from "../api";
import { ask } from "../dialog";
import { count, plural } from "../format";
import { cluster } from "../live";
import { useLoad } from "../load";
import type { Cluster, Worker } from "../model";
import { Action, Age, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { Text } from "../text";
import { listOf } from "./queues";

export function WorkersPage() {
  const loaded = useLoad<unknown>("v1/workers", "slow");
  const known = useLoad<Cluster>(cluster.value ? null : "v1/cluster", "none");
  if (!loaded.data.value) return <Waiting error={loaded.error.value} what="workers" />;
  const list = listOf<Worker>(loaded.data.value, "workers");
  const nodeName = (id: string) => (cluster.value ?? known.data.value)?.nodes.find((n) => n.id === id)?.name ?? (/^0*$/.test(id) ? "" : id.slice(0, 8));
  const leases = list.reduce((n, w) => n + w.leases, 0);
  return (
    <Page title="Workers" sub={list.length ? `${plural(list.length, "session")}, ${plural(leases, "task")} in hand` : undefined}>
      <Card flush>
        {list.length === 0 ? (
          <Empty title="No workers">
            Start one with <code>haiku worker run --type TYPE --exec COMMAND</code>, or with the Go library.
          </Empty>
        ) : (
          <Scroll label="Workers">
            <table>
              <thead>
                <tr>
                  <th>Worker</th>
                  <th class="hide-narrow">At node</th>
                  <th class="hide-narrow">Queues</th>
                  <th>Types</th>
                  <th class="num">Tasks</th>
                  <th class="num hide-narrow">Connected</th>
                  <th class="num">Heard of</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {list.map((w) => (
                  <tr key={w.session}>
                    <td>
                      <Names list={w.worker_ids} none={w.client_name} />
                      {w.draining && <span class="tag warn">draining</span>}
                    </td>
                    <td class="hide-narrow">
                      <Text v={nodeName(w.node)} max={40} />
                    </td>
                    <td class="hide-narrow">
                      <Names list={w.queues} none={unclaimed} />
                    </td>
                    <td>
                      <Names list={w.types} none={w.queues.length > 0 ? "all" : unclaimed} />
                    </td>
                    <td class="num">{count(w.leases)}</td>
                    <td class="num hide-narrow">
                      <Age at={w.connected_since} />
                    </td>
                    <td class="num">
                      <Age at={w.last_heartbeat} />
                    </td>
                    <td class="row-actions">
                      <Action need="operator" all kind="small" disabled={w.draining} why="It is draining" onClick={() => drain(w, loaded.reload)}>
                        Drain
                      </Action>
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

// A new leader learns with a worker's first claim what it takes; one that is busy claims nothing for a while.
const unclaimed = "not known yet";

function Names({ list, none }: { list: string[] | null; none: string }) {
  if (!list || list.length === 0) return <Text v={none} max={60} />;
  return (
    <>
      {list.slice(0, 4).map((n, i) => (
        <>
          {i > 0 && ", "}
          <Text v={n} max={60} />
        </>
      ))}
      {list.length > 4 && <span class="faint"> and {list.length - 4} more</span>}
    </>
  );
}

function drain(w: Worker, reload: () => unknown): void {
  ask({
    title: "Drain",
    body: (
      <p>
        <Text v={w.worker_ids?.at(-1) ?? w.client_name} max={80} /> claims nothing more, finishes its {plural(w.leases, "task")} and ends.
      </p>
    ),
    button: "Drain",
    danger: true,
    run: async () => {
      await post(`v1/workers/${part(w.session)}/drain`);
      await reload();
    },
    done: "Asked to drain",
  });
}
