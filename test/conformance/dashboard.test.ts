import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { accessibilityProblems, DESKTOP, openPage, PHONE, picture, signIn } from "./support/browser.ts";
import { DashboardScene, pastDrains, SECRET } from "./support/dashboard-scene.ts";
import { describeWith } from "./support/programs.ts";

/** What Chromium says of requests that the test makes fail. */
const FAILED_REQUESTS = /^Failed to load resource/;
const MANY = 200;

async function signedIn(scene: DashboardScene, options: BrowserContextOptions = {}, expected?: RegExp) {
  const opened = await openPage(scene.url, options, expected);
  await signIn(opened.page, SECRET);
  await opened.page.getByText("Live", { exact: false }).first().waitFor();
  return opened;
}

/** The row of a node that leaves. */
function rowOf(page: Page, name: string) {
  return page.locator(".drains:not(.past) > .drain").filter({ hasText: name });
}

/** The line of one pool in it. */
function poolOf(row: Locator, name: string) {
  return row.locator(".pool").filter({ hasText: name });
}

async function stateDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dashboard-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** How far the page can be scrolled sideways, in pixels. */
function sideways(page: Page): Promise<number> {
  return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

describeWith("chromium", "the dashboard in Chromium", () => {
  test("shows a node that leaves: each pool, why it waits, the deadline and what does not fit", async () => {
    const scene = await DashboardScene.open({ nodes: 3 });
    const { page, requested } = await signedIn(scene);
    await page.getByText("No node is leaving.").waitFor();
    const [calm, hurried] = scene.nodes;
    if (calm === undefined || hurried === undefined) throw new Error("no nodes");
    expect(await scene.drain([calm], { reason: "upgrade to 1.31" })).toEqual([202]);
    expect(await scene.drain([hurried], { deadline: 120 })).toEqual([202]);

    const row = rowOf(page, calm.name);
    await row.getByText("4 held, 0 of 4 targets released.").waitFor();
    await row.getByText("reason: upgrade to 1.31").waitFor();
    for (const pool of ["checkout-lb / checkout", "search-lb / search", "ingress-lb / ingress", "legacy"])
      await poolOf(row, pool).waitFor();
    await row.getByText("the NLB may still open connections").waitFor();
    await row.getByRole("img", { name: /^checkout-lb \/ checkout: holding, 4 min \d\d s left$/ }).waitFor();
    await row.getByText(/^timeout in 5 min \d\d s$/).waitFor();

    // Of 300 s of the ALB, less than two minutes are left before the machine goes.
    const other = rowOf(page, hurried.name);
    await other.getByText(/The last hold ends 3 min \d\d s too late: traffic may be lost\./).waitFor();
    await other.getByText(/^deadline in 1 min \d\d s$/).waitFor();
    await page.getByText("1 needs attention").waitFor();
    await page.getByText(/The index knows 3 target groups and 1 classic load balancer/).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "light");
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "dark");
    await page.setViewportSize(PHONE);
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(await sideways(page)).toBe(0);
    await picture(page, "phone");

    expect(requested.filter((url) => !url.startsWith(`${scene.url}/`))).toEqual([]);
    expect(requested.filter((url) => url.includes(SECRET))).toEqual([]);
    expect(page.url()).toBe(`${scene.url}/`);
    expect(await page.evaluate("JSON.stringify([{ ...localStorage }, document.cookie])")).toBe('[{},""]');
  });

  test("stays quick and clear with 200 nodes, and finds one of them", async () => {
    const scene = await DashboardScene.open({ nodes: MANY + 40, environment: { MAX_VOLUNTARY: "100%" } });
    const { page } = await signedIn(scene);
    const leaving = scene.nodes.slice(0, MANY);
    expect(new Set(await scene.drain(leaving))).toEqual(new Set([202]));
    await page.getByRole("link", { name: `${MANY} leaving` }).waitFor();
    await page.getByRole("button", { name: `Show 50 more of ${MANY}` }).waitFor();
    await page.getByText("4 held, 0 of 4 targets released.").first().waitFor();
    await picture(page, "many");
    expect(await accessibilityProblems(page)).toEqual([]);
    const one = leaving[123];
    await page.getByRole("searchbox", { name: "Node", exact: true }).fill(one?.id ?? "");
    await expect.poll(() => page.locator(".drains:not(.past) > .drain").count()).toBe(1);
    // By the keyboard alone.
    await page.locator(".drain summary").first().focus();
    await page.keyboard.press("Enter");
    await poolOf(rowOf(page, one?.name ?? ""), "checkout-lb / checkout").waitFor();
  });

  test("says what fails where every call to AWS does", async () => {
    const scene = await DashboardScene.open({ nodes: 2 });
    scene.simulator.faults.add({ effect: { type: "error", code: "AccessDenied", status: 403 } });
    await scene.kill();
    await scene.start();
    const { page } = await signedIn(scene);
    await page.getByRole("heading", { name: "Drains cannot work now" }).waitFor();
    await page.getByText("access-denied").first().waitFor();
    await page.getByText(/The last read failed at/).waitFor();
    scene.simulator.faults.clear();
    scene.simulator.faults.add({ effect: { type: "error", code: "ServiceUnavailable", status: 503 } });
    const [node] = scene.nodes;
    const asked = scene.drain(node === undefined ? [] : [node], { deadline: 100 });
    await page.getByRole("heading", { name: "Requests whose node could not be found yet" }).waitFor();
    await page.getByText(`id ${node?.id}`).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "broken");
    scene.simulator.faults.clear();
    expect(await asked).toEqual([202]);
    await rowOf(page, node?.name ?? "").waitFor();
  });

  test("says that a secret is wrong, and takes the right one after it", async () => {
    const scene = await DashboardScene.open({ nodes: 1 });
    const { page } = await openPage(scene.url, {}, FAILED_REQUESTS);
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "sign-in");
    await signIn(page, "wrong-ünicode-secret");
    await page.getByRole("alert").getByText("The secret is wrong.").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("Enter the secret or a token.").waitFor();
    await signIn(page, SECRET);
    await page.getByText("No node is leaving.").waitFor();
    await page.reload();
    await page.getByText("No node is leaving.").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Secret of the service").waitFor();
    expect(await page.evaluate("JSON.stringify({ ...sessionStorage })")).toBe("{}");
  });

  test("shows what is so now after the service was away", async () => {
    const scene = await DashboardScene.open({ nodes: 3, environment: { STATE_DIR: await stateDir() } });
    const { page } = await signedIn(scene, {}, FAILED_REQUESTS);
    const [first] = scene.nodes;
    if (first === undefined) throw new Error("no nodes");
    await scene.drain([first]);
    await rowOf(page, first.name).getByText("4 held").waitFor();
    const { port } = new URL(scene.url);
    await scene.kill();
    await page.getByText(/^No connection since/).waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "lost");
    await scene.start({ PORT: port });
    await page.getByText("No connection since").waitFor({ state: "detached" });
    await rowOf(page, first.name).getByText("4 held").waitFor();
  });

  test("is right at once after its machine has slept for an hour", async () => {
    const scene = await DashboardScene.open({ nodes: 2 });
    const { page, requested } = await openPage(scene.url);
    await page.clock.install();
    await page.reload();
    await signIn(page, SECRET);
    const [node] = scene.nodes;
    if (node === undefined) throw new Error("no node");
    await scene.drain([node]);
    await rowOf(page, node.name).getByText("4 held").waitFor();
    const streams = () => requested.filter((url) => url.endsWith("/overview/events")).length;
    const before = streams();
    await page.clock.fastForward("01:00:00");
    await expect.poll(streams).toBe(before + 1);
    // The browser's clock is an hour ahead now, and the time that is left is right all the same.
    await rowOf(page, node.name)
      .getByText(/^timeout in 5 min \d\d s$/)
      .waitFor();
    await page.getByText("No connection since").waitFor({ state: "detached" });
  });

  test("cancels a drain after a second word, and lists it with its result", async () => {
    const scene = await DashboardScene.open({ nodes: 2, environment: { UNDO: "true" } });
    const { page } = await signedIn(scene);
    const [node] = scene.nodes;
    if (node === undefined) throw new Error("no node");
    await scene.drain([node]);
    await rowOf(page, node.name).getByText("4 held").waitFor();
    const cancel = page.getByRole("button", { name: `Cancel the drain of ${node.name}` });
    await cancel.click();
    const dialog = page.getByRole("dialog");
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "cancel");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(scene.isOut(node)).toBe(true);
    await cancel.click();
    await dialog.getByRole("button", { name: "Cancel the drain" }).click();
    await dialog.getByText("Done: AWS shows all targets as registered.").waitFor();
    expect(scene.isOut(node)).toBe(false);
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByText("No node is leaving.").waitFor();
    const past = page.locator(".past > .drain").filter({ hasText: node.name });
    await past.getByText("cancelled").waitFor();
    await past.getByText("undone").waitFor();
    await past.locator("summary").first().click();
    await past.getByText("The drain was cancelled, and its targets were to be registered again.").waitFor();
    expect(await past.locator(".pool .name").allTextContents()).toContain("legacy");
    expect(await accessibilityProblems(page)).toEqual([]);
    await picture(page, "past");
  });

  test("offers no cancellation where UNDO is not set", async () => {
    const scene = await DashboardScene.open({ nodes: 2 });
    const { page } = await signedIn(scene);
    await scene.drain(scene.nodes.slice(0, 1));
    await page.getByText("Drains cannot be cancelled: UNDO is not set.").waitFor();
    expect(await page.getByRole("button", { name: /^Cancel the drain/ }).count()).toBe(0);
  });

  test("shows names of 255 characters and markup as text, without sideways scrolling", async () => {
    const name = `${"a-very-long-name-without-a-space".repeat(8)}`.slice(0, 240);
    const scene = await DashboardScene.open({ nodes: 2, name, environment: { MIN_HEALTHY: "2" } });
    const { page } = await signedIn(scene, { viewport: PHONE });
    const reason = `<img src=x onerror="document.title='taken over'">${"W".repeat(140)}`;
    expect(await scene.drain(scene.nodes.slice(0, 1), { reason })).toEqual([409]);
    expect(await scene.drain(scene.nodes.slice(0, 1), { reason, force: true })).toEqual([202]);
    await poolOf(rowOf(page, scene.nodes[0]?.name ?? ""), `${name}legacy`).waitFor();
    await page.getByText(reason).first().waitFor();
    await page
      .getByText(/too few healthy targets would remain/)
      .first()
      .waitFor();
    await page.locator(".past > .drain summary").first().click();
    await page.locator(".past .body .facts").waitFor();
    await picture(page, "long");
    expect(await sideways(page)).toBe(0);
    expect(await page.title()).toBe("hasta-la-vista");
    expect(await accessibilityProblems(page)).toEqual([]);
  });

  test("leafs through ten thousand past drains", async () => {
    const folder = await stateDir();
    await writeFile(join(folder, "drains.jsonl"), pastDrains(10_000, Date.now()), { mode: 0o600 });
    const scene = await DashboardScene.open({ nodes: 1, environment: { STATE_DIR: folder } });
    const { page } = await signedIn(scene, { viewport: DESKTOP });
    const rows = page.locator(".past > .drain");
    await expect.poll(() => rows.count()).toBe(25);
    const newest = await rows.first().innerText();
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText("Page 2").waitFor();
    await expect.poll(() => rows.first().innerText()).not.toBe(newest);
    await page.getByRole("button", { name: "Newer" }).click();
    await expect.poll(() => rows.first().innerText()).toBe(newest);
    await page.getByLabel("Result").selectOption("failed");
    await page.getByText("There are none.").waitFor();
  });
});
