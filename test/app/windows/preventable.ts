// The event object of Electron's emitters: listeners may prevent what is about to happen.

export interface Preventable {
  defaultPrevented: boolean;
  preventDefault(): void;
}

export function preventable<Fields extends object>(fields?: Fields): Preventable & Fields {
  const event = {
    ...fields,
    defaultPrevented: false,
    preventDefault: () => void (event.defaultPrevented = true),
  } as Preventable & Fields;
  return event;
}
