// Every page with data: it loads, it is live, it can be used by keyboard, it fits, and axe finds nothing serious.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster, until } from "./cluster.mjs";
import { seed } from "./seed.mjs";

let c, browser, page, ids;

before(async () => {
  c = await Cluster.start();
  ids = await seed(c);
  browser = await startBrowser();
  page = await openPage(browser.context, c.nodes[1].url); // of a follower or the leader: it must not matter
});

after(async () => {
  await browser?.close();
  await c?.stop();
});

// Each page: where it is, and what of the data has to stand on it.
const pages = () => [
  ["overview", "#/overview", ["Completed", "Dead", "media"]],
  ["queues", "#/queues", ["reports", "paused", "mail"]],
  ["queue", "#/queue/media", ["transcode", "50/1s", "send_email"]],
  ["tasks", "#/tasks", ["publish", "cancelled"]],
  ["tasks by filter", "#/tasks?filter=" + encodeURIComponent('type:bounce error:"mailbox"'), ["550 mailbox unavailable"]],
  ["task", `#/task/${ids.dead}`, ["bounce", "Attempt 1", "Dead letter", "retries exhausted"]],
  ["task that completed", `#/task/${ids.completed}`, ["customer-", "completed", "Result"]],
  ["task with a graph", `#/task/${ids.graph}`, ["render", "Depends on 2; 1 depends on it", "fetch", "publish"]],
  ["task with headers", `#/task/${ids.last}`, ["publish", "traceparent", "Depends on 1"]],
  ["dead letters", "#/dead", ["connection refused", "550 mailbox unavailable", "14 tasks in 3 groups"]],
  ["schedules", "#/schedules", ["nightly-report", "Europe/Berlin", "@every 1h"]],
  ["workers", "#/workers", ["transcode"]],
  ["operations", "#/operations", ["None runs"]],
  ["cluster", "#/cluster", ["n1", "n2", "n3", "leader", "3 of 3", "Column family", "Block cache", "Last snapshot", "none since it started", "flow"]],
  ["settings", "#/settings", ["Theme", "bounce", "720h"]],
];

test("each page loads with its data", async () => {
  for (const [name, hash, words] of pages()) {
    await page.visit(hash);
    for (const word of words) {
      await page.says(word).waitFor().catch((e) => assert.fail(`${name}: no "${word}": ${e.message}`));
    }
  }
  assert.deepEqual(page.faults, []);
});

test("axe finds nothing serious on any page, in light and dark", async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [name, hash, words] of pages()) {
      await page.visit(hash);
      await page.says(words[0]).waitFor();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter((v) => v.impact === "serious" || v.impact === "critical");
      assert.deepEqual(
        serious.map((v) => `${name}, ${scheme}: ${v.id}: ${v.nodes.map((n) => n.html + " " + n.failureSummary).slice(0, 3).join("\n")}`), [],
      );
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
});

test("no page is wider than 360 pixels", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const [name, hash, words] of pages()) {
    await page.visit(hash);
    await until(`${name} is loaded`, async () => (await page.locator("#main :is(table, .tile, .empty, .card)").count()) > 0);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `${name} is ${width} pixels wide`);
  }
  await page.visit("#/overview");
  await page.getByRole("button", { name: "Menu" }).click();
  await page.getByRole("navigation").getByText("Workers").click();
  await page.getByRole("heading", { name: "Workers" }).waitFor();
  await page.setViewportSize({ width: 1280, height: 860 });
});

test("live updates arrive, and stop while paused", async () => {
  await page.visit("#/overview");
  const live = page.getByRole("button", { name: /^Live/ });
  await live.waitFor();
  const ready = () => page.locator(".tile", { hasText: "Waiting" }).locator(".tile-value").textContent();
  const before = Number(await ready());
  const id = await c.submit({ task_type: "fresh" });
  await until("the new task counts", async () => Number(await ready()) === before + 1);
  await page.getByRole("link", { name: id.slice(-12) }).waitFor(); // among the changes
  await live.click();
  await page.getByRole("button", { name: "Paused" }).waitFor();
  await c.submit({ task_type: "fresh" });
  await page.waitForTimeout(2500); // longer than the stream needs to tell
  assert.equal(Number(await ready()), before + 1);
  await page.keyboard.press("p");
  await until("it goes on", async () => Number(await ready()) === before + 2);

  // A list and a task follow, too.
  await page.visit(`#/tasks?filter=type:fresh`);
  await page.getByRole("row").nth(2).waitFor();
  const third = await c.submit({ task_type: "fresh" });
  await page.getByRole("link", { name: third.slice(-12) }).waitFor();
  await page.visit(`#/task/${third}`);
  await c.call("POST", `/v1/tasks/${third}/cancel`);
  await page.locator(".timeline").getByText("Cancelled").waitFor();
});

test("a hidden tab closes its event stream, and a visible one opens it again", async () => {
  await page.visit("#/overview");
  const streams = { opened: 0, closed: 0 };
  const count = (what) => (r) => r.url().includes("/v1/events") && streams[what]++;
  const [opened, closed] = [count("opened"), count("closed")];
  page.on("request", opened).on("requestfailed", closed).on("requestfinished", closed);
  // A headless browser shows every tab: it is told as the browser would.
  const show = (visible) =>
    page.evaluate((v) => {
      Object.defineProperty(document, "hidden", { value: !v, configurable: true });
      Object.defineProperty(document, "visibilityState", { value: v ? "visible" : "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, visible);
  await page.getByRole("button", { name: /^Live/ }).waitFor();
  await show(false);
  await page.getByRole("button", { name: "Resting" }).waitFor();
  await until("the stream is closed", () => streams.closed === 1);
  await c.submit({ task_type: "unseen" });
  await page.waitForTimeout(2500); // longer than the page waits before it tries again
  assert.deepEqual(streams, { opened: 0, closed: 1 });
  await show(true);
  await page.getByRole("button", { name: /^Live/ }).waitFor();
  assert.deepEqual(streams, { opened: 1, closed: 1 });
  const id = await c.submit({ task_type: "seen" });
  await page.getByRole("link", { name: id.slice(-12) }).waitFor();
  page.off("request", opened).off("requestfailed", closed).off("requestfinished", closed);
});

test("the search finds what depends on a task", async () => {
  const { receipts } = await c.call("POST", "/v1/tasks", { tasks: [
    { name: "p", task_type: "above", delay_seconds: 3600 }, { task_type: "below", after: ["p"] }, { task_type: "beside", delay_seconds: 3600 },
  ] });
  await page.visit("#/tasks");
  await page.getByRole("searchbox", { name: "Filter" }).fill(`depends-on:${receipts[0].id}`);
  await page.keyboard.press("Enter");
  await until("only what depends on it is left", async () =>
    (await page.locator("tbody tr td:nth-child(2)").allTextContents()).join() === receipts[1].id.slice(-12));
  await page.getByRole("searchbox", { name: "Filter" }).fill("depends-on:nothing");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("nothing").waitFor();
});

test("lists begin with the newest task, or with the oldest", async () => {
  const many = [];
  for (let i = 0; i < 60; i++) many.push({ task_type: "aged", queue: "aged", delay_seconds: 3600 });
  const { receipts } = await c.call("POST", "/v1/tasks", { tasks: many });
  const shown = () => page.locator("tbody tr td:nth-child(2)").allTextContents();
  const named = (list) => list.map((r) => r.id.slice(-12));
  await page.visit("#/tasks?filter=queue:aged");
  await until("the newest come first", async () => (await shown()).join() === named(receipts.toReversed().slice(0, 50)).join());
  await page.getByRole("button", { name: "Next" }).click();
  await until("then the others", async () => (await shown()).join() === named(receipts.toReversed().slice(50)).join());
  await page.getByLabel("Order").selectOption("Oldest first");
  await until("the oldest come first", async () => (await shown()).join() === named(receipts.slice(0, 50)).join());
});

test("what depends on a task is drawn, and how much more there is", async () => {
  const tasks = [{ name: "parent", task_type: "parent", queue: "many" }];
  for (let i = 0; i < 20; i++) tasks.push({ task_type: "child", queue: "many", after: ["parent"] });
  const { receipts } = await c.call("POST", "/v1/tasks", { tasks });
  await page.visit(`#/task/${receipts[0].id}`);
  await page.says("20 depend on it").waitFor();
  await until("twelve are drawn", async () => (await page.locator(".graph svg a").count()) === 13);
  await page.says("And 8 more depend on it").waitFor();
  await page.getByRole("link", { name: "show all" }).click();
  await until("all are listed", async () => (await page.locator("tbody tr").count()) === 20);
  await page.goBack();
  await page.locator(".graph svg a", { hasText: "child" }).first().click();
  await page.getByRole("heading", { name: "child", level: 1 }).waitFor();
  await page.says("Depends on 1").waitFor();
});

test("the charts draw what the node keeps", async () => {
  await page.visit("#/overview");
  await until("charts are drawn", async () => (await page.locator(".chart canvas").count()) === 5);
  await until("the history reaches back", async () => page.evaluate(() => [...document.querySelectorAll(".chart [role=img]")].some((e) => /completed \d/.test(e.ariaLabel))));
  await page.getByRole("button", { name: "24 hours" }).click();
  await page.getByRole("button", { name: "24 hours", pressed: true }).waitFor();
});

test("a keyboard is enough", async () => {
  await page.visit("#/overview");
  for (const [keys, heading] of [["gq", "Queues"], ["gt", "Tasks"], ["gd", "Dead letters"], ["gs", "Schedules"], ["gw", "Workers"], ["gp", "Operations"], ["gc", "Cluster"], ["g,", "Settings"], ["go", "Overview"]]) {
    for (const key of keys) await page.keyboard.press(key);
    await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
  }
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Submit a task").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });

  await page.keyboard.press("/");
  await until("the filter has the focus", () => page.evaluate(() => document.activeElement?.type === "search"));
  await page.keyboard.type("type:bounce");
  await page.keyboard.press("Enter");
  await page.says("dead letter").waitFor();
  await page.keyboard.press("Escape"); // out of the field
  await page.keyboard.press("j");
  await page.keyboard.press("o");
  await page.getByRole("heading", { name: "bounce" }).waitFor();
});

test("a filter that is wrong is answered with what is allowed", async () => {
  await page.visit("#/tasks");
  await page.getByRole("searchbox").fill("nonsense");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText(/is not key:value; keys are queue:/).waitFor();
  await page.getByRole("searchbox").fill(ids.completed);
  await page.keyboard.press("Enter");
  await page.says(ids.completed).waitFor();
});

test("a theme stays, and the system's is followed", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  await page.visit("#/settings");
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await theme(), "dark");
  await page.getByRole("group", { name: "Theme" }).getByRole("button", { name: "Light" }).click();
  assert.equal(await theme(), "light");
  await page.reload();
  await page.getByRole("heading", { name: "Settings" }).waitFor();
  assert.equal(await theme(), "light");
  await page.getByRole("group", { name: "Theme" }).getByRole("button", { name: "System" }).click();
  assert.equal(await theme(), "dark");
  await page.emulateMedia({ colorScheme: "light" });
});

test("nothing ran, was refused or was asked of others", () => assert.deepEqual(page.faults, []));
