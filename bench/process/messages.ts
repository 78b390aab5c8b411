import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import type { RegionPlan } from "../region.ts";

/** What a client's process tells the simulator's. `elapsedMs`: how far the client's clock has come. */
export type ToSimulator =
  | { readonly type: "build"; readonly plan: RegionPlan }
  | { readonly type: "call"; readonly id: number; readonly elapsedMs: number; readonly body: string };

export type FromSimulator =
  | { readonly type: "built" }
  | { readonly type: "answer"; readonly id: number; readonly answer: ApiAnswer };
