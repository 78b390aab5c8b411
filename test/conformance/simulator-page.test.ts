import path from "node:path";
import { expect, test } from "vitest";
import { runCommands } from "../support/document-shell.ts";
import { codeBlocks } from "../support/documents.ts";
import { describeWith, ENVIRONMENT, programPath } from "./support/programs.ts";

/** AWS's own command line, which calls the region that the commands have started. */
const AWS = `#!/bin/sh
export AWS_ENDPOINT_URL=$(printf %s "$AWS_ENDPOINT_URL" | sed -f "$HOME/readdress")
PATH="${process.env["PATH"]}" exec "${path.resolve(programPath("aws"))}" "$@"
`;

describeWith("aws", "docs/simulator.md, with AWS's command line", () => {
  test("its first test deregisters a target that AWS then calls draining, and that has carried traffic", async () => {
    const [block, ...more] = codeBlocks("docs/simulator.md").filter(({ text }) => text.includes("aws elbv2 "));
    expect(more).toEqual([]);
    const { code, stdout } = await runCommands(block?.text ?? "", ENVIRONMENT, undefined, { aws: AWS });
    expect({ code, stdout }).toMatchObject({ code: 0 });
    const lines = stdout.trim().split("\n");
    const answered = lines.slice(1, 31);
    const first = "i-0de30000000000001";
    const answers = answered.flatMap((id, index) => (id === first ? [index] : []));
    expect(answered.every((id) => /^i-0de3000000000000[1-6]$/.test(id))).toBe(true);
    // It was deregistered before the sixth request, and the last machine of the load balancer learns of that after 18 seconds.
    expect(answers.length).toBeGreaterThan(0);
    expect(Math.max(...answers)).toBeLessThan(5 + 19);
    const healthy = [2, 3, 4, 5, 6].map((number) => `i-0de3000000000000${number}\thealthy`);
    expect(lines.slice(31, -1)).toEqual([`${first}\tdraining`, ...healthy]);
    const { targetGroups, calls } = JSON.parse(lines.at(-1) ?? "");
    expect(targetGroups[0].targets[0]).toMatchObject({ state: "draining", traffic: { answered: answers.length } });
    expect(calls).toEqual({
      "elasticloadbalancing:DeregisterTargets": 1,
      "elasticloadbalancing:DescribeTargetGroups": 1,
      "elasticloadbalancing:DescribeTargetHealth": 1,
    });
  });
});
