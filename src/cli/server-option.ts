import { type Command, InvalidArgumentError } from "commander";

export interface ServerOptions {
  readonly server?: URL;
}

export function addServerOption(command: Command): Command {
  return command.option(
    "--server <url>",
    "go through the service at this address, with its SECRET, instead of AWS credentials of your own",
    readServer,
  );
}

function readServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new InvalidArgumentError("Give the service's address, such as http://localhost:8080.");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new InvalidArgumentError("Give the address alone: the secret comes from SECRET or SECRET_FILE.");
  }
  return url;
}
