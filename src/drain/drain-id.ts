import { randomBytes } from "node:crypto";

/** Short enough to read out, long enough not to repeat in a day's logs. */
export function newDrainId(): string {
  return `d-${randomBytes(5).toString("hex")}`;
}
