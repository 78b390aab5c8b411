import { execFile } from "node:child_process";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { endpoint } from "../support/endpoint.ts";
import { installPacked } from "../support/packed.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { describeOnEveryNode } from "./support/nodes.ts";

const run = promisify(execFile);

describeOnEveryNode("the packed package", ({ version, bin }) => {
  test("runs by its name from where it is installed: help, its version, and a plan of a node in a region", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node, region.node()], delaySeconds: 60 });
    const env = {
      // The program's first line looks for `node` there.
      PATH: [bin, process.env["PATH"]].join(delimiter),
      HOME: process.env["HOME"],
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "simulated",
      AWS_SECRET_ACCESS_KEY: "simulated-secret-key",
      AWS_ENDPOINT_URL: await endpoint(region.simulator),
    };
    const cwd = await installPacked();
    const program = join(cwd, "node_modules/.bin/hasta-la-vista");
    const start = (...args: readonly string[]) => run(program, args, { cwd, env });

    expect((await run("node", ["--version"], { env })).stdout).toBe(`v${version}\n`);
    const help = await start("--help");
    expect(help.stdout).toMatch(/^Usage: hasta-la-vista/);
    expect((await start("--version")).stdout).toBe(`${manifest.version}\n`);
    const { stdout, stderr } = await start("plan", node.id, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ node: { id: node.id }, registrations: [{ kind: "alb", pool: "web" }] });
    // No warning of Node's or the SDK's, on the oldest and on the newest.
    expect(help.stderr + stderr).toBe("");
  });
});
