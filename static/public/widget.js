// The shop's chat on any site: <script async src="…/widget.js" data-shop="…"></script>
// Optional: data-lang="en", data-entry="…" (a customer vouched for by the site's own server).
// window.octshop: open(), close(), cart({count, amount_fen, titles}), entry(text).
(() => {
  'use strict'
  const tag = document.currentScript
  const shop = tag && tag.dataset.shop
  if (!shop || window.octshop) return
  const base = new URL(tag.src).origin
  const zh = (tag.dataset.lang || navigator.language || 'zh').toLowerCase().startsWith('zh')
  const words = zh ? { open: '联系客服', close: '收起客服', frame: '在线客服', unread: '条未读' }
    : { open: 'Chat with us', close: 'Close the chat', frame: 'Live chat', unread: 'unread' }
  const keep = `octshop.widget.${shop}`
  const kept = () => { try { return localStorage.getItem(keep) } catch { return null } }
  const mark = () => { try { localStorage.setItem(keep, '1') } catch { /* asked anew on the next page */ } }
  let frame = null
  let ready = false
  let shown = false
  let entry = tag.dataset.entry || ''
  let cart = null

  const host = document.createElement('div')
  const root = host.attachShadow({ mode: 'open' })
  root.innerHTML = `<style>
    :host { all: initial; }
    button { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; width: 56px; height: 56px; border: 0;
      border-radius: 28px; background: #1a5fd0; color: #fff; cursor: pointer; box-shadow: 0 6px 24px rgb(24 33 48 / 30%); }
    button:focus-visible { outline: 3px solid #1a5fd0; outline-offset: 3px; }
    svg { width: 26px; height: 26px; vertical-align: middle; fill: none; stroke: currentColor; stroke-width: 2; }
    b { position: absolute; top: -4px; right: -4px; min-width: 20px; box-sizing: border-box; padding: 0 5px;
      border-radius: 10px; background: #c21530; font: 700 12px/20px system-ui, sans-serif; }
    b:empty { display: none; }
    iframe { position: fixed; right: 20px; bottom: 88px; z-index: 2147483000; width: 380px; border: 0; display: none;
      height: min(600px, calc(100vh - 110px)); border-radius: 12px; box-shadow: 0 6px 24px rgb(24 33 48 / 30%); }
    iframe.shown { display: block; }
    @media (max-width: 480px) { iframe { inset: 0; width: 100vw; height: 100dvh; border-radius: 0; } }
  </style><button type="button" aria-expanded="false"><svg viewBox="0 0 24 24" aria-hidden="true">
    <path d="M4 5h16v11H9l-5 4z" stroke-linejoin="round"/></svg><b></b></button>`
  const button = root.querySelector('button')
  const badge = root.querySelector('b')

  const say = (k, more) => frame && ready && frame.contentWindow.postMessage({ octshop: 'widget', k, ...more }, base)
  const page = () => say('page', {
    page: location.origin + location.pathname, title: document.title.slice(0, 120), referrer: document.referrer, cart,
  })

  function load() {
    if (frame) return
    frame = document.createElement('iframe')
    frame.title = words.frame
    frame.referrerPolicy = 'origin'
    frame.allow = 'clipboard-write'
    frame.src = `${base}/widget/${encodeURIComponent(shop)}${tag.dataset.lang ? `?lang=${encodeURIComponent(tag.dataset.lang)}` : ''}`
    root.append(frame)
  }

  function show(now) {
    shown = now
    if (now) {
      load()
      mark()
    }
    if (frame) frame.classList.toggle('shown', now)
    button.setAttribute('aria-expanded', String(now))
    label(0)
    say(now ? 'open' : 'hide')
    if (!now) button.focus()
  }

  function label(unread) {
    badge.textContent = unread ? String(Math.min(unread, 99)) : ''
    button.setAttribute('aria-label', shown ? words.close : unread ? `${words.open} (${unread} ${words.unread})` : words.open)
  }

  window.addEventListener('message', (event) => {
    if (event.origin !== base || !frame || event.source !== frame.contentWindow) return
    const said = event.data
    if (!said || said.octshop !== 'widget') return
    if (said.k === 'ready') {
      ready = true
      if (entry) say('entry', { entry })
      page()
      if (shown) say('open')
    } else if (said.k === 'unread' && !shown) label(Number(said.n) || 0)
    else if (said.k === 'close') show(false)
  })
  button.addEventListener('click', () => show(!shown))
  for (const name of ['popstate', 'hashchange']) window.addEventListener(name, page)
  for (const name of ['pushState', 'replaceState']) {
    const before = history[name]
    history[name] = function (...given) {
      before.apply(this, given)
      setTimeout(page, 0)
    }
  }
  window.octshop = {
    open: () => show(true),
    close: () => show(false),
    cart: (now) => { cart = now; page() },
    entry: (text) => { entry = text; say('entry', { entry }) },
  }
  const start = () => {
    document.body.append(host)
    label(0)
    // Somebody who has talked before is told of answers without opening it again.
    if (kept()) load()
  }
  if (document.body) start()
  else document.addEventListener('DOMContentLoaded', start)
})()
