// The page goes on when nodes die, and says what it knows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster, until } from "./cluster.mjs";

let c, browser;

before(async () => {
  c = await Cluster.start();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await c?.stop();
});

test("the page survives the kill of the leader, and of two nodes", async () => {
  const leader = await c.leader();
  const [own, other] = [0, 1, 2].filter((i) => i !== leader);
  const page = await openPage(browser.context, c.nodes[own].url);
  const id = await c.submit({ task_type: "kept", queue: "kept" });
  await page.visit("#/overview");
  await page.getByText("kept").first().waitFor();

  const doctor = page.getByRole("region", { name: "What the doctor found" });
  const examine = async () => {
    await page.visit("#/cluster");
    await page.getByRole("button", { name: "Examine all nodes" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Examine" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
  };
  await examine();
  await page.getByText("All 3 nodes are well at index").waitFor();
  await doctor.getByText("well").nth(2).waitFor();
  await page.visit("#/overview");

  const long = await c.submit({ task_type: "long" });
  const busy = c.worker("busy", ["--type", "long", "--concurrency", "1"], "sleep 3600");
  await c.reaches(long, "in_progress");
  await page.visit("#/workers");
  await page.getByRole("cell", { name: "long", exact: true }).waitFor();
  await page.visit("#/overview");

  await c.kill(leader);
  await page.getByTestId("missing").getByText(c.nodes[leader].name).waitFor();
  await until("another leads", async () => (await c.leader()) !== leader);
  await page.getByText(/leader/).first().waitFor();
  await page.getByRole("button", { name: "Submit a task" }).click();
  await page.getByRole("dialog").getByLabel("Type").fill("after");
  await page.getByRole("dialog").getByRole("button", { name: "Submit" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await until("it counts", async () => (await c.call("GET", "/v1/tasks?type=after", undefined, own)).tasks.length === 1);

  // The worker has all it can run, so the new leader has heard no claim of it.
  await page.visit("#/workers");
  await page.getByRole("cell", { name: "not known yet" }).last().waitFor();
  assert.equal(await page.getByRole("cell", { name: "all", exact: true }).count(), 0);
  await c.endWorker(busy);

  await until("the doctor can be asked", async () => (await c.leader()) !== leader);
  await examine();
  await page.getByText("Something is wrong at index").waitFor();
  await doctor.getByText(/^no result: /).waitFor();
  await doctor.getByText("look at the node, and ask again").waitFor();
  await doctor.getByText("well").nth(1).waitFor();

  await c.kill(other);
  const stale = page.getByTestId("stale");
  await stale.getByText(/Stale, as of applied index [\d,]+/).waitFor();
  await stale.getByText(c.nodes[leader].name).waitFor();
  await stale.getByText(c.nodes[other].name).waitFor();
  for (const [hash, word] of [["#/queues", "kept"], ["#/tasks", "kept"], [`#/task/${id}`, "kept"], ["#/cluster", "1 of 3"]]) {
    await page.visit(hash);
    await page.says(word).waitFor();
    await stale.waitFor();
  }
  await page.visit(`#/task/${id}`);
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor(); // nothing can be changed, and it says so
  await page.keyboard.press("Escape");

  c.restart(leader);
  c.restart(other);
  await stale.waitFor({ state: "detached" });
  await page.getByTestId("missing").waitFor({ state: "detached" });
  await until("the cluster works", () => c.submit({ task_type: "again" }, own));
  await page.visit("#/tasks");
  await page.getByText("again").first().waitFor();
  assert.deepEqual(page.faults, []);
});

test("the page survives the death of its own node", async () => {
  const page = await openPage(browser.context, c.nodes[0].url);
  await page.visit("#/queues");
  await page.getByText("kept").first().waitFor();
  await c.kill(0);
  await page.getByText("The node that served this page cannot be reached.").waitFor();
  await page.says("kept").waitFor();
  c.restart(0);
  await page.getByText("The node that served this page cannot be reached.").waitFor({ state: "detached" });
  await page.getByRole("button", { name: /^Live/ }).waitFor();
});
