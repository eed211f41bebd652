import { useState } from "preact/hooks";
import { count, plural } from "../format";
import { filterWord } from "../filter";
import { useKeys } from "../keys";
import { useLoad } from "../load";
import type { DeadGroup, DeadGroups } from "../model";
import { Action, Age, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { go, href } from "../route";
import { useRows } from "../rows";
import { Text } from "../text";
import { operate } from "./tasks";

/**
 * The filter that selects the tasks of a group, and maybe some more: numbers stand as # in the error of a group, so the
 * longest text between them is what all its errors have in common.
 */
export function filterOf(g: DeadGroup): string {
  const error = g.error.includes("#")
    ? g.error.split("#").reduce((a, b) => (b.trim().length > a.length ? b.trim() : a), "")
    : g.sample_error;
  return filterWord({ status: "dead_letter", queue: g.queue, type: g.type, error });
}

export function DeadPage() {
  const loaded = useLoad<DeadGroups>("v1/dead-letters/groups", "slow");
  const [search, setSearch] = useState("");
  const all = loaded.data.value?.groups ?? [];
  const text = search.toLowerCase();
  const groups = all.filter((g) => [g.error, g.type, g.queue, g.reason].some((v) => v.toLowerCase().includes(text)));
  const rows = useRows(groups.map((g) => href(["tasks"], { filter: filterOf(g) })));
  const current = groups[rows.at];
  const redrive = (g: DeadGroup) => operate("retry", filterOf(g), { title: "Redrive", expected: g.count, after: loaded.reload });
  const purge = (g: DeadGroup) => operate("delete", filterOf(g), { title: "Purge", expected: g.count, after: loaded.reload });
  useKeys(
    current
      ? [
          { key: "y", what: "Redrive the group", run: () => redrive(current) },
          { key: "d", what: "Purge the group", run: () => purge(current) },
        ]
      : [],
  );
  if (!loaded.data.value) return <Waiting error={loaded.error.value} what="dead letters" />;
  const total = all.reduce((n, g) => n + g.count, 0);
  return (
    <Page
      title="Dead letters"
      sub={total ? `${plural(total, "task")} in ${plural(all.length, "group")}${loaded.data.value.complete ? "" : `: only the oldest ${count(loaded.data.value.examined)} were looked at`}` : undefined}
      actions={
        <>
          <Action need="operator" all disabled={!total} onClick={() => operate("retry", "status:dead_letter", { title: "Redrive all", after: loaded.reload })}>
            Redrive all
          </Action>
          <Action need="operator" all kind="danger" disabled={!total} onClick={() => operate("delete", "status:dead_letter", { title: "Purge all", after: loaded.reload })}>
            Purge all
          </Action>
        </>
      }
    >
      {all.length > 0 && (
        <div class="bar-line">
          <input
            type="text"
            aria-label="Find a group"
            placeholder="Find by error, type or queue"
            value={search}
            onInput={(e) => setSearch(e.currentTarget.value)}
          />
        </div>
      )}
      <Card flush>
        {groups.length === 0 ? (
          <Empty title={all.length ? "No group has this in it" : "No dead letters"}>
            {all.length ? null : "Tasks that end without success stand here, grouped by their errors."}
          </Empty>
        ) : (
          <Scroll label="Groups">
            <table>
              <thead>
                <tr>
                  <th class="num">Tasks</th>
                  <th>Error</th>
                  <th class="hide-narrow">Type</th>
                  <th class="hide-narrow">Queue</th>
                  <th class="num hide-narrow">Last</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {groups.map((g, i) => (
                  <tr key={g.reason + g.error + g.type + g.queue} class={rows.at === i ? "at" : undefined} onClick={() => rows.set(i)}>
                    <td class="num">
                      <a href={href(["tasks"], { filter: filterOf(g) })}>{count(g.count)}</a>
                    </td>
                    <td class="wide">
                      <span class="clip">{g.error ? <Text v={g.sample_error} max={400} /> : <span class="faint">no error text</span>}</span>
                      <span class="tag warn flat">{g.reason.replaceAll("_", " ")}</span>{" "}
                      <a class="mono small-text" href={href(["task", g.sample_id])} onClick={(e) => (e.preventDefault(), go(href(["task", g.sample_id])))}>
                        one of them
                      </a>
                    </td>
                    <td class="hide-narrow">
                      <Text v={g.type} max={48} />
                    </td>
                    <td class="hide-narrow">
                      <a href={href(["queue", g.queue])}>
                        <Text v={g.queue} max={48} />
                      </a>
                    </td>
                    <td class="num hide-narrow">
                      <Age at={g.last_at} />
                    </td>
                    <td class="row-actions">
                      <Action need="operator" kind="small" onClick={() => redrive(g)}>
                        Redrive
                      </Action>
                      <Action need="operator" kind="small" onClick={() => purge(g)}>
                        Purge
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
