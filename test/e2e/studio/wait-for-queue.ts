// A program that opens the library it is given and runs its queue until every job has ended. Tests end it by force.
import { openStudio } from "../../../app/studio/open-studio.ts";

const studio = await openStudio({ libraryFolder: process.argv[2] ?? "" });
const waiting = studio.list({ limit: 1000 }).filter(({ state }) => state === "queued" || state === "running");
console.log("begun");
await Promise.all(waiting.map(({ id }) => studio.wait(id)));
await studio.close();
