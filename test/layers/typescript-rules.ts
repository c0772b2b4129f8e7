// Which TypeScript file may import which: the rooms (renderer -> contract <- app -> addon) and the floors inside app.
// Imports are read from the syntax tree, so a comment or a string that looks like one does not count.
import { posix } from "node:path";
import ts from "typescript";
import type { Problem, Source } from "./source.ts";

/** What each folder of app may import from app besides itself. A type is no dependency at run time, and any floor may
 * name the shapes of a lower or equal one; `import type` is therefore checked against `typesFrom` too. */
const floors: Record<string, { imports: readonly string[]; typesFrom: readonly string[] }> = {
  cli: { imports: ["library", "server", "channels", "studio", "media", "settings"], typesFrom: ["engine"] },
  server: { imports: ["channels", "studio", "media", "settings"], typesFrom: ["engine"] },
  ipc: { imports: ["channels", "studio", "media", "settings"], typesFrom: ["engine"] },
  windows: { imports: ["ipc", "channels", "studio", "engine", "settings"], typesFrom: [] },
  channels: {
    imports: ["studio", "export", "presets", "history", "media", "models", "settings"],
    typesFrom: ["engine", "jobs"],
  },
  library: { imports: ["studio", "media", "settings"], typesFrom: ["engine"] },
  studio: {
    imports: ["jobs", "engine", "export", "history", "media", "models", "presets", "text", "settings"],
    typesFrom: [],
  },
  export: { imports: ["engine", "media"], typesFrom: ["history", "studio"] },
  presets: { imports: ["media", "models", "settings"], typesFrom: ["studio"] },
  jobs: { imports: ["engine", "history", "media", "models", "text", "settings"], typesFrom: ["studio"] },
  engine: { imports: [], typesFrom: [] },
  history: { imports: [], typesFrom: ["engine", "studio"] },
  media: { imports: [], typesFrom: ["engine"] },
  models: { imports: ["engine", "media"], typesFrom: ["studio"] },
  text: { imports: [], typesFrom: [] },
  settings: { imports: [], typesFrom: ["engine", "studio"] },
};

/** The two files that may load the addon. */
const addonLoaders = ["app/engine/worker.ts", "app/engine/load.ts"];
/** The only part of app that is allowed to know Electron. */
const electronFiles = /^app\/(main|preload)\.ts$|^app\/(windows|ipc)\//;
const domNames = ["document", "window", "localStorage", "sessionStorage", "navigator", "HTMLElement"];
const nodeNames = ["process", "Buffer", "require", "__dirname", "__filename", "global"];

interface Import {
  specifier: string;
  typeOnly: boolean;
}

export function typescriptProblems(sources: readonly Source[]): Problem[] {
  return sources.filter(({ path }) => /\.(ts|tsx|js|mjs|cjs|svelte)$/.test(path)).flatMap(problemsOf);
}

function problemsOf({ path, text }: Source): Problem[] {
  const script = path.endsWith(".svelte") ? scriptsOf(text) : text;
  const file = ts.createSourceFile(path.replace(/\.svelte$/, ".svelte.ts"), script, ts.ScriptTarget.Latest, true);
  return [
    ...importsOf(file).flatMap((found) => importProblems(path, found)),
    ...nameProblems(path, file),
    ...addonProblems(path, file),
    ...defaultExportProblems(path, file),
  ].map((problem) => `${path} ${problem}`);
}

/** What a component's script elements hold. */
function scriptsOf(component: string): string {
  return [...component.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map((found) => found[1]).join("\n");
}

function importsOf(file: ts.SourceFile): Import[] {
  const found: Import[] = [];
  visit(file, (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const typeOnly = ts.isImportDeclaration(node) ? importsTypesOnly(node) : node.isTypeOnly;
      found.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, typeOnly });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ specifier: (node.argument.literal as ts.StringLiteral).text, typeOnly: true });
    } else if (ts.isCallExpression(node) && isImportCall(node)) {
      const [argument] = node.arguments;
      if (argument && ts.isStringLiteralLike(argument)) found.push({ specifier: argument.text, typeOnly: false });
    }
  });
  return found;
}

function importsTypesOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (!importClause) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = importClause;
  return (
    !name &&
    !!namedBindings &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((one) => one.isTypeOnly)
  );
}

function isImportCall({ expression }: ts.CallExpression): boolean {
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword ||
    (ts.isIdentifier(expression) && expression.text === "require") ||
    (ts.isPropertyAccessExpression(expression) && expression.getText() === "require.resolve")
  );
}

function importProblems(path: string, { specifier, typeOnly }: Import): Problem[] {
  const room = roomOf(path);
  if (!specifier.startsWith(".")) return packageProblems(path, room, specifier);
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  const problems: Problem[] = [];
  if (!/\.(ts|svelte|css|json|js)$/.test(target)) problems.push(`imports ${specifier} without the file's own ending`);
  const targetRoom = roomOf(target);
  const allowed: Record<string, readonly string[]> = {
    contract: ["contract"],
    renderer: ["renderer", "contract"],
    app: ["app", "contract"],
    tools: ["tools", "contract", "app"],
    test: ["test", "tools", "contract", "app", "renderer"],
  };
  // The names in package.json (version and the like) are nobody's room.
  if (target === "package.json") return problems;
  if (!allowed[room]?.includes(targetRoom))
    return [...problems, `imports ${target}: ${room} may not import ${targetRoom}`];
  if (room === "app" && targetRoom === "app") problems.push(...floorProblems(path, target, typeOnly));
  return problems;
}

function packageProblems(path: string, room: string, specifier: string): Problem[] {
  if (room === "contract") return [`imports ${specifier}: contract imports nothing`];
  if (room === "renderer" && (specifier.startsWith("node:") || specifier === "electron"))
    return [`imports ${specifier}: no Node in renderer`];
  if (room === "app" && specifier === "electron" && !electronFiles.test(path))
    return [`imports electron outside main.ts, preload.ts, windows/ and ipc/`];
  return [];
}

function floorProblems(path: string, target: string, typeOnly: boolean): Problem[] {
  const [from, to] = [floorOf(path), floorOf(target)];
  // Files directly in app (main.ts, preload.ts) boot everything.
  if (from === to || from === "") return [];
  const rule = floors[from];
  if (!rule) return [`lies in app/${from}, a folder test/layers/typescript-rules.ts does not know`];
  if (rule.imports.includes(to) || (typeOnly && rule.typesFrom.includes(to))) return [];
  return [`imports ${target}${typeOnly ? " (types)" : ""}: app/${from} may not import app/${to || "(root)"}`];
}

function roomOf(path: string): string {
  return path.split("/")[0] ?? "";
}

function floorOf(path: string): string {
  const parts = path.split("/");
  return parts.length > 2 ? parts[1]! : "";
}

/** Names of another world's globals: the browser's in app, Node's in contract and renderer. */
function nameProblems(path: string, file: ts.SourceFile): Problem[] {
  const room = roomOf(path);
  const names = room === "app" ? domNames : room === "contract" || room === "renderer" ? nodeNames : [];
  const declared = new Set<string>();
  const used = new Set<string>();
  visit(file, (node) => {
    if (!ts.isIdentifier(node) || !names.includes(node.text)) return;
    const { parent } = node;
    const isDeclared =
      (ts.isVariableDeclaration(parent) ||
        ts.isParameter(parent) ||
        ts.isBindingElement(parent) ||
        ts.isImportSpecifier(parent)) &&
      parent.name === node;
    if (isDeclared) declared.add(node.text);
    else if (readsGlobal(node)) used.add(node.text);
  });
  const world = room === "app" ? "DOM" : "Node";
  return [...used].filter((name) => !declared.has(name)).map((name) => `uses ${name}: no ${world} in ${room}`);
}

function readsGlobal(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return parent.expression === node;
  return (
    ts.isTypeReferenceNode(parent) ||
    (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword)
  );
}

/** Native code is loaded in two files; where the binary lies is known to the engine's folder only. */
function addonProblems(path: string, file: ts.SourceFile): Problem[] {
  if (roomOf(path) !== "app" && roomOf(path) !== "renderer") return [];
  if (addonLoaders.includes(path)) return [];
  const problems: Problem[] = [];
  visit(file, (node) => {
    const isPath = ts.isStringLiteralLike(node) && node.text.endsWith("rushes.node");
    if (isPath && !path.startsWith("app/engine/"))
      problems.push(`names ${node.text}: only app/engine knows where the addon lies`);
    if (ts.isIdentifier(node) && ["createRequire", "dlopen"].includes(node.text))
      problems.push(`uses ${node.text}: only ${addonLoaders.join(" and ")} load the addon`);
  });
  return problems;
}

function defaultExportProblems(path: string, file: ts.SourceFile): Problem[] {
  if (/\.config\.(ts|js)$/.test(path)) return [];
  const problems: Problem[] = [];
  visit(file, (node) => {
    const isDefault =
      ts.isExportAssignment(node) ||
      (ts.isExportSpecifier(node) && node.name.text === "default") ||
      (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword));
    if (isDefault) problems.push("has a default export");
  });
  return problems;
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}
