import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { programPath } from "./programs.ts";

export const DESKTOP = { width: 1_280, height: 900 };
export const PHONE = { width: 375, height: 812 };

/** A page in a headless Chromium, and what was amiss in it. */
export interface OpenPage {
  readonly page: Page;
  /** Where it has sent requests. */
  readonly requested: readonly string[];
}

/**
 * Opens a page of a service in a browser that the test's end closes. Nothing may be said on its console, which has what the
 * page's policy refuses too, and no script may fail. Requests that the test itself makes fail are told there as well:
 * `expected` are the lines that may be.
 */
export async function openPage(
  url: string,
  options: BrowserContextOptions = {},
  expected: RegExp = /^$/,
): Promise<OpenPage> {
  const browser = await launch();
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const said: string[] = [];
  const requested: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(`${error}`));
  page.on("request", (request) => requested.push(request.url()));
  onTestFinished(async () => {
    await browser.close();
    expect(said.filter((line) => !expected.test(line))).toEqual([]);
  });
  await page.goto(url);
  return { page, requested };
}

async function launch(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  // Root has no sandbox, and a container little shared memory.
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"];
  return chromium.launch({ executablePath: programPath("chromium"), args });
}

export async function signIn(page: Page, secret: string): Promise<void> {
  await page.getByLabel("Secret of the service").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Where pictures of the page are wanted, for people to look at. */
const PICTURES = process.env["DASHBOARD_PICTURES"];

/** Takes one in the folder DASHBOARD_PICTURES, where that is set. */
export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** What axe finds, each with the elements that it is about. */
export async function accessibilityProblems(page: Page): Promise<readonly string[]> {
  const { default: axe } = await import("axe-core");
  await page.evaluate(axe.source);
  const found = await page.evaluate<readonly Violation[]>("axe.run().then(({ violations }) => violations)");
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`);
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}
