import { expect, test } from "vitest";
import type { AwsProvider } from "../../src/provider/aws-provider.ts";
import { PlacesProvider } from "../../src/provider/places-provider.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

test("each account and region has a request quota of its own", () => {
  const clock = new VirtualClock();
  const provider = new PlacesProvider(
    (machines) =>
      ["eu-west-1", "us-east-1"].map((region) => {
        const clients = new SimulatedRegion({}, { region, clock }).clients();
        const ofPlace = awsProvider(clients, { place: region, machines }, clock, 0.05).provider as AwsProvider;
        return { name: region, region, provider: ofPlace };
      }),
    "eu-west-1",
  );
  const pools = [
    ["eu-west-1", "one"],
    ["eu-west-1", "two"],
    ["us-east-1", "three"],
  ].map(([place = "", name = ""]) => ({ kind: "alb" as const, id: `arn:${name}`, name, place }));
  const [one = 0, two = 0, three = 0] = provider.msToDeregister(pools);
  expect(two).toBeGreaterThan(one);
  expect(three).toBe(one);
});
