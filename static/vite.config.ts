// How the web clients are built: one bundle set, one HTML page per client, assets shared below /assets/.
import { existsSync } from 'node:fs'
import { fileURLToPath, URL } from 'node:url'
import { VantResolver } from '@vant/auto-import-resolver'
import vue from '@vitejs/plugin-vue'
import components from 'unplugin-vue-components/vite'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import { build, type Plugin, type Rolldown, type UserConfig } from 'vite'
import { clients } from './scripts/clients.mjs'
import { parts } from './scripts/parts.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const server = process.env['OCTSHOP_DEV_SERVER'] ?? 'http://127.0.0.1:8080'

// Vant's icon style names a font on a foreign host; browsers ask for it although the font is inlined beside it.
const noRemoteFont: Plugin = {
  name: 'no-remote-font',
  enforce: 'pre',
  transform(code, id) {
    if (!id.includes('vant') || !id.includes('icon') || !id.endsWith('.css')) return null
    return code.replace(/,\s*url\(\/\/at\.alicdn\.com[^)]*\)\s*format\([^)]*\)/g, '')
  },
}

// In development /shop/order/1 must answer shop/index.html, as the server does.
const historyFallback: Plugin = {
  name: 'history-fallback',
  configureServer(dev) {
    dev.middlewares.use((request, _response, next) => {
      const client = clients.find((name) => request.url?.startsWith(`/${name}/`))
      if (client && request.headers.accept?.includes('text/html')) request.url = `/${client}/index.html`
      next()
    })
  },
}

const config = (partOf: (id: string) => string | null): UserConfig => ({
  root: here,
  base: '/',
  appType: 'mpa',
  plugins: [
    noRemoteFont,
    historyFallback,
    vue(),
    components({ dts: false, dirs: [], resolvers: [VantResolver(), ElementPlusResolver()] }),
  ],
  define: { __VUE_OPTIONS_API__: true, __VUE_PROD_DEVTOOLS__: false, __INTLIFY_PROD_DEVTOOLS__: false },
  resolve: { alias: { '@kit': `${here}kit` } },
  server: {
    proxy: {
      '/api': server,
      '/sandbox': server,
      '/im': { target: server, ws: true },
    },
  },
  build: {
    target: ['chrome100', 'safari15.4', 'firefox110'],
    manifest: true,
    sourcemap: false,
    assetsInlineLimit: 2048,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      input: Object.fromEntries(
        clients.filter((name) => existsSync(`${here}${name}/index.html`)).map((name) => [name, `${here}${name}/index.html`]),
      ),
      output: {
        codeSplitting: {
          groups: [
            { name: 'vue', test: /node_modules[\\/](vue|@vue|vue-i18n|@intlify)[\\/]/, priority: 20 },
            { name: partOf, debugName: 'parts', includeDependenciesRecursively: false }, // parts.mjs sees to it that no circle begins
          ],
        },
      },
    },
  },
})

// Once as the bundler divides it, which tells who needs what; then in the parts that follow from it.
export default async ({ command }: { command: string }): Promise<UserConfig> => {
  if (command !== 'build') return config(() => null)
  const alone = config(() => null)
  const told = await build({ ...alone, configFile: false, logLevel: 'error', build: { ...alone.build, write: false, minify: false } })
  const names = parts((told as Rolldown.RolldownOutput).output)
  return config((id) => names.get(id) ?? null)
}
