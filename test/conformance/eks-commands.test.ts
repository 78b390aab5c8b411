import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { runCommands } from "../support/document-shell.ts";
import { codeBlocks } from "../support/documents.ts";
import { matches } from "../support/event-pattern.ts";
import { printedFor } from "../support/printed-policy.ts";
import { Moto } from "./support/moto.ts";
import { describeWith, ENVIRONMENT, programPath } from "./support/programs.ts";
import { awsCli } from "./support/stacks.ts";

/** Each of twenty calls starts a Python. */
const LONG = { timeout: 600_000 };
const EKS_ROLE = "arn:aws:iam::123456789012:role/eks";
const ROLE = ["--role-name", "hasta-la-vista"];

/** The blocks of a section of a document, in order. */
function blocksOf(document: string, section: string): readonly string[] {
  const lines = readFileSync(document, "utf8").split("\n");
  const first = lines.indexOf(`## ${section}`);
  const next = lines.findIndex((line, index) => index > first && line.startsWith("## "));
  return codeBlocks(document)
    .filter(({ language, line }) => language === "sh" && line > first && (next === -1 || line < next))
    .map(({ text }) => text);
}

/** The one block that has this command. */
function blockWith(document: string, section: string, command: string): string {
  const [found, ...others] = blocksOf(document, section).filter((text) => text.includes(command));
  if (found === undefined || others.length > 0) throw new Error(`${1 + others.length} blocks have '${command}'`);
  return found;
}

/**
 * AWS's own command line, which calls moto. What moto has not got is written down, and so is whatever else the documents
 * run besides the program. moto tells no outputs of a stack: they are the ids of the resources that the template names.
 */
const awsOn = (moto: Moto) => `#!/bin/sh
aws() {
  PATH="${process.env["PATH"]}" AWS_ENDPOINT_URL="${moto.url}" "${path.resolve(programPath("aws"))}" "$@"
}
idOf() {
  aws cloudformation list-stack-resources --stack-name departures --output text \\
    --query "StackResourceSummaries[?LogicalResourceId=='$1'].PhysicalResourceId"
}
echo "aws $*" >>"$HOME/calls"
case "$*" in
  "eks create-pod-identity-association "* | "autoscaling terminate-instance-in-auto-scaling-group "*) ;;
  "cloudformation describe-stacks "*"OutputKey=='QueueUrl'"*) idOf Queue ;;
  "cloudformation describe-stacks "*"OutputKey=='PolicyArn'"*) idOf Policy ;;
  *) aws "$@" ;;
esac
`;

async function scene() {
  const moto = await Moto.start();
  const aws = (...args: readonly string[]) => awsCli(moto, args);
  const run = async (commands: string) => {
    const { code, stdout, stderr, recorded } = await runCommands(commands, ENVIRONMENT, undefined, {
      aws: awsOn(moto),
    });
    expect({ commands, code, stderr }).toEqual({ commands, code: 0, stderr: "" });
    return { stdout, recorded };
  };
  return { aws, run };
}

type Scene = Awaited<ReturnType<typeof scene>>;

async function subnetOf({ aws }: Scene): Promise<string> {
  const { Subnets } = (await aws("ec2", "describe-subnets")) as {
    readonly Subnets: readonly [{ readonly SubnetId: string }];
  };
  return Subnets[0].SubnetId;
}

async function cluster({ aws }: Scene, subnet: string): Promise<void> {
  const vpc = ["--resources-vpc-config", `subnetIds=${subnet}`];
  await aws("eks", "create-cluster", "--name", "demo", "--role-arn", EKS_ROLE, ...vpc);
}

/** The name of the Auto Scaling group of a managed node group of the cluster. */
async function nodeGroup({ aws }: Scene, subnet: string): Promise<string> {
  const named = ["--cluster-name", "demo", "--nodegroup-name", "workers"];
  const made = await aws("eks", "create-nodegroup", ...named, "--node-role", EKS_ROLE, "--subnets", subnet);
  const { nodegroup } = made as {
    readonly nodegroup: { readonly resources: { readonly autoScalingGroups: readonly [{ readonly name: string }] } };
  };
  return nodegroup.resources.autoScalingGroups[0].name;
}

async function autoScalingGroup({ aws }: Scene, subnet: string, name: string): Promise<void> {
  const launch = ["--launch-configuration-name", "nodes"];
  const machine = ["--image-id", "ami-12c6146b", "--instance-type", "t3.micro"];
  await aws("autoscaling", "create-launch-configuration", ...launch, ...machine);
  await aws(
    ...["autoscaling", "create-auto-scaling-group", "--auto-scaling-group-name", name, ...launch],
    ...["--min-size", "0", "--max-size", "0", "--vpc-zone-identifier", subnet],
  );
}

/** For which Auto Scaling group the stack of a hook is. moto makes no hooks of stacks. */
async function groupOf({ aws }: Scene, stack: string) {
  const answer = await aws("cloudformation", "describe-stacks", "--stack-name", stack);
  const { Stacks } = answer as {
    readonly Stacks: readonly [{ readonly Parameters: readonly Readonly<Record<string, string>>[] }];
  };
  const [{ Parameters }] = Stacks;
  return Parameters.find(({ ParameterKey }) => ParameterKey === "AutoScalingGroupName")?.["ParameterValue"];
}

describeWith("moto_server", "the AWS commands of the pages about EKS, on moto", () => {
  test("create a role for EKS Pod Identity with the printed policy", async () => {
    const { aws, run } = await scene();
    const { recorded } = await run(blockWith("docs/install.md", "On EKS", "create-pod-identity-association"));
    expect(recorded).toContainEqual(expect.stringContaining("aws eks create-pod-identity-association"));
    const trust = JSON.parse(readFileSync("deploy/iam/pod-identity.json", "utf8"));
    expect(await aws("iam", "get-role", ...ROLE)).toMatchObject({ Role: { AssumeRolePolicyDocument: trust } });
    const { PolicyDocument } = (await aws("iam", "get-role-policy", ...ROLE, "--policy-name", "hasta-la-vista")) as {
      readonly PolicyDocument: unknown;
    };
    expect(PolicyDocument).toEqual(printedFor({ AWS_REGION: "eu-west-1", UNDO: "true" }));
  });

  test("create a role for IRSA that the service account of the chart alone may take", async () => {
    const one = await scene();
    await cluster(one, await subnetOf(one));
    await one.run(blockWith("docs/install.md", "On EKS", "deploy/iam/irsa.json"));
    const { cluster: made } = (await one.aws("eks", "describe-cluster", "--name", "demo")) as {
      readonly cluster: { readonly identity: { readonly oidc: { readonly issuer: string } } };
    };
    const issuer = made.identity.oidc.issuer.replace("https://", "");
    expect(await one.aws("iam", "get-role", ...ROLE)).toMatchObject({
      Role: {
        AssumeRolePolicyDocument: {
          Statement: [
            {
              Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${issuer}` },
              Condition: {
                StringEquals: {
                  [`${issuer}:sub`]: "system:serviceaccount:kube-system:hasta-la-vista",
                  [`${issuer}:aud`]: "sts.amazonaws.com",
                },
              },
            },
          ],
        },
      },
    });
  });

  test("connect a managed node group to a service that reads the queue", LONG, async () => {
    const one = await scene();
    const subnet = await subnetOf(one);
    await cluster(one, subnet);
    const group = await nodeGroup(one, subnet);
    await autoScalingGroup(one, subnet, group);
    await one.run(blockWith("docs/install.md", "On EKS", "create-pod-identity-association"));
    const ran: string[] = [];
    for (const block of blocksOf("docs/eks.md", "Managed node groups")) ran.push(...(await one.run(block)).recorded);
    expect(await groupOf(one, "hook-workers")).toBe(group);
    const upgrade = ran.find((call) => call.startsWith("helm upgrade"));
    expect(upgrade).toMatch(
      /--set options\.QUEUE=https?:\/\/\S+\/123456789012\/\S+ --set options\.QUEUE_FOREIGN=delete /,
    );
    const { AttachedPolicies } = (await one.aws("iam", "list-attached-role-policies", ...ROLE)) as {
      readonly AttachedPolicies: readonly unknown[];
    };
    expect(AttachedPolicies).toHaveLength(1);
    const { Outputs } = parse(readFileSync("deploy/cloudformation/departures.yaml", "utf8"), { logLevel: "silent" });
    expect(Outputs).toMatchObject({ QueueUrl: { Value: "Queue" }, PolicyArn: { Value: "Policy" } });
  });

  test("connect an Auto Scaling group of one's own", async () => {
    const one = await scene();
    await one.run(blockWith("docs/eks.md", "Self-managed nodes", "AutoScalingGroupName=workers"));
    expect(await groupOf(one, "hook-workers")).toBe("workers");
  });

  test(
    "limit the rule of aws-node-termination-handler to its own hook, and delete the hooks of others",
    LONG,
    async () => {
      const one = await scene();
      await autoScalingGroup(one, await subnetOf(one), "workers");
      const theirs = ["lifecycle-manager", "my-k8s-term-hook"];
      const group = ["--auto-scaling-group-name", "workers"];
      for (const hook of theirs)
        await one.aws(
          ...["autoscaling", "put-lifecycle-hook", ...group, "--lifecycle-hook-name", hook],
          ...["--lifecycle-transition", "autoscaling:EC2_INSTANCE_TERMINATING"],
        );
      const sections = ["From lifecycle-manager", "From aws-node-termination-handler"];
      for (const block of sections.flatMap((section) => blocksOf("docs/upgrading.md", section))) await one.run(block);
      const { EventPattern } = (await one.aws("events", "describe-rule", "--name", "MyK8sASGTermRule")) as {
        readonly EventPattern: string;
      };
      const event = JSON.parse(
        readFileSync("test/sources/events/bodies/autoscaling-terminate.eventbridge.json", "utf8"),
      );
      const ofHook = (LifecycleHookName: string) => ({ ...event, detail: { ...event.detail, LifecycleHookName } });
      expect(
        ["my-k8s-term-hook", "hasta-la-vista"].map((hook) => matches(JSON.parse(EventPattern), ofHook(hook))),
      ).toEqual([true, false]);
      expect(await one.aws("autoscaling", "describe-lifecycle-hooks", ...group)).toEqual({ LifecycleHooks: [] });
    },
  );
});
