import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import type { DrainPlan } from "../../src/drain/plan.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { timesAsFast } from "../support/fast-clock.ts";
import { EntriesOf, registered } from "../support/ledger-entries.ts";
import { proxyOf, service } from "../support/remote-scene.ts";
import { startHere } from "../support/run-here.ts";
import { historyOf, ID, NODE, SECRET, type WebAppOptions } from "../support/web-app.ts";

/** A service that knows a drain that has ended, and one of another node that runs. */
async function scene(options: WebAppOptions = {}) {
  const ledger = new MemoryLedger();
  const now = new VirtualClock().now();
  const ended = new EntriesOf("d-1", now - 600_000);
  for (const entry of [ended.accepted("kernel update"), ended.found(`${ID}:80`), ended.deregistered(0), ended.ended()])
    ledger.note(entry);
  const running = new EntriesOf("d-2", now - 60_000, "i-0123456789abcdef1");
  ledger.note(running.accepted());
  const web = await service({ history: { ...historyOf(ledger), running: () => undefined }, ...options });
  return { ...web, ledger, running };
}

describe("drains --server", () => {
  test("lists the newest first: how each stands, and why", async () => {
    const { run } = await scene();
    const { code, stdout, stderr } = await run(["drains"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n").map((line) => line.replace(/\d+d/g, "_d"))).toEqual([
      expect.stringMatching(/^DRAIN +NODE +STATUS +AGE +TOOK +REASON$/),
      expect.stringMatching(/^d-2 +i-0123456789abcdef1 +running +_d$/),
      expect.stringMatching(/^d-1 +i-0123456789abcdef0 +drained +_d +0s +kernel update$/),
      "",
    ]);
  });

  test("hands the filters on, and prints the drains in each form", async () => {
    const { run } = await scene();
    expect((await run(["drains", ID, "-o", "name"])).stdout).toBe("d-1\n");
    expect((await run(["drains", "--status", "running", "-o", "name"])).stdout).toBe("d-2\n");
    expect((await run(["drains", "--since", "5m", "-o", "name"])).stdout).toBe("d-2\n");
    expect((await run(["drains", "--limit", "1", "-o", "name"])).stdout).toBe("d-2\n");
    expect((await run(["drains", "--status", "failed"])).stdout).toBe("No drains found.\n");
    expect(JSON.parse((await run(["drains", "--json"])).stdout)).toMatchObject({ drains: [{ drainId: "d-2" }, {}] });
    expect((await run(["drains", "-o", "yaml", ID])).stdout).toMatch(
      /^drains:\n {2}- drainId: d-1\n {4}node:\n {6}id: i-/,
    );
    expect((await run(["drains", "-o", "wide"])).stdout).toMatch(
      /^DRAIN .* NAME +CLUSTER +REASON\n.* ip-10-0-0-1\.internal/,
    );
  });

  test("goes on with --watch: a row for each change, over a service that is gone for a while, until Ctrl-C", async () => {
    const { url, ledger, running } = await scene();
    let isGone = false;
    const proxy = await proxyOf(url, ({ response, pass }) => (isGone ? response.destroy() : pass()));
    const clock = timesAsFast(100);
    const child = startHere(["drains", "--watch", "--server", proxy], { SECRET }, { clock });
    await child.line(/^d-2 .* running /);
    isGone = true;
    await expect.poll(() => child.output).toMatch(/the connection was closed before the answer .*; reconnecting/);
    ledger.note(running.ended());
    isGone = false;
    await child.line(/^d-2 .* drained /);
    child.signal("SIGINT");
    const { code, stdout, stderr } = await child.finished;
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.slice(0, 5).trim())).toEqual(["DRAIN", "d-1", "d-2", "d-2", ""]);
    expect(stderr.match(/reconnect\w+/g)).toEqual(["reconnecting", "reconnected"]);
  });

  test("prints an object a line with --watch for programs", async () => {
    const { url } = await scene();
    const args = ["drains", "--watch", "-o", "json", "--server", url];
    const child = startHere(args, { SECRET }, { clock: timesAsFast(100) });
    await child.line(/d-2/);
    child.signal("SIGINT");
    const { stdout } = await child.finished;
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).drainId)).toEqual(["d-1", "d-2"]);
  });
});

describe("status --server of a drain", () => {
  test("shows its steps, how it ended, and whether it was undone", async () => {
    const { run } = await scene();
    const { code, stdout } = await run(["status", "d-1"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nDrain d-1 began at \S+ and ended at \S+ with the outcome 'drained'\.\n +0 s accepted\n/);
    expect(stdout).toMatch(/\n +0 s deregistered {2}alb web-lb \/ web i-\w+:80\n\n.* is drained/);
    expect(JSON.parse((await run(["status", "d-1", "--json"])).stdout)).toMatchObject({
      drainId: "d-1",
      status: "ended",
    });
  });

  test("says that there is no such drain", async () => {
    const { run } = await scene();
    const { code, stderr } = await run(["status", "d-9"]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/: the service does not know the drain d-9: /),
    });
  });
});

describe("drain --selector --server", () => {
  const nodesWith = async () => [
    { name: "blue-1", instanceId: ID },
    { name: "blue-2", instanceId: "i-0123456789abcdef1" },
  ];

  test("drains the nodes that the service's cluster has of it, and those that are named", async () => {
    const { run, requests } = await scene({ nodesWith });
    const { code } = await run(["drain", "-l", "pool=blue", "10.0.1.5"]);
    expect(code).toBe(0);
    expect(requests.map(({ node }) => node.value).sort()).toEqual(["10.0.1.5", ID, "i-0123456789abcdef1"].sort());
  });

  test("leaves what is no EC2 instance, says so, and is not done then", async () => {
    const { run } = await scene({
      nodesWith: async () => [
        { name: "blue-1", instanceId: ID },
        { name: "fargate-1", providerId: "x" },
      ],
    });
    const { code, stderr } = await run(["drain", "-l", "pool=blue"]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "hasta-la-vista: node fargate-1 is left as it is: its providerID is x, not an EC2 instance's\n",
    );
  });

  test("is refused where no node has the labels, and where the service has no cluster", async () => {
    const none = await (await scene({ nodesWith: async () => [] })).run(["drain", "-l", "pool=red"]);
    expect(none.code).toBe(2);
    expect(none.stderr).toMatch(/: no node has the labels 'pool=red': check them with kubectl get nodes/);
    const without = await (await scene()).run(["drain", "-l", "pool=red"]);
    expect(without.code).toBe(2);
    expect(without.stderr).toMatch(
      /answered 400: 'selector' requires a cluster: set KUBERNETES for the service, or name/,
    );
  });
});

type PlannedRegistration = DrainPlan["registrations"][number];

describe("cancel --server", () => {
  test("says at Ctrl-C what goes on, and how to see it and to wait for it", async () => {
    let asked = () => {};
    const begun = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const cancel = () => {
      asked();
      return new Promise<never>(() => {});
    };
    const { url } = await scene({ cancel });
    const child = startHere(["cancel", "d-1", "--server", url], { SECRET });
    await begun;
    child.signal("SIGINT");
    const { code, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `hasta-la-vista: stopped waiting: the service goes on to register the targets again. See it: hasta-la-vista status d-1 --server ${url}. Wait for it: hasta-la-vista cancel d-1 --server ${url}\n`,
    });
  });
});

const PLANNED: PlannedRegistration = {
  registration: registered(`${ID}:80`),
  action: "deregister",
  isWritable: true,
  waitMs: 0,
  holdMs: 30_000,
  shortByMs: 0,
  unsaved: [],
};
const POOL = { pool: registered("x").pool, healthyNow: 1, wouldStay: 0, needed: 1 };
const REFUSAL = { reason: "too-few-healthy", message: "too few healthy targets would remain", pools: [POOL] } as const;

/** A service that plans so. */
function planning(one: Partial<PlannedRegistration> = {}, more: object = {}) {
  const limit = { reason: "timeout", at: 90_000 } as const;
  const plan = { node: NODE, asOf: 0, registrations: [{ ...PLANNED, ...one }], elsewhere: [], longestHoldMs: 30_000 };
  const outcome = {
    status: "planned",
    drainId: "d-1",
    node: NODE,
    plan: { ...plan, limit, warnings: [], ...more },
  } as const;
  return service({ outcome });
}

describe("plan ends with the code that the drain would have, as far as it is known", () => {
  test.each<[string, Partial<PlannedRegistration>, object, number]>([
    ["drained", {}, {}, 0],
    ["with too little time for a hold", { shortByMs: 100 }, {}, 1],
    ["not allowed to deregister", { isWritable: false }, {}, 1],
    ["perhaps registered elsewhere", {}, { elsewhere: [{ ...registered("10.0.0.9:80"), doubt: "it may be" }] }, 1],
    ["registered elsewhere without a doubt", {}, { elsewhere: [registered("10.0.0.9:80")] }, 0],
    ["refused", { shortByMs: 100 }, { guard: { refusal: REFUSAL, pools: [POOL] } }, 3],
  ])("%s", async (_, one, more, expected) => {
    const { run } = await planning(one, more);
    const [plan, json, dry] = [
      await run(["plan", ID]),
      await run(["plan", ID, "--json"]),
      await run(["drain", ID, "--dry-run"]),
    ];
    expect([plan.code, json.code, dry.code]).toEqual([expected, expected, expected]);
  });
});

const STYLED = "\u001b[";

describe("what people read", () => {
  test("has colour on a terminal, and none where NO_COLOR is set, in a dumb terminal, or in a pipe", async () => {
    const { run } = await planning({ shortByMs: 100_000 });
    const terminal = { columns: 200 };
    expect((await run(["plan", ID], {}, terminal)).stdout).toContain("\u001b[31m100 s short\u001b[39m");
    expect((await run(["plan", ID], { NO_COLOR: "" }, terminal)).stdout).toContain(STYLED);
    expect((await run(["plan", ID], { NO_COLOR: "1" }, terminal)).stdout).not.toContain(STYLED);
    expect((await run(["plan", ID], { TERM: "dumb" }, terminal)).stdout).not.toContain(STYLED);
    expect((await run(["plan", ID])).stdout).not.toContain(STYLED);
    expect((await run(["plan", ID, "--json"], {}, terminal)).stdout).not.toContain(STYLED);
  });

  test("never says that a hold is short by nothing", async () => {
    const { run } = await planning({ shortByMs: 100 });
    expect((await run(["plan", ID])).stdout).toMatch(/ 1 s short$/m);
  });

  test("has the same columns with colour as without", async () => {
    const { run } = await planning({ shortByMs: 100_000 });
    const coloured = await run(["plan", ID], {}, { columns: 200 });
    const plain = await run(["plan", ID], { NO_COLOR: "1" }, { columns: 200 });
    expect(stripVTControlCharacters(coloured.stdout)).toBe(plain.stdout);
  });

  test("fits a terminal of 80 columns, and is as wide as it needs with -o wide", async () => {
    const { run } = await planning({}, { warnings: ["the deadline leaves too little time: ".repeat(5)] });
    const widths = (text: string) => text.split("\n").map((line) => line.length);
    const narrow = await run(["plan", ID], { NO_COLOR: "1" }, { columns: 80 });
    expect(Math.max(...widths(narrow.stdout))).toBeLessThanOrEqual(80);
    const wide = await run(["plan", ID, "-o", "wide"], { NO_COLOR: "1" }, { columns: 80 });
    expect(Math.max(...widths(wide.stdout))).toBeGreaterThan(150);
    expect(wide.stdout).toMatch(/HOLD +LIMIT +WAIT +UNSAVED\n/);
  });
});

describe("-o", () => {
  test("yaml is what --json has, also of a failure", async () => {
    const { run } = await planning();
    const { code, stdout } = await run(["plan", ID, "-o", "yaml"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^node:\n {2}id: i-\w+\n/);
    expect(stdout).toMatch(/^longestHoldSeconds: 30$/m);
    const failed = await run(["plan", ID, "-o", "yaml", "--deadline", "x"]);
    expect(failed.stdout).toMatch(/^error:\n {2}code: usage\n {2}message: "?--deadline is 'x'/);
  });

  test("name prints pools of a node, and the id of a drain", async () => {
    const { run } = await planning();
    expect((await run(["plan", ID, "-o", "name"])).stdout).toBe("web\n");
    expect((await run(["drain", ID, "--dry-run", "-o", "name"])).stdout).toBe("d-1\n");
  });
});
