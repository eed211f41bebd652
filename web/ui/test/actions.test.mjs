// What changes something: by click, and by keyboard alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster, until } from "./cluster.mjs";

let c, browser, page;

before(async () => {
  c = await Cluster.start();
  browser = await startBrowser();
  page = await openPage(browser.context, c.nodes[2].url);
});

after(async () => {
  await browser?.close();
  await c?.stop();
});

const dialog = () => page.getByRole("dialog");
const status = async (id) => (await c.call("GET", `/v1/tasks/${id}`)).status;

/** Moves the focus with Tab until it is on what has a name. */
async function tabTo(name) {
  await until(`the focus is on ${name}`, async () => {
    await page.keyboard.press("Tab");
    return page.evaluate((wanted) => {
      const e = document.activeElement;
      return (e?.getAttribute("aria-label") ?? e?.textContent ?? "").trim() === wanted;
    }, name);
  });
}

test("submit by click", async () => {
  await page.visit("#/overview");
  await page.getByRole("button", { name: "Submit a task" }).click();
  await dialog().getByLabel("Type").fill("clicked");
  await dialog().getByLabel("Queue").fill("by-hand");
  await dialog().getByLabel("Payload").fill('{"n": 1}');
  await dialog().getByLabel("Priority").fill("222");
  await dialog().getByLabel("Not before").fill("1h30m");
  await dialog().getByRole("button", { name: "Submit" }).click();
  await page.getByRole("link", { name: "Show it" }).click();
  await page.getByRole("heading", { name: "clicked" }).waitFor();
  const { tasks } = await c.call("GET", "/v1/tasks?queue=by-hand");
  assert.equal(tasks.length, 1);
  assert.equal(tasks[0].priority, 222);
  assert.equal(tasks[0].phase, "scheduled");
});

test("submit by keyboard, after a mistake", async () => {
  await page.visit("#/tasks");
  await page.keyboard.press("n");
  await dialog().waitFor();
  await page.keyboard.type("typed");
  await tabTo(""); // queue
  await page.keyboard.type("keys");
  await dialog().getByLabel("Not before").fill("soon");
  await page.keyboard.press("Enter");
  await dialog().getByRole("alert").getByText("no duration").waitFor();
  await dialog().getByLabel("Not before").fill("");
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  await until("it is there", async () => (await c.call("GET", "/v1/tasks?queue=keys")).tasks.length === 1);
});

test("cancel by click, with a preview", async () => {
  const id = await c.submit({ task_type: "cancel-me" });
  await page.visit(`#/task/${id}`);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await dialog().getByText("1 task of 1 would be changed.").waitFor();
  assert.equal(await status(id), "pending");
  await dialog().getByRole("button", { name: "Cancel", exact: true }).click();
  await page.says("Cancelled").waitFor();
  assert.equal(await status(id), "cancelled");
});

test("cancel and run again by keyboard, several at once", async () => {
  const ids = [await c.submit({ task_type: "several" }), await c.submit({ task_type: "several" })];
  await page.visit("#/tasks?filter=type:several");
  await page.getByRole("row").nth(2).waitFor();
  for (const key of ["j", "x", "j", "x", "c"]) await page.keyboard.press(key);
  await dialog().getByText("2 tasks of 2 would be changed.").waitFor();
  await page.keyboard.press("Enter");
  await until("both are cancelled", async () => (await Promise.all(ids.map(status))).every((s) => s === "cancelled"));
  await dialog().waitFor({ state: "detached" });
  await page.locator(".badge", { hasText: "cancelled" }).nth(1).waitFor();
  for (const key of ["x", "y"]) await page.keyboard.press(key); // the list let go of what was chosen
  await dialog().getByText("1 task of 1 would be changed.").waitFor();
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
  assert.deepEqual(await Promise.all(ids.map(status)), ["cancelled", "cancelled"]);
});

async function deadLetters(type, count) {
  const w = c.worker(`w-${type}`, ["--type", type], "echo broken pipe >&2; exit 1");
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await c.submit({ task_type: type, max_retries: 0 }));
  for (const id of ids) await c.reaches(id, "dead_letter");
  await c.endWorker(w);
  return ids;
}

test("redrive by click and by keyboard, purge, with counts before", async () => {
  const first = await deadLetters("redrive-me", 3);
  await page.visit("#/dead");
  const row = page.getByRole("row", { name: /redrive-me/ });
  await row.getByRole("button", { name: "Redrive" }).click();
  await dialog().getByText("3 tasks would be changed.").waitFor();
  assert.equal(await status(first[0]), "dead_letter");
  await dialog().getByRole("button", { name: "Redrive" }).click();
  for (const id of first) await c.reaches(id, "pending");
  await page.visit("#/operations");
  await page.getByRole("row", { name: /type:redrive-me/ }).getByText("done").waitFor();

  const second = await deadLetters("redrive-keys", 2);
  await page.visit("#/dead");
  await page.getByRole("row", { name: /redrive-keys/ }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("y");
  await dialog().getByText("2 tasks would be changed.").waitFor();
  await page.keyboard.press("Enter");
  for (const id of second) await c.reaches(id, "pending");
  await dialog().waitFor({ state: "detached" });

  const third = await deadLetters("purge-me", 2);
  await page.visit("#/dead");
  await page.getByRole("row", { name: /purge-me/ }).getByRole("button", { name: "Purge" }).click();
  await dialog().getByText("2 tasks would be changed.").waitFor();
  await dialog().getByRole("button", { name: "Purge" }).click();
  await until("they are gone", async () => (await c.call("GET", `/v1/tasks?type=purge-me`)).tasks.length === 0);
  assert.ok(third);
});

test("change all that a filter selects", async () => {
  for (let i = 0; i < 3; i++) await c.submit({ task_type: "bulk", queue: "bulk" });
  await page.visit(`#/tasks?filter=${encodeURIComponent("queue:bulk")}`);
  await page.getByRole("button", { name: "Change all that match…" }).click();
  await dialog().getByLabel("Cancel").check();
  await dialog().getByRole("button", { name: "Go on" }).click();
  await dialog().getByText("3 tasks would be changed.").waitFor();
  await dialog().getByRole("button", { name: "Cancel", exact: true }).click();
  await until("all are cancelled", async () => (await c.call("GET", "/v1/tasks?queue=bulk")).tasks.every((t) => t.status === "cancelled"));
});

test("an operation with a rate, which has to be a number", async () => {
  for (let i = 0; i < 3; i++) await c.submit({ task_type: "slowly", queue: "slowly" });
  await page.visit(`#/tasks?filter=${encodeURIComponent("queue:slowly")}`);
  await page.getByRole("button", { name: "Change all that match…" }).click();
  await dialog().getByLabel("Cancel").check();
  await dialog().getByRole("button", { name: "Go on" }).click();
  await dialog().getByText("3 tasks would be changed.").waitFor();
  const rate = dialog().getByLabel("At most so many a second");
  for (const wrong of ["fast", "0", "1.5", "9999999"]) {
    await rate.fill(wrong);
    await dialog().getByRole("button", { name: "Cancel", exact: true }).click();
    await dialog().getByRole("alert").getByText("a whole number from 1 to 1,048,576").waitFor();
  }
  await rate.fill("7");
  await page.keyboard.press("Enter");
  await until("it has begun", async () => (await c.call("GET", "/v1/operations")).operations.some((o) => o.selection.queue === "slowly" && o.rate === 7));
  await page.getByRole("link", { name: "Show it" }).click();
  await page.getByRole("row", { name: /queue:slowly/ }).getByText("7/s").waitFor();
  await until("all are cancelled", async () => (await c.call("GET", "/v1/tasks?queue=slowly")).tasks.every((t) => t.status === "cancelled"));
});

const queue = async (name) => c.call("GET", `/v1/queues/${name}`);

test("pause with a reason and resume, by click and by keyboard", async () => {
  await c.submit({ task_type: "t", queue: "pausing" });
  await page.visit("#/queue/pausing");
  await page.getByRole("button", { name: "Pause" }).first().click();
  await dialog().getByLabel("Reason").fill("the mail server is down");
  await dialog().getByRole("button", { name: "Pause" }).click();
  await page.says("the mail server is down").waitFor();
  assert.equal((await queue("pausing")).paused, true);
  assert.equal((await queue("pausing")).reason, "the mail server is down");
  await dialog().waitFor({ state: "detached" });

  await page.keyboard.press("s");
  await dialog().getByText("get tasks of queue").waitFor();
  await page.keyboard.press("Enter");
  await until("it is resumed", async () => !(await queue("pausing")).paused);
  await dialog().waitFor({ state: "detached" });

  // A type of it, from its row.
  await page.getByRole("row", { name: /^t / }).getByRole("button", { name: "Pause" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await until("the type is paused", async () => (await queue("pausing")).types[0].paused);
});

test("limits of a queue are set, and not over those of someone else", async () => {
  await c.submit({ task_type: "t", queue: "limited" });
  await page.visit("#/queue/limited");
  await page.getByRole("button", { name: "Limits and settings" }).click();
  await dialog().getByLabel("Tasks that run at once").fill("7");
  await dialog().getByLabel("Rate").fill("20/1s");
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.says("20/1s").waitFor();
  assert.equal((await queue("limited")).concurrency, 7);

  await page.getByRole("button", { name: "Limits and settings" }).click();
  await c.haiku("queue", "limit", "limited", "--concurrency", "9");
  await dialog().getByLabel("Tasks that run at once").fill("8");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByRole("alert").waitFor();
  assert.equal((await queue("limited")).concurrency, 9);
  await page.keyboard.press("Escape");
});

test("schedules are added, triggered, paused and deleted", async () => {
  await page.visit("#/schedules");
  await page.getByRole("button", { name: "Add a schedule" }).click();
  await dialog().getByLabel("Name").fill("hourly");
  await dialog().getByLabel("Cron expression").fill("7 * * * *");
  await dialog().getByLabel("Type of its task").fill("tick");
  await dialog().getByLabel("Payload").fill("tock");
  await dialog().getByRole("button", { name: "Add" }).click();
  const row = page.getByRole("row", { name: /hourly/ });
  await row.waitFor();
  await row.getByRole("button", { name: "Coming" }).click();
  await dialog().getByText(/:07:00/).nth(9).waitFor();
  await page.keyboard.press("Escape");
  await row.getByRole("button", { name: "Trigger" }).click();
  await dialog().getByRole("button", { name: "Trigger" }).click();
  await until("its task is there", async () => (await c.call("GET", "/v1/tasks?type=tick")).tasks.length === 1);
  await row.getByRole("button", { name: "Pause" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await row.getByText("paused").first().waitFor();
  await row.getByRole("button", { name: "Resume" }).click();
  await row.getByRole("button", { name: "Pause" }).waitFor();
  await row.getByRole("button", { name: "Delete" }).click();
  await dialog().getByRole("button", { name: "Delete" }).click();
  await page.getByText("No schedules").waitFor();
});

test("a worker is drained", async () => {
  c.worker("drained", ["--type", "drain-me"], "sleep 1");
  await page.visit("#/workers");
  const row = page.getByRole("row", { name: /drain-me/ });
  await row.getByRole("button", { name: "Drain" }).click();
  await dialog().getByRole("button", { name: "Drain" }).click();
  await until("it has ended", async () => !JSON.stringify(await c.call("GET", "/v1/workers")).includes("drain-me"));
});

test("leadership is transferred by click and by keyboard", async () => {
  await page.visit("#/cluster");
  const leader = await c.leader();
  const other = c.nodes[(leader + 1) % 3].name;
  await page.getByRole("row", { name: new RegExp(`^${other}`) }).getByRole("button", { name: "Make leader" }).click();
  await dialog().getByRole("button", { name: "Make leader" }).click();
  await page.locator(".tile", { hasText: "Leader" }).getByText(other).waitFor();
  await dialog().waitFor({ state: "detached" });
  await until("all agree", async () => c.nodes[await c.leader()].name === other);

  const third = c.nodes[(leader + 2) % 3].name;
  await until("the row can be used", () => page.getByRole("row", { name: new RegExp(`^${third}`) }).getByRole("button", { name: "Make leader" }).isEnabled());
  await page.getByRole("row", { name: new RegExp(`^${third}`) }).getByRole("button", { name: "Make leader" }).focus();
  await page.keyboard.press("Enter");
  await dialog().waitFor();
  await page.keyboard.press("Enter");
  await until("all agree again", async () => c.nodes[await c.leader()].name === third);
  await page.getByRole("region", { name: "Changes of leader" }).getByText(other).first().waitFor(); // among the changes of leader
});

test("handing out is paused and gone on with", async () => {
  await page.visit("#/cluster");
  await page.getByRole("button", { name: "Pause handing out" }).click();
  await dialog().getByRole("button", { name: "Pause" }).click();
  await page.getByText("Handing out tasks is paused").waitFor();
  await page.getByRole("button", { name: "Hand out tasks again" }).click();
  await dialog().getByRole("button", { name: "Hand out again" }).click();
  await page.getByText("Handing out tasks is paused").waitFor({ state: "detached" });
});

test("retention is set", async () => {
  await page.visit("#/settings");
  await page.getByRole("button", { name: "Set for a type" }).click();
  await dialog().getByLabel("Type").fill("short");
  await dialog().getByLabel("Completed").fill("36h");
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.getByRole("row", { name: /short/ }).getByText("36h").waitFor();
});

test("an id is copied without the clipboard API, too", async () => {
  const id = await c.submit({ task_type: "copied" });
  await page.visit(`#/task/${id}`);
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await page.evaluate(() => document.addEventListener("copy", () => (window.copied = document.getSelection().toString() || document.activeElement.value)));
  await page.keyboard.press("i");
  await page.getByText("Copied: the id").waitFor();
  assert.equal(await page.evaluate(() => window.copied), id);
});

test("a node is removed after a check of the quorum", async () => {
  const leader = await c.leader();
  const gone = [0, 1].find((i) => i !== leader) ?? 0;
  await page.visit("#/cluster");
  await page.getByRole("row", { name: new RegExp(`^${c.nodes[gone].name}`) }).getByRole("button", { name: "Remove" }).click();
  await dialog().getByText("2 voters would be left, 2 of them can be reached, 2 are needed.").waitFor();
  await dialog().getByRole("button", { name: "Remove" }).click();
  await until("it is gone", async () => (await c.cluster(leader)).nodes.length === 2);
  await page.getByText("2 of 2").waitFor();
});

test("nothing ran, was refused or was asked of others", () => assert.deepEqual(page.faults, []));
