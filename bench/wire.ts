import type { ApiAnswer, ApiName } from "../src/simulator/api/answer.ts";
import type { Clock } from "../src/simulator/clock.ts";
import type { ElbCall, Purpose } from "./purpose.ts";
import type { Tally } from "./tally.ts";

/** The same for every call of every client, half of it on either way. */
const LATENCY_MS = 30;

/** What answers: a simulator in this process or in another. */
export type Answer = (body: string, signal: AbortSignal) => Promise<ApiAnswer>;

const APIS: Readonly<Record<string, ApiName>> = { "2012-06-01": "classic", "2015-12-01": "elbv2", "2016-11-15": "ec2" };

/** The way from one client to AWS and back: it takes its time, and everything on it is counted. */
export class Wire {
  readonly #clock: Clock;
  readonly #answer: Answer;
  readonly #tally: Tally | undefined;

  constructor(clock: Clock, answer: Answer, tally?: Tally) {
    this.#clock = clock;
    this.#answer = answer;
    this.#tally = tally;
  }

  /** `purpose` absent: the client does not say, and the tally makes a guess. */
  async call(body: string, signal: AbortSignal, purpose?: Purpose): Promise<ApiAnswer> {
    const called = readCall(body);
    this.#tally?.sent(called, purpose);
    await this.#clock.sleep(LATENCY_MS / 2, signal);
    const answered = await this.#answer(body, signal);
    await this.#clock.sleep(LATENCY_MS / 2, signal);
    this.#tally?.answered(called, answered, this.#clock.now());
    return answered;
  }
}

function readCall(body: string): ElbCall {
  const params = new URLSearchParams(body);
  const action = params.get("Action") ?? "";
  const isDeregister = action.startsWith("Deregister");
  return {
    api: APIS[params.get("Version") ?? ""] ?? "ec2",
    action,
    pool: params.get("TargetGroupArn") ?? params.get("LoadBalancerName") ?? "",
    ids: isDeregister ? [...params].filter(([name]) => /\.(Id|InstanceId)$/.test(name)).map(([, id]) => id) : [],
  };
}
