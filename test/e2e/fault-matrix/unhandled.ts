import { afterAll, beforeAll } from "vitest";

/** The reasons of all rejections that nobody handles while the file's tests run. */
export function unhandledRejections(): readonly unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  beforeAll(() => {
    process.on("unhandledRejection", note);
  });
  afterAll(() => {
    process.off("unhandledRejection", note);
  });
  return unhandled;
}
