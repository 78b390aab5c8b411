import * as z from "zod";
import type { ControlledRegion } from "./controlled-region.ts";

/** One operation of the control API. */
export interface Operation {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the prefix. */
  readonly path: string;
  /** A sentence. */
  readonly summary: string;
  /** The schema of the body. Absent: it has none. */
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Throws `ControlProblem` to refuse. */
  run(region: ControlledRegion, body: unknown): object | Promise<object>;
}

/** An operation whose body is validated. By default its answer is empty. */
export function operation<B extends z.ZodType>(
  given: Omit<Operation, "body" | "run" | "answer"> & {
    readonly body: B;
    readonly answer?: z.ZodType;
    run(region: ControlledRegion, body: z.infer<B>): object | Promise<object>;
  },
): Operation {
  return { answer: nothing, ...given, run: (region, body) => given.run(region, body as z.infer<B>) };
}

export const nothing = z.object({});

/** Of an operation on machines. */
export const idsAnswer = z.object({ instances: z.array(z.string()).describe("Ids of the machines that it is about.") });
