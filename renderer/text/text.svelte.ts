// The language in use: its words, and numbers, sizes, times and dates in its form. The words themselves are in english/
// and chinese/; labels and help of settings come from the catalogue, their Chinese from chinese/settings-catalogue.ts.
import type { LanguageChoice } from "../../contract/channels/studio.ts";
import { type ErrorRecord, errorTexts } from "../../contract/errors.ts";
import { isSettingId, type SettingId, type SettingProblem, settingOf } from "../../contract/settings/derive.ts";
import { windowAdvice } from "./english/errors.ts";
import { type Dictionary, english } from "./english.ts";

export const languages = ["en", "zh"] as const;
export type Language = (typeof languages)[number];

/** A setting's words in the current language. */
export interface SettingWords {
  readonly label: string;
  readonly help: string;
  /** By the choice's id. */
  readonly choices: Readonly<Record<string, string>>;
}

interface Translation {
  readonly words: Dictionary;
  readonly settings: Readonly<Record<SettingId, SettingWords>>;
  /** Complete by test, not by type: a code added elsewhere shows in English until its sentence is here. */
  readonly errors: Readonly<Partial<Record<ErrorRecord["code"], { readonly text: string; readonly advice: string }>>>;
}

const unitSigns = {
  en: { second: "s", minute: "min", hour: "h" },
  zh: { second: "秒", minute: "分", hour: "小时" },
} as const;

const storageKey = "rushes.language";

class Text {
  #choice = $state<LanguageChoice>(storedChoice());
  #chinese = $state.raw<Translation | null>(null);
  #language = $derived<Language>(this.#choice === "system" ? systemLanguage() : this.#choice);
  /** English until the other words have arrived. */
  #translation = $derived(this.#language === "zh" ? this.#chinese : null);
  #locale = $derived(this.#translation === null ? englishLocale() : "zh-CN");

  /** What the user chose. */
  get choice(): LanguageChoice {
    return this.#choice;
  }

  /** The language the words are in now. */
  get language(): Language {
    return this.#translation === null ? "en" : "zh";
  }

  /** All words of the window, by view. */
  get words(): Dictionary {
    return this.#translation?.words ?? english;
  }

  /** Switches and remembers. Resolves once the words are there. */
  async choose(choice: LanguageChoice): Promise<void> {
    this.#choice = choice;
    localStorage.setItem(storageKey, choice);
    await this.load();
  }

  /** Fetches the words of the chosen language; awaited before the window is drawn, so that nothing flickers. */
  async load(): Promise<void> {
    if (this.#language === "zh" && this.#chinese === null) {
      const [{ chinese }, { settings }, { errors }] = await Promise.all([
        import("./chinese.ts"),
        import("./chinese/settings-catalogue.ts"),
        import("./chinese/errors.ts"),
      ]);
      this.#chinese = { words: chinese, settings, errors };
    }
    document.documentElement.lang = this.language === "zh" ? "zh-CN" : "en";
  }

  setting(id: SettingId): SettingWords {
    if (this.#translation !== null) return this.#translation.settings[id];
    const setting = settingOf(id);
    const choices = "choices" in setting ? setting.choices.map((choice) => [choice.id, choice.label] as const) : [];
    return { label: setting.label, help: setting.help, choices: Object.fromEntries(choices) };
  }

  /** An error's sentence and advice. Sentences of one case exist in English only; in Chinese the code's own sentence
   * stands first and the exact one, where it says more, in `exact`. */
  error(error: Pick<ErrorRecord, "code" | "sentence" | "advice">): { sentence: string; advice: string; exact: string } {
    const translated = this.#translation?.errors[error.code];
    if (!translated) return { sentence: error.sentence, advice: adviceInWindow(error), exact: "" };
    const exact = [error.sentence, error.advice].filter((part) => part !== "").join(" ");
    return { sentence: translated.text, advice: translated.advice, exact };
  }

  /** Sentences that exist in English only: as they are, or `about` in the language in use with them in `exact`. */
  said(about: string, sentences: readonly string[]): { words: string; exact: string } {
    const said = sentences.filter((sentence) => sentence !== "");
    return this.#translation === null ? { words: said.join(" "), exact: "" } : { words: about, exact: said.join("\n") };
  }

  /** What is wrong with a setting's value. */
  problem({ id, sentence, advice }: SettingProblem): { words: string; exact: string } {
    const invalid = this.error({ code: "settings.invalid", sentence, advice });
    const label = isSettingId(id) ? `${this.setting(id).label}：` : "";
    return this.said(`${label}${invalid.sentence}${invalid.advice}`, [sentence, advice]);
  }

  number(value: number, options: Intl.NumberFormatOptions = {}): string {
    return formatter(this.#locale, options).format(value);
  }

  /** 0..1 as "42%". */
  percent(fraction: number): string {
    return this.number(fraction, { style: "percent", maximumFractionDigits: 0 });
  }

  /** "832 × 480". */
  size(width: number, height: number): string {
    return `${width} × ${height}`;
  }

  /** Bytes in binary units with three figures: "5.9 GB" is 5.9 * 2^30. */
  bytes(bytes: number): string {
    const units = ["B", "kB", "MB", "GB", "TB"];
    const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
    const value = bytes / 1024 ** power;
    const digits = power === 0 || value >= 100 ? 0 : 1;
    return `${this.number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${units[power]}`;
  }

  /** A length of time for reading at a glance: "< 0.1 s", "0.4 s", "12 s", "3 min 20 s", "2 h 5 min". */
  seconds(seconds: number): string {
    // The signs of the units, not Intl's words: those differ between kinds of English ("secs").
    const signs = this.language === "zh" ? unitSigns.zh : unitSigns.en;
    const unit = (value: number, name: keyof typeof signs, digits = 0) =>
      `${this.number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${signs[name]}`;
    if (seconds < 0.05) return `< ${unit(0.1, "second", 1)}`;
    if (seconds < 9.95) return unit(seconds, "second", 1);
    const whole = Math.round(seconds);
    if (whole < 60) return unit(whole, "second");
    if (whole < 3600) {
      const rest = whole % 60;
      return rest === 0
        ? unit(whole / 60, "minute")
        : `${unit(Math.floor(whole / 60), "minute")} ${unit(rest, "second")}`;
    }
    const minutes = Math.round(whole / 60);
    const rest = minutes % 60;
    return rest === 0
      ? unit(minutes / 60, "hour")
      : `${unit(Math.floor(minutes / 60), "hour")} ${unit(rest, "minute")}`;
  }

  /** Milliseconds since 1970 as day and time; today's as the time alone. */
  date(at: number, now = Date.now()): string {
    const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
    return dateFormatter(
      this.#locale,
      sameDay ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" },
    ).format(at);
  }

  /** Day and time to the second, for titles and details. */
  exactDate(at: number): string {
    return dateFormatter(this.#locale, { dateStyle: "full", timeStyle: "medium" }).format(at);
  }

  /** "a, b and c" in the language's form. */
  list(parts: readonly string[]): string {
    return new Intl.ListFormat(this.#locale, { type: "conjunction" }).format(parts);
  }
}

/** The code's own advice in words of the window; an advice for one case stands as it is. */
function adviceInWindow({ code, advice }: Pick<ErrorRecord, "code" | "advice">): string {
  return advice === errorTexts[code]?.advice ? (windowAdvice[code] ?? advice) : advice;
}

/** The system's own English where it is one, so that dates have the reader's order. */
function englishLocale(): string {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith("en")) ?? "en-GB";
}

function systemLanguage(): Language {
  const first = navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag));
  return first?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function storedChoice(): LanguageChoice {
  const stored = localStorage.getItem(storageKey);
  return stored === "en" || stored === "zh" ? stored : "system";
}

/** Building a formatter costs much more than using it. */
const formatters = new Map<string, Intl.NumberFormat>();
function formatter(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options);
  let found = formatters.get(key);
  if (!found) formatters.set(key, (found = new Intl.NumberFormat(locale, options)));
  return found;
}

const dateFormatters = new Map<string, Intl.DateTimeFormat>();
function dateFormatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let found = dateFormatters.get(key);
  if (!found) dateFormatters.set(key, (found = new Intl.DateTimeFormat(locale, options)));
  return found;
}

/** The one language of this window. */
export const text = new Text();
