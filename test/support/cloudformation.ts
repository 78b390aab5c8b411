import { readFileSync } from "node:fs";
import { type CollectionTag, parse, type ScalarTag } from "yaml";

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

interface Parameter {
  readonly Type: "String" | "Number";
  readonly Description?: string;
  readonly Default?: string | number;
  readonly AllowedPattern?: string;
  readonly AllowedValues?: readonly (string | number)[];
  readonly MinValue?: number;
  readonly MaxValue?: number;
  readonly MinLength?: number;
  readonly MaxLength?: number;
}

export interface Resource {
  readonly Type: string;
  // What a test reads of it is for the test to know.
  // biome-ignore lint/suspicious/noExplicitAny: a property is whatever its type of resource says
  readonly Properties: Readonly<Record<string, any>>;
}

interface Content {
  readonly Parameters: Readonly<Record<string, Parameter>>;
  readonly Conditions?: Readonly<Record<string, Json>>;
  readonly Resources: Readonly<Record<string, Resource & { readonly Condition?: string }>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: Json; readonly Condition?: string }>>;
}

/** The short forms of functions, as CloudFormation's long ones. */
const FUNCTIONS = ["Ref", "Sub", "GetAtt", "If", "Equals", "Not"];
const TAGS = FUNCTIONS.flatMap((name): readonly (ScalarTag | CollectionTag)[] => {
  const key = name === "Ref" ? name : `Fn::${name}`;
  const resolve = (value: unknown) => ({ [key]: value });
  return [
    { tag: `!${name}`, resolve: (text: string) => resolve(text) },
    { tag: `!${name}`, collection: "seq", resolve: (items) => resolve((items as { toJSON(): unknown }).toJSON()) },
  ];
});
const NOTHING = "AWS::NoValue";

/** A template of deploy/cloudformation, and what becomes of it in an account. */
export class Template {
  readonly text: string;
  readonly content: Content;

  constructor(name: string) {
    this.text = readFileSync(`deploy/cloudformation/${name}.yaml`, "utf8");
    this.content = parse(this.text, { customTags: TAGS });
  }

  get parameters(): Readonly<Record<string, Parameter>> {
    return this.content.Parameters;
  }

  /** A stack, with its resources named as in the template. */
  stack(given: Readonly<Record<string, string>> = {}, region = "eu-west-1"): Stack {
    const defaults = Object.entries(this.parameters).map(([name, { Default }]) => [name, Default] as const);
    return new Stack(this.content, { ...Object.fromEntries(defaults), ...given }, region);
  }
}

export class Stack {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly #content: Content;
  readonly #names: Readonly<Record<string, unknown>>;
  readonly #region: string;
  readonly #partition: string;

  constructor(content: Content, parameters: Readonly<Record<string, unknown>>, region: string) {
    this.#content = content;
    this.#region = region;
    this.#partition = region.startsWith("cn-") ? "aws-cn" : "aws";
    const pseudo = { "AWS::Region": region, "AWS::AccountId": "123456789012", "AWS::Partition": this.#partition };
    this.#names = { ...parameters, ...pseudo, [NOTHING]: undefined };
    const made = ({ Condition }: { readonly Condition?: string }) => Condition === undefined || this.#holds(Condition);
    const { Resources, Outputs = {} } = content;
    const of = (entries: object) =>
      this.#resolved(Object.fromEntries(Object.entries(entries).filter(([, it]) => made(it))));
    this.resources = of(Resources) as Readonly<Record<string, Resource>>;
    this.outputs = of(Outputs) as Readonly<Record<string, unknown>>;
  }

  resource(name: string): Resource["Properties"] {
    const { [name]: found } = this.resources;
    if (found === undefined) throw new Error(`no resource ${name}`);
    return found.Properties;
  }

  /** By name, those of one type. */
  ofType(type: string): Readonly<Record<string, Resource["Properties"]>> {
    const found = Object.entries(this.resources).filter(([, { Type }]) => Type === type);
    return Object.fromEntries(found.map(([name, { Properties }]) => [name, Properties]));
  }

  #holds(condition: string): boolean {
    return this.#resolved(this.#content.Conditions?.[condition]) === true;
  }

  #resolved(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#resolved(each)).filter((each) => each !== undefined);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    const [[name, argument] = ["", undefined]] = entries;
    if (entries.length === 1 && (name === "Ref" || name.startsWith("Fn::"))) return this.#call(name, argument);
    const resolved = entries.map(([key, each]) => [key, this.#resolved(each)] as const);
    return Object.fromEntries(resolved.filter(([, each]) => each !== undefined));
  }

  #call(name: string, argument: unknown): unknown {
    if (name === "Ref") return this.#ref(String(argument));
    if (name === "Fn::GetAtt") return this.#attribute(String(argument));
    if (name === "Fn::Sub") return this.#sub(argument);
    if (!Array.isArray(argument)) throw new Error(`${name} of ${JSON.stringify(argument)}`);
    const [first, second, third] = argument;
    if (name === "Fn::If") return this.#resolved(this.#holds(String(first)) ? second : third);
    if (name === "Fn::Equals") return String(this.#resolved(first)) === String(this.#resolved(second));
    if (name === "Fn::Not") return this.#resolved(first) !== true;
    throw new Error(`${name} is not known here`);
  }

  #sub(argument: unknown): string {
    const [text, variables] = (Array.isArray(argument) ? argument : [argument, {}]) as [
      string,
      Record<string, unknown>,
    ];
    return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
      if (name in variables) return String(this.#resolved(variables[name]));
      return String(name.includes(".") ? this.#attribute(name) : this.#ref(name));
    });
  }

  #ref(name: string): unknown {
    if (name in this.#names) return this.#names[name];
    const { Type } = this.#made(name);
    if (Type === "AWS::SQS::Queue") return `https://sqs.${this.#region}.amazonaws.com/123456789012/${name}`;
    return Type === "AWS::IAM::ManagedPolicy" ? `arn:${this.#partition}:iam::123456789012:policy/${name}` : name;
  }

  #attribute(path: string): string {
    const [name = "", attribute] = path.split(".");
    const { Type } = this.#made(name);
    if (attribute !== "Arn") throw new Error(`the attribute ${path} is not known here`);
    const kinds: Readonly<Record<string, string>> = {
      "AWS::SQS::Queue": "sqs::",
      "AWS::Events::Rule": "events::rule/",
      "AWS::Lambda::Function": "lambda::function:",
      "AWS::Logs::LogGroup": "logs::log-group:",
      "AWS::IAM::Role": "iam::role/",
    };
    const [service, prefix] = kinds[Type]?.split("::") ?? [];
    if (service === undefined) throw new Error(`the ARN of a ${Type} is not known here`);
    return `arn:${this.#partition}:${service}:${this.#region}:123456789012:${prefix}${name}`;
  }

  #made(name: string): Resource {
    const { [name]: found } = this.#content.Resources;
    if (found === undefined) throw new Error(`the template has no ${name}`);
    return found;
  }
}
