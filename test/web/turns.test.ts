import { expect, test } from "vitest";
import { Turns } from "../../src/web/turns.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Requests that have begun, by the names that they were given. */
function scene(perTurnMax: number) {
  const turns = new Turns(perTurnMax);
  const begun: string[] = [];
  const run = (address: string, name: string) => turns.run(address, () => void begun.push(name));
  return { begun, run };
}

test("as many requests begin in a turn of the event loop as may, and the others in the next ones", async () => {
  const { begun, run } = scene(2);
  for (let request = 0; request < 5; request += 1) run("a", `a${request}`);
  expect(begun).toEqual(["a0", "a1"]);
  await turn();
  expect(begun).toEqual(["a0", "a1", "a2", "a3"]);
  await turn();
  expect(begun).toEqual(["a0", "a1", "a2", "a3", "a4"]);
});

test("a client's requests wait for its own, not for those of another one", async () => {
  const { begun, run } = scene(2);
  for (let request = 0; request < 1_000; request += 1) run("a", `a${request}`);
  run("b", "b0");
  run("c", "c0");
  await turn();
  await turn();
  expect(begun).toEqual(["a0", "a1", "a2", "b0", "c0", "a3"]);
});

test("a request whose client has gone while it waited never begins", async () => {
  const { begun, run } = scene(1);
  run("a", "a0");
  run("a", "a1")();
  run("b", "b0")();
  await turn();
  await turn();
  expect(begun).toEqual(["a0"]);
});

test("all that waits begins, whenever it came", async () => {
  const { begun, run } = scene(3);
  for (let request = 0; request < 20; request += 1) {
    run(`address-${request % 4}`, `${request}`);
    if (request % 5 === 0) await turn();
  }
  for (let passed = 0; passed < 20; passed += 1) await turn();
  expect(begun.length).toBe(20);
});
