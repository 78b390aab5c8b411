import { onTestFinished } from "vitest";
import { type Clock, VirtualClock } from "../../../src/simulator/clock.ts";
import type { RegionState } from "../../../src/simulator/control/state-schema.ts";
import { type OpenRegion, openRegion } from "../../../src/simulator/scenario/open-region.ts";
import { readScenario } from "../../../src/simulator/scenario/read-scenario.ts";

interface Answered {
  readonly status: number;
  readonly type: string | null;
  // Each test says what it takes it for.
  // biome-ignore lint/suspicious/noExplicitAny: an answer in JSON
  readonly body: any;
}

/** A region that is open until the test ends, and its control API. */
export class Controlled<C extends Clock = VirtualClock> {
  readonly region: OpenRegion;
  readonly clock: C;

  private constructor(region: OpenRegion, clock: C) {
    this.region = region;
    this.clock = clock;
  }

  /** `text`: a scenario. */
  static async open(text: string): Promise<Controlled>;
  static async open<C extends Clock>(text: string, clock: C): Promise<Controlled<C>>;
  static async open(text: string, clock: Clock = new VirtualClock()): Promise<Controlled<Clock>> {
    const region = await openRegion(readScenario(text), { clock });
    onTestFinished(() => region.close());
    return new Controlled(region, clock);
  }

  /** A body that is a text is sent as it stands. */
  async call(method: string, path: string, body?: unknown): Promise<Answered> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(`${this.region.url}/_simulator/${path}`, {
      method,
      ...(body === undefined ? {} : { body: text }),
    });
    return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.json() };
  }

  /** What an operation that must succeed answers. */
  async post(path: string, body: unknown): Promise<Answered["body"]> {
    const { status, body: answered } = await this.call("POST", path, body);
    if (status !== 200) throw new Error(`${path}: ${JSON.stringify(answered)}`);
    return answered;
  }

  async state(): Promise<RegionState> {
    return (await this.call("GET", "state")).body as RegionState;
  }

  /** A call to AWS, by its parameters: the answer's status and text. */
  async aws(parameters: string): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await fetch(this.region.url, { method: "POST", body: parameters });
    return { status: answer.status, text: await answer.text() };
  }
}

export const DESCRIBE_INSTANCES = "Version=2016-11-15&Action=DescribeInstances";
