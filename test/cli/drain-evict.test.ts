import { describe, expect, test } from "vitest";
import { EXCLUDE_LABEL } from "../../src/drain/cluster.ts";
import type { Pod } from "../../src/kubernetes/objects.ts";
import { ID, OTHER_ID } from "../support/account.ts";
import { accountInKubernetes, NODES } from "../support/account-in-kubernetes.ts";
import { pod } from "../support/fake-pods.ts";
import { runHere } from "../support/run-here.ts";

/** The account's two nodes in a cluster. */
async function scene(pods?: readonly Pod[], speed?: number) {
  const made = await accountInKubernetes(pods, speed);
  return { ...made, run: (...args: string[]) => runHere(["drain", ...args], made.env, { clock: made.clock }) };
}

describe("hasta-la-vista drain --evict", () => {
  test("excludes, deregisters, holds and evicts a node that is named as kubectl names it", async () => {
    // On real time: the drain waits three seconds at most for the API server, and goes on without the label.
    const { run, running, applied, world } = await scene(undefined, 1);
    const { code, stdout, stderr } = await run("node/blue-1", "--evict");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /is drained: 3 registrations deregistered and held, in \d+ s\. It can be terminated\.\nEvicted 1 pod\.\n$/,
    );
    const order = [
      "excluded from load balancers",
      "released after",
      "node cordoned, evicting pod shop/web-1",
      "evicted pod shop/web-1",
    ];
    const places = order.map((text) => stdout.lastIndexOf(text));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect([...running.there.keys()]).toEqual([]);
    expect(applied()).toMatchObject([
      { metadata: { name: "blue-1", labels: { [EXCLUDE_LABEL]: "true" } } },
      { metadata: { name: "blue-1" }, spec: { unschedulable: true } },
    ]);
    const listed = [...world.targetGroups.values()].flatMap((group) => group.listed(world.clock.now()));
    expect(listed.filter(({ id }) => id === ID)).toEqual([]);
  });

  test("has the pods in its report, and takes kubectl's flags", async () => {
    const { run, running } = await scene([
      pod("web-1", { node: "blue-1", labels: { app: "web" }, emptyDir: true, owners: [] }),
      pod("db-1", { node: "blue-1", labels: { app: "db" } }),
    ]);
    running.answers.set("web-1", () => {
      running.endsAt.set("web-1", 0);
      return undefined;
    });
    const flags = ["--grace-period", "0", "--pod-selector", "app=web", "--delete-emptydir-data", "--ignore-daemonsets"];
    const { code, stdout } = await run("blue-1", "--evict", "--json", "--evict-unmanaged", ...flags);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: "drained", eviction: { evicted: 1, remaining: [] } });
    expect(running.asked).toMatchObject([{ pod: "web-1", body: { deleteOptions: { gracePeriodSeconds: 0 } } }]);
    expect([...running.there.keys()]).toEqual(["db-1"]);
  });

  test("changes nothing where a pod would lose data, names it and the flag, and exits with 1", async () => {
    const { run, running, applied, simulator } = await scene([pod("db-1", { node: "blue-1", emptyDir: true })]);
    const { code, stdout } = await run("blue-1", "--evict");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^Not drained \(not-evicted\): .*shop\/db-1 would be lost: give --delete-emptydir-data/m);
    expect([running.asked, applied()]).toEqual([[], []]);
    expect([...simulator.calls.keys()].filter((action) => /Deregister/.test(action))).toEqual([]);
  });

  test("drains every node that a selector fits, each line with its node, and one object for all with --json", async () => {
    const { run, running } = await scene([
      pod("web-1", { grace: 0, node: "blue-1" }),
      pod("web-2", { grace: 0, node: "blue-2" }),
    ]);
    const { code, stdout, stderr } = await run("--selector", "pool=blue", "--evict", "--json", "--min-healthy", "0");
    expect(code).toBe(0);
    const { drains } = JSON.parse(stdout);
    expect(drains).toMatchObject([
      { status: "drained", node: { id: ID }, eviction: { evicted: 1 } },
      { status: "drained", node: { id: OTHER_ID }, eviction: { evicted: 1 } },
    ]);
    expect([...running.there.keys()]).toEqual([]);
    expect(stderr).toMatch(new RegExp(`^${OTHER_ID} +\\d+ s +evicted pod shop/web-2$`, "m"));
  });

  test("leaves nodes that are no EC2 instances as they are, says so, and exits with 1", async () => {
    const { run, fake } = await scene();
    fake.remove(NODES, "blue-2");
    fake.put(NODES, { metadata: { name: "on-premise", labels: { pool: "blue" } } });
    const { code, stderr } = await run("-l", "pool=blue", "--json");
    expect(code).toBe(1);
    expect(stderr).toContain("hasta-la-vista: node on-premise is left as it is: its providerID is none");
  });
});
