// A list of prompts given to the window, kept until the Many prompts dialog takes it up.

export interface PromptFile {
  readonly fileName: string;
  readonly content: string;
}

class OfferedPrompts {
  #file = $state.raw<PromptFile | null>(null);

  /** The list that was given last and not taken yet. */
  get file(): PromptFile | null {
    return this.#file;
  }

  offer(fileName: string, content: string): void {
    this.#file = { fileName, content };
  }

  /** Gives the list once. */
  take(): PromptFile | null {
    const file = this.#file;
    this.#file = null;
    return file;
  }
}

export const promptFile = new OfferedPrompts();
