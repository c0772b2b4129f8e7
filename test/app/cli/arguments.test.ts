// The words of the command line before they are parsed.
import { describe, expect, test } from "vitest";
import { normaliseArguments } from "../../../app/cli/arguments.ts";
import { allSettings } from "../../../contract/settings/derive.ts";
import { kebabCase, snakeCase } from "../../../contract/settings/flags.ts";

const normal = (line: string) => normaliseArguments(line.split(" ")).join(" ");

describe("spellings", () => {
  test.each([
    ["--num_steps 4", "--num-steps=4"],
    ["--num-steps=4", "--num-steps=4"],
    ["--numSteps 4", "--num-steps=4"],
    ["--dit_path a.pth --vae_path b.pth", "--dit-path=a.pth --vae-path=b.pth"],
    ["--text_encoder_path t.pth --tokenizer_path t.json", "--text-encoder-path=t.pth --tokenizer-path=t.json"],
    ["--save_path x.mp4", "--output=x.mp4"],
    ["--output x.mp4 -o y.mp4", "--output=x.mp4 --output=y.mp4"],
    ["--image_path cat.png", "--image=cat.png"],
    ["--high_noise_model_path h.pth --low_noise_model_path l.pth", "--dit-path=h.pth --dit-low-path=l.pth"],
    ["--dit_low_path l.pth --boundary 0.8", "--dit-low-path=l.pth --boundary=0.8"],
    ["--adaptive_resolution --no-adaptive_resolution", "--adaptive-resolution=true --adaptive-resolution=false"],
    ["--prompts_file list.csv", "--prompts-file=list.csv"],
    ["-n 3", "--num-samples=3"],
    ["--weird_flag value", "--weird-flag value"],
  ])("%s is %s", (given, expected) => expect(normal(given)).toBe(expected));
  test("every setting is a flag in all its spellings", () => {
    for (const { id } of allSettings)
      for (const spelling of [kebabCase(id), snakeCase(id), id])
        expect(normal(`--${spelling}=x`), spelling).toBe(`--${kebabCase(id)}=x`);
  });
});

describe("a flag whose value may be left out never takes the next word", () => {
  test.each([
    ["--quant_linear ball", "--quant-linear=int8 ball"],
    ["--quant-linear int8", "--quant-linear=int8 int8"],
    ["--quant_linear=off ball", "--quant-linear=off ball"],
    ["--no-quant-linear ball", "--quant-linear=off ball"],
    ["--ode ball", "--ode=true ball"],
    ["--no-ode --no_ode", "--ode=false --ode=false"],
    ["--ode=off", "--ode=off"],
    ["--default_norm ball", "--default-norm=true ball"],
    ["ball --quant_linear", "ball --quant-linear=int8"],
  ])("%s is %s", (given, expected) => expect(normal(given)).toBe(expected));
});

describe("values", () => {
  test("may look like flags or be negative", () => {
    expect(normaliseArguments(["--prompt", "--foo", "--sigma_max", "-5"])).toEqual([
      "--prompt=--foo",
      "--sigma-max=-5",
    ]);
  });
  test("may have spaces, lines and = in them", () => {
    expect(normaliseArguments(["--prompt=a=b\nc d"])).toEqual(["--prompt=a=b\nc d"]);
  });
  test("are nothing where the line ends", () => expect(normaliseArguments(["--seed"])).toEqual(["--seed"]));
  test("a settings flag cannot be negated where it has no off", () =>
    expect(normaliseArguments(["--no-seed"])).toEqual(["--no-seed"]));
  test("words after -- are left alone", () =>
    expect(normaliseArguments(["--ode", "--", "--num_steps", "4"])).toEqual(["--ode=true", "--", "--num_steps", "4"]));
});
