// What Next.js would do with app/layout.jsx and app/page.jsx: render them on the server, and send HTML as it is ready.

import { createServer } from "node:http";
import { renderToPipeableStream } from "react-dom/server";
import Layout from "./app/layout.jsx";
import Page from "./app/page.jsx";

const server = createServer((request, response) => {
  if (request.url !== "/") return response.writeHead(404).end();
  const { pipe, abort } = renderToPipeableStream(<Layout><Page /></Layout>, {
    onShellReady() {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" });
      pipe(response);
    },
    onShellError: () => response.writeHead(500).end(),
    onError: (error) => response.destroyed || console.error(error),
  });
  response.on("close", () => abort());
});

server.listen(process.env.PORT ?? 3000, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
