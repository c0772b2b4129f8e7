// Serves one folder and one page to a browser on this machine, with the byte ranges that video elements ask for.
import { createReadStream, statSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";

export interface LocalServer {
  url: string;
  close(): Promise<void>;
}

/** `page` answers /, files of the folder answer by name. */
export async function serve(folder: string, page: string): Promise<LocalServer> {
  const server = createServer((request, response) => {
    const name = basename(decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname));
    if (name === "") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
    else if (name === "favicon.ico") response.writeHead(404).end();
    else sendFile(join(folder, name), request.headers.range, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server) };
}

function sendFile(path: string, range: string | undefined, response: ServerResponse): void {
  const { size } = statSync(path);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  const start = Number(from ?? 0);
  const end = to ? Number(to) : size - 1;
  const headers = { "content-type": "video/mp4", "accept-ranges": "bytes", "content-length": end - start + 1 };
  if (from === undefined) response.writeHead(200, headers);
  else response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${end}/${size}` });
  createReadStream(path, { start, end }).pipe(response);
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())));
}
