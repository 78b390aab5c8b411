// Reads the output of `demo --json` and draws docs/demo.svg: `npm run demo:picture`.
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { demoPicture } from "./demo-picture.ts";

writeFileSync("docs/demo.svg", demoPicture(JSON.parse(await text(process.stdin))));
