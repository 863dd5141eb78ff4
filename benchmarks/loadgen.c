/* Many WebSocket clients in one thread, and how late each tick reaches them.

   Open loop: a tick carries the time at which it was due ("ts", microseconds since 1970), and its latency is counted
   from there, whatever this program or the server was doing at that time (no coordinated omission).

   Every payload is searched for ticks: {"seq":N,"ts":T,"symbol":"X",...}; what is around them does not matter, so
   that one program measures every server.  Per client and symbol, seq must follow on; ,"skipped":N before the closing
   brace says that N were conflated.

   Usage: see `usage`.  Says "connected" and "measuring" on stderr, and prints one JSON object. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#ifdef TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum { SUB_BITS = 6, BUCKETS = 64 << SUB_BITS, READ_BYTES = 1 << 18, SHARED_BYTES = READ_BYTES + (1 << 20) };

typedef struct {
  uint64_t count[BUCKETS], total, max;
} Histogram;

typedef struct {
  char name[16];
  uint64_t seq;
} Cursor;

enum State { IDLE, CONNECTING, SECURING, UPGRADING, OPEN, CLOSED };

typedef struct {
  int fd, line;
  enum State state;
  bool slow;
  char *rest; /* of an incomplete frame */
  size_t rest_size;
  Cursor *cursors;
  int cursor_count, cursor_room;
  double allowance; /* bytes that a slow client may read now */
#ifdef TLS
  SSL *ssl;
#endif
} Client;

static struct {
  const char *host, *path, *hello, *subprotocol;
  int port, clients, in_flight, secure;
  double warmup, seconds, slow_share, slow_rate, hold, timeout;
  bool connect_only;
} options = {.host = "127.0.0.1", .path = "/", .clients = 1, .in_flight = 256, .warmup = 1, .seconds = 5, .slow_rate = 1024,
             .timeout = 60};

static Client *clients;
static char **lines;
static int line_count, epoll, connected, failed, closed_count, next_client, in_flight;
static char *shared;
static Histogram fast, slow;
static uint64_t deliveries, frames, bytes, holes, missing, conflated, gaps, slow_deliveries, reads;
static bool measuring;
#ifdef TLS
static SSL_CTX *context;
#endif

static void die(const char *what) {
  fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int64_t wall_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static double cpu_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* ------------------------------------------------------------------------------------------------- histogram */

/* Values up to 127 exactly, above that 64 steps for each power of two: at most 1.6 % off. */
static int bucket_of(uint64_t value) {
  if (value < (2u << SUB_BITS)) return (int)value;
  int shift = 63 - __builtin_clzll(value) - SUB_BITS;
  int index = (shift << SUB_BITS) + (int)(value >> shift);
  return index < BUCKETS ? index : BUCKETS - 1;
}

static uint64_t value_of(int bucket) {
  if (bucket < (2 << SUB_BITS)) return (uint64_t)bucket;
  int shift = (bucket >> SUB_BITS) - 1;
  return (uint64_t)((bucket & ((1 << SUB_BITS) - 1)) | (1 << SUB_BITS)) << shift;
}

static void observe(Histogram *h, int64_t value) {
  uint64_t v = value < 0 ? 0 : (uint64_t)value;
  h->count[bucket_of(v)]++;
  h->total++;
  if (v > h->max) h->max = v;
}

static uint64_t quantile(const Histogram *h, double share) {
  uint64_t wanted = (uint64_t)(share * (double)h->total), seen = 0;
  for (int i = 0; i < BUCKETS; i++)
    if ((seen += h->count[i]) > wanted) return value_of(i);
  return h->max;
}

/* ------------------------------------------------------------------------------------------------------ ticks */

static Cursor *cursor_of(Client *c, const char *name, size_t size) {
  char padded[16] = {0};
  memcpy(padded, name, size < 16 ? size : 16);
  for (int i = 0; i < c->cursor_count; i++)
    if (!memcmp(c->cursors[i].name, padded, 16)) return &c->cursors[i];
  if (c->cursor_count == c->cursor_room) {
    c->cursor_room = c->cursor_room ? 2 * c->cursor_room : 4;
    c->cursors = realloc(c->cursors, (size_t)c->cursor_room * sizeof(Cursor));
  }
  Cursor *cursor = &c->cursors[c->cursor_count++];
  memcpy(cursor->name, padded, 16);
  cursor->seq = 0;
  return cursor;
}

static const char *number(const char *at, uint64_t *value) {
  for (*value = 0; *at >= '0' && *at <= '9'; at++) *value = 10 * *value + (uint64_t)(*at - '0');
  return at;
}

/* The number in ,"skipped":N that ends before *end*, or 0. */
static uint64_t skipped_before(const char *start, const char *end) {
  const char *at = end;
  uint64_t value = 0, unit = 1;
  while (at > start && at[-1] >= '0' && at[-1] <= '9') value += unit * (uint64_t)(*--at - '0'), unit *= 10;
  return at - start > 11 && !memcmp(at - 11, ",\"skipped\":", 11) ? value : 0;
}

static void scan(Client *c, const char *data, size_t size, int64_t now) {
  const char *at = data, *end = data + size;
  if (size > 10 && !memcmp(data, "{\"op\":\"gap\"", 11)) gaps++;
  while ((at = memmem(at, (size_t)(end - at), "{\"seq\":", 7))) {
    uint64_t seq, ts;
    const char *tick = at;
    at = number(at + 7, &seq);
    if (end - at < 16 || memcmp(at, ",\"ts\":", 6)) continue;
    at = number(at + 6, &ts);
    if (end - at < 13 || memcmp(at, ",\"symbol\":\"", 11)) continue;
    const char *name = at + 11, *name_end = memchr(name, '"', (size_t)(end - name));
    const char *brace = name_end ? memchr(name_end, '}', (size_t)(end - name_end)) : NULL;
    if (!brace) return;
    at = brace;
    uint64_t skipped = skipped_before(tick, brace);
    Cursor *cursor = cursor_of(c, name, (size_t)(name_end - name));
    if (measuring) {
      observe(c->slow ? &slow : &fast, now - (int64_t)ts);
      if (c->slow) slow_deliveries++;
      deliveries++;
      conflated += skipped;
      if (cursor->seq && seq != cursor->seq + 1 + skipped) {
        holes++;
        if (seq > cursor->seq) missing += seq - cursor->seq - 1;
      }
    }
    cursor->seq = seq;
  }
}

/* ------------------------------------------------------------------------------------------------- the socket */

static void drop(Client *c, bool failure) {
  if (c->state == CLOSED) return;
  if (c->state != OPEN) in_flight--;
  failure &= c->state != OPEN;
  c->state = CLOSED;
  failed += failure;
  closed_count++;
#ifdef TLS
  if (c->ssl) SSL_free(c->ssl), c->ssl = NULL;
#endif
  close(c->fd);
}

static ssize_t put(Client *c, const void *data, size_t size) {
#ifdef TLS
  if (c->ssl) return SSL_write(c->ssl, data, (int)size);
#endif
  return send(c->fd, data, size, MSG_NOSIGNAL);
}

/* Bytes read, 0: nothing now, -1: it is over. */
static ssize_t get(Client *c, void *data, size_t room) {
#ifdef TLS
  if (c->ssl) {
    ssize_t size = SSL_read(c->ssl, data, (int)room);
    if (size > 0) return size;
    int error = SSL_get_error(c->ssl, (int)size);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
#endif
  ssize_t size = recv(c->fd, data, room, 0);
  if (size > 0) return size;
  return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void put_frame(Client *c, int opcode, const char *data, size_t size) {
  size_t head = size < 126 ? 2 : 4;
  char *frame = malloc(head + 4 + size);
  frame[0] = (char)(0x80 | opcode);
  frame[1] = (char)(0x80 | (size < 126 ? size : 126));
  if (head == 4) frame[2] = (char)(size >> 8), frame[3] = (char)size;
  memset(frame + head, 0, 4); /* a mask of zeros is a mask */
  memcpy(frame + head + 4, data, size);
  put(c, frame, head + 4 + size);
  free(frame);
}

static void say_hello(Client *c) {
  if (!line_count) return;
  char *line = strdup(lines[c->line % line_count]);
  for (char *save, *part = strtok_r(line, "\t", &save); part; part = strtok_r(NULL, "\t", &save)) {
    if (strncmp(part, "hex:", 4)) {
      put_frame(c, 1, part, strlen(part));
      continue;
    }
    size_t size = (strlen(part) - 4) / 2;
    for (size_t i = 0; i < size; i++) {
      unsigned byte;
      sscanf(part + 4 + 2 * i, "%2x", &byte);
      part[i] = (char)byte;
    }
    put_frame(c, 2, part, size);
  }
  free(line);
}

static void watch(Client *c, uint32_t events, int how) {
  struct epoll_event event = {events, {.ptr = c}};
  if (epoll_ctl(epoll, how, c->fd, &event)) die("epoll_ctl");
}

static void connect_next(void) {
  Client *c = &clients[next_client];
  c->line = next_client++;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("socket");
  int one = 1, small = 4096;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->slow = c->line < (int)(options.slow_share * options.clients + 0.5);
  if (c->slow) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  inet_pton(AF_INET, options.host, &to.sin_addr);
  c->state = CONNECTING;
  in_flight++;
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
    if (errno == EADDRNOTAVAIL || errno == EMFILE) die("connect");
    drop(c, true);
    return;
  }
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void ask(Client *c) {
  char request[1024], offer[128] = "", path[256];
  if (options.subprotocol) snprintf(offer, sizeof offer, "Sec-WebSocket-Protocol: %s\r\n", options.subprotocol);
  snprintf(path, sizeof path, options.path, c->line);
  int size = snprintf(request, sizeof request,
                      "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                      path, options.host, options.port, offer);
  c->state = UPGRADING;
  if (put(c, request, (size_t)size) != size) {
    drop(c, true);
    return;
  }
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

static void secure(Client *c) {
#ifdef TLS
  if (!c->ssl) {
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    c->state = SECURING;
  }
  int done = SSL_do_handshake(c->ssl);
  if (done == 1) {
    ask(c);
    return;
  }
  int error = SSL_get_error(c->ssl, done);
  if (error == SSL_ERROR_WANT_READ)
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
  else if (error == SSL_ERROR_WANT_WRITE)
    watch(c, EPOLLOUT, EPOLL_CTL_MOD);
  else
    drop(c, true);
#else
  drop(c, true);
#endif
}

/* Takes whole frames out of *data*, returns how many bytes they had. */
static size_t take_frames(Client *c, const char *data, size_t size, int64_t now) {
  size_t at = 0;
  while (size - at >= 2) {
    const unsigned char *head = (const unsigned char *)data + at;
    uint64_t length = head[1] & 127;
    size_t start = 2;
    if (length == 126) {
      if (size - at < 4) break;
      length = (uint64_t)head[2] << 8 | head[3], start = 4;
    } else if (length == 127) {
      if (size - at < 10) break;
      length = 0, start = 10;
      for (int i = 2; i < 10; i++) length = length << 8 | head[i];
    }
    if (size - at < start + length) break;
    const char *payload = data + at + start;
    int opcode = head[0] & 15;
    at += start + length;
    if (opcode <= 2) {
      if (measuring) frames++;
      scan(c, payload, length, now);
    } else if (opcode == 9) {
      put_frame(c, 10, payload, length);
    } else if (opcode == 8) {
      drop(c, false);
      return at;
    }
  }
  return at;
}

static void read_some(Client *c, size_t most) {
  memcpy(shared, c->rest, c->rest_size);
  size_t room = SHARED_BYTES - c->rest_size;
  ssize_t got = get(c, shared + c->rest_size, most < room ? most : room);
  if (got < 0) drop(c, true);
  if (got <= 0) return;
  if (measuring) bytes += (uint64_t)got, reads++;
  size_t size = c->rest_size + (size_t)got, taken = 0;
  if (c->state == UPGRADING) {
    char *end = memmem(shared, size, "\r\n\r\n", 4);
    if (end) {
      if (strncmp(shared, "HTTP/1.1 101", 12)) {
        drop(c, true);
        return;
      }
      taken = (size_t)(end - shared) + 4;
      c->state = OPEN;
      in_flight--;
      connected++;
      say_hello(c);
      if (c->slow) watch(c, 0, EPOLL_CTL_MOD);
    }
  }
  if (c->state == OPEN) taken += take_frames(c, shared + taken, size - taken, wall_us());
  if (c->state == CLOSED) return;
  c->rest_size = size - taken;
  if (c->rest_size) {
    c->rest = realloc(c->rest, c->rest_size);
    memcpy(c->rest, shared + taken, c->rest_size);
  } else if (c->rest) {
    free(c->rest);
    c->rest = NULL;
  }
}

static void serve(Client *c, uint32_t events) {
  if (c->state == CLOSED) return;
  if (c->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
      drop(c, true);
    else if (options.secure)
      secure(c);
    else
      ask(c);
  } else if (c->state == SECURING) {
    secure(c);
  } else if (events) {
    read_some(c, READ_BYTES);
#ifdef TLS
    while (c->state == OPEN && c->ssl && SSL_pending(c->ssl)) read_some(c, READ_BYTES);
#endif
  }
}

static void turn(int wait_ms) {
  static struct epoll_event events[1024];
  static double looked;
  int count = epoll_wait(epoll, events, 1024, options.slow_share > 0 && wait_ms > 20 ? 20 : wait_ms);
  if (count < 0 && errno != EINTR) die("epoll_wait");
  for (int i = 0; i < count; i++) serve(events[i].data.ptr, events[i].events);
  double now = seconds_now(), passed = looked ? now - looked : 0;
  if (options.slow_share <= 0 || passed < 0.02) {
    if (!looked) looked = now;
    return;
  }
  looked = now;
  for (int i = 0; i < next_client; i++) {
    Client *c = &clients[i];
    if (!c->slow || c->state != OPEN) continue;
    c->allowance += passed * options.slow_rate;
    if (c->allowance > options.slow_rate) c->allowance = options.slow_rate;
    if (c->allowance >= 64) {
      read_some(c, (size_t)c->allowance);
      c->allowance = 0;
    }
  }
}

static void run_for(double seconds) {
  double end = seconds_now() + seconds;
  for (double left; (left = end - seconds_now()) > 0;) turn(left < 1 ? (int)(left * 1000) + 1 : 1000);
}

static void connect_all(void) {
  double end = seconds_now() + options.timeout;
  while (connected + failed < options.clients) {
    while (in_flight < options.in_flight && next_client < options.clients) connect_next();
    turn(50);
    if (seconds_now() > end) {
      fprintf(stderr, "loadgen: only %d of %d connected in %g s\n", connected, options.clients, options.timeout);
      exit(1);
    }
  }
}

static void read_lines(void) {
  FILE *file = fopen(options.hello, "r");
  if (!file) die(options.hello);
  char *line = NULL;
  size_t room = 0;
  for (ssize_t size; (size = getline(&line, &room, file)) > 0;) {
    if (line[size - 1] == '\n') line[size - 1] = 0;
    lines = realloc(lines, (size_t)(line_count + 1) * sizeof *lines);
    lines[line_count++] = strdup(line);
  }
  fclose(file);
}

static void print_latency(const char *name, const Histogram *h) {
  printf("\"%s\":{\"count\":%lu,\"p50\":%lu,\"p90\":%lu,\"p99\":%lu,\"p99.9\":%lu,\"max\":%lu}", name, h->total,
         quantile(h, .5), quantile(h, .9), quantile(h, .99), quantile(h, .999), h->max);
}

static void usage(void) {
  fputs("loadgen --port P [--host A] [--path F] [--clients N] [--hello FILE] [--subprotocol S] [--in-flight N] [--tls]\n"
        "        [--warmup S] [--seconds S] [--slow-share F] [--slow-rate B] [--connect-only] [--hold S]\n"
        "path: %d stands for the client's number.  hello: a line per client (again from the first where they end),\n"
        "frames apart by tabs, binary ones as hex:...  slow-rate: bytes per second.  hold: stay connected after it.\n",
        stderr);
  exit(2);
}

static void parse(int count, char **values) {
  enum { PORT = 1, HOST, PATH, CLIENTS, HELLO, SUBPROTOCOL, IN_FLIGHT, TLS_ON, WARMUP, SECONDS, SHARE, RATE, ONLY, HOLD, LIMIT };
  static const struct option names[] = {
      {"port", 1, 0, PORT},           {"host", 1, 0, HOST},         {"path", 1, 0, PATH},
      {"clients", 1, 0, CLIENTS},     {"hello", 1, 0, HELLO},       {"subprotocol", 1, 0, SUBPROTOCOL},
      {"in-flight", 1, 0, IN_FLIGHT}, {"tls", 0, 0, TLS_ON},        {"warmup", 1, 0, WARMUP},
      {"seconds", 1, 0, SECONDS},     {"slow-share", 1, 0, SHARE},  {"slow-rate", 1, 0, RATE},
      {"connect-only", 0, 0, ONLY},   {"hold", 1, 0, HOLD},         {"timeout", 1, 0, LIMIT},
      {0, 0, 0, 0}};
  for (int name; (name = getopt_long(count, values, "", names, NULL)) != -1;) switch (name) {
      case PORT: options.port = atoi(optarg); break;
      case HOST: options.host = optarg; break;
      case PATH: options.path = optarg; break;
      case CLIENTS: options.clients = atoi(optarg); break;
      case HELLO: options.hello = optarg; break;
      case SUBPROTOCOL: options.subprotocol = optarg; break;
      case IN_FLIGHT: options.in_flight = atoi(optarg); break;
      case TLS_ON: options.secure = 1; break;
      case WARMUP: options.warmup = atof(optarg); break;
      case SECONDS: options.seconds = atof(optarg); break;
      case SHARE: options.slow_share = atof(optarg); break;
      case RATE: options.slow_rate = atof(optarg); break;
      case ONLY: options.connect_only = true; break;
      case HOLD: options.hold = atof(optarg); break;
      case LIMIT: options.timeout = atof(optarg); break;
      default: usage();
    }
  if (!options.port || options.clients < 1) usage();
}

int main(int count, char **values) {
  parse(count, values);
  if (options.hello) read_lines();
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
#ifdef TLS
  context = SSL_CTX_new(TLS_client_method());
#else
  if (options.secure) {
    fputs("loadgen: compiled without TLS\n", stderr);
    return 2;
  }
#endif
  clients = calloc((size_t)options.clients, sizeof *clients);
  shared = malloc(SHARED_BYTES);
  epoll = epoll_create1(0);
  double began = seconds_now();
  connect_all();
  double connecting = seconds_now() - began;
  fprintf(stderr, "connected\n");
  double cpu = 0, seconds = 0;
  if (!options.connect_only) {
    run_for(options.warmup);
    measuring = true;
    cpu = cpu_seconds();
    double start = seconds_now();
    fprintf(stderr, "measuring\n");
    run_for(options.seconds);
    seconds = seconds_now() - start;
    cpu = cpu_seconds() - cpu;
    measuring = false;
    fprintf(stderr, "measured\n");
  }
  printf("{\"clients\":%d,\"connected\":%d,\"failed\":%d,\"closed\":%d,\"connecting_s\":%.3f,\"seconds\":%.3f,", options.clients,
         connected, failed, closed_count, connecting, seconds);
  printf("\"deliveries\":%lu,\"slow_deliveries\":%lu,\"frames\":%lu,\"bytes\":%lu,\"reads\":%lu,\"holes\":%lu,\"missing\":%lu,"
         "\"conflated\":%lu,\"gaps\":%lu,\"cpu_s\":%.3f,",
         deliveries, slow_deliveries, frames, bytes, reads, holes, missing, conflated, gaps, cpu);
  print_latency("latency_us", &fast);
  printf(",");
  print_latency("slow_latency_us", &slow);
  printf("}\n");
  fflush(stdout);
  run_for(options.hold);
  return 0;
}
