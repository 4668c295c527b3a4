// Whether this shop runs with the sandbox phone beside it, which the page's own address tells without asking.
import { computed } from 'vue'

export const demo = computed(() => ['127.0.0.1', 'localhost', '[::1]'].includes(location.hostname))
