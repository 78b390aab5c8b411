import type { AwsClientOptions } from "../aws/clients.ts";
import type { AwsPlace } from "../aws/places.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import type { EarlyReleaseFor } from "../drain/early-release.ts";
import type { Machines } from "../provider/aws-provider.ts";
import { createEngine, type Engine, type EngineOptions, type ProviderAt } from "./engine.ts";

/**
 * As `createEngine`, for one account and region or several. What several need is loaded only if they are configured.
 */
export async function openEngine(config: Config, given: EngineOptions = {}): Promise<Engine> {
  const { awsPlaces: places, region } = config;
  const options = { ...given, earlyRelease: await earlyReleaseOf(config) };
  if (places === undefined) return createEngine(config, options);
  const { PlacesProvider } = await import("../provider/places-provider.ts");
  const { clock = new SystemClock() } = options;
  const accessTo = await placesAccess(config, {
    clock,
    aws: { ...options.aws, ...(options.time && { time: options.time }) },
  });
  const joined = (providerAt: ProviderAt) => {
    const makeAll = (machines: Machines) =>
      places.map((place) => {
        const { name, region: there, role } = place;
        return {
          name,
          region: there,
          accountId: role?.accountId,
          provider: providerAt(accessTo(place), { place: name, machines }),
        };
      });
    return new PlacesProvider(makeAll, region);
  };
  return createEngine(config, { ...options, clock, joined });
}

async function earlyReleaseOf(config: Config): Promise<EarlyReleaseFor | undefined> {
  if (!config.earlyRelease) return undefined;
  const { EarlyRelease } = await import("../drain/early-release.ts");
  return (drains) => new EarlyRelease({ ...drains, settleMs: config.earlyReleaseSettleMs });
}

interface AccessOptions {
  readonly clock: Clock;
  readonly aws?: Omit<AwsClientOptions, "region">;
}

/** The clients' region in a place, and the credentials of its role. */
export async function placesAccess(
  config: Config,
  { clock, aws = {} }: AccessOptions,
): Promise<(place: AwsPlace) => Pick<AwsClientOptions, "region" | "credentials">> {
  const { assumedRole } = await import("../aws/assumed-role.ts");
  const own = { ...awsClientOptions(config), ...aws };
  return ({ region, role }) =>
    role === undefined ? { region } : { region, credentials: assumedRole(role, { ...own, region }, clock) };
}
