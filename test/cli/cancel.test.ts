import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SystemClock } from "../../src/drain/clock.ts";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { Child } from "../support/child-process.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere, serveHere, startHere } from "../support/run-here.ts";

/** An account whose policy is the one that `policy` prints, with `--undo` where `undo` is. */
async function scene({ undo = true, speed = 10 } = {}) {
  const made = await account(undefined, speed);
  restrictChildren(made.simulator, undo ? { UNDO: "true" } : {});
  const { world } = made;
  /** All that the load balancers list of the node, with the state of it. */
  const listed = () => [
    ...[...world.targetGroups.values()].flatMap((group) =>
      group.listed(world.clock.now()).map((target) => {
        const { state } = group.apiHealth(target, world.clock.now());
        return `${group.name} ${target.id}:${target.port} ${state === "draining" ? "out" : "in"}`;
      }),
    ),
    ...[...world.classics.values()].flatMap((classic) =>
      classic.registered(world.clock.now()).map((id) => `${classic.name} ${id}`),
    ),
  ];
  const registered = (id: string) =>
    listed()
      .filter((one) => one.includes(id) && !one.endsWith("out"))
      .map((one) => one.split(" ")[0])
      .sort();
  const file = join(await stateDir(), "drain.json");
  return {
    registered,
    ...made,
    listed: () =>
      listed()
        .filter((one) => one.includes(ID))
        .sort(),
    file,
  };
}

const SECRET = "correct-horse-battery";

/** A service, and what its callers get. */
async function started(
  environment: Readonly<Record<string, string>> & { readonly AWS_ENDPOINT_URL: string },
  clock: SystemClock,
) {
  const { AWS_ENDPOINT_URL } = environment;
  return { asker: { SECRET, AWS_ENDPOINT_URL }, ...(await serveHere({ ...environment, SECRET }, [], { clock })) };
}

/** The pools of a node that is in service. */
const ALL = ["legacy", "tcp", "web"];
const IN = [`legacy ${ID}`, `tcp ${ID}:30081 in`, `web ${ID}:30081 in`];

describe("hasta-la-vista cancel --from", () => {
  test("registers again what drain --json has printed, and says so", async () => {
    const { env, clock, listed, file } = await scene();
    const drained = await runHere(["drain", ID, "--json"], env, { clock });
    await writeFile(file, drained.stdout);
    expect(listed().filter((one) => !one.endsWith("out"))).toEqual([]);
    const { code, stdout, stderr } = await runHere(["cancel", "--undo", "--from", file], env, { clock });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(listed()).toEqual(IN);
    expect(stdout).toMatch(/^Drain d-\w+ of i-0123456789abcdef0 is undone: 3 registrations registered again\.$/m);
    expect(stdout).toMatch(/^ +registered +nlb +tcp-lb \/ tcp +i-\S+:30081$/m);
  });

  test("takes it from stdin, and tells in one object with --json", async () => {
    const { env, listed, file } = await scene({ speed: 1 });
    await writeFile(file, (await runHere(["drain", ID, "--json"], env)).stdout);
    const piped = {
      command: ["sh", "-c", `"${process.execPath}" dist/cli.js cancel --json --from - < "${file}"`],
      options: {},
    };
    const { code, stdout } = await new Child(piped, [], { ...env, UNDO: "true" }).finished;
    const registrations = [{ state: "registered" }, { state: "registered" }, { state: "registered" }];
    expect(JSON.parse(stdout)).toMatchObject({ status: "undone", node: { id: ID }, registrations });
    expect(code).toBe(0);
    expect(listed()).toEqual(IN);
  });

  test("takes what Ctrl-C has printed for it", async () => {
    const { env, clock, listed, file } = await scene();
    // Nowhere to record it.
    const nowhere = { ...env, XDG_STATE_HOME: "/dev/null" };
    const child = startHere(["drain", ID, "--nlb-propagation", "600"], nowhere, { clock });
    await child.line(/deregistered.*tcp/);
    child.signal("SIGINT");
    const { stdout } = await child.finished;
    expect(stdout).toContain("save the next line as drain.json and run: hasta-la-vista cancel --from drain.json\n");
    await writeFile(file, stdout.trimEnd().split("\n").at(-1) ?? "");
    expect((await runHere(["cancel", "--from", file], env, { clock })).code).toBe(0);
    expect(listed()).toEqual(IN);
  });

  test("takes several drains, as drain of several nodes prints them, and leaves out what has changed nothing", async () => {
    const { env, clock, file, registered } = await scene();
    const { stdout } = await runHere(["drain", ID, OTHER_ID, "--json", "--min-healthy", "0"], env, { clock });
    const { drains } = JSON.parse(stdout);
    expect([registered(ID), registered(OTHER_ID)]).toEqual([[], []]);
    const others = [
      { status: "instance-gone", message: "it is terminated" },
      { ...drains[0], status: "refused" },
    ];
    await writeFile(file, JSON.stringify({ drains: [...drains, ...others] }));
    const { code, stdout: undone } = await runHere(["cancel", "--from", file, "--json"], env, { clock });
    expect(code).toBe(0);
    expect(JSON.parse(undone)).toMatchObject({
      drains: [
        { status: "undone", node: { id: ID } },
        { status: "undone", node: { id: OTHER_ID } },
      ],
    });
    expect([registered(ID), registered(OTHER_ID)]).toEqual([ALL, ALL]);
  });

  test("of several drains undoes those of the given node alone", async () => {
    const { env, clock, file, registered } = await scene();
    await writeFile(
      file,
      (await runHere(["drain", ID, OTHER_ID, "--json", "--min-healthy", "0"], env, { clock })).stdout,
    );
    expect((await runHere(["cancel", OTHER_ID, "--from", file], env, { clock })).code).toBe(0);
    expect([registered(ID), registered(OTHER_ID)]).toEqual([[], ALL]);
  });

  test("names each that AWS denies, with what to allow, and ends with code 1", async () => {
    const { env, clock, file } = await scene({ undo: false });
    await writeFile(file, (await runHere(["drain", ID, "--json"], env, { clock })).stdout);
    const { code, stdout } = await runHere(["cancel", "--undo", "--from", file], env, { clock });
    expect(code).toBe(1);
    expect(stdout).toMatch(/is not undone: 0 registrations registered again, 3 failed\./);
    expect(stdout).toMatch(/^ +failed +alb .*AWS denied elasticloadbalancing:RegisterTargets/m);
    expect(stdout).toMatch(/^ +failed +classic .*AWS denied elasticloadbalancing:RegisterInstancesWithLoadBalancer/m);
  });

  test("of a machine that is terminated names that, and does nothing", async () => {
    const { env, clock, file, world, simulator } = await scene();
    await writeFile(file, (await runHere(["drain", ID, "--json"], env, { clock })).stdout);
    world.terminateInstance(world.instances.get(ID) as never);
    await world.clock.sleep(world.timing.shuttingDownMs, new AbortController().signal);
    const { code, stdout } = await runHere(["cancel", "--undo", "--from", file], env, { clock });
    expect(code).toBe(1);
    expect(stdout).toMatch(/failed .*is terminated/);
    expect([...simulator.calls.keys()].filter((action) => action.includes(":Register"))).toEqual([]);
  });
});

describe("hasta-la-vista cancel --server", () => {
  test("undoes a drain that runs in the service", async () => {
    const { env, clock, listed } = await scene();
    const { url, asker, child } = await started({ ...env, UNDO: "true", NLB_PROPAGATION: "600" }, clock);
    const remote = ["--server", url];
    const begun = await runHere(["drain", ID, ...remote, "--json", "--no-wait"], asker);
    const { drainId } = JSON.parse(begun.stdout);
    await child.line(/"tcp".*deregistered/);
    await child.line(/"web".*deregistered/);
    await child.line(/"legacy".*deregistered/);
    const cancelled = await runHere(["cancel", drainId, ...remote], asker);
    expect(cancelled).toMatchObject({ code: 0, stderr: "" });
    expect(cancelled.stdout).toMatch(/is undone: 3 registrations registered again\./);
    expect(listed()).toEqual(IN);
  });

  test.each([
    ["of a service without UNDO is refused, and says what to set", {}, 3, /set UNDO=true for the service/],
    ["of a drain that nobody knows fails", { UNDO: "true" }, 1, /there is no drain 'd-0'/],
  ])("%s", async (_, environment, code, says) => {
    const { env, clock } = await scene();
    const { url, asker } = await started({ ...env, ...environment }, clock);
    const cancelled = await runHere(["cancel", "d-0", "--server", url], asker);
    expect(cancelled.stderr).toMatch(says);
    expect(cancelled.code).toBe(code);
  });
});
