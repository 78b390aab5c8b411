// npm run bench:dashboard: what the dashboard costs: bytes, time until it is there, CPU of the service for each open page.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Browser, chromium, type Page } from "playwright-core";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { Callers } from "../soak/callers.ts";
import { Fleet, REGION } from "../soak/fleet.ts";
import { ServiceProcess } from "../soak/service-process.ts";

const HELP = `npm run bench:dashboard -- [options]

  --nodes <n>        nodes that are drained at once, each in five pools (200)
  --pages <n,…>      open pages, a run of the same drains for each number (0,1,10)
  --seconds <n>      from the requests on, for which the CPU of the service counts (90)
  --loads <n>        how often the page is loaded for its times (5)
  --chromium <path>  the browser ($CONFORMANCE_VENV/bin/chromium, or /usr/bin/chromium)
`;
const SECRET = "of-the-bench";
/** In the end all are held: deregistration delay and draining timeout. */
const DELAY_SECONDS = 300;
const never = newAbort().signal;
const clock = new SystemClock();

interface Options {
  readonly nodes: number;
  readonly seconds: number;
  readonly loads: number;
}

/** The built service before a region, about to drain. */
class Scene {
  readonly service: ServiceProcess;
  readonly #fleet: Fleet;
  readonly #simulator: Simulator;
  readonly #callers: Callers;
  readonly #leaving: number;

  private constructor(fleet: Fleet, simulator: Simulator, service: ServiceProcess, leaving: number) {
    this.service = service;
    this.#fleet = fleet;
    this.#simulator = simulator;
    this.#callers = new Callers({ url: service.url, secret: SECRET });
    this.#leaving = leaving;
  }

  static async open(nodes: number): Promise<Scene> {
    const fleet = new Fleet({ clock: new ScaledClock(1), nodes: nodes + 10, delaySeconds: DELAY_SECONDS });
    const simulator = new Simulator(fleet.world);
    const service = await ServiceProcess.start({
      ...{ SECRET, CLOUDPROVIDER: "aws", AWS_REGION: REGION, HOST: "127.0.0.1", PORT: "0", MAX_VOLUNTARY: "100%" },
      ...{ AWS_ENDPOINT_URL: await simulator.listen(), AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
    });
    return new Scene(fleet, simulator, service, nodes);
  }

  /** Resolves when all drains have begun. */
  async drain(): Promise<void> {
    const leaving = this.#fleet.members.slice(0, this.#leaving);
    await Promise.all(leaving.map(({ id }) => this.#callers.ask("POST", `/drain?id=${id}&wait=0`)));
  }

  /** Seconds since the start of the service, as it tells Prometheus. */
  async cpuSeconds(): Promise<number> {
    const { body } = await this.#callers.ask("GET", "/metrics");
    return Number(/^process_cpu_seconds_total (\S+)/m.exec(body)?.[1] ?? Number.NaN);
  }

  async close(): Promise<void> {
    this.#callers.hangUp();
    this.service.kill();
    await this.#simulator.close();
  }
}

/** Signed in, as after a reload. */
async function newPage(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1_280, height: 900 } });
  await context.addInitScript(`sessionStorage.setItem("hasta-la-vista-credential", "${SECRET}")`);
  return context.newPage();
}

async function cpuWith(pages: number, browser: Browser, { nodes, seconds }: Options): Promise<number> {
  const scene = await Scene.open(nodes);
  try {
    const opened = await Promise.all(Array.from({ length: pages }, () => newPage(browser)));
    await Promise.all(opened.map((page) => page.goto(scene.service.url)));
    await clock.sleep(5_000, never);
    const before = await scene.cpuSeconds();
    await scene.drain();
    await clock.sleep(seconds * 1_000, never);
    const used = (await scene.cpuSeconds()) - before;
    for (const page of opened) await page.context().close();
    return used;
  } finally {
    await scene.close();
  }
}

/** Milliseconds until all nodes are counted, medians of several loads, and the bytes of what is sent. */
async function load(browser: Browser, { nodes, loads }: Options) {
  const scene = await Scene.open(nodes);
  try {
    await scene.drain();
    await clock.sleep(10_000, never);
    const times: number[] = [];
    let sent: readonly string[] = [];
    for (let number = 0; number < loads; number++) {
      const page = await newPage(browser);
      const sizes: Promise<string>[] = [];
      page.on("requestfinished", (request) => {
        const name = new URL(request.url()).pathname;
        sizes.push(request.sizes().then(({ responseBodySize }) => `${name} ${responseBodySize}`));
      });
      const began = clock.now();
      await page.goto(scene.service.url);
      await page.getByRole("link", { name: `${nodes} leaving` }).waitFor();
      // It is interactive: what one types has its effect.
      await page.getByRole("searchbox", { name: "Node", exact: true }).fill("nothing");
      await page.locator(".drains:not(.past) > .drain").first().waitFor({ state: "detached" });
      times.push(clock.now() - began);
      sent = (await Promise.all(sizes)).filter((line) => !line.startsWith("/drains"));
      await page.context().close();
    }
    return { ms: times.sort((one, other) => one - other)[Math.floor(times.length / 2)], sent };
  } finally {
    await scene.close();
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      nodes: { type: "string", default: "200" },
      pages: { type: "string", default: "0,1,10" },
      seconds: { type: "string", default: "90" },
      loads: { type: "string", default: "5" },
      chromium: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const options = { nodes: Number(values.nodes), seconds: Number(values.seconds), loads: Number(values.loads) };
  const pages = values.pages.split(",").map(Number);
  if (values.help || [...Object.values(options), ...pages].some((value) => !(value >= 0))) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const own = `${process.env["CONFORMANCE_VENV"]}/bin/chromium`;
  const executablePath = values.chromium ?? (existsSync(own) ? own : "/usr/bin/chromium");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    const { ms, sent } = await load(browser, options);
    print(
      `${options.nodes} nodes leaving: interactive after ${Math.round(ms ?? 0)} ms (median of ${options.loads} loads)`,
    );
    for (const line of sent) print(`  ${line} bytes`);
    for (const open of pages) {
      const used = await cpuWith(open, browser, options);
      print(`${open} pages open: ${used.toFixed(2)} s of CPU in ${options.seconds} s from the requests on`);
    }
    return 0;
  } finally {
    await browser.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
