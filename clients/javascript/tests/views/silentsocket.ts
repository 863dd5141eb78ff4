/** A WebSocket that connects to nothing and says nothing. */
export class SilentSocket extends EventTarget {
  static readonly made: SilentSocket[] = [];
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  readyState = 0;
  closed = false;
  readonly url: string;

  constructor(url: string | URL) {
    super();
    this.url = String(url);
    SilentSocket.made.push(this);
  }

  send(): void {}

  close(): void {
    this.closed = true;
    this.readyState = 3;
  }
}
