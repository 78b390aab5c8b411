import { expect, test } from "vitest";
import { Background } from "../../src/app/background.ts";

test("work that fails before it is waited for is told at once, and keeps no other from its end", async () => {
  const told: string[] = [];
  const background = new Background((what, error) => told.push(`${what}: ${(error as Error).message}`));
  let end: () => void = () => {};
  background.add("fails", Promise.reject(new Error("no")));
  const goesOn = new Promise<void>((resolve) => {
    end = resolve;
  });
  background.add("goes on", goesOn);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(["fails: no"]);
  let isOver = false;
  const ended = background.ended().then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  background.add("added meanwhile", Promise.resolve());
  end();
  await ended;
});
