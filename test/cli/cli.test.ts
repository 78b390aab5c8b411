import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { Child, runCli } from "../support/child-process.ts";
import { timesAsFast } from "../support/fast-clock.ts";
import { printedFor, restrictChildren } from "../support/printed-policy.ts";
import { runHere } from "../support/run-here.ts";
import { elbError, VPC } from "../support/simulated-region.ts";

describe("hasta-la-vista plan", () => {
  test("shows where the node is, what drain would do, what AWS won't save, and changes nothing", async () => {
    const { simulator, env } = await account();
    const { code, stdout, stderr } = await runHere(["plan", ID], env);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${ID}  ip-10-0-1-5.eu-west-1.compute.internal  ${VPC}  cluster demo\n`));
    expect(stdout).toMatch(/^alb +web-lb \/ web +\S+:30081 +healthy +deregister +1 s +fits$/m);
    expect(stdout).toMatch(/^nlb +tcp-lb \/ tcp +\S+:30081 +healthy +deregister +2 s +fits$/m);
    expect(stdout).toMatch(/^classic +legacy +i-\S+ +registered +deregister +at most 1 s +fits$/m);
    expect(stdout).toContain("classic: connection draining is off: requests in flight are cut at once");
    expect([...simulator.calls.keys()].filter((action) => /Deregister|Terminate/.test(action))).toEqual([]);
  });

  test.each([ID, "10.0.1.5", "ip-10-0-1-5.eu-west-1.compute.internal"])("finds the node as %s", async (node) => {
    const { env } = await account();
    const { code, stdout } = await runHere(["plan", node, "--json"], env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ node: { id: ID, cluster: "demo" }, registrations: [{}, {}, {}] });
  });

  test("says with a deadline what will not fit, and by how much", async () => {
    const { env } = await account();
    const { stdout } = await runHere(["plan", ID, "--deadline", "120", "--nlb-propagation", "210"], env);
    expect(stdout).toMatch(/^nlb .* 210 s +1\d\d s short$/m);
    expect(stdout).toMatch(/^alb .* fits$/m);
    expect(stdout).toMatch(
      /^Warning: the deadline leaves \d+ s \(10 s are reserved by DEADLINE_MARGIN\), the longest hold needs 210 s/m,
    );
  });

  test.each(["vpc", "tag"])("needs exactly the permissions of its policy with DISCOVERY=%s", async (DISCOVERY) => {
    const { simulator, env, world } = await account();
    const { targetGroups, classics } = simulator.world;
    // What few nodes have: a pod with security groups of its own, and flows of a GWLB.
    const branches = [{ privateIps: ["10.0.39.1"] }];
    world.addInstance({
      id: ID,
      vpcId: VPC,
      privateIp: "10.0.1.5",
      interfaces: [{ privateIps: ["10.0.1.6"], branches }],
      tags: { "kubernetes.io/cluster/demo": "owned" },
    });
    const gateway = { name: "flows", vpcId: VPC, protocol: "GENEVE", port: 6081, targetType: "instance" } as const;
    const { arn } = world.addTargetGroup(gateway);
    const balancer = world.addLoadBalancer({ name: "flows-lb", type: "gateway", vpcId: VPC });
    const defaultActions = [{ type: "forward", groups: [{ arn, weight: 1 }] }] as const;
    world.addListener(balancer, { protocol: "GENEVE", port: 6081, defaultActions });
    world.registerTarget(world.targetGroup(arn), { id: ID }, { settled: true });
    for (const { tags } of [...targetGroups.values(), ...classics.values()]) tags.set("KubernetesCluster", "demo");
    const { Statement } = printedFor({ DISCOVERY }, { for: "plan" });
    restrictChildren(simulator, { DISCOVERY }, { for: "plan" });
    const permitted = Statement.flatMap(({ Action }) => Action);
    const plan = () => runHere(["plan", ID], { ...env, DISCOVERY });
    // No other node is healthy, so the drain would be refused.
    expect(await plan()).toMatchObject({ code: 3, stderr: "" });
    expect([...simulator.calls.keys()].sort()).toEqual(permitted);
  });
});

describe("hasta-la-vista status", () => {
  test("shows where the node is registered now, and changes nothing", async () => {
    const { simulator, env } = await account();
    const { code, stdout, stderr } = await runHere(["status", "10.0.1.5"], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^${ID}  ip-10-0-1-5.eu-west-1.compute.internal  ${VPC}  cluster demo\n`));
    expect(stdout).toMatch(/^alb +web-lb \/ web +\S+:30081 +healthy$/m);
    expect(stdout).toMatch(/^classic +legacy +i-\S+ +registered$/m);
    expect([...simulator.calls.keys()].filter((action) => /Deregister|Terminate/.test(action))).toEqual([]);
  });

  test("says so when no load balancer knows it, and prints one object with --json", async () => {
    const { world, env } = await account();
    world.addInstance({ id: "i-0fedcba9876543210", vpcId: VPC, privateIp: "10.0.1.6" });
    expect((await runHere(["status", "10.0.1.6"], env)).stdout).toMatch(
      /No load balancer lists i-0fedcba9876543210 now/,
    );
    const { stdout } = await runHere(["status", ID, "--json"], env);
    expect(JSON.parse(stdout)).toMatchObject({ node: { id: ID }, registrations: [{}, {}, {}], elsewhere: [] });
  });
});

describe("hasta-la-vista drain", () => {
  test("prints a plain line a step where there is no terminal, and a summary", async () => {
    const { world, env, clock } = await account(undefined, 10);
    const { code, stdout, stderr } = await runHere(["drain", ID], env, { clock });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +\d+ s i-\S+ has 3 registrations; longest hold 2 s$/m);
    expect(stdout).toMatch(/deregistered {2}alb web-lb \/ web i-0123456789abcdef0:30081$/m);
    expect(stdout).toMatch(/released after \d+ s {2}nlb tcp-lb \/ tcp i-0123456789abcdef0:30081$/m);
    expect(stdout).toMatch(/is drained: 3 registrations deregistered and held, in \d+ s. It can be terminated.\n$/);
    const listed = [...world.targetGroups.values()].flatMap((group) => group.listed(world.clock.now()));
    expect(listed.filter(({ id }) => id === ID)).toEqual([]);
  });

  test("prints one object on stdout with --json, and its steps on stderr", async () => {
    const { env, clock } = await account(undefined, 10);
    const { code, stdout, stderr } = await runHere(["drain", "10.0.1.5", "--json"], env, { clock });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: "drained",
      node: { id: ID },
      registrations: expect.arrayContaining([
        expect.objectContaining({ kind: "alb", loadBalancer: "web-lb", pool: "web", target: `${ID}:30081` }),
        expect.objectContaining({ kind: "nlb", state: "released", newTrafficStopped: true }),
        expect.objectContaining({ kind: "classic", state: "released" }),
      ]),
    });
    expect(stderr).toContain("deregistered");
  });

  test("changes nothing with --dry-run, and ends", async () => {
    const { simulator, env } = await account();
    const { code, stdout } = await runHere(["drain", ID, "--dry-run"], env);
    expect(code).toBe(0);
    expect(stdout).toContain("Dry run: nothing was changed.");
    expect(simulator.calls.has("elasticloadbalancing:DeregisterTargets")).toBe(false);
  });

  test("ends with code 1 and what remains when its time is up", async () => {
    const { env } = await account();
    const { code, stdout } = await runHere(["drain", ID, "--timeout", "8", "--nlb-propagation", "60"], env);
    expect(code).toBe(1);
    expect(stdout).toMatch(/warning: --timeout leaves \d s, the longest hold needs 60 s/);
    expect(stdout).toMatch(
      /Not drained: the timeout came before the end of \d registrations?\.\n( {2}.*\n)* {2}holding {5}nlb tcp-lb \/ tcp .*, \d+ s of 60 s; new traffic may still come/,
    );
  });

  test("says at Ctrl-C what stays deregistered", async () => {
    const { env } = await account();
    const child = new Child("cli", ["drain", ID, "--nlb-propagation", "600"], env);
    await child.line(/released.*web/);
    child.signal("SIGINT");
    const { code, stdout } = await child.finished;
    expect(code).toBe(1);
    expect(stdout).toMatch(/Stopped before the end. Deregistered targets stay deregistered:\n(.*\n)*.*released.*web/);
    expect(stdout).toMatch(/holding {5}nlb tcp-lb \/ tcp/);
  });

  test("names a pool that AWS denies, drains the others, and ends with code 1", async () => {
    const { env, clock } = await account(
      ({ action, params }) =>
        action === "DeregisterTargets" && params.get("TargetGroupArn")?.includes("/web/")
          ? elbError(
              "AccessDenied",
              "User: x is not authorized to perform: elasticloadbalancing:DeregisterTargets",
              403,
            )
          : undefined,
      10,
    );
    const { code, stdout } = await runHere(["drain", ID], env, { clock });
    expect(code).toBe(1);
    expect(stdout).toContain(
      "Not drained (access-denied): AWS denied elasticloadbalancing:DeregisterTargets: allow it in the IAM policy",
    );
    expect(stdout).toMatch(/failed {6}alb web-lb \/ web/);
    expect(stdout).toMatch(/released {4}nlb tcp-lb \/ tcp/);
  });
});

describe("hasta-la-vista drain on a terminal", () => {
  /** Makes the pipe that the test reads look like a terminal to the program. */
  const terminal = {
    NODE_OPTIONS: "--import=data:text/javascript,process.stdout.isTTY=true;process.stdout.columns=120",
  };

  test("shows a live line for each registration with its kind, state and time left, and then the summary", async () => {
    const { env } = await account();
    const { code, stdout, stderr } = await runCli(["drain", ID, "--nlb-propagation", "4"], {
      ...env,
      ...terminal,
      NO_COLOR: "1",
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const [kind, place] of [
      ["alb", "web-lb / web"],
      ["nlb", "tcp-lb / tcp"],
      ["classic", "legacy"],
    ]) {
      expect(stdout).toMatch(new RegExp(`${kind} +${place} +${ID}\\S*  deregistered, \\d+ s left`));
      expect(stdout).toMatch(new RegExp(`✔.* ${kind} +${place} +${ID}\\S*  released after \\d+ s`));
    }
    const left = [...stdout.matchAll(/ nlb .* (\d+) s left/g)].map((match) => Number(match[1]));
    expect(left).toEqual([...left].sort((one, other) => other - one));
    expect(new Set(left).size).toBeGreaterThan(1);
    expect(stdout.trim().split("\n").at(-1)).toMatch(/is drained: 3 registrations/);
  });

  test("answers Ctrl-C with what stays deregistered, and gives the cursor back", async () => {
    const { env } = await account();
    const child = new Child("cli", ["drain", ID, "--nlb-propagation", "600"], { ...env, ...terminal });
    await child.line(/released after/);
    child.signal("SIGINT");
    const { code, stdout } = await child.finished;
    expect(code).toBe(1);
    expect(stdout).toMatch(/holding {5}nlb tcp-lb \/ tcp/);
    expect(stdout.lastIndexOf("\u001b[?25h")).toBeGreaterThan(stdout.lastIndexOf("\u001b[?25l"));
  });
});

describe("what the account can't answer is said in one line", () => {
  test.each(["plan", "drain"])(
    "%s of a machine that is terminated is done: nothing can send it traffic",
    async (verb) => {
      const { world, env } = await account();
      world.terminateInstance(world.instances.get(ID) as never);
      await world.clock.sleep(world.timing.shuttingDownMs, new AbortController().signal);
      const { code, stdout, stderr } = await runHere([verb, ID], env);
      expect(stdout + stderr).toContain(`the id ${ID} is terminated: no load balancer can send it traffic`);
      expect(code).toBe(0);
    },
  );

  test("several machines with one address", async () => {
    const { world, env } = await account();
    world.addInstance({ id: "i-0fedcba9876543210", vpcId: "vpc-0fedcba9876543210", privateIp: "10.0.1.5" });
    const { code, stdout } = await runHere(["drain", "10.0.1.5"], env);
    expect(code).toBe(3);
    expect(stdout).toContain(
      "matches several instances: i-0123456789abcdef0 (vpc-0123456789abcdef0), i-0fedcba9876543210",
    );
  });

  test("no credentials", async () => {
    const { env } = await account();
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
    const { code, stderr } = await runHere(["plan", ID], { ...env, ...none });
    expect(stderr).toMatch(
      /^hasta-la-vista: no valid AWS credentials for ec2:DescribeInstances: give the pod or instance a role.* \(no-credentials\)\n$/,
    );
    expect(code).toBe(2);
  });

  test.each([[undefined], [""]])("no region: AWS_REGION is %j", async (AWS_REGION) => {
    const { env } = await account();
    const { code, stderr } = await runHere(["plan", ID], { ...env, AWS_REGION });
    expect(stderr).toBe("hasta-la-vista: no AWS region: set AWS_REGION, or --region (no-region)\n");
    expect(code).toBe(2);
  });

  test("no permission", async () => {
    const { env } = await account(({ action }) =>
      action === "DescribeTargetGroups" ? elbError("AccessDenied", "User: x is not authorized", 403) : undefined,
    );
    const { code, stderr } = await runHere(["plan", ID], env);
    expect(stderr).toContain("AWS denied elasticloadbalancing:DescribeTargetGroups: allow it in the IAM policy");
    expect(code).toBe(1);
  });

  test("an endpoint that can't be reached", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const nowhere = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
    const { code, stderr } = await runHere(["plan", ID], nowhere, { clock: timesAsFast(20) });
    expect(stderr).toMatch(
      new RegExp(`could not reach 127.0.0.1:${port} for ec2:DescribeInstances \\(ECONNREFUSED\\)`),
    );
    expect(code).toBe(1);
  });
});

describe("the program", () => {
  test("goes on when whoever reads its output leaves", async () => {
    const { world, env } = await account();
    const child = new Child("cli", ["drain", ID], env);
    await child.line(/has 3 registrations/);
    child.closeOutput();
    const { code, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const listed = [...world.targetGroups.values()].flatMap((group) => group.listed(world.clock.now()));
    expect(listed.filter(({ id }) => id === ID)).toEqual([]);
  });

  test("ends with its answer, whatever calls are still to be repeated", async () => {
    let throttled = 0;
    const { env } = await account(({ action }) => {
      if (action !== "DescribeTargetHealth") return undefined;
      throttled += 1;
      return elbError("Throttling", "Rate exceeded");
    });
    const { code, stdout } = await runCli(["drain", ID, "--timeout", "5"], env);
    const atTheEnd = throttled;
    expect(code).toBe(1);
    expect(stdout).toMatch(/the timeout came before .*all load balancers had been searched/);
    expect(throttled).toBe(atTheEnd);
  });
});

describe("help", () => {
  test("names every variable beside its flag", async () => {
    const { stdout } = await runHere(["serve", "--help"]);
    for (const variable of [
      "SECRET",
      "SECRET_FILE",
      "CLOUDPROVIDER",
      "TIMEOUT",
      "DRYRUN",
      "LOGLEVEL",
      "AWS_REGION",
      "CLUSTERNAME",
    ]) {
      expect(stdout).toMatch(new RegExp(`(\\[|^ +)${variable}\\b`, "m"));
    }
  });

  test("--version is the package's", async () => {
    const { default: manifest } = await import("../../package.json", { with: { type: "json" } });
    expect((await runHere(["--version"])).stdout).toBe(`${manifest.version}\n`);
  });
});
