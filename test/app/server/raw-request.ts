// Requests that fetch refuses to make: any Host, any path, pieces at a time; and what came back.
import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Everything after the status line. */
  readonly text: string;
}

/** Sends lines as they are and reads until the server closes the connection. */
export function rawRequest(port: number, lines: readonly string[], body = ""): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (piece) => (text += piece.toString("latin1")));
    socket.on("error", reject);
    socket.on("close", () => resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text }));
    socket.write(`${[...lines, "connection: close"].join("\r\n")}\r\n\r\n${body}`);
  });
}
