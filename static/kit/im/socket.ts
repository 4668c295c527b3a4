// A link over a WebSocket.
import { PROTOCOLS, fromWire, toWire } from './codec'
import { Link, type LinkOwner } from './link'
import { T, type Outbound } from './types'

export class SocketLink extends Link {
  /** Whether the network let the upgrade through. */
  opened = false
  private readonly socket: WebSocket

  constructor(url: string, hello: Outbound, owner: LinkOwner) {
    super(owner)
    this.socket = new WebSocket(url, PROTOCOLS)
    this.socket.binaryType = 'arraybuffer'
    this.socket.onopen = () => {
      this.opened = true
      this.send({ ...hello, t: T.HELLO })
    }
    this.socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.hear(fromWire(event.data))
    this.socket.onclose = (event) => this.end(event.code)
    this.watch()
  }

  send(frame: Outbound): void {
    if (this.ready()) this.socket.send(toWire(this.socket.protocol, frame))
  }

  protected ready(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  protected release(polite: boolean): void {
    this.socket.onmessage = null
    if (polite) this.socket.close(1000)
    else this.socket.close()
  }
}
