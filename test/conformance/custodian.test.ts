import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { platformRegion } from "./support/platform-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const POLICIES = "test/conformance/custodian/policies.yaml";

/** The names of the policies in the file, in their order. */
const NAMES = [...readFileSync(POLICIES, "utf8").matchAll(/- name: (\S+)/g)].map(([, name = ""]) => name);

describeWith("custodian", "Cloud Custodian", () => {
  test("finds what its policies look for, and does what they say", async () => {
    const { world, nodes, web, shop, legacy, workers, url } = await platformRegion();
    const folder = mkdtempSync(path.join(tmpdir(), "custodian-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const args = ["run", "--region=eu-west-1", "--cache-period=0", `--output-dir=${folder}`, POLICIES];
    const environment = { AWS_ENDPOINT_URL: url, HOME: folder };
    const { code, stdout, stderr } = await new RunningProgram("custodian", args, environment).ended;
    expect({ code, stdout, refused: stderr.match(/An error occurred.*/g) }, stderr).toEqual({
      ...{ code: 0, stdout: "", refused: null },
    });
    const found = NAMES.map((name) => [
      name,
      JSON.parse(readFileSync(path.join(folder, name, "resources.json"), "utf8")).length,
    ]);
    expect(Object.fromEntries(found)).toEqual({
      ...{ instances: 3, stop: 1, mark: 2, health: 3 },
      ...{ "load-balancers": 1, listeners: 1, "http-targets": 1, "target-groups": 1, "target-group-attributes": 1 },
      ...{ classic: 1, draining: 0, groups: 1, "tag-groups": 1, resize: 1 },
      ...{ networks: 1, subnets: 3, "security-groups": 1, interfaces: 4 },
    });
    for (const { tags } of [shop, web, legacy, workers]) expect(tags.get("audited")).toBe("yes");
    expect(nodes.map(({ tags }) => tags.get("team"))).toEqual(["platform", "platform", "none"]);
    expect(nodes.map(({ id }) => world.isRunning(id))).toEqual([true, true, false]);
    expect(workers).toMatchObject({ minSize: 1, desiredCapacity: 3 });
  });
});
