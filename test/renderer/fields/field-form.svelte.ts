// A form of one field for tests: it keeps the value as a view would, and lets the test see every change.
import {
  defaultSettings,
  type SettingId,
  type SettingLimit,
  type Settings,
} from "../../../contract/settings/derive.ts";
import type { FieldState } from "../../../renderer/fields/kinds.ts";

export class FieldForm {
  values = $state.raw<Partial<Settings>>({});
  problem = $state.raw<FieldState["problem"]>(null);
  readonly changes: Partial<Settings>[] = [];
  readonly id: SettingId;
  readonly limit: SettingLimit;
  readonly inherited: Settings;

  constructor(id: SettingId, limit: SettingLimit = {}, inherited: Partial<Settings> = {}) {
    this.id = id;
    this.limit = limit;
    this.inherited = { ...defaultSettings(), ...inherited };
  }

  get field(): FieldState {
    const { id, values, inherited, limit, problem } = this;
    const isSet = id in values;
    const value = isSet ? values[id]! : inherited[id];
    // A null that was set is a value too.
    const shown = isSet && values[id] === null ? null : value;
    return {
      id,
      value: shown as never,
      inherited: inherited[id],
      isSet,
      source: isSet ? "form" : "default",
      problem,
      limit,
    };
  }

  change = (values: Partial<Settings>): void => {
    this.changes.push(values);
    this.values = { ...this.values, ...values };
  };

  reset = (): void => {
    this.values = {};
  };
}
