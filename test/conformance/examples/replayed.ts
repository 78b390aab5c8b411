import { simulatedActions } from "../../../src/simulator/api/answer.ts";
import { endpoint } from "../../support/endpoint.ts";
import { buildClassic } from "./classic-scene.ts";
import { compare, type Difference } from "./comparison.ts";
import { buildEc2, buildSts } from "./ec2-scene.ts";
import { buildElbv2 } from "./elbv2-scene.ts";
import { type Answer, type Example, replay, SERVICES } from "./example.ts";
import { buildScaling } from "./scaling-scene.ts";
import { Scene } from "./scene.ts";

const BUILDERS: Readonly<Record<string, (scene: Scene) => void | Promise<void>>> = {
  elbv2: buildElbv2,
  elb: buildClassic,
  autoscaling: buildScaling,
  ec2: buildEc2,
  sts: buildSts,
};

/** An example, and how the simulator has answered it. */
export interface Replayed {
  readonly example: Example;
  readonly answer: Answer;
  /** Empty where the answer is the example's. A refusal is one difference, whose place is its code. */
  readonly differences: readonly Difference[];
}

/** Whether the simulator has the action of an example. */
export function isSimulated({ service, action }: Example): boolean {
  const api = SERVICES[service];
  return api !== undefined && (simulatedActions()[api]?.includes(action) ?? false);
}

/** Replays each example in a region of its own. Where its action is not simulated, there is nothing in it. */
export async function replayAll(examples: readonly Example[]): Promise<readonly Replayed[]> {
  const scenes = examples.map((example) => new Scene(example));
  for (const scene of scenes) if (isSimulated(scene.example)) await BUILDERS[scene.example.service]?.(scene);
  const calls = [];
  for (const scene of scenes) {
    const { service, action, input } = scene.example;
    calls.push({ service, action, input: scene.translated(input), endpoint: await endpoint(scene.region.simulator) });
  }
  const answers = await replay(calls);
  return scenes.map((scene, index) => {
    const answer = answers[index];
    if (answer === undefined) throw new Error("a call has no answer");
    return { example: scene.example, answer, differences: differencesOf(answer, scene) };
  });
}

function differencesOf(answer: Answer, scene: Scene): readonly Difference[] {
  const { output } = scene.example;
  if ("error" in answer) return [{ place: answer.error.code, answered: answer.error.message, shown: output }];
  return compare(answer.result, scene.translated(output), scene.known);
}
