// electron-builder calls this before it packs (electron-builder.yml): what is missing, stale or of another system is refused,
// then the notices are written that go beside the program.
import { Arch } from "electron-builder";
import { packingProblem } from "./check-packed-files.ts";
import { writeNotices } from "./make-notices.ts";

/** The part of electron-builder's context that is read here. */
export interface Packing {
  electronPlatformName: string;
  arch: Arch;
  packager: { projectDir: string };
}

/** Throws a sentence where this tree cannot be packed. */
export function beforePack({ electronPlatformName, arch, packager }: Packing): void {
  const wanted = { platform: electronPlatformName, arch: Arch[arch] };
  const problem = packingProblem(packager.projectDir, wanted);
  if (problem !== null) throw new Error(problem);
  writeNotices(packager.projectDir);
}
