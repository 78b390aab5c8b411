import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EXCLUDE_LABEL } from "../../src/drain/cluster.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import { account, ID } from "../support/account.ts";
import { accountInKubernetes, NODES } from "../support/account-in-kubernetes.ts";
import { type FakeApiServer, refusal } from "../support/fake-api-server.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere, serveHere, startHere } from "../support/run-here.ts";

const SECRET = "correct-horse-battery";
const ALL = ["legacy", "tcp", "web"];

/** The account in a cluster, with nothing recorded yet. */
async function scene() {
  const made = await accountInKubernetes();
  restrictChildren(made.simulator, { UNDO: "true" });
  const folder = await stateDir();
  const env = { ...made.env, XDG_STATE_HOME: folder };
  const node = () => made.fake.stored(NODES, "blue-1") as Node;
  const isOut = () => node().metadata?.labels?.[EXCLUDE_LABEL] === "true";
  const { clock } = made;
  const run = (...args: string[]) => runHere(args, env, { clock });
  return { ...made, env, run, node, isOut, records: join(folder, "hasta-la-vista", "drains") };
}

/** A service in that cluster, and what its callers get. */
async function serving(more: Readonly<Record<string, string>> = {}, intercept?: FakeApiServer["intercept"]) {
  const made = await scene();
  if (intercept !== undefined) made.fake.intercept = intercept;
  const { child, url } = await serveHere({ ...made.env, SECRET, UNDO: "true", ...more }, [], { clock: made.clock });
  const { AWS_ENDPOINT_URL } = made.env;
  const asker = { SECRET, AWS_ENDPOINT_URL };
  return {
    ...made,
    child,
    url,
    ask: (...args: string[]) => runHere([...args, "--server", url], asker, { clock: made.clock }),
  };
}

describe("hasta-la-vista uncordon", () => {
  test("gives back all that drain --evict has taken: registrations, label and cordon; and can be repeated", async () => {
    const { run, node, isOut, registered, records } = await scene();
    expect((await run("drain", "blue-1", "--evict")).code).toBe(0);
    expect([registered(ID), isOut(), node().spec?.unschedulable]).toEqual([[], true, true]);
    const { code, stdout, stderr } = await run("uncordon", "blue-1");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/is undone: 3 registrations registered again\.$/m);
    expect(stdout).toMatch(/^Node blue-1 is schedulable\.$/m);
    expect([registered(ID), isOut(), node().spec?.unschedulable]).toEqual([ALL, false, undefined]);

    // Repeated, beside a record that can't be read.
    await writeFile(join(records, `${ID}.d-00.json`), "spoilt");
    const again = await run("uncordon", ID);
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(/^Nothing to undo: .*\nNode blue-1 is schedulable\.\n$/);
    expect(again.stderr).toMatch(/the record .*d-00\.json can't be used: .*it is not JSON$/m);
    expect(again.stderr).toMatch(/no drain of the node is recorded in .*give --from and its output, or --server/);
  });

  test("takes away a cordon that another program has set, and cancel does not", async () => {
    const { run, fake, node } = await scene();
    fake.put(NODES, { ...node(), spec: { ...node().spec, unschedulable: true } } as Node);
    await run("drain", "blue-1", "--evict");
    expect((await run("cancel", "blue-1")).code).toBe(0);
    expect(node().spec?.unschedulable).toBe(true);
    expect((await run("uncordon", "blue-1")).code).toBe(0);
    expect(node().spec?.unschedulable).toBeUndefined();
  });

  test("undoes what Ctrl-C has left, also after a drain that found it done, with the command that drain has printed", async () => {
    const { env, clock, run, registered } = await scene();
    const child = startHere(["drain", "node/blue-1", "--nlb-propagation", "600"], env, { clock });
    await child.line(/deregistered.*tcp/);
    child.signal("SIGINT");
    const { stdout } = await child.finished;
    const [, printed = ""] = /^To register the targets again, run: hasta-la-vista (.+)$/m.exec(stdout) ?? [];
    expect(printed).toMatch(/^uncordon \S+$/);
    expect((await run("drain", ID)).code).toBe(0);
    expect((await run(...printed.split(" "))).code).toBe(0);
    expect(registered(ID)).toEqual(ALL);
  });

  test("names the machine that is terminated, and exits with 1", async () => {
    const { run, world } = await scene();
    await run("drain", ID);
    world.terminateInstance(world.instances.get(ID) as never);
    await world.clock.sleep(world.timing.shuttingDownMs, new AbortController().signal);
    const { code, stdout } = await run("uncordon", ID, "--json");
    expect(code).toBe(1);
    const { status, drains } = JSON.parse(stdout);
    expect(status).toBe("not-undone");
    expect(drains[0].registrations[0].error.message).toMatch(/is terminated/);
  });

  test("drain goes on where it can't be recorded, and says so once", async () => {
    const { env } = await account();
    const { code, stderr } = await runHere(["drain", ID], { ...env, XDG_STATE_HOME: "/dev/null" });
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^hasta-la-vista: the drain can't be recorded in \/dev\/null\/hasta-la-vista\/drains: .*\n$/,
    );
  });
});

describe("hasta-la-vista uncordon --server", () => {
  test("cancels the running drain of the node", async () => {
    const { ask, child, node, isOut, registered } = await serving({
      NLB_PROPAGATION: "3600",
      TIMEOUT: "86400",
    });
    expect((await ask("drain", "blue-1", "--no-wait")).stderr).toBe("");
    await child.line(/"tcp".*deregistered/);
    await child.line(/"web".*deregistered/);
    await child.line(/"legacy".*deregistered/);
    const { code, stdout, stderr } = await ask("uncordon", "node/blue-1");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/is undone: 3 registrations registered again\./);
    expect(stdout).toMatch(/^Node blue-1 is schedulable\.$/m);
    expect([registered(ID), isOut(), node().spec?.unschedulable]).toEqual([ALL, false, undefined]);
  });

  test("finds a node by its name before the service has listed the nodes", async () => {
    const { ask, child } = await serving({}, ({ method, path }) =>
      method === "GET" && path === NODES ? refusal(503, "ServiceUnavailable") : undefined,
    );
    await child.line(/"node watch failed"/);
    expect((await ask("drain", "blue-1", "--no-wait")).stderr).toBe("");
    await child.line(/"tcp".*deregistered/);
  });

  test("undoes one that has ended, with its cordon; a second time there is nothing to undo", async () => {
    const { ask, node, isOut, registered } = await serving();
    expect((await ask("drain", ID, "--evict")).code).toBe(0);
    expect([registered(ID), isOut(), node().spec?.unschedulable]).toEqual([[], true, true]);
    expect((await ask("cancel", ID)).code).toBe(0);
    expect([registered(ID), isOut(), node().spec?.unschedulable]).toEqual([ALL, false, undefined]);
    const again = await ask("uncordon", ID, "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ status: "nothing-to-undo", drains: [], uncordoned: "blue-1" });
  });

  test("is refused where the service may not undo", async () => {
    const { ask } = await serving({ UNDO: "false", NODE_TRIGGERS: "none" });
    const { code, stderr } = await ask("uncordon", ID);
    expect(code).toBe(3);
    expect(stderr).toMatch(/set UNDO=true for the service/);
  });
});
