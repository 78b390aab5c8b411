import { EXPECTED } from "./expected.ts";
import { GUARD_EXPECTED } from "./guard-expected.ts";
import { OWN_HOOK_EXPECTED } from "./own-hook-expected.ts";
import { POSTPONE_EXPECTED } from "./postpone-expected.ts";
import { QUEUE_EXPECTED } from "./queue-expected.ts";
import type { Expected } from "./table.ts";
import { UNDO_EXPECTED } from "./undo-expected.ts";

/** Every table of the suite. */
export const TABLES: readonly Expected[] = [
  EXPECTED,
  UNDO_EXPECTED,
  GUARD_EXPECTED,
  QUEUE_EXPECTED,
  OWN_HOOK_EXPECTED,
  POSTPONE_EXPECTED,
];
