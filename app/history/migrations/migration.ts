// The form of one migration. Numbers rise in tens and are never reused; a shipped migration is never edited.

export interface Migration {
  /** Becomes the database's user_version. */
  number: number;
  name: string;
  sql: string;
}
