import { type Command, run } from "./commands.ts";
import { ALWAYS, AT_THE_END, WATCHERS } from "./invariants.ts";
import { ModelCase } from "./model-case.ts";
import type { WorldSpec } from "./world.ts";

/** With nothing wrong any more, whatever a case has begun is over by then. */
const ENDS_WITHIN_MS = 2_400_000;

/** Plays a script in a world, and checks all along. Returns what there was to be seen; throws what is wrong. */
export async function play(spec: WorldSpec, script: readonly Command[]): Promise<ModelCase> {
  const model = new ModelCase(spec, WATCHERS);
  await model.begin();
  for (const command of script) {
    await run(model, command);
    check(model);
  }
  model.faults.mend();
  await model.clock.advance(ENDS_WITHIN_MS);
  check(model);
  for (const invariant of AT_THE_END) await invariant(model);
  return model;
}

function check(model: ModelCase): void {
  const [wrong] = model.wrong;
  if (wrong !== undefined) throw wrong;
  for (const invariant of ALWAYS) invariant(model);
}
