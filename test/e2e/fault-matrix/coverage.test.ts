import { expect, test } from "vitest";
import { type PolicyNeeds, policyFor } from "../../../src/aws/policy.ts";
import { queueAddress } from "../../../src/aws/queue-address.ts";
import { sourceFiles } from "../../support/source-tree.ts";
import { CALLS, type MatrixCall } from "./calls.ts";
import { TABLES } from "./tables.ts";

/** The SDK's packages, by whose commands they have. */
const API_OF: Readonly<Record<string, MatrixCall["api"] | "sts">> = {
  "@aws-sdk/client-ec2": "ec2",
  "@aws-sdk/client-elastic-load-balancing": "classic",
  "@aws-sdk/client-elastic-load-balancing-v2": "elbv2",
  "@aws-sdk/client-auto-scaling": "autoscaling",
  "@aws-sdk/client-sqs": "sqs",
  "@aws-sdk/client-sts": "sts",
};
const IMPORT = /import\s+\{([^}]*)\}\s+from\s+"(@aws-sdk\/client-[^"]+)"/g;
/** What acts as AWS or as somebody else's program: the simulator, and what the demo compares with. */
const OTHERS = /^src\/(?:simulator|demo)\//;
/** Lambda calls it, as the function. */
const BY_LAMBDA = "sqs:GetQueueAttributes";
/** Gets credentials: every call fails as without any where it fails. `test/aws/assumed-role.test.ts` has its failures. */
const FOR_CREDENTIALS = "sts AssumeRole";

/** Only doctor makes them. test/e2e/doctor.test.ts has their failures: it names what it could not look at. */
const BY_DOCTOR = ["autoscaling DescribeAutoScalingGroups", "sqs GetQueueAttributes"];

/** Every call that any file of the product can make. */
function callsOf(files: readonly { readonly path: string; readonly text: string }[]): readonly string[] {
  const found = files
    .filter(({ path }) => !OTHERS.test(path))
    .flatMap(({ text }) => [...text.matchAll(IMPORT)])
    .flatMap(([, names = "", client = ""]) =>
      [...names.matchAll(/\b(\w+)Command\b(?! *,?\s*as\s+\w+Output)/g)]
        .filter(({ index }) => !/\bas\s+$/.test(names.slice(0, index)))
        .map(([, name]) => `${API_OF[client] ?? client} ${name}`),
    );
  return [...new Set(found)].sort();
}

test("there is a row for every call that the product makes", () => {
  expect(callsOf(sourceFiles("src"))).toEqual([...Object.keys(CALLS), ...BY_DOCTOR, FOR_CREDENTIALS].sort());
});

test("every call is in a table", () => {
  const listed = new Set(TABLES.flatMap((table) => Object.keys(table)));
  expect([...listed].sort()).toEqual(Object.keys(CALLS).sort());
});

test("there is a row for every action that the printed policy allows, whatever the configuration", () => {
  const drain: PolicyNeeds = { writes: true, discovery: "tag", scope: "tag", clusterName: "demo", undo: true };
  const needs: readonly PolicyNeeds[] = [
    { ...drain, ownHook: true },
    { ...drain, queue: queueAddress("departures") },
    { ...drain, queue: queueAddress("departures"), lambda: true },
  ];
  const allowed = needs.flatMap((each) => policyFor(each).Statement.flatMap(({ Action }) => Action));
  const listed = new Set<string>(Object.values(CALLS).map(({ action }) => action));
  expect([...new Set(allowed)].filter((action) => action !== BY_LAMBDA).sort()).toEqual([...listed].sort());
});
