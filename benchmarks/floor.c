/* The floor: what it costs to hand the same bytes to N WebSocket clients, one `send` each, and nothing else.

   floor CLIENTS RATE TICKS SECONDS: prints the port on stdout, waits for CLIENTS handshakes, then for SECONDS, RATE
   times a second, makes one text frame of TICKS ticks of about 150 bytes, "ts" being the time it was due, and sends it
   to each client.  What a client sends after the handshake is never read. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The generator always sends the key of RFC 6455 section 1.3, and this is the answer that stands there. */
static const char ANSWER[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static int64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static size_t make_frame(char *frame, int ticks, uint64_t *seq, int64_t due) {
  char *body = frame + 10, *at = body;
  at += sprintf(at, "{\"op\":\"ticks\",\"sent\":%ld,\"data\":[", clock_us(CLOCK_REALTIME));
  for (int i = 0; i < ticks; i++)
    at += sprintf(at,
                  "%s{\"seq\":%lu,\"ts\":%ld,\"symbol\":\"AAPL\",\"price\":230.15,\"size\":100,\"bid\":230.14,\"ask\":230.16,"
                  "\"bid_size\":3,\"ask_size\":1,\"volume\":1200345}",
                  i ? "," : "", ++*seq, due);
  at += sprintf(at, "]}");
  size_t size = (size_t)(at - body), head = size < 126 ? 2 : size < 65536 ? 4 : 10;
  char *start = body - head;
  start[0] = (char)0x81;
  if (head == 2) start[1] = (char)size;
  if (head == 4) start[1] = 126, start[2] = (char)(size >> 8), start[3] = (char)size;
  if (head == 10) {
    start[1] = 127;
    for (int i = 0; i < 8; i++) start[2 + i] = (char)(size >> 8 * (7 - i));
  }
  memmove(frame, start, head + size);
  return head + size;
}

int main(int count, char **values) {
  if (count != 5) return 2;
  int clients = atoi(values[1]), ticks = atoi(values[3]), one = 1;
  double rate = atof(values[2]), seconds = atof(values[4]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int listener = socket(AF_INET, SOCK_STREAM, 0), *sockets = malloc((size_t)clients * sizeof *sockets);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 4096)) return 1;
  getsockname(listener, (struct sockaddr *)&at, &size);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  for (int i = 0; i < clients; i++) {
    char request[4096];
    size_t got = 0;
    sockets[i] = accept(listener, NULL, NULL);
    while (!memmem(request, got, "\r\n\r\n", 4)) {
      ssize_t more = recv(sockets[i], request + got, sizeof request - got, 0);
      if (more <= 0) return 1;
      got += (size_t)more;
    }
    if (send(sockets[i], ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) < 0) return 1;
    fcntl(sockets[i], F_SETFL, O_NONBLOCK);
    setsockopt(sockets[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  char *frame = malloc(64 + (size_t)ticks * 256);
  uint64_t seq = 0;
  int64_t offset = clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC), start = clock_us(CLOCK_MONOTONIC) + 1000000;
  for (int64_t round = 0; round < (int64_t)(rate * seconds); round++) {
    int64_t due = start + (int64_t)((double)round * 1e6 / rate);
    struct timespec until = {due / 1000000, due % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    size_t length = make_frame(frame, ticks, &seq, due + offset);
    for (int i = 0; i < clients; i++) (void)!send(sockets[i], frame, length, MSG_NOSIGNAL);
  }
  return 0;
}
