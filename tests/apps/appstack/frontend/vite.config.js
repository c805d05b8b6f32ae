// Copyright: the portside.stack contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import { defineConfig } from "vite";
import { WebSocketServer } from "ws";

// In development Vite's own WebSocket, for hot reloading, is at this path.
const LIVE = "/ws";

// The WebSocket of production: says who it is, and everything again.
const live = {
  name: "live",
  configurePreviewServer({ httpServer }) {
    new WebSocketServer({ server: httpServer, path: LIVE }).on("connection", (socket) => {
      socket.on("message", (data) => socket.send(data.toString()));
      socket.send(JSON.stringify({ service: "frontend" }));
    });
  },
};

export default defineConfig({
  plugins: [live],
  esbuild: { jsx: "automatic" },
  cacheDir: "/tmp/vite",
  // Which names are answered to is the proxy's business.
  server: { allowedHosts: true, hmr: { path: LIVE } },
  preview: { allowedHosts: true },
});
