import { useState } from "preact/hooks";
import { del, get, part, post } from "../api";
import { ask, attempt, closeDialog, notify, saying, show } from "../dialog";
import { count, moment } from "../format";
import { useLoad } from "../load";
import type { Schedule } from "../model";
import { Action, Age, Card, Empty, Page, Scroll, Waiting } from "../parts";
import { href } from "../route";
import { plain, Text, visible } from "../text";
import { listOf } from "./queues";

export function SchedulesPage() {
  const loaded = useLoad<unknown>("v1/schedules", "slow");
  if (!loaded.data.value) return <Waiting error={loaded.error.value} what="schedules" />;
  const list = listOf<Schedule>(loaded.data.value, "schedules");
  return (
    <Page
      title="Schedules"
      sub={list.length ? `${count(list.length)} in all` : undefined}
      actions={
        <Action need="operator" kind="primary" onClick={() => show("Add a schedule", <AddForm reload={loaded.reload} />)}>
          Add a schedule
        </Action>
      }
    >
      <Card flush>
        {list.length === 0 ? (
          <Empty title="No schedules">A schedule submits a task at each of the moments that a cron expression names.</Empty>
        ) : (
          <Scroll label="Schedules">
            <table>
              <thead>
                <tr>
                  <th>Schedule</th>
                  <th>When</th>
                  <th>Submits</th>
                  <th class="num">Next</th>
                  <th class="num hide-narrow">Last</th>
                  <th class="num hide-narrow">Fired</th>
                  <th class="num hide-narrow">Skipped</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {list.map((s) => (
                  <Row key={s.name} s={s} reload={loaded.reload} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Card>
    </Page>
  );
}

function Row({ s, reload }: { s: Schedule; reload: () => unknown }) {
  const path = `v1/schedules/${part(s.name)}`;
  return (
    <tr>
      <td>
        <Text v={s.name} max={60} />
        {s.paused && (
          <span class="tag warn" title={plain(s.pause_reason ?? "")}>
            paused
          </span>
        )}
      </td>
      <td>
        <bdi class="mono">{visible(s.expression)}</bdi> <span class="faint">{s.time_zone || "UTC"}</span>
      </td>
      <td>
        <Text v={s.task.task_type} max={48} />
        {s.task.queue && s.task.queue !== "default" && (
          <span class="faint">
            {" "}
            to <Text v={s.task.queue} max={48} />
          </span>
        )}
      </td>
      <td class="num">{s.next_fire ? <Age at={s.next_fire} /> : <span class="faint">{s.paused ? "paused" : "never"}</span>}</td>
      <td class="num hide-narrow">
        {s.last_task && !/^[0-]*$/.test(s.last_task) ? (
          <a href={href(["task", s.last_task])}>
            <Age at={s.last_fire} />
          </a>
        ) : (
          <Age at={s.last_fire} />
        )}
        {s.last_error && (
          <span class="tag bad" title={plain(s.last_error)}>
            error
          </span>
        )}
      </td>
      <td class="num hide-narrow">{count(s.fired)}</td>
      <td class="num hide-narrow">{count(s.skipped)}</td>
      <td class="row-actions">
        <button class="small" onClick={() => void coming(s)}>
          Coming
        </button>
        <Action
          need="operator"
          kind="small"
          onClick={() =>
            ask({
              title: "Trigger",
              body: <p>Its task is submitted now, besides the moments of the expression.</p>,
              button: "Trigger",
              run: () => post(`${path}/trigger`).then(reload),
              done: "Triggered",
            })
          }
        >
          Trigger
        </Action>
        <Action need="operator" kind="small" onClick={() => pause(s, path, reload)}>
          {s.paused ? "Resume" : "Pause"}
        </Action>
        <Action
          need="operator"
          kind="small"
          onClick={() =>
            ask({
              title: "Delete the schedule",
              body: (
                <p>
                  <Text v={s.name} max={80} /> fires no more. Tasks that it submitted stay.
                </p>
              ),
              button: "Delete",
              danger: true,
              run: () => del(path).then(reload),
              done: "Deleted",
            })
          }
        >
          Delete
        </Action>
      </td>
    </tr>
  );
}

function pause(s: Schedule, path: string, reload: () => unknown): void {
  if (s.paused) {
    void attempt(() => post(`${path}/resume`).then(reload), "Resumed");
    return;
  }
  ask({
    title: "Pause the schedule",
    body: <p>It does not fire until it is resumed; moments that pass meanwhile are caught up on as it says.</p>,
    button: "Pause",
    input: { label: "Reason, for others to see", max: 1000 },
    run: (reason) => post(`${path}/pause`, reason ? { reason } : {}).then(reload),
    done: "Paused",
  });
}

async function coming(s: Schedule): Promise<void> {
  await attempt(async () => {
    const { next_fires: list } = await get<{ next_fires: string[] }>(`v1/schedules/${part(s.name)}/next?n=10`);
    show(
      `Coming: ${plain(s.name, 60)}`,
      list.length === 0 ? (
        <p>It does not fire any more.</p>
      ) : (
        <ol class="moments">
          {list.map((at) => (
            <li key={at}>
              {moment(at)} <span class="faint"><Age at={at} /></span>
            </li>
          ))}
        </ol>
      ),
    );
  });
}

function AddForm({ reload }: { reload: () => unknown }) {
  const [f, setF] = useState({ name: "", expression: "", zone: "", type: "", queue: "", payload: "", catchUp: "skip", overlap: "skip" });
  const [wrong, setWrong] = useState("");
  const set = (name: keyof typeof f) => (e: { currentTarget: { value: string } }) => setF({ ...f, [name]: e.currentTarget.value });
  const add = async (e: Event) => {
    e.preventDefault();
    try {
      await post("v1/schedules", {
        name: f.name,
        expression: f.expression,
        ...(f.zone ? { time_zone: f.zone } : {}),
        catch_up: f.catchUp,
        overlap: f.overlap,
        task: { task_type: f.type, ...(f.queue ? { queue: f.queue } : {}), ...(f.payload ? { payload_text: f.payload } : {}) },
      });
      closeDialog();
      notify("Added");
      await reload();
    } catch (err) {
      setWrong(saying(err));
    }
  };
  return (
    <form onSubmit={add}>
      <div class="fields">
        <label class="field">
          <span>Name</span>
          <input name="name" required value={f.name} onInput={set("name")} placeholder="nightly-report" autofocus />
        </label>
        <label class="field">
          <span>Cron expression</span>
          <input name="expression" class="mono" required value={f.expression} onInput={set("expression")} placeholder="0 3 * * *" />
        </label>
        <label class="field">
          <span>Time zone</span>
          <input name="zone" value={f.zone} onInput={set("zone")} placeholder="UTC" />
        </label>
        <label class="field">
          <span>Type of its task</span>
          <input name="type" required value={f.type} onInput={set("type")} placeholder="report" />
        </label>
        <label class="field">
          <span>Queue</span>
          <input name="queue" value={f.queue} onInput={set("queue")} placeholder="default" />
        </label>
        <label class="field">
          <span>Moments that were missed</span>
          <select name="catch_up" value={f.catchUp} onChange={set("catchUp")}>
            <option value="skip">are left out</option>
            <option value="one">the last one fires</option>
            <option value="all">all of them fire</option>
          </select>
        </label>
        <label class="field">
          <span>While the task before has not ended</span>
          <select name="overlap" value={f.overlap} onChange={set("overlap")}>
            <option value="skip">nothing is submitted</option>
            <option value="allow">the next one is submitted</option>
          </select>
        </label>
        <label class="field wide">
          <span>Payload</span>
          <textarea name="payload" class="mono" rows={3} value={f.payload} onInput={set("payload")} />
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
        <button class="primary">Add</button>
      </div>
    </form>
  );
}
