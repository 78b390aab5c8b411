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
    const healthy = [2, 3, 4, 5, 6].map((number) => `i-0de3000000000000${number}\thealthy`);
    expect(lines.slice(1, -1)).toEqual(["i-0de30000000000001", "i-0de30000000000001\tdraining", ...healthy]);
    const { targetGroups, calls } = JSON.parse(lines.at(-1) ?? "");
    expect(targetGroups[0].targets[0]).toMatchObject({ state: "draining", traffic: { answered: 1 } });
    expect(calls).toEqual({
      "elasticloadbalancing:DeregisterTargets": 1,
      "elasticloadbalancing:DescribeTargetGroups": 1,
      "elasticloadbalancing:DescribeTargetHealth": 1,
    });
  });
});
