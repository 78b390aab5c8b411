import { differences, type Expected, Including, Lacking, Refusal } from "./comparison.ts";
import type { Call, Clients, Row } from "./row.ts";

/**
 * A control plane with nothing in it that a row has not named. A name brings its thing about, the first time it is used in
 * a row:
 *
 * - `node`, `other`: running instances, in a subnet of the zone `zone`. `nodeIp`: the address of `node`
 * - `web`: a target group on HTTP port 30080, behind the ALB `alb` with the listener `webListener` on port 80
 * - `flows`: one on TCP port 30080, behind the NLB `nlb` with the listener `flowsListener` on port 80
 * - `idle`: one on HTTP port 30080, behind no load balancer
 * - `classic`: a classic load balancer on HTTP, without draining
 * - `workers`: an Auto Scaling group of 1 to 3 instances that wants 2: `member` and `second`
 * - `vpc`, `subnetA`, `subnetB`, `zone`: of a network that is there from the start
 */
export interface Stage {
  readonly clients: Clients;
  thing(name: string): Promise<string>;
  /** Nothing where there is no time. */
  pass(seconds: number): Promise<void>;
}

/** Plays a row. Returns where the answer departs from what AWS documents. */
export async function play(row: Row, stage: Stage): Promise<readonly string[]> {
  return await outcomeOf(row, stage, row.answers);
}

/** Plays a row on moto. Returns where the answer departs from what the row says of moto. */
export async function playOnMoto(row: Row, stage: Stage): Promise<readonly string[]> {
  const { answers } = row.moto ?? row;
  try {
    return await outcomeOf(row, stage, answers);
  } catch (error) {
    // Where moto refuses a preparation, that is its difference.
    if (row.moto === undefined || !(answers instanceof Refusal) || !isAnswer(error)) throw error;
    return differencesOf(error, answers);
  }
}

async function outcomeOf(row: Row, stage: Stage, expected: Expected): Promise<readonly string[]> {
  const kept = new Map<string, string>();
  const name = async (named: string) => kept.get(named) ?? (await stage.thing(named));
  for (const step of row.given ?? []) {
    if ("seconds" in step) {
      await stage.pass(step.seconds);
      continue;
    }
    const answer = await send(step, stage.clients, name);
    for (const [key, path] of Object.entries(step.keep ?? {})) kept.set(key, textAt(answer, path));
  }
  const wanted = await fill(expected, name);
  try {
    const answer = await send(row.call, stage.clients, name);
    return wanted instanceof Refusal ? [`succeeds instead of ${wanted.code}`] : differences(answer, wanted as Expected);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    if (wanted instanceof Refusal) return differencesOf(error, wanted);
    const { code, status, message } = refusalOf(error);
    return [`fails with ${status} ${code}: ${message}`];
  }
}

function differencesOf(error: AnsweredError, { code, status, message }: Refusal): readonly string[] {
  const refusal = refusalOf(error);
  return differences(refusal, { code, status, message: message ?? refusal.message });
}

async function send(call: Call, clients: Clients, name: (named: string) => Promise<string>): Promise<unknown> {
  const client = clients[call.api] as unknown as Readonly<Record<string, (input: unknown) => Promise<unknown>>>;
  const method = call.action.charAt(0).toLowerCase() + call.action.slice(1);
  return client[method]?.(await fill(call.input, name));
}

/** Replaces each name in braces. */
async function fill(value: unknown, name: (named: string) => Promise<string>): Promise<unknown> {
  if (typeof value === "string") {
    let filled = value;
    for (const [braces, named = ""] of value.matchAll(/\{(\w+)\}/g)) filled = filled.replace(braces, await name(named));
    return filled;
  }
  if (value instanceof Including) return new Including((await fill(value.items, name)) as readonly Expected[]);
  if (value instanceof Lacking) return new Lacking((await fill(value.items, name)) as readonly Expected[]);
  if (Array.isArray(value)) {
    const filled: unknown[] = [];
    for (const each of value) filled.push(await fill(each, name));
    return filled;
  }
  if (typeof value !== "object" || value === null || value instanceof RegExp || value instanceof Refusal) return value;
  const filled: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(value)) filled[key] = await fill(each, name);
  return filled;
}

/** A path that ends with `?` may lead nowhere. */
function textAt(answer: unknown, path: string): string {
  let value = answer;
  for (const part of path.replace("?", "").split("."))
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[part];
  if (value === undefined && path.endsWith("?")) return "";
  if (typeof value !== "string") throw new Error(`no text at ${path} in ${JSON.stringify(answer)}`);
  return value;
}

/** The SDK's error for an answer, which it has numbered. */
interface AnsweredError {
  readonly name: string;
  readonly message: string;
  readonly Code?: string;
  readonly $metadata: { readonly httpStatusCode?: number };
}

function isAnswer(error: unknown): error is AnsweredError {
  return error instanceof Error && "$metadata" in error;
}

function refusalOf({ Code, name, message, $metadata }: AnsweredError) {
  return { code: Code ?? name, status: $metadata.httpStatusCode ?? 0, message };
}
