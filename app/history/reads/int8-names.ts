// The names of the layers of a job that ran in int8.
import type { HistoryDatabase } from "../database.ts";

/** In the model's order; empty where none did. */
export function readInt8Names(database: HistoryDatabase, id: number): string[] {
  const row = database
    .prepare("SELECT names FROM jobs JOIN int8_layers ON int8_layers.id = jobs.int8_layers_id WHERE jobs.id = ?")
    .get(id) as { names: string } | undefined;
  return row ? (JSON.parse(row.names) as string[]) : [];
}
