import { expect, test } from "vitest";
import { playOnMoto } from "../simulator/documented/play.ts";
import { CAUSES, type Cause } from "../simulator/documented/row.ts";
import { ROWS } from "../simulator/documented/rows.ts";
import { MotoStage } from "./support/moto-stage.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

const QUOTES_MIN = 150;

/** moto answers hundreds of rows. */
const LONG = { timeout: 600_000 };

describeWith("moto_server", "moto, asked for what AWS documents", () => {
  test("answers each row as the row says, and as AWS does where the row does not say otherwise", LONG, async () => {
    // Images take moto most of the time that it needs to forget everything.
    const environment = { MOTO_EC2_LOAD_DEFAULT_AMIS: "false" };
    const server = new RunningProgram("moto_server", ["-H", "127.0.0.1", "-p", "0"], environment);
    const [, url = ""] = await server.said(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
    const clients = MotoStage.clientsOf(url);
    const wrong: string[] = [];
    for (const row of ROWS) {
      const stage = await MotoStage.open(url, clients);
      for (const one of await playOnMoto(row, stage)) wrong.push(`${row.call.action}: ${row.says}: ${one}`);
    }
    expect(wrong).toEqual([]);
    console.info(countOf());
  });
});

describeWith("python", "AWS's own documentation, as botocore ships it", () => {
  test("has every sentence that a row quotes", async () => {
    const services = { elbv2: "elbv2", classic: "elb", ec2: "ec2", scaling: "autoscaling" } as const;
    const quotes = new Map(Object.values(services).map((service) => [service, [] as string[]]));
    for (const { quote, call } of ROWS) if (quote !== undefined) quotes.get(services[call.api])?.push(quote);
    expect([...quotes.values()].flat().length).toBeGreaterThan(QUOTES_MIN);
    const { stdout, stderr } = await new RunningProgram("python", [
      "-m",
      "oracle.quotes",
      JSON.stringify(Object.fromEntries(quotes)),
    ]).ended;
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([]);
  });
});

function countOf(): string {
  const differing = (cause: Cause) => ROWS.filter(({ moto }) => moto?.cause === cause).length;
  const agreed = ROWS.filter(({ moto }) => moto === undefined).length;
  const causes = (Object.keys(CAUSES) as Cause[]).map((cause) => `${differing(cause)} ${CAUSES[cause]}`);
  return `${ROWS.length} documented behaviours; moto agrees with ${agreed}; differences: ${causes.join("; ")}`;
}
