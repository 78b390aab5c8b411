import { execFile } from "node:child_process";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { endpoint } from "../support/endpoint.ts";
import { installPacked } from "../support/packed.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { describeOnEveryNode } from "./support/nodes.ts";

const run = promisify(execFile);

describeOnEveryNode("the packed package", ({ version, bin }) => {
  test("runs by npx from an empty folder: help, its version, and a plan of a node in a region", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 60 });
    const env = {
      // npx and what it starts look for `node` there.
      PATH: [bin, process.env["PATH"]].join(delimiter),
      HOME: process.env["HOME"],
      // Never from a registry: what runs is what was packed, or nothing.
      npm_config_offline: "true",
      npm_config_yes: "false",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "simulated",
      AWS_SECRET_ACCESS_KEY: "simulated-secret-key",
      AWS_ENDPOINT_URL: await endpoint(region.simulator),
    };
    const cwd = await installPacked();
    const npx = (...args: readonly string[]) => run("npx", args, { cwd, env });

    expect((await npx("-c", "node --version")).stdout).toBe(`v${version}\n`);
    const help = await npx("hasta-la-vista", "--help");
    expect(help.stdout).toMatch(/^Usage: hasta-la-vista/);
    expect((await npx("hasta-la-vista", "--version")).stdout).toBe(`${manifest.version}\n`);
    const { stdout, stderr } = await npx("hasta-la-vista", "plan", node.id, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ node: { id: node.id }, registrations: [{ kind: "alb", pool: "web" }] });
    // No warning of Node's or the SDK's, on the oldest and on the newest.
    expect(withoutNpm(help.stderr) + withoutNpm(stderr)).toBe("");
  });
});

/** npm has an opinion of the configuration of whoever runs it. */
function withoutNpm(stderr: string): string {
  return stderr.replace(/^npm warn .*\n/gm, "");
}
