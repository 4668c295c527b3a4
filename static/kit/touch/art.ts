// Draws still lifes for products as SVG markup, from a seed and a hue. Pure: numbers in, markup out.

type Chance = () => number

function chance(seed: string): Chance {
  let state = 2166136261
  for (const letter of seed) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 16777619)
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2246822507)
    state = Math.imul(state ^ (state >>> 13), 3266489909)
    state ^= state >>> 16
    return (state >>> 0) / 4294967296
  }
}

interface Paint {
  main: string
  deep: string
  pale: string
  cream: string
  warm: string
  leaf: string
}

type Motif = (paint: Paint, roll: Chance) => string

const cup: Motif = (p, roll) => `
  <ellipse cx="120" cy="190" rx="78" ry="13" fill="${p.deep}" opacity=".22"/>
  <ellipse cx="120" cy="184" rx="70" ry="12" fill="${p.cream}"/>
  <path d="M162 118h14a22 22 0 0 1 0 44h-20" fill="none" stroke="${p.cream}" stroke-width="11"/>
  <path d="M70 104h100l-8 58a24 24 0 0 1-24 20h-36a24 24 0 0 1-24-20z" fill="${p.main}"/>
  <path d="M70 104h34l6 78h-8a24 24 0 0 1-24-20z" fill="#fff" opacity=".16"/>
  <ellipse cx="120" cy="104" rx="50" ry="13" fill="${p.deep}"/>
  <ellipse cx="120" cy="105" rx="41" ry="9" fill="hsl(26 46% 36%)"/>
  <path d="M120 112c-10-5-17-8-12-12 4-3 9-1 12 2 3-3 8-5 12-2 5 4-2 7-12 12z" fill="${p.cream}" opacity=".92"/>
  ${[98, 120, 142].map((x) => `<path d="M${x} 84c-8-10 8-16 0-${26 + Math.round(roll() * 10)}" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round" opacity=".6"/>`).join('')}`

const bowl: Motif = (p, roll) => `
  <ellipse cx="120" cy="192" rx="82" ry="13" fill="${p.deep}" opacity=".22"/>
  <ellipse cx="120" cy="118" rx="84" ry="26" fill="${p.cream}"/>
  <path d="M36 118h168a84 70 0 0 1-54 64l-4 10H94l-4-10a84 70 0 0 1-54-64z" fill="${p.main}"/>
  <path d="M36 118h40c2 30 14 52 30 66l-12 8-4-10a84 70 0 0 1-54-64z" fill="#fff" opacity=".14"/>
  <ellipse cx="120" cy="118" rx="72" ry="19" fill="${p.warm}"/>
  ${[0, 1, 2, 3].map((n) => `<path d="M${62 + n * 22} ${112 + (n % 2) * 5}c10-14 24 12 36 0" fill="none" stroke="${p.cream}" stroke-width="6" stroke-linecap="round"/>`).join('')}
  <ellipse cx="${88 + roll() * 14}" cy="110" rx="19" ry="11" fill="${p.cream}"/><circle cx="${94 + roll() * 4}" cy="109" r="8" fill="hsl(38 92% 56%)"/>
  <circle cx="146" cy="114" r="8" fill="${p.leaf}"/><circle cx="158" cy="119" r="6" fill="${p.leaf}"/>
  <path d="M150 40l-22 76M170 44l-32 74" stroke="${p.deep}" stroke-width="6" stroke-linecap="round"/>`

const cake: Motif = (p, roll) => `
  <ellipse cx="120" cy="192" rx="86" ry="13" fill="${p.deep}" opacity=".22"/>
  <ellipse cx="120" cy="184" rx="80" ry="13" fill="${p.cream}"/>
  <path d="M62 116h116v58a58 14 0 0 1-116 0z" fill="${p.warm}"/>
  <path d="M62 140h116v10a58 14 0 0 1-116 0z" fill="${p.cream}"/>
  <ellipse cx="120" cy="116" rx="58" ry="16" fill="${p.main}"/>
  <path d="M62 116c0 16 8 26 14 14s12 18 20 4 14 20 24 4 14 14 22 0 12 16 22 0 14 0 14-22z" fill="${p.main}"/>
  ${[84, 120, 156].map((x, n) => `<circle cx="${x}" cy="${104 - (n % 2) * 6}" r="11" fill="hsl(${350 + roll() * 14} 76% 50%)"/><path d="M${x} ${94 - (n % 2) * 6}c2-8 8-10 12-10" fill="none" stroke="${p.leaf}" stroke-width="4" stroke-linecap="round"/>`).join('')}`

const bottle: Motif = (p, roll) => `
  <ellipse cx="120" cy="198" rx="66" ry="11" fill="${p.deep}" opacity=".22"/>
  <path d="M82 96h76l-9 96a10 10 0 0 1-10 8h-38a10 10 0 0 1-10-8z" fill="${p.pale}"/>
  <path d="M85 126h70l-6 66a10 10 0 0 1-10 8h-38a10 10 0 0 1-10-8z" fill="${p.main}"/>
  <path d="M82 96h20l6 104h-7a10 10 0 0 1-10-8z" fill="#fff" opacity=".24"/>
  <rect x="74" y="82" width="92" height="16" rx="8" fill="${p.cream}"/>
  <path d="M128 84l16-48" stroke="${p.deep}" stroke-width="8" stroke-linecap="round"/>
  ${[0, 1, 2, 3, 4, 5].map((n) => `<circle cx="${98 + (n % 3) * 20 + roll() * 6}" cy="${168 + Math.floor(n / 3) * 16}" r="7" fill="${p.deep}" opacity=".75"/>`).join('')}
  <circle cx="156" cy="84" r="20" fill="hsl(48 92% 60%)"/><circle cx="156" cy="84" r="14" fill="hsl(50 95% 72%)"/>`

const flower: Motif = (p, roll) => `
  <ellipse cx="120" cy="200" rx="56" ry="10" fill="${p.deep}" opacity=".22"/>
  <path d="M92 132h56l-8 60a8 8 0 0 1-8 7h-24a8 8 0 0 1-8-7z" fill="${p.main}"/>
  <path d="M92 132h18l4 67h-6a8 8 0 0 1-8-7z" fill="#fff" opacity=".2"/>
  ${[[84, 78, -18], [120, 58, 0], [158, 82, 20]].map(([x = 0, y = 0, lean = 0]) => `
    <path d="M120 136Q${120 + lean} 110 ${x} ${y}" fill="none" stroke="${p.leaf}" stroke-width="5"/>
    ${[0, 1, 2, 3, 4, 5].map((n) => `<ellipse cx="${x}" cy="${y - 15}" rx="9" ry="14" fill="${roll() > 0.5 ? p.cream : p.warm}" transform="rotate(${n * 60} ${x} ${y})"/>`).join('')}
    <circle cx="${x}" cy="${y}" r="9" fill="hsl(42 92% 56%)"/>`).join('')}
  <path d="M104 128c-26-4-34-18-34-28 18 0 32 8 36 26zM136 126c22-4 32-16 32-26-18 0-30 8-34 24z" fill="${p.leaf}"/>`

const gift: Motif = (p, roll) => `
  <ellipse cx="120" cy="196" rx="80" ry="12" fill="${p.deep}" opacity=".22"/>
  <rect x="58" y="108" width="124" height="86" rx="8" fill="${p.main}"/>
  <rect x="58" y="108" width="40" height="86" rx="8" fill="#fff" opacity=".14"/>
  <rect x="48" y="86" width="144" height="34" rx="8" fill="${p.deep}"/>
  <rect x="106" y="86" width="28" height="108" fill="${p.cream}"/>
  <path d="M120 84c-12-34-52-34-48-10 3 16 32 12 48 10zM120 84c12-34 52-34 48-10-3 16-32 12-48 10z" fill="none" stroke="${p.cream}" stroke-width="10" stroke-linejoin="round"/>
  ${[0, 1, 2, 3, 4].map(() => `<circle cx="${40 + roll() * 160}" cy="${24 + roll() * 44}" r="${2 + roll() * 3}" fill="${p.cream}"/>`).join('')}`

const scissors: Motif = (p, roll) => `
  <circle cx="120" cy="116" r="76" fill="${p.cream}" opacity=".55"/>
  <g transform="rotate(${-12 + roll() * 10} 120 120)">
    <path d="M86 52l58 92M154 52l-58 92" stroke="${p.deep}" stroke-width="11" stroke-linecap="round"/>
    <circle cx="86" cy="164" r="20" fill="none" stroke="${p.main}" stroke-width="12"/>
    <circle cx="154" cy="164" r="20" fill="none" stroke="${p.main}" stroke-width="12"/>
    <circle cx="120" cy="108" r="6" fill="${p.cream}"/>
  </g>`

const stones: Motif = (p, roll) => `
  <ellipse cx="120" cy="198" rx="84" ry="12" fill="${p.deep}" opacity=".22"/>
  <ellipse cx="120" cy="178" rx="70" ry="24" fill="${p.deep}"/><ellipse cx="108" cy="172" rx="40" ry="9" fill="#fff" opacity=".14"/>
  <ellipse cx="124" cy="138" rx="54" ry="21" fill="${p.main}"/><ellipse cx="112" cy="132" rx="30" ry="7" fill="#fff" opacity=".2"/>
  <ellipse cx="117" cy="103" rx="37" ry="16" fill="${p.pale}"/><ellipse cx="109" cy="98" rx="20" ry="5" fill="#fff" opacity=".5"/>
  <g transform="translate(117 88) rotate(${-8 + roll() * 16})">
    <path d="M0 0c-20-8-26-28-18-44C-4-36 4-18 0 0z" fill="${p.leaf}"/><path d="M0 0c2-22 18-34 36-32 0 18-16 32-36 32z" fill="hsl(142 40% 52%)"/>
  </g>`

const plant: Motif = (p, roll) => `
  <ellipse cx="120" cy="204" rx="58" ry="10" fill="${p.deep}" opacity=".22"/>
  ${[[-46, 1], [44, 0.95], [-16, 1.2], [18, 1.1], [0, 0.8]].map(([lean = 0, size = 1]) => `
    <g transform="rotate(${lean + roll() * 6} 120 150) translate(120 ${150 - 62 * size}) scale(${size})">
      <path d="M0 62V6" stroke="${p.leaf}" stroke-width="5" stroke-linecap="round"/>
      <path d="M0 40C-40 30-42-14 0-44 42-14 40 30 0 40z" fill="hsl(${138 + roll() * 16} 42% ${34 + roll() * 14}%)"/>
      <path d="M0 34V-30M0 12l-22-14M0 12l22-14M0-8l-17-12M0-8l17-12" stroke="#fff" stroke-width="2.4" opacity=".45" fill="none"/>
    </g>`).join('')}
  <path d="M84 148h72l-8 50a8 8 0 0 1-8 7h-40a8 8 0 0 1-8-7z" fill="${p.warm}"/><path d="M84 148h20l6 57h-10a8 8 0 0 1-8-7z" fill="#fff" opacity=".22"/>
  <rect x="78" y="140" width="84" height="14" rx="6" fill="${p.cream}"/>`

// Read in this order: a "桌面绿植" is a plant although 面 is in it.
const motifs: readonly (readonly [RegExp, Motif])[] = [
  [/绿植|盆栽|龟背竹|plant/i, plant],
  [/花|flower|rose|bouquet/i, flower],
  [/推拿|足浴|按摩|肩颈|养生|spa|massage/i, stones],
  [/剪|吹|发型|造型|美发|hair|cut|barber|salon|nail/i, scissors],
  [/咖啡|拿铁|美式|冷萃|茶|可可|coffee|latte|mocha|tea|cup|espresso|cocoa/i, cup],
  [/蛋糕|面包|可颂|甜品|烘焙|cake|bread|dessert|pastry|toast|croissant|bake|sweet|tart/i, cake],
  [/果汁|饮|冰|啤酒|juice|milk|drink|boba|soda|lemon|beer|bottle|water/i, bottle],
  [/面|饭|粥|粉|汤|锅|川|餐|菜|noodle|ramen|rice|soup|pot|bowl|meal|lunch|dish|salad|food/i, bowl],
  [/礼|卡|券|gift|box|card|mug|bag|pass|ticket/i, gift],
]

/** The inside of a 240×240 SVG. */
export function still(seed: string, hue: number): string {
  const roll = chance(seed)
  const h = ((Math.round(hue) % 360) + 360) % 360
  const paint: Paint = {
    main: `hsl(${h} 62% 50%)`,
    deep: `hsl(${h} 58% 30%)`,
    pale: `hsl(${h} 60% 84%)`,
    cream: 'hsl(40 60% 96%)',
    warm: `hsl(${(h + 28) % 360} 58% 66%)`,
    leaf: 'hsl(142 42% 42%)',
  }
  const named = motifs.find(([words]) => words.test(seed))
  const motif = named?.[1] ?? gift
  const id = `g${Math.floor(roll() * 1e9).toString(36)}`
  const x = 40 + roll() * 160
  return `<defs><linearGradient id="${id}" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="hsl(${h} 72% 91%)"/><stop offset="1" stop-color="hsl(${(h + 32) % 360} 64% 78%)"/></linearGradient></defs>
  <rect width="240" height="240" fill="url(#${id})"/>
  <circle cx="${x.toFixed(0)}" cy="${(30 + roll() * 60).toFixed(0)}" r="${(46 + roll() * 34).toFixed(0)}" fill="#fff" opacity=".28"/>
  <circle cx="${(240 - x).toFixed(0)}" cy="${(150 + roll() * 60).toFixed(0)}" r="${(30 + roll() * 40).toFixed(0)}" fill="#fff" opacity=".2"/>
  <path d="M0 186q120-22 240 0v54H0z" fill="hsl(${h} 46% 70%)" opacity=".5"/>${motif(paint, roll)}`
}
