// Whether this shop runs with the sandbox phone beside it, which the page's own address tells without asking.
export const demo = ['127.0.0.1', 'localhost', '[::1]'].includes(location.hostname)

/** Where the sandbox phone pays this QR. */
export const phonePays = (codeUrl: string): string => `/phone/?code_url=${encodeURIComponent(codeUrl)}`
