// The commands, their options and their help. What a command does is loaded when it is chosen.
import { Command as Program, CommanderError, Option } from "commander";
import { RushesError } from "../../contract/errors.ts";
import { settingOptions } from "./arguments.ts";
import type { CommandName } from "./command-names.ts";
import type { Command, CommandContext, OptionValues } from "./context.ts";
import { Output } from "./output.ts";

/** What main.ts gives every run. */
export interface RunOptions {
  readonly version: string;
  readonly signal: AbortSignal;
  /** The run's own output, as soon as its options are known. */
  readonly onOutput: (output: Output) => void;
}

type Loader = () => Promise<Command>;

/** A command's name and the words it takes. */
type Usage = CommandName | `${CommandName} ${string}`;

/** Parses normalised words and runs the command; resolves with the exit code. Throws usage.invalid. */
export async function runProgram(words: readonly string[], run: RunOptions): Promise<number> {
  let exitCode = 0;
  const program = withOptions(new Program("rushes"))
    .description("Rushes makes videos from sentences on this machine.")
    .version(run.version, "-V, --version", "print the version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", '\nExample: rushes generate "A red ball bounces on a blue background"');

  const add = (usage: Usage, summary: string, load: Loader): Program =>
    withOptions(program.command(usage).description(summary)).action(async (...parsed: unknown[]) => {
      const command = parsed.at(-1) as Program;
      const values: OptionValues = command.optsWithGlobals();
      const output = new Output({ json: values["json"] === true, verbose: values["verbose"] === true });
      run.onOutput(output);
      const library = typeof values["library"] === "string" ? values["library"] : undefined;
      const context: CommandContext = { output, signal: run.signal, library };
      const action = await load();
      exitCode = await action(context, command.args, values);
    });

  const generate = withSettings(
    add(
      "generate [prompt...]",
      "make a video from a prompt",
      async () => (await import("./commands/generate.ts")).generate,
    ),
  );
  generate
    .option(
      "--prompts-file <file>",
      "many prompts, one a line (.txt), or with settings of their own (.csv, .json, .jsonl)",
    )
    .option("-o, --output <path>", "an extra copy: a file or a folder (also --save-path)");
  withSettings(
    add(
      "settings",
      "print every setting with its value and source",
      async () => (await import("./commands/settings.ts")).settings,
    ),
  );
  add(
    "history [words...]",
    "list videos, or search their prompts",
    async () => (await import("./commands/history.ts")).history,
  )
    .option("--limit <number>", "how many, newest first (default 50)")
    .option("--state <state>", "only queued, running, done, failed or cancelled ones");
  add(
    "queue [action] [jobs...]",
    "show what runs and waits, or pause, resume or cancel it",
    async () => (await import("./commands/queue.ts")).queue,
  );
  add("inspect <files...>", "say what a model file holds", async () => (await import("./commands/inspect.ts")).inspect);
  add("decode <job>", "decode a job's saved latents again", async () => (await import("./commands/decode.ts")).decode);
  add("doctor", "check this machine and every kernel", async () => (await import("./commands/doctor.ts")).doctor);
  add(
    "bench",
    "time the engine against this machine's ceilings",
    async () => (await import("./commands/bench.ts")).bench,
  )
    .option("--quick", "a few seconds instead of minutes")
    .option("--filter <text>", "only operations whose name has this in it")
    .option("--threads <number>", "CPU threads")
    .option("--end-to-end", "a whole 832x480 clip with random weights of Wan2.1 1.3B's sizes (11 GB in the cache)")
    .option("--layers <number>", "with --end-to-end: layers of the transformer, 1 to 30; the text encoder has as few")
    .option("--resolution <WxH>", "with --end-to-end: the clip's size (default 832x480)")
    .option("--num-frames <number>", "with --end-to-end: the clip's frames (default 17)");
  add("serve", "open the studio in a browser", async () => (await import("./commands/serve.ts")).serve)
    .option("--port <number>", "the port; 0 takes any free one (default 7777)")
    .option("--host <address>", "the address to listen on; another one than 127.0.0.1 lets other machines in")
    .option("--allow-host <name>", "a further name the server is reached by; may be repeated", collect)
    .option("--root <folder>", "a folder whose files may be named in the browser; may be repeated", collect)
    .option("--token <file>", "a file with the token (default RUSHES_TOKEN, else a new one at each start)")
    .option("--open", "start the browser");
  add("test [words...]", "run the project's tests", async () => (await import("./commands/test.ts")).test)
    .allowUnknownOption()
    .passThroughOptions();

  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, program.commands.find((command) => command.name() === words[0])?.name());
  }
  return exitCode;
}

function withOptions(program: Program): Program {
  return program
    .option("--json", "print one JSON object and nothing else")
    .option("-v, --verbose", "say more, technical details included")
    .option("--library <folder>", "the library folder (default RUSHES_LIBRARY, else Videos/Rushes)");
}

function withSettings(program: Program): Program {
  program
    .optionsGroup("Model files:")
    .option(
      "--dit-path <file>",
      "the transformer, of two experts the one for high noise (also --high_noise_model_path)",
    )
    .option("--dit-low-path <file>", "the expert for low noise, where there are two (also --low_noise_model_path)")
    .option("--vae-path <file>", "the VAE")
    .option("--text-encoder-path <file>", "the umT5 text encoder")
    .option("--tokenizer-path <file>", "tokenizer.json (default: beside the text encoder)")
    .optionsGroup("Sources of settings:")
    .option("--config <file>", "a config file, TurboDiffusion's config.yaml included")
    .option("--preset <name>", "a preset's name or file");
  for (const { flags, help, group, isList } of settingOptions()) {
    const option = new Option(flags, help).helpGroup(group);
    program.addOption(isList ? option.argParser(joined) : option);
  }
  return program;
}

/** A list that is given in parts. */
function joined(word: string, earlier: string | undefined): string {
  return earlier ? `${earlier},${word}` : word;
}

/** A repeated option's words in order. */
function collect(word: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), word];
}

/** `command` is the one that was named, so that its own help is what helps. */
function usageError({ code, message }: CommanderError, command: string | undefined): RushesError {
  if (code === "commander.help")
    return new RushesError("usage.invalid", {
      sentence: "There is no command.",
      advice: 'Try: rushes generate "A red ball"',
    });
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const sentence = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, "")}.`;
  const meant = rest
    .join(" ")
    .trim()
    .replace(/^\((.*)\)$/, "$1");
  const help = command === undefined ? undefined : `Run \`rushes ${command} --help\`.`;
  return new RushesError("usage.invalid", { sentence, advice: meant || help });
}
