// What comes from outside may be anything. It is shown, harmlessly.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster } from "./cluster.mjs";

let c, browser, page;

before(async () => {
  c = await Cluster.start({ count: 1 });
  browser = await startBrowser();
  page = await openPage(browser.context, c.nodes[0].url);
});

after(async () => {
  await browser?.close();
  await c?.stop();
});

const script = `<img src=x onerror="alert(1)"><script>alert(2)</script>"'><svg onload=alert(3)>`;
const bidi = "invoice\u202Egpj.exe\u2066\u200B";

/** No element came out of a text, and nothing ran. */
async function harmless() {
  assert.equal(await page.locator("#main img, #main script, #main iframe").count(), 0);
  assert.deepEqual(page.faults, []);
}

test("script in type, queue, payload, header, unique key and error", async () => {
  const type = "<img src=x onerror=alert(5)><svg onload=alert(6)>"; // without quotes, for the flags of haiku worker
  const id = await c.submit({
    task_type: type, queue: `<b>${bidi}`, payload_text: script, max_retries: 0, unique_key: script,
    headers: [{ name: "<i>x", value: script }],
  });
  c.worker("<u>evil", ["--queue", `<b>${bidi}`, "--type", type], `printf '%s' '${script.replaceAll("'", "'\\''")}' >&2; exit 1`);
  await c.reaches(id, "dead_letter");
  for (const hash of ["#/overview", "#/queues", "#/tasks", "#/dead", "#/workers", `#/task/${id}`, `#/queue/${encodeURIComponent(`<b>${bidi}`)}`]) {
    await page.visit(hash);
    await page.says(hash.includes("worker") || hash.includes("task/") || hash.includes("tasks") || hash.includes("dead") ? "<img src=x" : "<b>invoice").waitFor();
    await harmless();
  }
  await page.visit(`#/task/${id}`);
  await page.locator("pre.error").getByText("<script>alert(2)</script>").waitFor();
  await page.getByRole("group", { name: "Form of the payload" }).waitFor();
  assert.ok((await page.locator("pre[aria-label='As text']").textContent()).includes("<svg onload=alert(3)>"));
  assert.ok((await page.title()).startsWith(id.slice(0, 8)));
  await page.getByRole("button", { name: "Copy as…" }).click();
  await page.getByRole("dialog").getByText("haiku task submit").first().waitFor();
  await harmless();
  await page.keyboard.press("Escape");
});

test("bidi and control characters are isolated and can be seen", async () => {
  const id = await c.submit({ task_type: bidi, payload_text: `a\u202Eb\u0000c\u001B[31md` });
  await page.visit(`#/task/${id}`);
  const heading = page.getByRole("heading", { level: 1 });
  await heading.waitFor();
  assert.equal(await heading.textContent(), "invoiceU+202Egpj.exeU+2066U+200B");
  assert.equal(await heading.locator("bdi").count(), 1);
  assert.equal(await heading.locator(".unseen").first().getAttribute("title"), "U+202E right-to-left override");
  assert.equal(await page.locator("pre[aria-label='As text']").textContent(), "aU+202EbU+0000cU+001B[31md");
  await page.visit("#/tasks");
  await page.locator("td .unseen").first().waitFor();
  await harmless();
});

test("10 MiB of JSON is cut, quickly, and can be downloaded", async () => {
  const item = '{"k":"0123456789abcdef","n":12345678901234567890,"list":[1,2,3]},';
  const payload = "[" + item.repeat(Math.floor((10 * 2 ** 20 - 10) / item.length)) + "0]";
  const id = await c.submit({ task_type: "huge", payload: Buffer.from(payload).toString("base64") });
  await page.visit(`#/task/${id}`);
  await page.getByTestId("cut").waitFor();
  assert.ok((await page.locator("pre[aria-label='As JSON']").textContent()).startsWith("[\n  {\n"));
  const size = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(size < 30_000, `${size} elements`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download all of it" }).click()]);
  const parts = [];
  for await (const part of await download.createReadStream()) parts.push(part);
  assert.equal(Buffer.concat(parts).toString(), payload);
  await harmless();
});

test("deeply nested JSON and a single line of a megabyte", async () => {
  const deep = await c.submit({ task_type: "deep", payload_text: "[".repeat(50_000) + "]".repeat(50_000) });
  await page.visit(`#/task/${deep}`);
  await page.locator("pre").first().waitFor();
  const long = await c.submit({ task_type: "long", payload_text: JSON.stringify("x".repeat(1_000_000)) });
  await page.visit(`#/task/${long}`);
  await page.getByTestId("cut").waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 1280, `${width} pixels wide`);
  await harmless();
});

test("bytes that are no UTF-8", async () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x41, 0x80, 0xc3, 0x28, 0x00, 0x42]);
  const id = await c.submit({ task_type: "binary", payload: bytes.toString("base64") });
  await page.visit(`#/task/${id}`);
  const hex = page.locator("pre.hex");
  await hex.waitFor();
  assert.ok((await hex.textContent()).startsWith("000000  ff fe 41 80 c3 28 00 42"));
  await page.getByRole("group", { name: "Form of the payload" }).getByRole("button", { name: "Text" }).click();
  await page.getByText("not valid UTF-8").first().waitFor();
  assert.ok((await page.locator("pre[aria-label='As text']").textContent()).includes("A"));
  await harmless();
});

test("integers beyond 2^53 are shown exactly", async () => {
  const id = await c.submit({ task_type: "numbers", payload_text: '{"big":9007199254740993,"max":18446744073709551615,"e":1e400,"neg":-9223372036854775808}' });
  await page.visit(`#/task/${id}`);
  const shown = page.locator("pre[aria-label='As JSON']");
  await shown.waitFor();
  const text = await shown.textContent();
  for (const exact of ["9007199254740993", "18446744073709551615", "1e400", "-9223372036854775808"]) assert.ok(text.includes(exact), exact);

  // In what the API itself sends, too.
  await page.route("**/v1/tasks/*", async (route) => {
    const response = await route.fetch();
    const body = (await response.text()).replace(/"max_retries":\d+/, '"max_retries":9007199254740993,"lease_id":18446744073709551615');
    await route.fulfill({ response, body });
  });
  await page.reload();
  await page.getByText("9,007,199,254,740,993").waitFor();
  await page.getByText("18,446,744,073,709,551,615").waitFor();
  await page.unroute("**/v1/tasks/*");
  await harmless();
});

test("an error of 64 KiB with hostile text", async () => {
  const id = await c.submit({ task_type: "loud", max_retries: 0 });
  c.worker("loud", ["--type", "loud"], `head -c 70000 /dev/zero | tr '\\0' 'E' >&2; printf '<script>alert(4)</script>\\342\\200\\256' >&2; exit 1`);
  await c.reaches(id, "dead_letter");
  for (const hash of ["#/dead", "#/tasks", `#/task/${id}`]) {
    await page.visit(hash);
    await page.says("EEEE").waitFor();
    await harmless();
  }
});

test("addresses of pages are hostile, too", async () => {
  for (const hash of ["#/task/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "#/queue/%E0%A4%A", "#/tasks?filter=%3Cscript%3Ealert(1)%3C%2Fscript%3E", "#/javascript:alert(1)", "#/__proto__/constructor"]) {
    await page.goto(`${c.nodes[0].url}/${hash}`);
    await page.says(/Not found|Could not load|not understood|no such page/).waitFor();
    await harmless();
  }
});
