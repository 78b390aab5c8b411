import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { OPTIONS } from "../../src/config/config.ts";
import { Child } from "../support/child-process.ts";
import { only, readStage } from "../support/dockerfile.ts";
import { Image } from "../support/image.ts";

interface Service {
  readonly build: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly ports: readonly string[];
  readonly read_only: boolean;
}

const text = readFileSync("compose.yaml", "utf8");
const compose: {
  readonly services: Readonly<Record<"simulator" | "service", Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
} = parse(text);
const { simulator, service } = compose.services;

/** What the file tells its reader to type. */
const [, secret = "", request = ""] = /Bearer (\S+)' 'http:\/\/127\.0\.0\.1:8080(\S+)'/.exec(text) ?? [];

describe("compose.yaml", () => {
  test.each(Object.entries(compose.services))("builds %s as the Dockerfile can, for this machine alone", (_, given) => {
    const port = only(readStage(given.build.target), "EXPOSE").words[0];
    const [first, ...others] = given.ports ?? [];
    expect(first).toBe(`127.0.0.1:${port}:${port}`);
    expect(others.filter((each) => !each.startsWith("127.0.0.1:"))).toEqual([]);
    expect(given.read_only).toBe(true);
  });

  test("starts the service once the region answers, and points it there", () => {
    expect(service.depends_on).toEqual({ simulator: { condition: "service_healthy" } });
    const port = simulator.command?.[simulator.command.indexOf("--port") + 1];
    expect(service.environment?.["AWS_ENDPOINT_URL"]).toBe(`http://simulator:${port}`);
    expect(simulator.command?.join(" ")).toContain("--host 0.0.0.0");
  });

  test("sets nothing that the service doesn't know, and its secret by a file", () => {
    const known = Object.values(OPTIONS).map(({ variable }) => variable);
    const set = Object.keys(service.environment ?? {}).filter(
      (name) => !/^AWS_(ENDPOINT_URL|\w+_KEY(_ID)?)$/.test(name),
    );
    expect(set.filter((name) => !known.includes(name))).toEqual([]);
    const [name = ""] = service.secrets ?? [];
    expect(service.environment?.["SECRET_FILE"]).toBe(`/run/secrets/${name}`);
    expect(readFileSync(compose.secrets[name]?.file ?? "", "utf8").trim()).toBe(secret);
  });

  test("drains a node of the region by the request that it shows", async () => {
    const [region, program] = await Promise.all([Image.of("simulator"), Image.of("service")]);
    // Containers have addresses and ports of their own; processes share this machine's.
    const alone = (simulator.command ?? []).map(
      (word) => ({ "0.0.0.0": "127.0.0.1", "4566": "0", "4600": "0" })[word] ?? word,
    );
    const running = new Child(region.program(alone), []);
    const [, AWS_ENDPOINT_URL = ""] = (await running.line(/ENDPOINT/)).split("=");
    await running.line(/^# Ready/);
    const entrances = running.output.match(/ load balancer .*: http/g) ?? [];
    const firstPort = Number(simulator.command?.[simulator.command.indexOf("--first-port") + 1]);
    const published = `${firstPort}-${firstPort + entrances.length - 1}`;
    expect(simulator.ports).toContain(`127.0.0.1:${published}:${published}`);
    const started = new Child(program.program(), [], {
      ...service.environment,
      AWS_ENDPOINT_URL,
      SECRET_FILE: `${process.cwd()}/${compose.secrets[service.secrets?.[0] ?? ""]?.file}`,
      HOST: "127.0.0.1",
      PORT: "0",
    });
    const { port } = JSON.parse(await started.line(/"listening"/));
    const headers = { Authorization: `Bearer ${secret}` };
    const answer = await fetch(`http://127.0.0.1:${port}${request}`, { method: "POST", headers });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      status: "drained",
      registrations: [
        { kind: "alb", state: "released" },
        { kind: "nlb", state: "released" },
        { kind: "classic", state: "released" },
      ],
    });
  });
});
