import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { platformRegion } from "./support/platform-region.ts";
import { describeWith, programPath, RunningProgram } from "./support/programs.ts";

const PLAYBOOK = "test/conformance/ansible/playbook.yaml";
/** The deregistration delay of half a minute takes a second. */
const SPEED = 30;
/** Each of thirty tasks starts Python several times. */
const TIMEOUT_MS = 900_000;

describeWith("ansible-playbook", "Ansible's modules for AWS", () => {
  test("find, make, change and take away what a play names, and change nothing the second time", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { world, nodes, legacy, workers, simulator, url } = await platformRegion(SPEED);
    const folder = mkdtempSync(path.join(tmpdir(), "ansible-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const { code, stdout, stderr } = await new RunningProgram(
      "ansible-playbook",
      ["--inventory=localhost,", `--extra-vars=ansible_python_interpreter=${programPath("python")}`, PLAYBOOK],
      {
        ...{ AWS_ENDPOINT_URL: url, HOME: folder, ANSIBLE_LOCAL_TEMP: folder, ANSIBLE_REMOTE_TEMP: folder },
        ...{
          ANSIBLE_COLLECTIONS_PATH: path.join(programPath("python"), "../../collections"),
          ANSIBLE_NOCOLOR: "1",
          LC_ALL: "C.UTF-8",
        },
      },
    ).ended;
    const tasks = stdout.match(/^TASK /gm)?.length ?? 0;
    expect({ code, stderr, recap: /ok=(\d+) +changed=(\d+) .*failed=(\d+)/.exec(stdout)?.slice(1) }, stdout).toEqual({
      ...{ code: 0, stderr: "", recap: [String(tasks), "13", "0"] },
    });
    expect(tasks).toBeGreaterThan(20);
    // Ansible goes on without the account's alias, as it does for a user without the permission.
    expect(simulator.unknown).toEqual(["ListAccountAliases"]);
    const [first, second] = nodes.map(({ id }) => id);
    expect([...world.loadBalancers.values()].map(({ name }) => name)).toEqual(["shop", "tcp"]);
    expect([...world.targetGroups.values()].map(({ name }) => name)).toEqual(["web", "flows"]);
    expect(legacy.isRegistered(first ?? "")).toBe(true);
    expect(workers.hooks.map(({ name }) => name)).toEqual(["drain"]);
    expect(workers).toMatchObject({ desiredCapacity: 1 });
    expect(nodes.map(({ tags }) => tags.get("team"))).toEqual(["platform", undefined, "none"]);
    expect(world.isRunning(second ?? "")).toBe(false);
  });
});
