// Tokens: the login page, what each role may touch, and a base path. The roles are the node's: the page only greys out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster, until } from "./cluster.mjs";

const base = "/tools/haiku";
let c, browser, page, admin, viewer;

before(async () => {
  c = await Cluster.start({ base });
  browser = await startBrowser();
  page = await openPage(browser.context, c.nodes[1].url);
});

after(async () => {
  await browser?.close();
  await c?.stop();
});

test("below a base path all of it works", async () => {
  await c.submit({ task_type: "based" });
  await page.goto(c.nodes[1].url); // without the slash at the end
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.equal(new URL(page.url()).pathname, base + "/");
  await page.getByRole("button", { name: /^Live/ }).waitFor();
  await page.getByRole("navigation").getByText("Tasks").click();
  await page.says("based").waitFor();
  assert.deepEqual(page.faults, []);
});

test("the first token is made on the page, and closes the cluster", async () => {
  await page.visit("#/settings");
  await page.getByRole("button", { name: "Create a token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("This is the first token").waitFor();
  await dialog.getByLabel("Name").fill("me");
  await dialog.getByRole("button", { name: "Create" }).click();
  admin = await dialog.locator("pre").textContent();
  assert.match(admin, /^haiku_/);
  await until("the page wants a token", async () => {
    const response = await fetch(`${c.nodes[1].url}/v1/overview`);
    return response.status === 401;
  });
  c.token = admin;
});

test("login with a wrong token and a right one; the cookie is out of the reach of scripts", async () => {
  await page.goto("about:blank");
  await page.goto(`${c.nodes[1].url}/#/queues`);
  await page.getByLabel("Token").fill("haiku_wrong_token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Token").fill(admin);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Queues" }).waitFor();
  await page.getByText("Signed in as admin").waitFor();
  await page.getByRole("button", { name: /^Live/ }).waitFor();
  const [cookie] = await browser.context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Strict", base + "/"]);
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("a viewer sees everything and can touch nothing, on the page and behind it", async () => {
  const made = await c.call("POST", "/v1/tokens", { name: "watcher", role: "viewer" }, 1);
  viewer = made;
  const id = await c.submit({ task_type: "watched" }, 1);
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await page.getByLabel("Token").fill(made.token);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in as viewer").waitFor();
  for (const [hash, button, role] of [
    ["#/overview", "Submit a task", "worker"], [`#/task/${id}`, "Delete", "operator"], [`#/task/${id}`, "Cancel", "worker"],
    ["#/queue/default", "Limits and settings", "operator"], ["#/dead", "Purge all", "operator"], ["#/schedules", "Add a schedule", "operator"],
    ["#/cluster", "Remove", "admin"],
  ]) {
    await page.visit(hash);
    const found = page.locator("#main").getByRole("button", { name: button, exact: true }).first();
    await found.waitFor();
    assert.equal(await found.isDisabled(), true, `${button} on ${hash}`);
    assert.equal(await found.getAttribute("title"), `This needs the role ${role}`);
  }
  await page.visit("#/settings");
  await page.says("How long ended tasks are kept").waitFor();
  assert.equal(await page.getByRole("heading", { name: "Tokens" }).count(), 0);
  const refused = await page.evaluate(async (path) => (await fetch(path, { method: "DELETE" })).status, `${base}/v1/tasks/${id}`);
  assert.equal(refused, 403);
});

test("a token of some queues sees no number of all queues, and is told why", async () => {
  const made = await c.call("POST", "/v1/tokens", { name: "mailer", role: "operator", queues: ["mail"] }, 1);
  await c.call("POST", "/v1/tasks", { task_type: "theirs", queue: "secret" }, 1);
  const asked = [];
  const note = (r) => r.url().includes("/v1/history") && asked.push(r.url());
  await page.getByRole("button", { name: "Sign out" }).first().click();
  page.on("request", note);
  await page.getByLabel("Token").fill(made.token);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in as operator").waitFor();
  await page.visit("#/overview");
  await page.says("those that begin with mail").waitFor();
  await page.locator(".tile", { hasText: "Dead letters" }).waitFor();
  assert.deepEqual(await page.locator(".tile-name").allTextContents(), ["Dead letters", "Waiting", "Running", "Oldest ready"]);
  assert.equal(await page.getByRole("region", { name: "Charts" }).count(), 0);
  assert.equal(await page.locator(".tile", { hasText: "Waiting" }).locator(".tile-value").textContent(), "0");
  page.off("request", note);
  assert.deepEqual(asked, []);
  for (const [hash, button] of [["#/settings", "Set for a type"], ["#/cluster", "Pause handing out"], ["#/dead", "Purge all"]]) {
    await page.visit(hash);
    const found = page.locator("#main").getByRole("button", { name: button, exact: true });
    await found.waitFor();
    assert.equal(await found.isDisabled(), true, button);
    assert.equal(await found.getAttribute("title"), "This concerns all queues, your token is for some");
  }
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await page.getByLabel("Token").fill(viewer.token);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in as viewer").waitFor();
});

test("a token that is revoked ends the session", async () => {
  await page.visit("#/overview");
  await page.getByRole("button", { name: /^Live/ }).waitFor();
  await c.call("DELETE", `/v1/tokens/${viewer.id}`, undefined, 1);
  await page.getByLabel("Token").waitFor();
  await page.getByLabel("Token").fill(admin);
  await page.keyboard.press("Enter");
  await page.getByText("Signed in as admin").waitFor();
  await page.visit("#/settings");
  await page.getByRole("row", { name: /watcher/ }).getByText("revoked").waitFor();
  assert.deepEqual(page.faults, []);
});
