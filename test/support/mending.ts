import { AutoScalingClient, PutLifecycleHookCommand } from "@aws-sdk/client-auto-scaling";
import {
  ElasticLoadBalancingClient,
  ModifyLoadBalancerAttributesCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  ElasticLoadBalancingV2Client,
  ModifyTargetGroupAttributesCommand,
  ModifyTargetGroupCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { CreateQueueCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";

/** What the SDK's clients are made with, besides the region. */
type Where = Readonly<Record<string, unknown>>;

/** The fields of calls that the CLI takes in another form than the SDK, by their flags. */
const LISTS: ReadonlySet<string> = new Set(["attributes"]);
/** AWS's numbers, which the CLI takes as words. */
const NUMBERS: ReadonlySet<string> = new Set([
  "HeartbeatTimeout",
  "HealthCheckIntervalSeconds",
  "UnhealthyThresholdCount",
]);

/**
 * Does by the SDK what a command line of the AWS CLI would do. Rules of EventBridge are the scene's, not the region's:
 * their commands are only read.
 */
export async function mend(line: string, aws: Where, sqs: Where = aws): Promise<void> {
  const [program, service, verb = "", ...words] = shellWords(line);
  if (program !== "aws") throw new Error(`not a command of the AWS CLI: ${line}`);
  const { Region = "eu-west-1", ...input } = inputOf(words, service === "sqs");
  const region = String(Region);
  const [at, atQueue] = [
    { ...aws, region },
    { ...sqs, region },
  ];
  const given = input as never;
  switch (`${service} ${verb}`) {
    case "elb modify-load-balancer-attributes":
      return void (await new ElasticLoadBalancingClient(at).send(new ModifyLoadBalancerAttributesCommand(given)));
    case "elbv2 modify-target-group-attributes":
      return void (await new ElasticLoadBalancingV2Client(at).send(new ModifyTargetGroupAttributesCommand(given)));
    case "elbv2 modify-target-group":
      return void (await new ElasticLoadBalancingV2Client(at).send(new ModifyTargetGroupCommand(given)));
    case "autoscaling put-lifecycle-hook":
      return void (await new AutoScalingClient(at).send(new PutLifecycleHookCommand(given)));
    case "sqs create-queue":
      return void (await new SQSClient(atQueue).send(new CreateQueueCommand(given)));
    case "sqs set-queue-attributes":
      return void (await new SQSClient(atQueue).send(new SetQueueAttributesCommand(given)));
    case "events put-rule":
    case "events put-targets":
      return;
    default:
      throw new Error(`no way to run: ${line}`);
  }
}

/** As a POSIX shell splits it, for the quotes that commands of the program have. */
export function shellWords(line: string): readonly string[] {
  const words = line.match(/(?:[^\s'\\]|\\.|'[^']*')+/g) ?? [];
  return words.map((word) =>
    word.replace(/'([^']*)'|\\(.)/g, (_, quoted?: string, escaped?: string) => quoted ?? escaped ?? ""),
  );
}

/** `--target-group-arn A --attributes Key=k,Value=v` */
function inputOf(words: readonly string[], isQueue: boolean): Readonly<Record<string, unknown>> {
  const input: Record<string, unknown> = {};
  for (let index = 0; index < words.length; ) {
    const flag = (words[index] ?? "").replace(/^--/, "");
    const until = words.findIndex((word, at) => at > index && word.startsWith("--"));
    const values = words.slice(index + 1, until === -1 ? undefined : until);
    const name = flag
      .replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase())
      .replace(/Arn$/, flag.startsWith("notification") ? "ARN" : "Arn");
    input[name] = LISTS.has(flag) && !isQueue ? values.map(pairs) : valueFrom(name, values[0] ?? "");
    index += 1 + values.length;
  }
  return input;
}

function valueFrom(name: string, text: string): unknown {
  if (text.startsWith("{") || text.startsWith("[")) return JSON.parse(text);
  return NUMBERS.has(name) ? Number(text) : text;
}

/** `Key=k,Value=v` */
function pairs(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(",").map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}
