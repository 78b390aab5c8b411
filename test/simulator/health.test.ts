import { describe, expect, test } from "vitest";
import { HEALTHY, one } from "./pool.ts";

describe("health", () => {
  const REGISTERING = {
    State: "initial",
    Reason: "Elb.RegistrationInProgress",
    Description: "Target registration is in progress",
  };
  const CHECKING = {
    State: "initial",
    Reason: "Elb.InitialHealthChecking",
    Description: "Initial health checks in progress",
  };
  const TIMEOUT = { State: "unhealthy", Reason: "Target.Timeout", Description: "Request timed out" };

  test.each([
    { type: "application" as const, registrationMs: 5_000 },
    { type: "network" as const, registrationMs: 90_000 },
  ])("of a new $type target: registered, then checked, then healthy after one good check", async (input) => {
    const { region, node, register, name } = one({ nodes: [], type: input.type });
    await register({ Id: node.id });
    await region.clock.advance(input.registrationMs - 1);
    expect(await name({ Id: node.id })).toEqual([REGISTERING]);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([CHECKING]);
    await region.clock.advance(29_999);
    expect(await name({ Id: node.id })).toEqual([CHECKING]);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
  });

  test("turns bad after two failed checks, and good again after five", async () => {
    const { region, node, name } = one();
    region.world.setAnswering(node, false);
    await region.clock.advance(59_999);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([TIMEOUT]);
    region.world.setAnswering(node, true);
    await region.clock.advance(149_999);
    expect(await name({ Id: node.id })).toEqual([TIMEOUT]);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
  });

  test("is remembered although nobody looked", async () => {
    const { region, node, name } = one();
    region.world.setAnswering(node, false);
    await region.clock.advance(3_600_000);
    region.world.setAnswering(node, true);
    await region.clock.advance(60_000);
    expect(await name({ Id: node.id })).toEqual([TIMEOUT]);
  });

  test("survives a hiccup that is shorter than two checks", async () => {
    const { region, node, name } = one();
    region.world.setAnswering(node, false);
    await region.clock.advance(59_999);
    region.world.setAnswering(node, true);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
  });

  test("of a new target that never answers: unhealthy without having been healthy", async () => {
    const { region, node, register, name } = one({ nodes: [] });
    region.world.setAnswering(node, false);
    await register({ Id: node.id });
    await region.clock.advance(5_000 + 60_000);
    expect(await name({ Id: node.id })).toEqual([TIMEOUT]);
  });
});
