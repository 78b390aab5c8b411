import { describe, expect, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { runCli } from "../support/child-process.ts";
import { runHere } from "../support/run-here.ts";

/** What somebody may type, and what they are told. */
interface Row {
  readonly what: string;
  readonly args: readonly string[];
  readonly code: 1 | 2 | 3;
  readonly says: RegExp;
}

const row = (what: string, args: readonly string[], code: Row["code"], says: RegExp): Row => ({
  what,
  args,
  code,
  says,
});

/** Whatever verb takes a node takes these badly. */
const typedNodeRows = (verb: string): readonly Row[] => [
  row("no node", [verb], 2, /no <node> is given: --help describes it/),
  row("two nodes", [verb, ID, ID], 2, /too many arguments for \w+: 2 instead of 1/),
  row("an empty node", [verb, ""], 2, /'' is not a node name: give one such as ip-/),
  row("a blank node", [verb, "  "], 2, /' {2}' is not a node name/),
  row("a malformed id", [verb, "i-abcdefg"], 2, /'i-abcdefg' is not an instance id: give one such as i-/),
  row("a malformed address", [verb, "10.0.1.999"], 2, /'10\.0\.1\.999' is not an IP address: give one such as 10\./),
  row("a malformed name", [verb, "under_score"], 2, /'under_score' is not a node name/),
  row("a name of another script", [verb, "größe"], 2, /'größe' is not a node name/),
  row("an escape sequence", [verb, "\u001b[31m"], 2, /'\?\[31m' is not a node name/),
  row("text that runs backwards", [verb, "a\u202eb"], 2, /'a\?b' is not a node name/),
  row("two lines", [verb, "a\nb"], 2, /'a\?b' is not a node name/),
  row("a name without end", [verb, "a".repeat(100_000)], 2, /'a{80}…' is not a node name: give one/),
  row("a flag given a value it has not", [verb, ID, "--json=1"], 2, /unknown option '--json=1': did you mean --json\?/),
];

/** Those of a verb that has the options of the engine. */
const nodeRows = (verb: string): readonly Row[] => [
  ...typedNodeRows(verb),
  row("a flag without its value", [verb, ID, "--discovery"], 2, /--discovery has no value: give --discovery <scope>/),
  row(
    "several wrong options",
    [verb, ID, "--discovery", "y", "--vpc-id", "x"],
    2,
    /2 problems:\n {2}--vpc-id is 'x'.*\n {2}--discovery is 'y'/,
  ),
  row("a node that there is not", [verb, "10.9.9.9"], 1, /no live instance .* has the address 10\.9\.9\.9/),
  row(
    "a node of another cluster",
    [verb, ID, "--cluster-name", "prod"],
    3,
    /belongs to the cluster 'demo', and --cluster-name is 'prod'/,
  ),
  row("a node of another VPC", [verb, ID, "--vpc-id", "vpc-00000000"], 3, /and --vpc-id is 'vpc-00000000'/),
];

/** Verbs that can go through a service take it badly too. Nothing listens on port 1. */
const addressRows = (verb: string, node: readonly string[] = [ID]): readonly Row[] => [
  row("no address", [verb, ...node, "--server", ""], 2, /--server is '': give the URL of the service, such as http:/),
  row(
    "an address of another kind",
    [verb, ...node, "--server", "ftp://h"],
    2,
    /: give the URL of the service, such as http:/,
  ),
  row(
    "a secret in the address",
    [verb, ...node, "--server", "http://u:p@h"],
    2,
    /: give only scheme, host, port and path; the secret comes/,
  ),
  row(
    "an address with a query",
    [verb, ...node, "--server", "http://h/?pw=x"],
    2,
    /give only scheme, host, port and path/,
  ),
  row("no secret", [verb, ...node, "--server", "http://127.0.0.1:1"], 2, /SECRET is not set/),
];

const serverRows = (verb: string, node: readonly string[] = [ID]): readonly Row[] => [
  ...addressRows(verb, node),
  row(
    "a flag that does nothing there",
    [verb, ...node, "--server", "http://127.0.0.1:1", "--discovery", "tag"],
    2,
    /--discovery has no effect with --server: leave it out/,
  ),
];

/** Verbs that list or report. */
const outputRows = (verb: string): readonly Row[] => [
  row(
    "a form that there is not",
    [verb, ID, "-o", "xml"],
    2,
    /--output is 'xml': give one of json, yaml, wide, name\n/,
  ),
  row("an empty form", [verb, ID, "--output="], 2, /--output is '': give one of json, yaml, wide, name/),
  row(
    "two forms",
    [verb, ID, "--json", "-o", "yaml"],
    2,
    /--json and --output yaml contradict each other: give one of/,
  ),
];

const deadlineRows = (verb: string): readonly Row[] => [
  row("a deadline that is no number", [verb, ID, "--deadline", "soon"], 2, /--deadline is 'soon': give seconds/),
  row("a deadline that was", [verb, ID, "--deadline", "-1"], 2, /--deadline is '-1'/),
  row("a deadline out of reach", [verb, ID, "--deadline", "1e309"], 2, /--deadline is '1e309'/),
  row("a deadline above a day", [verb, ID, "--deadline", "86401"], 2, /--deadline is '86401': .* to 86400/),
];

/** A row more for a new verb; one that takes a node has most of them already. */
const VERBS: Readonly<Record<string, readonly Row[]>> = {
  doctor: [
    ...serverRows("doctor", []),
    row("an argument", ["doctor", ID], 2, /too many arguments for doctor: 1 instead of 0/),
    row(
      "a severity that there is not",
      ["doctor", "--fail-on", "fatal"],
      2,
      /--fail-on is 'fatal': give one of error, warning, notice/,
    ),
    row("a severity without a value", ["doctor", "--fail-on"], 2, /--fail-on has no value: give --fail-on <severity>/),
    row(
      "a form that there is not",
      ["doctor", "-o", "xml"],
      2,
      /--output is 'xml': give one of json, yaml, wide, name/,
    ),
    row("a queue that is none", ["doctor", "--queue", "a/b"], 2, /--queue is 'a\/b': give the queue's URL/),
    row(
      "a kubeconfig that is not there",
      ["doctor", "--kubeconfig", "/nowhere/config"],
      2,
      /--kubernetes|\/nowhere\/config/,
    ),
  ],
  serve: [
    row("an argument", ["serve", ID], 2, /too many arguments for serve: 1 instead of 0/),
    row("a flag of another verb", ["serve", "--deadline", "5"], 2, /unknown option '--deadline'/),
    row("no configuration", ["serve"], 2, /2 problems:\n {2}CLOUDPROVIDER is not set.*\n {2}SECRET is not set/),
    row("the secret as a flag", ["serve", "--secret", "x"], 2, /unknown option '--secret'/),
    row("a FIFO queue", ["serve", "--queue", "q.fifo"], 2, /--queue is 'q\.fifo': give a standard queue/),
    row(
      "a queue's ARN",
      ["serve", "--queue", "arn:aws:sqs:eu-west-1:1:q"],
      2,
      /: give the queue's URL, such as https:/,
    ),
    row(
      "a queue with a password",
      ["serve", "--queue", "http://u:p@h/1/q"],
      2,
      /--queue is 'http:\/\/…@h\/1\/q': give/,
    ),
    row("no way with others' events", ["serve", "--queue-foreign", "keep"], 2, /give one of release, delete/),
  ],
  drain: [
    // It takes several nodes.
    ...nodeRows("drain").filter(({ what }) => what !== "two nodes"),
    ...deadlineRows("drain"),
    ...serverRows("drain"),
    row("a force with a value", ["drain", ID, "--force=no"], 2, /unknown option '--force=no'/),
    row("a wait that is none", ["drain", ID, "--wait", "soon"], 2, /--wait/),
    row("a reason without a service", ["drain", ID, "--reason", "spot"], 2, /--reason/),
    row(
      "an eviction without a cluster",
      ["drain", ID, "--evict"],
      2,
      /--evict requires a cluster: set KUBERNETES, or /,
    ),
    row("a selector without its value", ["drain", "-l"], 2, /--selector has no value: give --selector <labels>\n/),
    row("a selector without a cluster", ["drain", "-l", "a=b"], 2, /--selector requires a cluster: set KUBERNETES/),
    row("an empty selector", ["drain", "-l", " "], 2, /a selector is empty or too long: give labels such as/),
    row("a time to end alone", ["drain", ID, "--grace-period", "5"], 2, /--grace-period requires --evict: give both/),
    row("a time to end that is none", ["drain", ID, "--evict", "--grace-period", "-1"], 2, /--grace-period is '-1'/),
    row(
      "an eviction of data alone",
      ["drain", ID, "--delete-emptydir-data", "--disable-eviction"],
      2,
      /--delete-emptydir-data, --disable-eviction requires --evict/,
    ),
    row(
      "a selector of a service, without its secret",
      ["drain", "-l", "pool=blue", "--server", "http://127.0.0.1:1"],
      2,
      /SECRET is not set/,
    ),
    row(
      "an undo file that can't be made",
      ["drain", ID, "--undo-file", "/dev/null/u.json"],
      2,
      /--undo-file is .\/dev\/null/,
    ),
    ...outputRows("drain"),
    row(
      "two nodes of a service that is not there",
      ["drain", ID, "10.0.1.5", "--server", "http://127.0.0.1:1"],
      2,
      /SECRET is not set/,
    ),
  ],
  status: [
    ...nodeRows("status"),
    ...serverRows("status"),
    ...outputRows("status"),
    row(
      "a drain without a service",
      ["status", "d-1"],
      2,
      /the drain d-1 requires --server: only a service knows past/,
    ),
    row("a flag of another verb", ["status", ID, "--deadline", "5"], 2, /unknown option '--deadline'/),
  ],
  plan: [
    ...nodeRows("plan"),
    ...deadlineRows("plan"),
    ...serverRows("plan"),
    ...outputRows("plan"),
    row("a flag of another verb", ["plan", ID, "--dry-run"], 2, /unknown option '--dry-run'/),
  ],
  drains: [
    ...addressRows("drains"),
    ...outputRows("drains"),
    row("two nodes", ["drains", ID, ID], 2, /too many arguments for drains: 2 instead of 1/),
    row("a malformed node", ["drains", "under_score"], 2, /'under_score' is not a node name/),
    row(
      "a status that there is not",
      ["drains", "--status", "ok"],
      2,
      /--status is 'ok': give one of running, ended, /,
    ),
    row(
      "a time without a unit",
      ["drains", "--since", "90"],
      2,
      /--since is '90': give a time from 1s to 366d, such as/,
    ),
    row("no time", ["drains", "--since", "0s"], 2, /--since is '0s': give a time from 1s to 366d/),
    row("a time out of reach", ["drains", "--since", "367d"], 2, /--since is '367d'/),
    row("an escape sequence as time", ["drains", "--since", "\u001b[31m"], 2, /--since is '\?\[31m'/),
    row("no drains", ["drains", "--limit", "0"], 2, /--limit is '0': give a whole number from 1 to 1000/),
    row("too many drains", ["drains", "--limit", "1001"], 2, /--limit is '1001'/),
    row("half a drain", ["drains", "--limit", "1.5"], 2, /--limit is '1\.5'/),
    row("changes without a service", ["drains", "--watch"], 2, /--watch requires --server: give both, or leave it out/),
    row("a status without a service", ["drains", "--status", "running"], 2, /--status requires --server: give both/),
    row("a flag of another verb", ["drains", "--deadline", "5"], 2, /unknown option '--deadline'/),
  ],
  completion: [
    row("no shell", ["completion"], 2, /no <shell> is given: --help describes it/),
    row("a shell that there is not", ["completion", "tcsh"], 2, /<shell> is 'tcsh': give one of bash, zsh, fish\n/),
    row("two shells", ["completion", "bash", "zsh"], 2, /too many arguments for completion: 2 instead of 1/),
    row("an escape sequence", ["completion", "\u001b[31m"], 2, /<shell> is '\?\[31m'/),
  ],
  cancel: [
    row("neither a drain nor a file", ["cancel"], 2, /give a node or the id of a drain, or give --from and a file/),
    row("a drain that is not recorded", ["cancel", "d-1"], 1, /the drain d-1 is not recorded in .*: give --from and/),
    row(
      "a node that was not drained",
      ["cancel", ID],
      1,
      /no drain of i-\w+ is recorded in .*: give --from and a file/,
    ),
    row("a node that there is not", ["cancel", "10.9.9.9"], 1, /no live instance .* has the address 10\.9\.9\.9/),
    row("a malformed node", ["cancel", "under_score"], 2, /'under_score' is not a node name/),
    row(
      "a drain, a file and a service",
      ["cancel", "d-1", "--from", "x", "--server", "http://h"],
      2,
      /--from has no effect with --server: leave one of them out/,
    ),
    row(
      "a file and a service",
      ["cancel", "--from", "x", "--server", "http://h"],
      2,
      /--from has no effect with --server/,
    ),
    row("two drains", ["cancel", "d-1", "d-2"], 2, /too many arguments for cancel: 2 instead of 1/),
    row("a flag of another verb", ["cancel", "d-1", "--wait", "5"], 2, /unknown option '--wait'/),
    row(
      "--undo with a service",
      ["cancel", "d-1", "--server", "http://127.0.0.1:1", "--undo"],
      2,
      /--undo has no effect/,
    ),
    row("no secret", ["cancel", "d-1", "--server", "http://127.0.0.1:1"], 2, /SECRET is not set/),
  ],
  uncordon: [
    ...typedNodeRows("uncordon"),
    ...serverRows("uncordon").filter(({ what }) => what !== "a flag that does nothing there"),
    row(
      "a node that was not drained",
      ["uncordon", ID],
      1,
      /no drain of i-\w+ is recorded in .*: give --from and a file/,
    ),
    row(
      "a context of a service",
      ["uncordon", ID, "--server", "http://127.0.0.1:1", "--kubernetes-context", "prod"],
      2,
      /--kubernetes-context has no effect with --server: leave it out/,
    ),
    row(
      "a file and a service",
      ["uncordon", ID, "--from", "x", "--server", "http://h"],
      2,
      /--from has no effect with --server/,
    ),
    row(
      "two contexts",
      ["uncordon", ID, "--context", "a", "--kubernetes-context", "b"],
      2,
      /--kubernetes-context and --context are the same: give one of them/,
    ),
    row(
      "a kubeconfig that is not there",
      ["uncordon", ID, "--kubeconfig", "/nonexistent/config"],
      2,
      /there is no such file/,
    ),
    row(
      "a file that is not there",
      ["uncordon", ID, "--from", "/nonexistent/drain.json"],
      2,
      /there is no such file \(ENOENT\)/,
    ),
    row("a flag of another verb", ["uncordon", ID, "--deadline", "5"], 2, /unknown option '--deadline'/),
  ],
  hold: [
    ...typedNodeRows("hold"),
    ...addressRows("hold"),
    row("no service", ["hold", ID], 2, /hold requires --server: give the address of the service/),
    row("a flag of another verb", ["hold", ID, "--deadline", "5"], 2, /unknown option '--deadline'/),
  ],
  watch: [
    ...serverRows("watch", []),
    row("an argument", ["watch", ID], 2, /too many arguments for watch: 1 instead of 0/),
    row("a flag of another verb", ["watch", "--deadline", "5"], 2, /unknown option '--deadline'/),
    row(
      "no address",
      ["watch", "--metadata-endpoint", "here"],
      2,
      /--metadata-endpoint is 'here': give an address such/,
    ),
    row(
      "an address with a path",
      ["watch", "--metadata-endpoint", "http://h/x"],
      2,
      /such as http:.*, and nothing after/,
    ),
    row("an escape sequence", ["watch", "--metadata-endpoint", "\u001b[31m"], 2, /--metadata-endpoint is '\?\[31m'/),
    row("a service's metadata", ["watch", "--server", "http://h", "--metadata-endpoint", "x"], 2, /-endpoint is 'x'/),
    row("an interval that is none", ["watch", "--metadata-interval", "soon"], 2, /--metadata-interval is 'soon': give/),
    row(
      "a hook of no name",
      ["watch", "--termination-hook", "a b"],
      2,
      /--termination-hook is 'a b': give the name of/,
    ),
    row(
      "a hook with a service",
      ["watch", "--server", "http://127.0.0.1:1", "--termination-hook", "drain"],
      2,
      /--termination-hook has no effect with --server: leave it out/,
    ),
    row("an interval of nothing", ["watch", "--metadata-interval", "0"], 2, /give seconds from 1 to 30, such as/),
  ],
  policy: [
    row("an argument", ["policy", ID], 2, /too many arguments for policy: 1 instead of 0/),
    row("a flag of another verb", ["policy", "--vpc-id", "vpc-01234567"], 2, /unknown option '--vpc-id'/),
    row(
      "a queue in no URL",
      ["policy", "--queue", "https://h"],
      2,
      /--queue is 'https:\/\/h': give the queue's URL, such/,
    ),
    row(
      "a verb that needs none",
      ["policy", "--for", "demo"],
      2,
      /--for is 'demo': give one of serve, drain, plan, watch, lambda, doctor\n/,
    ),
    row("no partition", ["policy", "--partition", "azure"], 2, /--partition is 'azure': give one of aws, aws-cn, /),
    row("an empty partition", ["policy", "--partition", ""], 2, /--partition is '': give one of aws, /),
    row("an escape sequence", ["policy", "--partition", "\u001b[31m"], 2, /--partition is '\?\[31m': give one of/),
    row("a scope that there is not", ["policy", "--scope", "all"], 2, /--scope is 'all': give one of vpc, tag\n/),
    row(
      "a scope without a cluster",
      ["policy", "--scope", "tag"],
      2,
      /--scope is tag, and CLUSTERNAME is not set: give the name of the cluster/,
    ),
    row(
      "a scope, and a cluster's name that can't be used",
      ["policy", "--scope", "tag", "--cluster-name", "a\nb"],
      2,
      /^hasta-la-vista: --cluster-name is 'a\?b': give at most 256 characters, and no control characters\n$/,
    ),
    row(
      "a cluster's name that no tag can be",
      ["policy", "--scope", "tag", "--cluster-name", "$" + "{aws:username}"],
      2,
      /--cluster-name is '\$\{aws:username\}', which no tag on AWS can be: give letters, digits/,
    ),
    row(
      "a region of another partition",
      ["policy", "--region", "eu-west-1", "--partition", "aws-cn"],
      2,
      /the region eu-west-1 is in the partition aws, not in aws-cn: leave one out/,
    ),
  ],
  rbac: [
    row("an argument", ["rbac", ID], 2, /too many arguments for rbac: 1 instead of 0/),
    row(
      "a verb that needs none",
      ["rbac", "--for", "lambda"],
      2,
      /--for is 'lambda': give one of serve, drain, plan, doctor\n/,
    ),
    row(
      "a name that can't be one",
      ["rbac", "--name", "A b"],
      2,
      /--name is 'A b': give at most 63 lower-case letters/,
    ),
    row("a name of two lines", ["rbac", "--name", "a\nb"], 2, /--name is 'a\?b': give at most 63 lower-case letters/),
    row("no namespace", ["rbac", "--namespace", ""], 2, /--namespace is '': give at most 63 lower-case letters/),
    row("a long namespace", ["rbac", "--namespace", "x".repeat(64)], 2, /: give at most 63 lower-case letters/),
    row("a flag of another verb", ["rbac", "--partition", "aws"], 2, /unknown option '--partition'/),
  ],
  demo: [row("an argument", ["demo", "twice"], 2, /too many arguments for demo: 1 instead of 0/)],
  simulate: [
    row("an argument", ["simulate", "demo.yaml"], 2, /too many arguments for simulate: 1 instead of 0/),
    row("a port that is none", ["simulate", "--port", "65536"], 2, /--port is '65536': give a port from 0 to 65535/),
    row("a negative port", ["simulate", "--port", "-1"], 2, /--port is '-1'/),
    row("half a port", ["simulate", "--port", "80.5"], 2, /--port is '80\.5'/),
    row(
      "an address of another machine",
      ["simulate", "--host", "192.0.2.1"],
      2,
      /--host is '192\.0\.2\.1', which is not/,
    ),
    row("half an address", ["simulate", "--host", "fe80::1"], 2, /--host is 'fe80::1', which is not an address/),
    row("no address", ["simulate", "--host", ""], 2, /--host is '': give an address of this machine/),
    row("a blank address", ["simulate", "--host", "  "], 2, /--host is ' {2}': give an address/),
    row("an escape sequence as address", ["simulate", "--host", "\u001b[31m"], 2, /--host is '\?\[31m', which is not/),
    row("an address without end", ["simulate", "--host", "a".repeat(100_000)], 2, /--host is 'a{80}…', which is not/),
    row("a first port that is none", ["simulate", "--first-port", "65536"], 2, /--first-port is '65536': give a port/),
    row("a first port without room", ["simulate", "--first-port", "65535"], 2, /--first-port is 65535: .* lower one/),
    row("half a seed", ["simulate", "--seed", "1.5"], 2, /--seed is '1\.5': give a whole number from 0 to 2147483647/),
    row("too big a seed", ["simulate", "--seed", "2147483648"], 2, /--seed is '2147483648'/),
    row("a negative speed", ["simulate", "--speed", "-1"], 2, /--speed is '-1': give a number from 0 to 1000/),
    row("too much speed", ["simulate", "--speed", "1001"], 2, /--speed is '1001'/),
    row("a speed out of reach", ["simulate", "--speed", "1e309"], 2, /--speed is '1e309'/),
  ],
};

/** What is no verb at all. */
const NO_VERB: readonly Row[] = [
  row("nothing", [], 2, /^Usage: hasta-la-vista/),
  row("an unknown verb", ["explode"], 2, /unknown command 'explode': give one of serve, drain, plan, /),
  row("a misspelt verb", ["plam", ID], 2, /unknown command 'plam': did you mean plan\?/),
  row("a misspelt verb's help", ["drian", "--help"], 2, /unknown command 'drian': did you mean drain\?/),
  row("help for a misspelt verb", ["help", "drian"], 2, /unknown command 'drian': did you mean drain\?/),
  row("help before a misspelt verb", ["--help", "drian"], 2, /unknown command 'drian'/),
  row("a verb in the wrong case", ["PLAN", ID], 2, /unknown command 'PLAN': give one of serve, drain, plan, /),
  row("an empty verb", [""], 2, /unknown command ''/),
  row("an escape sequence", ["\u001b[31m"], 2, /unknown command '\?\[31m'/),
  row("a flag alone", ["--verbose"], 2, /unknown option '--verbose'/),
  row("a verb's flag alone", ["--json"], 2, /unknown option '--json'/),
];

async function verbsInHelp(): Promise<readonly string[]> {
  const { stdout } = await runHere(["--help"]);
  const [, commands = ""] = stdout.split("\nCommands:\n");
  return [...commands.matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1] ?? "").filter((verb) => verb !== "help");
}

test("every verb that --help lists is swept", async () => {
  const verbs = await verbsInHelp();
  expect(verbs).toContain("drain");
  expect([...verbs].sort()).toEqual(Object.keys(VERBS).sort());
});

describe.each(Object.entries({ "no verb": NO_VERB, ...VERBS }))("%s", (_, rows) => {
  test.each(rows.map((each) => [each.what, each] as const))("%s", async (_what, { args, code, says }) => {
    const { env } = await account();
    const answer = await runHere(args, env);
    const said = answer.stdout + answer.stderr;
    expect(said).toMatch(says);
    expect(answer.code).toBe(code);
    // What could not be asked has no answer that the other end of a pipe could take for one.
    const isAsked = code !== 2 || args.includes("--json");
    expect(isAsked ? "" : answer.stdout).toBe("");
    expect(said).not.toMatch(/\n +at /);
    expect(said.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    expect(said.length).toBeLessThan(2_500);
  });
});

describe.each(Object.keys(VERBS))("%s, as every verb,", (verb) => {
  test("has its own help", async () => {
    const { code, stdout, stderr } = await runHere([verb, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: hasta-la-vista ${verb} `));
  });

  test("refuses an unknown flag: in one object on stdout with --json, and in a sentence on stderr", async () => {
    const { code, stdout, stderr } = await runHere([verb, "--json", "--forse"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^hasta-la-vista: unknown option '--(forse|json)'.*\n$/);
    const message = stderr.slice("hasta-la-vista: ".length, -1);
    expect(JSON.parse(stdout)).toEqual({ error: { code: "usage", message, problems: [message] } });
  });
});

/** Of each verb a start that goes beyond its arguments, so that the bundle has to load what the verb does. */
const BUNDLED: Readonly<Record<string, readonly string[]>> = {
  serve: ["serve", "--port", "x"],
  drain: ["drain", ID, "--json", "--discovery", "y"],
  status: ["status", ID, "--json", "--server", "http://127.0.0.1:1"],
  plan: ["plan", ID, "--json", "--deadline", "60", "--timeout", "0"],
  drains: ["drains", "--json", "--watch"],
  completion: ["completion", "bash"],
  cancel: ["cancel", "--undo", "--json", "--from", "/nonexistent/drain.json"],
  uncordon: ["uncordon", ID, "--json", "--from", "/nonexistent/drain.json"],
  watch: ["watch", "--metadata-interval", "0"],
  hold: ["hold", ID],
  doctor: ["doctor", "--fail-on", "fatal"],
  policy: ["policy", "--for", "plan"],
  rbac: ["rbac", "--for", "plan"],
  // The demo itself is run in test/demo.
  demo: ["demo", "--help"],
  simulate: ["simulate", "--scenario", "/nonexistent/region.yaml"],
};

test("each verb of the bundle has a start that is compared", () => {
  expect(Object.keys(BUNDLED).sort()).toEqual(Object.keys(VERBS).sort());
});

test.each(Object.entries(BUNDLED))(
  "dist/cli.js %s ends with the code and says what the same run says in this process",
  async (verb, args) => {
    const bundled = await runCli(args);
    expect(bundled).toEqual(await runHere(args));
    expect(bundled.code).toBe(["policy", "rbac", "demo", "completion"].includes(verb) ? 0 : 2);
    expect(bundled.stdout + bundled.stderr).not.toBe("");
  },
);

describe("--json has one object on stdout", () => {
  test("for a wrong configuration, with each of its problems", async () => {
    const { code, stdout, stderr } = await runHere(["plan", ID, "--json", "--timeout", "x"], { DISCOVERY: "y" });
    const problems = [
      "DISCOVERY is 'y': give one of vpc, tag",
      "--timeout is 'x': give seconds from 1 to 86400, such as 60",
    ];
    expect(JSON.parse(stdout)).toEqual({ error: { code: "configuration", message: problems.join("; "), problems } });
    expect(stderr).toBe(`hasta-la-vista: 2 problems:\n  ${problems.join("\n  ")}\n`);
    expect(code).toBe(2);
  });

  test("for a plan that can't be made, with the failure's code", async () => {
    const { env } = await account();
    const { code, stdout, stderr } = await runHere(["plan", "10.9.9.9", "--json"], env);
    const message =
      "no live instance in this account and region has the address 10.9.9.9: check it, the region, and the account of the credentials";
    expect(JSON.parse(stdout)).toEqual({ error: { code: "node-not-found", message } });
    expect(stderr).toBe(`hasta-la-vista: ${message} (node-not-found)\n`);
    expect(code).toBe(1);
  });

  test("for the plan of a machine that is terminated, which is no failure", async () => {
    const { world, env } = await account();
    world.terminateInstance(world.instances.get(ID) as never);
    await world.clock.sleep(world.timing.shuttingDownMs, new AbortController().signal);
    const { code, stdout } = await runHere(["plan", ID, "--json"], env);
    expect(JSON.parse(stdout)).toEqual({ status: "instance-gone", message: expect.stringContaining(ID) });
    expect(code).toBe(0);
  });
});
