import { may, part, post, Problem, request, url } from "../api";
import { ask } from "../dialog";
import { count, moment, plural, seconds, type Whole } from "../format";
import { clock, cluster } from "../live";
import { useLoad } from "../load";
import type { Cluster, ClusterNode } from "../model";
import { Action, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { Database } from "../database";
import { Doctor } from "../doctor";
import { Storage } from "../storage";
import { plain, Text } from "../text";

export function ClusterPage() {
  const loaded = useLoad<Cluster>("v1/cluster", "slow");
  const c = newer(cluster.value, loaded.data.value);
  if (!c) return <Waiting error={loaded.error.value} what="the cluster" />;
  const voters = c.nodes.filter((n) => n.voter);
  const up = voters.filter((n) => n.reachable).length;
  const needed = Math.floor(voters.length / 2) + 1;
  const pauseAll = c.dispatch_paused;
  return (
    <Page
      title="Cluster"
      sub={<span class="mono">{c.cluster_id}</span>}
      actions={
        <>
          {may("admin") && (
            <a class="button" href={url("v1/snapshot")} download>
              Save a snapshot
            </a>
          )}
          <Action need="operator" all onClick={() => dispatch(pauseAll, loaded.reload)}>
            {pauseAll ? "Hand out tasks again" : "Pause handing out"}
          </Action>
        </>
      }
    >
      <section class="tiles" aria-label="At a glance">
        <Tile name="Leader" value={c.leader ? <Text v={c.leader} max={24} /> : "none"} bad={!c.leader} sub={c.leader ? "orders all changes" : "nothing can be changed"} />
        <Tile name="Term" value={count(termOf(c))} sub={plural(changesIn(c, 3600, clock.value), "change of leader", "changes of leader") + " in the last hour"} />
        <Tile name="Voters that can be reached" value={`${up} of ${voters.length}`} bad={up < voters.length} sub={`${needed} are needed`} />
        <Tile name="Applied" value={count(c.applied_index)} sub="index at this node" />
      </section>
      <Card title="Nodes" flush>
        <Nodes c={c} reload={loaded.reload} />
      </Card>
      <Card title="Storage of the nodes" flush>
        <Storage nodes={c.nodes} />
      </Card>
      <Doctor />
      <Card title="Leaders" aside="since this node started">
        <Leaders c={c} now={clock.value} />
      </Card>
      <Database node={c.node} />
    </Page>
  );
}

const newer = (a: Cluster | null, b: Cluster | null) => (a && b ? (BigInt(a.applied_index) >= BigInt(b.applied_index) ? a : b) : (a ?? b));

const termOf = (c: Cluster): Whole => c.term ?? c.nodes.map((n) => n.term).filter((t) => t !== undefined).sort((a, b) => Number(b) - Number(a))[0] ?? "–";

const changesIn = (c: Cluster, span: number, now: number) => c.leader_changes.filter((l) => l.leader && now - Date.parse(l.at) < span * 1000).length;

function Tile({ name, value, sub, bad }: { name: string; value: preact.ComponentChildren; sub: string; bad?: boolean }) {
  return (
    <div class={bad ? "tile plain bad" : "tile plain"}>
      <span class="tile-name">{name}</span>
      <span class="tile-value">{value}</span>
      <span class="tile-sub">{sub}</span>
    </div>
  );
}

const behind = (a: Whole | undefined, b: Whole | undefined) => (a === undefined || b === undefined ? null : BigInt(a) - BigInt(b));

function Lag({ of: lag }: { of: Whole | bigint | null | undefined }) {
  if (lag === null || lag === undefined) return <span class="faint">–</span>;
  const n = BigInt(lag);
  return n <= 0n ? <span class="faint">0</span> : <span class={n > 1000n ? "bad" : undefined}>{count(n.toString())}</span>;
}

function Nodes({ c, reload }: { c: Cluster; reload: () => unknown }) {
  return (
    <Scroll label="Nodes">
      <table>
        <thead>
          <tr>
            <th>Node</th>
            <th>Role</th>
            <th class="hide-narrow">Address</th>
            <th class="num hide-narrow">Term</th>
            <th class="num hide-narrow">Committed</th>
            <th class="num" title="Entries of the leader's log that it lacked when it last answered the leader">Commit lag</th>
            <th class="num" title="Entries that it knows to be committed and has yet to apply">Apply lag</th>
            <th class="hide-narrow">Version</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {c.nodes.map((n) => (
            <tr key={n.id}>
              <td>
                <Text v={n.name || n.id} max={40} />
                {n.name === c.node && <span class="tag">this node</span>}
              </td>
              <td class="nowrap">
                {!n.reachable ? (
                  <span class="badge s-dead" title={plain(n.error ?? "")}>
                    cannot be reached
                  </span>
                ) : (
                  <span class={n.role === "leader" ? "badge s-completed" : "badge s-in_progress"}>{n.role}</span>
                )}
                {!n.voter && <span class="tag">no vote</span>}
              </td>
              <td class="hide-narrow mono">
                <Text v={n.address} max={60} />
              </td>
              <td class="num hide-narrow">{count(n.term)}</td>
              <td class="num hide-narrow">{count(n.commit_index)}</td>
              <td class="num">
                <Lag of={n.reachable ? n.lag : null} />
              </td>
              <td class="num">
                <Lag of={behind(n.commit_index, n.applied_index)} />
              </td>
              <td class="hide-narrow">
                <Text v={n.version} max={40} />
              </td>
              <td class="row-actions">
                <Action need="admin" kind="small" disabled={n.role === "leader" || !n.voter || !n.reachable} why="Only a voter that can be reached and does not lead" onClick={() => transfer(n, c, reload)}>
                  Make leader
                </Action>
                <Action need="admin" kind="small" onClick={() => remove(n, c, reload)}>
                  Remove
                </Action>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function transfer(n: ClusterNode, c: Cluster, reload: () => unknown): void {
  ask({
    title: "Make leader",
    body: (
      <p>
        Leadership goes from <Text v={c.leader || "nobody"} max={60} /> to <Text v={n.name || n.id} max={60} />. For a moment requests wait.
      </p>
    ),
    button: "Make leader",
    run: async () => {
      await post("v1/cluster/transfer", { to: n.id });
      await reload();
    },
    done: "Leadership was handed over",
  });
}

function remove(n: ClusterNode, c: Cluster, reload: () => unknown): void {
  const left = c.nodes.filter((m) => m.voter && m.id !== n.id);
  const up = left.filter((m) => m.reachable).length;
  const needed = Math.floor(left.length / 2) + 1;
  const enough = left.length > 0 && up >= needed;
  ask({
    title: "Remove a node",
    body: (
      <>
        <p>
          <Text v={n.name || n.id} max={60} /> leaves the cluster for good: to come back it has to join anew, with empty data.
        </p>
      </>
    ),
    preview: async () => {
      if (left.length === 0) throw new Problem(0, "", "It is the last voter: a cluster without voters is none.");
      return (
        <span class={enough ? undefined : "bad"}>
          {plural(left.length, "voter")} would be left, {up} of them can be reached, {needed} are needed.{" "}
          {enough ? "" : "There would be no quorum: nothing could be changed any more."}
        </span>
      );
    },
    choice: enough ? undefined : [["", "Leave it where it is if quorum would be lost"], ["force", "Remove it all the same"]],
    button: "Remove",
    danger: true,
    run: async (force) => {
      await request("DELETE", `v1/cluster/members/${part(n.id)}${force === "force" ? "?force=true" : ""}`);
      await reload();
    },
    done: "Removed",
  });
}

function dispatch(paused: boolean, reload: () => unknown): void {
  ask({
    title: paused ? "Hand out tasks again" : "Pause handing out",
    body: paused ? (
      <p>Workers get tasks of all queues again, but for those that are paused by themselves.</p>
    ) : (
      <p>No worker of the whole cluster gets a task until this is undone. Submits, results and what runs go on.</p>
    ),
    button: paused ? "Hand out again" : "Pause",
    danger: !paused,
    run: async () => {
      await post(`v1/cluster/${paused ? "resume" : "pause"}`);
      await reload();
    },
    done: paused ? "Tasks are handed out again" : "Paused",
  });
}

const colours = ["c-ok", "c-run", "c-wait", "c-lat", "c-warn"];

/** Who led when, as a bar and as a list. */
function Leaders({ c, now }: { c: Cluster; now: number }) {
  // What a node was called may not have been known yet when it became the leader; then its address stands for it.
  const nameOf = (leader: string) => c.nodes.find((n) => n.address === leader)?.name || leader;
  const list = c.leader_changes.slice(-60).map((l) => ({ ...l, leader: nameOf(l.leader) }));
  if (list.length === 0) return <Empty title="No change of leader yet" />;
  const names = [...new Set(list.map((l) => l.leader).filter(Boolean))];
  const colour = (name: string) => (name ? colours[names.indexOf(name) % colours.length]! : "c-bad");
  const until = (i: number) => (list[i + 1] ? Date.parse(list[i + 1]!.at) : Math.max(now, Date.parse(list[i]!.at)));
  const span = (i: number) => (until(i) - Date.parse(list[i]!.at)) / 1000;
  return (
    <>
      <div class="track" role="img" aria-label="Leaders over time">
        {list.map((l, i) => (
          <span key={i} class={colour(l.leader)} title={`${plain(l.leader || "none", 60)}: ${seconds(span(i))}`} style={{ flexGrow: Math.max(span(i), 0.001) }} />
        ))}
      </div>
      <div class="scroll tall" tabIndex={0} role="region" aria-label="Changes of leader">
        <table>
          <thead>
            <tr>
              <th>From</th>
              <th>Leader</th>
              <th class="num">Term</th>
              <th class="num">For</th>
            </tr>
          </thead>
          <tbody>
            {list
              .map((l, i) => (
                <tr key={i}>
                  <td class="nowrap">{moment(l.at)}</td>
                  <td>
                    <i class={`swatch ${colour(l.leader)}`} /> {l.leader ? <Text v={l.leader} max={60} /> : <span class="bad">none</span>}
                  </td>
                  <td class="num">{count(l.term)}</td>
                  <td class="num">{seconds(Math.floor(span(i)))}</td>
                </tr>
              ))
              .reverse()}
          </tbody>
        </table>
      </div>
    </>
  );
}
