// How the service worker is built: one plain script with all it needs, at the root, because its scope must lie below it.
import { fileURLToPath, URL } from 'node:url'
import { defineConfig } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig({
  root: here,
  publicDir: false,
  resolve: { alias: { '@kit': `${here}kit` } },
  build: {
    target: ['chrome100', 'safari15.4', 'firefox110'],
    emptyOutDir: false,
    modulePreload: false,
    rolldownOptions: {
      input: `${here}kit/push/worker.ts`,
      output: { format: 'iife', entryFileNames: 'push-worker.js' },
    },
  },
})
