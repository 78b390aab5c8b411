import type { IncomingMessage, ServerResponse } from "node:http";
import type * as z from "zod";
import { problemText } from "../scenario/problem.ts";
import { shapeAdvice } from "../scenario/shape-advice.ts";
import type { Beside } from "../simulator.ts";
import { ControlProblem } from "./control-problem.ts";
import { CONTROL_PREFIX, type ControlledRegion } from "./controlled-region.ts";
import { jsonProblem } from "./json-problem.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { TargetRecord } from "./target-record.ts";

/** An entry of a scenario has some hundred bytes, and may name hundreds of machines. */
const BODY_BYTES_MAX = 256 * 1_024;

/**
 * The control API of a region: it triggers events, and reports the state of the region. It is on AWS's endpoint, has no
 * authentication, and its requests are not calls of AWS: no fault, quota or policy applies to them.
 */
export class Control implements Beside {
  #region: ControlledRegion | undefined;

  /** From now on the region is ready. */
  open(region: Omit<ControlledRegion, "targets">): void {
    this.#region = { ...region, targets: new TargetRecord(region.world) };
  }

  /** Whether a request is for the control API, and not for AWS. */
  isMeant(request: Pick<IncomingMessage, "method" | "url">): boolean {
    return request.url?.startsWith(CONTROL_PREFIX) === true || isAstray(request);
  }

  /** Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, 200, await this.#answer(request));
    } catch (error) {
      const problem = error instanceof ControlProblem ? error : new ControlProblem(500, String(error));
      send(response, problem.status, problem.body(), {
        ...problem.headers,
        "content-type": "application/problem+json",
      });
    }
  }

  async #answer(request: IncomingMessage): Promise<object> {
    const text = await textOf(request);
    if (isAstray(request)) throw new ControlProblem(404, ASTRAY);
    const [path = ""] = (request.url ?? "").slice(CONTROL_PREFIX.length).split("?", 1);
    const operation = operationAt(path, request.method ?? "GET");
    const body = operation.body === undefined ? undefined : read(text, operation.body);
    if (this.#region === undefined)
      throw new ControlProblem(503, "the region is still starting", { headers: { "retry-after": "1" } });
    return operation.run(this.#region, body);
  }
}

const ASTRAY = `this is the endpoint for AWS clients (AWS_ENDPOINT_URL). The control API begins at ${CONTROL_PREFIX}, such as ${CONTROL_PREFIX}state`;

/** What a person or a browser asks, and no AWS client: the root without a call, and the prefix without its slash. */
function isAstray({ method, url }: Pick<IncomingMessage, "method" | "url">): boolean {
  if (`${url}/` === CONTROL_PREFIX) return true;
  return url === "/" && (method === "GET" || method === "HEAD");
}

function operationAt(path: string, method: string): Operation {
  const there = OPERATIONS.filter((operation) => operation.path === path);
  const meant = method === "HEAD" ? "GET" : method;
  const found = there.find((operation) => operation.method === meant);
  if (found !== undefined) return found;
  if (there.length === 0) {
    const paths = [...new Set(OPERATIONS.map((operation) => CONTROL_PREFIX + operation.path))].join(", ");
    throw new ControlProblem(404, `there is no such path: there are ${paths}`);
  }
  const allow = there.map((operation) => operation.method).join(", ");
  throw new ControlProblem(405, `this path takes ${allow}`, { headers: { allow } });
}

/** Rejects if it is too long, or the client disconnects. */
async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    // Excess bytes are read and dropped, because a client that still sends reads no answer.
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk as Buffer);
  }
  if (bytes > BODY_BYTES_MAX)
    throw new ControlProblem(413, `the body has ${bytes} bytes: give at most ${BODY_BYTES_MAX}`);
  return Buffer.concat(chunks).toString("utf8");
}

function read(text: string, schema: z.ZodType): unknown {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new ControlProblem(
      400,
      text.trim() === "" ? "there is no body: give a JSON object" : `the body is not JSON: ${jsonProblem(text)}`,
    );
  }
  const checked = schema.safeParse(given, { error: shapeAdvice });
  if (checked.success) return checked.data;
  const problems = [...new Set(checked.error.issues.map(problemText))];
  throw new ControlProblem(400, problems.join("; "), { problems });
}

function send(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): void {
  if (response.destroyed) return;
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
}
