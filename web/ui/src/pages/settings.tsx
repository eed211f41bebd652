import { useState } from "preact/hooks";
import { del, logout, may, part, post, put, session } from "../api";
import { copy } from "../copy";
import { ask, attempt, closeDialog, notify, saying, show } from "../dialog";
import { moment } from "../format";
import { useLoad } from "../load";
import type { Retention, Token } from "../model";
import { Action, Age, Card, Empty, Facts, Page, Scroll, Select, Waiting } from "../parts";
import { setTheme, theme } from "../theme";
import { Text, visible } from "../text";
import { listOf } from "./queues";

export function SettingsPage() {
  const s = session.value;
  return (
    <Page title="Settings">
      <div class="grid two">
        <Card title="This browser">
          <Facts
            rows={[
              [
                "Theme",
                <Select label="Theme" value={theme.value} options={[["system", "System"], ["light", "Light"], ["dark", "Dark"]] as const} onChange={setTheme} />,
              ],
            ]}
          />
        </Card>
        <Card title="You">
          <Facts
            rows={[
              ["Role", s?.role ?? "–"],
              ["Queues", s?.queues?.length ? s.queues.map((q, i) => [i > 0 ? ", " : "", <Text v={q} max={60} />, "…"]) : "all"],
              [
                "Sign-in",
                s?.authentication ? (
                  <button class="small" onClick={() => void attempt(logout)}>
                    Sign out
                  </button>
                ) : (
                  "The cluster has no tokens: whoever reaches it may do everything."
                ),
              ],
            ]}
          />
        </Card>
      </div>
      <Retentions />
      {may("admin") && <Tokens />}
    </Page>
  );
}

// 720h0m0s is 720h.
const brief = (v: string) => v.replace(/(?<=m)0s$/, "").replace(/(?<=h)0m$/, "");
const kept = (v: string | undefined, own: boolean) => (v ? brief(v) : undefined) ?? <span class="faint">{own ? "as above" : "built in"}</span>;

function Retentions() {
  const loaded = useLoad<unknown>("v1/retention", "none");
  const list = listOf<Retention>(loaded.data.value, "settings");
  return (
    <Card
      title="How long ended tasks are kept"
      aside={
        <Action need="operator" all kind="small" onClick={() => show("Retention", <RetentionForm first={null} reload={loaded.reload} />)}>
          Set for a type
        </Action>
      }
      flush
    >
      {!loaded.data.value ? (
        <Waiting error={loaded.error.value} what="retention" />
      ) : (
        <Scroll label="Retention">
          <table>
            <thead>
              <tr>
                <th>Type</th>
                <th>Completed</th>
                <th>Dead letters</th>
                <th>Cancelled</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {list.map((r) => (
                <tr key={r.task_type}>
                  <td>{r.task_type ? <Text v={r.task_type} max={60} /> : "all types"}</td>
                  <td>{kept(r.completed, !!r.task_type)}</td>
                  <td>{kept(r.dead_letter, !!r.task_type)}</td>
                  <td>{kept(r.cancelled, !!r.task_type)}</td>
                  <td class="row-actions">
                    <Action need="operator" all kind="small" onClick={() => show("Retention", <RetentionForm first={r} reload={loaded.reload} />)}>
                      Change
                    </Action>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  );
}

function RetentionForm({ first, reload }: { first: Retention | null; reload: () => unknown }) {
  const [f, setF] = useState({
    task_type: first?.task_type ?? "",
    completed: first?.completed ?? "",
    dead_letter: first?.dead_letter ?? "",
    cancelled: first?.cancelled ?? "",
  });
  const [wrong, setWrong] = useState("");
  const set = (name: keyof typeof f) => (e: { currentTarget: { value: string } }) => setF({ ...f, [name]: e.currentTarget.value });
  const save = async (e: Event) => {
    e.preventDefault();
    try {
      await put("v1/retention", Object.fromEntries(Object.entries(f).filter(([, v]) => v !== "")));
      closeDialog();
      notify("Saved");
      await reload();
    } catch (err) {
      setWrong(saying(err));
    }
  };
  return (
    <form onSubmit={save}>
      <p class="faint">Durations such as 36h or 90m, or forever. What is empty is not set: then what counts for all types counts.</p>
      {first === null && (
        <label class="field">
          <span>Type</span>
          <input name="type" required value={f.task_type} onInput={set("task_type")} autofocus />
        </label>
      )}
      <div class="fields">
        {(
          [
            ["completed", "Completed"],
            ["dead_letter", "Dead letters"],
            ["cancelled", "Cancelled"],
          ] as const
        ).map(([name, label]) => (
          <label key={name} class="field">
            <span>{label}</span>
            <input name={name} value={f[name]} onInput={set(name)} placeholder="not set" />
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

function Tokens() {
  const loaded = useLoad<unknown>("v1/tokens", "none");
  const list = listOf<Token>(loaded.data.value, "tokens");
  return (
    <Card
      title="Tokens"
      aside={
        <Action need="admin" kind="small" onClick={() => show("Create a token", <TokenForm first={list.length === 0} reload={loaded.reload} />)}>
          Create a token
        </Action>
      }
      flush
    >
      {!loaded.data.value ? (
        <Waiting error={loaded.error.value} what="tokens" />
      ) : list.length === 0 ? (
        <Empty title="No tokens">Whoever reaches a node may do everything. The first token closes the cluster to all without one.</Empty>
      ) : (
        <Scroll label="Tokens">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th>Role</th>
                <th class="hide-narrow">Queues</th>
                <th class="hide-narrow">Id</th>
                <th class="hide-narrow">Created</th>
                <th>Ends</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {list.map((t) => (
                <tr key={t.id}>
                  <td>
                    <Text v={t.name} max={60} />
                  </td>
                  <td>{t.role}</td>
                  <td class="hide-narrow">{t.queues?.length ? t.queues.map((q) => <span class="tag flat">{visible(q)}…</span>) : "all"}</td>
                  <td class="hide-narrow mono">{visible(t.id)}</td>
                  <td class="hide-narrow">
                    <Age at={t.created_at} />
                  </td>
                  <td>{t.revoked_at ? <span class="tag bad flat">revoked</span> : t.expires_at ? <span title={moment(t.expires_at)}><Age at={t.expires_at} /></span> : "never"}</td>
                  <td class="row-actions">
                    {!t.revoked_at && (
                      <Action need="admin" kind="small" onClick={() => revoke(t, loaded.reload)}>
                        Revoke
                      </Action>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  );
}

function revoke(t: Token, reload: () => unknown): void {
  ask({
    title: "Revoke a token",
    body: (
      <p>
        Whoever uses <Text v={t.name || t.id} max={60} /> is cut off at once. It cannot be undone.
      </p>
    ),
    button: "Revoke",
    danger: true,
    run: async () => {
      await del(`v1/tokens/${part(t.id)}`);
      await reload();
    },
    done: "Revoked",
  });
}

function TokenForm({ first, reload }: { first: boolean; reload: () => unknown }) {
  const [f, setF] = useState({ name: "", role: first ? "admin" : "viewer", queues: "", hours: "" });
  const [wrong, setWrong] = useState("");
  const set = (name: keyof typeof f) => (e: { currentTarget: { value: string } }) => setF({ ...f, [name]: e.currentTarget.value });
  const create = async (e: Event) => {
    e.preventDefault();
    try {
      const { token: secret } = await post<{ token: string }>("v1/tokens", {
        name: f.name,
        role: f.role,
        queues: f.queues.split(/[\s,]+/).filter(Boolean),
        ...(f.hours ? { expires_in_seconds: Number(f.hours) * 3600 } : {}),
      });
      show(
        "The token",
        <>
          <p>This is the only time that it is shown.</p>
          <pre tabIndex={0}>{secret}</pre>
          <div class="buttons">
            <button onClick={() => void copy(secret, "the token")}>Copy</button>
            <button class="primary" onClick={closeDialog}>
              Done
            </button>
          </div>
        </>,
      );
      await reload();
    } catch (err) {
      setWrong(saying(err));
    }
  };
  return (
    <form onSubmit={create}>
      {first && <p class="wrong">This is the first token. From then on every node wants one, so make it an admin's and keep it.</p>}
      <div class="fields">
        <label class="field">
          <span>Name</span>
          <input name="name" required value={f.name} onInput={set("name")} autofocus />
        </label>
        <label class="field">
          <span>Role</span>
          <select name="role" value={f.role} onChange={set("role")}>
            {["viewer", "worker", "operator", "admin"].map((r) => (
              <option key={r}>{r}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Only queues that begin with</span>
          <input name="queues" value={f.queues} onInput={set("queues")} placeholder="all queues" />
        </label>
        <label class="field">
          <span>Ends after hours</span>
          <input name="hours" type="number" min={1} value={f.hours} onInput={set("hours")} placeholder="never" />
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
        <button class="primary">Create</button>
      </div>
    </form>
  );
}
