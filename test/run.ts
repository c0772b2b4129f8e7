// Runs every suite of the project and counts. One line a suite; the very last line is the sum. The exit code is 1 when
// anything failed, a suite crashed, or a suite ran nothing.
//   ./rushes test [--only NAME]... [--quick]
import { parseArgs } from "node:util";
import { cardSuites } from "./suites/card-suites.ts";
import { nativeSuites } from "./suites/native-suites.ts";
import { logFolder, type Result, runSuite, type Suite, sum } from "./suites/suite.ts";
import { programSuites, typescriptSuites } from "./suites/typescript-suites.ts";

const suites: readonly Suite[] = [...typescriptSuites, ...nativeSuites, ...cardSuites, ...programSuites];
const names = suites.map(({ name }) => name).join(", ");

const help = `rushes test [--only NAME]... [--quick]
  --only NAME  run this suite only; may be repeated: ${names}
  --quick      leave out what takes minutes: ${suites.flatMap(({ name, quick }) => (quick ? [] : [name])).join(", ")}
`;

function chosenSuites(): readonly Suite[] {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true },
      quick: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    process.exit(0);
  }
  const unknown = values.only?.find((name) => !suites.some((suite) => suite.name === name));
  if (unknown !== undefined) throw new TypeError(`There is no suite "${unknown}". Suites: ${names}`);
  return suites.filter(({ name, quick }) => (values.only ? values.only.includes(name) : quick || !values.quick));
}

function countsOf({ passed, failed, skipped }: Result): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function main(): Promise<void> {
  const chosen = chosenSuites();
  const results: Result[] = [];
  for (const suite of chosen) {
    const started = performance.now();
    const result = await runSuite(suite);
    results.push(result);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${suite.name.padEnd(10)} ${countsOf(result).padEnd(36)} ${seconds.padStart(7)} s`);
    for (const note of result.notes) console.log(note.replace(/^/gm, "    "));
  }
  const total = sum(results);
  if (total.failed > 0) console.log(`The logs are in ${logFolder}`);
  console.log(countsOf(total));
  process.exitCode = total.failed > 0 ? 1 : 0;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof TypeError ? error.message : error);
  process.exitCode = 2;
}
