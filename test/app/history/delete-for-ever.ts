// A program that deletes and purges the results of a library one after the other until it is killed (results.test.ts).
import { rm } from "node:fs/promises";
import { openDatabase } from "../../../app/history/database.ts";
import { findResults } from "../../../app/history/reads/find.ts";
import { discardFiles } from "../../../app/history/writes/discard-files.ts";
import { deleteResults, purgeResults } from "../../../app/history/writes/results.ts";

const database = openDatabase(process.argv[2] ?? "");
process.stdout.write("begins\n");
for (const id of findResults(database, {})) {
  deleteResults(database, [id]);
  purgeResults(database, [id]);
  await discardFiles(database, (path) => rm(path));
}
setInterval(() => {}, 1000);
